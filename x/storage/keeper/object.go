package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/storage"
)

// Object answers an object and its copies by node; storage.ErrInvalidCID or
// storage.ErrUnknownObject where there is none.
func (k *Keeper) Object(ctx context.Context, cid string) (storage.Object, []storage.Copy, error) {
	root, err := lock.ParseCID(cid)
	if err != nil {
		return storage.Object{}, nil, storage.ErrInvalidCID.Wrap(err.Error())
	}
	object, err := k.objects.Get(ctx, root.Bytes())
	if errors.Is(err, collections.ErrNotFound) {
		return object, nil, storage.ErrUnknownObject.Wrapf("%q", cid)
	}
	if err != nil {
		return object, nil, err
	}
	copies, err := k.copiesOf(ctx, root)
	return object, copies, err
}

// copiesOf are the copies of an object by node.
func (k *Keeper) copiesOf(ctx context.Context, root lock.CID) ([]storage.Copy, error) {
	var copies []storage.Copy
	err := k.copies.Walk(ctx, collections.NewPrefixedPairRange[[]byte, uint64](root.Bytes()), func(_ copyKey, c storage.Copy) (bool, error) {
		copies = append(copies, c)
		return false, nil
	})
	return copies, err
}

// heldDomains counts the distinct failure domains whose copies are held, by where
// the nodes are now.
func (k *Keeper) heldDomains(ctx context.Context, copies []storage.Copy) (uint32, error) {
	seen := map[storage.Domain]bool{}
	for _, c := range copies {
		if c.Status != storage.COPY_STATUS_HELD {
			continue
		}
		node, err := k.consortium.StorageNode(ctx, c.Node)
		if err != nil {
			return 0, err
		}
		seen[candidateOf(node, 0).Domain()] = true
	}
	return uint32(len(seen)), nil
}
