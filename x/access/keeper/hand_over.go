package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// HandOver answers until when a patient's wallet is somebody else's; access.ErrUnknownHandOver where
// it is the patient's own.
func (k *Keeper) HandOver(ctx context.Context, patient string) (access.HandOver, error) {
	h, err := k.handOverOf(ctx, patient)
	if err == nil && h.Patient == "" {
		err = access.ErrUnknownHandOver.Wrapf("of patient %q", patient)
	}
	return h, err
}

// handOverOf is HandOver that answers none without a patient's number.
func (k *Keeper) handOverOf(ctx context.Context, patient string) (access.HandOver, error) {
	number, err := lock.ParseCanonicalID(patient)
	if err != nil {
		return access.HandOver{}, access.ErrUnknownHandOver.Wrapf("patient: %v", err)
	}
	h, err := k.handOvers.Get(ctx, number.Bytes())
	if errors.Is(err, collections.ErrNotFound) {
		return access.HandOver{}, nil
	}
	return h, err
}

// setHandOver writes a hand-over in the place of the one that the patient has, and has the chain look at it in time.
func (k *Keeper) setHandOver(ctx context.Context, h access.HandOver) error {
	number, err := lock.ParseCanonicalID(h.Patient)
	if err != nil {
		return err
	}
	if err := k.dropHandOver(ctx, number); err != nil {
		return err
	}
	if err := k.handOvers.Set(ctx, number.Bytes(), h); err != nil || h.Closed {
		return err
	}
	return k.handOverQueue.Set(ctx, collections.Join(h.Due, number.Bytes()))
}

// dropHandOver removes a patient's hand-over, where there is one.
func (k *Keeper) dropHandOver(ctx context.Context, number lock.ID) error {
	h, err := k.handOvers.Get(ctx, number.Bytes())
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := k.handOverQueue.Remove(ctx, collections.Join(h.Due, number.Bytes())); err != nil {
		return err
	}
	return k.handOvers.Remove(ctx, number.Bytes())
}

// SetHandOver says when the signer's wallet ends, because somebody else has it for the patient.
func (s msgServer) SetHandOver(ctx context.Context, msg *access.MsgSetHandOver) (*access.MsgSetHandOverResponse, error) {
	due, err := access.ParseTime(msg.On)
	if err != nil {
		return nil, err
	}
	owner, entry, err := s.consortium.Actor(ctx, msg.Owner)
	if err != nil {
		return nil, err
	}
	entry.Kind, entry.Patient, entry.Target = audit.KindHandOverSet, owner.Patient, msg.On
	h, reason, err := s.whyNotHandOver(ctx, owner, due)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return &access.MsgSetHandOverResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	h.Patient, h.Due, h.Closed = owner.Patient, due, false
	if err := s.setHandOver(ctx, h); err != nil {
		return nil, err
	}
	return &access.MsgSetHandOverResponse{Outcome: audit.OUTCOME_OK}, s.acceptHandOver(ctx, entry, h)
}

// whyNotHandOver answers the hand-over that the signer has, if any, and the reason why it can't be due at that time instead, or nothing.
func (k *Keeper) whyNotHandOver(ctx context.Context, owner consortium.Principal, due int64) (h access.HandOver, reason string, err error) {
	switch {
	case !owner.Active:
		return h, access.ReasonInactive, nil
	case owner.Role != consortium.ROLE_PATIENT || owner.Patient == "":
		return h, access.ReasonWrongRole, nil
	}
	if h, err = k.handOverOf(ctx, owner.Patient); err != nil {
		return h, "", err
	}
	return h, h.WhyNotEarlier(due, blockTime(ctx)), nil
}

// handOver ends the wallets whose time has come, and the consents that were granted with them.
func (k *Keeper) handOver(ctx context.Context, now int64) error {
	var due [][]byte
	if err := k.handOverQueue.Walk(ctx, collections.NewPrefixUntilPairRange[int64, []byte](now), func(key queueKey) (bool, error) {
		due = append(due, key.K2())
		return len(due) >= access.MaxHandOversPerBlock, nil
	}); err != nil {
		return err
	}
	for _, number := range due {
		h, err := k.handOvers.Get(ctx, number)
		if err != nil {
			return err
		}
		if err := k.closeWallet(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// closeWallet ends the wallet of a hand-over that is due.
func (k *Keeper) closeWallet(ctx context.Context, h access.HandOver) error {
	p, err := k.records.Patient(ctx, h.Patient)
	if err != nil {
		return err
	}
	if err := k.records.CloseWallet(ctx, h.Patient); err != nil {
		return err
	}
	h.Closed = true
	if err := k.setHandOver(ctx, h); err != nil {
		return err
	}
	entry := byChain()
	entry.Kind, entry.Patient, entry.Target = audit.KindWalletClosed, h.Patient, p.Address
	if err := k.acceptHandOver(ctx, entry, h); err != nil {
		return err
	}
	number, err := lock.ParseCanonicalID(h.Patient)
	if err != nil {
		return err
	}
	live, err := k.liveConsentsOf(ctx, number)
	if err != nil {
		return err
	}
	for _, c := range live {
		if err := k.withdrawConsent(ctx, aboutConsent(byChain(), audit.KindConsentWithdrawn, c), c); err != nil {
			return err
		}
	}
	return nil
}

// recovered writes what stands once an account has taken the place of a patient's wallet: it is the patient's own, or somebody acts
// for the patient.
func (k *Keeper) recovered(ctx context.Context, r access.Recovery, entry audit.Entry) error {
	number, err := lock.ParseCanonicalID(r.Patient)
	if err != nil {
		return err
	}
	if r.Until == 0 {
		return k.dropHandOver(ctx, number)
	}
	h, err := k.handOverOf(ctx, r.Patient)
	if err != nil {
		return err
	}
	h = h.AfterRecovery(r.Patient, r.Until)
	if err := k.setHandOver(ctx, h); err != nil {
		return err
	}
	entry.Kind, entry.Target = audit.KindHandOverSet, access.TimeText(h.Due)
	return k.acceptHandOver(ctx, entry, h)
}

// acceptHandOver writes the entry of what became of a hand-over and tells those who watch.
func (k *Keeper) acceptHandOver(ctx context.Context, entry audit.Entry, h access.HandOver) error {
	entry.Outcome = audit.OUTCOME_OK
	if _, err := k.audit.Append(ctx, entry); err != nil {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&access.EventHandOverChanged{Patient: h.Patient, Due: h.Due, Kind: entry.Kind})
}
