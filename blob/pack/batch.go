package pack

import (
	"context"
	"errors"
	"fmt"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

// batch implements [blob.Batch].
type batch struct {
	store *Store
	own   bool
	w     *writer // nil until the first record, and for small batches after a Sync
	end   int64   // offset behind the last record put, in w
	// put holds what was put since the last Sync; true stands for a block that the store
	// held already and that was not written.
	put    map[lock.CID]bool
	err    error // what spoiled the records since the last Sync
	closed bool
}

// Begin implements [blob.Putter].
func (s *Store) Begin(ctx context.Context, hint blob.Hint) (blob.Batch, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.use.RUnlock()
	if err := s.failed(); err != nil {
		return nil, err
	}
	return &batch{store: s, own: hint.Size >= blob.LargeObject, put: map[lock.CID]bool{}}, nil
}

// Put implements [blob.Batch].
func (b *batch) Put(c lock.CID, block []byte) error {
	if err := blob.Check(c, block); err != nil {
		return err
	}
	return b.PutTrusted(c, block)
}

// PutTrusted implements [blob.Batch].
func (b *batch) PutTrusted(c lock.CID, block []byte) error {
	if err := blob.CheckTrusted(c, block); err != nil {
		return err
	}
	if err := b.enter(context.Background()); err != nil {
		return err
	}
	defer b.store.use.RUnlock()
	if err := b.store.failed(); err != nil {
		return err
	}
	if b.err != nil {
		return b.err
	}
	if _, again := b.put[c]; again {
		return nil
	}
	held, err := b.store.reuse(c)
	if err != nil {
		return err
	}
	if held {
		b.put[c] = true
		return nil
	}
	if b.err = b.write(c, block); b.err == nil {
		b.put[c] = false
	}
	return b.err
}

// write appends a record to the batch's pack, or to a new one when that is finished.
func (b *batch) write(c lock.CID, block []byte) error {
	for {
		if b.w == nil {
			w, err := b.store.acquire(b.own)
			if err != nil {
				return err
			}
			b.w, b.end = w, 0
		}
		end, err := b.w.append(c, block)
		if err == nil {
			b.end = end
			return nil
		}
		if !errors.Is(err, errRetired) {
			return err
		}
		// Who retires a pack commits it first, so what this batch wrote there is durable
		// or the commit tells why not.
		if err := b.commit(); err != nil {
			return err
		}
		if err := b.letGo(); err != nil {
			return err
		}
	}
}

// Sync implements [blob.Batch].
func (b *batch) Sync(ctx context.Context) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.store.use.RUnlock()
	err := b.err
	if err == nil {
		err = b.commit()
	}
	if err == nil {
		err = b.checkHeld()
	}
	if b.w != nil && (err != nil || !b.own) {
		err = errors.Join(err, b.letGo())
	}
	b.err = nil
	clear(b.put)
	return err
}

// commit makes what was written durable.
func (b *batch) commit() error {
	if b.w == nil {
		return nil
	}
	return b.w.commit(b.end)
}

// checkHeld makes sure that the blocks that were not written are there still, and makes it
// durable that they were used.
func (b *batch) checkHeld() error {
	if err := b.store.failed(); err != nil {
		return err
	}
	reused := false
	for c, held := range b.put {
		if !held {
			continue
		}
		there, err := b.store.reuse(c)
		if err != nil {
			return err
		}
		if !there {
			return fmt.Errorf("block %s was erased meanwhile: %w", c, blob.ErrNotFound)
		}
		reused = true
	}
	if !reused {
		return nil
	}
	if err := b.store.index.flush(); err != nil {
		return b.store.writeError("index", err)
	}
	return b.store.failed() // pebble tells of a lost index through its logger
}

// Close implements [blob.Batch].
func (b *batch) Close() error {
	if b.closed {
		return nil
	}
	b.closed = true
	b.put = nil
	if b.w == nil {
		return nil
	}
	if err := b.store.enter(context.Background()); errors.Is(err, blob.ErrClosed) {
		return nil // the store closed all packs
	} else if err != nil {
		return err
	}
	defer b.store.use.RUnlock()
	return b.letGo()
}

func (b *batch) enter(ctx context.Context) error {
	if b.closed {
		return blob.ErrClosed
	}
	return b.store.enter(ctx)
}

func (b *batch) letGo() error {
	w := b.w
	b.w = nil
	return b.store.letGo(w)
}

// acquire returns a pack to write to: a new one, or the shared one of this hour.
func (s *Store) acquire(own bool) (*writer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if own {
		return s.start(ownKind)
	}
	var err error
	if w := s.shared; w != nil && s.finished(w) {
		s.shared = nil
		if w.users == 0 {
			err = s.finish(w)
		}
	}
	if s.shared == nil && err == nil {
		s.shared, err = s.start(sharedKind)
	} else if err == nil {
		s.shared.users++
	}
	return s.shared, err
}

// start creates a pack for one user. The caller holds s.mu.
func (s *Store) start(kind uint32) (*writer, error) {
	w, err := s.newWriter(kind)
	if err != nil {
		return nil, err
	}
	w.users = 1
	s.writers[w.id] = w
	return w, nil
}

// finished tells whether a shared pack takes no more batches.
func (s *Store) finished(w *writer) bool {
	w.mu.Lock()
	size := w.written
	w.mu.Unlock()
	return w.dead() || size >= s.options.SharedSize || w.hour != s.options.Now().Unix()/3600
}

// letGo ends the use of a pack and closes it after its last user.
func (s *Store) letGo(w *writer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.users--; w.users > 0 || w == s.shared && !w.dead() {
		return nil
	}
	return s.finish(w)
}

// finish closes a pack that has no users. The caller holds s.mu.
func (s *Store) finish(w *writer) error {
	if s.shared == w {
		s.shared = nil
	}
	delete(s.writers, w.id)
	return w.close()
}
