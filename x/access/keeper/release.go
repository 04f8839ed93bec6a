package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/custody"
)

var _ custody.ReleaseHooks = (*Keeper)(nil)

// Released is called when the threshold of shares was given: the requester can
// open from now on.
func (k *Keeper) Released(ctx context.Context, unlock string) error {
	u, err := k.Unlock(ctx, unlock)
	if err != nil {
		return err
	}
	u.ReleasedAt = blockTime(ctx)
	if err := k.save(ctx, u); err != nil {
		return err
	}
	if err := k.used(ctx, u, true); err != nil {
		return err
	}
	return k.accept(ctx, about(byChain(), audit.KindReleased, u), u)
}

// ShareRefused is called when a holder's share failed its proof. custody writes
// it to the log against the holder; the unlock stays as it is and those who wait
// for it are told.
func (k *Keeper) ShareRefused(ctx context.Context, unlock string, _ uint64, _ string) error {
	u, err := k.Unlock(ctx, unlock)
	if err != nil {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&access.EventUnlockChanged{
		Unlock: u.Id, Patient: u.Patient, Requester: u.Requester, Kind: audit.KindShareGiven,
	})
}

// LateShare is called when a valid share came after the release was closed: the
// unlock may have been opened, and says so from now on.
func (k *Keeper) LateShare(ctx context.Context, unlock string, _ uint64) error {
	u, err := k.Unlock(ctx, unlock)
	if err != nil {
		return err
	}
	if u.MayBeOpened {
		return nil
	}
	u.MayBeOpened = true
	if err := k.save(ctx, u); err != nil {
		return err
	}
	return k.used(ctx, u, false)
}

// Subject says whom and which versions an unlock is about, for custody's entries.
func (k *Keeper) Subject(ctx context.Context, unlock string) (string, []audit.Subject, error) {
	u, err := k.Unlock(ctx, unlock)
	if err != nil {
		return "", nil, err
	}
	return u.Patient, u.Subjects(), nil
}
