package node_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/cache"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
	"github.com/phrd/phrd/wallet"
)

// site is a storage node of which the eraser alone runs.
type site struct {
	t      *testing.T
	l      *ledger
	key    *wallet.Key
	number uint64
	store  blob.Store
	guard  *node.Guard
	folder string
}

func newSite(t *testing.T, l *ledger, store blob.Store, folder string) *site {
	t.Helper()
	l.set(func() {
		if l.erased.attested == nil {
			l.erased.attested = map[uint64][]uint64{}
		}
	})
	s := &site{t: t, l: l, key: newKey(t), store: store, folder: folder}
	s.number = l.addNode(s.key.Address(), "peer", "/ip4/127.0.0.1/tcp/1")
	return s
}

// start runs the eraser on a new guard.
func (s *site) start(caches ...node.Cache) (stop func()) {
	s.t.Helper()
	s.guard = node.NewGuard(s.store, caches...)
	e, err := node.NewEraser(node.EraserConfig{
		Chain: s.l.client(s.t, s.key, nil), Guard: s.guard, Folder: s.folder, BackupDays: 7, Log: quiet(s.t),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return run(s.t, e.Run, nil)
}

// open waits until the store is shown.
func (s *site) open() {
	s.t.Helper()
	select {
	case <-s.guard.Opened():
	case <-time.After(time.Minute):
		s.t.Fatal("the store was not opened within a minute")
	}
}

func (s *site) attests(number uint64) {
	s.t.Helper()
	eventually(s.t, "the node attests", func() bool { return slices.Contains(s.l.attestations(number), s.number) })
}

// lacks fails unless the store holds none of the blocks.
func (s *site) lacks(blocks ...lock.CID) {
	s.t.Helper()
	for _, c := range blocks {
		if err := blobtest.Lacks(s.t.Context(), s.store, c); err != nil {
			s.t.Errorf("block %s: %v", c, err)
		}
	}
}

// has fails unless the store holds all of the blocks.
func (s *site) has(blocks ...lock.CID) {
	s.t.Helper()
	for _, c := range blocks {
		if _, err := s.store.Get(s.t.Context(), c); err != nil {
			s.t.Errorf("block %s: %v", c, err)
		}
	}
}

// put stores a block.
func (s *site) put(block []byte) lock.CID {
	s.t.Helper()
	if err := blobtest.Store(s.t.Context(), s.store, blob.Hint{}, block); err != nil {
		s.t.Fatal(err)
	}
	return lock.RawCID(sha256.Sum256(block))
}

func TestErasedObjectsAreDeletedAndAttested(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	s := newSite(t, l, memory.New(), t.TempDir())
	at := &hospital{number: s.number}
	gone, stays, small := newScan(t, s.store, 1, 5<<20), newScan(t, s.store, 2, 3<<20), newScan(t, s.store, 3, 5000)
	for _, o := range []scan{gone, stays, small} {
		l.place(o.placed(at), s.number)
	}
	rk, err := lock.GeneratePrivateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, capsule, _ := s.put(rk.Public().Bytes()), s.put([]byte("the owner's halves")), s.put([]byte("of another unlock"))
	other := s.put([]byte("no request key, but named as one"))
	names := func(cid, key, capsule string) *accessv1.Unlock {
		return &accessv1.Unlock{
			RequestKey: key, Approval: &accessv1.Approval{Capsule: capsule}, Versions: []*accessv1.UnlockVersion{{Record: cid, Version: 1}},
		}
	}
	beside := s.put([]byte("the halves of what stays"))
	l.set(func() {
		l.erased.patient = "alice"
		l.erased.unlocks = []*accessv1.Unlock{
			names(stays.cid(), key.String(), beside.String()), names(gone.cid(), other.String(), ""), names(gone.cid(), key.String(), capsule.String()),
		}
	})
	s.start()
	s.open()
	l.erase(gone.placed(at))
	s.attests(1)
	s.lacks(append(gone.all(), key, capsule)...)
	s.has(append(stays.all(), beside, other)...)

	l.erase(small.placed(at))
	s.attests(2)
	s.lacks(small.all()...)
	l.set(func() {
		for _, days := range l.erased.days {
			if days != 7 {
				t.Errorf("attested with backups of %d days", days)
			}
		}
	})
}

// A folder that comes back as it was brings its old position with it, so that what was
// erased since is erased again, before anybody is shown a block.
func TestRestoredFolderIsErasedAgain(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	folder := t.TempDir()
	store := openPack(t, folder)
	s := newSite(t, l, store, folder)
	at := &hospital{number: s.number}
	first, second, stays := newScan(t, store, 1, 9000), newScan(t, store, 2, 5<<20), newScan(t, store, 3, 9000)
	for _, o := range []scan{first, second, stays} {
		l.place(o.placed(at), s.number)
	}
	l.erase(first.placed(at))
	stop := s.start()
	s.attests(1)
	stop()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	backup := t.TempDir()
	if err := os.CopyFS(filepath.Join(backup, "blobs"), os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}

	s.store = openPack(t, folder)
	l.erase(second.placed(at))
	stop = s.start()
	s.attests(2)
	s.lacks(second.all()...)
	stop()

	s.folder = filepath.Join(backup, "blobs")
	s.store = openPack(t, s.folder)
	s.has(second.all()...)
	var looks atomic.Int64
	l.set(func() {
		l.catchingUp = true
		l.broken = func(method string) error {
			if strings.HasSuffix(method, "/GetSyncing") {
				looks.Add(1)
			}
			return nil
		}
	})
	s.start()
	eventually(t, "the node looks whether it is behind", func() bool { return looks.Load() > 1 })
	if _, err := s.guard.Get(t.Context(), second.Root); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("a node that is behind shows what was erased: %v", err)
	}
	l.set(func() { l.catchingUp = false })
	s.open()
	s.lacks(append(first.all(), second.all()...)...)
	s.has(stays.all()...)
	if got := l.attestations(2); len(got) != 1 {
		t.Errorf("attested %d times", len(got))
	}
}

// Whoever stores an object may name any block in it. What is named by another object that
// the node is to hold stays; what nobody else names goes.
func TestNobodyHasBlocksOfOthersErased(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	s := newSite(t, l, memory.New(), t.TempDir())
	at := &hospital{number: s.number}
	victim := newScan(t, s.store, 1, 3<<20)
	leaf := victim.CIDs[0]
	forged := &blobtest.Object{Blocks: map[lock.CID][]byte{}}
	own, block := blobtest.Block(77, 6000)
	forged.Add(own, block)
	size := uint64(len(victim.Blocks[leaf]))
	forged.Root = forged.Node(blob.Link{CID: leaf, Tree: size, Size: size}, blob.Link{CID: own, Tree: 6000, Size: 6000}).CID
	if err := forged.Put(t.Context(), s.store); err != nil {
		t.Fatal(err)
	}
	thief := scan{Object: forged, envelope: victim.envelope, padded: size + 6000}
	l.place(victim.placed(at), s.number)
	l.place(thief.placed(at), s.number)

	s.start()
	l.erase(thief.placed(at))
	s.attests(1)
	s.has(victim.all()...)
	s.lacks(own, forged.Root)
	l.erase(victim.placed(at))
	s.attests(2)
	s.lacks(victim.all()...)
}

// What a later version shares with an erased one stays until that one is erased too, although the
// chain does not have this node hold it: it may be where the others fetch it from.
func TestLeavesOfALaterVersionStay(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	s := newSite(t, l, memory.New(), t.TempDir())
	at := &hospital{number: s.number}
	first := newScan(t, s.store, 1, 3<<20)
	leaf := first.CIDs[0]
	changed := &blobtest.Object{Blocks: map[lock.CID][]byte{}}
	own, block := blobtest.Block(77, 6000)
	changed.Add(own, block)
	size := uint64(len(first.Blocks[leaf]))
	changed.Root = changed.Node(blob.Link{CID: leaf, Tree: size, Size: size}, blob.Link{CID: own, Tree: 6000, Size: 6000}).CID
	if err := changed.Put(t.Context(), s.store); err != nil {
		t.Fatal(err)
	}
	envelope, envelopeBlock := blobtest.Block(78, 3000)
	s.put(envelopeBlock)
	next := scan{Object: changed, envelope: envelope, padded: size + 6000}
	alone := slices.DeleteFunc(first.all(), func(c lock.CID) bool { return c == leaf })
	header := &recordsv1.Header{Patient: "alice"}
	version := &recordsv1.Version{Record: first.cid(), Version: 2, Object: next.cid(), SharesWith: 1, Header: header}
	earlier := &recordsv1.Version{Record: first.cid(), Version: 1, Object: first.cid(), Tombstone: &recordsv1.Tombstone{Erasure: 1}, Header: header}
	l.set(func() {
		l.erased.patient = "alice"
		l.archive.versions = map[string][]*recordsv1.Version{first.cid(): {earlier, version}}
	})
	s.start()
	l.erase(first.placed(at))
	s.attests(1)
	s.has(leaf, own, changed.Root, envelope)
	s.lacks(alone...)
	l.set(func() { version.Tombstone = &recordsv1.Tombstone{Erasure: 2} })
	l.erase(next.placed(at))
	s.attests(2)
	s.lacks(leaf, own, changed.Root, envelope)
}

// Whatever stands in the file, nothing is left out.
func TestPositionThatCantBeRead(t *testing.T) {
	for name, text := range map[string]string{
		"damaged": "erased", "ahead of the chain": "erased 9 attested 9\n", "attested what is not erased": "erased 0 attested 1\n",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			l.commitAlways()
			s := newSite(t, l, memory.New(), t.TempDir())
			gone := newScan(t, s.store, 1, 9000)
			l.erase(gone.placed(&hospital{number: s.number}))
			if err := os.WriteFile(filepath.Join(s.folder, "erasures"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			s.start()
			s.attests(1)
			s.lacks(gone.all()...)
		})
	}
}

// A copy that is under way does not bring back what was erased; later the block is one as
// any other.
func TestGuardTakesNoErasedBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		g := node.NewGuard(memory.New())
		c, block := blobtest.Block(1, 5000)
		other, otherBlock := blobtest.Block(2, 5000)
		batch, err := g.Begin(ctx, blob.Hint{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(batch.Put(c, block), batch.PutTrusted(other, otherBlock), batch.Sync(ctx)); err != nil {
			t.Fatal(err)
		}
		if has, err := g.Has(ctx, c); has || err != nil {
			t.Errorf("a closed guard shows a block: %v, %v", has, err)
		}
		if _, err := g.Cold().Get(ctx, c); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("a closed guard shows a block: %v", err)
		}
		g.Open()
		g.Open()
		if _, err := g.Get(ctx, c); err != nil {
			t.Error(err)
		}
		if n, err := g.Size(ctx, c); n != 5000 || err != nil {
			t.Errorf("size %d, %v", n, err)
		}
		if err := g.Erase(ctx, []lock.CID{c, other}, func(c lock.CID) bool { return c == other }); err != nil {
			t.Fatal(err)
		}
		for _, put := range []func(lock.CID, []byte) error{batch.Put, batch.PutTrusted} {
			if err := put(c, block); !errors.Is(err, blob.ErrErased) {
				t.Errorf("got %v, want %v", err, blob.ErrErased)
			}
			if err := put(other, otherBlock); err != nil {
				t.Errorf("what was kept: %v", err)
			}
		}
		time.Sleep(11 * time.Minute) // of the bubble's clock
		if err := errors.Join(batch.Put(c, block), batch.Sync(ctx), batch.Close()); err != nil {
			t.Error(err)
		}
		if _, err := g.Get(ctx, c); err != nil {
			t.Error(err)
		}
	})
}

func TestEraserNeedsItsParts(t *testing.T) {
	if _, err := node.NewEraser(node.EraserConfig{}); err == nil {
		t.Error("an eraser without a chain")
	}
}

// brokenCache fails so many times.
type brokenCache struct {
	fails  int
	erased []lock.CID
}

func (b *brokenCache) Erase(cids []lock.CID) error {
	if b.fails > 0 {
		b.fails--
		return errors.New("input/output error")
	}
	b.erased = append(b.erased, cids...)
	return nil
}

// What is erased goes from the cache as well, also what the store does not hold; a node attests
// nothing before it has.
func TestErasedObjectsLeaveTheCache(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	s := newSite(t, l, memory.New(), t.TempDir())
	gone := newScan(t, memory.New(), 1, 5<<20) // at other hospitals
	kept, err := cache.New(filepath.Join(t.TempDir(), "cache"), cache.Options{Size: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	reader := kept.Open(gone.Root)
	defer reader.Close()
	for c, block := range gone.Blocks {
		reader.Keep(c, block)
	}
	reader.Keep(gone.envelope, gone.block)
	if got := kept.Stats().Blocks; got != int64(len(gone.CIDs))+1 {
		t.Fatalf("%d blocks are kept", got)
	}
	broken := &brokenCache{fails: 1}
	l.place(gone.placed(&hospital{number: s.number}), s.number)
	l.erase(gone.placed(&hospital{number: s.number}))
	stop := s.start(kept, broken)
	defer stop()
	s.attests(1)
	if got := kept.Stats().Blocks; got != 0 {
		t.Errorf("%d blocks of an erased object are in the cache", got)
	}
	if broken.fails != 0 || !slices.Contains(broken.erased, gone.Root) {
		t.Errorf("the node attested what a cache could not erase: %d, %v", broken.fails, broken.erased)
	}
}
