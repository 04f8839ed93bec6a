package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/consortium"
)

// Spend takes n tokens out of the account's bucket, which refills with block time;
// consortium.ErrRateLimited where there are not enough, and where the role of that
// word has no bucket. It writes once.
func (k *Keeper) Spend(ctx context.Context, address string, role string, n uint64) error {
	account, err := sdk.AccAddressFromBech32(address)
	if err != nil {
		return consortium.ErrUnknownAccount.Wrapf("%q: %v", address, err)
	}
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	bucket, found := params.Bucket(role)
	if !found {
		return consortium.ErrRateLimited.Wrapf("%q has no bucket", role)
	}
	now := blockTime(ctx)
	was, err := k.buckets.Get(ctx, account)
	if errors.Is(err, collections.ErrNotFound) {
		was = collections.Join(bucket.Full(), now)
	} else if err != nil {
		return err
	}
	// Before the first block after a start the time that a check sees lies far in the past.
	at := max(now, was.K2())
	left, enough := bucket.Take(was.K1(), at-was.K2(), n)
	if !enough {
		return consortium.ErrRateLimited.Wrapf("%s: %d messages, a burst is %d and %d come back each minute", role, n, bucket.Burst, bucket.PerMinute)
	}
	return k.buckets.Set(ctx, account, collections.Join(left, at))
}
