package node

import (
	"bytes"
	"context"
	"crypto/sha3"
	"errors"
	"fmt"
	"slices"
	"time"

	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
)

// maxSubShares is how many sealed sub-shares one message gives at most.
const maxSubShares = 40

// part is a member's part in one round.
type part struct {
	*KeyMaker
	round   *custodyv1.Round
	self    uint64
	network lock.Network
	name    keys.RoundName
	now     time.Time // of the newest block
}

// take does what the round waits for.
func (p *part) take(ctx context.Context) error {
	var do func(context.Context) error
	switch p.round.GetPhase() {
	case custodyv1.RoundPhase_ROUND_PHASE_KEYS:
		do = p.publish
	case custodyv1.RoundPhase_ROUND_PHASE_DEALS:
		do = p.deal
	case custodyv1.RoundPhase_ROUND_PHASE_COMPLAINTS:
		do = p.check
	case custodyv1.RoundPhase_ROUND_PHASE_JUSTIFICATIONS:
		do = p.justify
	case custodyv1.RoundPhase_ROUND_PHASE_CONFIRMATIONS:
		do = p.confirm
	case custodyv1.RoundPhase_ROUND_PHASE_DONE:
		return p.settle(ctx)
	default:
		return fmt.Errorf("phase %d is not known to this program", p.round.GetPhase())
	}
	return p.once(p.named(), func() error { return do(ctx) })
}

// named names the round and its phase.
func (p *part) named() string { return fmt.Sprintf("%v %d", p.name, p.round.GetPhase()) }

// askEvery is how often a member asks for a share that it does not have.
const askEvery = 10 * time.Minute

// settle makes sure that this member has a share of the epoch in force: it confirms one late,
// or has shares renewed where it was away, or has lost its own.
func (p *part) settle(ctx context.Context) error {
	if p.settled[p.named()] {
		return nil
	}
	holder, err := p.KeyMaker.holder(ctx, p.round, p.self)
	if err != nil {
		return err
	}
	if holder != nil && !holder.GetConfirmed() {
		err := p.once(p.named(), func() error { return p.confirm(ctx) })
		if errors.Is(err, errNoShare) {
			err = errors.Join(err, p.ask(ctx, holder))
		}
		return err
	}
	if share, err := p.config.Store.Share(p.name.Kind, p.name.Generation, p.name.Epoch); err == nil && holder.GetConfirmed() &&
		bytes.Equal(share.Scalar.Public().Bytes(), holder.GetPublicShare()) {
		p.settled[p.named()] = true
		return nil
	}
	return p.ask(ctx, holder)
}

// ask tells the chain that this member has no share of use, as soon as the chain takes its
// word. The chain renews shares then, or when they are old enough.
func (p *part) ask(ctx context.Context, holder *custodyv1.Holder) error {
	stays, err := staysMember(ctx, p.consortium, p.self)
	if err != nil || !stays {
		return err
	}
	answer, err := p.custody.Key(ctx, &custodyv1.QueryKeyRequest{Kind: p.round.GetKind(), Generation: p.name.Generation})
	if err != nil {
		return fmt.Errorf("ask for the key: %w", err)
	}
	from := time.Unix(max(answer.GetKey().GetSince(), answer.GetKey().GetRenewed()), 0).Add(renewForOne)
	if holder.GetConfirmed() {
		from = time.Unix(holder.GetLostAt(), 0).Add(renewForLost)
	}
	what := p.named()
	if p.now.Before(from) || p.config.Now().Before(p.asked[what].Add(askEvery)) {
		return nil
	}
	p.asked[what] = p.config.Now()
	p.config.Log.Warn("this hospital has no share of use, and says so", "kind", p.name.Kind, "generation", p.name.Generation, "epoch", p.name.Epoch, "confirmed", holder.GetConfirmed())
	next := keys.RoundName{Kind: p.name.Kind, Generation: p.name.Generation, Epoch: p.name.Epoch + 1, Attempt: 1}
	return p.offer(ctx, next)
}

// After what age of the shares in force the chain renews them for one member that has none,
// and how long it takes no other word of one that had proved its own and lost it.
const (
	renewForOne  = 10 * time.Minute
	renewForLost = 24 * time.Hour
)

// publish gives a fresh round key.
func (p *part) publish(ctx context.Context) error {
	stays, err := staysMember(ctx, p.consortium, p.self)
	if err != nil || !stays {
		return err
	}
	return p.offer(ctx, p.name)
}

// offer gives a key for a round.
func (p *part) offer(ctx context.Context, round keys.RoundName) error {
	seed, err := p.config.Store.RoundSecret(round, keys.RoundKey)
	if err != nil {
		return err
	}
	key, err := lock.NewPrivateKey(seed)
	if err != nil {
		return err
	}
	return p.send(ctx, &custodyv1.MsgPublishRoundKey{
		Node: p.config.Chain.Account(), Kind: p.round.GetKind(), Generation: round.Generation, ShareEpoch: round.Epoch,
		Attempt: round.Attempt, Key: key.Public().Bytes(),
	}, &custodyv1.MsgPublishRoundKeyResponse{})
}

// roundKey is the key that this member published for the round. A home that was restored has
// none, for backups leave it out: the hospital gets its share in the next round.
func (p *part) roundKey(r lock.Round) (*lock.PrivateKey, error) {
	seed, err := p.config.Store.KeptRoundSecret(p.name, keys.RoundKey)
	if err != nil {
		return nil, fmt.Errorf("%w: the key of the round is not here: %w", errNoShare, err)
	}
	key, err := lock.NewPrivateKey(seed)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(r.Receivers, lock.Receiver{Number: p.self, Key: key.Public()}) {
		return nil, fmt.Errorf("%w: the key of the round that is here is not the one on the chain", errNoShare)
	}
	return key, nil
}

// lockRound is the round for lock, with its hash, which must be the one on the chain.
func (p *part) lockRound(ctx context.Context) (lock.Round, [64]byte, error) {
	r := lock.Round{
		Network: p.network, Kind: p.name.Kind, Generation: p.name.Generation, Epoch: p.name.Epoch, Attempt: p.name.Attempt,
		OldThreshold: p.round.GetOldThreshold(), Threshold: p.round.GetThreshold(), Dealers: p.round.GetDealers(),
	}
	answer, err := p.custody.RoundKeys(ctx, &custodyv1.QueryRoundKeysRequest{Kind: p.round.GetKind(), Generation: p.name.Generation})
	if err != nil {
		return r, [64]byte{}, fmt.Errorf("ask for the round keys: %w", err)
	}
	for _, k := range answer.GetKeys() {
		if !slices.Contains(p.round.GetReceivers(), k.GetMember()) {
			continue
		}
		key, err := lock.ParsePublicKey(k.GetKey())
		if err != nil {
			return r, [64]byte{}, fmt.Errorf("round key of %d: %w", k.GetMember(), err)
		}
		r.Receivers = append(r.Receivers, lock.Receiver{Number: k.GetMember(), Key: key})
	}
	hash, err := r.Hash()
	if err == nil && !bytes.Equal(hash[:], p.round.GetHash()) {
		err = errors.New("the round on the chain has another hash than its parts")
	}
	return r, hash, err
}

// isReceiver says whether this member is to get a share.
func (p *part) isReceiver() bool {
	return slices.Contains(p.round.GetReceivers(), p.self) && !slices.Contains(p.round.GetExcluded(), p.self)
}

// polynomial is the one that this member deals, the same at each call.
func (p *part) polynomial(ctx context.Context, r lock.Round) (*lock.Polynomial, error) {
	share := lock.Scalar{}
	if !r.IsFirst() {
		old, err := p.oldShare(ctx)
		if err != nil {
			return nil, err
		}
		share = old
	}
	seed, err := p.config.Store.RoundSecret(p.name, keys.RoundDeal)
	if err != nil {
		return nil, err
	}
	random := sha3.NewSHAKE256()
	for _, field := range [][]byte{[]byte("phrd/v1/deal-seed"), seed, p.round.GetHash()} {
		if _, err := random.Write(lock.AppendLP(nil, field)); err != nil {
			return nil, err
		}
	}
	return r.NewPolynomial(share, random)
}

// oldShare is this member's share of the epoch in force, checked against its public side.
func (p *part) oldShare(ctx context.Context) (lock.Scalar, error) {
	epoch := p.name.Epoch - 1
	share, err := p.config.Store.Share(p.name.Kind, p.name.Generation, epoch)
	if err != nil {
		return lock.Scalar{}, fmt.Errorf("%w: %w", errNoShare, err)
	}
	holder, err := p.holder(ctx, &custodyv1.Round{Kind: p.round.GetKind(), Generation: p.name.Generation, ShareEpoch: epoch}, p.self)
	if err != nil {
		return lock.Scalar{}, err
	}
	if share.Network != p.network || share.Index != p.self || !bytes.Equal(share.Scalar.Public().Bytes(), holder.GetPublicShare()) {
		return lock.Scalar{}, fmt.Errorf("%w: the one at hand does not fit the public share on the chain", errNoShare)
	}
	return share.Scalar, nil
}

// deal gives sub-shares to all receivers.
func (p *part) deal(ctx context.Context) error {
	if !slices.Contains(p.round.GetDealers(), p.self) {
		return nil
	}
	r, hash, err := p.lockRound(ctx)
	if err != nil {
		return err
	}
	polynomial, err := p.polynomial(ctx, r)
	if err != nil {
		return err
	}
	d := lock.Dealing{Dealer: p.self, Commitments: polynomial.Commitments()}
	knowledge, err := lock.ProveKnowledge(hash, p.self, polynomial, p.config.Random)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(r.Receivers, maxSubShares) {
		given, err := p.received(ctx, part[0].Number)
		if err != nil {
			return err
		}
		begun := slices.ContainsFunc(given, func(g *custodyv1.Received) bool { return g.GetDealer() == p.self })
		if slices.ContainsFunc(given, func(g *custodyv1.Received) bool { return g.GetDealer() == p.self && len(g.GetSealed()) > 0 }) {
			continue // before a restart
		}
		message := &custodyv1.MsgSubmitDeal{Node: p.config.Chain.Account(), Kind: p.round.GetKind(), Generation: p.name.Generation, Round: hash[:]}
		if !begun {
			message.Commitments, message.Knowledge = d.Commitments.Bytes(), knowledge
		}
		for _, to := range part {
			value, err := polynomial.Share(to.Number)
			if err != nil {
				return err
			}
			sealed, err := lock.SealSubShare(to.Key, hash, d, lock.SecretShare{Index: to.Number, Value: value})
			if err != nil {
				return err
			}
			message.Shares = append(message.Shares, &custodyv1.SealedSubShare{Receiver: to.Number, Sealed: sealed})
		}
		if err := p.send(ctx, message, &custodyv1.MsgSubmitDealResponse{}); err != nil {
			return err
		}
	}
	return nil
}

// received lists what a receiver has of each dealer.
func (p *part) received(ctx context.Context, receiver uint64) ([]*custodyv1.Received, error) {
	answer, err := p.custody.Received(ctx, &custodyv1.QueryReceivedRequest{Kind: p.round.GetKind(), Generation: p.name.Generation, Receiver: receiver})
	if err != nil {
		return nil, fmt.Errorf("ask for what %d received: %w", receiver, err)
	}
	return answer.GetReceived(), nil
}

// open reads what this member got from one dealer, from an answer to its complaint where
// there is one. A wrong one is an error but lock.ErrField.
func (p *part) open(key *lock.PrivateKey, hash [64]byte, got *custodyv1.Received) (lock.Dealing, lock.Scalar, error) {
	commitments, err := lock.ParseCommitments(p.round.GetThreshold(), got.GetCommitments())
	d := lock.Dealing{Dealer: got.GetDealer(), Commitments: commitments}
	if err != nil {
		return d, lock.Scalar{}, err
	}
	if len(got.GetSubShare()) == 0 {
		share, err := lock.OpenSubShare(key, hash, d, p.self, got.GetSealed())
		return d, share.Value, err
	}
	value, err := lock.ParseSecretScalar(got.GetSubShare())
	if err != nil {
		return d, value, err
	}
	return d, value, commitments.Check(p.round.GetThreshold(), lock.SecretShare{Index: p.self, Value: value})
}

// check says which dealers' sub-shares this member can't accept.
func (p *part) check(ctx context.Context) error {
	if !p.isReceiver() {
		return nil
	}
	r, hash, err := p.lockRound(ctx)
	if err != nil {
		return err
	}
	key, err := p.roundKey(r)
	if err != nil {
		return err
	}
	received, err := p.received(ctx, p.self)
	if err != nil {
		return err
	}
	message := &custodyv1.MsgSubmitComplaint{Node: p.config.Chain.Account(), Kind: p.round.GetKind(), Generation: p.name.Generation, Round: hash[:]}
	for _, got := range received {
		if !slices.Contains(p.round.GetQualified(), got.GetDealer()) {
			continue
		}
		if _, _, err := p.open(key, hash, got); err != nil {
			p.config.Log.Warn("sub-share is disputed", "dealer", got.GetDealer(), "reason", err)
			message.Dealers = append(message.Dealers, got.GetDealer())
		}
	}
	return p.send(ctx, message, &custodyv1.MsgSubmitComplaintResponse{})
}

// justify answers complaints about this member's deal.
func (p *part) justify(ctx context.Context) error {
	if !slices.Contains(p.round.GetQualified(), p.self) {
		return nil
	}
	answer, err := p.custody.Complaints(ctx, &custodyv1.QueryComplaintsRequest{Kind: p.round.GetKind(), Generation: p.name.Generation, Dealer: p.self})
	if err != nil {
		return fmt.Errorf("ask for complaints: %w", err)
	}
	r, hash, err := p.lockRound(ctx)
	if err != nil {
		return err
	}
	message := &custodyv1.MsgSubmitJustification{Node: p.config.Chain.Account(), Kind: p.round.GetKind(), Generation: p.name.Generation, Round: hash[:]}
	for _, c := range answer.GetComplaints() {
		if len(c.GetSubShare()) > 0 {
			continue
		}
		polynomial, err := p.polynomial(ctx, r)
		if err != nil {
			return err
		}
		value, err := polynomial.Share(c.GetReceiver())
		if err != nil {
			return err
		}
		message.Answers = append(message.Answers, &custodyv1.Justification{Receiver: c.GetReceiver(), SubShare: value.Bytes()})
	}
	if len(message.GetAnswers()) == 0 {
		return nil
	}
	return p.send(ctx, message, &custodyv1.MsgSubmitJustificationResponse{})
}

// confirm sums this member's new share, keeps it, and proves that it has it.
func (p *part) confirm(ctx context.Context) error {
	if !p.isReceiver() {
		return nil
	}
	holder, err := p.KeyMaker.holder(ctx, p.round, p.self)
	if err != nil || holder == nil || holder.GetConfirmed() {
		return err
	}
	r, hash, err := p.lockRound(ctx)
	if err != nil {
		return err
	}
	share, err := p.sum(ctx, r, hash)
	if err != nil {
		return err
	}
	if !bytes.Equal(share.Value.Public().Bytes(), holder.GetPublicShare()) {
		return fmt.Errorf("%w: the sum does not fit the public share on the chain", errNoShare)
	}
	kept := keys.Share{Network: p.network, Kind: p.name.Kind, Generation: p.name.Generation, Epoch: p.name.Epoch, Index: p.self, Scalar: share.Value}
	// One that is there is of an attempt that failed, or was kept before a restart.
	if err := p.config.Store.ReplaceShare(kept); err != nil {
		return err
	}
	possession, err := lock.ProvePossession(hash, share, p.config.Random)
	if err != nil {
		return err
	}
	return p.send(ctx, &custodyv1.MsgConfirmShare{
		Node: p.config.Chain.Account(), Kind: p.round.GetKind(), Generation: p.name.Generation, Round: hash[:], Possession: possession,
	}, &custodyv1.MsgConfirmShareResponse{})
}

// sum is this member's new share, of the deals that stand.
func (p *part) sum(ctx context.Context, r lock.Round, hash [64]byte) (lock.SecretShare, error) {
	key, err := p.roundKey(r)
	if err != nil {
		return lock.SecretShare{}, err
	}
	received, err := p.received(ctx, p.self)
	if err != nil {
		return lock.SecretShare{}, err
	}
	var dealings []lock.Dealing
	var got []lock.SubShare
	for _, from := range received {
		if !slices.Contains(p.round.GetQualified(), from.GetDealer()) {
			continue
		}
		d, value, err := p.open(key, hash, from)
		dealings = append(dealings, d)
		// Of the dealers of a reshare only the first count; who is missing is missed below.
		if err == nil {
			got = append(got, lock.SubShare{Dealer: d.Dealer, Value: value})
		}
	}
	result, err := p.result(ctx, r, dealings)
	if err != nil {
		return lock.SecretShare{}, err
	}
	if !bytes.Equal(result.X.Bytes(), p.round.GetPublicKey()) {
		return lock.SecretShare{}, errors.New("the deals sum to another key than the chain's")
	}
	return result.Share(p.self, got)
}

// result is what the deals that stand sum to.
func (p *part) result(ctx context.Context, r lock.Round, dealings []lock.Dealing) (lock.Result, error) {
	if r.IsFirst() {
		return r.Sum(dealings)
	}
	answer, err := p.custody.Holders(ctx, &custodyv1.QueryHoldersRequest{Kind: p.round.GetKind(), Generation: p.name.Generation, ShareEpoch: p.name.Epoch - 1})
	if err != nil {
		return lock.Result{}, fmt.Errorf("ask for the holders of epoch %d: %w", p.name.Epoch-1, err)
	}
	var old []lock.Holder
	for _, h := range answer.GetHolders() {
		if !h.GetConfirmed() {
			continue
		}
		x, err := lock.ParsePoint(h.GetPublicShare())
		if err != nil {
			return lock.Result{}, err
		}
		old = append(old, lock.Holder{Index: h.GetIndex(), X: x})
	}
	x, err := lock.ParsePoint(p.round.GetPublicKey())
	if err != nil {
		return lock.Result{}, err
	}
	return r.SumReshare(x, old, dealings)
}
