package keeper

import (
	"context"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/x/storage"
)

// PartCopies leaves the state as its first format has it.
func (k *Keeper) PartCopies(ctx context.Context) error {
	f, err := k.former()
	if err != nil {
		return err
	}
	var all []storage.PlacedObject
	var roots [][]byte
	if err := k.objects.Walk(ctx, nil, func(root []byte, p storage.PlacedObject) (bool, error) {
		roots, all = append(roots, root), append(all, p)
		return false, nil
	}); err != nil {
		return err
	}
	for i, root := range roots {
		if err := f.objects.Set(ctx, root, all[i].Object); err != nil {
			return err
		}
		for _, c := range all[i].Copies {
			if err := f.copies.Set(ctx, collections.Join(root, c.Node), c); err != nil {
				return err
			}
		}
	}
	return k.objects.Clear(ctx, nil)
}

// Former counts the objects and copies that stand as in the first format.
func (k *Keeper) Former(ctx context.Context) (objects, copies int, err error) {
	f, err := k.former()
	if err != nil {
		return 0, 0, err
	}
	if err := f.objects.Walk(ctx, nil, func([]byte, storage.Object) (bool, error) {
		objects++
		return false, nil
	}); err != nil {
		return 0, 0, err
	}
	err = f.copies.Walk(ctx, nil, func(collections.Pair[[]byte, uint64], storage.Copy) (bool, error) {
		copies++
		return false, nil
	})
	return objects, copies, err
}
