package node

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

// barTime is how long a block that was erased can't be put again. A copy that was under way
// when its object was erased fails within that time. It is no longer than that, so that
// nobody keeps a block from a node by having had it erased as a part of something else.
const barTime = 10 * time.Minute

// Cache keeps blocks of objects beside the store, and nobody relies on it; it is a *cache.Cache.
type Cache interface {
	// Erase removes what it keeps of objects and single blocks, named by CIDs, for good.
	Erase(cids []lock.CID) error
}

// Guard is a block store as everything but the [Eraser] sees it. Before it is opened it
// shows no block: what was erased while the node was away is still there. And for a while
// it takes no block that was erased, so that no copy that is under way brings it back.
type Guard struct {
	store  blob.Store
	caches []Cache
	now    func() time.Time
	opened chan struct{}
	once   sync.Once

	// mu is held for reading while a block is put, so that one is either put before it is
	// barred, and then erased, or refused.
	mu     sync.RWMutex
	barred map[lock.CID]time.Time
}

var (
	_ blob.Store           = (*Guard)(nil)
	_ blob.ColdReader      = (*Guard)(nil)
	_ blob.UncheckedReader = (*Guard)(nil)
)

// NewGuard returns a guard of a store, which shows nothing yet. What is erased goes from the
// caches too.
func NewGuard(store blob.Store, caches ...Cache) *Guard {
	return &Guard{store: store, caches: caches, now: time.Now, opened: make(chan struct{}), barred: map[lock.CID]time.Time{}}
}

// Open shows the store's blocks from now on.
func (g *Guard) Open() { g.once.Do(func() { close(g.opened) }) }

// Opened returns a channel that is closed when the guard was opened.
func (g *Guard) Opened() <-chan struct{} { return g.opened }

func (g *Guard) isOpen() bool {
	select {
	case <-g.opened:
		return true
	default:
		return false
	}
}

// errShut says that a block is not shown.
func errShut(c lock.CID) error {
	return fmt.Errorf("block %s: what was erased is being deleted first: %w", c, blob.ErrNotFound)
}

// Get implements [blob.Getter].
func (g *Guard) Get(ctx context.Context, c lock.CID) ([]byte, error) {
	if !g.isOpen() {
		return nil, errShut(c)
	}
	return g.store.Get(ctx, c)
}

// Has implements [blob.Prober].
func (g *Guard) Has(ctx context.Context, c lock.CID) (bool, error) {
	if !g.isOpen() {
		return false, nil
	}
	return g.store.Has(ctx, c)
}

// Size implements [blob.Prober].
func (g *Guard) Size(ctx context.Context, c lock.CID) (int, error) {
	if !g.isOpen() {
		return 0, errShut(c)
	}
	return g.store.Size(ctx, c)
}

// Touch implements [blob.Toucher].
func (g *Guard) Touch(ctx context.Context, c lock.CID) (bool, error) {
	if !g.isOpen() {
		return false, nil
	}
	return g.store.Touch(ctx, c)
}

// AppendUnchecked implements [blob.UncheckedReader]; a store that can't read so checks what it reads.
func (g *Guard) AppendUnchecked(ctx context.Context, c lock.CID, b []byte) ([]byte, error) {
	if !g.isOpen() {
		return nil, errShut(c)
	}
	if reader, ok := g.store.(blob.UncheckedReader); ok {
		return reader.AppendUnchecked(ctx, c, b)
	}
	block, err := g.store.Get(ctx, c)
	if err != nil {
		return nil, err
	}
	return append(b, block...), nil
}

// Cold implements [blob.ColdReader].
func (g *Guard) Cold() blob.Getter {
	if reader, ok := g.store.(blob.ColdReader); ok {
		return coldGuard{g, reader.Cold()}
	}
	return g
}

type coldGuard struct {
	guard *Guard
	store blob.Getter
}

// Get implements [blob.Getter].
func (c coldGuard) Get(ctx context.Context, id lock.CID) ([]byte, error) {
	if !c.guard.isOpen() {
		return nil, errShut(id)
	}
	return c.store.Get(ctx, id)
}

// Begin implements [blob.Putter]. Errors of Put may also be [blob.ErrErased].
func (g *Guard) Begin(ctx context.Context, hint blob.Hint) (blob.Batch, error) {
	batch, err := g.store.Begin(ctx, hint)
	if err != nil {
		return nil, err
	}
	return guardedBatch{batch, g}, nil
}

type guardedBatch struct {
	blob.Batch
	guard *Guard
}

// Put implements [blob.Batch].
func (b guardedBatch) Put(c lock.CID, block []byte) error {
	return b.guard.put(c, func() error { return b.Batch.Put(c, block) })
}

// PutTrusted implements [blob.Batch].
func (b guardedBatch) PutTrusted(c lock.CID, block []byte) error {
	return b.guard.put(c, func() error { return b.Batch.PutTrusted(c, block) })
}

func (g *Guard) put(c lock.CID, put func() error) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if at, barred := g.barred[c]; barred && g.now().Sub(at) < barTime {
		return fmt.Errorf("block %s: %w", c, blob.ErrErased)
	}
	return put()
}

// Erase implements [blob.Eraser], for the caches too, and bars the blocks.
func (g *Guard) Erase(ctx context.Context, cids []lock.CID, keep func(lock.CID) bool) error {
	g.bar(cids, keep)
	for _, c := range g.caches {
		// What is kept in the store need not be in a cache.
		if err := c.Erase(cids); err != nil {
			return fmt.Errorf("erase from the cache: %w", err)
		}
	}
	return g.store.Erase(ctx, cids, keep)
}

func (g *Guard) bar(cids []lock.CID, keep func(lock.CID) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	for c, at := range g.barred {
		if now.Sub(at) >= barTime {
			delete(g.barred, c)
		}
	}
	for _, c := range cids {
		if keep == nil || !keep(c) {
			g.barred[c] = now
		}
	}
}

// Close implements [blob.Store].
func (g *Guard) Close() error { return g.store.Close() }
