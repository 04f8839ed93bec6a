package index

import (
	"context"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/phrd/phrd/x/audit"
)

// InclusionProof implements [audit.Index].
func (x *Index) InclusionProof(ctx context.Context, sequence, size uint64) ([][]byte, uint64, error) {
	return x.prove(ctx, size, func(size uint64) (proof.Nodes, error) {
		if sequence == 0 || sequence > size {
			return proof.Nodes{}, audit.ErrInvalidFilter.Wrapf("entry %d of a log of %d", sequence, size)
		}
		return proof.Inclusion(sequence-1, size)
	})
}

// ConsistencyProof implements [audit.Index].
func (x *Index) ConsistencyProof(ctx context.Context, first, second uint64) ([][]byte, uint64, error) {
	return x.prove(ctx, second, func(second uint64) (proof.Nodes, error) {
		if first == 0 || first > second {
			return proof.Nodes{}, audit.ErrInvalidFilter.Wrapf("a log of %d that becomes one of %d", first, second)
		}
		return proof.Consistency(first, second)
	})
}

// prove makes a proof for a size of the log, 0 for that of the index, of the nodes that it needs.
func (x *Index) prove(ctx context.Context, size uint64, needs func(size uint64) (proof.Nodes, error)) ([][]byte, uint64, error) {
	x.use.RLock()
	defer x.use.RUnlock()
	if size == 0 {
		size = x.indexed.Load()
	}
	if x.rows == nil || !x.agreed.Load() || size > x.indexed.Load() {
		return nil, 0, x.building()
	}
	nodes, err := needs(size)
	if err != nil {
		return nil, 0, err
	}
	hashes := make([][]byte, len(nodes.IDs))
	for i, id := range nodes.IDs {
		if hashes[i], err = x.rows.node(id); err != nil {
			break
		}
	}
	if ctx.Err() != nil {
		return nil, 0, ctx.Err()
	}
	if err == nil {
		hashes, err = nodes.Rehash(hashes, rfc6962.DefaultHasher.HashChildren)
	}
	if err != nil {
		x.damaged(err)
		return nil, 0, x.building()
	}
	return hashes, size, nil
}

// node is a node of the tree: that of a leaf follows from its entry.
func (r *rows) node(id compact.NodeID) ([]byte, error) {
	if id.Level > 0 {
		return r.files.node(uint8(id.Level), id.Index)
	}
	values, err := r.files.read(id.Index+1, id.Index+1)
	if err != nil {
		return nil, err
	}
	return rfc6962.DefaultHasher.HashLeaf(values[0]), nil
}
