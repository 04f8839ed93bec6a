package cache_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/cache"
	"github.com/phrd/phrd/lock"
)

// folder is a cache with its folder.
type folder struct {
	*cache.Cache
	t   *testing.T
	dir string
}

func newFolder(t *testing.T, options cache.Options) folder {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cache")
	c, err := cache.New(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	return folder{c, t, dir}
}

// keep keeps all blocks of an object.
func (f folder) keep(o *blobtest.Object) {
	reader := f.Open(o.Root)
	defer reader.Close()
	for _, c := range o.CIDs {
		reader.Keep(c, o.Blocks[c])
	}
}

// holds tells how many blocks of an object are there, and checks their bytes.
func (f folder) holds(o *blobtest.Object) (held int) {
	f.t.Helper()
	reader := f.Open(o.Root)
	defer reader.Close()
	for _, c := range o.CIDs {
		block, err := reader.Get(f.t.Context(), c)
		switch {
		case errors.Is(err, blob.ErrNotFound):
		case err != nil || !bytes.Equal(block, o.Blocks[c]):
			f.t.Fatalf("block %s: %d bytes, %v", c, len(block), err)
		default:
			held++
		}
	}
	return held
}

// files are the paths of all files.
func (f folder) files() []string {
	f.t.Helper()
	entries, err := os.ReadDir(f.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		f.t.Fatal(err)
	}
	paths := make([]string, len(entries))
	for i, e := range entries {
		paths[i] = filepath.Join(f.dir, e.Name())
	}
	return paths
}

// object has so many leaves of 4096 bytes and one inner node.
func object(seed uint64, leaves int) *blobtest.Object {
	sizes := make([]int, leaves)
	for i := range sizes {
		sizes[i] = 4096
	}
	return blobtest.NewObject(seed, sizes...)
}

func TestWhatIsKeptIsFound(t *testing.T) {
	f := newFolder(t, cache.Options{Size: 1 << 20})
	o := object(1, 3)
	if held := f.holds(o); held != 0 {
		t.Fatalf("an empty cache holds %d", held)
	}
	f.keep(o)
	f.keep(o)
	if held := f.holds(o); held != 4 || len(f.files()) != 4 {
		t.Errorf("%d blocks in %d files, want 4", held, len(f.files()))
	}
	if s := f.Stats(); s.Hits != 4 || s.Misses != 4 || s.Blocks != 4 || s.Bytes != 4*4096 || s.Evicted+s.Damaged+s.Refused != 0 {
		t.Errorf("%+v", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Get(ctx, o.Root); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled Get: %v", err)
	}
	// The next process begins with nothing.
	if _, err := cache.New(f.dir, cache.Options{Size: 1 << 20}); err != nil || len(f.files()) != 0 {
		t.Errorf("%d files are left, %v", len(f.files()), err)
	}
}

func TestACacheOfNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	sized, err := cache.New(dir, cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := object(1, 3)
	for _, c := range []*cache.Cache{{}, sized} {
		f := folder{c, t, dir}
		f.keep(o)
		if held := f.holds(o); held != 0 {
			t.Errorf("it holds %d", held)
		}
		if err := f.Erase([]lock.CID{o.Root}); err != nil {
			t.Error(err)
		}
		f.Give(1 << 20)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder of nothing: %v", err)
	}
	if _, err := cache.New(dir, cache.Options{Size: -1}); err == nil {
		t.Error("a negative size is taken")
	}
}

// What was used longest ago goes first, and the files take no more than they may.
func TestOldestUsedGoFirst(t *testing.T) {
	f := newFolder(t, cache.Options{Size: 10 * 4096})
	o := object(1, 30)
	reader := f.Open(o.Root)
	defer reader.Close()
	for i, c := range o.CIDs {
		reader.Keep(c, o.Blocks[c])
		if _, err := reader.Get(t.Context(), o.CIDs[0]); err != nil {
			t.Fatalf("what is used all the time left after %d: %v", i, err)
		}
	}
	if held := f.holds(o); held > 10 || held < 9 {
		t.Errorf("%d blocks of 10 fit", held)
	}
	if _, err := f.Get(t.Context(), o.CIDs[1]); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("the oldest is there: %v", err)
	}
	s := f.Stats()
	if s.Bytes > 10*4096 || s.Evicted == 0 || s.EvictedBytes < s.Evicted*4096 || int64(len(f.files())) != s.Blocks {
		t.Errorf("%+v, %d files", s, len(f.files()))
	}
	large, block := blobtest.Block(99, 10*4096+1)
	reader.Keep(large, block)
	if got := f.Stats(); got.Blocks != s.Blocks {
		t.Errorf("for what can't fit others went: %+v", got)
	}
	f.Give(2 * 4096)
	if got := f.Stats(); got.Bytes > s.Bytes-2*4096 {
		t.Errorf("%d bytes, gave up too few of %d", got.Bytes, s.Bytes)
	}
	f.Give(1 << 62)
	if got := f.Stats(); got.Bytes != 0 || len(f.files()) != 0 {
		t.Errorf("%d bytes in %d files are left", got.Bytes, len(f.files()))
	}
}

func TestDamageIsNotServed(t *testing.T) {
	f := newFolder(t, cache.Options{Size: 1 << 20})
	o := object(1, 2)
	f.keep(o)
	damage := []func(path string) error{
		func(path string) error {
			content, err := os.ReadFile(path)
			content[7] ^= 1
			return errors.Join(err, os.WriteFile(path, content, 0o600))
		},
		func(path string) error { return os.Truncate(path, 10) },
		os.Remove,
	}
	for i, path := range f.files() {
		if err := damage[i](path); err != nil {
			t.Fatal(err)
		}
	}
	if held := f.holds(o); held != 0 {
		t.Errorf("%d damaged blocks are served", held)
	}
	if s := f.Stats(); s.Damaged != 3 || s.Blocks != 0 || s.Bytes != 0 || len(f.files()) != 0 {
		t.Errorf("%+v, %d files", s, len(f.files()))
	}
	f.keep(o)
	if held := f.holds(o); held != 3 {
		t.Errorf("%d of 3 blocks after they came again", held)
	}
}

// An object goes with all that was kept for it, also where its inner nodes have gone before,
// and who reads it keeps nothing more. Others stay.
func TestErasedObjects(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	f := newFolder(t, cache.Options{Size: 1 << 20, Now: func() time.Time { return at }})
	gone, stays := object(1, 5), object(2, 5)
	f.keep(stays)
	reader := f.Open(gone.Root)
	defer reader.Close()
	for _, c := range gone.CIDs[:4] { // not the root
		reader.Keep(c, gone.Blocks[c])
	}
	envelope, sealed := blobtest.Block(77, 500)
	other := f.Open(stays.Root)
	defer other.Close()
	other.Keep(envelope, sealed)

	if err := f.Erase([]lock.CID{gone.Root, envelope}); err != nil {
		t.Fatal(err)
	}
	for _, c := range gone.CIDs {
		reader.Keep(c, gone.Blocks[c])
	}
	late := f.Open(gone.Root)
	late.Keep(gone.CIDs[0], gone.Blocks[gone.CIDs[0]])
	late.Close()
	if held := f.holds(gone); held != 0 {
		t.Errorf("%d blocks of an erased object", held)
	}
	if _, err := f.Get(t.Context(), envelope); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("an erased single block: %v", err)
	}
	if held := f.holds(stays); held != 6 || len(f.files()) != 6 {
		t.Errorf("%d of 6 blocks of another object, in %d files", held, len(f.files()))
	}
	// A long reading keeps nothing however long it lasts.
	at = at.Add(24 * time.Hour)
	if err := f.Erase(nil); err != nil {
		t.Fatal(err)
	}
	reader.Keep(gone.CIDs[0], gone.Blocks[gone.CIDs[0]])
	if held := f.holds(gone); held != 0 {
		t.Errorf("%d blocks were kept by who began before", held)
	}
}

// A full disk is left to whoever was promised it.
func TestCacheGivesWay(t *testing.T) {
	free := uint64(1 << 30)
	var broken error
	f := newFolder(t, cache.Options{Size: 1 << 30, Leave: 1 << 20, Free: func() (uint64, error) { return free, broken }})
	first, second := object(1, 5), object(2, 5)
	f.keep(first)
	free = 1<<20 - 1
	f.keep(second)
	if s := f.Stats(); s.Blocks != 0 || s.Refused == 0 || s.Evicted != 6 {
		t.Errorf("below what is left to others: %+v", s)
	}
	free = 1 << 20
	f.keep(second)
	if held := f.holds(second); held != 6 {
		t.Errorf("%d of 6 with room again", held)
	}
	free = 0
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f.Run(ctx) }()
		time.Sleep(time.Minute)
		if s := f.Stats(); s.Blocks != 0 {
			t.Errorf("%d blocks on a disk that others have filled", s.Blocks)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	free = 1 << 20
	broken = errors.New("input/output error")
	f.keep(first)
	if held := f.holds(first); held != 0 {
		t.Errorf("%d on a disk that does not answer", held)
	}
	broken = nil
	if err := os.RemoveAll(f.dir); err != nil {
		t.Fatal(err)
	}
	f.keep(first)
	if s := f.Stats(); s.Blocks != 0 || s.Bytes != 0 {
		t.Errorf("without a folder: %+v", s)
	}
}

func TestManyAtOnce(t *testing.T) {
	f := newFolder(t, cache.Options{Size: 20 * 4096})
	var group sync.WaitGroup
	for seed := range uint64(8) {
		o := object(seed%4, 9)
		group.Go(func() {
			for range 20 {
				f.keep(o)
				f.holds(o)
				if err := f.Erase([]lock.CID{o.CIDs[0]}); err != nil {
					t.Error(err)
				}
				f.Give(4096)
			}
		})
	}
	group.Wait()
	s := f.Stats()
	if s.Bytes > 20*4096 || s.Bytes != s.Blocks*4096 || int64(len(f.files())) != s.Blocks {
		t.Errorf("%+v, %d files", s, len(f.files()))
	}
}
