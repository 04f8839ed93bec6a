package scenario

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cometbft/cometbft/config"
	cometed25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/p2p/conn"
	consensus "github.com/cometbft/cometbft/proto/tendermint/consensus"
	"github.com/cometbft/cometbft/version"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/keys"
)

// Peer is a machine that calls the ports that are for other hospitals' servers, with keys of its own.
type Peer struct {
	t             testing.TB
	comet, libp2p ed25519.PrivateKey
}

// NewPeer is a machine whose keys nobody knows.
func NewPeer(t testing.TB) Peer {
	t.Helper()
	p := Peer{t: t}
	for _, key := range []*ed25519.PrivateKey{&p.comet, &p.libp2p} {
		_, made, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatalf("a peer's key: %v", err)
		}
		*key = made
	}
	return p
}

// Peer is a machine with the keys of the hospital's server, which must be stopped meanwhile.
func (h *Hospital) Peer() Peer {
	h.t.Helper()
	key, err := p2p.LoadNodeKey(h.home.NodeKey())
	if err != nil {
		h.t.Fatalf("node key of %s: %v", h.name, err)
	}
	libp2p, err := h.keys.Ed25519(keys.Libp2p)
	if err != nil {
		h.t.Fatalf("libp2p key of %s: %v", h.name, err)
	}
	return Peer{h.t, key.PrivKey.Bytes(), libp2p}
}

// peerID is the libp2p peer id of a key.
func peerID(key ed25519.PrivateKey) (peer.ID, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return "", errors.New("no ed25519 key")
	}
	return ipfs.PeerIDOf(public)
}

// FetchFrom fetches the ciphertext of a version from a hospital's blob node.
func (p Peer) FetchFrom(h *Hospital, v Version) error {
	p.t.Helper()
	ctx, cancel := step(p.t)
	defer cancel()
	key, err := h.keys.Ed25519(keys.Libp2p)
	if err != nil {
		p.t.Fatalf("libp2p key of %s: %v", h.name, err)
	}
	id, err := peerID(key)
	if err != nil {
		p.t.Fatalf("peer id of %s: %v", h.name, err)
	}
	address, err := multiaddr.NewMultiaddr(fmt.Sprintf("/ip4/%s/tcp/%d", loopback, home.PortLibp2p+h.offset))
	if err != nil {
		p.t.Fatalf("address of %s: %v", h.name, err)
	}
	store := memory.New()
	defer store.Close()
	node, err := ipfs.New(ctx, ipfs.Config{
		Store: store, Key: p.libp2p, Allowed: map[peer.ID][]multiaddr.Multiaddr{id: {address}}, Patience: 10 * time.Second,
	})
	if err != nil {
		p.t.Fatalf("a peer's node: %v", err)
	}
	defer node.Close()
	budget := blob.Budget(v.Padded)
	if err := node.Fetch(ctx, v.Object, []peer.AddrInfo{{ID: id, Addrs: []multiaddr.Multiaddr{address}}}, budget); err != nil {
		return err
	}
	return blob.Verify(ctx, store, v.Object, budget)
}

const (
	// stateChannel is where CometBFT's nodes tell each other in which round they are, first of all.
	stateChannel = 0x20
	maxMessage   = 1 << 20
)

// errHungUp says that a node ended the connection without a word about blocks.
var errHungUp = errors.New("the node hung up")

// Joins calls a hospital's CometBFT port until its node admits it. It may hang up at first: it has one connection to each peer, and
// takes a moment to notice that an earlier one has ended.
func (p Peer) Joins(h *Hospital) {
	p.t.Helper()
	ctx, cancel := step(p.t)
	defer cancel()
	for {
		err := p.join(ctx, h)
		if err == nil {
			return
		}
		if !errors.Is(err, errHungUp) || ctx.Err() != nil {
			p.t.Fatalf("a listed peer calls %s: %v", h.name, err)
		}
	}
}

// join calls a hospital's CometBFT port and waits until its node tells in which round it is, as it does to every peer that it admits.
func (p Peer) join(ctx context.Context, h *Hospital) error {
	p.t.Helper()
	key := p2p.NodeKey{PrivKey: cometed25519.PrivKey(p.comet)}
	info := p2p.DefaultNodeInfo{
		ProtocolVersion: p2p.NewProtocolVersion(version.P2PProtocol, version.BlockProtocol, 0), DefaultNodeID: key.ID(),
		ListenAddr: loopback + ":1", Network: ChainID, Version: version.TMCoreSemVer, Channels: []byte{stateChannel}, Moniker: "peer",
		Other: p2p.DefaultNodeInfoOther{TxIndex: "on", RPCAddress: ""},
	}
	settings := config.DefaultP2PConfig()
	settings.AllowDuplicateIP = true
	transport := p2p.NewMultiplexTransport(info, key, p2p.MConnConfig(settings))
	calls := p2p.NewSwitch(settings, transport)
	listens := &listener{heard: make(chan struct{}, 1), ended: make(chan struct{}, 1)}
	listens.BaseReactor = *p2p.NewBaseReactor("listener", listens)
	calls.AddReactor("listener", listens)
	calls.SetNodeInfo(info)
	calls.SetNodeKey(&key)
	if err := calls.Start(); err != nil {
		p.t.Fatalf("a peer starts: %v", err)
	}
	defer func() {
		if err := calls.Stop(); err != nil {
			p.t.Errorf("a peer stops: %v", err)
		}
	}()
	far, err := p2p.LoadNodeKey(h.home.NodeKey())
	if err != nil {
		p.t.Fatalf("node key of %s: %v", h.name, err)
	}
	address, err := p2p.NewNetAddressString(p2p.IDAddressString(far.ID(), h.port(home.PortComet)))
	if err != nil {
		p.t.Fatalf("address of %s: %v", h.name, err)
	}
	if err := calls.DialPeerWithAddress(address); err != nil {
		return fmt.Errorf("%w: %w", errHungUp, err)
	}
	select {
	case <-listens.heard:
		return nil
	case <-listens.ended:
		return errHungUp
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// CannotJoin calls a hospital's CometBFT port, which hangs up.
func (p Peer) CannotJoin(h *Hospital) {
	p.t.Helper()
	ctx, cancel := step(p.t)
	defer cancel()
	if err := p.join(ctx, h); !errors.Is(err, errHungUp) {
		p.t.Fatalf("an unlisted peer calls %s: %v", h.name, err)
	}
}

// listener hears what a CometBFT node says on its first channel.
type listener struct {
	p2p.BaseReactor
	heard, ended chan struct{}
}

// GetChannels implements p2p.Reactor.
func (*listener) GetChannels() []*conn.ChannelDescriptor {
	return []*conn.ChannelDescriptor{{
		ID: stateChannel, Priority: 1, SendQueueCapacity: 1, RecvMessageCapacity: maxMessage, MessageType: &consensus.Message{},
	}}
}

// Receive implements p2p.Reactor.
func (l *listener) Receive(p2p.Envelope) { tell(l.heard) }

// RemovePeer implements p2p.Reactor.
func (l *listener) RemovePeer(p2p.Peer, any) { tell(l.ended) }

func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
