package ipfs_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/lock"
)

const (
	loopback = "/ip4/127.0.0.1/tcp/0"
	// budget is more than any object of these tests needs.
	budget = 64 << 20
)

// key returns the key of the n-th node.
func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

// peerID returns the peer ID of the n-th node.
func peerID(tb testing.TB, n byte) peer.ID {
	tb.Helper()
	public, ok := key(n).Public().(ed25519.PublicKey)
	if !ok {
		tb.Fatal("not an Ed25519 key")
	}
	id, err := ipfs.PeerIDOf(public)
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

// list returns a list of allowed peers without addresses.
func list(tb testing.TB, ns ...byte) map[peer.ID][]multiaddr.Multiaddr {
	tb.Helper()
	peers := map[peer.ID][]multiaddr.Multiaddr{}
	for _, n := range ns {
		peers[peerID(tb, n)] = nil
	}
	return peers
}

// start starts the n-th node over a store, with a list of peers that it allows.
func start(tb testing.TB, n byte, store blob.Store, allowed ...byte) *ipfs.Node {
	tb.Helper()
	node, err := ipfs.New(tb.Context(), ipfs.Config{
		Store: store, Key: key(n), Listen: []string{loopback}, Allowed: list(tb, allowed...), Patience: 2 * time.Second,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := node.Close(); err != nil {
			tb.Error(err)
		}
	})
	return node
}

// object returns an object of total bytes that a new store holds.
func object(tb testing.TB, seed uint64, total int) (*blobtest.Object, blob.Store) {
	tb.Helper()
	o := blobtest.NewObject(seed, blobtest.Sizes(total)...)
	s := memory.New()
	if err := o.Put(tb.Context(), s); err != nil {
		tb.Fatal(err)
	}
	return o, s
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// held tells how many blocks of an object a store holds.
func held(t *testing.T, s blob.Store, o *blobtest.Object) int {
	t.Helper()
	missing, err := blob.Missing(t.Context(), s, o.CIDs)
	if err != nil {
		t.Fatal(err)
	}
	return len(o.CIDs) - len(missing)
}

// travelling is a store whose blocks are read at another node: Get fetches what the store
// holds over the network.
type travelling struct {
	blob.Store
	near  *ipfs.Node
	store blob.Store // of the near node
	far   peer.AddrInfo
	mu    *sync.Mutex
}

func (s travelling) Get(ctx context.Context, c lock.CID) ([]byte, error) {
	if _, err := s.Size(ctx, c); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	got, err := s.near.FetchBlock(ctx, c, []peer.AddrInfo{s.far}, blob.MaxBlock)
	if err != nil {
		return nil, err
	}
	if own, err := s.store.Get(ctx, c); err != nil || !bytes.Equal(own, got) {
		return nil, fmt.Errorf("the near store does not hold %s: %w", c, err)
	}
	return got, s.store.Erase(ctx, []lock.CID{c}, nil)
}

// TestBlocksTravelAsTheContractSays runs the suite of a store, while all that is read
// crosses the network.
func TestBlocksTravelAsTheContractSays(t *testing.T) {
	for _, c := range blobtest.Cases {
		t.Run(c.Name, func(t *testing.T) {
			far, near := memory.New(), memory.New()
			farNode, nearNode := start(t, 1, far, 2), start(t, 2, near, 1)
			s := travelling{Store: far, near: nearNode, store: near, far: farNode.Info(), mu: &sync.Mutex{}}
			if err := c.Run(t.Context(), s); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFetchCopiesAnObject(t *testing.T) {
	o, far := object(t, 1, 12<<20+5000)
	near := memory.New()
	farNode, nearNode := start(t, 1, far, 2), start(t, 2, near, 1)
	if err := nearNode.Fetch(t.Context(), o.Root, []peer.AddrInfo{farNode.Info()}, o.Bytes); err != nil {
		t.Fatal(err)
	}
	if err := blob.Verify(t.Context(), near, o.Root, o.Bytes); err != nil {
		t.Error(err)
	}
	// A second fetch needs no peer at all.
	if err := nearNode.Fetch(t.Context(), o.Root, nil, o.Bytes); err != nil {
		t.Error(err)
	}
}

func TestReadBlockKeepsNothing(t *testing.T) {
	o, far := object(t, 1, 2<<20)
	near := memory.New()
	farNode, nearNode := start(t, 1, far, 2), start(t, 2, near, 1)
	from := []peer.AddrInfo{farNode.Info()}
	for _, c := range o.CIDs {
		got, err := nearNode.ReadBlock(t.Context(), c, from, blob.MaxBlock)
		if err != nil || !bytes.Equal(got, o.Blocks[c]) {
			t.Errorf("block %s: %d bytes, %v", c, len(got), err)
		}
	}
	if n := held(t, near, o); n != 0 {
		t.Errorf("%d blocks were kept", n)
	}
	if _, err := nearNode.ReadBlock(t.Context(), o.CIDs[0], from, 100); !errors.Is(err, blob.ErrBudget) {
		t.Errorf("over its bound: got %v, want %v", err, blob.ErrBudget)
	}
	// What the store holds needs no peer.
	if _, err := farNode.ReadBlock(t.Context(), o.CIDs[0], nil, blob.MaxBlock); err != nil {
		t.Error(err)
	}
}

func TestFetchTakesFromWhoeverHoldsABlock(t *testing.T) {
	// Neither of two peers holds the whole object.
	o := blobtest.NewObject(1, blobtest.Sizes(6<<20)...)
	stores := []blob.Store{memory.New(), memory.New()}
	for i, c := range o.CIDs {
		if err := blobtest.Store(t.Context(), putAs{stores[i%2], c}, blob.Hint{}, o.Blocks[c]); err != nil {
			t.Fatal(err)
		}
	}
	near := memory.New()
	a, b, node := start(t, 1, stores[0], 3), start(t, 2, stores[1], 3), start(t, 3, near, 1, 2)
	if err := node.Connect(t.Context(), b.Info()); err != nil {
		t.Fatal(err)
	}
	if err := node.Fetch(t.Context(), o.Root, []peer.AddrInfo{a.Info(), b.Info()}, o.Bytes); err != nil {
		t.Fatal(err)
	}
	if err := blob.Verify(t.Context(), near, o.Root, o.Bytes); err != nil {
		t.Error(err)
	}
}

// putAs stores a block under its own CID, whatever its codec.
type putAs struct {
	blob.Store
	cid lock.CID
}

func (p putAs) Begin(ctx context.Context, hint blob.Hint) (blob.Batch, error) {
	batch, err := p.Store.Begin(ctx, hint)
	return batchAs{batch, p.cid}, err
}

type batchAs struct {
	blob.Batch
	cid lock.CID
}

func (b batchAs) Put(_ lock.CID, block []byte) error { return b.Batch.Put(b.cid, block) }

func TestCutFetchGoesOn(t *testing.T) {
	t.Parallel()
	o, far := object(t, 1, 10<<20)
	lost := o.CIDs[8]
	block := o.Blocks[lost]
	if err := far.Erase(t.Context(), []lock.CID{lost}, nil); err != nil {
		t.Fatal(err)
	}
	near := &counting{Store: memory.New()}
	farNode, nearNode := start(t, 1, far, 2), start(t, 2, near, 1)
	from := []peer.AddrInfo{farNode.Info()}
	if err := nearNode.Fetch(t.Context(), o.Root, from, o.Bytes); !errors.Is(err, ipfs.ErrUnavailable) {
		t.Fatalf("got %v, want %v", err, ipfs.ErrUnavailable)
	}
	first := near.puts
	if first < len(o.CIDs)-1 {
		t.Fatalf("%d blocks were put, all but one were there", first)
	}
	if err := blobtest.Store(t.Context(), far, blob.Hint{}, block); err != nil {
		t.Fatal(err)
	}
	if err := nearNode.Fetch(t.Context(), o.Root, from, o.Bytes); err != nil {
		t.Fatal(err)
	}
	if err := blob.Verify(t.Context(), near, o.Root, o.Bytes); err != nil {
		t.Error(err)
	}
	if again := near.puts - first; again > len(o.CIDs)-first+1 {
		t.Errorf("%d of %d blocks were put, then %d more", first, len(o.CIDs), again)
	}
}

// Of an object that shares leaves with one that is here only the others are fetched; those that are here count as used.
func TestFetchMovesWhatIsNotShared(t *testing.T) {
	first, far := object(t, 1, 10<<20)
	next := &blobtest.Object{Blocks: map[lock.CID][]byte{}}
	own, block := blobtest.Block(99, blob.MaxBlock)
	var links []blob.Link
	var shared []lock.CID
	for i, c := range first.CIDs[:10] {
		if i == 4 {
			next.Add(own, block)
			c = own
		} else {
			shared = append(shared, c)
		}
		links = append(links, blob.Link{CID: c, Tree: blob.MaxBlock, Size: blob.MaxBlock})
	}
	next.Root = next.Node(links...).CID
	if err := next.Put(t.Context(), far); err != nil {
		t.Fatal(err)
	}
	near := &touching{Store: memory.New(), touched: map[lock.CID]bool{}}
	farNode, nearNode := start(t, 1, far, 2), start(t, 2, near, 1)
	from := []peer.AddrInfo{farNode.Info()}
	if err := nearNode.Fetch(t.Context(), first.Root, from, first.Bytes); err != nil {
		t.Fatal(err)
	}
	before := nearNode.Traffic().Fetched
	clear(near.touched)
	if err := nearNode.Fetch(t.Context(), next.Root, from, first.Bytes); err != nil {
		t.Fatal(err)
	}
	if moved, want := nearNode.Traffic().Fetched-before, uint64(len(block)+len(next.Blocks[next.Root])); moved != want {
		t.Errorf("%d bytes were fetched, want %d: a leaf and an inner node", moved, want)
	}
	if err := blob.Verify(t.Context(), near, next.Root, first.Bytes); err != nil {
		t.Error(err)
	}
	for _, c := range shared {
		if !near.touched[c] {
			t.Errorf("leaf %s is relied on and does not count as used", c)
		}
	}
}

// touching remembers what was touched.
type touching struct {
	blob.Store
	mu      sync.Mutex
	touched map[lock.CID]bool
}

func (s *touching) Touch(ctx context.Context, c lock.CID) (bool, error) {
	s.mu.Lock()
	s.touched[c] = true
	s.mu.Unlock()
	return s.Store.Touch(ctx, c)
}

// counting counts the blocks that are put.
type counting struct {
	blob.Store
	puts int
}

func (s *counting) Begin(ctx context.Context, hint blob.Hint) (blob.Batch, error) {
	batch, err := s.Store.Begin(ctx, hint)
	return countingBatch{batch, s}, err
}

type countingBatch struct {
	blob.Batch
	store *counting
}

func (b countingBatch) PutTrusted(c lock.CID, block []byte) error {
	b.store.puts++
	return b.Batch.PutTrusted(c, block)
}

func TestUnlistedPeerIsRefused(t *testing.T) {
	o, far := object(t, 1, 3<<20)
	for _, test := range []struct {
		name        string
		far, near   []byte // who stands on whose list
		want        error
		refusedHere bool
	}{
		{"twin: both list each other", []byte{2}, []byte{1}, nil, false},
		{"the far node lists somebody else", []byte{3}, []byte{1}, ipfs.ErrUnreachable, false},
		{"the far node lists nobody", nil, []byte{1}, ipfs.ErrUnreachable, false},
		{"the near node does not list the far one", []byte{2}, []byte{3}, ipfs.ErrNotAllowed, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			near := memory.New()
			farNode, nearNode := start(t, 1, far, test.far...), start(t, 2, near, test.near...)
			err := nearNode.Connect(t.Context(), farNode.Info())
			if !errors.Is(err, test.want) {
				t.Errorf("connect: got %v, want %v", err, test.want)
			}
			err = nearNode.Fetch(t.Context(), o.Root, []peer.AddrInfo{farNode.Info()}, o.Bytes)
			if !errors.Is(err, test.want) {
				t.Errorf("fetch: got %v, want %v", err, test.want)
			}
			if test.want == nil {
				return
			}
			if n := held(t, near, o); n != 0 {
				t.Errorf("%d blocks came over", n)
			}
			eventually(t, "no connection is left", func() bool { return len(farNode.Peers()) == 0 && len(nearNode.Peers()) == 0 })
		})
	}
}

func TestPeerTakenOffTheListLosesItsConnection(t *testing.T) {
	o, far := object(t, 1, 3<<20)
	near := memory.New()
	farNode, nearNode, other := start(t, 1, far, 2, 3), start(t, 2, near, 1), start(t, 3, memory.New(), 1)
	for _, n := range []*ipfs.Node{nearNode, other} {
		if err := n.Connect(t.Context(), farNode.Info()); err != nil {
			t.Fatal(err)
		}
	}
	farNode.SetAllowed(list(t, 3))
	if got := farNode.Peers(); len(got) != 1 || got[0] != other.PeerID() {
		t.Errorf("connected to %v, want %v alone", got, other.PeerID())
	}
	eventually(t, "the peer has lost its connection", func() bool { return len(nearNode.Peers()) == 0 })
	if err := nearNode.Fetch(t.Context(), o.Root, []peer.AddrInfo{farNode.Info()}, o.Bytes); !errors.Is(err, ipfs.ErrUnreachable) {
		t.Errorf("fetch: got %v, want %v", err, ipfs.ErrUnreachable)
	}
	// Its twin: who stays on the list goes on, and who comes back is served again.
	if err := other.Fetch(t.Context(), o.Root, []peer.AddrInfo{farNode.Info()}, o.Bytes); err != nil {
		t.Errorf("listed peer: %v", err)
	}
	farNode.SetAllowed(list(t, 2, 3))
	if err := nearNode.Fetch(t.Context(), o.Root, []peer.AddrInfo{farNode.Info()}, o.Bytes); err != nil {
		t.Errorf("back on the list: %v", err)
	}
}

func TestFetchOfALostObjectEndsInBoundedTime(t *testing.T) {
	t.Parallel()
	o, _ := object(t, 1, 2<<20)
	farNode, nearNode := start(t, 1, memory.New(), 2), start(t, 2, memory.New(), 1)
	begin := time.Now()
	if err := nearNode.Fetch(t.Context(), o.Root, []peer.AddrInfo{farNode.Info()}, o.Bytes); !errors.Is(err, ipfs.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, ipfs.ErrUnavailable)
	}
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("took %s", took)
	}
	if err := nearNode.Fetch(t.Context(), o.Root, nil, o.Bytes); !errors.Is(err, ipfs.ErrUnreachable) {
		t.Errorf("without peers: got %v, want %v", err, ipfs.ErrUnreachable)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := nearNode.Fetch(ctx, o.Root, []peer.AddrInfo{farNode.Info()}, o.Bytes); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v, want %v", err, context.Canceled)
	}
}

func TestObjectsOfOtherShapesAreNotFetched(t *testing.T) {
	leaf, b := blobtest.Block(1, 5000)
	far := memory.New()
	if err := blobtest.Store(t.Context(), far, blob.Hint{}, b); err != nil {
		t.Fatal(err)
	}
	farNode := start(t, 1, far, 2)
	for _, test := range []struct {
		name   string
		link   blob.Link
		budget uint64
		want   error
	}{
		{"twin: a good object", blob.Link{CID: leaf, Tree: 5000, Size: 5000}, budget, nil},
		{"a leaf of another size", blob.Link{CID: leaf, Tree: 4999, Size: 4999}, budget, blob.ErrShape},
		{"a leaf over 1 MiB", blob.Link{CID: leaf, Tree: 2 << 20, Size: 2 << 20}, budget, blob.ErrShape},
		{"more than the budget", blob.Link{CID: leaf, Tree: 5000, Size: 5000}, 5000, blob.ErrBudget},
		{"size 2^62", blob.Link{CID: leaf, Tree: 1 << 62, Size: 1 << 62}, budget, blob.ErrBudget},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := &blobtest.Object{Blocks: map[lock.CID][]byte{}}
			root := o.Node(test.link).CID
			if err := o.Put(t.Context(), far); err != nil {
				t.Fatal(err)
			}
			near := memory.New()
			nearNode := start(t, 2, near, 1)
			err := nearNode.Fetch(t.Context(), root, []peer.AddrInfo{farNode.Info()}, test.budget)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if has, err := near.Has(t.Context(), root); err != nil || has != (test.want == nil) {
				t.Errorf("root is kept: %t, %v", has, err)
			}
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, c := range map[string]ipfs.Config{
		"no store":    {Key: key(1)},
		"no key":      {Store: memory.New()},
		"a short key": {Store: memory.New(), Key: key(1)[:32]},
		"a bad address": {
			Store: memory.New(), Key: key(1), Listen: []string{"127.0.0.1:4001"},
		},
	} {
		if n, err := ipfs.New(t.Context(), c); err == nil {
			t.Errorf("%s: started", name)
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// Who reads gets the first blocks first, each once, and keeps nothing.
func TestReadBlocks(t *testing.T) {
	o, far := object(t, 1, 20<<20)
	near := memory.New()
	farNode, nearNode := start(t, 1, far, 2), start(t, 2, near, 1)
	peers := []peer.AddrInfo{farNode.Info()}
	leaves := o.CIDs[:20]
	var came []lock.CID
	err := nearNode.ReadBlocks(t.Context(), leaves, peers, func(c lock.CID, block []byte) error {
		if !bytes.Equal(block, o.Blocks[c]) {
			t.Errorf("block %s is another", c)
		}
		came = append(came, c)
		return nil
	})
	if err != nil || len(came) != len(leaves) || slices.Index(came, leaves[0]) > slices.Index(came, leaves[19]) {
		t.Errorf("%d blocks came, the first as number %d, %v", len(came), slices.Index(came, leaves[0]), err)
	}
	if held(t, near, o) != 0 {
		t.Error("what was read is kept")
	}
	if err := nearNode.ReadBlocks(t.Context(), nil, peers, nil); err != nil {
		t.Errorf("nothing: %v", err)
	}
	// What nobody has ends it, after what there is.
	missing, _ := blobtest.Block(1000, 100)
	came = nil
	err = nearNode.ReadBlocks(t.Context(), []lock.CID{leaves[0], missing}, peers, func(c lock.CID, _ []byte) error {
		came = append(came, c)
		return nil
	})
	if !errors.Is(err, ipfs.ErrUnavailable) || len(came) != 1 {
		t.Errorf("a block that nobody has: %d came, %v", len(came), err)
	}
	enough := errors.New("enough")
	if err := nearNode.ReadBlocks(t.Context(), leaves, peers, func(lock.CID, []byte) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("a reader that has enough: %v", err)
	}
}

// A copy takes from the cache what it has, and only the rest from peers.
func TestFetchTakesFromTheCache(t *testing.T) {
	o, far := object(t, 1, 6<<20)
	farNode := start(t, 1, far, 2)
	kept, near := memory.New(), memory.New()
	batch, err := kept.Begin(t.Context(), blob.Hint{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range append(slices.Clone(o.CIDs[:4]), o.Root) {
		if err := batch.Put(c, o.Blocks[c]); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(batch.Sync(t.Context()), batch.Close()); err != nil {
		t.Fatal(err)
	}
	nearNode := launch(t, 2, near, func(c *ipfs.Config) { c.Cache = kept })
	nearNode.SetAllowed(list(t, 1))
	if err := nearNode.Fetch(t.Context(), o.Root, []peer.AddrInfo{farNode.Info()}, o.Bytes); err != nil {
		t.Fatal(err)
	}
	if err := blob.Verify(t.Context(), near, o.Root, o.Bytes); err != nil {
		t.Error(err)
	}
	if got := nearNode.Traffic().Fetched; got != 2<<20 {
		t.Errorf("%d bytes were fetched, want those of two leaves", got)
	}
}

// Two nodes that call each other at the same moment are connected, each with its own call or with the other's.
func TestNodesThatCallEachOther(t *testing.T) {
	for range 40 {
		a, b := start(t, 1, memory.New(), 2), start(t, 2, memory.New(), 1)
		var both sync.WaitGroup
		for _, pair := range [][2]*ipfs.Node{{a, b}, {b, a}} {
			both.Go(func() {
				if err := pair[0].Connect(t.Context(), pair[1].Info()); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if err := errors.Join(a.Close(), b.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
