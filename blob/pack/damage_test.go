package pack_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/pack"
)

const (
	headerSize = 32 // of a pack
	recordSize = 52 // of a record's header
)

// layout is a store with one pack of known records, to be damaged again and again.
type layout struct {
	dir    string
	bytes  []byte   // of the pack
	blocks [][]byte // in the order of their records
	starts []int    // of the records, and the end of the last
}

// newLayout writes a pack with records of several sizes.
func newLayout(t *testing.T) *layout {
	t.Helper()
	l := &layout{dir: t.TempDir(), starts: []int{headerSize}}
	for i, size := range []int{1, 700, 70 << 10, 2000} {
		_, b := blobtest.Block(uint64(i), size)
		l.blocks = append(l.blocks, b)
		l.starts = append(l.starts, l.starts[i]+recordSize+size)
	}
	s := open(t, l.dir)
	mustStore(t, s, blob.Hint{}, l.blocks...)
	closeStore(t, s)
	var err error
	if l.bytes, err = os.ReadFile(packs(t, l.dir)[0]); err != nil {
		t.Fatal(err)
	}
	if len(l.bytes) != l.starts[len(l.blocks)] {
		t.Fatalf("pack has %d bytes, want %d", len(l.bytes), l.starts[len(l.blocks)])
	}
	return l
}

// copyWith makes a copy of the store with other bytes in the pack.
func (l *layout) copyWith(t *testing.T, bytes []byte, index bool) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	if err := os.CopyFS(dir, os.DirFS(l.dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(packs(t, dir)[0], bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	if !index {
		if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// boundaries are the offsets around each start and end of a record, its header's end
// included.
func (l *layout) boundaries() []int {
	var at []int
	for i, start := range l.starts {
		at = append(at, start-1, start, start+1)
		if i < len(l.blocks) {
			at = append(at, start+recordSize-1, start+recordSize, start+recordSize+1)
		}
	}
	return at
}

func TestTruncationAtEveryBoundary(t *testing.T) {
	l := newLayout(t)
	for _, index := range []bool{false, true} {
		for _, cut := range l.boundaries() {
			if cut > len(l.bytes) {
				continue
			}
			t.Run(fmt.Sprintf("%d index %t", cut, index), func(t *testing.T) {
				t.Parallel()
				dir := l.copyWith(t, l.bytes[:cut], index)
				var d damages
				s := openWith(t, dir, pack.Options{Report: d.report})
				reported := len(d.take()) > 0
				whole := cut == len(l.bytes)
				for i, b := range l.blocks {
					whole = whole || l.starts[i] == cut && !index
					if l.starts[i+1] <= cut {
						mustHold(t, s, b)
					} else {
						mustLack(t, s, b)
					}
				}
				if whole == reported {
					t.Errorf("reported %t for a cut at %d of %v", reported, cut, l.starts)
				}
				// What was lost can be put again, and the store is sound afterwards.
				mustStore(t, s, blob.Hint{}, l.blocks...)
				mustHold(t, s, l.blocks...)
				closeStore(t, s)
				s = open(t, dir)
				mustHold(t, s, l.blocks...)
			})
		}
	}
}

func TestFlippedByteAtEveryBoundary(t *testing.T) {
	l := newLayout(t)
	for _, index := range []bool{false, true} {
		for _, at := range l.boundaries() {
			if at >= len(l.bytes) {
				continue
			}
			t.Run(fmt.Sprintf("%d index %t", at, index), func(t *testing.T) {
				t.Parallel()
				flipped := append([]byte(nil), l.bytes...)
				flipped[at] ^= 0x10
				var d damages
				dir := l.copyWith(t, flipped, index)
				s := openWith(t, dir, pack.Options{Report: d.report})
				for i, b := range l.blocks {
					if at < l.starts[i] || at >= l.starts[i+1] {
						mustHold(t, s, b)
						continue
					}
					if _, err := s.Get(t.Context(), cidOf(b)); !errors.Is(err, blob.ErrCorrupt) && !errors.Is(err, blob.ErrNotFound) {
						t.Errorf("damaged block %d: %v", i, err)
					}
					mustLack(t, s, b)
				}
				if seen := d.take(); len(seen) == 0 && (at >= headerSize || !index) {
					t.Error("nothing was reported")
				}
				mustStore(t, s, blob.Hint{}, l.blocks...)
				mustHold(t, s, l.blocks...)
			})
		}
	}
}

func TestDamageInMemoryOfTheIndexIsFoundOnRead(t *testing.T) {
	l := newLayout(t)
	flipped := append([]byte(nil), l.bytes...)
	flipped[l.starts[2]+recordSize+10] ^= 1
	var d damages
	s := openWith(t, l.copyWith(t, flipped, true), pack.Options{Report: d.report})
	bad := l.blocks[2]
	if has, err := s.Has(t.Context(), cidOf(bad)); err != nil || !has {
		t.Fatalf("has %t, %v before the first read", has, err)
	}
	if _, err := s.Get(t.Context(), cidOf(bad)); !errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("got %v, want %v", err, blob.ErrCorrupt)
	}
	seen := d.take()
	if len(seen) != 1 || seen[0].CID != cidOf(bad) || seen[0].Offset != int64(l.starts[2]) {
		t.Errorf("reported %v", seen)
	}
	mustLack(t, s, bad)
}

func TestUncheckedReadSeesTheChecksum(t *testing.T) {
	l := newLayout(t)
	for i, b := range l.blocks {
		// A byte of the block, then one of its record's header.
		for _, at := range []int{l.starts[i+1] - 1, l.starts[i] + recordSize - 6} {
			flipped := bytes.Clone(l.bytes)
			flipped[at] ^= 1
			var d damages
			s := openWith(t, l.copyWith(t, flipped, true), pack.Options{Report: d.report})
			before := []byte("before")
			got, err := s.AppendUnchecked(t.Context(), cidOf(b), before)
			if !errors.Is(err, blob.ErrCorrupt) || !bytes.Equal(got, before) {
				t.Errorf("flipped at %d: got %q, %v, want %v", at, got, err, blob.ErrCorrupt)
			}
			if seen := d.take(); len(seen) != 1 || seen[0].CID != cidOf(b) {
				t.Errorf("reported %v", seen)
			}
			mustLack(t, s, b)
			// Its twin: the others read as they were written.
			for j, b := range l.blocks {
				if got, err := s.AppendUnchecked(t.Context(), cidOf(b), before); j != i && (err != nil || !bytes.Equal(got[len(before):], b)) {
					t.Errorf("block %d: %d bytes, %v", j, len(got), err)
				}
			}
		}
	}
}

func TestForgedBlockWithRightChecksumsIsNotServed(t *testing.T) {
	// A curious admin rewrites a record with its checksums: only the hash tells.
	dir := t.TempDir()
	s := open(t, dir)
	good, forged := blocks(1, 1, 3000)[0], blocks(2, 1, 3000)[0]
	batch, err := s.Begin(t.Context(), blob.Hint{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(batch.PutTrusted(cidOf(good), forged), batch.Sync(t.Context()), batch.Close()); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	var d damages
	s = openWith(t, dir, pack.Options{Report: d.report})
	// Who reads without the hash has to take it himself.
	if got, err := s.AppendUnchecked(t.Context(), cidOf(good), nil); err != nil || !bytes.Equal(got, forged) {
		t.Errorf("unchecked: %d bytes, %v", len(got), err)
	}
	if _, err := s.Get(t.Context(), cidOf(good)); !errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("got %v, want %v", err, blob.ErrCorrupt)
	}
	mustLack(t, s, good, forged)
	mustStore(t, s, blob.Hint{}, good)
	mustHold(t, s, good)
}

func TestMissingPackIsReported(t *testing.T) {
	dir := t.TempDir()
	lost, held := blocks(1, 3, 2000), blocks(2, 4, blob.MaxBlock)
	s := open(t, dir)
	mustStore(t, s, blob.Hint{}, lost...)
	path := packs(t, dir)[0]
	mustStore(t, s, blob.Hint{Size: blob.LargeObject}, held...)
	closeStore(t, s)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	var d damages
	s = openWith(t, dir, pack.Options{Report: d.report})
	if seen := d.take(); len(seen) != 1 || filepath.Base(seen[0].File) != filepath.Base(path) {
		t.Errorf("reported %v", seen)
	}
	mustHold(t, s, held...)
	mustLack(t, s, lost...)
}

func TestPackOfAnotherVersionIsNotOpened(t *testing.T) {
	l := newLayout(t)
	// Version 2 with a right checksum, as a later program would write it.
	other := append([]byte(nil), l.bytes...)
	copy(other, pack.HeaderOfVersion(2))
	if _, err := pack.Open(l.copyWith(t, other, false), pack.Options{}); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("got %v, want it to name version 2", err)
	}
	// Its twin of version 1 opens.
	copy(other, pack.HeaderOfVersion(1))
	mustHold(t, open(t, l.copyWith(t, other, false)), l.blocks...)
}

func TestCutAtEveryByteKeepsTheRecordsBefore(t *testing.T) {
	l := newLayout(t)
	path := packs(t, l.dir)[0]
	// Every byte of the small records, and of the ends of the large ones.
	for cut := range len(l.bytes) + 1 {
		if cut > l.starts[2]+200 && cut < l.starts[3]-200 || cut > l.starts[3]+200 && cut < l.starts[4]-200 {
			continue
		}
		found, end, err := pack.Scan(path, int64(cut))
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		whole := 0
		for whole < len(l.blocks) && l.starts[whole+1] <= cut {
			whole++
		}
		if !slices.Equal(found, cids(l.blocks[:whole]...)) || end != int64(min(l.starts[whole], cut)) {
			t.Fatalf("cut at %d: %d records to offset %d, want %d to %d", cut, len(found), end, whole, l.starts[whole])
		}
	}
}
