package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"path/filepath"
	"sync/atomic"

	"github.com/phrd/phrd/blob/pack"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// readsARound is how many single bytes of a file a round reads.
const readsARound = 100

// counted counts the blocks that were read from a store.
type counted struct {
	*pack.Store

	reads atomic.Int64
}

func (c *counted) Get(ctx context.Context, id lock.CID) ([]byte, error) {
	c.reads.Add(1)
	return c.Store.Get(ctx, id)
}

// ranges measures row 8: a byte at a random offset of a file against a byte of one a tenth of its size.
func (b *bench) ranges(ctx context.Context) ([]row, error) {
	store, err := pack.Open(filepath.Join(b.dir, "ranges"), pack.Options{})
	if err != nil {
		return nil, err
	}
	rows, err := b.rangesOf(ctx, &counted{Store: store})
	return rows, errors.Join(err, store.Close())
}

func (b *bench) rangesOf(ctx context.Context, store *counted) ([]row, error) {
	var sides []func(context.Context) error
	for _, name := range []string{"input", "small"} {
		sealed, err := sealInto(ctx, store.Store, filepath.Join(b.dir, name))
		if err != nil {
			return nil, err
		}
		object, err := seal.OpenObject(ctx, store, sealed.Ref, sealed.DEK)
		if err != nil {
			return nil, err
		}
		random := mathrand.New(mathrand.NewChaCha8([32]byte{2}))
		sides = append(sides, func(ctx context.Context) error {
			for range readsARound {
				r := object.Reader(ctx, random.Uint64N(object.Size()), 1)
				_, err := io.Copy(io.Discard, r)
				if err := errors.Join(err, r.Close()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	store.reads.Store(0)
	samples, err := interleave(ctx, b.rounds, sides...)
	if err != nil {
		return nil, err
	}
	values := make([]float64, b.rounds)
	for i := range values {
		values[i] = samples[0][i].wall.Seconds() / samples[1][i].wall.Seconds()
	}
	return []row{{
		number: "8", what: "first verified byte at a random offset, a file ten times the size against one", target: "≤ 1.3, one leaf read", measured: spreadOf(values).String(),
		raw: fmt.Sprintf("%d MiB file %.2f ms, %d MiB file %.2f ms, %.2f leaves a read", b.size/mib, millisecondsOf(samples[0], readsARound), b.size/10/mib, millisecondsOf(samples[1], readsARound),
			float64(store.reads.Load())/float64(2*b.rounds*readsARound)),
	}}, nil
}

// millisecondsOf is the median of the milliseconds that one of n operations of a run took.
func millisecondsOf(samples []sample, n int) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = s.wall.Seconds() * 1000 / float64(n)
	}
	return spreadOf(values).median
}
