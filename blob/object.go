package blob

import (
	"context"
	"fmt"
	"sync"

	"github.com/phrd/phrd/lock"
)

// verifyWorkers is how many leaves Verify reads at the same time, so that one is hashed
// while the disk reads the next.
const verifyWorkers = 4

// fetchFrom reads blocks one by one from a store.
func fetchFrom(g Getter) Fetch {
	return func(ctx context.Context, cids []lock.CID) ([][]byte, error) {
		blocks := make([][]byte, len(cids))
		for i, c := range cids {
			var err error
			if blocks[i], err = g.Get(ctx, c); err != nil {
				return nil, err
			}
		}
		return blocks, nil
	}
}

// ReadTree is [FetchTree] from a store that holds the object's inner nodes.
func ReadTree(ctx context.Context, g Getter, root lock.CID, budget uint64) (Tree, error) {
	return FetchTree(ctx, fetchFrom(g), root, budget)
}

// Leaves returns the leaves of an object in the order of its content, so that a reader of
// a byte range knows which ones to get. It reads inner nodes only. Errors are those of
// [FetchTree] and of the store.
func Leaves(ctx context.Context, g Getter, root lock.CID, budget uint64) ([]Leaf, error) {
	tree, err := ReadTree(ctx, g, root, budget)
	return tree.Leaves, err
}

// Blocks returns all blocks of an object, inner nodes first, as Erase takes them.
func Blocks(ctx context.Context, g Getter, root lock.CID, budget uint64) ([]lock.CID, error) {
	tree, err := ReadTree(ctx, g, root, budget)
	if err != nil {
		return nil, err
	}
	blocks := tree.Nodes
	for _, l := range tree.Leaves {
		blocks = append(blocks, l.CID)
	}
	return blocks, nil
}

// Verify reads back every block of an object, hashes it and checks the shape of the whole.
// From a [ColdReader] it reads the disk itself. It returns nil only when the object is
// complete; errors are those of [FetchTree], ErrNotFound, ErrCorrupt and those of the disk.
func Verify(ctx context.Context, g Getter, root lock.CID, budget uint64) error {
	if reader, ok := g.(ColdReader); ok {
		g = reader.Cold()
	}
	tree, err := ReadTree(ctx, g, root, budget)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	leaves := make(chan Leaf)
	var group sync.WaitGroup
	for range min(verifyWorkers, len(tree.Leaves)) {
		group.Go(func() {
			for l := range leaves {
				if err := verifyLeaf(ctx, g, l); err != nil {
					cancel(fmt.Errorf("object %s: %w", root, err))
				}
			}
		})
	}
	for _, l := range tree.Leaves {
		if ctx.Err() != nil {
			break
		}
		leaves <- l
	}
	close(leaves)
	group.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func verifyLeaf(ctx context.Context, g Getter, l Leaf) error {
	block, err := g.Get(ctx, l.CID)
	if err != nil {
		return err
	}
	if uint64(len(block)) != l.Size {
		return fmt.Errorf("leaf %s has %d bytes, its link says %d: %w", l.CID, len(block), l.Size, ErrShape)
	}
	return nil
}

// Missing returns those of the blocks that a store does not hold.
func Missing(ctx context.Context, s Prober, cids []lock.CID) ([]lock.CID, error) {
	var missing []lock.CID
	for _, c := range cids {
		has, err := s.Has(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("probe %s: %w", c, err)
		}
		if !has {
			missing = append(missing, c)
		}
	}
	return missing, nil
}
