package keeper

import (
	"context"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/x/consortium"
)

// Admitted implements consortium.MembershipHooks: the hospital is to get a share.
func (k *Keeper) Admitted(ctx context.Context, _ uint64) error { return k.want(ctx) }

// Leaving implements consortium.MembershipHooks: the others are to hold shares without
// the hospital. A share is no copy.
func (k *Keeper) Leaving(ctx context.Context, _ uint64) (uint64, error) { return 0, k.want(ctx) }

// ReadyToLeave implements consortium.MembershipHooks: a hospital may go when no share of
// an epoch in force is its own. A key for emergencies that the others are too few for
// does not keep it: that key is of no use from then on.
func (k *Keeper) ReadyToLeave(ctx context.Context, member uint64) (bool, error) {
	keys, err := k.allKeys(ctx)
	if err != nil {
		return false, err
	}
	for _, key := range keys {
		_, holds, err := k.holder(ctx, key, key.ShareEpoch, member)
		if err != nil {
			return false, err
		}
		if !holds {
			continue
		}
		renewable, err := k.canRenew(ctx, key)
		if err != nil || renewable || key.Keeps() {
			return false, err
		}
	}
	return true, nil
}

// Left implements consortium.MembershipHooks. Who was removed by a vote may hold shares,
// which are to be of no use.
func (k *Keeper) Left(ctx context.Context, member uint64) error { return k.memberChanged(ctx, member) }

// NodesChanged implements consortium.NodeHooks: who was suspended is to hold nothing of
// use, and who is back is to get a share again.
func (k *Keeper) NodesChanged(ctx context.Context, member uint64) error {
	return k.memberChanged(ctx, member)
}

// memberChanged has the shares of those keys renewed of which who holds them is not who
// should.
func (k *Keeper) memberChanged(ctx context.Context, member uint64) error {
	m, err := k.consortium.Member(ctx, member)
	if err != nil {
		return err
	}
	keys, err := k.allKeys(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		_, holds, err := k.holder(ctx, key, key.ShareEpoch, member)
		if err != nil {
			return err
		}
		if holds == m.Stays() {
			continue
		}
		if err := k.wanted.Set(ctx, collections.Join(uint64(key.Kind), key.Generation)); err != nil {
			return err
		}
	}
	return nil
}

var (
	_ consortium.MembershipHooks = (*Keeper)(nil)
	_ consortium.NodeHooks       = (*Keeper)(nil)
)
