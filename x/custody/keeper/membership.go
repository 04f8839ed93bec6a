package keeper

import (
	"context"

	"github.com/phrd/phrd/x/consortium"
)

// Admitted implements consortium.MembershipHooks: the hospital is to get a share.
func (k *Keeper) Admitted(ctx context.Context, _ uint64) error { return k.want(ctx) }

// Leaving implements consortium.MembershipHooks: the others are to hold shares without
// the hospital. A share is no copy.
func (k *Keeper) Leaving(ctx context.Context, _ uint64) (uint64, error) { return 0, k.want(ctx) }

// ReadyToLeave implements consortium.MembershipHooks: a hospital may go when no share of
// an epoch in force is its own.
func (k *Keeper) ReadyToLeave(ctx context.Context, member uint64) (bool, error) {
	holds, err := k.holds(ctx, member)
	return !holds, err
}

// Left implements consortium.MembershipHooks. Who was removed by a vote may hold shares,
// which are to be of no use.
func (k *Keeper) Left(ctx context.Context, member uint64) error { return k.memberChanged(ctx, member) }

// NodesChanged implements consortium.NodeHooks: who was suspended is to hold nothing of
// use, and who is back is to get a share again.
func (k *Keeper) NodesChanged(ctx context.Context, member uint64) error {
	return k.memberChanged(ctx, member)
}

// memberChanged has shares renewed where who holds them is not who should.
func (k *Keeper) memberChanged(ctx context.Context, member uint64) error {
	m, err := k.consortium.Member(ctx, member)
	if err != nil {
		return err
	}
	holds, err := k.holds(ctx, member)
	if err != nil || holds == m.Stays() {
		return err
	}
	return k.want(ctx)
}

// holds says whether a member holds a share of an epoch in force.
func (k *Keeper) holds(ctx context.Context, member uint64) (bool, error) {
	holds := false
	keys, err := k.allKeys(ctx)
	if err != nil {
		return false, err
	}
	for _, key := range keys {
		_, found, err := k.holder(ctx, key, key.ShareEpoch, member)
		if err != nil {
			return false, err
		}
		holds = holds || found
	}
	return holds, nil
}

var (
	_ consortium.MembershipHooks = (*Keeper)(nil)
	_ consortium.NodeHooks       = (*Keeper)(nil)
)
