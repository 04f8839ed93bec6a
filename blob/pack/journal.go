package pack

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// journal lists the records that were erased, so that no rebuild of the index and no
// pack brought back from a backup shows them again. It only grows, 64 bytes a record.
type journal struct {
	file *os.File
	size int64 // of what is durable
	// erased holds the entries by pack. Entries of packs that are gone are kept in the
	// file alone, see prune.
	erased map[packID]map[int64]tombstone
}

// openJournal opens or creates the journal. A torn end is cut off; it was not
// acknowledged. A damaged entry in the middle is reported and skipped.
func openJournal(path string, report func(Damage)) (*journal, error) {
	_, missing := os.Stat(path)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, fileMode)
	if err != nil {
		return nil, err
	}
	j := &journal{file: f, erased: map[packID]map[int64]tombstone{}}
	if errors.Is(missing, os.ErrNotExist) {
		err = syncFolder(filepath.Dir(path))
	}
	if err == nil {
		err = j.read(report)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal of erased blocks: %w", err), f.Close())
	}
	return j, nil
}

func (j *journal) read(report func(Damage)) error {
	r := bufio.NewReaderSize(j.file, 1<<16)
	entry := make([]byte, journalRecord)
	for {
		_, err := io.ReadFull(r, entry)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		} else if err != nil {
			return err
		}
		if t, ok := parseTombstone(entry); ok {
			j.add(t)
		} else {
			report(Damage{File: journalName, Offset: j.size, Length: journalRecord, Reason: "entry is damaged and was skipped"})
		}
		j.size += journalRecord
	}
	return j.file.Truncate(j.size)
}

func (j *journal) add(t tombstone) {
	if j.erased[t.pack] == nil {
		j.erased[t.pack] = map[int64]tombstone{}
	}
	j.erased[t.pack][t.offset] = t
}

// names tells whether a record was erased.
func (j *journal) names(pack packID, offset int64) bool {
	_, named := j.erased[pack][offset]
	return named
}

// prune forgets the entries of packs for which exists is false.
func (j *journal) prune(exists func(packID) bool) {
	for pack := range j.erased {
		if !exists(pack) {
			delete(j.erased, pack)
		}
	}
}

// write appends entries and makes them durable. On an error none of them counts.
func (j *journal) write(entries []tombstone) error {
	b := make([]byte, 0, len(entries)*journalRecord)
	for _, t := range entries {
		b = t.append(b)
	}
	if _, err := j.file.WriteAt(b, j.size); err != nil {
		return errors.Join(err, j.file.Truncate(j.size))
	}
	if err := j.file.Sync(); err != nil {
		return errors.Join(err, j.file.Truncate(j.size))
	}
	j.size += int64(len(b))
	for _, t := range entries {
		j.add(t)
	}
	return nil
}

func (j *journal) close() error { return j.file.Close() }
