package pack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

// Get implements [blob.Getter].
func (s *Store) Get(ctx context.Context, c lock.CID) ([]byte, error) {
	return s.read(ctx, c, false)
}

// Cold implements [blob.ColdReader]: each read first drops the record from the memory of
// the operating system.
func (s *Store) Cold() blob.Getter { return cold{s} }

type cold struct{ store *Store }

func (c cold) Get(ctx context.Context, id lock.CID) ([]byte, error) {
	return c.store.read(ctx, id, true)
}

func (s *Store) read(ctx context.Context, c lock.CID, cold bool) ([]byte, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.use.RUnlock()
	damaged := false
	var last place
	// An Erase may move the record between the look into the index and the look into the
	// pack, so a place that is gone sends us back to the index.
	for {
		places, err := s.index.places(c)
		if err != nil {
			return nil, err
		}
		places = sound(places)
		if len(places) == 0 && damaged {
			return nil, fmt.Errorf("block %s: %w", c, blob.ErrCorrupt)
		} else if len(places) == 0 {
			return nil, fmt.Errorf("block %s: %w", c, blob.ErrNotFound)
		}
		if damaged && places[0] == last {
			return nil, fmt.Errorf("block %s: %w", c, blob.ErrCorrupt) // a failed store can't note it
		}
		last = places[0]
		block, err := s.readPlace(c, last, cold)
		if err == nil {
			return block, nil
		}
		known, bad, indexErr := s.index.has(c, last.pack, last.offset)
		if indexErr != nil {
			return nil, indexErr
		}
		if !known || bad {
			continue
		}
		if !errors.Is(err, errDamaged) {
			return nil, err
		}
		damaged = true
		if err := s.markBad(c, last, err); err != nil {
			return nil, err
		}
	}
}

// errDamaged says that a record is not what was written.
var errDamaged = errors.New("record is damaged")

// readPlace reads a block and hashes it. What does not match is read a second time, for
// memory fails too.
func (s *Store) readPlace(c lock.CID, p place, cold bool) ([]byte, error) {
	f, err := os.Open(s.packPath(p.pack))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: its pack is gone", errDamaged)
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	buffer := make([]byte, recordHeader+int(p.length))
	for range 2 {
		if cold {
			if err := forget(f, p.offset, int64(len(buffer))); err != nil {
				return nil, fmt.Errorf("drop %s from memory: %w", p.pack.file(), err)
			}
		}
		if _, err = f.ReadAt(buffer, p.offset); errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: its pack is cut off", errDamaged)
		} else if err != nil {
			err = fmt.Errorf("%w: %w", errDamaged, err)
			continue
		}
		r, ok := parseRecordHeader(buffer)
		if ok && r.cid == c && r.length == p.length && blob.Matches(c, buffer[recordHeader:]) {
			return buffer[recordHeader:], nil
		}
		err = fmt.Errorf("%w: its bytes do not match", errDamaged)
	}
	return nil, err
}

// markBad notes that a record is not to be read again and reports it.
func (s *Store) markBad(c lock.CID, p place, cause error) error {
	p.bad = true
	u := s.index.update()
	u.add(c, p)
	s.options.Report(Damage{
		File: p.pack.file(), Offset: p.offset, Length: recordHeader + int64(p.length), CID: c, Reason: cause.Error(),
	})
	return u.commit()
}
