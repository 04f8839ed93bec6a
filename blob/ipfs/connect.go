package ipfs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
)

// contacts knows the connections on which both sides agreed.
type contacts struct {
	mu     sync.Mutex
	byPeer map[peer.ID]*contact
}

// contact is what is known of one peer.
type contact struct {
	// turn is held by the one Connect at work, so that the others find its work done.
	turn chan struct{}
	// agreed is the connection on which the peer has answered; guarded by turn.
	agreed string
}

// take waits for the contact of a peer. The caller gives it back.
func (c *contacts) take(ctx context.Context, p peer.ID) (*contact, error) {
	c.mu.Lock()
	known, ok := c.byPeer[p]
	if !ok {
		if c.byPeer == nil {
			c.byPeer = map[peer.ID]*contact{}
		}
		known = &contact{turn: make(chan struct{}, 1)}
		c.byPeer[p] = known
	}
	c.mu.Unlock()
	select {
	case known.turn <- struct{}{}:
		return known, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *contact) giveBack() { <-c.turn }

// Connect makes sure that there is a connection to a peer on which both sides agree.
// Errors are ErrNotAllowed when this node's list lacks the peer, else ErrUnreachable.
func (n *Node) Connect(ctx context.Context, info peer.AddrInfo) error {
	if !n.gate.admits(info.ID) {
		return fmt.Errorf("peer %s: %w", info.ID, ErrNotAllowed)
	}
	known, err := n.contacts.take(ctx, info.ID)
	if err != nil {
		return fmt.Errorf("peer %s: %w: %w", info.ID, ErrUnreachable, err)
	}
	defer known.giveBack()
	if n.open(info.ID, known.agreed) {
		return nil
	}
	// A far side that refuses us does so after our half of the handshake, so that a
	// connection seems to exist for a moment: only an answer shows that it does.
	err = n.host.Connect(network.WithDialPeerTimeout(ctx, n.patience), info)
	if err == nil {
		known.agreed, err = n.ping(ctx, info.ID)
	}
	if err != nil {
		return fmt.Errorf("peer %s: %w: %w", info.ID, ErrUnreachable, err)
	}
	return nil
}

// open tells whether a connection to a peer is open still.
func (n *Node) open(p peer.ID, id string) bool {
	return slices.ContainsFunc(n.host.Network().ConnsToPeer(p), func(c network.Conn) bool {
		return c.ID() == id && !c.IsClosed()
	})
}

// ping waits for one answer of a connected peer and returns the connection.
func (n *Node) ping(ctx context.Context, p peer.ID) (string, error) {
	connections := n.host.Network().ConnsToPeer(p)
	if len(connections) == 0 {
		return "", errors.New("the connection was closed")
	}
	ctx, cancel := context.WithTimeout(network.WithNoDial(ctx, "the connection exists"), n.patience)
	defer cancel()
	answer, ok := <-ping.Ping(ctx, n.host, p)
	if !ok {
		return "", errors.Join(errors.New("no answer"), ctx.Err())
	}
	return connections[0].ID(), answer.Error
}
