package pack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// recover brings the index in line with the packs and the journal, and finishes what an
// earlier Erase began.
func (s *Store) recover() error {
	packs, err := s.listPacks()
	if err != nil {
		return err
	}
	indexed, err := s.index.packs()
	if err != nil {
		return err
	}
	stale := map[packID]bool{}
	for id, length := range indexed {
		size, exists := packs[id]
		if exists && size >= length {
			continue
		}
		stale[id] = true
		reason := "pack is gone"
		if exists {
			reason = fmt.Sprintf("pack is cut off, %d bytes were indexed", length)
			indexed[id] = 0
		}
		// A pack that Erase removed just before a crash is no damage.
		if exists || len(s.journal.erased[id]) == 0 {
			s.options.Report(Damage{File: id.file(), Offset: size, Reason: reason})
		}
	}
	if err := s.index.forget(stale); err != nil {
		return err
	}
	for id, size := range packs {
		if indexed[id] == size {
			continue
		}
		if err := s.indexPack(id, indexed[id], size); err != nil {
			return fmt.Errorf("%s: %w", id.file(), err)
		}
	}
	return s.finishErasing(packs)
}

// listPacks returns the size of each pack and removes what was never finished.
func (s *Store) listPacks() (map[packID]int64, error) {
	entries, err := os.ReadDir(s.path(packFolder))
	if err != nil {
		return nil, err
	}
	packs := map[packID]int64{}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasSuffix(name, tempSuffix) {
			if err := os.Remove(s.path(packFolder + "/" + name)); err != nil {
				return nil, err
			}
			continue
		}
		id, ours := parsePackName(name)
		if !ours {
			s.options.Report(Damage{File: packFolder + "/" + name, Reason: "not a pack, left alone"})
			continue
		}
		info, err := entry.Info()
		if err != nil {
			return nil, err
		}
		packs[id] = info.Size()
	}
	return packs, nil
}

// indexPack indexes a pack of size bytes from an offset on and cuts off a torn end.
func (s *Store) indexPack(id packID, from, size int64) error {
	f, err := os.OpenFile(s.packPath(id), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	u := s.index.update()
	end, err := s.scanPack(f, u, id, from, size)
	if err == nil && size < packHeader {
		end = 0
	}
	if err == nil && end < size {
		s.options.Report(Damage{
			File: id.file(), Offset: end, Length: size - end,
			Reason: "torn end, never acknowledged unless the disk lost it, was cut off",
		})
		if end > packHeader {
			err = errors.Join(f.Truncate(end), f.Sync())
		}
	}
	err = errors.Join(err, f.Close())
	if err != nil {
		return errors.Join(err, u.batch.Close())
	}
	if end <= packHeader {
		if err := u.batch.Close(); err != nil {
			return err
		}
		return s.remove(id)
	}
	u.indexed(id, end)
	return u.commit()
}

// scanPack adds the records of a pack to an update of the index.
func (s *Store) scanPack(f *os.File, u *update, id packID, from, size int64) (end int64, err error) {
	if from < packHeader {
		from = min(packHeader, size)
		header := make([]byte, from)
		if _, err := f.ReadAt(header, 0); err != nil {
			return 0, err
		}
		intact, err := checkPackHeader(header)
		if err != nil {
			return 0, err
		}
		if !intact && size > packHeader {
			s.options.Report(Damage{File: id.file(), Length: packHeader, Reason: "header is damaged; the records speak for themselves"})
		}
	}
	return scan(f, from, size, visitor{
		found: func(r record, offset int64, _ []byte, intact bool) error {
			if s.journal.names(id, offset) {
				return nil
			}
			p := place{pack: id, offset: offset, length: r.length, bad: !intact}
			if p.bad {
				s.options.Report(Damage{
					File: id.file(), Offset: offset, Length: recordHeader + int64(r.length), CID: r.cid,
					Reason: "record does not match its checksum",
				})
			}
			u.add(r.cid, p)
			return nil
		},
		unreadable: func(offset, length int64) error {
			s.options.Report(Damage{File: id.file(), Offset: offset, Length: length, Reason: "no record can be told here"})
			u.markUnreadable(id)
			return nil
		},
	})
}

// finishErasing removes what the journal names and a crash left behind.
func (s *Store) finishErasing(packs map[packID]int64) error {
	s.journal.prune(func(id packID) bool { _, exists := packs[id]; return exists })
	u := s.index.update()
	for id, entries := range s.journal.erased {
		for offset, t := range entries {
			u.remove(t.cid, place{pack: id, offset: offset})
		}
		s.doomed[id] = struct{}{}
	}
	if err := u.commit(); err != nil {
		return err
	}
	// Erasing needs space that may be missing now; reads must go on nevertheless, and the
	// next Erase tries again.
	if err := s.rewriteDoomed(context.Background()); err != nil {
		s.options.Report(Damage{File: packFolder, Reason: "erased blocks are still on the disk: " + err.Error()})
	}
	return nil
}
