package gateway

import (
	"container/list"
	"context"
	"math"
	"sync"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/cache"
	"github.com/phrd/phrd/lock"
)

// maxTreeLeaves is how many leaves of objects are remembered together: those of 256 GiB.
const maxTreeLeaves = 1 << 18

// trees remembers which blocks the objects that were read last consist of. An object never
// changes, so what is remembered stays true.
type trees struct {
	mu     sync.Mutex
	by     map[lock.CID]*list.Element
	order  list.List // of *knownTree, newest first
	leaves int
}

type knownTree struct {
	root   lock.CID
	tree   blob.Tree
	blocks map[lock.CID]int // of a leaf its place, of an inner node −1

	mu    sync.Mutex
	last  int // the farthest leaf of those that were read one by one
	ahead int // the first leaf behind those that were fetched for such a reader
}

// follow notes that a leaf is read by itself, and returns which ones to fetch for whoever goes
// on to read: none, unless a neighbour was read before.
func (k *knownTree) follow(place int) (from, to int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	const near = 4 * groupLeaves
	if place < k.last-near || place > k.last+near {
		k.last, k.ahead = place, place+1
		return 0, 0
	}
	k.last = max(k.last, place)
	from, to = max(k.ahead, k.last+1), min(k.last+1+spareGroups*groupLeaves, len(k.tree.Leaves))
	if from >= to || to-from < groupLeaves && to < len(k.tree.Leaves) {
		return 0, 0
	}
	k.ahead = to
	return from, to
}

func (t *trees) get(root lock.CID) *knownTree {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.by[root]
	if e == nil {
		return nil
	}
	t.order.MoveToFront(e)
	return elementTree(e)
}

func elementTree(e *list.Element) *knownTree {
	k, ok := e.Value.(*knownTree)
	if !ok {
		panic("gateway: the list of trees holds something else")
	}
	return k
}

func (t *trees) add(k *knownTree) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[lock.CID]*list.Element{}
	}
	if t.by[k.root] != nil || len(k.tree.Leaves) > maxTreeLeaves/4 {
		return
	}
	t.by[k.root] = t.order.PushFront(k)
	t.leaves += len(k.tree.Leaves)
	for t.leaves > maxTreeLeaves {
		last := t.order.Back()
		old := elementTree(last)
		t.order.Remove(last)
		delete(t.by, old.root)
		t.leaves -= len(old.tree.Leaves)
	}
}

// tree returns the blocks of an object of at most budget bytes, whose inner nodes come from
// wherever they are.
func (g *Gateway) tree(ctx context.Context, o *cache.Object, root lock.CID, budget uint64) (*knownTree, error) {
	if k := g.trees.get(root); k != nil {
		return k, nil
	}
	tree, err := blob.FetchTree(ctx, func(ctx context.Context, cids []lock.CID) ([][]byte, error) {
		blocks := make([][]byte, len(cids))
		for i, result := range g.read(ctx, o, cids) {
			f := <-result
			if f.err != nil {
				return nil, f.err
			}
			blocks[i] = f.block
		}
		return blocks, nil
	}, root, budget)
	if err != nil {
		return nil, err
	}
	k := &knownTree{root: root, tree: tree, last: math.MinInt / 2, blocks: make(map[lock.CID]int, len(tree.Nodes)+len(tree.Leaves))}
	for _, c := range tree.Nodes {
		k.blocks[c] = -1
	}
	for i, l := range tree.Leaves {
		k.blocks[l.CID] = i
	}
	g.trees.add(k)
	return k, nil
}

// size is the length of the object's content.
func (k *knownTree) size() uint64 {
	if len(k.tree.Leaves) == 0 {
		return 0
	}
	last := k.tree.Leaves[len(k.tree.Leaves)-1]
	return last.Offset + last.Size
}
