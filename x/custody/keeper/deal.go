package keeper

import (
	"context"
	"errors"
	"slices"

	"cosmossdk.io/collections"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/custody"
)

// A proof takes four multiplications in the group, a commitment a decoding, and the
// check of a sub-share a multiplication by a small number for each commitment.
const (
	gasPerWitness    storetypes.Gas = 5_000
	gasPerCommitment storetypes.Gas = 500
)

// deal is what a dealer of a round gave; found is false where that is nothing.
func (k *Keeper) deal(ctx context.Context, r custody.Round, dealer uint64) (d custody.Deal, found bool, err error) {
	d, err = k.deals.Get(ctx, collections.Join3(uint64(r.Kind), r.Generation, dealer))
	if errors.Is(err, collections.ErrNotFound) {
		return d, false, nil
	}
	return d, err == nil, err
}

// dealing is a dealer's deal for lock.
func (k *Keeper) dealing(ctx context.Context, r custody.Round, dealer uint64) (lock.Dealing, error) {
	d, err := k.deals.Get(ctx, collections.Join3(uint64(r.Kind), r.Generation, dealer))
	if err != nil {
		return lock.Dealing{}, err
	}
	commitments, err := lock.ParseCommitments(r.Threshold, d.Commitments)
	return lock.Dealing{Dealer: dealer, Commitments: commitments}, err
}

// party is who signs a message of a round, and the entry that it leaves.
type party struct {
	member uint64
	entry  audit.Entry
	round  custody.Round
}

// named are the fields by which a message names a round.
type named struct {
	node       string
	kind       custody.KeyKind
	generation uint64
}

// party answers who signed and the round, or the reason why the message is not looked
// at: the signer is no node of a member, or no such round waits for it. is says whether
// the round is the one that the message names.
func (k *Keeper) party(ctx context.Context, n named, kind string, is func(custody.Round) bool, phases ...custody.RoundPhase) (party, string, error) {
	p, entry, err := k.consortium.Actor(ctx, n.node)
	if err != nil {
		return party{}, "", err
	}
	entry.Kind = kind
	made := party{member: p.Hospital, entry: entry}
	made.entry.Target = targetOf(custody.Round{Kind: n.kind, Generation: n.generation})
	if reason := checkSigner(p); reason != "" {
		return made, reason, nil
	}
	r, found, err := k.round(ctx, collections.Join(uint64(n.kind), n.generation))
	if err != nil {
		return made, "", err
	}
	if !found || !is(r) {
		return made, custody.ReasonWrongRound, nil
	}
	made.round = r
	made.entry.Target, made.entry.Count = targetOf(r), r.Attempt
	if !slices.Contains(phases, r.Phase) {
		return made, custody.ReasonWrongPhase, nil
	}
	return made, "", nil
}

// byHash says whether a round has the hash that a message names.
func byHash(hash []byte) func(custody.Round) bool {
	return func(r custody.Round) bool { return string(r.Hash) == string(hash) }
}

// settle writes the entry of a message of a round, refused where there is a reason.
func (k *Keeper) settle(ctx context.Context, p party, reason string) (audit.Outcome, error) {
	p.entry.Outcome = audit.OUTCOME_OK
	if reason != "" {
		p.entry.Outcome, p.entry.Reason = audit.OUTCOME_REFUSED, reason
	}
	_, err := k.audit.Append(ctx, p.entry)
	return p.entry.Outcome, err
}

// PublishRoundKey takes the key that is to receive a member's sub-shares. Where no round
// runs, the key for the next one begins it, for a member that has no share of use: it was
// away when the others made theirs, or lost it.
func (s msgServer) PublishRoundKey(ctx context.Context, msg *custody.MsgPublishRoundKey) (*custody.MsgPublishRoundKeyResponse, error) {
	if err := msg.Validate(); err != nil {
		return nil, err
	}
	p, reason, err := s.party(ctx, named{msg.Node, msg.Kind, msg.Generation}, audit.KindRoundKeyPublished, func(r custody.Round) bool {
		return r.ShareEpoch == msg.ShareEpoch && r.Attempt == msg.Attempt || !r.IsRunning() && r.ShareEpoch+1 == msg.ShareEpoch && msg.Attempt == 1
	}, custody.ROUND_PHASE_KEYS, custody.ROUND_PHASE_DONE)
	switch {
	case err != nil || reason != "":
	case p.round.IsRunning():
		reason, err = s.takeRoundKey(ctx, p, msg.Key)
	case msg.ShareEpoch == p.round.ShareEpoch: // late, as from a server that has not caught up
		reason = custody.ReasonWrongPhase
	default:
		next := custody.Round{Kind: msg.Kind, Generation: msg.Generation, ShareEpoch: msg.ShareEpoch, Attempt: msg.Attempt}
		p.entry.Target, p.entry.Count = targetOf(next), next.Attempt
		reason, err = s.beginFor(ctx, p)
	}
	if err != nil {
		return nil, err
	}
	outcome, err := s.settle(ctx, p, reason)
	return &custody.MsgPublishRoundKeyResponse{Outcome: outcome, Reason: reason}, err
}

func (k *Keeper) takeRoundKey(ctx context.Context, p party, key []byte) (string, error) {
	m, err := k.consortium.Member(ctx, p.member)
	if err != nil {
		return "", err
	}
	if !m.Stays() {
		return custody.ReasonNotParty, nil
	}
	id := collections.Join3(uint64(p.round.Kind), p.round.Generation, p.member)
	if has, err := k.roundKeys.Has(ctx, id); err != nil || has {
		return custody.ReasonRepeated, err
	}
	if err := k.roundKeys.Set(ctx, id, key); err != nil {
		return "", err
	}
	return "", k.contributed(ctx, p.round, 1)
}

// beginFor has shares renewed for a member that needs one.
func (k *Keeper) beginFor(ctx context.Context, p party) (string, error) {
	m, err := k.consortium.Member(ctx, p.member)
	if err != nil {
		return "", err
	}
	if !m.Stays() {
		return custody.ReasonNotParty, nil
	}
	key, err := k.Key(ctx, p.round.Kind, p.round.Generation)
	if err != nil {
		return "", err
	}
	h, holds, err := k.holder(ctx, key, key.ShareEpoch, p.member)
	switch {
	case err != nil:
		return "", err
	case holds && h.Confirmed:
		return k.lost(ctx, p, key, h)
	case key.Age(blockTime(ctx)) < custody.RenewalForOne:
		return custody.ReasonTooSoon, nil
	}
	return "", k.wanted.Set(ctx, nameOf(p.round))
}

// lost takes a holder's word that it lost its share, and has shares renewed where they are
// old enough, or too few are left to wait for that.
func (k *Keeper) lost(ctx context.Context, p party, key custody.Key, h custody.Holder) (string, error) {
	now := blockTime(ctx)
	if h.LostAt != 0 && now < h.LostAt+custody.RenewalForLost {
		return custody.ReasonTooSoon, nil
	}
	holders, err := k.Holders(ctx, key, key.ShareEpoch)
	if err != nil {
		return "", err
	}
	left := uint64(0)
	for _, other := range holders {
		if other.Index != h.Index && other.Has(key) {
			left++
		}
	}
	h.LostAt = now
	if err := k.setHolder(ctx, h); err != nil {
		return "", err
	}
	if !key.FewLeft(left) && key.Age(now) < custody.RenewalForLost {
		return "", nil // noted; the next loss may be one too many
	}
	return "", k.wanted.Set(ctx, nameOf(p.round))
}

// SubmitDeal takes a deal, or the part of one.
func (s msgServer) SubmitDeal(ctx context.Context, msg *custody.MsgSubmitDeal) (*custody.MsgSubmitDealResponse, error) {
	if err := msg.Validate(); err != nil {
		return nil, err
	}
	p, reason, err := s.party(ctx, named{msg.Node, msg.Kind, msg.Generation}, audit.KindDealt, byHash(msg.Round), custody.ROUND_PHASE_DEALS)
	if err == nil && reason == "" {
		reason, err = s.takeDeal(ctx, p, msg)
	}
	if err != nil {
		return nil, err
	}
	outcome, err := s.settle(ctx, p, reason)
	return &custody.MsgSubmitDealResponse{Outcome: outcome, Reason: reason}, err
}

func (k *Keeper) takeDeal(ctx context.Context, p party, msg *custody.MsgSubmitDeal) (string, error) {
	r := p.round
	if !slices.Contains(r.Dealers, p.member) {
		return custody.ReasonNotParty, nil
	}
	deal, begun, err := k.deal(ctx, r, p.member)
	if err != nil {
		return "", err
	}
	switch {
	case begun && msg.Begins():
		return custody.ReasonRepeated, nil
	case !begun && !msg.Begins():
		return custody.ReasonBadDeal, nil
	case !begun:
		if reason, err := k.checkDealing(ctx, p, msg); err != nil || reason != "" {
			return reason, err
		}
		deal.Commitments = msg.Commitments
	}
	for _, s := range msg.Shares {
		if !slices.Contains(r.Receivers, s.Receiver) {
			return custody.ReasonBadDeal, nil
		}
		has, err := k.subShares.Has(ctx, collections.Join4(uint64(r.Kind), r.Generation, s.Receiver, p.member))
		if err != nil {
			return "", err
		}
		if has {
			return custody.ReasonRepeated, nil
		}
	}
	for _, s := range msg.Shares {
		if err := k.subShares.Set(ctx, collections.Join4(uint64(r.Kind), r.Generation, s.Receiver, p.member), s.Sealed); err != nil {
			return "", err
		}
	}
	deal.Sealed += uint64(len(msg.Shares))
	if err := k.deals.Set(ctx, collections.Join3(uint64(r.Kind), r.Generation, p.member), deal); err != nil {
		return "", err
	}
	whole := uint64(0)
	if deal.Sealed == uint64(len(r.Receivers)) {
		whole = 1
	}
	return "", k.contributed(ctx, r, whole)
}

// checkDealing answers why a deal does not count, whatever its sub-shares are.
func (k *Keeper) checkDealing(ctx context.Context, p party, msg *custody.MsgSubmitDeal) (string, error) {
	r := p.round
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(gasPerWitness+gasPerCommitment*storetypes.Gas(len(msg.Commitments)), "proof of a deal")
	commitments, err := lock.ParseCommitments(r.Threshold, msg.Commitments)
	if reason := fault(err, custody.ReasonBadDeal); reason != "" {
		return reason, nil
	}
	d := lock.Dealing{Dealer: p.member, Commitments: commitments}
	var old []lock.Holder
	if !r.IsFirst() {
		key, err := k.Key(ctx, r.Kind, r.Generation)
		if err != nil {
			return "", err
		}
		if old, err = k.confirmed(ctx, key); err != nil {
			return "", err
		}
	}
	checked := lock.Round{OldThreshold: r.OldThreshold, Threshold: r.Threshold, Dealers: r.Dealers}
	if reason := fault(checked.CheckDealing(d, old), custody.ReasonBadDeal); reason != "" {
		return reason, nil
	}
	return fault(lock.VerifyKnowledge([64]byte(r.Hash), d, msg.Knowledge), custody.ReasonBadProof), nil
}

// fault is the reason of a refusal where a check of lock failed: what it found is the
// signer's fault, never the state's.
func fault(err error, reason string) string {
	if err != nil {
		return reason
	}
	return ""
}

// SubmitComplaint takes a receiver's word on all deals.
func (s msgServer) SubmitComplaint(ctx context.Context, msg *custody.MsgSubmitComplaint) (*custody.MsgSubmitComplaintResponse, error) {
	if err := msg.Validate(); err != nil {
		return nil, err
	}
	p, reason, err := s.party(ctx, named{msg.Node, msg.Kind, msg.Generation}, audit.KindDealsChecked, byHash(msg.Round), custody.ROUND_PHASE_COMPLAINTS)
	if err == nil && reason == "" {
		reason, err = s.takeComplaint(ctx, p, msg.Dealers)
	}
	if err != nil {
		return nil, err
	}
	if len(msg.Dealers) > 0 {
		p.entry.Kind = audit.KindDealsDisputed
	}
	outcome, err := s.settle(ctx, p, reason)
	return &custody.MsgSubmitComplaintResponse{Outcome: outcome, Reason: reason}, err
}

func (k *Keeper) takeComplaint(ctx context.Context, p party, dealers []uint64) (string, error) {
	r := p.round
	if !slices.Contains(r.Receivers, p.member) {
		return custody.ReasonNotParty, nil
	}
	for _, dealer := range dealers {
		if !slices.Contains(r.Qualified, dealer) {
			return custody.ReasonNotParty, nil
		}
	}
	id := collections.Join3(uint64(r.Kind), r.Generation, p.member)
	if has, err := k.spoken.Has(ctx, id); err != nil || has {
		return custody.ReasonRepeated, err
	}
	if err := k.spoken.Set(ctx, id); err != nil {
		return "", err
	}
	for _, dealer := range dealers {
		if err := k.complaints.Set(ctx, collections.Join4(uint64(r.Kind), r.Generation, dealer, p.member), nil); err != nil {
			return "", err
		}
	}
	return "", k.contributed(ctx, r, 1)
}

// SubmitJustification takes a dealer's answers to complaints. A sub-share that was given
// in clear is as good as a sealed one: what stays secret is the sum.
func (s msgServer) SubmitJustification(ctx context.Context, msg *custody.MsgSubmitJustification) (*custody.MsgSubmitJustificationResponse, error) {
	if err := msg.Validate(); err != nil {
		return nil, err
	}
	p, reason, err := s.party(ctx, named{msg.Node, msg.Kind, msg.Generation}, audit.KindDealJustified, byHash(msg.Round), custody.ROUND_PHASE_JUSTIFICATIONS)
	if err == nil && reason == "" {
		reason, err = s.takeAnswers(ctx, p, msg.Answers)
	}
	if err != nil {
		return nil, err
	}
	outcome, err := s.settle(ctx, p, reason)
	return &custody.MsgSubmitJustificationResponse{Outcome: outcome, Reason: reason}, err
}

func (k *Keeper) takeAnswers(ctx context.Context, p party, answers []custody.Justification) (string, error) {
	r := p.round
	if !slices.Contains(r.Qualified, p.member) {
		return custody.ReasonNotParty, nil
	}
	d, err := k.dealing(ctx, r, p.member)
	if err != nil {
		return "", err
	}
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(gasPerCommitment*storetypes.Gas(len(d.Commitments)*len(answers)), "answers to complaints")
	for _, a := range answers {
		given, err := k.complaints.Get(ctx, collections.Join4(uint64(r.Kind), r.Generation, p.member, a.Receiver))
		switch {
		case errors.Is(err, collections.ErrNotFound):
			return custody.ReasonBadAnswer, nil
		case err != nil:
			return "", err
		case len(given) != 0:
			return custody.ReasonRepeated, nil
		}
		value, err := lock.ParseSecretScalar(a.SubShare)
		if err == nil {
			err = d.Commitments.Check(r.Threshold, lock.SecretShare{Index: a.Receiver, Value: value})
		}
		if reason := fault(err, custody.ReasonBadAnswer); reason != "" {
			return reason, nil
		}
	}
	for _, a := range answers {
		if err := k.complaints.Set(ctx, collections.Join4(uint64(r.Kind), r.Generation, p.member, a.Receiver), a.SubShare); err != nil {
			return "", err
		}
	}
	return "", k.contributed(ctx, r, uint64(len(answers)))
}

// ConfirmShare takes a receiver's proof that it has its new share; also late, when the
// shares are in force already.
func (s msgServer) ConfirmShare(ctx context.Context, msg *custody.MsgConfirmShare) (*custody.MsgConfirmShareResponse, error) {
	if err := msg.Validate(); err != nil {
		return nil, err
	}
	p, reason, err := s.party(ctx, named{msg.Node, msg.Kind, msg.Generation}, audit.KindShareConfirmed, byHash(msg.Round),
		custody.ROUND_PHASE_CONFIRMATIONS, custody.ROUND_PHASE_DONE)
	if err == nil && reason == "" {
		reason, err = s.takeConfirmation(ctx, p, msg.Possession)
	}
	if err != nil {
		return nil, err
	}
	outcome, err := s.settle(ctx, p, reason)
	return &custody.MsgConfirmShareResponse{Outcome: outcome, Reason: reason}, err
}

func (k *Keeper) takeConfirmation(ctx context.Context, p party, possession []byte) (string, error) {
	r := p.round
	h, err := k.holders.Get(ctx, collections.Join4(uint64(r.Kind), r.Generation, r.ShareEpoch, p.member))
	if errors.Is(err, collections.ErrNotFound) {
		return custody.ReasonNotParty, nil
	}
	if err != nil {
		return "", err
	}
	if h.Confirmed {
		return custody.ReasonRepeated, nil
	}
	x, err := lock.ParsePoint(h.PublicShare)
	if err != nil {
		return "", err
	}
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(gasPerWitness, "proof of possession")
	proof := lock.VerifyPossession([64]byte(r.Hash), lock.Holder{Index: p.member, X: x}, possession)
	if reason := fault(proof, custody.ReasonBadProof); reason != "" {
		return reason, nil
	}
	h.Confirmed = true
	if err := k.setHolder(ctx, h); err != nil {
		return "", err
	}
	if !r.IsRunning() {
		return "", nil
	}
	return "", k.contributed(ctx, r, 1)
}
