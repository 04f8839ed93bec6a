// Package index answers searches of the log: by patient, record, actor, hospital,
// kind, unlock, time and whom an entry concerns, newest first.
//
// Consensus keeps the log itself and nothing to search it by. Each node builds its
// own index from the entries in committed state and keeps it up to date: an [Index]
// follows the log by sequence, and writes the rows of a batch of entries together
// with the point reached. It holds copies of the entries, so that a search never
// reads the chain's state: they and the nodes of the tree are in files, each at a
// place that follows from its sequence, and the lists by which entries are found in a
// database beside them. A page costs one walk down its lists and a read for each
// entry, however long the log is.
//
// The index is trusted with nothing. What it has read is hashed into the same
// RFC 9162 tree that the chain keeps ([audit.Frontier]), and each time it has caught
// up the two roots must agree: an index of another chain, one that was restored from
// elsewhere, or one that lost rows, is thrown away and built anew. So is one that
// cannot be read. Until it agreed with the log for the first time since the node's
// start, searches are answered with [audit.ErrIndexBuilding] and the progress.
package index

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble"
	"github.com/cockroachdb/pebble/vfs"

	"github.com/phrd/phrd/x/audit"
)

const (
	folderMode = 0o700
	rowsFolder = "rows"

	// batchSize is how many entries are read and written at a time.
	batchSize = 1000
	// retryAfter is how long the index waits after an error of the source, unless it is woken.
	retryAfter = 5 * time.Second
	// rebuildAfter is how long it waits when it is damaged right after it was built anew.
	rebuildAfter = time.Minute
)

// Source is the log in the newest committed state.
type Source interface {
	// Frontier is the right edge of the tree over all entries.
	Frontier(ctx context.Context) (audit.Frontier, error)
	// Entries answers the entries from a sequence on in their order, at most limit of them.
	Entries(ctx context.Context, from uint64, limit int) ([]audit.Entry, error)
}

// errDamaged says that the index is not one of this log, or cannot be read or
// written. It is then built anew.
var errDamaged = errors.New("index is damaged")

// Index is an [audit.Index] in a folder. All its methods may be called at the same
// time.
type Index struct {
	dir    string
	source Source
	lock   *pebble.Lock
	wake   chan struct{}

	// use is held for reading by searches, and for writing while rows is replaced.
	use sync.RWMutex
	// rows is nil when the index is closed, or could not be opened again.
	rows *rows

	// indexed and size are the highest sequence in the index and in the log when it was last looked at.
	indexed, size atomic.Uint64
	// agreed says that the index was one with the log since it was opened.
	agreed atomic.Bool
	// damage is what a search or pebble met.
	damage atomic.Pointer[error]

	mu      sync.Mutex
	started bool
	stopped bool
	cancel  context.CancelFunc
	done    chan struct{}
}

var _ audit.Index = (*Index)(nil)

// Open opens the index in folder dir, and begins a new one where there is none or it
// is damaged. It reads nothing from the source before Start. The error is one of the
// disk, or says that another process has the index open.
func Open(dir string, source Source) (*Index, error) {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	lock, err := pebble.LockDirectory(dir, vfs.Default)
	if err != nil {
		return nil, fmt.Errorf("open index %s: is it in use by another process? %w", dir, err)
	}
	x := &Index{dir: dir, source: source, lock: lock, wake: make(chan struct{}, 1), done: make(chan struct{})}
	if err := x.open(); err != nil {
		slog.Warn("index of the log is built anew", "folder", dir, "error", err.Error())
		if err := x.reset(); err != nil {
			return nil, errors.Join(fmt.Errorf("open index %s: %w", dir, err), lock.Close())
		}
	}
	return x, nil
}

// open opens what is in the folder.
func (x *Index) open() error {
	rows, err := openRows(filepath.Join(x.dir, rowsFolder), x.damaged)
	if err != nil {
		return err
	}
	x.rows = rows
	x.indexed.Store(rows.frontier.Size_)
	return nil
}

// reset throws all rows away.
func (x *Index) reset() error {
	x.use.Lock()
	defer x.use.Unlock()
	x.agreed.Store(false)
	x.indexed.Store(0)
	if x.rows != nil {
		if err := x.rows.close(); err != nil {
			slog.Warn("close the damaged index of the log", "folder", x.dir, "error", err.Error())
		}
		x.rows = nil
	}
	x.damage.Store(nil)
	if err := os.RemoveAll(filepath.Join(x.dir, rowsFolder)); err != nil {
		return err
	}
	return x.open()
}

// Start begins to follow the log and returns at once. It goes on until ctx ends or
// Stop is called, which is needed in either case. An index is started once.
func (x *Index) Start(ctx context.Context) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.started || x.stopped {
		return errors.New("index was started or stopped before")
	}
	x.started = true
	ctx, x.cancel = context.WithCancel(ctx)
	go x.run(ctx)
	return nil
}

// Stop ends following and closes the files. It waits for searches under way, and as
// long as ctx allows for the last batch; after its error it may be called again.
// Searches that come later are answered with audit.ErrIndexBuilding.
func (x *Index) Stop(ctx context.Context) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.stopped {
		return nil
	}
	if x.started {
		x.cancel()
		select {
		case <-x.done:
		case <-ctx.Done():
			return fmt.Errorf("stop index: %w", ctx.Err())
		}
	}
	x.stopped = true
	x.use.Lock()
	defer x.use.Unlock()
	x.agreed.Store(false)
	var err error
	if x.rows != nil {
		err = errors.Join(x.rows.flush(ctx), x.rows.close())
		x.rows = nil
	}
	return errors.Join(err, x.lock.Close())
}

// Wake tells that the log may have grown. It never waits.
func (x *Index) Wake() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// Indexed implements [audit.Index].
func (x *Index) Indexed() uint64 { return x.indexed.Load() }

// Entries implements [audit.Index].
func (x *Index) Entries(ctx context.Context, filter *audit.QueryEntriesRequest) ([]audit.Entry, uint64, error) {
	x.use.RLock()
	defer x.use.RUnlock()
	if x.rows == nil || !x.agreed.Load() {
		return nil, 0, x.building()
	}
	page, next, err := x.rows.search(ctx, filter)
	if ctx.Err() != nil {
		return nil, 0, ctx.Err()
	}
	if err != nil {
		x.damaged(err)
		return nil, 0, x.building()
	}
	return page, next, nil
}

func (x *Index) building() error {
	return audit.ErrIndexBuilding.Wrapf("%d of %d entries read", x.indexed.Load(), x.size.Load())
}

// damaged notes what makes the rows unusable and wakes who builds them anew.
func (x *Index) damaged(err error) {
	err = fmt.Errorf("%w: %w", errDamaged, err)
	x.damage.CompareAndSwap(nil, &err)
	x.agreed.Store(false)
	x.Wake()
}

// run follows the log until ctx ends.
func (x *Index) run(ctx context.Context) {
	defer close(x.done)
	fresh := false // thrown away since it last agreed with the log
	for {
		err := x.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errDamaged) && !fresh {
			slog.Warn("index of the log is built anew", "folder", x.dir, "error", err.Error())
			if err = x.reset(); err == nil {
				fresh = true
				continue
			}
		}
		wake, retry := x.wake, (<-chan time.Time)(nil)
		if err != nil {
			slog.Warn("index of the log is behind", "folder", x.dir, "error", err.Error())
			retry = time.After(retryAfter)
		}
		if errors.Is(err, errDamaged) {
			wake, retry = nil, time.After(rebuildAfter)
		}
		fresh = false
		select {
		case <-ctx.Done():
			return
		case <-retry:
		case <-wake:
		}
	}
}

// follow reads the log to its end. An error that is errDamaged is one of the index,
// any other one of the source.
func (x *Index) follow(ctx context.Context) error {
	if damage := x.damage.Load(); damage != nil {
		return *damage
	}
	if x.rows == nil {
		return fmt.Errorf("%w: it could not be opened", errDamaged)
	}
	log, err := x.source.Frontier(ctx)
	if err != nil {
		return fmt.Errorf("read the log's size: %w", err)
	}
	if err := log.Validate(); err != nil {
		return fmt.Errorf("read the log's size: %w", err)
	}
	x.size.Store(log.Size_)
	rows := x.rows
	if rows.frontier.Size_ > log.Size_ {
		return fmt.Errorf("%w: it has %d entries, the log %d", errDamaged, rows.frontier.Size_, log.Size_)
	}
	for rows.frontier.Size_ < log.Size_ {
		from := rows.frontier.Size_ + 1
		entries, err := x.source.Entries(ctx, from, int(min(batchSize, log.Size_-rows.frontier.Size_)))
		if err == nil && len(entries) == 0 {
			err = errors.New("there is none")
		}
		if err != nil {
			return fmt.Errorf("read entry %d of the log: %w", from, err)
		}
		if err := rows.add(entries); err != nil {
			return fmt.Errorf("%w: add entries from %d on: %w", errDamaged, from, err)
		}
		x.indexed.Store(rows.frontier.Size_)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if rows.frontier.Root() != log.Root() {
		return fmt.Errorf("%w: its %d entries are not those of the log", errDamaged, log.Size_)
	}
	if x.damage.Load() == nil {
		x.agreed.Store(true)
	}
	return nil
}
