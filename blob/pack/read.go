package pack

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

// Get implements [blob.Getter].
func (s *Store) Get(ctx context.Context, c lock.CID) ([]byte, error) {
	return s.read(ctx, c, func(p place) ([]byte, error) { return s.readPlace(c, p, false) })
}

// AppendUnchecked implements [blob.UncheckedReader]. It compares the CRC32C of the record.
func (s *Store) AppendUnchecked(ctx context.Context, c lock.CID, b []byte) ([]byte, error) {
	longer, err := s.read(ctx, c, func(p place) ([]byte, error) { return s.appendPlace(b, c, p) })
	if err != nil {
		return b, err
	}
	return longer, nil
}

// Cold implements [blob.ColdReader]: each read first drops the record from the memory of
// the operating system.
func (s *Store) Cold() blob.Getter { return cold{s} }

type cold struct{ store *Store }

func (c cold) Get(ctx context.Context, id lock.CID) ([]byte, error) {
	return c.store.read(ctx, id, func(p place) ([]byte, error) { return c.store.readPlace(id, p, true) })
}

// read finds a sound place of a block and lets from read it there.
func (s *Store) read(ctx context.Context, c lock.CID, from func(place) ([]byte, error)) ([]byte, error) {
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
		block, err := from(last)
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

// appendPlace reads a block behind b and compares its CRC32C, twice like readPlace.
func (s *Store) appendPlace(b []byte, c lock.CID, p place) ([]byte, error) {
	f, err := os.Open(s.packPath(p.pack))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: its pack is gone", errDamaged)
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	start := len(b)
	b = slices.Grow(b, max(recordHeader, int(p.length)))
	for range 2 {
		// The header is read alone, so that the block lies where it is wanted.
		header := b[start : start+recordHeader]
		if _, err = f.ReadAt(header, p.offset); err != nil {
			err = fmt.Errorf("%w: %w", errDamaged, err)
			continue
		}
		r, ok := parseRecordHeader(header)
		block := b[start : start+int(p.length)]
		if _, err = f.ReadAt(block, p.offset+recordHeader); err != nil {
			err = fmt.Errorf("%w: %w", errDamaged, err)
			continue
		}
		if ok && r.cid == c && r.length == p.length && crc32.Checksum(block, castagnoli) == r.sum {
			return b[:start+int(p.length)], nil
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
