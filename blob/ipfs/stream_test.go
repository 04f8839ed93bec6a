package ipfs_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/blob/pack"
	"github.com/phrd/phrd/lock"
)

// objectProtocol is what stands on the wire.
const objectProtocol = "/phrd/object/1.0.0"

// launch starts the n-th node with a configuration of its own; the list holds nodes 1 to 9.
func launch(tb testing.TB, n byte, store blob.Store, change func(*ipfs.Config)) *ipfs.Node {
	tb.Helper()
	c := ipfs.Config{
		Store: store, Key: key(n), Listen: []string{loopback}, Allowed: list(tb, 1, 2, 3, 4, 5, 6, 7, 8, 9), Patience: 20 * time.Second,
	}
	if change != nil {
		change(&c)
	}
	node, err := ipfs.New(tb.Context(), c)
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

// infos returns how to reach nodes.
func infos(nodes ...*ipfs.Node) []peer.AddrInfo {
	all := make([]peer.AddrInfo, len(nodes))
	for i, n := range nodes {
		all[i] = n.Info()
	}
	return all
}

// holding returns a store that holds those blocks of an object.
func holding(tb testing.TB, o *blobtest.Object, cids ...lock.CID) blob.Store {
	tb.Helper()
	s := memory.New()
	for _, c := range cids {
		if err := blobtest.Store(tb.Context(), putAs{s, c}, blob.Hint{}, o.Blocks[c]); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

// inner returns the inner nodes of an object, so that only leaves are left to fetch.
func inner(o *blobtest.Object) []lock.CID {
	return slices.DeleteFunc(slices.Clone(o.CIDs), lock.CID.IsRaw)
}

// asked is a store that calls a function before it reads a block.
type asked struct {
	blob.Store
	before func(ctx context.Context) error
}

func (s asked) Get(ctx context.Context, c lock.CID) ([]byte, error) {
	if err := s.before(ctx); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, c)
}

// wait waits for a channel to be closed.
func wait(ctx context.Context, c <-chan struct{}) error {
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestSeveralHoldersSendAtOnce has three holders that send nothing before all three were asked.
func TestSeveralHoldersSendAtOnce(t *testing.T) {
	o := blobtest.NewObject(1, blobtest.Sizes(8<<20)...)
	var meet sync.WaitGroup
	meet.Add(3)
	all := make(chan struct{})
	go func() { meet.Wait(); close(all) }()
	var holders []*ipfs.Node
	for n := range byte(3) {
		arrive := sync.OnceFunc(meet.Done)
		store := asked{holding(t, o, o.CIDs...), func(ctx context.Context) error { arrive(); return wait(ctx, all) }}
		holders = append(holders, launch(t, n+1, store, nil))
	}
	near := holding(t, o, inner(o)...)
	node := launch(t, 4, near, nil)
	if err := node.Fetch(t.Context(), o.Root, infos(holders...), o.Bytes); err != nil {
		t.Fatal(err)
	}
	if err := blob.Verify(t.Context(), near, o.Root, o.Bytes); err != nil {
		t.Error(err)
	}
	for _, h := range holders {
		eventually(t, "every holder has sent something", func() bool { return h.Traffic().Sent > 0 })
	}
}

func TestStalledHoldersAreOvertaken(t *testing.T) {
	o := blobtest.NewObject(1, blobtest.Sizes(6<<20)...)
	var asks sync.WaitGroup
	asks.Add(2)
	var slow []*ipfs.Node
	for n := range byte(2) {
		stall := sync.OnceFunc(asks.Done)
		slow = append(slow, launch(t, n+1, asked{holding(t, o, o.CIDs...), func(ctx context.Context) error {
			stall()
			<-ctx.Done()
			return ctx.Err()
		}}, nil))
	}
	// The third one sends nothing before both were asked.
	stalled := make(chan struct{})
	go func() { asks.Wait(); close(stalled) }()
	quick := launch(t, 3, asked{holding(t, o, o.CIDs...), func(ctx context.Context) error { return wait(ctx, stalled) }}, nil)
	near := holding(t, o, inner(o)...)
	node := launch(t, 4, near, nil)
	if err := node.Fetch(t.Context(), o.Root, infos(append(slow, quick)...), o.Bytes); err != nil {
		t.Fatal(err)
	}
	if err := blob.Verify(t.Context(), near, o.Root, o.Bytes); err != nil {
		t.Error(err)
	}
	for _, n := range slow {
		if sent := n.Traffic().Sent; sent != 0 {
			t.Errorf("a stalled holder sent %d bytes", sent)
		}
	}
}

// TestFetchersFeedEachOther lets two nodes fetch from an origin that sends each leaf once.
func TestFetchersFeedEachOther(t *testing.T) {
	o := blobtest.NewObject(1, blobtest.Sizes(12<<20)...)
	origin := &once{Store: holding(t, o, o.CIDs...), sent: map[lock.CID]bool{}}
	first := launch(t, 1, origin, nil)
	var nodes [2]*ipfs.Node
	var stores [2]blob.Store
	for i := range nodes {
		stores[i] = holding(t, o, inner(o)...)
		nodes[i] = launch(t, byte(i+2), stores[i], nil)
	}
	var group sync.WaitGroup
	for i, n := range nodes {
		group.Go(func() {
			if err := n.Fetch(t.Context(), o.Root, infos(first, nodes[1-i]), o.Bytes); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i, s := range stores {
		if err := blob.Verify(t.Context(), s, o.Root, o.Bytes); err != nil {
			t.Error(err)
		}
		eventually(t, "each has fed the other", func() bool { return nodes[i].Traffic().Sent > 0 })
	}
}

// once is a store that shows each leaf to one reader only.
type once struct {
	blob.Store
	mu   sync.Mutex
	sent map[lock.CID]bool
}

func (s *once) Size(ctx context.Context, c lock.CID) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent[c] {
		return 0, blob.ErrNotFound
	}
	s.sent[c] = true
	return s.Store.Size(ctx, c)
}

// stranger starts a host that knows libp2p and nothing of ours, as the n-th node.
func stranger(tb testing.TB, n byte) host.Host {
	tb.Helper()
	private, err := crypto.UnmarshalEd25519PrivateKey(key(n))
	if err != nil {
		tb.Fatal(err)
	}
	h, err := libp2p.New(libp2p.Identity(private), libp2p.ListenAddrStrings(loopback),
		libp2p.Transport(tcp.NewTCPTransport), libp2p.Security(libp2ptls.ID, libp2ptls.New), libp2p.DisableMetrics())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := h.Close(); err != nil {
			tb.Error(err)
		}
	})
	return h
}

// section is what stands on the wire for a block.
func section(c lock.CID, block []byte) []byte {
	return append(car.AppendPrefix(nil, c, len(block)), block...)
}

// TestLiarsOnTheStreamAreWorkedRound has a peer that answers as it likes. Alone it ends the
// fetch in an error and nothing of it is kept; beside an honest one it changes nothing.
func TestLiarsOnTheStreamAreWorkedRound(t *testing.T) {
	o := blobtest.NewObject(1, 5000, 6000)
	a, b := o.CIDs[0], o.CIDs[1]
	foreign, other := blobtest.Block(9, 5000)
	random := make([]byte, 4<<20)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	random[0] = 0 // no section is that short
	good := func(s network.Stream, wanted []lock.CID) error {
		for _, c := range wanted {
			if _, err := s.Write(section(c, o.Blocks[c])); err != nil {
				return err
			}
		}
		return nil
	}
	say := func(b []byte) func(network.Stream, []lock.CID) error {
		return func(s network.Stream, _ []lock.CID) error { _, err := s.Write(b); return err }
	}
	for _, test := range []struct {
		name   string
		answer func(s network.Stream, wanted []lock.CID) error
		wrong  bool // it is told from a peer that failed
		want   error
	}{
		{"twin: the right bytes", good, false, nil},
		{"other bytes", func(s network.Stream, wanted []lock.CID) error { return say(section(wanted[0], other))(s, wanted) }, true, ipfs.ErrUnavailable},
		{"another block", say(section(foreign, other)), true, ipfs.ErrUnavailable},
		{"the wrong order", func(s network.Stream, wanted []lock.CID) error {
			swap := map[lock.CID]lock.CID{a: b, b: a}[wanted[0]]
			return say(section(swap, o.Blocks[swap]))(s, wanted)
		}, true, ipfs.ErrUnavailable},
		{"longer than a block may be", func(s network.Stream, wanted []lock.CID) error {
			return say(car.AppendPrefix(nil, wanted[0], blob.MaxBlock+1))(s, wanted)
		}, true, ipfs.ErrUnavailable},
		{"an endless length", say(bytes.Repeat([]byte{0xff}, 1<<20)), true, ipfs.ErrUnavailable},
		{"random bytes", say(random), true, ipfs.ErrUnavailable},
		{"the right bytes and more", func(s network.Stream, wanted []lock.CID) error {
			return errors.Join(good(s, wanted), say(random)(s, wanted))
		}, true, ipfs.ErrUnavailable},
		{"half a block", func(s network.Stream, wanted []lock.CID) error {
			all := section(wanted[0], o.Blocks[wanted[0]])
			return errors.Join(say(all[:len(all)/2])(s, wanted), s.Close())
		}, false, ipfs.ErrUnavailable},
		{"hangs up", func(s network.Stream, _ []lock.CID) error { return s.Reset() }, false, ipfs.ErrUnavailable},
		{"never an answer", func(network.Stream, []lock.CID) error { return nil }, false, ipfs.ErrUnavailable},
		{"not here", func(s network.Stream, wanted []lock.CID) error {
			for _, c := range wanted {
				if _, err := s.Write(section(c, nil)); err != nil {
					return err
				}
			}
			return nil
		}, false, ipfs.ErrUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := stranger(t, 1)
			var requests atomic.Int64
			// Of the right bytes some may be kept.
			sent := func(c lock.CID) bool { return c != foreign && strings.Contains(test.name, "the right bytes") }
			l.SetStreamHandler(objectProtocol, func(s network.Stream) {
				r := bufio.NewReader(s)
				for {
					wanted, err := readRequest(r)
					if err != nil {
						return
					}
					requests.Add(1)
					if err := test.answer(s, wanted); err != nil {
						return // the other side hung up
					}
				}
			})
			near := holding(t, o, inner(o)...)
			from := []peer.AddrInfo{{ID: l.ID(), Addrs: l.Addrs()}}
			node := impatient(t, 2, near, from[0], test.want)
			if err := node.Fetch(t.Context(), o.Root, from, o.Bytes); !errors.Is(err, test.want) {
				t.Errorf("alone: got %v, want %v", err, test.want)
			}
			if requests.Load() == 0 {
				t.Error("the liar was not asked")
			}
			if got := node.Traffic().Wrong > 0; test.want != nil && got != test.wrong {
				t.Errorf("told as a liar: %t, want %t", got, test.wrong)
			}
			for _, c := range []lock.CID{a, b, foreign} {
				if has, err := near.Has(t.Context(), c); err != nil || has && !sent(c) {
					t.Errorf("block %s is kept: %t, %v", c, has, err)
				}
			}
			honest := launch(t, 3, holding(t, o, o.CIDs...), nil)
			if err := launch(t, 4, near, nil).Fetch(t.Context(), o.Root, append(from, honest.Info()), o.Bytes); err != nil {
				t.Errorf("beside an honest peer: %v", err)
			}
			if err := blob.Verify(t.Context(), near, o.Root, o.Bytes); err != nil {
				t.Error(err)
			}
		})
	}
}

// readRequest reads a request as the protocol says.
func readRequest(r *bufio.Reader) ([]lock.CID, error) {
	n, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	wanted := make([]lock.CID, n)
	for i := range wanted {
		if _, err := io.ReadFull(r, wanted[i][:]); err != nil {
			return nil, err
		}
	}
	return wanted, nil
}

// request is what stands on the wire to ask for blocks.
func request(cids ...lock.CID) []byte {
	b := []byte{byte(len(cids))}
	for _, c := range cids {
		b = append(b, c[:]...)
	}
	return b
}

// open opens a stream of the object protocol as a stranger.
func open(t *testing.T, h host.Host, to *ipfs.Node) network.Stream {
	t.Helper()
	if err := h.Connect(t.Context(), to.Info()); err != nil {
		t.Fatal(err)
	}
	s, err := h.NewStream(t.Context(), to.PeerID(), objectProtocol)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHostileRequestsEndTheirStream(t *testing.T) {
	o := blobtest.NewObject(1, 5000, 6000)
	leaf := o.CIDs[0]
	identity := leaf
	identity[2] = 0
	unknown, _ := blobtest.Block(9, 10)
	node := launch(t, 1, holding(t, o, o.CIDs...), nil)
	h := stranger(t, 2)
	for _, test := range []struct {
		name  string
		sends []byte
		ends  bool // instead of an answer
		want  []byte
	}{
		{"twin: a block", request(leaf), false, section(leaf, o.Blocks[leaf])},
		{"a block that is not here", request(unknown), false, section(unknown, nil)},
		{"nothing wanted", request(), true, nil},
		{"more than may be wanted", request(slices.Repeat([]lock.CID{leaf}, 17)...), true, nil},
		{"a CID of another form", request(identity), true, nil},
		{"random bytes", bytes.Repeat([]byte{0xa7}, 10_000), true, nil},
		{"half a request", request(leaf, leaf)[:40], true, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, h, node)
			// The far side may have ended the stream before all was written.
			_, err := s.Write(test.sends)
			if err := errors.Join(err, s.CloseWrite()); err != nil && !test.ends {
				t.Fatal(err)
			}
			got, err := io.ReadAll(s)
			if !bytes.Equal(got, test.want) {
				t.Errorf("got %d bytes, want %d", len(got), len(test.want))
			}
			if test.ends != (err != nil) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// TestFloodOfWantsWaitsForItsReader asks for blocks without end and reads none.
func TestFloodOfWantsWaitsForItsReader(t *testing.T) {
	t.Parallel()
	o := blobtest.NewObject(1, blobtest.Sizes(2<<20)...)
	var reads atomic.Int64
	store := asked{holding(t, o, o.CIDs...), func(context.Context) error { reads.Add(1); return nil }}
	node := launch(t, 1, store, func(c *ipfs.Config) { c.Patience = 500 * time.Millisecond })
	s := open(t, stranger(t, 2), node)
	many := bytes.Repeat(request(slices.Repeat([]lock.CID{o.CIDs[0]}, 16)...), 1_000_000/16)
	n, err := s.Write(many)
	if err == nil {
		t.Fatal("a million wants were taken")
	}
	if n > 1<<20 || reads.Load() > 64 {
		t.Errorf("%d bytes were taken and %d blocks read for nobody", n, reads.Load())
	}
	// Others are served meanwhile and afterwards.
	near := memory.New()
	if err := launch(t, 3, near, nil).Fetch(t.Context(), o.Root, infos(node), o.Bytes); err != nil {
		t.Error(err)
	}
}

func TestStreamsOfAPeerAreBounded(t *testing.T) {
	o := blobtest.NewObject(1, 5000)
	node := launch(t, 1, holding(t, o, o.CIDs...), nil)
	h := stranger(t, 2)
	answered := func(s network.Stream) bool {
		_, err := s.Write(request(o.CIDs[0]))
		if err == nil {
			_, err = io.ReadFull(s, make([]byte, len(section(o.CIDs[0], o.Blocks[o.CIDs[0]]))))
		}
		return err == nil
	}
	streams := 0
	for answered(open(t, h, node)) {
		if streams++; streams > 100 {
			t.Fatal("a hundred streams are served")
		}
	}
	if streams < 6 {
		t.Errorf("%d streams are served", streams)
	}
	// Its twin: another peer has streams of its own.
	if !answered(open(t, stranger(t, 3), node)) {
		t.Error("another peer is not served")
	}
	// Whoever resets what it opened is served again.
	if err := h.Network().ClosePeer(node.PeerID()); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		s := open(t, h, node)
		// The far side may refuse it while it still counts the ones before.
		if _, err := s.Write(request(slices.Repeat([]lock.CID{o.CIDs[0]}, 16)...)); err == nil {
			if err := s.Reset(); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "the peer is served after it cancelled", func() bool {
		s := open(t, h, node)
		defer s.Reset() //nolint:errcheck // it may have ended
		return answered(s)
	})
}

func TestUnlistedPeerCannotOpenTheStream(t *testing.T) {
	o := blobtest.NewObject(1, 5000)
	node := launch(t, 1, holding(t, o, o.CIDs...), func(c *ipfs.Config) { c.Allowed = list(t, 3) })
	for n, want := range map[byte]bool{2: false, 3: true} {
		h := stranger(t, n)
		got := 0
		if err := h.Connect(t.Context(), node.Info()); err == nil {
			if s, err := h.NewStream(t.Context(), node.PeerID(), objectProtocol); err == nil {
				if _, err := s.Write(request(o.CIDs[0])); err == nil {
					got, _ = io.ReadFull(s, make([]byte, 5000))
				}
			}
		}
		if (got > 0) != want {
			t.Errorf("node %d got %d bytes, listed: %t", n, got, want)
		}
	}
}

// TestRatesHold sees that never more has passed than the bound allows in the time it took.
func TestRatesHold(t *testing.T) {
	const perSecond = 8 << 20
	o := blobtest.NewObject(1, blobtest.Sizes(4<<20)...)
	for name, test := range map[string]struct{ far, near func(*ipfs.Config) }{
		"send":  {func(c *ipfs.Config) { c.SendRate = perSecond }, nil},
		"fetch": {nil, func(c *ipfs.Config) { c.FetchRate = perSecond }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far, near := launch(t, 1, holding(t, o, o.CIDs...), test.far), memory.New()
			node := launch(t, 2, near, test.near)
			begin := time.Now()
			if err := node.Fetch(t.Context(), o.Root, infos(far), o.Bytes); err != nil {
				t.Fatal(err)
			}
			if allowed := blob.MaxBlock + perSecond*time.Since(begin).Seconds(); float64(o.Bytes) > allowed {
				t.Errorf("%d bytes passed, %.0f are allowed", o.Bytes, allowed)
			}
			if got := node.Traffic().Fetched; got != o.Bytes {
				t.Errorf("fetched %d bytes, want %d", got, o.Bytes)
			}
			eventually(t, "what was fetched is counted as sent", func() bool { return far.Traffic().Sent == o.Bytes })
		})
	}
	if _, err := ipfs.New(t.Context(), ipfs.Config{Store: memory.New(), Key: key(1), SendRate: ipfs.MinRate - 1}); err == nil {
		t.Error("a rate that starves everybody was accepted")
	}
}

// greedy is a store whose batches wait before each block until the network has brought all
// that a fetch lets it bring.
type greedy struct {
	blob.Store
	t     *testing.T
	node  *ipfs.Node
	total uint64
	put   uint64
}

const heldAtMost = 16 << 20

func (s *greedy) Begin(ctx context.Context, hint blob.Hint) (blob.Batch, error) {
	batch, err := s.Store.Begin(ctx, hint)
	return greedyBatch{batch, s}, err
}

type greedyBatch struct {
	blob.Batch
	store *greedy
}

func (b greedyBatch) PutTrusted(c lock.CID, block []byte) error {
	s := b.store
	if !c.IsRaw() {
		return b.Batch.PutTrusted(c, block)
	}
	eventually(s.t, "the network runs ahead", func() bool { return s.node.Traffic().Fetched >= min(s.total, s.put+heldAtMost) })
	if ahead := s.node.Traffic().Fetched - s.put; ahead > heldAtMost {
		s.t.Errorf("%d bytes are in memory", ahead)
	}
	s.put += uint64(len(block))
	return b.Batch.PutTrusted(c, block)
}

func TestFetchHoldsFewBlocks(t *testing.T) {
	o := blobtest.NewObject(1, blobtest.Sizes(20<<20)...)
	far := launch(t, 1, holding(t, o, o.CIDs...), nil)
	near := &greedy{Store: holding(t, o, inner(o)...), t: t}
	for c, b := range o.Blocks {
		if c.IsRaw() {
			near.total += uint64(len(b))
		}
	}
	near.node = launch(t, 2, near, nil)
	if err := near.node.Fetch(t.Context(), o.Root, infos(far), o.Bytes); err != nil {
		t.Fatal(err)
	}
	if near.put != near.total {
		t.Errorf("%d bytes were put, want %d", near.put, near.total)
	}
}

// TestDamageIsNotServed flips a byte on the disk of one of two holders.
func TestDamageIsNotServed(t *testing.T) {
	t.Parallel()
	o := blobtest.NewObject(1, blobtest.Sizes(5<<20)...)
	dir := t.TempDir()
	reported := make(chan pack.Damage, 10)
	rotten, err := pack.Open(dir, pack.Options{Reserve: -1, Report: func(d pack.Damage) { reported <- d }})
	if err != nil {
		t.Fatal(err)
	}
	defer rotten.Close()
	if err := o.Put(t.Context(), rotten); err != nil {
		t.Fatal(err)
	}
	lost := o.CIDs[2]
	flip(t, dir, o.Blocks[lost])
	far := launch(t, 1, rotten, nil)
	near := memory.New()
	node := impatient(t, 2, near, far.Info(), ipfs.ErrUnavailable)
	if err := node.Fetch(t.Context(), o.Root, infos(far), o.Bytes); !errors.Is(err, ipfs.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, ipfs.ErrUnavailable)
	}
	if d := <-reported; d.CID != lost {
		t.Errorf("reported %v", d)
	}
	if n := node.Traffic().Wrong; n != 0 {
		t.Errorf("the holder sent wrong bytes %d times", n)
	}
	sound := launch(t, 3, holding(t, o, lost), nil)
	if err := launch(t, 4, near, nil).Fetch(t.Context(), o.Root, infos(far, sound), o.Bytes); err != nil {
		t.Fatal(err)
	}
	if err := blob.Verify(t.Context(), near, o.Root, o.Bytes); err != nil {
		t.Error(err)
	}
}

// flip changes a byte of a block in the pack that holds it.
func flip(t *testing.T, dir string, block []byte) {
	t.Helper()
	packs, err := filepath.Glob(filepath.Join(dir, "packs", "*.pack"))
	if err != nil || len(packs) != 1 {
		t.Fatalf("packs %v, %v", packs, err)
	}
	content, err := os.ReadFile(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(content, block)
	if at < 0 {
		t.Fatal("the block is not in the pack")
	}
	content[at+500] ^= 1
	if err := os.WriteFile(packs[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
}
