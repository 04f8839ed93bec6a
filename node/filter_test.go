package node_test

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
)

func numbered(n uint64) lock.CID {
	return lock.RawCID(sha256.Sum256(binary.BigEndian.AppendUint64(nil, n)))
}

func TestFilterForgetsNothing(t *testing.T) {
	for _, c := range []struct{ blocks, added, most int }{
		{50_000, 50_000, 350}, // 1 in 400, and some
		{0, 2000, 1250},       // more than was said
		{1 << 40, 1000, 0},    // no larger than the bound
	} {
		f := node.NewFilter(int64(c.blocks))
		if size := f.Size(); size < node.MinFilter || size > node.MaxFilter {
			t.Errorf("a filter of %d bytes", size)
		}
		for n := range uint64(c.added) {
			f.Add(numbered(n))
		}
		for n := range uint64(c.added) {
			if !f.Has(numbered(n)) {
				t.Fatalf("block %d of %d was forgotten", n, c.added)
			}
		}
		wrong := 0
		for n := range uint64(50_000) {
			if f.Has(numbered(1<<32 + n)) {
				wrong++
			}
		}
		if wrong > c.most {
			t.Errorf("%d of 50000 blocks that were not added are in a filter for %d that holds %d", wrong, c.blocks, c.added)
		}
	}
}
