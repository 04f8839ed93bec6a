package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"

	"github.com/cockroachdb/pebble"

	"github.com/phrd/phrd/x/audit"
)

// Tags begin the keys. Texts hold no zero byte, so no prefix is the beginning of
// another.
//
//	'c' format                     -> right edge of the tree over what was read
//	'e' sequence                   -> entry
//	't' time                       -> sequence of the first entry of that second
//	'n' level ‖ position           -> root of the perfect subtree of 2^level leaves that begins with leaf position·2^level; level from 1
//	'p' patient ‖ 0 ‖ sequence     -> empty; likewise for records, actors, hospitals, kinds, unlocks and purposes
//	'o' hospital ‖ 0 ‖ sequence    -> empty: an entry that concerns the hospital, and was not made by it
//	'd' record ‖ 0                 -> number of the hospital that keeps custody of it
//	'q' unlock ‖ 0                 -> number of the hospital that asked
const (
	cursorTag   = 'c'
	entryTag    = 'e'
	timeTag     = 't'
	nodeTag     = 'n'
	patientTag  = 'p'
	recordTag   = 'r'
	actorTag    = 'a'
	hospitalTag = 'h'
	kindTag     = 'k'
	unlockTag   = 'u'
	purposeTag  = 'w' // why

	concernTag   = 'o' // of
	custodianTag = 'd'
	askerTag     = 'q'

	// format is raised when the rows change; an index of another format is built anew.
	format = 4

	cacheSize    = 16 << 20
	memTableSize = 8 << 20
)

// rows is the database. It is derived from the log, so it is written without fsync.
type rows struct {
	db *pebble.DB
	// frontier is the right edge of the tree over the entries that are in; only the one who adds looks at it.
	frontier audit.Frontier
	// lastTime is the time of the last of them.
	lastTime int64
}

// openRows opens the database in a folder; broken is told when pebble can't go on.
func openRows(dir string, broken func(error)) (*rows, error) {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, err
	}
	cache := pebble.NewCache(cacheSize)
	defer cache.Unref()
	db, err := pebble.Open(dir, &pebble.Options{
		Cache:              cache,
		MemTableSize:       memTableSize,
		FormatMajorVersion: pebble.FormatNewest,
		Logger:             logger{broken},
	})
	if err != nil {
		return nil, err
	}
	r := &rows{db: db}
	if err := r.readCursor(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return r, nil
}

func (r *rows) close() error { return r.db.Close() }

// readCursor reads how far the rows go.
func (r *rows) readCursor() error {
	value, err := r.get(cursorKey())
	if errors.Is(err, pebble.ErrNotFound) {
		return r.checkEmpty()
	}
	if err != nil {
		return err
	}
	if err := r.frontier.Unmarshal(value); err != nil {
		return err
	}
	if err := r.frontier.Validate(); err != nil {
		return err
	}
	if r.frontier.Size_ == 0 {
		return nil
	}
	if value, err = r.get(appendNumber([]byte{entryTag}, r.frontier.Size_)); err != nil {
		return fmt.Errorf("entry %d: %w", r.frontier.Size_, err)
	}
	last, err := decode(value, r.frontier.Size_)
	r.lastTime = last.Time
	return err
}

// checkEmpty refuses rows of another format.
func (r *rows) checkEmpty() error {
	it, err := r.db.NewIter(nil)
	if err != nil {
		return err
	}
	if it.First() {
		err = errors.New("rows are of another format")
	}
	return errors.Join(err, it.Error(), it.Close())
}

// get copies a value.
func (r *rows) get(key []byte) ([]byte, error) {
	value, closer, err := r.db.Get(key)
	if err != nil {
		return nil, err
	}
	value = append([]byte(nil), value...)
	return value, closer.Close()
}

// decode reads the value of an entry's row.
func decode(value []byte, sequence uint64) (audit.Entry, error) {
	var e audit.Entry
	if err := e.Unmarshal(value); err != nil {
		return audit.Entry{}, fmt.Errorf("entry %d: %w", sequence, err)
	}
	if e.Sequence != sequence {
		return audit.Entry{}, fmt.Errorf("entry %d has sequence %d", sequence, e.Sequence)
	}
	return e, nil
}

// add writes the next entries and the new cursor, all or none.
func (r *rows) add(entries []audit.Entry) error {
	batch := r.db.NewBatch()
	frontier, lastTime, known := r.frontier, r.lastTime, r.ties()
	err := func() error {
		for _, e := range entries {
			if want := frontier.Size_ + 1; e.Sequence != want {
				return fmt.Errorf("sequence %d, want %d", e.Sequence, want)
			}
			if err := addEntry(batch, known, e, lastTime); err != nil {
				return err
			}
			leaf, err := e.LeafHash()
			if err != nil {
				return err
			}
			for level, node := range frontier.Append(leaf)[1:] {
				if err := batch.Set(nodeKey(uint8(level+1), (e.Sequence-1)>>(level+1)), node[:], nil); err != nil {
					return err
				}
			}
			lastTime = max(lastTime, e.Time)
		}
		value, err := frontier.Marshal()
		if err != nil {
			return err
		}
		if err := batch.Set(cursorKey(), value, nil); err != nil {
			return err
		}
		return batch.Commit(pebble.NoSync)
	}()
	if err := errors.Join(err, batch.Close()); err != nil {
		return err
	}
	r.frontier, r.lastTime = frontier, lastTime
	return nil
}

// addEntry writes the rows of one entry.
func addEntry(batch *pebble.Batch, known *ties, e audit.Entry, lastTime int64) error {
	value, err := e.Marshal()
	if err != nil {
		return err
	}
	if err := known.learn(batch, e); err != nil {
		return err
	}
	concerned, err := known.concerned(e)
	if err != nil {
		return err
	}
	err = batch.Set(appendNumber([]byte{entryTag}, e.Sequence), value, nil)
	if e.Sequence == 1 || e.Time > lastTime {
		err = errors.Join(err, batch.Set(timeKey(e.Time), appendNumber(nil, e.Sequence), nil))
	}
	lists := [][]byte{prefix(kindTag, e.Kind)}
	if e.Patient != "" {
		lists = append(lists, prefix(patientTag, e.Patient))
	}
	if e.Actor != "" {
		lists = append(lists, prefix(actorTag, e.Actor))
	}
	if e.Hospital != 0 {
		lists = append(lists, hospitalPrefix(hospitalTag, e.Hospital))
	}
	for _, hospital := range concerned {
		lists = append(lists, hospitalPrefix(concernTag, hospital))
	}
	if e.Unlock != "" {
		lists = append(lists, prefix(unlockTag, e.Unlock))
	}
	if e.Purpose != "" {
		lists = append(lists, prefix(purposeTag, e.Purpose))
	}
	for _, s := range e.Subjects {
		lists = append(lists, prefix(recordTag, s.Record))
	}
	for _, list := range lists {
		err = errors.Join(err, batch.Set(appendNumber(list, e.Sequence), nil, nil))
	}
	return err
}

func cursorKey() []byte { return []byte{cursorTag, format} }

// nodeKey is that of a node of the tree.
func nodeKey(level uint8, position uint64) []byte {
	return appendNumber([]byte{nodeTag, level}, position)
}

// timeKey is that of a time since 1970, which all times of the log are.
func timeKey(unix int64) []byte { return appendNumber([]byte{timeTag}, uint64(max(unix, 0))) }

// prefix begins the keys of the list of entries that have the text.
func prefix(tag byte, text string) []byte {
	key := make([]byte, 0, 2+len(text)+8)
	key = append(key, tag)
	key = append(key, text...)
	return append(key, 0)
}

func hospitalPrefix(tag byte, number uint64) []byte {
	return prefix(tag, strconv.FormatUint(number, 10))
}

// appendNumber appends eight bytes, big-endian, so that keys sort as the numbers do.
// It copies the key, whose prefix others may hold.
func appendNumber(key []byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(key[:len(key):len(key)], n)
}

// logger receives what pebble logs. Its default would end the process when the disk
// is full; a node whose index is broken must go on.
type logger struct{ broken func(error) }

// Infof drops what pebble says of its own doings.
func (logger) Infof(string, ...any) {}

// Errorf logs what pebble tries again.
func (logger) Errorf(format string, args ...any) {
	slog.Warn("index of the log", "message", fmt.Sprintf(format, args...))
}

// Fatalf notes that pebble can't go on.
func (l logger) Fatalf(format string, args ...any) { l.broken(fmt.Errorf(format, args...)) }
