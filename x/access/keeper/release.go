package keeper

import (
	"context"
	"errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/custody"
)

var _ custody.ReleaseHooks = (*Keeper)(nil)

// Released is called when the threshold of shares was given: the requester can
// open from now on, the account of a recovery the vault.
func (k *Keeper) Released(ctx context.Context, unlock string) error {
	if r, is, err := k.isRecovery(ctx, unlock); err != nil {
		return err
	} else if is {
		return k.recoveryReleased(ctx, r)
	}
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
	if r, is, err := k.isRecovery(ctx, unlock); err != nil {
		return err
	} else if is {
		return k.tellRecovery(ctx, audit.KindShareGiven, r)
	}
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
	if r, is, err := k.isRecovery(ctx, unlock); err != nil {
		return err
	} else if is {
		return k.recoveryMayBeOpened(ctx, r)
	}
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

// Subject says whom and which versions an unlock is about, none for that of a recovery, for
// custody's entries.
func (k *Keeper) Subject(ctx context.Context, unlock string) (string, []audit.Subject, error) {
	if r, is, err := k.isRecovery(ctx, unlock); err != nil {
		return "", nil, err
	} else if is {
		return r.Patient, nil, nil
	}
	u, err := k.Unlock(ctx, unlock)
	if err != nil {
		return "", nil, err
	}
	return u.Patient, u.Subjects(), nil
}

// isRecovery answers the recovery whose unlock it is, and whether it is one's.
func (k *Keeper) isRecovery(ctx context.Context, unlock string) (access.Recovery, bool, error) {
	r, err := k.recoveryOf(ctx, unlock)
	if errors.Is(err, access.ErrUnknownRecovery) {
		return r, false, nil
	}
	return r, err == nil, err
}

// recoveryReleased notes that the account of a recovery can open the vault from now on.
func (k *Keeper) recoveryReleased(ctx context.Context, r access.Recovery) error {
	r.ReleasedAt = blockTime(ctx)
	if err := k.recoveries.Set(ctx, r.Number, r); err != nil {
		return err
	}
	return k.acceptRecovery(ctx, aboutRecovery(byChain(), audit.KindRecoveryReleased, r), r)
}

// recoveryMayBeOpened notes that a share came after a recovery was cancelled or ran out of time.
func (k *Keeper) recoveryMayBeOpened(ctx context.Context, r access.Recovery) error {
	if r.MayBeOpened || r.FinishedAt != 0 {
		return nil
	}
	r.MayBeOpened = true
	return k.recoveries.Set(ctx, r.Number, r)
}
