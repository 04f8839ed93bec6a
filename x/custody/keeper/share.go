package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
)

// Verifying a share costs four multiplications in the group, and two more and
// three decodings for each of its points.
const (
	gasPerShare      storetypes.Gas = 3_000
	gasPerSharePoint storetypes.Gas = 2_000
)

// SubmitShares takes a holder's shares. Each stands for itself: a refused one
// leaves the others alone. The share that completes the threshold of its epoch
// releases the unlock. A right share that comes after that is kept without an
// entry, for it tells nothing new; one that comes after the release was closed is
// kept too, but refused, and the unlock is marked. A share that fails its proof
// counts against its holder.
func (s msgServer) SubmitShares(ctx context.Context, msg *custody.MsgSubmitShares) (*custody.MsgSubmitSharesResponse, error) {
	if err := msg.Validate(); err != nil {
		return nil, err
	}
	p, entry, err := s.consortium.Actor(ctx, msg.Node)
	if err != nil {
		return nil, err
	}
	entry.Kind = audit.KindShareGiven
	refusal := checkSigner(p)
	res := &custody.MsgSubmitSharesResponse{Results: make([]custody.ShareResult, len(msg.Shares))}
	for i, share := range msg.Shares {
		entry, result := entry, custody.ShareResult{Unlock: share.Unlock, Outcome: audit.OUTCOME_OK, Reason: refusal}
		entry.Unlock = share.Unlock
		if refusal == "" {
			if result.Reason, err = s.submit(ctx, p.Hospital, share, entry); err != nil {
				return nil, err
			}
		}
		if result.Reason != "" {
			result.Outcome = audit.OUTCOME_REFUSED
			entry.Outcome, entry.Reason = result.Outcome, result.Reason
			if err := s.append(ctx, entry); err != nil {
				return nil, err
			}
		}
		res.Results[i] = result
	}
	return res, nil
}

// checkSigner answers why an account gives no shares at all, empty where it may.
func checkSigner(p consortium.Principal) string {
	switch {
	case p.Role != consortium.ROLE_NODE:
		return custody.ReasonWrongRole
	case !p.Active:
		return custody.ReasonInactive
	default:
		return ""
	}
}

// submit takes one share of a member, or answers the reason why not.
func (k *Keeper) submit(ctx context.Context, member uint64, share custody.Share, entry audit.Entry) (string, error) {
	r, err := k.Release(ctx, share.Unlock)
	if errors.Is(err, custody.ErrUnknownRelease) {
		return custody.ReasonUnknownUnlock, nil
	}
	if err != nil {
		return "", err
	}
	key, err := k.Key(ctx, r.Kind, r.Generation)
	if err != nil {
		return "", err
	}
	holder, reason, err := k.checkShare(ctx, member, share, key, r)
	if err != nil || reason != "" {
		return reason, err
	}
	network, err := k.consortium.NetworkID(ctx)
	if err != nil {
		return "", err
	}
	gas := gasPerShare + gasPerSharePoint*uint64(len(share.Points))
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(gas, "proof of a share")
	right, err := share.IsRight(network, key, holder, r)
	if err != nil {
		return "", err
	}
	if !right {
		return custody.ReasonBadProof, k.blame(ctx, holder, share.Unlock)
	}
	if err := k.setShare(ctx, share); err != nil {
		return "", err
	}
	switch r.Status {
	case custody.RELEASE_STATUS_PENDING:
		return "", k.accept(ctx, share, key, r, entry)
	case custody.RELEASE_STATUS_RELEASED:
		return "", nil
	default:
		if k.hooks == nil {
			return custody.ReasonReleaseClosed, nil
		}
		return custody.ReasonReleaseClosed, k.hooks.LateShare(ctx, share.Unlock, member)
	}
}

// checkShare answers the holder whose share it must be, or why the share is not
// looked at.
func (k *Keeper) checkShare(ctx context.Context, member uint64, share custody.Share, key custody.Key, r custody.Release) (custody.Holder, string, error) {
	if share.Index != member {
		return custody.Holder{}, custody.ReasonForeignHolder, nil
	}
	if share.ShareEpoch != key.ShareEpoch {
		return custody.Holder{}, custody.ReasonStaleEpoch, nil
	}
	holder, found, err := k.holder(ctx, key, share.ShareEpoch, share.Index)
	if err != nil {
		return holder, "", err
	}
	if !found || !holder.Confirmed {
		return holder, custody.ReasonNotHolder, nil
	}
	if sdk.UnwrapSDKContext(ctx).BlockHeight() <= r.RequestedHeight {
		return holder, custody.ReasonTooEarly, nil
	}
	id, err := shareKeyOf(share)
	if err != nil {
		return holder, "", err
	}
	repeated, err := k.shares.Has(ctx, id)
	if err != nil {
		return holder, "", err
	}
	if repeated {
		return holder, custody.ReasonRepeatedShare, nil
	}
	if len(share.Points) != len(r.Blinded) {
		return holder, custody.ReasonWrongCount, nil
	}
	return holder, "", nil
}

// accept notes a share that counts, and releases the unlock at the threshold.
func (k *Keeper) accept(ctx context.Context, share custody.Share, key custody.Key, r custody.Release, entry audit.Entry) error {
	id, err := shareKeyOf(share)
	if err != nil {
		return err
	}
	entry.Outcome = audit.OUTCOME_OK
	if err := k.append(ctx, entry); err != nil {
		return err
	}
	var given uint64
	epoch := collections.NewSuperPrefixedTripleRange[[]byte, uint64, uint64](id.K1(), share.ShareEpoch)
	if err := k.shares.Walk(ctx, epoch, func(shareKey, custody.Share) (bool, error) {
		given++
		return false, nil
	}); err != nil {
		return err
	}
	if given < key.Threshold {
		return nil
	}
	r.Status, r.ShareEpoch, r.ReleasedAt = custody.RELEASE_STATUS_RELEASED, share.ShareEpoch, blockTime(ctx)
	if err := k.finish(ctx, r); err != nil {
		return err
	}
	if err := sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&custody.EventReleased{Unlock: r.Unlock}); err != nil {
		return err
	}
	if k.hooks == nil {
		return nil
	}
	return k.hooks.Released(ctx, r.Unlock)
}

// blame counts a share that failed its proof against its holder.
func (k *Keeper) blame(ctx context.Context, h custody.Holder, unlock string) error {
	h.BadShares++
	if err := k.setHolder(ctx, h); err != nil {
		return err
	}
	if k.hooks == nil {
		return nil
	}
	return k.hooks.ShareRefused(ctx, unlock, h.Index, custody.ReasonBadProof)
}

func (k *Keeper) setShare(ctx context.Context, s custody.Share) error {
	id, err := shareKeyOf(s)
	if err != nil {
		return err
	}
	return k.shares.Set(ctx, id, s)
}

func shareKeyOf(s custody.Share) (shareKey, error) {
	id, err := custody.ParseUnlockID(s.Unlock)
	return collections.Join3(id.Bytes(), s.ShareEpoch, s.Index), err
}

// append writes an entry with what its unlock is about, where a release of it was
// requested.
func (k *Keeper) append(ctx context.Context, entry audit.Entry) error {
	if k.hooks != nil {
		_, err := k.Release(ctx, entry.Unlock)
		switch {
		case err == nil:
			if entry.Patient, entry.Subjects, err = k.hooks.Subject(ctx, entry.Unlock); err != nil {
				return err
			}
		case !errors.Is(err, custody.ErrUnknownRelease):
			return err
		}
	}
	_, err := k.audit.Append(ctx, entry)
	return err
}
