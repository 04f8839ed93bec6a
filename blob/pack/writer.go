package pack

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

const (
	// bufferSize is how much a writer collects of small records before it writes them.
	bufferSize = 256 << 10
	// directSize is the length from which a block is written without being copied first.
	directSize = 64 << 10
	// writebackSize is how much is written before the disk is told to begin with it, and before free space is looked at again.
	writebackSize = 8 << 20
)

// errRetired says that a writer takes no more records; the batch takes another one.
var errRetired = errors.New("pack is finished")

// entry is a record that was written and waits for fsync.
type entry struct {
	cid   lock.CID
	place place
}

// writer appends records to one new pack. Batches share the writer of a shared pack.
type writer struct {
	store *Store
	id    packID
	file  *os.File
	hour  int64 // of a shared pack, in hours since 1970
	users int   // batches that write to it; guarded by store.mu

	mu      sync.Mutex
	buffer  []byte // what is not written yet; starts at offset written
	written int64
	started int64 // offset up to which writeback was started
	checked int64 // offset at which free space was looked at
	pending []entry
	used    time.Time // when the last record was appended
	retired bool
	err     error // what ended this writer

	// writeback is held while the disk is told to begin, which lasts where it is busy: nobody waits for that but who closes the file.
	writeback sync.Mutex

	// sync is held during an fsync, so that who waits for it finds its work done.
	sync   sync.Mutex
	synced int64 // offset up to which records are durable and indexed
	named  bool  // the folder was synced since the file was created
}

// newWriter creates a pack.
func (s *Store) newWriter(kind uint32) (*writer, error) {
	if err := s.failed(); err != nil {
		return nil, err
	}
	if err := s.checkSpace(); err != nil {
		return nil, err
	}
	id, err := newPackID()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(s.packPath(id), os.O_CREATE|os.O_EXCL|os.O_RDWR, fileMode)
	if full(err) {
		return nil, s.writeError("create pack", err)
	} else if err != nil {
		return nil, err
	}
	now := s.options.Now()
	return &writer{
		store: s, id: id, file: f, hour: now.Unix() / 3600,
		buffer: appendPackHeader(make([]byte, 0, bufferSize+recordHeader+directSize), kind, now),
	}, nil
}

// writeError sorts an error of writing: a full disk spoils what was being written, any
// other ends all writing.
func (s *Store) writeError(what string, err error) error {
	if full(err) {
		return fmt.Errorf("%s: %w: %w", what, blob.ErrFull, err)
	}
	err = fmt.Errorf("%s: %w", what, err)
	s.fail(err)
	return fmt.Errorf("%w: %w", blob.ErrFailed, err)
}

// append adds a record and returns the offset behind it.
func (w *writer) append(c lock.CID, block []byte) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	if w.retired {
		return 0, errRetired
	}
	p := place{pack: w.id, offset: w.written + int64(len(w.buffer)), length: uint32(len(block))}
	w.buffer = appendRecordHeader(w.buffer, c, block)
	if len(block) < directSize {
		w.buffer = append(w.buffer, block...)
		if len(w.buffer) >= bufferSize {
			w.err = w.flush()
		}
	} else if w.err = w.flush(); w.err == nil {
		w.err = w.write(block)
	}
	if w.err != nil {
		return 0, w.err
	}
	w.pending = append(w.pending, entry{cid: c, place: p})
	w.used = w.store.options.Now()
	return p.end(), nil
}

// flush writes the buffer. The caller holds w.mu.
func (w *writer) flush() error {
	if err := w.write(w.buffer); err != nil {
		return err
	}
	w.buffer = w.buffer[:0]
	return nil
}

// write writes bytes behind what was written. The caller holds w.mu.
func (w *writer) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if err := w.store.failed(); err != nil {
		return err
	}
	if _, err := w.file.WriteAt(b, w.written); err != nil {
		return w.store.writeError("write pack", err)
	}
	w.written += int64(len(b))
	if start, length := w.started, w.written-w.started; length >= writebackSize && w.writeback.TryLock() {
		w.started = w.written
		go func() {
			defer w.writeback.Unlock()
			startWriteback(w.file, start, length)
		}()
	}
	if w.written-w.checked < writebackSize {
		return nil
	}
	w.checked = w.written
	return w.store.checkSpace()
}

// commit makes all records that end at or before offset upTo durable and indexes them.
// Whoever comes while another commits waits, and often finds its own records done.
func (w *writer) commit(upTo int64) error {
	w.sync.Lock()
	defer w.sync.Unlock()
	if w.synced >= upTo {
		return nil
	}
	w.mu.Lock()
	if w.err == nil {
		w.err = w.flush()
	}
	err, pending, end := w.err, w.pending, w.written
	w.pending = nil
	w.mu.Unlock()
	if err == nil {
		err = w.harden(pending, end)
	}
	if err != nil {
		w.abandon(err)
	}
	return err
}

// harden calls fsync and updates the index. The caller holds w.sync.
func (w *writer) harden(pending []entry, end int64) error {
	if err := w.store.failed(); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return w.store.writeError("fsync pack", err)
	}
	if !w.named {
		if err := syncFolder(w.store.path(packFolder)); err != nil {
			return w.store.writeError("fsync folder of packs", err)
		}
		w.named = true
	}
	u := w.store.index.update()
	for _, e := range pending {
		u.add(e.cid, e.place)
	}
	u.indexed(w.id, end)
	if err := u.commit(); err != nil {
		return w.store.writeError("index", err)
	}
	// Pebble tells of a lost index through its logger.
	if err := w.store.failed(); err != nil {
		return err
	}
	w.synced = end
	return nil
}

// abandon ends the writer after an error and gives back the space of what is not
// durable. The caller holds w.sync.
func (w *writer) abandon(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
	w.pending = nil
	w.buffer = nil
	if w.store.failed() != nil {
		return // what the disk holds is unknown: leave it to the next Open
	}
	if err := w.file.Truncate(w.synced); err != nil {
		w.store.fail(fmt.Errorf("cut back pack: %w", err))
	}
	w.written = w.synced
}

// retire commits what was appended and takes no more records.
func (w *writer) retire() error {
	w.mu.Lock()
	w.retired = true
	end := w.written + int64(len(w.buffer))
	// Where it has failed, what it acknowledged is indexed; its batches learn of the error.
	idle := w.err != nil || end == packHeader
	w.mu.Unlock()
	if idle {
		return nil
	}
	return w.commit(end)
}

// dead tells whether the writer takes no more records.
func (w *writer) dead() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err != nil || w.retired
}

// close cuts off what was not committed and closes the file; it removes a pack in which
// nothing was.
func (w *writer) close() error {
	w.sync.Lock()
	defer w.sync.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeback.Lock()
	defer w.writeback.Unlock()
	if w.err == nil {
		w.err = blob.ErrClosed
	}
	var err error
	if w.store.failed() == nil {
		if w.synced == 0 {
			err = os.Remove(w.store.packPath(w.id))
		} else if w.written > w.synced {
			err = w.file.Truncate(w.synced)
		}
	}
	return errors.Join(err, w.file.Close())
}
