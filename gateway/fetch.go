package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/cache"
	"github.com/phrd/phrd/lock"
)

const (
	// groupLeaves is how many leaves of an object are got together.
	groupLeaves = 4
	// spareGroups is how many groups beyond the first one download has under way or waiting to
	// be sent, where there is memory for them.
	spareGroups = 2
	// allSpareLeaves is how many leaves all downloads together have beyond their first group.
	allSpareLeaves = 128
)

// errLeft says that who fetched a block for others has gone before it came.
var errLeft = errors.New("who fetched the block has left")

// flights are the blocks that are on their way from other hospitals, so that each is fetched
// once for all who read it.
type flights struct {
	mu sync.Mutex
	by map[lock.CID]*flight
}

// flight is one block on its way.
type flight struct {
	done  chan struct{}
	block []byte // valid once done is closed, and nobody's to change
	err   error
}

// join returns, of blocks, the new flights that are the caller's to carry out, and those of
// others.
func (f *flights) join(cids []lock.CID) (own, others map[lock.CID]*flight) {
	own, others = map[lock.CID]*flight{}, map[lock.CID]*flight{}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by == nil {
		f.by = map[lock.CID]*flight{}
	}
	for _, c := range cids {
		if x := f.by[c]; x != nil && own[c] == nil {
			others[c] = x
		} else if x == nil {
			own[c] = &flight{done: make(chan struct{})}
			f.by[c] = own[c]
		}
	}
	return own, others
}

// end forgets a flight whose block is where others find it, or will not come.
func (f *flights) end(c lock.CID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.by, c)
}

// land tells everybody who waits what became of a flight.
func (x *flight) land(block []byte, err error) {
	x.block, x.err = block, err
	close(x.done)
}

// found is a block that was looked for, or why it was not found.
type found struct {
	block []byte
	err   error
}

// read begins to get blocks of an object, none twice, and returns for each a channel that tells
// once. They come from the store or the cache, else together from other hospitals, and are
// hashed; nobody changes their bytes.
func (g *Gateway) read(ctx context.Context, o *cache.Object, cids []lock.CID) []chan found {
	results := make([]chan found, len(cids))
	places := make(map[lock.CID]int, len(cids))
	for i, c := range cids {
		results[i], places[c] = make(chan found, 1), i
	}
	go func() {
		here := make([]found, len(cids))
		var group sync.WaitGroup
		for i, c := range cids {
			group.Go(func() { here[i].block, here[i].err = g.here(ctx, o, c) })
		}
		group.Wait()
		var missing []lock.CID
		for i, c := range cids {
			if isMissing(here[i].err) {
				missing = append(missing, c)
			} else {
				results[i] <- here[i]
			}
		}
		g.fetchFor(ctx, o, missing, func(c lock.CID, f found) { results[places[c]] <- f })
	}()
	return results
}

// isMissing tells whether an error says that a block is to be had from others.
func isMissing(err error) bool {
	return errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrCorrupt)
}

// here returns a block from the store or the cache.
func (g *Gateway) here(ctx context.Context, o *cache.Object, c lock.CID) ([]byte, error) {
	block, err := g.config.Store.Get(ctx, c)
	if isMissing(err) {
		block, err = o.Get(ctx, c)
	}
	return block, err
}

// objectBlock returns one block of an object, or one that belongs to it.
func (g *Gateway) objectBlock(ctx context.Context, o *cache.Object, c lock.CID) ([]byte, error) {
	f := <-g.read(ctx, o, []lock.CID{c})[0]
	return f.block, f.err
}

// fetchFor gets blocks of an object from other hospitals, keeps them in the cache, and tells of
// each once. What somebody else fetches is waited for.
func (g *Gateway) fetchFor(ctx context.Context, o *cache.Object, cids []lock.CID, tell func(lock.CID, found)) {
	for len(cids) > 0 {
		own, others := g.flights.join(cids)
		g.carryOut(ctx, o, cids, own, tell)
		cids = nil
		for c, x := range others {
			select {
			case <-x.done:
			case <-ctx.Done():
				tell(c, found{err: ctx.Err()})
				continue
			}
			if errors.Is(x.err, errLeft) && ctx.Err() == nil {
				cids = append(cids, c)
				continue
			}
			tell(c, found{x.block, x.err})
		}
	}
}

// carryOut carries out those flights of blocks, which are in order, that are the caller's own.
func (g *Gateway) carryOut(ctx context.Context, o *cache.Object, cids []lock.CID, own map[lock.CID]*flight, tell func(lock.CID, found)) {
	if len(own) == 0 {
		return
	}
	cids = slices.DeleteFunc(slices.Clone(cids), func(c lock.CID) bool { return own[c] == nil || g.cameMeanwhile(ctx, o, c, own, tell) })
	if len(cids) == 0 {
		return
	}
	err := g.fetchAll(ctx, cids, func(c lock.CID, block []byte) error {
		x := own[c]
		if x == nil {
			return fmt.Errorf("block %s came and was not asked for", c)
		}
		delete(own, c)
		block = bytes.Clone(block)
		x.land(block, nil)
		tell(c, found{block: block})
		o.Keep(c, block)
		g.flights.end(c)
		return nil
	})
	if err == nil {
		err = errUnavailable
	}
	for c, x := range own {
		err := fmt.Errorf("block %s: %w", c, err)
		g.flights.end(c)
		if ctx.Err() != nil {
			x.land(nil, errLeft)
			err = ctx.Err()
		} else {
			x.land(nil, err)
		}
		tell(c, found{err: err})
	}
}

// cameMeanwhile ends a flight whose block somebody else has brought since it was looked for.
func (g *Gateway) cameMeanwhile(ctx context.Context, o *cache.Object, c lock.CID, own map[lock.CID]*flight, tell func(lock.CID, found)) bool {
	if !g.config.Cache.Has(c) {
		return false
	}
	block, err := o.Get(ctx, c)
	if err != nil {
		return false
	}
	own[c].land(block, nil)
	delete(own, c)
	g.flights.end(c)
	tell(c, found{block: block})
	return true
}

// fetchAll asks other hospitals for blocks. It gives up when none has come for a while.
func (g *Gateway) fetchAll(ctx context.Context, cids []lock.CID, take func(lock.CID, []byte) error) error {
	if g.config.Fetcher == nil {
		return errUnavailable
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	patience := time.AfterFunc(g.config.Limits.FetchTime, cancel)
	defer patience.Stop()
	err := g.config.Fetcher.Blocks(ctx, cids, func(c lock.CID, block []byte) error {
		patience.Reset(g.config.Limits.FetchTime)
		return take(c, block)
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errUnavailable, err)
	}
	return nil
}

// readOn fetches into the cache what follows a leaf of an object that was not here, for a caller
// that reads block by block.
func (g *Gateway) readOn(tree *knownTree, place int) {
	from, to := tree.follow(place)
	if from == to || g.work.Err() != nil || !g.config.Cache.Keeps() || !g.spare.TryAcquire(int64(to-from)) {
		return
	}
	g.workers.Go(func() {
		defer g.spare.Release(int64(to - from))
		kept := g.config.Cache.Open(tree.root)
		defer kept.Close()
		var missing []lock.CID
		for _, leaf := range tree.tree.Leaves[from:to] {
			has, err := g.config.Store.Has(g.work, leaf.CID)
			if err != nil {
				return // the caller that wants it is told
			}
			if !has && !g.config.Cache.Has(leaf.CID) {
				missing = append(missing, leaf.CID)
			}
		}
		g.fetchFor(g.work, kept, missing, func(lock.CID, found) {})
	})
}

// leafReader gets the leaves of an object one after another, several ahead of the one that is
// asked for. It is used by one goroutine at a time.
type leafReader struct {
	g    *Gateway
	ctx  context.Context
	kept *cache.Object
	tree *knownTree

	ahead map[int]chan found // by the leaf's place
	next  int                // the first leaf that was not asked for
	spare bool               // there is memory for more than one group
}

// get returns the leaf at a place. Those up to the last one will probably be asked for next.
func (l *leafReader) get(place, last int) ([]byte, error) {
	if l.ahead[place] == nil {
		l.ahead, l.next = map[int]chan found{}, place
	}
	for l.next <= last && (l.next == place || l.next <= place+l.room()) {
		group := l.tree.tree.Leaves[l.next:min(l.next+groupLeaves, last+1)]
		cids := make([]lock.CID, len(group))
		for i, leaf := range group {
			cids[i] = leaf.CID
		}
		for i, result := range l.g.read(l.ctx, l.kept, cids) {
			l.ahead[l.next+i] = result
		}
		l.next += len(group)
	}
	f := <-l.ahead[place]
	delete(l.ahead, place)
	leaf := l.tree.tree.Leaves[place]
	if f.err == nil && uint64(len(f.block)) != leaf.Size {
		f.err = fmt.Errorf("leaf %s has %d bytes, want %d: %w", leaf.CID, len(f.block), leaf.Size, blob.ErrShape)
	}
	return f.block, f.err
}

// room is how many leaves may be ahead when another group is begun.
func (l *leafReader) room() int {
	l.spare = l.spare || l.g.spare.TryAcquire(spareGroups*groupLeaves)
	if !l.spare {
		return 0
	}
	return spareGroups * groupLeaves
}

// close gives back the memory.
func (l *leafReader) close() {
	if l.spare {
		l.g.spare.Release(spareGroups * groupLeaves)
		l.spare = false
	}
}
