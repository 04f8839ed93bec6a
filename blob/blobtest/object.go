package blobtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

// An Object is a tree of blocks in memory, for tests.
type Object struct {
	// Root is the CID of the top node.
	Root lock.CID
	// CIDs are all blocks, leaves first and the root last, as a writer stores them.
	CIDs []lock.CID
	// Blocks are their bytes.
	Blocks map[lock.CID][]byte
	// Bytes is the sum of the lengths of all blocks.
	Bytes uint64
}

// NewObject returns an object with leaves of these sizes, whose bytes seed fixes, in the
// shape of docs/custody.md, appendix A, DAG.
func NewObject(seed uint64, sizes ...int) *Object {
	o := &Object{Blocks: map[lock.CID][]byte{}}
	var links []blob.Link
	for i, size := range sizes {
		c, b := Block(seed<<32+uint64(i), size)
		o.Add(c, b)
		links = append(links, blob.Link{CID: c, Tree: uint64(size), Size: uint64(size)})
	}
	for {
		var above []blob.Link
		for start := 0; start < len(links); start += blob.LinksPerNode {
			above = append(above, o.Node(links[start:min(start+blob.LinksPerNode, len(links))]...))
		}
		if links = above; len(links) == 1 {
			o.Root = links[0].CID
			return o
		}
	}
}

// Sizes returns the sizes of the leaves of an object of total bytes.
func Sizes(total int) []int {
	var sizes []int
	for ; total > blob.MaxBlock; total -= blob.MaxBlock {
		sizes = append(sizes, blob.MaxBlock)
	}
	return append(sizes, total)
}

// Node adds an inner node over links and returns the link to it.
func (o *Object) Node(links ...blob.Link) blob.Link {
	node := blob.AppendNode(nil, links)
	up := blob.Link{CID: lock.DagCID(sha256.Sum256(node)), Tree: uint64(len(node))}
	for _, l := range links {
		up.Tree += l.Tree
		up.Size += l.Size
	}
	o.Add(up.CID, node)
	return up
}

// Add adds a block.
func (o *Object) Add(c lock.CID, b []byte) {
	o.CIDs = append(o.CIDs, c)
	o.Blocks[c] = b
	o.Bytes += uint64(len(b))
}

// Put stores the whole object in one batch.
func (o *Object) Put(ctx context.Context, s blob.Putter) error {
	batch, err := s.Begin(ctx, blob.Hint{Size: o.Bytes})
	if err != nil {
		return err
	}
	for _, c := range o.CIDs {
		if err := batch.Put(c, o.Blocks[c]); err != nil {
			return errors.Join(err, batch.Close())
		}
	}
	return errors.Join(batch.Sync(ctx), batch.Close())
}

// Get implements [blob.Getter] over the object's own blocks.
func (o *Object) Get(_ context.Context, c lock.CID) ([]byte, error) {
	b, ok := o.Blocks[c]
	if !ok {
		return nil, fmt.Errorf("block %s: %w", c, blob.ErrNotFound)
	}
	return b, nil
}
