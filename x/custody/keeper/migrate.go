package keeper

import (
	"context"

	"github.com/phrd/phrd/x/custody"
)

// MigrateWaiting leads from the first format of the state to the second: what waits for
// shares is a list of releases, no longer one of holders and releases. It looks at each
// release once.
func (k *Keeper) MigrateWaiting(ctx context.Context) error {
	store := k.service.OpenKVStore(ctx)
	from := custody.WaitingPrefix.Bytes()
	waiting, err := store.Iterator(from, []byte{from[0] + 1})
	if err != nil {
		return err
	}
	var old [][]byte
	for ; waiting.Valid(); waiting.Next() {
		old = append(old, waiting.Key())
	}
	if err := waiting.Close(); err != nil {
		return err
	}
	for _, key := range old {
		if err := store.Delete(key); err != nil {
			return err
		}
	}
	var pending [][]byte
	if err := k.releases.Walk(ctx, nil, func(id []byte, r custody.Release) (bool, error) {
		if r.Status == custody.RELEASE_STATUS_PENDING {
			pending = append(pending, id)
		}
		return false, nil
	}); err != nil {
		return err
	}
	for _, id := range pending {
		if err := k.pending.Set(ctx, id); err != nil {
			return err
		}
	}
	return nil
}
