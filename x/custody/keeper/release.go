package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/custody"
)

// Release answers the release of an unlock; custody.ErrInvalidUnlock or
// custody.ErrUnknownRelease where there is none.
func (k *Keeper) Release(ctx context.Context, unlock string) (custody.Release, error) {
	id, err := custody.ParseUnlockID(unlock)
	if err != nil {
		return custody.Release{}, err
	}
	r, err := k.releases.Get(ctx, id.Bytes())
	if errors.Is(err, collections.ErrNotFound) {
		return r, custody.ErrUnknownRelease.Wrapf("unlock %s", unlock)
	}
	return r, err
}

// RequestRelease asks the holders for the shares of an unlock. Of r it reads the
// unlock, the key's kind and generation, and the blinded points, which the caller
// has checked against the request's proof. Shares count from the next block. It
// answers custody.ErrInvalidRelease, custody.ErrInvalidUnlock, custody.ErrNoKey, or
// custody.ErrKnownRelease where the unlock was asked for before, closed or not.
func (k *Keeper) RequestRelease(ctx context.Context, r custody.Release) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if _, err := k.Key(ctx, r.Kind, r.Generation); err != nil {
		return err
	}
	id, err := custody.ParseUnlockID(r.Unlock)
	if err != nil {
		return err
	}
	known, err := k.releases.Has(ctx, id.Bytes())
	if err != nil {
		return err
	}
	if known {
		return custody.ErrKnownRelease.Wrapf("unlock %s", r.Unlock)
	}
	r = custody.Release{
		Unlock: r.Unlock, Kind: r.Kind, Generation: r.Generation, Blinded: r.Blinded, Status: custody.RELEASE_STATUS_PENDING,
		RequestedAt: blockTime(ctx), RequestedHeight: sdk.UnwrapSDKContext(ctx).BlockHeight(),
	}
	if err := k.releases.Set(ctx, id.Bytes(), r); err != nil {
		return err
	}
	if err := k.pending.Set(ctx, id.Bytes()); err != nil {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&custody.EventReleaseRequested{Unlock: r.Unlock})
}

// CloseRelease takes no more shares for an unlock, released or not, and says
// whether any was given: those who saw them may combine them. To close once more
// is fine. It answers custody.ErrUnknownRelease where none was requested.
func (k *Keeper) CloseRelease(ctx context.Context, unlock string) (sharesGiven bool, err error) {
	r, err := k.Release(ctx, unlock)
	if err != nil {
		return false, err
	}
	shares, err := k.sharesOf(ctx, unlock)
	if err != nil {
		return false, err
	}
	if r.Status == custody.RELEASE_STATUS_CLOSED {
		return len(shares) > 0, nil
	}
	r.Status = custody.RELEASE_STATUS_CLOSED
	return len(shares) > 0, k.finish(ctx, r)
}

// finish writes a release that waits for nobody any more.
func (k *Keeper) finish(ctx context.Context, r custody.Release) error {
	id, err := custody.ParseUnlockID(r.Unlock)
	if err != nil {
		return err
	}
	if err := k.pending.Remove(ctx, id.Bytes()); err != nil {
		return err
	}
	return k.releases.Set(ctx, id.Bytes(), r)
}

// sharesOf answers the shares of an unlock by epoch and index.
func (k *Keeper) sharesOf(ctx context.Context, unlock string) ([]custody.Share, error) {
	id, err := custody.ParseUnlockID(unlock)
	if err != nil {
		return nil, err
	}
	var shares []custody.Share
	err = k.shares.Walk(ctx, collections.NewPrefixedTripleRange[[]byte, uint64, uint64](id.Bytes()),
		func(_ shareKey, s custody.Share) (bool, error) {
			shares = append(shares, s)
			return false, nil
		})
	return shares, err
}
