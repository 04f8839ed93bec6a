package keeper

import (
	"context"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/x/records"
)

// ForgetLocks leaves the state as its first format has it.
func (k *Keeper) ForgetLocks(ctx context.Context) error {
	if err := k.locks.Clear(ctx, nil); err != nil {
		return err
	}
	versions := map[string]records.Version{}
	if err := k.versions.Walk(ctx, nil, func(key collections.Pair[[]byte, uint64], v records.Version) (bool, error) {
		versions[string(key.K1())] = v
		return false, nil
	}); err != nil {
		return err
	}
	for id, v := range versions {
		v.SealedEpoch = 0
		if err := k.versions.Set(ctx, collections.Join([]byte(id), v.Version), v); err != nil {
			return err
		}
	}
	return nil
}
