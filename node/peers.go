package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/lock"
)

const (
	// pageSize is how many rows a query returns at most.
	pageSize = 200
	// keepEvery is how often a connection is looked after.
	keepEvery = 2 * time.Second
	// lastRedial is the longest pause between tries to reach a peer.
	lastRedial = time.Minute
)

// ErrNoPeer says that no other hospital's node is known.
var ErrNoPeer = errors.New("no peer is known")

// PeersConfig says what a [Peers] works with.
type PeersConfig struct {
	// Chain tells who belongs to the network.
	Chain Chain
	// Node is the IPFS node whose list and connections are kept.
	Node *ipfs.Node
	// Log is told of peers that come, go and can't be reached; slog.Default() if nil.
	Log *slog.Logger
}

// Peers keeps the list of peers that the IPFS node admits, and the connections to them, in
// step with the chain: the storage nodes of all members that are active or leaving, retired ones too as long as
// the chain has something for them to do. A member that was suspended or left is shut out by
// the block that says so. CometBFT's port goes by the same rule, but for a suspended member's
// own server.
type Peers struct {
	config PeersConfig
	query  consortiumv1.QueryClient
	usage  storagev1.QueryClient

	mu      sync.RWMutex
	nodes   map[uint64]storageNode // by number
	keepers map[peer.ID]context.CancelFunc
	group   sync.WaitGroup
}

// storageNode is what the chain says of a storage node that this one may talk to.
type storageNode struct {
	account string
	info    peer.AddrInfo
}

// NewPeers returns a Peers that has read nothing yet.
func NewPeers(config PeersConfig) (*Peers, error) {
	if config.Chain == nil || config.Node == nil {
		return nil, errors.New("peers need a chain and an ipfs node")
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	return &Peers{
		config: config, query: consortiumv1.NewQueryClient(config.Chain), usage: storagev1.NewQueryClient(config.Chain),
		nodes: map[uint64]storageNode{}, keepers: map[peer.ID]context.CancelFunc{},
	}, nil
}

// Run keeps list and connections until ctx ends; then it returns nil.
func (p *Peers) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		p.group.Wait()
		clear(p.keepers)
	}()
	report := reporter{log: p.config.Log}
	return loop(ctx, p.config.Chain, func(ctx context.Context) (time.Duration, error) {
		err := p.Refresh(ctx)
		report.changed(ctx, "list of peers can't be read", err)
		if err == nil {
			p.keep(ctx)
			return 0, nil
		}
		// The list stays as it was.
		return keepEvery, nil
	})
}

// Refresh reads the chain and sets the node's list. Run does so at each block; until the
// first time nobody is admitted. On an error the list stays as it was.
func (p *Peers) Refresh(ctx context.Context) error {
	nodes, err := p.read(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	changed := !maps.EqualFunc(nodes, p.nodes, equalNodes)
	p.nodes = nodes
	p.mu.Unlock()
	if !changed {
		return nil
	}
	allowed := make(map[peer.ID][]multiaddr.Multiaddr, len(nodes))
	for _, n := range nodes {
		if n.info.ID != p.config.Node.PeerID() {
			allowed[n.info.ID] = n.info.Addrs
		}
	}
	p.config.Node.SetAllowed(allowed)
	p.config.Log.Info("list of peers was set", "peers", len(allowed))
	return nil
}

func equalNodes(a, b storageNode) bool {
	return a.account == b.account && a.info.ID == b.info.ID && slices.EqualFunc(a.info.Addrs, b.info.Addrs, multiaddr.Multiaddr.Equal)
}

// read returns the storage nodes of active members by number, without those that are shut
// out.
func (p *Peers) read(ctx context.Context) (map[uint64]storageNode, error) {
	active := map[uint64]bool{}
	err := Pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
		got, err := p.query.Members(ctx, &consortiumv1.QueryMembersRequest{Pagination: page})
		for _, m := range got.GetMembers() {
			active[m.GetNumber()] = TakesPart(m)
		}
		return got.GetPagination(), err
	})
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	usage, err := p.usage.Usage(ctx, &storagev1.QueryUsageRequest{})
	if err != nil {
		return nil, fmt.Errorf("ask which storage nodes are shut out: %w", err)
	}
	nodes := map[uint64]storageNode{}
	err = Pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
		got, err := p.query.StorageNodes(ctx, &consortiumv1.QueryStorageNodesRequest{Pagination: page})
		for _, n := range got.GetStorageNodes() {
			if !active[n.GetMember()] || slices.Contains(usage.GetShutOut(), n.GetNumber()) {
				continue
			}
			info, err := addrInfo(n)
			if err != nil {
				// The chain checks both; a node that it let through nevertheless is not reached.
				p.config.Log.Warn("storage node can't be a peer", "node", n.GetNumber(), "reason", err)
				continue
			}
			nodes[n.GetNumber()] = storageNode{account: n.GetAccount(), info: info}
		}
		return got.GetPagination(), err
	})
	if err != nil {
		return nil, fmt.Errorf("list storage nodes: %w", err)
	}
	return nodes, nil
}

// addrInfo reads where a storage node is found.
func addrInfo(n *consortiumv1.StorageNode) (peer.AddrInfo, error) {
	id, err := peer.Decode(n.GetPeerId())
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("peer id %q: %w", n.GetPeerId(), err)
	}
	address, err := multiaddr.NewMultiaddr(n.GetAddress())
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("address %q: %w", n.GetAddress(), err)
	}
	return peer.AddrInfo{ID: id, Addrs: []multiaddr.Multiaddr{address}}, nil
}

// Of returns how to reach storage nodes, in the order of their numbers given; nodes that
// are not peers, and this one, are left out.
func (p *Peers) Of(numbers ...uint64) []peer.AddrInfo {
	p.mu.RLock()
	defer p.mu.RUnlock()
	var infos []peer.AddrInfo
	for _, number := range numbers {
		if n, known := p.nodes[number]; known && n.info.ID != p.config.Node.PeerID() {
			infos = append(infos, n.info)
		}
	}
	return infos
}

// All returns how to reach every other storage node.
func (p *Peers) All() []peer.AddrInfo {
	p.mu.RLock()
	numbers := slices.Sorted(maps.Keys(p.nodes))
	p.mu.RUnlock()
	return p.Of(numbers...)
}

// Block returns a block of at most maxSize bytes from the store or from whichever peer has
// it. The store does not keep it.
func (p *Peers) Block(ctx context.Context, c lock.CID, maxSize int) ([]byte, error) {
	block, err := p.config.Node.ReadBlock(ctx, c, p.All(), maxSize)
	if err != nil && len(p.All()) == 0 {
		return nil, fmt.Errorf("%w: %w", ErrNoPeer, err)
	}
	return block, err
}

// Blocks reads blocks from whichever peers have them and hands over each, hashed, as it comes;
// see ipfs.Node. The store keeps none.
func (p *Peers) Blocks(ctx context.Context, cids []lock.CID, take func(c lock.CID, block []byte) error) error {
	err := p.config.Node.ReadBlocks(ctx, cids, p.All(), take)
	if err != nil && len(p.All()) == 0 {
		return fmt.Errorf("%w: %w", ErrNoPeer, err)
	}
	return err
}

// Connected returns how many of the peers there is a connection to, for health checks.
func (p *Peers) Connected() (connected, known int) {
	peers := p.config.Node.Peers()
	for _, info := range p.All() {
		known++
		if slices.Contains(peers, info.ID) {
			connected++
		}
	}
	return connected, known
}

// keep starts looking after new peers and ends it for those that are gone.
func (p *Peers) keep(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	current := map[peer.ID]bool{}
	for _, n := range p.nodes {
		id := n.info.ID
		if id == p.config.Node.PeerID() {
			continue
		}
		current[id] = true
		if p.keepers[id] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		p.keepers[id] = cancel
		p.group.Go(func() { p.keepConnected(ctx, id) })
	}
	for id, cancel := range p.keepers {
		if !current[id] {
			cancel()
			delete(p.keepers, id)
		}
	}
}

// keepConnected looks after the connection to one peer until ctx ends.
func (p *Peers) keepConnected(ctx context.Context, id peer.ID) {
	pause, reached := keepEvery, true
	for ctx.Err() == nil {
		// The node knows the newest addresses from the list.
		err := p.config.Node.Connect(ctx, peer.AddrInfo{ID: id})
		switch {
		case err == nil:
			if !reached {
				p.config.Log.Info("peer is reached", "peer", id)
			}
			pause, reached = keepEvery, true
		case ctx.Err() == nil:
			if reached {
				p.config.Log.Warn("peer is not reached", "peer", id, "reason", err)
			}
			pause, reached = min(2*pause, lastRedial), false
		}
		sleep(ctx, nil, pause)
	}
}

// Pages calls a query until it has returned the last page.
func Pages(query func(*queryv1.PageRequest) (*queryv1.PageResponse, error)) error {
	page := &queryv1.PageRequest{Limit: pageSize}
	for {
		got, err := query(page)
		if err != nil {
			return err
		}
		if len(got.GetNextKey()) == 0 {
			return nil
		}
		page = &queryv1.PageRequest{Limit: pageSize, Key: got.GetNextKey()}
	}
}

// TakesPart tells whether a member validates, holds copies and answers: one that is leaving does until it has left.
func TakesPart(m *consortiumv1.Member) bool {
	return m.GetStatus() == consortiumv1.MemberStatus_MEMBER_STATUS_ACTIVE || m.GetStatus() == consortiumv1.MemberStatus_MEMBER_STATUS_LEAVING
}
