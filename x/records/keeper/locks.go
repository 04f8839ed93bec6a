package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/phrd/phrd/x/records"
)

// countLock counts one version more, or less, that a header locks.
func (k *Keeper) countLock(ctx context.Context, h records.Header, change int) error {
	key := collections.Join(h.Generation, h.Custodian)
	count, err := k.locks.Get(ctx, key)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return err
	}
	switch {
	case change > 0:
		return k.locks.Set(ctx, key, count+1)
	case count == 0:
		return fmt.Errorf("no version of custodian %d is locked under generation %d", h.Custodian, h.Generation)
	case count == 1:
		return k.locks.Remove(ctx, key)
	default:
		return k.locks.Set(ctx, key, count-1)
	}
}

// Locks counts the versions that are not erased, by generation and custodian.
func (q queryServer) Locks(ctx context.Context, req *records.QueryLocksRequest) (*records.QueryLocksResponse, error) {
	page, err := pageOf(req.GetPagination())
	if err != nil {
		return nil, err
	}
	list, next, err := query.CollectionPaginate(ctx, q.k.locks, page,
		func(key collections.Pair[uint64, uint64], count uint64) (records.LockCount, error) {
			return records.LockCount{Generation: key.K1(), Custodian: key.K2(), Versions: count}, nil
		})
	if err != nil {
		return nil, asStatus(err)
	}
	return &records.QueryLocksResponse{Locks: list, Pagination: next}, nil
}

// MigrateLocks leads from the first format of the state to the second: versions say to which
// epoch of their owner's vault they are sealed, which was the first everywhere, and are counted
// by what locks them. It looks at each version once.
func (k *Keeper) MigrateLocks(ctx context.Context) error {
	var keys []versionKey
	if err := k.versions.Walk(ctx, nil, func(key versionKey, _ records.Version) (bool, error) {
		keys = append(keys, key)
		return false, nil
	}); err != nil {
		return err
	}
	for _, key := range keys {
		v, err := k.versions.Get(ctx, key)
		if err != nil {
			return err
		}
		v.SealedEpoch = 1
		if err := k.versions.Set(ctx, key, v); err != nil {
			return err
		}
		if v.Tombstone != nil {
			continue
		}
		if err := k.countLock(ctx, v.Header, 1); err != nil {
			return err
		}
	}
	return nil
}
