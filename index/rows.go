package index

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync/atomic"

	"github.com/cockroachdb/pebble"
	"github.com/cockroachdb/pebble/bloom"

	"github.com/phrd/phrd/x/audit"
)

// Tags begin the keys. Texts hold no zero byte, so no prefix is the beginning of
// another.
//
//	'c' format                     -> right edge of the tree over what was read
//	't' time                       -> sequence of the first entry of that second
//	'p' patient ‖ 0 ‖ sequence     -> empty; likewise for records, actors, hospitals, kinds, unlocks and purposes
//	'o' hospital ‖ 0 ‖ sequence    -> empty: an entry that concerns the hospital, and was not made by it
//	'd' record ‖ 0                 -> number of the hospital that keeps custody of it
//	'q' unlock ‖ 0                 -> number of the hospital that asked
const (
	cursorTag   = 'c'
	timeTag     = 't'
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
	format = 5

	cacheSize    = 32 << 20
	memTableSize = 8 << 20
	levelCount   = 7
	numberSize   = 8
	// filterBits of each row say whether a table has it: most ties that are looked up are not there, or in one table of many.
	filterBits = 10
)

// comparer sorts keys by their bytes. The filter of a table knows keys without what tells the rows of one list apart, so it is small.
var comparer = func() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Name = "phrd.index"
	c.Split = func(key []byte) int {
		switch {
		case len(key) < 1+numberSize || key[0] == cursorTag || key[0] == custodianTag || key[0] == askerTag:
			return len(key)
		default:
			return len(key) - numberSize
		}
	}
	return &c
}()

// rows are the entries in files and, in a database, the lists by which they are found. All is derived from the log, so a
// crash may take the newest rows: the database has no log of its own, and what it makes durable are rows of entries
// that are durable in the files.
type rows struct {
	files *files
	db    *pebble.DB
	// size is how many entries there are to search.
	size atomic.Uint64
	// frontier is the right edge of the tree over the entries that are in; only the one who adds looks at it.
	frontier audit.Frontier
	// lastTime is the time of the last of them.
	lastTime int64
}

// openRows opens the rows in a folder; broken is told when what was added can't be made durable.
func openRows(dir string, broken func(error)) (*rows, error) {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, err
	}
	files, err := openFiles(dir)
	if err != nil {
		return nil, err
	}
	r := &rows{files: files}
	if err := r.openDatabase(dir, broken); err != nil {
		return nil, errors.Join(err, files.close())
	}
	if err := r.readCursor(); err != nil {
		return nil, errors.Join(err, r.close())
	}
	if err := r.files.cut(r.frontier.Size_); err != nil {
		return nil, errors.Join(err, r.close())
	}
	if err := r.readLast(); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *rows) openDatabase(dir string, broken func(error)) error {
	cache := pebble.NewCache(cacheSize)
	defer cache.Unref()
	levels := make([]pebble.LevelOptions, levelCount)
	for i := range levels {
		levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
	}
	var err error
	r.db, err = pebble.Open(dir, &pebble.Options{
		Cache:              cache,
		Comparer:           comparer,
		MemTableSize:       memTableSize,
		FormatMajorVersion: pebble.FormatNewest,
		Logger:             logger{broken},
		Levels:             levels,
		DisableWAL:         true,
		EventListener: &pebble.EventListener{FlushBegin: func(pebble.FlushInfo) {
			if err := r.files.sync(); err != nil {
				broken(err)
			}
		}},
	})
	return err
}

// flush makes durable what was added. It waits as long as ctx allows.
func (r *rows) flush(ctx context.Context) error {
	done, err := r.db.AsyncFlush()
	if err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *rows) close() error { return errors.Join(r.db.Close(), r.files.close()) }

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
	return r.frontier.Validate()
}

// readLast reads the last entry.
func (r *rows) readLast() error {
	r.size.Store(r.frontier.Size_)
	if r.frontier.Size_ == 0 {
		return nil
	}
	last, err := r.files.entry(r.frontier.Size_)
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
	err := r.addAll(batch, entries)
	return errors.Join(err, batch.Close())
}

func (r *rows) addAll(batch *pebble.Batch, entries []audit.Entry) error {
	grown, frontier, lastTime, known := r.files.growth(), r.frontier, r.lastTime, r.ties()
	for _, e := range entries {
		if want := frontier.Size_ + 1; e.Sequence != want {
			return fmt.Errorf("sequence %d, want %d", e.Sequence, want)
		}
		if err := addEntry(batch, known, e, lastTime); err != nil {
			return err
		}
		value, leaf, err := e.Leaf()
		if err != nil {
			return err
		}
		if err := grown.add(value, frontier.Append(leaf)[1:]); err != nil {
			return err
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
	if err := r.files.write(grown); err != nil {
		return err
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return err
	}
	r.files.keep(grown)
	r.frontier, r.lastTime = frontier, lastTime
	r.size.Store(frontier.Size_)
	return nil
}

// addEntry writes the rows by which one entry is found.
func addEntry(batch *pebble.Batch, known *ties, e audit.Entry, lastTime int64) error {
	if err := known.learn(batch, e); err != nil {
		return err
	}
	concerned, err := known.concerned(e)
	if err != nil {
		return err
	}
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
