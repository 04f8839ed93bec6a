// Package pack is the block store of a hospital: append-only files of records, and an
// index that can be thrown away.
//
// # Files
//
// A store is a folder:
//
//	LOCK         held by the one process that has the store open
//	packs/       <32 hex digits>.pack: a header, then records one after another
//	erased       the journal of erased records
//	index/       where each block lies; derived from the other three
//
// A record is the block's CID, its length, a CRC32C of the bytes, a CRC32C of these
// fields, and the bytes. A pack can therefore be read without anything else. An object
// of [blob.LargeObject] bytes or more has a pack of its own; smaller ones share a pack,
// a new one each hour. A pack is never written again by a later process.
//
// # Durability
//
// Sync writes, calls fsync on the pack, and on its folder when the pack is new, and
// then updates the index; only then are blocks acknowledged. One fsync serves all
// batches that wait for it. A failed fsync says nothing about which bytes are on the
// disk, so it ends all writing ([blob.ErrFailed]). A full disk spoils only the batches
// that were writing ([blob.ErrFull]).
//
// The index is written without fsync. When it is missing, damaged or behind, [Open]
// reads the packs from where it ends. A torn end of a pack is cut off. A damaged record
// in the middle is reported and skipped, and every read hashes what it read, save that of
// [Store.AppendUnchecked], which compares the CRC32C.
//
// # Erasing
//
// Erase journals the place of each record, drops it from the index, writes the other
// records of a shared pack to a new one, and removes the old file, each step followed by
// fsync. What a crash cut short, the next Open finishes. Collect does the same with blocks
// that were not used since a moment; the index holds when a block was put again.
package pack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

const (
	indexFolder = "index"
	packFolder  = "packs"
	journalName = "erased"
	lockName    = "LOCK"
	packSuffix  = ".pack"
	tempSuffix  = ".tmp"
)

// ErrLocked says that another process has the store open.
var ErrLocked = errors.New("block store is in use by another process")

// Options change how a store works. The zero Options are what a hospital runs.
type Options struct {
	// Now is the clock that tells the hour of a shared pack and when blocks are used;
	// time.Now if nil.
	Now func() time.Time
	// Reserve is the free space in bytes below which the store refuses writes with
	// blob.ErrFull, so that the index and the chain's own data can still be written;
	// DefaultReserve if 0, none if negative.
	Reserve int64
	// Room is asked to free so many bytes on the store's disk before a write is refused for want
	// of space. It must not call the store. Nil frees nothing.
	Room func(bytes uint64)
	// SharedSize is the size in bytes at which a shared pack ends before its hour;
	// DefaultSharedSize if 0. It bounds what erasing a small object rewrites.
	SharedSize int64
	// Report is told of each damage found, from any goroutine; nil logs a warning.
	Report func(Damage)
}

const (
	// DefaultReserve is the free space in bytes that a store leaves on its disk.
	DefaultReserve = 256 << 20
	// DefaultSharedSize is the size in bytes at which a shared pack ends.
	DefaultSharedSize = 256 << 20
)

// A Damage is something in the store that is not as it was written.
type Damage struct {
	// File is the name of the file within the store's folder.
	File string
	// Offset and Length say which bytes are concerned. A Length of 0 means the whole file.
	Offset, Length int64
	// CID is the block, or the zero CID when it can no longer be told.
	CID lock.CID
	// Reason says what was found.
	Reason string
}

// String describes the damage on one line.
func (d Damage) String() string {
	text := fmt.Sprintf("%s at %d, %d bytes: %s", d.File, d.Offset, d.Length, d.Reason)
	if d.CID.IsZero() {
		return text
	}
	return text + " (block " + d.CID.String() + ")"
}

// Store is a [blob.Store] in a folder. All its methods may be called at the same time.
type Store struct {
	dir     string
	options Options
	lock    *os.File
	index   *index
	journal *journal

	// failure holds the first error that ended all writing.
	failure atomic.Pointer[error]

	mu      sync.Mutex
	closed  bool
	shared  *writer            // takes the records of small batches; nil until the first
	writers map[packID]*writer // all open ones
	closing chan struct{}
	// use is held for reading by every operation, for writing by Close.
	use sync.RWMutex

	erasing sync.Mutex // held by the one Erase or Collect at work; guards the journal too
	// burying is held for writing while blocks are chosen and dropped from the index, for
	// reading while a block that is there already is put again or touched.
	burying sync.RWMutex
	doomed  map[packID]struct{} // packs that hold erased records
}

var (
	_ blob.Store           = (*Store)(nil)
	_ blob.Collector       = (*Store)(nil)
	_ blob.ColdReader      = (*Store)(nil)
	_ blob.UncheckedReader = (*Store)(nil)
)

// Open opens the store in folder dir and creates it when there is none. It brings the
// index up to date with the packs and finishes erasing. Errors are [ErrLocked], a pack of
// an unknown version, and those of the disk.
func Open(dir string, options Options) (*Store, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Reserve == 0 {
		options.Reserve = DefaultReserve
	}
	if options.SharedSize == 0 {
		options.SharedSize = DefaultSharedSize
	}
	if options.Report == nil {
		options.Report = func(d Damage) { slog.Warn("block store is damaged", "folder", dir, "damage", d.String()) }
	}
	s := &Store{
		dir: dir, options: options,
		writers: map[packID]*writer{}, doomed: map[packID]struct{}{}, closing: make(chan struct{}),
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open block store %s: %w", dir, err), s.release())
	}
	return s, nil
}

func (s *Store) open() error {
	if err := makeFolder(s.path(packFolder)); err != nil {
		return err
	}
	var err error
	if s.lock, err = lockFile(s.path(lockName)); err != nil {
		return err
	}
	if s.journal, err = openJournal(s.path(journalName), s.options.Report); err != nil {
		return err
	}
	if s.index, err = openIndex(s.path(indexFolder), s.options.Now(), s.options.Report, s.fail); err != nil {
		return err
	}
	return s.recover()
}

// release closes what is open.
func (s *Store) release() error {
	var errs []error
	if s.index != nil {
		errs = append(errs, s.index.close())
	}
	if s.journal != nil {
		errs = append(errs, s.journal.close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// Close implements [blob.Store]. It waits for operations under way.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.closing)
	s.mu.Unlock()

	s.use.Lock()
	defer s.use.Unlock()
	var errs []error
	for _, w := range s.writers {
		errs = append(errs, w.close())
	}
	return errors.Join(append(errs, s.release())...)
}

// enter starts an operation, which ends with s.use.RUnlock.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.use.RLock()
	select {
	case <-s.closing:
		s.use.RUnlock()
		return blob.ErrClosed
	default:
		return nil
	}
}

// fail ends all writing.
func (s *Store) fail(err error) {
	if s.failure.CompareAndSwap(nil, &err) {
		s.options.Report(Damage{File: ".", Reason: "no more writes: " + err.Error()})
	}
}

// failed returns an error that is blob.ErrFailed when writing has ended.
func (s *Store) failed() error {
	if cause := s.failure.Load(); cause != nil {
		return fmt.Errorf("%w: %w", blob.ErrFailed, *cause)
	}
	return nil
}

// Has implements [blob.Prober].
func (s *Store) Has(ctx context.Context, c lock.CID) (bool, error) {
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	defer s.use.RUnlock()
	places, err := s.index.places(c)
	return len(sound(places)) > 0, err
}

// Size implements [blob.Prober].
func (s *Store) Size(ctx context.Context, c lock.CID) (int, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.use.RUnlock()
	places, err := s.index.places(c)
	if err != nil {
		return 0, err
	}
	if places = sound(places); len(places) == 0 {
		return 0, fmt.Errorf("block %s: %w", c, blob.ErrNotFound)
	}
	return int(places[0].length), nil
}

// path returns the path of a file of the store.
func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

// packPath returns the path of a pack.
func (s *Store) packPath(id packID) string { return s.path(id.file()) }

// remove deletes a pack and makes that durable.
func (s *Store) remove(id packID) error {
	if err := os.Remove(s.packPath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncFolder(s.path(packFolder))
}
