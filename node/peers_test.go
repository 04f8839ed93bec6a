package node_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
)

// peerIDOf returns the peer ID of the n-th IPFS node.
func peerIDOf(t *testing.T, n byte) string {
	t.Helper()
	public, ok := ipfsKey(n).Public().(ed25519.PublicKey)
	if !ok {
		t.Fatal("not an Ed25519 key")
	}
	id, err := ipfs.PeerIDOf(public)
	if err != nil {
		t.Fatal(err)
	}
	return id.String()
}

// tired is a store that answers so many reads and no more.
type tired struct {
	blob.Store
	left atomic.Int64
}

func (s *tired) Get(ctx context.Context, id lock.CID) ([]byte, error) {
	if s.left.Add(-1) < 0 {
		return nil, blob.ErrNotFound
	}
	return s.Store.Get(ctx, id)
}

func (h *hospital) awaitPeers(want ...*hospital) {
	h.t.Helper()
	eventually(h.t, "the hospital is connected to those it should be", func() bool {
		peers := h.ipfs.Peers()
		for _, w := range want {
			// A side that is connected may still be refused by the other one.
			if !slices.Contains(peers, w.ipfs.PeerID()) || !slices.Contains(w.ipfs.Peers(), h.ipfs.PeerID()) {
				return false
			}
		}
		return len(peers) == len(want)
	})
}

func TestPeersFollowTheChain(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	var all []*hospital
	for range 4 {
		all = append(all, newHospital(t, l, memory.New()))
	}
	clinic, heart, hill, lake := all[0], all[1], all[2], all[3]
	// Nobody asks for a connection: it is there because the chain says so.
	clinic.awaitPeers(heart, hill, lake)
	heart.awaitPeers(clinic, hill, lake)
	if connected, known := clinic.peers.Connected(); connected != 3 || known != 3 {
		t.Errorf("connected to %d of %d", connected, known)
	}
	if infos := clinic.peers.Of(hill.number, clinic.number, 77); len(infos) != 1 || infos[0].ID != hill.ipfs.PeerID() {
		t.Errorf("got %v, want %v alone", infos, hill.ipfs.PeerID())
	}

	setStatus := func(h *hospital, status consortiumv1.MemberStatus) {
		l.set(func() { l.members[h.number-1].Status = status })
	}
	for _, status := range []consortiumv1.MemberStatus{consortiumv1.MemberStatus_MEMBER_STATUS_SUSPENDED, consortiumv1.MemberStatus_MEMBER_STATUS_LEFT} {
		setStatus(lake, status)
		clinic.awaitPeers(heart, hill)
		// Until it hears of the end of its connection it believes in it.
		eventually(t, status.String()+" member can't connect", func() bool {
			return errors.Is(lake.ipfs.Connect(t.Context(), clinic.ipfs.Info()), ipfs.ErrUnreachable)
		})
		// Its twin: back among the active it is reached again.
		setStatus(lake, consortiumv1.MemberStatus_MEMBER_STATUS_ACTIVE)
		clinic.awaitPeers(heart, hill, lake)
	}
	// A retired node is a peer still: it has copies. When it has nothing left to do it is none.
	l.set(func() { l.nodes[hill.number-1].Retired = true })
	l.commit()
	if infos := clinic.peers.Of(hill.number); len(infos) != 1 {
		t.Errorf("retired node is reached at %v", infos)
	}
	l.set(func() { l.shutOut = []uint64{hill.number} })
	clinic.awaitPeers(heart, lake)
	eventually(t, "node that is shut out can't connect", func() bool {
		return errors.Is(hill.ipfs.Connect(t.Context(), clinic.ipfs.Info()), ipfs.ErrUnreachable)
	})
}

func TestPeerThatCameBackElsewhereIsReachedAgain(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	clinic, heart := newHospital(t, l, memory.New()), newHospital(t, l, memory.New())
	clinic.awaitPeers(heart)
	if err := heart.ipfs.Close(); err != nil {
		t.Fatal(err)
	}
	clinic.awaitPeers()
	heart.startIPFS("/ip4/127.0.0.1/tcp/0") // another port
	heart.keepPeers()
	l.set(func() { l.nodes[heart.number-1].Address = heart.ipfs.Addrs()[0].String() })
	clinic.awaitPeers(heart)
}

func TestListStaysWhenTheChainCannotBeRead(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	clinic, heart := newHospital(t, l, memory.New()), newHospital(t, l, memory.New())
	clinic.awaitPeers(heart)
	asked := make(chan struct{}, 100)
	l.set(func() {
		l.broken = func(method string) error {
			if method != "/phrd.consortium.v1.Query/StorageNodes" {
				return nil
			}
			select {
			case asked <- struct{}{}:
			default:
			}
			return errors.New("no answer")
		}
	})
	for range 4 {
		<-asked
	}
	if err := clinic.peers.Refresh(t.Context()); err == nil {
		t.Error("refreshed without an answer")
	}
	clinic.awaitPeers(heart)
	if len(clinic.peers.All()) != 1 {
		t.Errorf("list is %v", clinic.peers.All())
	}
}

// Who is shut out has to be known before anybody is let in.
func TestNobodyIsLetInWhileItIsNotKnownWhoIsShutOut(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	clinic, heart := newHospital(t, l, memory.New()), newHospital(t, l, memory.New())
	clinic.awaitPeers(heart)
	l.set(func() {
		l.nodes[heart.number-1].Address = "/ip4/127.0.0.1/tcp/1"
		l.broken = func(method string) error {
			if method == "/phrd.storage.v1.Query/Usage" {
				return errors.New("no answer")
			}
			return nil
		}
	})
	if err := clinic.peers.Refresh(t.Context()); err == nil {
		t.Error("refreshed without an answer")
	}
	clinic.awaitPeers(heart)
}

func TestBlockIsReadFromWhoeverHasIt(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	clinic, heart, hill := newHospital(t, l, memory.New()), newHospital(t, l, memory.New()), newHospital(t, l, memory.New())
	clinic.awaitPeers(heart, hill)
	c, block := blobtest.Block(1, 4000)
	if err := blobtest.Store(t.Context(), hill.store, blob.Hint{}, block); err != nil {
		t.Fatal(err)
	}
	got, err := clinic.peers.Block(t.Context(), c, 4000)
	if err != nil || !bytes.Equal(got, block) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := blobtest.Lacks(t.Context(), clinic.store, c); err != nil {
		t.Error(err)
	}
	if _, err := clinic.peers.Block(t.Context(), c, 3999); !errors.Is(err, blob.ErrBudget) {
		t.Errorf("over its bound: got %v, want %v", err, blob.ErrBudget)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	unknown, _ := blobtest.Block(2, 4000)
	if _, err := clinic.peers.Block(ctx, unknown, 4000); !errors.Is(err, ipfs.ErrUnavailable) {
		t.Errorf("a block that nobody has: got %v, want %v", err, ipfs.ErrUnavailable)
	}
}

func TestLonelyNodeKnowsNoPeer(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	clinic := newHospital(t, l, memory.New())
	c, _ := blobtest.Block(1, 4000)
	if _, err := clinic.peers.Block(t.Context(), c, 4000); !errors.Is(err, node.ErrNoPeer) {
		t.Errorf("got %v, want %v", err, node.ErrNoPeer)
	}
}
