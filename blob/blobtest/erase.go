package blobtest

import (
	"context"
	"errors"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

// stored puts n blocks of one batch and returns them with their CIDs.
func stored(ctx context.Context, s blob.Store, n, size int) ([]lock.CID, [][]byte, error) {
	var cids []lock.CID
	var blocks [][]byte
	for i := range n {
		c, b := Block(uint64(size+i), size)
		cids, blocks = append(cids, c), append(blocks, b)
	}
	return cids, blocks, Store(ctx, s, blob.Hint{Size: uint64(n * size)}, blocks...)
}

func erased(ctx context.Context, s blob.Store) error {
	for _, size := range []int{3000, blob.MaxBlock} {
		cids, blocks, err := stored(ctx, s, 6, size)
		if err != nil {
			return err
		}
		unknown, _ := Block(99, 10)
		if err := s.Erase(ctx, []lock.CID{cids[0], unknown, cids[3], cids[5]}, nil); err != nil {
			return err
		}
		for i, b := range blocks {
			check := Holds(ctx, s, b)
			if i == 0 || i == 3 || i == 5 {
				check = Lacks(ctx, s, cids[i])
			}
			if check != nil {
				return check
			}
		}
		if err := s.Erase(ctx, cids, nil); err != nil {
			return err
		}
		for _, c := range cids {
			if err := Lacks(ctx, s, c); err != nil {
				return err
			}
		}
	}
	return s.Close()
}

func kept(ctx context.Context, s blob.Store) error {
	cids, blocks, err := stored(ctx, s, 4, 3000)
	if err != nil {
		return err
	}
	err = s.Erase(ctx, cids, func(c lock.CID) bool { return c == cids[1] || c == cids[2] })
	return errors.Join(err, Lacks(ctx, s, cids[0]), Holds(ctx, s, blocks[1]), Holds(ctx, s, blocks[2]), Lacks(ctx, s, cids[3]), s.Close())
}

func putAgain(ctx context.Context, s blob.Store) error {
	cids, blocks, err := stored(ctx, s, 2, 3000)
	if err != nil {
		return err
	}
	for range 2 {
		if err := errors.Join(s.Erase(ctx, cids[:1], nil), Lacks(ctx, s, cids[0])); err != nil {
			return err
		}
		if err := errors.Join(Store(ctx, s, blob.Hint{}, blocks[0]), Holds(ctx, s, blocks[0]), Holds(ctx, s, blocks[1])); err != nil {
			return err
		}
	}
	return s.Close()
}

func erasedMeanwhile(ctx context.Context, s blob.Store) error {
	cids, blocks, err := stored(ctx, s, 1, 3000)
	if err != nil {
		return err
	}
	batch, err := s.Begin(ctx, blob.Hint{})
	if err != nil {
		return err
	}
	err = errors.Join(batch.Put(cids[0], blocks[0]), s.Erase(ctx, cids, nil))
	if err != nil {
		return err
	}
	if err := want("sync", batch.Sync(ctx), blob.ErrNotFound); err != nil {
		return err
	}
	// Put again, it is written.
	return errors.Join(batch.Put(cids[0], blocks[0]), batch.Sync(ctx), batch.Close(), Holds(ctx, s, blocks[0]), s.Close())
}

func closedBatch(ctx context.Context, s blob.Store) error {
	c, b := Block(1, 3000)
	batch, err := s.Begin(ctx, blob.Hint{})
	if err != nil {
		return err
	}
	return errors.Join(
		batch.Close(),
		want("put", batch.Put(c, b), blob.ErrClosed),
		want("sync", batch.Sync(ctx), blob.ErrClosed),
		Lacks(ctx, s, c),
		s.Close(),
	)
}

func closedStore(ctx context.Context, s blob.Store) error {
	c, b := Block(1, 3000)
	other, more := Block(2, 3000)
	if err := Store(ctx, s, blob.Hint{}, b); err != nil {
		return err
	}
	batch, err := s.Begin(ctx, blob.Hint{})
	if err != nil {
		return err
	}
	if err := errors.Join(batch.Put(other, more), s.Close()); err != nil {
		return err
	}
	_, getErr := s.Get(ctx, c)
	_, hasErr := s.Has(ctx, c)
	_, sizeErr := s.Size(ctx, c)
	_, beginErr := s.Begin(ctx, blob.Hint{})
	return errors.Join(
		want("get", getErr, blob.ErrClosed),
		want("has", hasErr, blob.ErrClosed),
		want("size", sizeErr, blob.ErrClosed),
		want("begin", beginErr, blob.ErrClosed),
		want("put", batch.Put(other, more), blob.ErrClosed),
		want("sync", batch.Sync(ctx), blob.ErrClosed),
		want("erase", s.Erase(ctx, []lock.CID{c}, nil), blob.ErrClosed),
		batch.Close(),
		s.Close(),
	)
}

func cancelled(ctx context.Context, s blob.Store) error {
	c, b := Block(1, 3000)
	if err := Store(ctx, s, blob.Hint{}, b); err != nil {
		return err
	}
	batch, err := s.Begin(ctx, blob.Hint{})
	if err != nil {
		return err
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, getErr := s.Get(gone, c)
	_, beginErr := s.Begin(gone, blob.Hint{})
	return errors.Join(
		want("get", getErr, context.Canceled),
		want("begin", beginErr, context.Canceled),
		want("sync", batch.Sync(gone), context.Canceled),
		want("erase", s.Erase(gone, []lock.CID{c}, nil), context.Canceled),
		batch.Close(),
		Holds(ctx, s, b),
		s.Close(),
	)
}
