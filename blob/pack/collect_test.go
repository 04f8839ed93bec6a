package pack_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/pack"
)

const day = 24 * time.Hour

// clock is a clock that can be moved on.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

func openAt(t *testing.T, dir string, c *clock) *pack.Store {
	t.Helper()
	return openWith(t, dir, pack.Options{Now: c.now, Report: func(d pack.Damage) { t.Errorf("unexpected damage: %s", d) }})
}

func TestPackStoreCollects(t *testing.T) {
	for _, c := range blobtest.CollectorCases {
		t.Run(c.Name, func(t *testing.T) {
			at := &clock{}
			if err := c.Run(t.Context(), openAt(t, t.TempDir(), at), at.advance); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// mustCollect collects blocks that were not used for five days, and wants so many to go.
func mustCollect(t *testing.T, s *pack.Store, at *clock, want int64, b ...[]byte) {
	t.Helper()
	if done, err := s.Collect(t.Context(), cids(b...), at.now().Add(-5*day)); err != nil || done.Blocks != want {
		t.Fatalf("collected %v, %v, want %d", done, err, want)
	}
}

func TestCollectedBytesAreOnNoFile(t *testing.T) {
	dir := t.TempDir()
	at := &clock{}
	s := openAt(t, dir, at)
	b := blocks(1, 6, 3000)
	mustStore(t, s, blob.Hint{}, b...)
	at.advance(10 * day)
	mustCollect(t, s, at, 2, b[2], b[4])
	for _, gone := range [][]byte{b[2], b[4]} {
		if found := filesWith(t, dir, gone[1000:1100]); len(found) != 0 {
			t.Errorf("collected bytes are in %v", found)
		}
	}
	closeStore(t, s)
	if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, dir, at)
	mustLack(t, s, b[2], b[4])
	mustHold(t, s, b[0], b[1], b[3], b[5])
}

func TestUseIsKnownAfterReopening(t *testing.T) {
	dir := t.TempDir()
	at := &clock{}
	s := openAt(t, dir, at)
	b := blocks(1, 4, 3000)
	mustStore(t, s, blob.Hint{}, b...)
	at.advance(10 * day)
	mustStore(t, s, blob.Hint{}, b[0])
	if held, err := s.Touch(t.Context(), cidOf(b[1])); err != nil || !held {
		t.Fatalf("touch: %t, %v", held, err)
	}
	closeStore(t, s)
	s = openAt(t, dir, at)
	mustCollect(t, s, at, 1, b[0], b[1], b[2])
	mustHold(t, s, b[0], b[1], b[3])
	closeStore(t, s)

	// A new index knows of no use, so all that it finds counts as used now.
	if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, dir, at)
	mustCollect(t, s, at, 0, b...)
	at.advance(10 * day)
	mustCollect(t, s, at, 3, b...)
	if left := packs(t, dir); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

func TestPackThatCannotMoveKeepsNoOther(t *testing.T) {
	dir := t.TempDir()
	at := &clock{}
	s := openAt(t, dir, at)
	mixed, lone := blocks(1, 2, 3000), blocks(2, 1, blob.MaxBlock)
	mustStore(t, s, blob.Hint{}, mixed...)
	at.advance(10 * day)
	mustStore(t, s, blob.Hint{Size: blob.LargeObject}, lone...)
	closeStore(t, s)
	s = openAt(t, dir, at)
	// The pack with a live record can't be read, as on a failing disk, so it stays and says so.
	held := packWith(t, dir, mixed[1][1000:1100])
	if err := os.Rename(held, held+".aside"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(held, 0o700); err != nil {
		t.Fatal(err)
	}
	at.advance(10 * day)
	if _, err := s.Collect(t.Context(), cids(mixed[0], lone[0]), at.now().Add(-5*day)); err == nil {
		t.Error("a pack that can't be read was rewritten")
	}
	if found := filesWith(t, dir, lone[0][1000:1100]); len(found) != 0 {
		t.Errorf("collected bytes are in %v", found)
	}
	if err := errors.Join(os.Remove(held), os.Rename(held+".aside", held)); err != nil {
		t.Fatal(err)
	}
	mustCollect(t, s, at, 0, mixed[0]) // it goes on with what is left to do
	if found := filesWith(t, dir, mixed[0][1000:1100]); len(found) != 0 {
		t.Errorf("collected bytes are in %v", found)
	}
	mustHold(t, s, mixed[1])
}

// packWith returns the one pack that contains some bytes.
func packWith(t *testing.T, dir string, marker []byte) string {
	t.Helper()
	found := filesWith(t, filepath.Join(dir, "packs"), marker)
	if len(found) != 1 {
		t.Fatalf("the marker is in %v", found)
	}
	return found[0]
}
