package ipfs

import (
	"sync"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/multiformats/go-multiaddr"
)

// gate admits the peers of a list and nobody else.
type gate struct {
	host host.Host

	mu      sync.RWMutex
	allowed map[peer.ID]struct{}
}

var _ connmgr.ConnectionGater = (*gate)(nil)

func newGate() *gate { return &gate{allowed: map[peer.ID]struct{}{}} }

// attach gives the gate the host that it guards. A connection that was admitted just
// before its peer left the list is closed when it shows up.
func (g *gate) attach(h host.Host) {
	g.host = h
	h.Network().Notify(&network.NotifyBundle{
		ConnectedF: func(_ network.Network, c network.Conn) {
			if !g.admits(c.RemotePeer()) {
				// The peer is shut out whether or not it hears of it.
				_ = c.Close()
			}
		},
	})
}

func (g *gate) admits(p peer.ID) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	_, admitted := g.allowed[p]
	return admitted
}

// set replaces the list and closes what it no longer allows.
func (g *gate) set(peers map[peer.ID][]multiaddr.Multiaddr) {
	allowed := make(map[peer.ID]struct{}, len(peers))
	for p := range peers {
		allowed[p] = struct{}{}
	}
	g.mu.Lock()
	before := g.allowed
	g.allowed = allowed
	g.mu.Unlock()

	book := g.host.Peerstore()
	for p := range before {
		book.ClearAddrs(p)
	}
	for p, addresses := range peers {
		book.AddAddrs(p, addresses, peerstore.PermanentAddrTTL)
	}
	for _, p := range g.host.Network().Peers() {
		if !g.admits(p) {
			// An error says that the connection was closing already.
			_ = g.host.Network().ClosePeer(p)
		}
	}
}

// InterceptPeerDial implements [connmgr.ConnectionGater].
func (g *gate) InterceptPeerDial(p peer.ID) bool { return g.admits(p) }

// InterceptAddrDial implements [connmgr.ConnectionGater].
func (g *gate) InterceptAddrDial(p peer.ID, _ multiaddr.Multiaddr) bool { return g.admits(p) }

// InterceptAccept implements [connmgr.ConnectionGater]. Who calls is known only after the
// handshake.
func (g *gate) InterceptAccept(network.ConnMultiaddrs) bool { return true }

// InterceptSecured implements [connmgr.ConnectionGater].
func (g *gate) InterceptSecured(_ network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	return g.admits(p)
}

// InterceptUpgraded implements [connmgr.ConnectionGater].
func (g *gate) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	return g.admits(c.RemotePeer()), 0
}
