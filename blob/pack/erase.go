package pack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/phrd/phrd/lock"
)

// buriedAtOnce is how many blocks are dropped under one hold of the lock that Put waits for.
const buriedAtOnce = 1000

// Erase implements [blob.Eraser].
func (s *Store) Erase(ctx context.Context, cids []lock.CID, keep func(lock.CID) bool) error {
	return s.erase(ctx, func() error {
		unknown := false
		err := s.bury(ctx, cids, func(c lock.CID, places []place) (bool, error) {
			if keep != nil && keep(c) {
				return false, nil
			}
			unknown = unknown || len(places) == 0
			return true, nil
		}, func([]place) {})
		if err != nil || !unknown {
			return err
		}
		// The block may lie where no record can be told, so these bytes go too.
		packs, err := s.index.unreadable()
		for _, id := range packs {
			s.doomed[id] = struct{}{}
		}
		return err
	})
}

// erase lets bury drop blocks and then removes their bytes.
func (s *Store) erase(ctx context.Context, bury func() error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.use.RUnlock()
	s.erasing.Lock()
	defer s.erasing.Unlock()
	if err := s.failed(); err != nil {
		return err
	}
	if err := s.commitAll(); err != nil {
		return err
	}
	if err := bury(); err != nil {
		return err
	}
	return s.rewriteDoomed(ctx)
}

// commitAll brings what is being written into the index.
func (s *Store) commitAll() error {
	s.mu.Lock()
	var writers []*writer
	for _, w := range s.writers {
		writers = append(writers, w)
	}
	s.mu.Unlock()
	for _, w := range writers {
		w.mu.Lock()
		end := w.written + int64(len(w.buffer))
		idle := w.err != nil || len(w.pending) == 0
		w.mu.Unlock()
		if idle {
			continue // its batches learn of the error, which leaves nothing uncommitted
		}
		if err := w.commit(end); err != nil {
			return err
		}
	}
	return nil
}

// bury journals the places of those blocks that chosen picks, dooms their packs and drops
// the places from the index; dropped is told of each block.
func (s *Store) bury(ctx context.Context, cids []lock.CID, chosen func(lock.CID, []place) (bool, error), dropped func([]place)) error {
	for part := range slices.Chunk(cids, buriedAtOnce) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.buryPart(part, chosen, dropped); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) buryPart(cids []lock.CID, chosen func(lock.CID, []place) (bool, error), dropped func([]place)) error {
	s.burying.Lock()
	defer s.burying.Unlock()
	var entries []tombstone
	var buried [][]place
	u := s.index.update()
	for _, c := range cids {
		places, err := s.index.places(c)
		if err != nil {
			return errors.Join(err, u.batch.Close())
		}
		if picked, err := chosen(c, places); err != nil {
			return errors.Join(err, u.batch.Close())
		} else if !picked || len(places) == 0 {
			continue
		}
		for _, p := range places {
			entries = append(entries, tombstone{cid: c, pack: p.pack, offset: p.offset})
			u.remove(c, p)
		}
		u.gone(c)
		buried = append(buried, places)
	}
	if len(entries) > 0 {
		if err := s.journal.write(entries); err != nil {
			return errors.Join(s.writeError("journal of erased blocks", err), u.batch.Close())
		}
	}
	for _, t := range entries {
		s.doomed[t.pack] = struct{}{}
	}
	if err := u.commit(); err != nil {
		return s.writeError("index", err)
	}
	for _, places := range buried {
		dropped(places)
	}
	return s.failed()
}

// rewriteDoomed removes the packs that hold erased records, after it moved the others. What
// can't be moved, as on a full disk, does not keep the others from going.
func (s *Store) rewriteDoomed(ctx context.Context) error {
	var errs []error
	for id := range s.doomed {
		if err := errors.Join(ctx.Err(), s.failed()); err != nil {
			return errors.Join(append(errs, err)...)
		}
		if err := s.retire(id); err != nil {
			errs = append(errs, err)
			continue
		}
		if err := s.rewrite(id); err != nil {
			errs = append(errs, fmt.Errorf("rewrite %s: %w", id.file(), err))
			continue
		}
		delete(s.doomed, id)
		// The file keeps the entries, for a pack that a backup brings back.
		delete(s.journal.erased, id)
	}
	return errors.Join(errs...)
}

// retire ends the writing to a pack.
func (s *Store) retire(id packID) error {
	s.mu.Lock()
	w := s.writers[id]
	s.mu.Unlock()
	if w == nil {
		return nil
	}
	if err := w.retire(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.users == 0 && s.writers[id] == w {
		return s.finish(w)
	}
	return nil
}

// rewrite moves the live records of a pack to a new one and removes it.
func (s *Store) rewrite(id packID) error {
	old, err := os.Open(s.packPath(id))
	if errors.Is(err, os.ErrNotExist) {
		return s.remove(id) // it was removed already; now that is durable
	} else if err != nil {
		return err
	}
	defer old.Close()
	info, err := old.Stat()
	if err != nil {
		return err
	}
	c := &copier{store: s, update: s.index.update()}
	_, err = scan(old, min(packHeader, info.Size()), info.Size(), visitor{
		found: func(r record, offset int64, block []byte, intact bool) error {
			return c.visit(id, r, offset, block, intact)
		},
		unreadable: func(int64, int64) error { return nil },
	})
	if err == nil {
		err = c.finish()
	}
	if err != nil {
		return errors.Join(err, c.cancel())
	}
	c.update.removePack(id)
	if err := c.update.commit(); err != nil {
		return s.writeError("index", err)
	}
	if err := s.failed(); err != nil {
		return err
	}
	return s.remove(id)
}

// copier writes the records that stay to a new pack under a temporary name.
type copier struct {
	store  *Store
	update *update
	file   *os.File // nil until a record stays
	id     packID
	end    int64
}

// visit decides about one record of the old pack.
func (c *copier) visit(old packID, r record, offset int64, block []byte, intact bool) error {
	_, bad, err := c.store.index.has(r.cid, old, offset)
	if err != nil {
		return err
	}
	c.update.remove(r.cid, place{pack: old, offset: offset})
	// The journal decides what is erased, not the index, which may lag behind.
	erased := c.store.journal.names(old, offset)
	if erased || bad || !intact {
		if !erased && !bad {
			c.store.options.Report(Damage{
				File: old.file(), Offset: offset, Length: recordHeader + int64(r.length), CID: r.cid,
				Reason: "record does not match its checksum and was dropped with its pack",
			})
		}
		return nil
	}
	if elsewhere, err := c.elsewhere(r.cid, old); err != nil || elsewhere {
		return err
	}
	if c.file == nil {
		if err := c.begin(); err != nil {
			return err
		}
	}
	return c.write(r.cid, block)
}

// elsewhere tells whether another pack holds a readable copy of the block, as after a
// crash between two steps of an earlier rewrite.
func (c *copier) elsewhere(block lock.CID, old packID) (bool, error) {
	places, err := c.store.index.places(block)
	if err != nil {
		return false, err
	}
	for _, p := range sound(places) {
		if p.pack == old {
			continue
		}
		if _, err := c.store.readPlace(block, p, true); err == nil {
			return true, nil
		}
	}
	return false, nil
}

func (c *copier) begin() error {
	var err error
	if c.id, err = newPackID(); err != nil {
		return err
	}
	c.file, err = os.OpenFile(c.tempPath(), os.O_CREATE|os.O_EXCL|os.O_RDWR, fileMode)
	if err != nil {
		return err
	}
	return c.append(appendPackHeader(nil, sharedKind, c.store.options.Now()))
}

func (c *copier) tempPath() string {
	return strings.TrimSuffix(c.store.packPath(c.id), packSuffix) + tempSuffix
}

func (c *copier) write(cid lock.CID, block []byte) error {
	p := place{pack: c.id, offset: c.end, length: uint32(len(block))}
	if err := c.append(appendRecordHeader(nil, cid, block)); err != nil {
		return err
	}
	if err := c.append(block); err != nil {
		return err
	}
	c.update.add(cid, p)
	return nil
}

func (c *copier) append(b []byte) error {
	if _, err := c.file.WriteAt(b, c.end); err != nil {
		return c.store.writeError("write pack", err)
	}
	c.end += int64(len(b))
	return nil
}

// finish makes the new pack durable under its name.
func (c *copier) finish() error {
	if c.file == nil {
		return nil
	}
	if err := c.file.Sync(); err != nil {
		return c.store.writeError("fsync pack", err)
	}
	err := errors.Join(c.file.Close(), os.Rename(c.tempPath(), c.store.packPath(c.id)))
	if err != nil {
		return err
	}
	c.file = nil
	if err := syncFolder(c.store.path(packFolder)); err != nil {
		return c.store.writeError("fsync folder of packs", err)
	}
	c.update.indexed(c.id, c.end)
	return nil
}

// cancel removes what was not finished.
func (c *copier) cancel() error {
	err := c.update.batch.Close()
	if c.file == nil {
		return err
	}
	return errors.Join(err, c.file.Close(), os.Remove(c.tempPath()))
}
