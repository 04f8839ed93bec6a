package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
)

// Key answers a generation of a kind of key, the newest where generation is 0;
// custody.ErrNoKey where there is none, and custody.ErrKeyInMaking where the members
// are making the first.
func (k *Keeper) Key(ctx context.Context, kind custody.KeyKind, generation uint64) (custody.Key, error) {
	if generation == 0 {
		return k.newest(ctx, kind)
	}
	key, err := k.keys.Get(ctx, collections.Join(uint64(kind), generation))
	if errors.Is(err, collections.ErrNotFound) {
		return key, custody.ErrNoKey.Wrapf("kind %d, generation %d", kind, generation)
	}
	return key, err
}

func (k *Keeper) newest(ctx context.Context, kind custody.KeyKind) (custody.Key, error) {
	var key custody.Key
	found := false
	newestFirst := collections.NewPrefixedPairRange[uint64, uint64](uint64(kind)).Descending()
	err := k.keys.Walk(ctx, newestFirst, func(_ keyKey, newest custody.Key) (bool, error) {
		key, found = newest, true
		return true, nil
	})
	if err == nil && !found {
		err = k.noKey(ctx, kind)
	}
	return key, err
}

// allKeys are the keys by kind and generation.
func (k *Keeper) allKeys(ctx context.Context) ([]custody.Key, error) {
	var keys []custody.Key
	err := k.keys.Walk(ctx, nil, func(_ keyKey, key custody.Key) (bool, error) {
		keys = append(keys, key)
		return false, nil
	})
	return keys, err
}

// noKey is the error of a kind of which there is no key yet: custody.ErrKeyInMaking
// where its first one is being made, else custody.ErrNoKey.
func (k *Keeper) noKey(ctx context.Context, kind custody.KeyKind) error {
	r, err := k.rounds.Get(ctx, collections.Join(uint64(kind), uint64(1)))
	if errors.Is(err, collections.ErrNotFound) {
		return custody.ErrNoKey.Wrapf("kind %d", kind)
	}
	if err != nil {
		return err
	}
	return custody.ErrKeyInMaking.Wrap(r.Progress())
}

// Holders answers the holders of a key in an epoch by index.
func (k *Keeper) Holders(ctx context.Context, key custody.Key, epoch uint64) ([]custody.Holder, error) {
	var holders []custody.Holder
	committee := collections.NewSuperPrefixedQuadRange3[uint64, uint64, uint64, uint64](uint64(key.Kind), key.Generation, epoch)
	err := k.holders.Walk(ctx, committee, func(_ holderKey, h custody.Holder) (bool, error) {
		holders = append(holders, h)
		return false, nil
	})
	return holders, err
}

// holder answers one holder of an epoch; found is false where there is none.
func (k *Keeper) holder(ctx context.Context, key custody.Key, epoch, index uint64) (h custody.Holder, found bool, err error) {
	h, err = k.holders.Get(ctx, collections.Join4(uint64(key.Kind), key.Generation, epoch, index))
	if errors.Is(err, collections.ErrNotFound) {
		return h, false, nil
	}
	return h, err == nil, err
}

func (k *Keeper) setHolder(ctx context.Context, h custody.Holder) error {
	return k.holders.Set(ctx, collections.Join4(uint64(h.Kind), h.Generation, h.ShareEpoch, h.Index), h)
}

// canRenew says whether the shares of a key can be renewed: those who are to get shares,
// and those who hold one and have not gone, are as many as a release takes. Where they
// are not, the key waits for members to come, and those who went take it with them.
func (k *Keeper) canRenew(ctx context.Context, key custody.Key) (bool, error) {
	serving, err := k.countServing(ctx)
	if err != nil || serving < max(custody.Threshold(key.Kind, serving), key.Floor()) {
		return false, err
	}
	holders, err := k.Holders(ctx, key, key.ShareEpoch)
	if err != nil {
		return false, err
	}
	left := uint64(0)
	for _, h := range holders {
		m, err := k.consortium.Member(ctx, h.Index)
		if err != nil {
			return false, err
		}
		if h.Confirmed && m.Status != consortium.MEMBER_STATUS_LEFT {
			left++
		}
	}
	return left >= key.Threshold, nil
}

// CheckHolders implements consortium.Keyholders. It looks at each generation, for what
// was locked under an old one opens only with its holders. A key for emergencies keeps
// nobody: it takes almost all members, of whom none could ever go.
func (k *Keeper) CheckHolders(ctx context.Context, stays func(member uint64) bool) error {
	return k.keys.Walk(ctx, nil, func(_ keyKey, key custody.Key) (bool, error) {
		if !key.Keeps() {
			return false, nil
		}
		holders, err := k.Holders(ctx, key, key.ShareEpoch)
		if err != nil {
			return true, err
		}
		left := uint64(0)
		for _, h := range holders {
			if h.Confirmed && stays(h.Index) {
				left++
			}
		}
		if left < key.Threshold {
			return true, consortium.ErrTooFewHolders.Wrapf("kind %d, generation %d: %d of the %d that a release takes",
				key.Kind, key.Generation, left, key.Threshold)
		}
		return false, nil
	})
}
