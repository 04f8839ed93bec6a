package ipfs_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	bsmsg "github.com/ipfs/boxo/bitswap/message"
	"github.com/ipfs/boxo/bitswap/network"
	"github.com/ipfs/boxo/bitswap/network/bsnet"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/lock"
)

// liar is a listed peer that speaks bitswap and answers as it likes.
type liar struct {
	t       *testing.T
	host    host.Host
	network network.BitSwapNetwork
	// answer fills the answer to one wanted block.
	answer func(wanted cid.Cid, answer bsmsg.BitSwapMessage)
	asked  atomic.Int64
	// got receives the blocks that it is sent.
	got chan blocks.Block
}

// newLiar starts the n-th node as a liar.
func newLiar(t *testing.T, n byte, answer func(cid.Cid, bsmsg.BitSwapMessage)) *liar {
	t.Helper()
	h := stranger(t, n)
	l := &liar{t: t, host: h, network: bsnet.NewFromIpfsHost(h), answer: answer, got: make(chan blocks.Block, 10)}
	l.network.Start(l)
	t.Cleanup(l.network.Stop)
	return l
}

func (l *liar) info() []peer.AddrInfo {
	return []peer.AddrInfo{{ID: l.host.ID(), Addrs: l.host.Addrs()}}
}

// ReceiveMessage implements network.Receiver.
func (l *liar) ReceiveMessage(ctx context.Context, from peer.ID, message bsmsg.BitSwapMessage) {
	for _, b := range message.Blocks() {
		l.got <- b
	}
	answer := bsmsg.New(false)
	for _, e := range message.Wantlist() {
		if !e.Cancel {
			l.asked.Add(1)
			l.answer(e.Cid, answer)
		}
	}
	if answer.Empty() {
		return
	}
	// The other side may hang up on a liar.
	_ = l.network.SendMessage(ctx, from, answer)
}

func (l *liar) ReceiveError(error) {}

func (l *liar) PeerConnected(peer.ID) {}

func (l *liar) PeerDisconnected(peer.ID) {}

// withCID names bytes by a CID that may be another's.
func withCID(t *testing.T, b []byte, c cid.Cid) blocks.Block {
	t.Helper()
	block, err := blocks.NewBlockWithCid(b, c)
	if err != nil {
		t.Error(err)
	}
	return block
}

// rawCID returns the CID of bytes as bitswap knows it.
func rawCID(t *testing.T, b []byte) (lock.CID, cid.Cid) {
	t.Helper()
	c := cidOf(b)
	id, err := cid.Cast(c.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return c, id
}

// TestHostileAnswersEndInAnError lets an honest fetch meet a listed peer that lies. Nothing
// of what it sends is kept, and each fetch ends.
func TestHostileAnswersEndInAnError(t *testing.T) {
	_, good := blobtest.Block(1, 5000)
	_, wrong := blobtest.Block(2, 5000)
	_, huge := blobtest.Block(3, blob.MaxBlock+1)
	for _, test := range []struct {
		name   string
		wanted []byte
		answer func(wanted cid.Cid, answer bsmsg.BitSwapMessage)
		want   error
	}{
		{"twin: the right bytes", good, func(c cid.Cid, m bsmsg.BitSwapMessage) { m.AddBlock(withCID(t, good, c)) }, nil},
		{"other bytes under the CID", good, func(c cid.Cid, m bsmsg.BitSwapMessage) { m.AddBlock(withCID(t, wrong, c)) }, ipfs.ErrUnavailable},
		{"a block that nobody asked for", good, func(_ cid.Cid, m bsmsg.BitSwapMessage) {
			_, c := rawCID(t, wrong)
			m.AddBlock(withCID(t, wrong, c))
		}, ipfs.ErrUnavailable},
		{"never an answer", good, func(cid.Cid, bsmsg.BitSwapMessage) {}, ipfs.ErrUnavailable},
		{"has it, but never sends it", good, func(c cid.Cid, m bsmsg.BitSwapMessage) { m.AddHave(c) }, ipfs.ErrUnavailable},
		{"does not have it", good, func(c cid.Cid, m bsmsg.BitSwapMessage) { m.AddDontHave(c) }, ipfs.ErrUnavailable},
		{"more than a block may have", huge, func(c cid.Cid, m bsmsg.BitSwapMessage) { m.AddBlock(withCID(t, huge, c)) }, blob.ErrBudget},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLiar(t, 1, test.answer)
			near := memory.New()
			node := impatient(t, 2, near, l.info()[0], test.want)
			c, _ := rawCID(t, test.wanted)
			begin := time.Now()
			_, err := node.FetchBlock(t.Context(), c, l.info(), blob.MaxBlock)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
			if l.asked.Load() == 0 {
				t.Error("the liar was not asked")
			}
			for _, b := range [][]byte{good, wrong, huge} {
				has, err := near.Has(t.Context(), cidOf(b))
				if kept := test.want == nil && cidOf(b) == c; err != nil || has != kept {
					t.Errorf("block of %d bytes is kept: %t, %v", len(b), has, err)
				}
			}
		})
	}
}

// impatient starts the n-th node, connected to a peer. It soon gives up waiting for a block
// that is not to come, and is patient where another end is wanted.
func impatient(t *testing.T, n byte, store blob.Store, with peer.AddrInfo, want error) *ipfs.Node {
	t.Helper()
	node := launch(t, n, store, func(c *ipfs.Config) {
		if errors.Is(want, ipfs.ErrUnavailable) {
			c.Patience = 500 * time.Millisecond
		}
	})
	eventually(t, "the peer is connected", func() bool { return node.Connect(t.Context(), with) == nil })
	return node
}

// TestPeersWithoutTheStreamTakePart fetches from a peer that speaks bitswap only, and lets it
// fetch.
func TestPeersWithoutTheStreamTakePart(t *testing.T) {
	o := blobtest.NewObject(1, blobtest.Sizes(3<<20)...)
	l := newLiar(t, 1, func(wanted cid.Cid, answer bsmsg.BitSwapMessage) {
		for c, b := range o.Blocks {
			if bytes.Equal(c.Bytes(), wanted.Bytes()) {
				answer.AddBlock(withCID(t, b, wanted))
			}
		}
	})
	near := memory.New()
	node := launch(t, 2, near, nil)
	if err := node.Fetch(t.Context(), o.Root, l.info(), o.Bytes); err != nil {
		t.Fatalf("alone: %v", err)
	}
	if err := blob.Verify(t.Context(), near, o.Root, o.Bytes); err != nil {
		t.Error(err)
	}
	// Beside a peer with the stream it is asked for what that one lacks.
	lost := o.CIDs[1]
	some := launch(t, 3, holding(t, o, slices.DeleteFunc(slices.Clone(o.CIDs), func(c lock.CID) bool { return c == lost })...), nil)
	if err := near.Erase(t.Context(), o.CIDs, nil); err != nil {
		t.Fatal(err)
	}
	before := l.asked.Load()
	if err := node.Fetch(t.Context(), o.Root, append(l.info(), some.Info()), o.Bytes); err != nil {
		t.Fatalf("beside another: %v", err)
	}
	if err := blob.Verify(t.Context(), near, o.Root, o.Bytes); err != nil {
		t.Error(err)
	}
	if l.asked.Load() == before {
		t.Error("the peer without the stream was not asked")
	}
	eventually(t, "the peer with the stream has sent something", func() bool { return some.Traffic().Sent > 0 })
	want := bsmsg.New(true)
	_, c := rawCID(t, o.Blocks[lost])
	want.AddEntry(c, 1, 0, false)
	if err := l.network.SendMessage(t.Context(), node.PeerID(), want); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-l.got:
		if !got.Cid().Equals(c) || !bytes.Equal(got.RawData(), o.Blocks[lost]) {
			t.Errorf("got %s with %d bytes", got.Cid(), len(got.RawData()))
		}
	case <-time.After(20 * time.Second):
		t.Error("nothing was served by bitswap")
	}
}

// TestFloodFromAListedPeerIsNotKept sends blocks and wants that have nothing to do with
// anything; an honest fetch from another peer goes on.
func TestFloodFromAListedPeerIsNotKept(t *testing.T) {
	o, far := object(t, 1, 3<<20)
	near := memory.New()
	l := newLiar(t, 3, func(cid.Cid, bsmsg.BitSwapMessage) {})
	farNode, node := start(t, 1, far, 2), start(t, 2, near, 1, 3)
	if err := node.Connect(t.Context(), l.info()[0]); err != nil {
		t.Fatal(err)
	}
	flood := bsmsg.New(true)
	var sent [][]byte
	for i := range uint64(200) {
		_, b := blobtest.Block(1000+i, 4096)
		_, c := rawCID(t, b)
		sent = append(sent, b)
		flood.AddBlock(withCID(t, b, c))
	}
	for i := range uint64(20_000) {
		_, b := blobtest.Block(5000+i, 8)
		_, c := rawCID(t, b)
		flood.AddEntry(c, 1, 0, true)
	}
	if err := l.network.SendMessage(t.Context(), node.PeerID(), flood); err != nil {
		t.Fatal(err)
	}
	from := append([]peer.AddrInfo{farNode.Info()}, l.info()...)
	if err := node.Fetch(t.Context(), o.Root, from, o.Bytes); err != nil {
		t.Fatal(err)
	}
	if err := blob.Verify(t.Context(), near, o.Root, o.Bytes); err != nil {
		t.Error(err)
	}
	for _, b := range sent {
		if has, err := near.Has(t.Context(), cidOf(b)); err != nil || has {
			t.Fatalf("a block of the flood is kept: %t, %v", has, err)
		}
	}
}
