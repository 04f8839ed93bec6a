// Package ipfs copies blocks between the stores of hospitals, as a private IPFS node.
//
// The node speaks libp2p: TCP and TLS 1.3 only, no relay, no DHT, no address discovery. The
// leaves of whole objects travel over a stream of our own, from several peers at once; single
// blocks, and all that a peer without that protocol asks or is asked for, by bitswap. A peer is admitted by its peer ID, which its key proves in the handshake, and
// only while it stands on the list that [Node.SetAllowed] was given last; everybody else
// is refused before a single block is named. Blocks are served from a [blob.Store] and
// fetched into it; nothing but a store's own contract decides what is durable.
package ipfs

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/ipfs/boxo/bitswap"
	"github.com/ipfs/boxo/bitswap/network/bsnet"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
	"github.com/phrd/phrd/blob"
	"golang.org/x/time/rate"
)

var (
	// ErrNotAllowed says that a peer is not on this node's own list.
	ErrNotAllowed = errors.New("peer is not on the list of allowed peers")
	// ErrUnreachable says that a peer could not be connected to or did not admit us.
	ErrUnreachable = errors.New("peer is not reachable")
	// ErrUnavailable says that no connected peer sent anything wanted for [Config.Patience].
	ErrUnavailable = errors.New("no peer provides the block")
)

// DefaultPatience is how long a fetch waits for a peer.
const DefaultPatience = 30 * time.Second

// streamWindow is how much a peer may send on one stream before it is read: enough for 40 MB
// a second over 100 ms, and what a fetch may have waiting for each of its peers.
const streamWindow = 4 << 20

// Config says what a node is made of.
type Config struct {
	// Store provides the blocks that are served and receives those that are fetched. The
	// node does not close it.
	Store blob.Store
	// Cache has blocks that were fetched before and are not kept for good; a fetch takes from
	// it what it has, and peers are not served from it. Nil is none.
	Cache blob.Getter
	// Key is the node's Ed25519 key; its peer ID stands on the chain.
	Key ed25519.PrivateKey
	// Listen are the multiaddrs to listen on, such as /ip4/0.0.0.0/tcp/4001; a node without
	// any only dials.
	Listen []string
	// Allowed are the first peers of the list, see [Node.SetAllowed].
	Allowed map[peer.ID][]multiaddr.Multiaddr
	// Patience is how long a fetch waits for the next block, or a good part of one, before it
	// gives up with ErrUnavailable, and how long a peer may take for that; DefaultPatience
	// if 0.
	Patience time.Duration
	// SendRate and FetchRate bound the bytes of blocks a second that are sent to, and
	// fetched from, all peers together; no bound if 0, else at least MinRate.
	SendRate, FetchRate int
}

// Node is a running IPFS node. All its methods may be called at the same time.
type Node struct {
	store    blob.Store
	cache    blob.Getter // nil where there is none
	host     host.Host
	gate     *gate
	exchange *bitswap.Bitswap
	patience time.Duration
	cancel   context.CancelFunc
	contacts contacts
	asking   asking
	traffic  traffic
	// sendRate and fetchRate bound what is moved.
	sendRate, fetchRate *rate.Limiter
}

// New starts a node. It listens and serves until Close, or until ctx ends.
func New(ctx context.Context, config Config) (*Node, error) {
	if config.Store == nil {
		return nil, errors.New("ipfs node without a store")
	}
	if len(config.Key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("ipfs node with a key of %d bytes, want %d", len(config.Key), ed25519.PrivateKeySize)
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(config.Key)
	if err != nil {
		return nil, fmt.Errorf("ipfs node key: %w", err)
	}
	if config.Patience == 0 {
		config.Patience = DefaultPatience
	}
	sendRate, err := newRate("send", config.SendRate)
	if err != nil {
		return nil, err
	}
	fetchRate, err := newRate("fetch", config.FetchRate)
	if err != nil {
		return nil, err
	}
	muxer := *yamux.DefaultTransport
	muxer.MaxStreamWindowSize = streamWindow
	g := newGate()
	addresses := libp2p.ListenAddrStrings(config.Listen...)
	if len(config.Listen) == 0 {
		addresses = libp2p.NoListenAddrs
	}
	h, err := libp2p.New(
		libp2p.Identity(key),
		addresses,
		libp2p.ConnectionGater(g),
		// Calls from the port on which the node listens would make one connection of two calls that cross, with a caller at either end.
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.Security(libp2ptls.ID, libp2ptls.New),
		libp2p.Muxer(yamux.ID, &muxer),
		libp2p.DisableRelay(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.UserAgent("phrd"),
		libp2p.DisableMetrics(),
	)
	if err != nil {
		return nil, fmt.Errorf("ipfs node: %w", err)
	}
	g.attach(h)
	ctx, cancel := context.WithCancel(ctx)
	n := &Node{
		store: config.Store, cache: config.Cache, host: h, gate: g, patience: config.Patience, cancel: cancel,
		sendRate: sendRate, fetchRate: fetchRate,
	}
	// Without a provider finder bitswap asks connected peers and nobody else.
	n.exchange = bitswap.New(ctx, bsnet.NewFromIpfsHost(h), nil, served{n})
	h.SetStreamHandler(objectProtocol, newServer(ctx, n).handle)
	n.SetAllowed(config.Allowed)
	return n, nil
}

// Close ends all connections and fetches.
func (n *Node) Close() error {
	n.cancel()
	return errors.Join(n.exchange.Close(), n.host.Close())
}

// PeerID is the node's name, derived from its key.
func (n *Node) PeerID() peer.ID { return n.host.ID() }

// Addrs are the multiaddrs on which the node listens, with the ports that it got.
func (n *Node) Addrs() []multiaddr.Multiaddr { return n.host.Addrs() }

// Info is the node's name and addresses, as another node's Connect takes them.
func (n *Node) Info() peer.AddrInfo { return peer.AddrInfo{ID: n.PeerID(), Addrs: n.Addrs()} }

// Peers are the peers with which there is a connection now.
func (n *Node) Peers() []peer.ID { return n.host.Network().Peers() }

// PeerIDOf returns the peer ID that belongs to an Ed25519 public key of 32 bytes.
func PeerIDOf(key ed25519.PublicKey) (peer.ID, error) {
	public, err := crypto.UnmarshalEd25519PublicKey(key)
	if err != nil {
		return "", fmt.Errorf("ipfs node key: %w", err)
	}
	return peer.IDFromPublicKey(public)
}

// SetAllowed replaces the list of peers that are admitted, with the addresses at which each
// may be found. Connections to peers that are no longer on the list are closed before it
// returns.
func (n *Node) SetAllowed(peers map[peer.ID][]multiaddr.Multiaddr) { n.gate.set(peers) }
