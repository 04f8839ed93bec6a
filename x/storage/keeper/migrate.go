package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"
	"github.com/cosmos/cosmos-sdk/codec"

	"github.com/phrd/phrd/x/storage"
)

// former is how the first format of the state kept objects.
type former struct {
	// objects: root -> object
	objects collections.Map[[]byte, storage.Object]
	// copies: (root, node) -> copy
	copies collections.Map[collections.Pair[[]byte, uint64], storage.Copy]
}

func (k *Keeper) former() (former, error) {
	sb := collections.NewSchemaBuilder(k.service)
	f := former{
		objects: collections.NewMap(sb, storage.FormerObjectsPrefix, "former_objects", collections.BytesKey, codec.CollValue[storage.Object](k.cdc)),
		copies: collections.NewMap(sb, storage.FormerCopiesPrefix, "former_copies",
			collections.PairKeyCodec(collections.BytesKey, collections.Uint64Key), codec.CollValue[storage.Copy](k.cdc)),
	}
	if _, err := sb.Build(); err != nil {
		return f, fmt.Errorf("former objects: %w", err)
	}
	return f, nil
}

// MigrateObjects leads from the first format of the state to the second: copies stand with their
// object, no longer each by itself. It looks at each object once.
func (k *Keeper) MigrateObjects(ctx context.Context) error {
	f, err := k.former()
	if err != nil {
		return err
	}
	var roots [][]byte
	if err := f.objects.Walk(ctx, nil, func(root []byte, _ storage.Object) (bool, error) {
		roots = append(roots, root)
		return false, nil
	}); err != nil {
		return err
	}
	for _, root := range roots {
		if err := k.migrateObject(ctx, f, root); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) migrateObject(ctx context.Context, f former, root []byte) error {
	object, err := f.objects.Get(ctx, root)
	if err != nil {
		return err
	}
	placed := storage.PlacedObject{Object: object}
	copies := collections.NewPrefixedPairRange[[]byte, uint64](root)
	if err := f.copies.Walk(ctx, copies, func(_ collections.Pair[[]byte, uint64], c storage.Copy) (bool, error) {
		placed.SetCopy(c)
		return false, nil
	}); err != nil {
		return err
	}
	if err := k.objects.Set(ctx, root, placed); err != nil {
		return err
	}
	if err := f.copies.Clear(ctx, copies); err != nil {
		return err
	}
	return f.objects.Remove(ctx, root)
}
