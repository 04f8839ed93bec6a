package node_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/blob/pack"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
	"github.com/phrd/phrd/wallet"
)

const (
	assigned = storagev1.CopyStatus_COPY_STATUS_ASSIGNED
	held     = storagev1.CopyStatus_COPY_STATUS_HELD
	lost     = storagev1.CopyStatus_COPY_STATUS_LOST
)

// hospital is one server: a store, an IPFS node, and what runs beside consensus.
type hospital struct {
	t      *testing.T
	l      *ledger
	number uint64
	key    *wallet.Key
	store  blob.Store
	ipfs   *ipfs.Node
	chain  *node.Client
	peers  *node.Peers
}

// ipfsKey is the key of the n-th IPFS node.
func ipfsKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

// newHospital registers a hospital on the chain, with a store that the test has opened, and
// keeps its peers.
func newHospital(t *testing.T, l *ledger, store blob.Store) *hospital {
	t.Helper()
	h := &hospital{t: t, l: l, key: newKey(t), store: store}
	l.set(func() { h.number = uint64(len(l.nodes) + 1) })
	h.startIPFS("/ip4/127.0.0.1/tcp/0")
	number := l.addNode(h.key.Address(), h.ipfs.PeerID().String(), h.ipfs.Addrs()[0].String())
	if number != h.number {
		t.Fatalf("registered as %d, want %d", number, h.number)
	}
	h.chain = l.client(t, h.key, nil)
	h.keepPeers()
	return h
}

func (h *hospital) startIPFS(listen string) {
	h.t.Helper()
	var err error
	h.ipfs, err = ipfs.New(h.t.Context(), ipfs.Config{
		Store: h.store, Key: ipfsKey(byte(h.number)), Listen: []string{listen}, Patience: 4 * time.Second,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	n := h.ipfs
	h.t.Cleanup(func() {
		if err := n.Close(); err != nil {
			h.t.Error(err)
		}
	})
}

func (h *hospital) keepPeers() {
	h.t.Helper()
	var err error
	if h.peers, err = node.NewPeers(node.PeersConfig{Chain: h.chain, Node: h.ipfs, Log: quiet(h.t)}); err != nil {
		h.t.Fatal(err)
	}
	run(h.t, h.peers.Run, nil)
}

// run runs a worker until the test ends or the function that it returns is called. It must
// end with the error want.
func run(t *testing.T, worker func(context.Context) error, want error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- worker(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, want) {
			t.Errorf("worker ended with %v, want %v", err, want)
		}
	})
	t.Cleanup(stop)
	return stop
}

// replicator returns a hospital's replicator.
func (h *hospital) replicator(change func(*node.ReplicatorConfig)) *node.Replicator {
	h.t.Helper()
	config := node.ReplicatorConfig{Chain: h.chain, Store: h.store, Copier: h.ipfs, Peers: h.peers, Log: quiet(h.t)}
	if change != nil {
		change(&config)
	}
	r, err := node.NewReplicator(config)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func openPack(t *testing.T, dir string) *pack.Store {
	t.Helper()
	s, err := pack.Open(dir, pack.Options{Reserve: -1, Report: func(pack.Damage) {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// scan is an object with an envelope beside it.
type scan struct {
	*blobtest.Object
	envelope lock.CID
	block    []byte
	padded   uint64
}

// newScan makes an object of total bytes and stores it at a hospital.
func newScan(t *testing.T, at blob.Store, seed uint64, total int) scan {
	t.Helper()
	s := scan{Object: blobtest.NewObject(seed, blobtest.Sizes(total)...), padded: uint64(total)}
	s.envelope, s.block = blobtest.Block(seed<<40, 3000)
	if err := s.Put(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if err := blobtest.Store(t.Context(), at, blob.Hint{}, s.block); err != nil {
		t.Fatal(err)
	}
	return s
}

// cid is the text of the root.
func (s scan) cid() string { return s.Root.String() }

// placed is the object as the chain describes it.
func (s scan) placed(origin *hospital) *storagev1.Object {
	return &storagev1.Object{Cid: s.cid(), Size: s.padded, Attached: []string{s.envelope.String()}, Origin: origin.number, Target: 3}
}

// all are all blocks of the object and its envelope.
func (s scan) all() []lock.CID { return append(slices.Clone(s.CIDs), s.envelope) }

// complete tells whether a store holds all of it, read from the disk.
func (s scan) complete(ctx context.Context, store blob.Store) error {
	if err := blob.Verify(ctx, store, s.Root, s.Bytes); err != nil {
		return err
	}
	_, err := store.Get(ctx, s.envelope)
	return err
}

// checkConfirmations makes the chain look into a hospital's store at each confirmation.
func checkConfirmations(t *testing.T, l *ledger, h *hospital, scans ...scan) {
	t.Helper()
	l.set(func() {
		l.confirmed = func(account, cid string) {
			for _, s := range scans {
				if account != h.key.Address() || s.cid() != cid {
					continue
				}
				if err := s.complete(t.Context(), h.store); err != nil {
					t.Errorf("%s was confirmed: %v", cid, err)
				}
			}
		}
	})
}

func (h *hospital) awaitCopy(cid string, want storagev1.CopyStatus) {
	h.t.Helper()
	eventually(h.t, "copy of "+cid+" at node is "+want.String(), func() bool { return h.l.copyOf(cid, h.number) == want })
}

func TestAssignedCopiesAreFetchedAndConfirmed(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	clinic := newHospital(t, l, openPack(t, t.TempDir()))
	heart := newHospital(t, l, openPack(t, t.TempDir()))
	hill := newHospital(t, l, openPack(t, t.TempDir()))

	large := newScan(t, clinic.store, 1, 9<<20+700)
	small := newScan(t, clinic.store, 2, 5000)
	vault, block := blobtest.Block(99, 4000)
	if err := blobtest.Store(t.Context(), clinic.store, blob.Hint{}, block); err != nil {
		t.Fatal(err)
	}
	checkConfirmations(t, l, heart, large, small)
	l.place(large.placed(clinic), clinic.number, heart.number, hill.number)
	l.place(small.placed(clinic), heart.number)
	for _, h := range []*hospital{clinic, heart, hill} {
		run(t, h.replicator(nil).Run, nil)
	}
	// One is placed while the replicators run.
	l.place(&storagev1.Object{Cid: vault.String(), Size: 4000, Origin: clinic.number}, hill.number)

	for _, h := range []*hospital{clinic, heart, hill} {
		h.awaitCopy(large.cid(), held)
		if err := large.complete(t.Context(), h.store); err != nil {
			t.Error(err)
		}
	}
	heart.awaitCopy(small.cid(), held)
	hill.awaitCopy(vault.String(), held)
	if err := blobtest.Holds(t.Context(), hill.store, block); err != nil {
		t.Error(err)
	}
	// What was not assigned did not come.
	if err := blobtest.Lacks(t.Context(), heart.store, vault); err != nil {
		t.Error(err)
	}
}

func TestManySmallObjectsAreConfirmedInBatches(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	clinic, heart := newHospital(t, l, memory.New()), newHospital(t, l, memory.New())
	const many = 330
	var scans []scan
	for i := range uint64(many) {
		s := newScan(t, clinic.store, 1+i, 200)
		scans = append(scans, s)
		l.place(s.placed(clinic), heart.number)
	}
	run(t, heart.replicator(nil).Run, nil)
	for _, s := range scans {
		heart.awaitCopy(s.cid(), held)
	}
	l.set(func() {
		sum := 0
		for _, n := range l.batches {
			if sum += n; n > 100 {
				t.Errorf("a batch of %d", n)
			}
		}
		// An object whose confirmation crossed a scan may be confirmed twice.
		if sum < many || sum > many+many/10 || len(l.batches) > many/3 {
			t.Errorf("%d confirmations in %d messages", sum, len(l.batches))
		}
	})
}

// meddler is a Copier that does something to the store after the first fetch of an object.
type meddler struct {
	*ipfs.Node
	meddle func()
	calls  atomic.Int64
}

func (m *meddler) Fetch(ctx context.Context, root lock.CID, peers []peer.AddrInfo, budget uint64) error {
	err := m.Node.Fetch(ctx, root, peers, budget)
	if m.calls.Add(1) == 1 && err == nil {
		m.meddle()
	}
	return err
}

func TestNothingIsConfirmedBeforeEveryLeafWasReadBack(t *testing.T) {
	for _, test := range []struct {
		name string
		// meddle spoils the leaf in the store in this folder.
		meddle func(t *testing.T, dir string, store blob.Store, leaf lock.CID, block []byte)
		tries  int64
	}{
		{"twin: nothing happens", func(*testing.T, string, blob.Store, lock.CID, []byte) {}, 1},
		{"a leaf is erased after the fetch", func(t *testing.T, _ string, store blob.Store, leaf lock.CID, _ []byte) {
			t.Helper()
			if err := store.Erase(t.Context(), []lock.CID{leaf}, nil); err != nil {
				t.Error(err)
			}
		}, 2},
		{"a byte of a leaf flips on the disk", flipOnDisk, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLedger(t)
			l.commitAlways()
			dir := t.TempDir()
			clinic, heart := newHospital(t, l, memory.New()), newHospital(t, l, openPack(t, dir))
			s := newScan(t, clinic.store, 1, 6<<20)
			checkConfirmations(t, l, heart, s)
			l.place(s.placed(clinic), heart.number)
			heart.awaitPeers(clinic)
			m := &meddler{Node: heart.ipfs}
			m.meddle = func() { test.meddle(t, dir, heart.store, s.CIDs[3], s.Blocks[s.CIDs[3]]) }
			run(t, heart.replicator(func(c *node.ReplicatorConfig) { c.Copier = m }).Run, nil)
			heart.awaitCopy(s.cid(), held)
			if got := m.calls.Load(); got != test.tries {
				t.Errorf("confirmed after %d fetches, want %d", got, test.tries)
			}
		})
	}
}

// flipOnDisk flips a byte of a block in the pack that holds it.
func flipOnDisk(t *testing.T, dir string, _ blob.Store, _ lock.CID, block []byte) {
	t.Helper()
	packs, err := filepath.Glob(filepath.Join(dir, "packs", "*.pack"))
	if err != nil {
		t.Error(err)
	}
	flipped := 0
	for _, path := range packs {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		at := bytes.Index(content, block)
		if at < 0 {
			continue
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			continue
		}
		_, err = f.WriteAt([]byte{block[500] ^ 1}, int64(at+500))
		if err := errors.Join(err, f.Close()); err != nil {
			t.Error(err)
		}
		flipped++
	}
	if flipped != 1 {
		t.Errorf("the block was in %d packs", flipped)
	}
}

func TestCopiesComeFromWhoeverHoldsThem(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	clinic, heart, hill := newHospital(t, l, memory.New()), newHospital(t, l, memory.New()), newHospital(t, l, memory.New())
	s := newScan(t, clinic.store, 1, 3<<20)
	l.place(s.placed(clinic), heart.number, hill.number)
	run(t, heart.replicator(nil).Run, nil)
	heart.awaitCopy(s.cid(), held)
	// The origin goes away and had never confirmed a copy of its own.
	if err := clinic.ipfs.Close(); err != nil {
		t.Fatal(err)
	}
	run(t, hill.replicator(nil).Run, nil)
	hill.awaitCopy(s.cid(), held)
	if err := s.complete(t.Context(), hill.store); err != nil {
		t.Error(err)
	}
}

// recorder is a Copier that notes from whom each object was fetched first.
type recorder struct {
	*ipfs.Node
	mu    sync.Mutex
	first map[lock.CID][]peer.ID
}

func (r *recorder) Fetch(ctx context.Context, root lock.CID, peers []peer.AddrInfo, budget uint64) error {
	r.mu.Lock()
	if _, again := r.first[root]; !again {
		for _, p := range peers {
			r.first[root] = append(r.first[root], p.ID)
		}
	}
	r.mu.Unlock()
	return r.Node.Fetch(ctx, root, peers, budget)
}

func TestNodesThatAreToHoldACopyFeedEachOther(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	clinic, heart := newHospital(t, l, memory.New()), newHospital(t, l, memory.New())
	hill, away := newHospital(t, l, memory.New()), newHospital(t, l, memory.New())
	s := newScan(t, clinic.store, 1, 3<<20)
	l.place(s.placed(clinic), heart.number, hill.number)
	for _, h := range []*hospital{heart, hill} {
		eventually(t, "all others are known", func() bool { return len(h.peers.All()) == 3 })
	}
	r := &recorder{Node: heart.ipfs, first: map[lock.CID][]peer.ID{}}
	run(t, heart.replicator(func(c *node.ReplicatorConfig) { c.Copier = r }).Run, nil)
	heart.awaitCopy(s.cid(), held)
	r.mu.Lock()
	defer r.mu.Unlock()
	if want := []peer.ID{clinic.ipfs.PeerID(), hill.ipfs.PeerID()}; !slices.Equal(r.first[s.Root], want) {
		t.Errorf("fetched from %v, want the origin and the other one that is to hold it, %v; away is %v", r.first[s.Root], want, away.ipfs.PeerID())
	}
}

func TestObjectThatNobodyHasIsTriedAgain(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	clinic, heart := newHospital(t, l, memory.New()), newHospital(t, l, memory.New())
	elsewhere := memory.New()
	s := newScan(t, elsewhere, 1, 3<<20)
	other := newScan(t, clinic.store, 2, 1<<20)
	l.place(s.placed(clinic), heart.number)
	l.place(other.placed(clinic), heart.number)
	m := &meddler{Node: heart.ipfs, meddle: func() {}}
	run(t, heart.replicator(func(c *node.ReplicatorConfig) { c.Copier = m }).Run, nil)
	// It does not hold up the others.
	heart.awaitCopy(other.cid(), held)
	eventually(t, "it was tried twice", func() bool { return m.calls.Load() >= 3 })
	if got := l.copyOf(s.cid(), heart.number); got != assigned {
		t.Errorf("copy is %s, want %s", got, assigned)
	}
	if err := s.Put(t.Context(), clinic.store); err != nil {
		t.Fatal(err)
	}
	if err := blobtest.Store(t.Context(), clinic.store, blob.Hint{}, s.block); err != nil {
		t.Fatal(err)
	}
	heart.awaitCopy(s.cid(), held)
}

// deadLine is a copier whose first fetch gets nothing for as long as it may.
type deadLine struct {
	*ipfs.Node
	asked chan struct{}
}

func (d *deadLine) Fetch(ctx context.Context, root lock.CID, peers []peer.AddrInfo, budget uint64) error {
	select {
	case d.asked <- struct{}{}:
		<-ctx.Done()
		return ctx.Err()
	default:
		return d.Node.Fetch(ctx, root, peers, budget)
	}
}

func TestWhatACourierBringsIsConfirmedWithoutTheLine(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	clinic, heart := newHospital(t, l, memory.New()), newHospital(t, l, memory.New())
	s := newScan(t, memory.New(), 1, 3<<20)
	checkConfirmations(t, l, heart, s)
	l.place(s.placed(clinic), heart.number)
	line := &deadLine{heart.ipfs, make(chan struct{}, 1)}
	r := heart.replicator(func(c *node.ReplicatorConfig) { c.Copier = line })
	run(t, r.Run, nil)
	eventually(t, "the copy is fetched", func() bool { return len(line.asked) == 1 })
	if err := s.Put(t.Context(), heart.store); err != nil {
		t.Fatal(err)
	}
	if err := blobtest.Store(t.Context(), heart.store, blob.Hint{}, s.block); err != nil {
		t.Fatal(err)
	}
	if got := l.copyOf(s.cid(), heart.number); got != assigned {
		t.Errorf("copy is %s, want %s", got, assigned)
	}
	r.Brought(newScan(t, memory.New(), 2, 1).Root) // of which nothing is known
	r.Brought(s.Root)
	heart.awaitCopy(s.cid(), held)
}

func TestObjectOverItsSizeIsNeverConfirmed(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	clinic, heart := newHospital(t, l, memory.New()), newHospital(t, l, memory.New())
	s := newScan(t, clinic.store, 1, 6<<20)
	small := s.placed(clinic)
	small.Size = 1 << 20
	l.place(small, heart.number)
	vault, block := blobtest.Block(99, 4000)
	if err := blobtest.Store(t.Context(), clinic.store, blob.Hint{}, block); err != nil {
		t.Fatal(err)
	}
	l.place(&storagev1.Object{Cid: vault.String(), Size: 3999, Origin: clinic.number}, heart.number)
	m := &meddler{Node: heart.ipfs, meddle: func() {}}
	run(t, heart.replicator(func(c *node.ReplicatorConfig) { c.Copier = m }).Run, nil)
	eventually(t, "it was tried twice", func() bool { return m.calls.Load() >= 2 })
	for _, c := range append(s.CIDs[:6], vault) {
		if err := blobtest.Lacks(t.Context(), heart.store, c); err != nil {
			t.Error(err)
		}
	}
	if got := l.copyOf(s.cid(), heart.number); got != assigned {
		t.Errorf("copy is %s, want %s", got, assigned)
	}
	if got := l.copyOf(vault.String(), heart.number); got != assigned {
		t.Errorf("copy of the single block is %s, want %s", got, assigned)
	}
}

func TestFailedStoreEndsTheReplicator(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	clinic, heart := newHospital(t, l, memory.New()), newHospital(t, l, memory.New())
	s := newScan(t, clinic.store, 1, 1<<20)
	l.place(s.placed(clinic), heart.number)
	if err := heart.store.Close(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- heart.replicator(nil).Run(t.Context()) }()
	if err := <-ended; !errors.Is(err, blob.ErrClosed) {
		t.Errorf("ended with %v, want %v", err, blob.ErrClosed)
	}
}

func TestLostCopiesAreReportedAndFetchedAgain(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	dir := t.TempDir()
	clinic, heart := newHospital(t, l, memory.New()), newHospital(t, l, openPack(t, dir))
	var scans []scan
	for i := range uint64(5) {
		s := newScan(t, clinic.store, 1+i, 5<<20)
		scans = append(scans, s)
		l.place(s.placed(clinic), heart.number)
	}
	stop := run(t, heart.replicator(nil).Run, nil)
	for _, s := range scans {
		heart.awaitCopy(s.cid(), held)
	}
	stop()

	// One loses a leaf, one its envelope, one a byte in each of two leaves, one half of its pack;
	// the fourth is sound.
	for _, c := range []lock.CID{scans[0].CIDs[1], scans[1].envelope} {
		if err := heart.store.Erase(t.Context(), []lock.CID{c}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range scans[2].CIDs[1:3] {
		flipOnDisk(t, dir, heart.store, c, scans[2].Blocks[c])
	}
	halve(t, dir, scans[4].Blocks[scans[4].CIDs[2]])
	r := heart.replicator(func(c *node.ReplicatorConfig) { c.ScrubRate = 1 << 30 })
	if err := r.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, want := range []storagev1.CopyStatus{lost, lost, lost, held, lost} {
		if got := l.copyOf(scans[i].cid(), heart.number); got != want {
			t.Errorf("copy %d is %s, want %s", i, got, want)
		}
	}
	stats := r.ScrubStats()
	if stats.Objects != 5 || stats.Blocks != 5*7 || stats.Missing != 2 || stats.Rotten < 3 || stats.Lost != 4 || stats.Healed != 0 {
		t.Errorf("scrubbed %+v", stats)
	}
	// A second look reports nothing twice: what is lost is no longer held.
	l.set(func() { l.batches = nil })
	if err := r.Scrub(t.Context()); err != nil || len(l.batches) != 0 {
		t.Errorf("%d reports, %v", len(l.batches), err)
	}
	checkConfirmations(t, l, heart, scans...)
	run(t, r.Run, nil)
	for _, s := range scans {
		heart.awaitCopy(s.cid(), held)
		if err := s.complete(t.Context(), heart.store); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "all are counted as healed", func() bool { return r.ScrubStats().Healed == 4 })
}

// halve cuts off the second half of the pack that holds a block.
func halve(t *testing.T, dir string, block []byte) {
	t.Helper()
	packs, err := filepath.Glob(filepath.Join(dir, "packs", "*.pack"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range packs {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(content, block) {
			continue
		}
		if err := os.Truncate(path, int64(len(content)/2)); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal("the block is in no pack")
}

// Rot that shows only when a copy is read back is looked for in all of it, so that a second
// fetch brings everything that lacks.
func TestRottenBlocksAreFetchedTogether(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	dir := t.TempDir()
	clinic, heart := newHospital(t, l, memory.New()), newHospital(t, l, openPack(t, dir))
	s := newScan(t, clinic.store, 1, 12<<20)
	if err := errors.Join(s.Put(t.Context(), heart.store), blobtest.Store(t.Context(), heart.store, blob.Hint{}, s.block)); err != nil {
		t.Fatal(err)
	}
	for _, c := range s.CIDs[:12] {
		flipOnDisk(t, dir, heart.store, c, s.Blocks[c])
	}
	checkConfirmations(t, l, heart, s)
	l.place(s.placed(clinic), heart.number)
	heart.awaitPeers(clinic)
	m := &meddler{Node: heart.ipfs, meddle: func() {}}
	run(t, heart.replicator(func(c *node.ReplicatorConfig) { c.Copier = m }).Run, nil)
	heart.awaitCopy(s.cid(), held)
	if got := m.calls.Load(); got != 2 {
		t.Errorf("confirmed after %d fetches, want 2", got)
	}
}

func TestScrubKeepsToItsRate(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	clinic, heart := newHospital(t, l, memory.New()), newHospital(t, l, memory.New())
	s := newScan(t, clinic.store, 1, 3<<20)
	l.place(s.placed(clinic), heart.number)
	stop := run(t, heart.replicator(nil).Run, nil)
	heart.awaitCopy(s.cid(), held)
	stop()
	// The first MiB is the burst; the other two take a quarter of a second each.
	begin := time.Now()
	if err := heart.replicator(func(c *node.ReplicatorConfig) { c.ScrubRate = 4 << 20 }).Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 450*time.Millisecond {
		t.Errorf("3 MiB at 4 MiB a second, 1 MiB at once: took %s", took)
	}
}

func TestReplicatorNeedsItsParts(t *testing.T) {
	if _, err := node.NewReplicator(node.ReplicatorConfig{}); err == nil {
		t.Error("made of nothing")
	}
	if _, err := node.NewPeers(node.PeersConfig{}); err == nil {
		t.Error("made of nothing")
	}
}
