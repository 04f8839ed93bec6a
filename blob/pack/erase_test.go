package pack_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/pack"
)

// filesWith returns the files below a folder that contain some bytes.
func filesWith(t *testing.T, dir string, marker []byte) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, marker) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestErasedBytesAreOnNoFile(t *testing.T) {
	for _, size := range []int{3000, blob.MaxBlock} {
		dir := t.TempDir()
		s := open(t, dir)
		b := blocks(1, 6, size)
		mustStore(t, s, blob.Hint{Size: uint64(6 * size)}, b...)
		marker := b[2][1000:1100]
		if len(filesWith(t, dir, marker)) != 1 {
			t.Fatalf("%d bytes: the marker is not in one file", size)
		}
		if err := s.Erase(t.Context(), cids(b[2], b[4]), nil); err != nil {
			t.Fatal(err)
		}
		for _, gone := range [][]byte{b[2], b[4]} {
			if found := filesWith(t, dir, gone[1000:1100]); len(found) != 0 {
				t.Errorf("%d bytes: erased bytes are in %v", size, found)
			}
		}
		closeStore(t, s)
		if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir)
		mustHold(t, s, b[0], b[1], b[3], b[5])
		mustLack(t, s, b[2], b[4])
		if err := s.Erase(t.Context(), cids(b...), nil); err != nil {
			t.Fatal(err)
		}
		if left := packs(t, dir); len(left) != 0 {
			t.Errorf("%d bytes: %v is left", size, left)
		}
	}
}

func TestEraseReachesOpenBatches(t *testing.T) {
	for _, hint := range []blob.Hint{{}, {Size: blob.LargeObject}} {
		dir := t.TempDir()
		s := open(t, dir)
		b := blocks(1, 4, 3000)
		batch, err := s.Begin(t.Context(), hint)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range b[:3] {
			if err := batch.Put(cidOf(block), block); err != nil {
				t.Fatal(err)
			}
		}
		// The batch has not synced, yet its bytes may be on the disk.
		if err := s.Erase(t.Context(), cids(b[0]), nil); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(batch.Put(cidOf(b[3]), b[3]), batch.Sync(t.Context()), batch.Close()); err != nil {
			t.Fatal(err)
		}
		mustLack(t, s, b[0])
		mustHold(t, s, b[1], b[2], b[3])
		if found := filesWith(t, dir, b[0][1000:1100]); len(found) != 0 {
			t.Errorf("erased bytes are in %v", found)
		}
	}
}

func TestRebuildHonoursTheJournal(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	b := blocks(1, 6, 3000)
	mustStore(t, s, blob.Hint{}, b...)
	closeStore(t, s)
	path := packs(t, dir)[0]
	backup, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if err := s.Erase(t.Context(), cids(b[1], b[3]), nil); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)

	// A backup brings the old pack back, as does a crash before it was removed.
	for _, index := range []bool{true, false} {
		if err := os.WriteFile(path, backup, 0o600); err != nil {
			t.Fatal(err)
		}
		if !index {
			if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
				t.Fatal(err)
			}
		}
		s = open(t, dir)
		mustLack(t, s, b[1], b[3])
		mustHold(t, s, b[0], b[2], b[4], b[5])
		if found := filesWith(t, filepath.Join(dir, "packs"), b[1][1000:1100]); len(found) != 0 {
			t.Errorf("erased bytes are back in %v", found)
		}
		if left := packs(t, dir); len(left) != 1 {
			t.Errorf("packs after the second rewrite: %v, want one", left)
		}
		closeStore(t, s)
	}
}

func TestJournalEndsTorn(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	b := blocks(1, 4, 3000)
	mustStore(t, s, blob.Hint{}, b...)
	if err := s.Erase(t.Context(), cids(b[0]), nil); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	path := filepath.Join(dir, "erased")
	whole, err := os.ReadFile(path)
	if err != nil || len(whole) != 64 {
		t.Fatalf("journal of %d bytes, %v", len(whole), err)
	}
	if err := os.WriteFile(path, append(whole, 1, 2, 3), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	mustLack(t, s, b[0])
	if err := s.Erase(t.Context(), cids(b[1]), nil); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	if now, err := os.ReadFile(path); err != nil || len(now) != 128 || !bytes.Equal(now[:64], whole) {
		t.Errorf("journal of %d bytes, %v", len(now), err)
	}

	whole[6] ^= 1
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	var d damages
	s = openWith(t, dir, pack.Options{Report: d.report})
	if seen := d.take(); len(seen) != 1 || seen[0].File != "erased" {
		t.Errorf("reported %v", seen)
	}
	mustHold(t, s, b[2], b[3])
}

func TestErasingAnUnreadableRecordRemovesItsBytes(t *testing.T) {
	// The header of the record is damaged and the index is lost, so nothing tells any more
	// that these bytes are the block's.
	l := newLayout(t)
	flipped := bytes.Clone(l.bytes)
	flipped[l.starts[2]+10] ^= 1
	var d damages
	dir := l.copyWith(t, flipped, false)
	s := openWith(t, dir, pack.Options{Report: d.report})
	marker := l.blocks[2][1000:1100]
	if len(filesWith(t, dir, marker)) != 1 {
		t.Fatal("the marker is not in one file")
	}
	if err := s.Erase(t.Context(), cids(l.blocks[2]), nil); err != nil {
		t.Fatal(err)
	}
	if found := filesWith(t, dir, marker); len(found) != 0 {
		t.Errorf("erased bytes are in %v", found)
	}
	for i, b := range l.blocks {
		if i != 2 {
			mustHold(t, s, b)
		}
	}
}
