package keeper

import (
	"context"
	"fmt"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/storage"
)

// InitGenesis writes the state of the first block. The genesis was validated; a
// node that the consortium does not know is refused here. Usage and indexes follow
// from the copies.
func (k *Keeper) InitGenesis(ctx context.Context, g *storage.GenesisState) error {
	if err := k.setParams(ctx, g.Params); err != nil {
		return err
	}
	for _, p := range g.Objects {
		for _, c := range p.Copies {
			if _, err := k.consortium.StorageNode(ctx, c.Node); err != nil {
				return fmt.Errorf("object %q: node %d: %w", p.Object.Cid, c.Node, err)
			}
		}
		if err := k.add(ctx, p); err != nil {
			return fmt.Errorf("object %q: %w", p.Object.Cid, err)
		}
	}
	return nil
}

// ExportGenesis reads the whole state: objects by CID, the copies of each by node.
func (k *Keeper) ExportGenesis(ctx context.Context) (*storage.GenesisState, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return nil, err
	}
	g := &storage.GenesisState{Params: params}
	err = k.objects.Walk(ctx, nil, func(key []byte, o storage.Object) (bool, error) {
		root, err := lock.CIDFromBytes(key)
		if err != nil {
			return true, err
		}
		copies, err := k.copiesOf(ctx, root)
		g.Objects = append(g.Objects, storage.PlacedObject{Object: o, Copies: copies})
		return err != nil, err
	})
	return g, err
}
