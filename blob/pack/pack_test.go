package pack_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/pack"
	"github.com/phrd/phrd/lock"
)

// damages collects what a store reports.
type damages struct {
	mu   sync.Mutex
	seen []pack.Damage
}

func (d *damages) report(damage pack.Damage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = append(d.seen, damage)
}

// take returns what was reported since the last call.
func (d *damages) take() []pack.Damage {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := d.seen
	d.seen = nil
	return seen
}

// openWith opens a store that ends with the test.
func openWith(t *testing.T, dir string, options pack.Options) *pack.Store {
	t.Helper()
	if options.Reserve == 0 {
		options.Reserve = -1
	}
	s, err := pack.Open(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// open opens a store and fails the test on any damage.
func open(t *testing.T, dir string) *pack.Store {
	t.Helper()
	return openWith(t, dir, pack.Options{Report: func(d pack.Damage) { t.Errorf("unexpected damage: %s", d) }})
}

// closeStore closes a store before its test ends.
func closeStore(t *testing.T, s *pack.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// blocks returns n blocks of the same size.
func blocks(seed uint64, n, size int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		_, out[i] = blobtest.Block(seed<<32+uint64(i), size)
	}
	return out
}

func cidOf(block []byte) lock.CID { return lock.RawCID(sha256.Sum256(block)) }

func mustStore(t *testing.T, s *pack.Store, hint blob.Hint, blocks ...[]byte) {
	t.Helper()
	if err := blobtest.Store(t.Context(), s, hint, blocks...); err != nil {
		t.Fatal(err)
	}
}

func mustHold(t *testing.T, s *pack.Store, blocks ...[]byte) {
	t.Helper()
	for i, b := range blocks {
		if err := blobtest.Holds(t.Context(), s, b); err != nil {
			t.Fatalf("block %d: %v", i, err)
		}
	}
}

func mustLack(t *testing.T, s *pack.Store, blocks ...[]byte) {
	t.Helper()
	for i, b := range blocks {
		if err := blobtest.Lacks(t.Context(), s, cidOf(b)); err != nil {
			t.Fatalf("block %d: %v", i, err)
		}
	}
}

// packs returns the paths of the packs of a store.
func packs(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "packs", "*.pack"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestPackStoreKeepsTheContract(t *testing.T) {
	for _, c := range blobtest.Cases {
		t.Run(c.Name, func(t *testing.T) {
			if err := c.Run(t.Context(), open(t, t.TempDir())); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestBlocksSurviveReopening(t *testing.T) {
	dir := t.TempDir()
	small, large := blocks(1, 50, 2000), blocks(2, 5, blob.MaxBlock)
	s := open(t, dir)
	mustStore(t, s, blob.Hint{}, small...)
	mustStore(t, s, blob.Hint{Size: blob.LargeObject}, large...)
	for range 3 {
		closeStore(t, s)
		s = open(t, dir)
		mustHold(t, s, small...)
		mustHold(t, s, large...)
	}
}

func TestIndexIsRebuiltFromPacks(t *testing.T) {
	dir := t.TempDir()
	first, second := blocks(1, 50, 2000), blocks(2, 50, 2000)
	s := open(t, dir)
	mustStore(t, s, blob.Hint{}, first...)
	closeStore(t, s)
	behind := filepath.Join(t.TempDir(), "index")
	if err := os.CopyFS(behind, os.DirFS(filepath.Join(dir, "index"))); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	mustStore(t, s, blob.Hint{}, second...)
	closeStore(t, s)

	t.Run("missing", func(t *testing.T) {
		if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir)
		mustHold(t, s, first...)
		mustHold(t, s, second...)
		closeStore(t, s)
	})
	t.Run("behind", func(t *testing.T) {
		if err := errors.Join(os.RemoveAll(filepath.Join(dir, "index")), os.CopyFS(filepath.Join(dir, "index"), os.DirFS(behind))); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir)
		mustHold(t, s, first...)
		mustHold(t, s, second...)
		closeStore(t, s)
	})
	t.Run("damaged", func(t *testing.T) {
		manifests, err := filepath.Glob(filepath.Join(dir, "index", "MANIFEST-*"))
		if err != nil || len(manifests) == 0 {
			t.Fatalf("manifests of the index: %v, %v", manifests, err)
		}
		for _, path := range manifests {
			if err := os.WriteFile(path, []byte("not a manifest"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var d damages
		s := openWith(t, dir, pack.Options{Report: d.report})
		mustHold(t, s, first...)
		mustHold(t, s, second...)
		if seen := d.take(); len(seen) != 1 || seen[0].File != "index" {
			t.Errorf("reported %v, want the index alone", seen)
		}
		closeStore(t, s)
	})
}

func TestSmallObjectsShareAPackPerHour(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	now := time.Date(2026, 11, 24, 10, 59, 0, 0, time.UTC)
	s := openWith(t, dir, pack.Options{Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}, SharedSize: 1 << 20})
	store := func(seed uint64, want int) {
		t.Helper()
		b := blocks(seed, 3, 1000)
		mustStore(t, s, blob.Hint{}, b...)
		mustHold(t, s, b...)
		if got := len(packs(t, dir)); got != want {
			t.Errorf("object %d: %d packs, want %d", seed, got, want)
		}
	}
	store(1, 1)
	store(2, 1)
	mu.Lock()
	now = now.Add(2 * time.Minute)
	mu.Unlock()
	store(3, 2)
	store(4, 2)
	mustStore(t, s, blob.Hint{Size: blob.LargeObject}, blocks(5, 4, blob.MaxBlock)...)
	if got := len(packs(t, dir)); got != 3 {
		t.Errorf("%d packs after a large object, want 3", got)
	}
	mustStore(t, s, blob.Hint{}, blocks(6, 4, 300<<10)...)
	store(7, 4)
}

func TestOnlyTheOwnerMayRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "store")
	s := open(t, dir)
	mustStore(t, s, blob.Hint{}, blocks(1, 1, 100)...)
	if err := s.Erase(t.Context(), []lock.CID{cidOf(blocks(1, 1, 100)[0])}, nil); err != nil {
		t.Fatal(err)
	}
	mustStore(t, s, blob.Hint{}, blocks(2, 1, 100)...)
	for _, name := range []string{".", "packs", "index"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("folder %s: %v, %v, want 0700", name, info.Mode(), err)
		}
	}
	for _, path := range append(packs(t, dir), filepath.Join(dir, "erased"), filepath.Join(dir, "LOCK")) {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("file %s: %v, %v, want 0600", path, info.Mode(), err)
		}
	}
}

func TestStoreBelowItsReserveIsFull(t *testing.T) {
	dir := t.TempDir()
	held := blocks(1, 3, 1000)
	s := open(t, dir)
	mustStore(t, s, blob.Hint{}, held...)
	closeStore(t, s)
	s = openWith(t, dir, pack.Options{Reserve: 1 << 62})
	if err := blobtest.Store(t.Context(), s, blob.Hint{}, blocks(2, 1, 1000)...); !errors.Is(err, blob.ErrFull) {
		t.Errorf("got %v, want %v", err, blob.ErrFull)
	}
	mustLack(t, s, blocks(2, 1, 1000)...)
	mustHold(t, s, held...)
}

func TestUnfinishedBatchesLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for _, hint := range []blob.Hint{{}, {Size: blob.LargeObject}} {
		batch, err := s.Begin(t.Context(), hint)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks(hint.Size, 3, blob.MaxBlock) {
			if err := batch.Put(cidOf(b), b); err != nil {
				t.Fatal(err)
			}
		}
		if err := batch.Close(); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	if got := packs(t, dir); len(got) != 0 {
		t.Errorf("left %v", got)
	}
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	closeStore(t, open(t, dir))
	foreign := filepath.Join(dir, "packs", "notes.txt")
	unfinished := filepath.Join(dir, "packs", "00112233445566778899aabbccddeeff.tmp")
	if err := errors.Join(os.WriteFile(foreign, []byte("x"), 0o600), os.WriteFile(unfinished, []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	var d damages
	openWith(t, dir, pack.Options{Report: d.report})
	if seen := d.take(); len(seen) != 1 || seen[0].File != "packs/notes.txt" {
		t.Errorf("reported %v", seen)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("foreign file: %v", err)
	}
	if _, err := os.Stat(unfinished); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unfinished pack: %v, want it removed", err)
	}
}

func TestReadersAndErasersGoOnTogether(t *testing.T) {
	s := open(t, t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stay := blocks(1, 20, 3000)
	mustStore(t, s, blob.Hint{}, stay...)
	var group sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				for _, b := range stay {
					if err := blobtest.Holds(ctx, s, b); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	group.Go(func() {
		defer close(done)
		for i := range uint64(30) {
			gone := blocks(100+i, 2, 3000)
			if err := blobtest.Store(ctx, s, blob.Hint{}, gone...); err != nil {
				t.Error(err)
				return
			}
			if err := s.Erase(ctx, []lock.CID{cidOf(gone[0]), cidOf(gone[1])}, nil); err != nil {
				t.Error(err)
				return
			}
		}
	})
	group.Go(func() {
		for i := range uint64(30) {
			if err := blobtest.Store(ctx, s, blob.Hint{}, blocks(200+i, 3, 2000)...); err != nil {
				t.Error(err)
				return
			}
		}
	})
	group.Wait()
	for i := range uint64(30) {
		mustHold(t, s, blocks(200+i, 3, 2000)...)
	}
}

func cids(blocks ...[]byte) []lock.CID {
	var out []lock.CID
	for _, b := range blocks {
		out = append(out, cidOf(b))
	}
	return out
}
