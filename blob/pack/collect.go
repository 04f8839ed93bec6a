package pack

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

// When a block was used last is the latest of
//
//   - the last write to a pack that holds it, which is the file's modification time,
//   - the time of its use that the index holds, where it was put again or touched,
//   - the beginning of the index: a new one knows of no use before it.
//
// A use within useStep of the last one is not noted, so a block may have been used that much
// later than is known, and is treated so.
const useStep = time.Hour

// listed is how many blocks List reads at once.
const listed = 1024

// Touch implements [blob.Toucher].
func (s *Store) Touch(ctx context.Context, c lock.CID) (bool, error) {
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	defer s.use.RUnlock()
	return s.reuse(c)
}

// reuse tells whether the store holds a block, which then counts as used now.
func (s *Store) reuse(c lock.CID) (bool, error) {
	s.burying.RLock()
	defer s.burying.RUnlock()
	places, err := s.index.places(c)
	if err != nil {
		return false, err
	}
	if places = sound(places); len(places) == 0 {
		return false, nil
	}
	if s.failed() != nil {
		return true, nil // nothing is collected from a store that takes no writes
	}
	last, err := s.newUses().last(c, places)
	if now := s.options.Now(); err == nil && now.Sub(last) >= useStep {
		err = s.index.use(c, now)
	}
	return true, err
}

// List implements [blob.Collector].
func (s *Store) List(ctx context.Context, after lock.CID, visit func(blob.Held) error) error {
	for {
		page, err := s.listPage(ctx, after)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, h := range page {
			if err := visit(h); err != nil {
				return err
			}
		}
		after = page[len(page)-1].CID
	}
}

func (s *Store) listPage(ctx context.Context, after lock.CID) ([]blob.Held, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.use.RUnlock()
	uses := s.newUses()
	var page []blob.Held
	err := s.index.blocksAfter(after, listed, func(c lock.CID, places []place) error {
		used, err := uses.last(c, places)
		page = append(page, blob.Held{CID: c, Bytes: bytesOf(places), Used: used.Add(useStep)})
		return err
	})
	return page, err
}

func bytesOf(places []place) int64 {
	var n int64
	for _, p := range places {
		n += int64(p.length)
	}
	return n
}

// Collect implements [blob.Collector].
func (s *Store) Collect(ctx context.Context, cids []lock.CID, before time.Time) (blob.Collected, error) {
	var done blob.Collected
	err := s.erase(ctx, func() error {
		uses := s.newUses()
		return s.bury(ctx, cids, func(c lock.CID, places []place) (bool, error) {
			if len(places) == 0 {
				return false, nil
			}
			used, err := uses.last(c, places)
			return err == nil && used.Add(useStep).Before(before), err
		}, func(places []place) {
			done.Blocks++
			done.Bytes += bytesOf(places)
		})
	})
	return done, err
}

// uses tells when blocks were used last. It remembers when packs were written that nobody
// writes to any more.
type uses struct {
	store *Store
	packs map[packID]time.Time
}

func (s *Store) newUses() *uses { return &uses{store: s, packs: map[packID]time.Time{}} }

// last returns when a block was used last.
func (u *uses) last(c lock.CID, places []place) (time.Time, error) {
	last, err := u.store.index.used(c)
	if err != nil {
		return last, err
	}
	for _, p := range places {
		at, known := u.packs[p.pack]
		if !known {
			var finished bool
			if at, finished, err = u.store.writtenAt(p.pack); err != nil {
				return last, err
			}
			if finished {
				u.packs[p.pack] = at
			}
		}
		if at.After(last) {
			last = at
		}
	}
	return last, nil
}

// writtenAt returns when a pack was written last, the zero time where it is gone, and whether
// that was the last time.
func (s *Store) writtenAt(id packID) (at time.Time, finished bool, err error) {
	s.mu.Lock()
	w := s.writers[id]
	s.mu.Unlock()
	if w != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.used, false, nil
	}
	info, err := os.Stat(s.packPath(id))
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, true, nil
	} else if err != nil {
		return time.Time{}, false, err
	}
	return info.ModTime(), true, nil
}
