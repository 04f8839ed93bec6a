package pack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble"
	"github.com/phrd/phrd/lock"
)

// index tells where each block lies. It is derived from the packs and the journal, so it
// is written without fsync and thrown away when it can't be opened.
//
//	'b' CID pack offset -> length (uint32), 1 if damaged (byte)
//	'p' pack            -> bytes of the pack that are indexed (uint64)
//	'u' pack            -> empty: the pack has bytes in which no record can be told
//	't' CID             -> when the block was put again or touched (unix nanoseconds, uint64)
//	'f'                 -> when the index began (the same)
type index struct {
	db    *pebble.DB
	since time.Time // when the index began
	// noted tells that uses were noted that are not durable; flushing is held until they are.
	noted    atomic.Bool
	flushing sync.Mutex
	// broken is told when pebble can't go on; the index is then wrong, not lost.
	broken *brokenLog
}

const (
	blockPrefix      = 'b'
	packPrefix       = 'p'
	unreadablePrefix = 'u'
	usePrefix        = 't'
	sincePrefix      = 'f'

	blockKeySize = 1 + len(lock.CID{}) + idSize + 8
	packKeySize  = 1 + idSize

	indexCache    = 16 << 20
	indexMemTable = 8 << 20
)

// openIndex opens the index in a folder, or begins a new one when that fails.
func openIndex(dir string, now time.Time, report func(Damage), fail func(error)) (*index, error) {
	broken := &brokenLog{fail: fail}
	db, err := openPebble(dir, broken)
	if err != nil {
		report(Damage{File: indexFolder, Reason: "index is built anew: " + err.Error()})
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
		if db, err = openPebble(dir, broken); err != nil {
			return nil, fmt.Errorf("index: %w", err)
		}
	}
	x := &index{db: db, broken: broken}
	if err := x.begin(now); err != nil {
		return nil, errors.Join(fmt.Errorf("index: %w", err), db.Close())
	}
	return x, nil
}

// begin reads when the index began, or notes that it does now.
func (x *index) begin(now time.Time) error {
	var err error
	if x.since, err = x.timeAt([]byte{sincePrefix}); err != nil || !x.since.IsZero() {
		return err
	}
	x.since = now
	return x.db.Set([]byte{sincePrefix}, appendTime(nil, now), pebble.Sync)
}

func appendTime(b []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(t.UnixNano()))
}

// timeAt reads a time, the zero time where there is none.
func (x *index) timeAt(key []byte) (time.Time, error) {
	value, closer, err := x.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return time.Time{}, nil
	} else if err != nil {
		return time.Time{}, err
	}
	if len(value) != 8 {
		return time.Time{}, errors.Join(errIndexEntry, closer.Close())
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(value))), closer.Close()
}

// used returns the time of the last use of a block that the index knows.
func (x *index) used(c lock.CID) (time.Time, error) {
	at, err := x.timeAt(useKey(c))
	if at.Before(x.since) {
		return x.since, err
	}
	return at, err
}

// use notes that a block is used. What was noted is durable after flush.
func (x *index) use(c lock.CID, now time.Time) error {
	err := x.db.Set(useKey(c), appendTime(nil, now), pebble.NoSync)
	x.noted.Store(true)
	return err
}

// flush makes all uses durable that were noted before.
func (x *index) flush() error {
	x.flushing.Lock()
	defer x.flushing.Unlock()
	if !x.noted.Swap(false) {
		return nil
	}
	err := x.db.LogData(nil, pebble.Sync)
	if err != nil {
		x.noted.Store(true)
	}
	return err
}

func openPebble(dir string, broken *brokenLog) (*pebble.DB, error) {
	if err := makeFolder(dir); err != nil {
		return nil, err
	}
	cache := pebble.NewCache(indexCache)
	defer cache.Unref()
	return pebble.Open(dir, &pebble.Options{
		Cache:              cache,
		MemTableSize:       indexMemTable,
		FormatMajorVersion: pebble.FormatNewest,
		Logger:             broken,
	})
}

// brokenLog receives what pebble logs. Its default would end the process when the disk
// is full; a store that can still be read must not end.
type brokenLog struct{ fail func(error) }

func (*brokenLog) Infof(string, ...any) {}

func (*brokenLog) Errorf(format string, args ...any) {
	slog.Warn("index of the block store", "message", fmt.Sprintf(format, args...))
}

func (l *brokenLog) Fatalf(format string, args ...any) {
	l.fail(fmt.Errorf("index: "+format, args...))
}

func (x *index) close() error { return x.db.Close() }

func blockKey(c lock.CID, pack packID, offset int64) []byte {
	key := make([]byte, 0, blockKeySize)
	key = append(key, blockPrefix)
	key = append(key, c[:]...)
	key = append(key, pack[:]...)
	return binary.BigEndian.AppendUint64(key, uint64(offset))
}

func useKey(c lock.CID) []byte { return append([]byte{usePrefix}, c[:]...) }

func packKey(prefix byte, pack packID) []byte {
	return append([]byte{prefix}, pack[:]...)
}

func blockValue(p place) []byte {
	value := binary.BigEndian.AppendUint32(make([]byte, 0, 5), p.length)
	if p.bad {
		return append(value, 1)
	}
	return append(value, 0)
}

// prefixEnd is the first key behind all that start with the prefix.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// each calls visit for each key with the prefix.
func (x *index) each(prefix []byte, visit func(key, value []byte) error) error {
	iter, err := x.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: prefixEnd(prefix)})
	if err != nil {
		return err
	}
	for iter.First(); iter.Valid(); iter.Next() {
		if err := visit(iter.Key(), iter.Value()); err != nil {
			return errors.Join(err, iter.Close())
		}
	}
	return iter.Close()
}

var errIndexEntry = errors.New("index has a malformed entry")

// places returns where block c lies, damaged places included.
func (x *index) places(c lock.CID) ([]place, error) {
	var places []place
	prefix := append([]byte{blockPrefix}, c[:]...)
	err := x.each(prefix, func(key, value []byte) error {
		_, p, err := parseBlock(key, value)
		places = append(places, p)
		return err
	})
	return places, err
}

// blocksAfter calls visit for up to limit blocks whose CID follows after, with all places.
func (x *index) blocksAfter(after lock.CID, limit int, visit func(lock.CID, []place) error) error {
	start := prefixEnd(append([]byte{blockPrefix}, after[:]...))
	iter, err := x.db.NewIter(&pebble.IterOptions{LowerBound: start, UpperBound: []byte{blockPrefix + 1}})
	if err != nil {
		return err
	}
	var current lock.CID
	var places []place
	for iter.First(); iter.Valid(); iter.Next() {
		c, p, err := parseBlock(iter.Key(), iter.Value())
		if err == nil && c != current && len(places) > 0 {
			if err = visit(current, places); err == nil {
				limit--
			}
			places = places[:0]
		}
		if err != nil || limit == 0 {
			return errors.Join(err, iter.Close())
		}
		current, places = c, append(places, p)
	}
	err = iter.Close()
	if err == nil && len(places) > 0 {
		err = visit(current, places)
	}
	return err
}

func parseBlock(key, value []byte) (lock.CID, place, error) {
	if len(key) != blockKeySize || len(value) != 5 {
		return lock.CID{}, place{}, errIndexEntry
	}
	const id = 1 + len(lock.CID{})
	return lock.CID(key[1:id]), place{
		pack:   packID(key[id : id+idSize]),
		offset: int64(binary.BigEndian.Uint64(key[id+idSize:])),
		length: binary.BigEndian.Uint32(value),
		bad:    value[4] != 0,
	}, nil
}

// has tells what the index knows about one record.
func (x *index) has(c lock.CID, pack packID, offset int64) (found, bad bool, err error) {
	value, closer, err := x.db.Get(blockKey(c, pack, offset))
	if errors.Is(err, pebble.ErrNotFound) {
		return false, false, nil
	} else if err != nil {
		return false, false, err
	}
	bad = len(value) == 5 && value[4] != 0
	return true, bad, closer.Close()
}

// packs returns the indexed length of each pack.
func (x *index) packs() (map[packID]int64, error) {
	packs := map[packID]int64{}
	err := x.each([]byte{packPrefix}, func(key, value []byte) error {
		if len(key) != packKeySize || len(value) != 8 {
			return errIndexEntry
		}
		packs[packID(key[1:])] = int64(binary.BigEndian.Uint64(value))
		return nil
	})
	return packs, err
}

// unreadable returns the packs that have bytes in which no record can be told.
func (x *index) unreadable() ([]packID, error) {
	var packs []packID
	err := x.each([]byte{unreadablePrefix}, func(key, _ []byte) error {
		if len(key) != packKeySize {
			return errIndexEntry
		}
		packs = append(packs, packID(key[1:]))
		return nil
	})
	return packs, err
}

// forget drops all that is known about packs, at the cost of reading the whole index.
func (x *index) forget(packs map[packID]bool) error {
	if len(packs) == 0 {
		return nil
	}
	u := x.update()
	err := x.each([]byte{blockPrefix}, func(key, value []byte) error {
		c, p, err := parseBlock(key, value)
		if err == nil && packs[p.pack] {
			u.remove(c, p)
		}
		return err
	})
	for pack := range packs {
		u.removePack(pack)
	}
	return errors.Join(err, u.commit())
}

// An update changes the index at once or not at all. Its first error is kept for commit.
type update struct {
	index *index
	batch *pebble.Batch
	err   error
}

func (x *index) update() *update { return &update{index: x, batch: x.db.NewBatch()} }

func (u *update) keep(err error) {
	if u.err == nil {
		u.err = err
	}
}

func (u *update) add(c lock.CID, p place) {
	u.keep(u.batch.Set(blockKey(c, p.pack, p.offset), blockValue(p), nil))
}

func (u *update) remove(c lock.CID, p place) {
	u.keep(u.batch.Delete(blockKey(c, p.pack, p.offset), nil))
}

// gone forgets when a block was used that has no place any more.
func (u *update) gone(c lock.CID) { u.keep(u.batch.Delete(useKey(c), nil)) }

func (u *update) indexed(pack packID, length int64) {
	u.keep(u.batch.Set(packKey(packPrefix, pack), binary.BigEndian.AppendUint64(nil, uint64(length)), nil))
}

func (u *update) markUnreadable(pack packID) {
	u.keep(u.batch.Set(packKey(unreadablePrefix, pack), nil, nil))
}

func (u *update) removePack(pack packID) {
	u.keep(u.batch.Delete(packKey(packPrefix, pack), nil))
	u.keep(u.batch.Delete(packKey(unreadablePrefix, pack), nil))
}

func (u *update) commit() error {
	if u.err == nil && u.batch.Count() > 0 {
		u.keep(u.batch.Commit(pebble.NoSync))
	}
	return errors.Join(u.err, u.batch.Close())
}
