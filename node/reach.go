package node

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cometconn "github.com/cometbft/cometbft/p2p/conn"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/phr"
)

// reachTime is how long one port may take to answer.
const reachTime = 5 * time.Second

// The ports of a hospital's server that others must reach.
const (
	PortComet   = "comet"
	PortLibp2p  = "libp2p"
	PortGateway = "gateway"
)

// errPrivate says that an address leads into the caller's own machine.
var errPrivate = errors.New("address is one of this machine")

// Reached is what a call to one port of a member's server came to.
type Reached struct {
	// Port is PortComet, PortLibp2p or PortGateway.
	Port string `json:"port"`
	// Address is the one that stands on the chain.
	Address string `json:"address"`
	// Answers says that something answered there.
	Answers bool `json:"answers"`
	// Known says that it has the key that stands on the chain.
	Known bool `json:"known"`
}

// Reacher calls the servers of members, so that a hospital learns whether others reach it. It
// calls the addresses that stand on the chain and no others, and tells no more than whether
// the expected server is there.
type Reacher struct {
	query consortiumv1.QueryClient
	// local allows addresses of this machine, as in a network on one machine.
	local bool
}

// NewReacher returns a Reacher. Without local it calls no address of its own machine or link,
// whatever stands on the chain.
func NewReacher(chain Chain, local bool) *Reacher {
	return &Reacher{query: consortiumv1.NewQueryClient(chain), local: local}
}

// Reach calls the ports of a member's own server, all at once, and returns what came of each
// in the order of the constants. The error is that of the chain.
func (r *Reacher) Reach(ctx context.Context, member uint64) ([]Reached, error) {
	got, err := r.query.Member(ctx, &consortiumv1.QueryMemberRequest{Number: member})
	if err != nil {
		return nil, fmt.Errorf("ask for member %d: %w", member, err)
	}
	m := got.GetMember()
	server, err := r.server(ctx, m)
	if err != nil {
		return nil, err
	}
	all := []Reached{
		{Port: PortComet, Address: m.GetCometAddress()},
		{Port: PortLibp2p, Address: server.GetAddress()},
		{Port: PortGateway, Address: m.GetGatewayUrl()},
	}
	calls := []struct {
		dial  func() (network, address string, err error)
		greet func(context.Context, net.Conn) error
	}{
		{
			func() (string, string, error) { return "tcp", m.GetCometAddress(), nil },
			func(_ context.Context, conn net.Conn) error { return greetComet(conn, m.GetCometId()) },
		},
		{
			func() (string, string, error) { return dialArguments(server.GetAddress()) },
			func(ctx context.Context, conn net.Conn) error { return greetLibp2p(ctx, conn, server.GetPeerId()) },
		},
		{
			func() (string, string, error) { return gatewayAddress(m.GetGatewayUrl()) },
			func(ctx context.Context, conn net.Conn) error {
				return greetGateway(ctx, conn, m.GetGatewayFingerprint())
			},
		},
	}
	var group sync.WaitGroup
	for i, call := range calls {
		group.Go(func() {
			network, address, err := call.dial()
			if err == nil {
				all[i].Answers, all[i].Known = r.call(ctx, network, address, call.greet)
			}
		})
	}
	group.Wait()
	return all, nil
}

// server finds the storage node that is a member's own server.
func (r *Reacher) server(ctx context.Context, m *consortiumv1.Member) (*consortiumv1.StorageNode, error) {
	var found *consortiumv1.StorageNode
	err := Pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
		got, err := r.query.StorageNodes(ctx, &consortiumv1.QueryStorageNodesRequest{Member: m.GetNumber(), Pagination: page})
		for _, n := range got.GetStorageNodes() {
			if n.GetAccount() == m.GetNodeAccount() {
				found = n
			}
		}
		return got.GetPagination(), err
	})
	if err != nil {
		return nil, fmt.Errorf("list the storage nodes of member %d: %w", m.GetNumber(), err)
	}
	return found, nil
}

// call calls one port, and tells whether something answered and whether it was who was meant.
func (r *Reacher) call(ctx context.Context, network, address string, greet func(context.Context, net.Conn) error) (answers, known bool) {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	dialer := net.Dialer{Control: func(_, address string, _ syscall.RawConn) error { return r.check(address) }}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return false, false
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(reachTime)); err != nil {
		return true, false
	}
	return true, greet(ctx, conn) == nil
}

// check refuses addresses of this machine and its link.
func (r *Reacher) check(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := at.Addr().Unmap()
	if !r.local && (ip.IsLoopback() || ip.IsUnspecified() || ip.IsLinkLocalUnicast() || ip.IsMulticast()) {
		return fmt.Errorf("%s: %w", address, errPrivate)
	}
	return nil
}

// dialArguments is where a multiaddr leads.
func dialArguments(address string) (network, host string, err error) {
	parsed, err := multiaddr.NewMultiaddr(address)
	if err != nil {
		return "", "", err
	}
	return manet.DialArgs(parsed)
}

// gatewayAddress is where the URL of a gateway leads.
func gatewayAddress(text string) (network, host string, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", "", err
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return "tcp", net.JoinHostPort(u.Hostname(), port), nil
}

// greetComet sees whether a connection leads to CometBFT's node with an id. The caller shows a
// key that it throws away, which the node shuts out after it has shown its own.
func greetComet(conn net.Conn, id string) error {
	secret, err := cometconn.MakeSecretConnection(conn, ed25519.GenPrivKey())
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(secret.RemotePubKey().Address()); got != id {
		return fmt.Errorf("got node %s, want %s", got, id)
	}
	return nil
}

// greetLibp2p sees whether a connection leads to a blob node.
func greetLibp2p(ctx context.Context, conn net.Conn, id string) error {
	want, err := peer.Decode(id)
	if err != nil {
		return err
	}
	return ipfs.Greet(ctx, conn, want)
}

// greetGateway sees whether a connection leads to a gateway whose certificate has a public key.
func greetGateway(ctx context.Context, conn net.Conn, fingerprint []byte) error {
	return tls.Client(conn, phr.Pinned(fingerprint)).HandshakeContext(ctx)
}
