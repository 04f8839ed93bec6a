package ipfs

import (
	"context"
	"errors"

	"github.com/ipfs/boxo/blockstore"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

// served shows the store of a node to bitswap, which only reads it.
type served struct{ node *Node }

var _ blockstore.Blockstore = served{}

// errReadOnly says that only a fetch writes to the store.
var errReadOnly = errors.New("bitswap does not write to the store")

// own returns the network's form of a CID. All other forms name nothing that we hold.
func own(c cid.Cid) (lock.CID, error) {
	id, err := lock.CIDFromBytes(c.Bytes())
	if err != nil {
		return lock.CID{}, ipld.ErrNotFound{Cid: c}
	}
	return id, nil
}

// missing turns the store's error into the one that bitswap tests for. A damaged block is
// as good as none.
func missing(c cid.Cid, err error) error {
	if errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrCorrupt) {
		return ipld.ErrNotFound{Cid: c}
	}
	return err
}

func (s served) Has(ctx context.Context, c cid.Cid) (bool, error) {
	id, err := own(c)
	if err != nil {
		return false, nil //nolint:nilerr // a foreign form is a block that we lack
	}
	return s.node.store.Has(ctx, id)
}

func (s served) Get(ctx context.Context, c cid.Cid) (blocks.Block, error) {
	id, err := own(c)
	if err != nil {
		return nil, err
	}
	block, err := s.node.store.Get(ctx, id)
	if err != nil {
		return nil, missing(c, err)
	}
	if err := s.node.sendRate.WaitN(ctx, len(block)); err != nil {
		return nil, err
	}
	s.node.traffic.sent.Add(uint64(len(block)))
	return blocks.NewBlockWithCid(block, c)
}

func (s served) GetSize(ctx context.Context, c cid.Cid) (int, error) {
	id, err := own(c)
	if err != nil {
		return 0, err
	}
	size, err := s.node.store.Size(ctx, id)
	if err != nil {
		return 0, missing(c, err)
	}
	return size, nil
}

func (served) Put(context.Context, blocks.Block) error { return errReadOnly }

func (served) PutMany(context.Context, []blocks.Block) error { return errReadOnly }

func (served) DeleteBlock(context.Context, cid.Cid) error { return errReadOnly }

func (served) AllKeysChan(context.Context) (<-chan cid.Cid, error) {
	return nil, errors.New("bitswap does not list the store")
}
