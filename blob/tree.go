package blob

import (
	"context"
	"fmt"
	"math"

	"github.com/phrd/phrd/lock"
)

const (
	// maxDepth is the greatest number of levels of inner nodes: 174^7 leaves of 1 MiB are
	// more than any budget.
	maxDepth = 7
	// partLeaves is how many leaves of an object may be shorter than a full one: the last
	// of the data, of the manifest and of each level of its index, with room to spare.
	partLeaves = 8
	// nodesAtOnce is how many inner nodes are asked for together.
	nodesAtOnce = 64
)

// A Leaf is a block of an object's UnixFS content.
type Leaf struct {
	// CID is the raw block.
	CID lock.CID
	// Offset is where its bytes begin in the content, Size how many there are.
	Offset, Size uint64
}

// A Tree is the list of the blocks of an object.
type Tree struct {
	// Nodes are the inner nodes, the root first, level by level.
	Nodes []lock.CID
	// Leaves are the leaves in the order of the content.
	Leaves []Leaf
	// Bytes is the sum of the lengths of all blocks.
	Bytes uint64
}

// Budget returns the most bytes that all blocks of an object may have together whose data
// leaves have padded bytes, the size that stands on the chain. Manifest, index and inner
// nodes take less than 256 bytes for each data leaf and 64 KiB besides.
func Budget(padded uint64) uint64 {
	leaves := padded/MaxBlock + 1
	if padded > math.MaxInt64 {
		return math.MaxInt64
	}
	return padded + 256*leaves + 64<<10
}

// Fetch returns blocks in the order of their CIDs, hashed.
type Fetch func(ctx context.Context, cids []lock.CID) ([][]byte, error)

// FetchTree walks the inner nodes of an object, which fetch provides, and returns what it
// consists of. It reads no leaf.
//
// Only the shape of docs/custody.md, appendix A, DAG, is accepted: raw leaves of at most
// [MaxBlock] bytes, all at one depth; inner nodes in the one encoding, all full but the
// last of each level; sizes that add up; no CID twice; few leaves that are not full.
// Whatever else is ErrShape, and an object of more bytes than budget is ErrBudget,
// before anything is fetched that the budget does not cover.
func FetchTree(ctx context.Context, fetch Fetch, root lock.CID, budget uint64) (Tree, error) {
	w := walker{fetch: fetch, seen: map[lock.CID]struct{}{root: {}}, budget: budget}
	if err := w.walk(ctx, root); err != nil {
		return Tree{}, fmt.Errorf("object %s: %w", root, err)
	}
	return w.tree, nil
}

// walker walks a tree level by level.
type walker struct {
	fetch  Fetch
	budget uint64
	seen   map[lock.CID]struct{}
	tree   Tree
}

func (w *walker) walk(ctx context.Context, root lock.CID) error {
	if !root.IsDag() {
		return fmt.Errorf("root is not dag-pb: %w", ErrShape)
	}
	level := []Link{{CID: root}}
	for depth := 0; ; depth++ {
		if depth == maxDepth {
			return fmt.Errorf("more than %d levels: %w", maxDepth, ErrShape)
		}
		below, err := w.descend(ctx, level, depth == 0)
		if err != nil {
			return err
		}
		if !below[0].CID.IsDag() {
			return w.finish(below)
		}
		if len(below) == 1 {
			return fmt.Errorf("a root above one node: %w", ErrShape)
		}
		level = below
	}
}

// descend reads the inner nodes of a level and returns their links in order.
func (w *walker) descend(ctx context.Context, level []Link, top bool) ([]Link, error) {
	var below []Link
	for start := 0; start < len(level); start += nodesAtOnce {
		part := level[start:min(start+nodesAtOnce, len(level))]
		cids := make([]lock.CID, len(part))
		for i, l := range part {
			cids[i] = l.CID
		}
		blocks, err := w.fetch(ctx, cids)
		if err != nil {
			return nil, err
		}
		for i, l := range part {
			links, err := w.node(l, blocks[i], top)
			if err != nil {
				return nil, err
			}
			if start+i+1 < len(level) && len(links) != LinksPerNode {
				return nil, fmt.Errorf("node %s has %d links and is not the last: %w", l.CID, len(links), ErrShape)
			}
			below = append(below, links...)
		}
		w.tree.Nodes = append(w.tree.Nodes, cids...)
	}
	for _, l := range below {
		if l.CID.IsDag() != below[0].CID.IsDag() {
			return nil, fmt.Errorf("leaves at different depths: %w", ErrShape)
		}
	}
	return below, nil
}

// node parses an inner node and checks it against the link that led there.
func (w *walker) node(l Link, block []byte, top bool) ([]Link, error) {
	links, err := ParseNode(block)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.CID, err)
	}
	size, tree := uint64(0), uint64(len(block))
	for _, child := range links {
		if child.Tree > w.budget || child.Size > w.budget {
			return nil, fmt.Errorf("%d bytes below %s, %d are allowed: %w", child.Tree, child.CID, w.budget, ErrBudget)
		}
		if _, again := w.seen[child.CID]; again {
			return nil, fmt.Errorf("block %s is named twice: %w", child.CID, ErrShape)
		}
		w.seen[child.CID] = struct{}{}
		size += child.Size
		tree += child.Tree
	}
	if top {
		if tree > w.budget {
			return nil, fmt.Errorf("%d bytes, %d are allowed: %w", tree, w.budget, ErrBudget)
		}
		w.tree.Bytes = tree
	} else if size != l.Size || tree != l.Tree {
		return nil, fmt.Errorf("node %s has %d bytes of file in %d, its link says %d in %d: %w", l.CID, size, tree, l.Size, l.Tree, ErrShape)
	}
	return links, w.checkCount()
}

// checkCount bounds the blocks that were named, so that an object of tiny leaves does not
// take more memory than its bytes justify.
func (w *walker) checkCount() error {
	if allowed := maxBlocks(w.budget); uint64(len(w.seen)) > allowed {
		return fmt.Errorf("more than %d blocks: %w", allowed, ErrBudget)
	}
	return nil
}

// maxBlocks is how many blocks an object of at most budget bytes has at most.
func maxBlocks(budget uint64) uint64 {
	leaves := budget/MaxBlock + partLeaves
	return leaves + 2*(leaves/LinksPerNode) + maxDepth
}

// finish takes the lowest level, the leaves.
func (w *walker) finish(links []Link) error {
	w.tree.Leaves = make([]Leaf, len(links))
	var offset uint64
	part := 0
	for i, l := range links {
		if l.Size > MaxBlock || l.Tree != l.Size {
			return fmt.Errorf("leaf %s has %d bytes of file in %d: %w", l.CID, l.Size, l.Tree, ErrShape)
		}
		if l.Size < MaxBlock {
			part++
		}
		w.tree.Leaves[i] = Leaf{CID: l.CID, Offset: offset, Size: l.Size}
		offset += l.Size
	}
	if part > partLeaves {
		return fmt.Errorf("%d leaves are not full, at most %d may be: %w", part, partLeaves, ErrShape)
	}
	return nil
}
