// Package memory is a block store without a disk, for tests and for short-lived tools.
//
// It keeps the contract of package blob as far as memory can: what was not synced is
// not there, every read is hashed, a closed store answers nothing.
package memory

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

// Store is a [blob.Store] in memory. All its methods may be called at the same time.
type Store struct {
	now func() time.Time

	mu     sync.RWMutex
	blocks map[lock.CID][]byte
	used   map[lock.CID]time.Time
	closed bool
}

var (
	_ blob.Store     = (*Store)(nil)
	_ blob.Collector = (*Store)(nil)
)

// New returns an empty store.
func New() *Store { return NewAt(time.Now) }

// NewAt returns an empty store that goes by a clock.
func NewAt(now func() time.Time) *Store {
	return &Store{now: now, blocks: map[lock.CID][]byte{}, used: map[lock.CID]time.Time{}}
}

// Get implements [blob.Getter].
func (s *Store) Get(ctx context.Context, c lock.CID) ([]byte, error) {
	block, err := s.find(ctx, c)
	if err != nil {
		return nil, err
	}
	if !blob.Matches(c, block) {
		s.mu.Lock()
		delete(s.blocks, c)
		delete(s.used, c)
		s.mu.Unlock()
		return nil, fmt.Errorf("block %s: %w", c, blob.ErrCorrupt)
	}
	return slices.Clone(block), nil
}

// Has implements [blob.Prober].
func (s *Store) Has(ctx context.Context, c lock.CID) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return false, blob.ErrClosed
	}
	return s.blocks[c] != nil, nil
}

// Size implements [blob.Prober].
func (s *Store) Size(ctx context.Context, c lock.CID) (int, error) {
	block, err := s.find(ctx, c)
	return len(block), err
}

func (s *Store) find(ctx context.Context, c lock.CID) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, blob.ErrClosed
	}
	block := s.blocks[c]
	if block == nil {
		return nil, fmt.Errorf("block %s: %w", c, blob.ErrNotFound)
	}
	return block, nil
}

// Begin implements [blob.Putter].
func (s *Store) Begin(ctx context.Context, _ blob.Hint) (blob.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, blob.ErrClosed
	}
	return &batch{store: s, added: map[lock.CID][]byte{}}, nil
}

// Erase implements [blob.Eraser].
func (s *Store) Erase(ctx context.Context, cids []lock.CID, keep func(lock.CID) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return blob.ErrClosed
	}
	for _, c := range cids {
		if keep == nil || !keep(c) {
			delete(s.blocks, c)
			delete(s.used, c)
		}
	}
	return nil
}

// Touch implements [blob.Toucher].
func (s *Store) Touch(ctx context.Context, c lock.CID) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, blob.ErrClosed
	}
	return s.touch(c), nil
}

// touch tells whether the store holds a block, which then counts as used now. The caller
// holds s.mu.
func (s *Store) touch(c lock.CID) bool {
	held := s.blocks[c] != nil
	if held {
		s.used[c] = s.now()
	}
	return held
}

// List implements [blob.Collector]. It lists what was there when it began.
func (s *Store) List(ctx context.Context, after lock.CID, visit func(blob.Held) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	var all []blob.Held
	for c, block := range s.blocks {
		if bytes.Compare(c[:], after[:]) > 0 {
			all = append(all, blob.Held{CID: c, Bytes: int64(len(block)), Used: s.used[c]})
		}
	}
	closed := s.closed
	s.mu.RUnlock()
	if closed {
		return blob.ErrClosed
	}
	slices.SortFunc(all, func(a, b blob.Held) int { return bytes.Compare(a.CID[:], b.CID[:]) })
	for _, h := range all {
		if err := visit(h); err != nil {
			return err
		}
	}
	return nil
}

// Collect implements [blob.Collector].
func (s *Store) Collect(ctx context.Context, cids []lock.CID, before time.Time) (blob.Collected, error) {
	if err := ctx.Err(); err != nil {
		return blob.Collected{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return blob.Collected{}, blob.ErrClosed
	}
	var done blob.Collected
	for _, c := range cids {
		if s.blocks[c] == nil || !s.used[c].Before(before) {
			continue
		}
		done.Blocks++
		done.Bytes += int64(len(s.blocks[c]))
		delete(s.blocks, c)
		delete(s.used, c)
	}
	return done, nil
}

// Close implements [blob.Store] and forgets all blocks.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.blocks, s.used = nil, nil
	return nil
}

// batch collects what the next Sync adds. A nil block stands for one that the store
// held already.
type batch struct {
	store  *Store
	added  map[lock.CID][]byte
	closed bool
}

func (b *batch) Put(c lock.CID, block []byte) error {
	if err := blob.Check(c, block); err != nil {
		return err
	}
	return b.PutTrusted(c, block)
}

func (b *batch) PutTrusted(c lock.CID, block []byte) error {
	if b.closed {
		return blob.ErrClosed
	}
	if err := blob.CheckTrusted(c, block); err != nil {
		return err
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	if b.store.closed {
		return blob.ErrClosed
	}
	if b.added[c] != nil {
		return nil
	}
	if b.store.touch(c) {
		b.added[c] = nil
		return nil
	}
	b.added[c] = slices.Clone(block)
	return nil
}

func (b *batch) Sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.closed {
		return blob.ErrClosed
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	if b.store.closed {
		return blob.ErrClosed
	}
	added := b.added
	b.added = map[lock.CID][]byte{}
	for c, block := range added {
		if block == nil && b.store.blocks[c] == nil {
			return fmt.Errorf("block %s was erased meanwhile: %w", c, blob.ErrNotFound)
		}
	}
	for c, block := range added {
		if block != nil {
			b.store.blocks[c] = block
		}
		b.store.touch(c)
	}
	return nil
}

func (b *batch) Close() error {
	b.closed = true
	b.added = nil
	return nil
}
