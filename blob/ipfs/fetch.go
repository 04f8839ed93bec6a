package ipfs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ipfs/boxo/exchange"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

const (
	// wantedLeaves is how many leaves a fetch by bitswap asks for together. The next group is
	// asked for while one arrives, so at most twice as many are in memory.
	wantedLeaves = 16
	// leftoverPatience is how long a fetch that fails waits for each block of its last group.
	leftoverPatience = 200 * time.Millisecond
	// syncedBytes is how much a fetch writes between two Syncs, and syncedAfter the time after
	// which it does not wait for so much: what is not synced is fetched again after a crash,
	// and is not sent to others that fetch the object as well.
	syncedBytes = 16 << 20
	syncedAfter = 250 * time.Millisecond
)

// Fetch copies an object into the store from peers that hold it and returns when every
// block is durable. Blocks that the store holds already are not fetched, so a Fetch that
// was cut goes on where it stopped. The object must have the accepted shape and at most
// budget bytes, see [blob.FetchTree]; what has not is not kept. Blocks that were there count
// as used, see [blob.Toucher].
//
// At least one of the peers must be reachable; all of them may send. Errors are
// ErrNotAllowed and ErrUnreachable, ErrUnavailable, blob.ErrShape, blob.ErrBudget and
// those of the store.
func (n *Node) Fetch(ctx context.Context, root lock.CID, peers []peer.AddrInfo, budget uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f, err := n.begin(ctx, budget)
	if err != nil {
		return err
	}
	err = f.object(ctx, root, peers, budget)
	return errors.Join(err, f.batch.Close())
}

// FetchBlock returns a single block of at most maxSize bytes: from the store, else from
// peers, and then it is durable in the store before FetchBlock returns. Errors are those
// of Fetch, and blob.ErrBudget for a longer block, which is not kept.
func (n *Node) FetchBlock(ctx context.Context, c lock.CID, peers []peer.AddrInfo, maxSize int) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f, err := n.begin(ctx, 0)
	if err != nil {
		return nil, err
	}
	block, err := f.single(ctx, c, peers, maxSize)
	return block, errors.Join(err, f.batch.Close())
}

// ReadBlock returns a single block of at most maxSize bytes: from the store, else from
// peers, and then the store does not keep it. Errors are those of FetchBlock.
func (n *Node) ReadBlock(ctx context.Context, c lock.CID, peers []peer.AddrInfo, maxSize int) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := &fetcher{node: n, peers: peers}
	return f.one(ctx, c, maxSize)
}

// ReadBlocks reads blocks of at most [blob.MaxBlock] bytes each from peers, neither from the
// store nor into it, and hands over each, hashed, as it comes; the bytes are valid during the
// call only. The first of them are asked for first. What was handed over is good whatever
// error follows. Errors are those of Fetch, and those of take.
func (n *Node) ReadBlocks(ctx context.Context, cids []lock.CID, peers []peer.AddrInfo, take func(c lock.CID, block []byte) error) error {
	if len(cids) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := &fetcher{node: n, peers: peers}
	return f.ask(ctx, cids, take)
}

// fetcher is one fetch under way.
type fetcher struct {
	node    *Node
	batch   blob.Batch       // nil where nothing is kept
	session exchange.Fetcher // nil until peers are connected
	peers   []peer.AddrInfo
	unsaved uint64
}

func (n *Node) begin(ctx context.Context, size uint64) (*fetcher, error) {
	batch, err := n.store.Begin(ctx, blob.Hint{Size: size})
	if err != nil {
		return nil, err
	}
	return &fetcher{node: n, batch: batch}, nil
}

// object fetches a whole object.
func (f *fetcher) object(ctx context.Context, root lock.CID, peers []peer.AddrInfo, budget uint64) error {
	f.peers = peers
	tree, err := blob.FetchTree(ctx, f.nodes, root, budget)
	if err != nil {
		return err
	}
	err = f.leaves(ctx, root, tree.Leaves)
	if err == nil {
		return f.batch.Sync(ctx)
	}
	err = fmt.Errorf("object %s: %w", root, err)
	if errors.Is(err, blob.ErrShape) {
		return err
	}
	// What came is kept for the next try, also when the caller has given up.
	return errors.Join(err, f.batch.Sync(context.WithoutCancel(ctx)))
}

// single fetches a block that is no object, and keeps it.
func (f *fetcher) single(ctx context.Context, c lock.CID, peers []peer.AddrInfo, maxSize int) ([]byte, error) {
	f.peers = peers
	block, err := f.one(ctx, c, maxSize)
	if err != nil {
		return nil, err
	}
	if err := f.batch.PutTrusted(c, block); err != nil {
		return nil, err
	}
	if err := f.batch.Sync(ctx); err != nil {
		return nil, err
	}
	return block, nil
}

// one returns a block of bounded size.
func (f *fetcher) one(ctx context.Context, c lock.CID, maxSize int) ([]byte, error) {
	got, err := f.get(ctx, []lock.CID{c})
	if err != nil {
		return nil, err
	}
	if n := len(got[0]); n > maxSize {
		return nil, fmt.Errorf("block %s has %d bytes, %d are allowed: %w", c, n, maxSize, blob.ErrBudget)
	}
	return got[0], nil
}

// nodes is the [blob.Fetch] of an object's inner nodes: it keeps them too. They become
// durable only with leaves, thus after the whole tree was accepted.
func (f *fetcher) nodes(ctx context.Context, cids []lock.CID) ([][]byte, error) {
	got, err := f.get(ctx, cids)
	if err != nil {
		return nil, err
	}
	for i, c := range cids {
		if err := f.batch.PutTrusted(c, got[i]); err != nil {
			return nil, err
		}
	}
	return got, nil
}

// get returns blocks in order, from the store or else from peers.
func (f *fetcher) get(ctx context.Context, cids []lock.CID) ([][]byte, error) {
	got := make([][]byte, len(cids))
	place := map[lock.CID]int{}
	var wanted []lock.CID
	for i, c := range cids {
		block, err := f.node.store.Get(ctx, c)
		if isMissing(err) {
			block, err = f.node.cached(ctx, c)
		}
		switch {
		case err == nil:
			got[i] = block
		case isMissing(err):
			place[c] = i
			wanted = append(wanted, c)
		default:
			return nil, err
		}
	}
	if len(wanted) == 0 {
		return got, nil
	}
	take := func(c lock.CID, block []byte) error {
		got[place[c]] = slices.Clone(block)
		return nil
	}
	return got, f.ask(ctx, wanted, take)
}

// ask asks peers for blocks, and none again for what it lacks.
func (f *fetcher) ask(ctx context.Context, cids []lock.CID, take func(lock.CID, []byte) error) error {
	left, err := f.stream(ctx, wants{name: cids[0], cids: cids, once: true}, take)
	if err != nil {
		return err
	}
	return f.receive(ctx, left, take)
}

// isMissing tells whether an error says that a block is to be had from others.
func isMissing(err error) bool {
	return errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrCorrupt)
}

// cached returns a block from the cache, or [blob.ErrNotFound].
func (n *Node) cached(ctx context.Context, c lock.CID) ([]byte, error) {
	if n.cache == nil {
		return nil, blob.ErrNotFound
	}
	return n.cache.Get(ctx, c)
}

// leaves fetches the leaves that the store lacks and puts them: over streams, and by bitswap
// what none of the peers has sent that way.
func (f *fetcher) leaves(ctx context.Context, root lock.CID, leaves []blob.Leaf) error {
	w := wants{name: root, cids: make([]lock.CID, len(leaves)), held: make([]bool, len(leaves))}
	sizes := map[lock.CID]uint64{}
	for i, l := range leaves {
		has, err := f.node.store.Touch(ctx, l.CID)
		if err != nil {
			return err
		}
		if !has {
			if has, err = f.takeCached(ctx, l); err != nil {
				return err
			}
		}
		if w.cids[i], w.held[i] = l.CID, has; !has {
			sizes[l.CID] = l.Size
		}
	}
	if len(sizes) == 0 {
		return nil
	}
	take := func(c lock.CID, block []byte) error { return f.put(ctx, c, sizes[c], block) }
	left, err := f.stream(ctx, w, take)
	if err != nil {
		return err
	}
	return f.receive(ctx, left, take)
}

// takeCached puts a leaf that the cache has.
func (f *fetcher) takeCached(ctx context.Context, l blob.Leaf) (bool, error) {
	block, err := f.node.cached(ctx, l.CID)
	if isMissing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.put(ctx, l.CID, l.Size, block)
}

// put puts a leaf that was hashed.
func (f *fetcher) put(ctx context.Context, c lock.CID, size uint64, block []byte) error {
	if uint64(len(block)) != size {
		return fmt.Errorf("leaf %s has %d bytes, its link says %d: %w", c, len(block), size, blob.ErrShape)
	}
	if err := f.batch.PutTrusted(c, block); err != nil {
		return err
	}
	if f.unsaved += uint64(len(block)); f.unsaved < syncedBytes {
		return nil
	}
	return f.save(ctx)
}

// save makes durable what was put.
func (f *fetcher) save(ctx context.Context) error {
	if f.unsaved == 0 {
		return nil
	}
	f.unsaved = 0
	return f.batch.Sync(ctx)
}

// receive asks peers for blocks by bitswap, a group at a time, and hands over each as it
// comes. Bitswap has hashed it.
func (f *fetcher) receive(ctx context.Context, wanted []lock.CID, take func(lock.CID, []byte) error) error {
	if len(wanted) == 0 {
		return nil
	}
	if err := f.connect(ctx); err != nil {
		return err
	}
	groups := slices.Collect(slices.Chunk(wanted, wantedLeaves))
	next, err := f.want(ctx, groups[0])
	if err != nil {
		return err
	}
	for i, group := range groups {
		current := next
		next = nil
		if i+1 < len(groups) {
			if next, err = f.want(ctx, groups[i+1]); err != nil {
				return err
			}
		}
		err := f.drain(ctx, group, current, f.node.patience, take)
		if errors.Is(err, ErrUnavailable) && next != nil {
			// What is on its way is not thrown away, so that the next try gets further.
			rest := f.drain(ctx, groups[i+1], next, leftoverPatience, take)
			if !errors.Is(rest, ErrUnavailable) {
				err = errors.Join(err, rest)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// want asks for a group of blocks.
func (f *fetcher) want(ctx context.Context, group []lock.CID) (<-chan blocks.Block, error) {
	cids := make([]cid.Cid, len(group))
	for i, c := range group {
		var err error
		if cids[i], err = cid.Cast(c.Bytes()); err != nil {
			return nil, err
		}
	}
	return f.session.GetBlocks(ctx, cids)
}

// drain takes a group of blocks from a channel, as long as none keeps it waiting for longer
// than wait.
func (f *fetcher) drain(ctx context.Context, group []lock.CID, from <-chan blocks.Block, wait time.Duration, take func(lock.CID, []byte) error) error {
	open := make(map[lock.CID]struct{}, len(group))
	for _, c := range group {
		open[c] = struct{}{}
	}
	patience := time.NewTimer(wait)
	defer patience.Stop()
	for len(open) > 0 {
		select {
		case block, ok := <-from:
			if !ok {
				return errors.Join(fmt.Errorf("%d blocks did not come: %w", len(open), ErrUnavailable), ctx.Err())
			}
			c, err := own(block.Cid())
			if err != nil {
				return err
			}
			if _, asked := open[c]; !asked {
				continue
			}
			delete(open, c)
			f.node.traffic.fetched.Add(uint64(len(block.RawData())))
			if err := f.node.fetchRate.WaitN(ctx, min(len(block.RawData()), blob.MaxBlock)); err != nil {
				return err
			}
			if err := take(c, block.RawData()); err != nil {
				return err
			}
			patience.Reset(wait)
		case <-patience.C:
			return fmt.Errorf("%d blocks did not come within %s: %w", len(open), wait, ErrUnavailable)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// connect waits for the first of the peers and begins a session. The others join it when
// they are connected.
func (f *fetcher) connect(ctx context.Context) error {
	if f.session != nil {
		return nil
	}
	others := f.others()
	results := make(chan error, len(others))
	for _, info := range others {
		go func() { results <- f.node.Connect(ctx, info) }()
	}
	var errs []error
	for range others {
		err := <-results
		if err == nil {
			f.session = f.node.exchange.NewSession(ctx)
			return nil
		}
		errs = append(errs, err)
	}
	return unreachable(errs)
}

// unreachable is the error of a fetch none of whose peers could be connected to.
func unreachable(errs []error) error {
	return errors.Join(fmt.Errorf("none of %d peers: %w", len(errs), ErrUnreachable), errors.Join(errs...))
}

// others are the peers without this node.
func (f *fetcher) others() []peer.AddrInfo {
	return slices.DeleteFunc(slices.Clone(f.peers), func(p peer.AddrInfo) bool { return p.ID == f.node.PeerID() })
}
