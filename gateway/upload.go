package gateway

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/lock"
)

const (
	uploadFolder = "uploads"
	infoSuffix   = ".json"
	blocksSuffix = ".blocks"
	// sweepTime is how often uploads that nobody touches are looked for.
	sweepTime = 10 * time.Minute
	// maxCompleteUploads is how many complete uploads of one account are remembered.
	maxCompleteUploads = 64
	// takeoverTime is how long an upload's writer may take to let go.
	takeoverTime = 10 * time.Second
	// minBlockMean bounds the number of blocks of an upload: they have this many bytes each
	// on the average, beside the first few.
	minBlockMean = 1 << 10
	fewBlocks    = 64
)

// A record of an upload's .blocks file says that a block, or with the zero CID the header of
// the stream, is durable in the store: length and CID, then a CRC32C of both. One of length 0 is
// of a block that the stream does not carry: a leaf of an earlier version.
const blockRecord = 4 + len(lock.CID{}) + 4

// uploadInfo is an upload's .json file.
type uploadInfo struct {
	Owner   string    `json:"owner"`
	Created time.Time `json:"created"`
	// Length of the whole stream; absent until it is known.
	Length *uint64 `json:"length,omitempty"`
}

// upload is one CAR stream on its way in. What it acknowledged is in the store.
type upload struct {
	id   string
	base string // of its files

	mu     sync.Mutex
	info   uploadInfo
	offset uint64 // durable, behind a block
	blocks map[lock.CID]struct{}
	others map[lock.CID]struct{} // leaves of an earlier version that the stream does not carry
	file   *os.File              // .blocks
	used   time.Time
	writer *uploadWriter
	gone   bool
}

// uploadWriter is the one request that writes to an upload.
type uploadWriter struct {
	interrupt func()
	done      chan struct{}
}

// uploads are all uploads of this gateway.
type uploads struct {
	g      *Gateway
	folder string

	mu sync.Mutex
	by map[string]*upload
}

// openUploads reads what earlier processes left.
func openUploads(g *Gateway) (*uploads, error) {
	u := &uploads{g: g, folder: filepath.Join(g.config.Folder, uploadFolder), by: map[string]*upload{}}
	if err := os.MkdirAll(u.folder, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(u.folder)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		id, ok := strings.CutSuffix(entry.Name(), infoSuffix)
		if !ok {
			continue
		}
		x, err := readUpload(u.folder, id, g.config.Now())
		if err != nil {
			return nil, errors.Join(fmt.Errorf("upload %s: %w", id, err), u.close())
		}
		u.by[id] = x
	}
	return u, nil
}

func readUpload(folder, id string, now time.Time) (*upload, error) {
	x := &upload{id: id, base: filepath.Join(folder, id), blocks: map[lock.CID]struct{}{}, others: map[lock.CID]struct{}{}, used: now}
	info, err := os.ReadFile(x.base + infoSuffix)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(info, &x.info); err != nil {
		return nil, err
	}
	if x.file, err = os.OpenFile(x.base+blocksSuffix, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	records, err := os.ReadFile(x.base + blocksSuffix)
	if err != nil {
		return nil, errors.Join(err, x.file.Close())
	}
	whole := 0
	for len(records) >= whole+blockRecord {
		c, length, ok := parseBlockRecord(records[whole : whole+blockRecord])
		if !ok {
			break
		}
		x.take(c, length)
		whole += blockRecord
	}
	// What was torn was never acknowledged.
	if err := x.file.Truncate(int64(whole)); err != nil {
		return nil, errors.Join(err, x.file.Close())
	}
	return x, nil
}

func appendBlockRecord(b []byte, c lock.CID, length int) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(length))
	b = append(b, c[:]...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func parseBlockRecord(b []byte) (c lock.CID, length int, ok bool) {
	copy(c[:], b[4:])
	end := blockRecord - 4
	return c, int(binary.BigEndian.Uint32(b)), crc32.Checksum(b[:end], castagnoli) == binary.BigEndian.Uint32(b[end:])
}

// take counts a durable block, or the header, or a block that the stream does not carry. x.mu
// is held.
func (x *upload) take(c lock.CID, length int) {
	switch {
	case c.IsZero():
		x.offset += uint64(length)
		return
	case length == 0:
		x.others[c] = struct{}{}
		return
	}
	x.offset += car.Size(length)
	x.blocks[c] = struct{}{}
}

// run forgets uploads that nobody touches, until ctx ends.
func (u *uploads) run(ctx context.Context) {
	ticker := time.NewTicker(sweepTime)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			u.sweep(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (u *uploads) sweep(ctx context.Context) {
	now := u.g.config.Now()
	for _, x := range u.all() {
		x.mu.Lock()
		idle := x.writer == nil && now.Sub(x.used) >= u.g.config.Limits.UploadIdle
		x.mu.Unlock()
		if !idle {
			continue
		}
		if err := u.forget(ctx, x); err != nil && ctx.Err() == nil {
			u.g.config.Log.Error("an upload that nobody touches is not forgotten", "upload", x.id, "error", err)
		}
	}
}

func (u *uploads) all() []*upload {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := make([]*upload, 0, len(u.by))
	for _, x := range u.by {
		list = append(list, x)
	}
	return list
}

// forget removes what is known about an upload. Its blocks stay in the store, where they count
// as used now: until here the upload has kept them from being collected, and now whoever
// uploaded them has as long as anybody else to have them named by the chain.
func (u *uploads) forget(ctx context.Context, x *upload) error {
	if err := x.touchBlocks(ctx, u.g.config.Store); err != nil {
		return err
	}
	u.mu.Lock()
	delete(u.by, x.id)
	u.mu.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.gone {
		return nil
	}
	x.gone = true
	err := errors.Join(x.file.Close(), os.Remove(x.base+infoSuffix), os.Remove(x.base+blocksSuffix))
	if err != nil {
		u.g.config.Log.Error("files of an upload are not removed", "upload", x.id, "error", err)
	}
	return nil
}

func (x *upload) touchBlocks(ctx context.Context, store blob.Store) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, blocks := range []map[lock.CID]struct{}{x.blocks, x.others} {
		for c := range blocks {
			if _, err := store.Touch(ctx, c); err != nil {
				return fmt.Errorf("upload: %w", err)
			}
		}
	}
	return nil
}

// Uploading calls visit for every block of every upload that this gateway knows, complete ones
// included. What is acknowledged to an upload after that was put into the store a moment before.
func (g *Gateway) Uploading(visit func(lock.CID)) {
	for _, x := range g.uploads.all() {
		x.mu.Lock()
		for _, blocks := range []map[lock.CID]struct{}{x.blocks, x.others} {
			for c := range blocks {
				visit(c)
			}
		}
		x.mu.Unlock()
	}
}

func (u *uploads) close() error {
	var errs []error
	for _, x := range u.all() {
		x.mu.Lock()
		if !x.gone {
			x.gone = true
			errs = append(errs, x.file.Close())
		}
		x.mu.Unlock()
	}
	return errors.Join(errs...)
}

// create begins an upload of a length, nil where it is not known yet.
func (u *uploads) create(ctx context.Context, owner string, length *uint64) (*upload, error) {
	if err := u.makeRoom(ctx, owner); err != nil {
		return nil, err
	}
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, fmt.Errorf("draw upload id: %w", err)
	}
	now := u.g.config.Now()
	x := &upload{
		id: hex.EncodeToString(random[:]), info: uploadInfo{Owner: owner, Created: now.UTC(), Length: length},
		blocks: map[lock.CID]struct{}{}, others: map[lock.CID]struct{}{}, used: now,
	}
	x.base = filepath.Join(u.folder, x.id)
	var err error
	if x.file, err = os.OpenFile(x.base+blocksSuffix, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600); err != nil {
		return nil, fmt.Errorf("new upload: %w", err)
	}
	if err := x.save(); err != nil {
		return nil, errors.Join(fmt.Errorf("new upload: %w", err), x.file.Close(), os.Remove(x.base+blocksSuffix))
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.by[x.id] = x
	return x, nil
}

// makeRoom refuses an account that has too many uploads under way, and forgets its oldest
// complete one where it has too many of them.
func (u *uploads) makeRoom(ctx context.Context, owner string) error {
	var oldest *upload
	var since time.Time
	open, complete := 0, 0
	for _, x := range u.all() {
		x.mu.Lock()
		own, done, created := x.info.Owner == owner, x.isComplete(), x.info.Created
		x.mu.Unlock()
		switch {
		case !own:
		case !done:
			open++
		default:
			complete++
			if oldest == nil || created.Before(since) {
				oldest, since = x, created
			}
		}
	}
	if open >= u.g.config.Limits.Uploads {
		return &fault{
			status: http.StatusTooManyRequests, detail: fmt.Sprintf("you have %d uploads under way", open),
			hint: "finish or delete one", retry: time.Minute,
		}
	}
	if complete >= maxCompleteUploads {
		return u.forget(ctx, oldest)
	}
	return nil
}

// find returns an account's own upload.
func (u *uploads) find(id, owner string) (*upload, error) {
	u.mu.Lock()
	x := u.by[id]
	u.mu.Unlock()
	if x == nil || x.info.Owner != owner {
		return nil, notFound()
	}
	return x, nil
}

// isComplete tells whether the whole stream is in the store. x.mu is held.
func (x *upload) isComplete() bool { return x.info.Length != nil && x.offset == *x.info.Length }

// save makes the info file durable. x.mu is held, or nobody else knows x.
func (x *upload) save() error {
	body, err := json.Marshal(x.info)
	if err != nil {
		return err
	}
	temp := x.base + ".new"
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = file.Write(body); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, x.base+infoSuffix); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(x.base))
}

// acquire makes a request the one writer of the upload, or a reader of its offset at rest. A
// request that writes now is interrupted: it may hang on a connection that is long gone, and
// what it stored counts. release is called once.
func (x *upload) acquire(ctx context.Context, interrupt func()) (release func(), err error) {
	deadline := time.NewTimer(takeoverTime)
	defer deadline.Stop()
	for {
		x.mu.Lock()
		if x.gone {
			x.mu.Unlock()
			return nil, notFound()
		}
		other := x.writer
		if other == nil {
			w := &uploadWriter{interrupt: interrupt, done: make(chan struct{})}
			x.writer = w
			x.mu.Unlock()
			return func() { x.release(w) }, nil
		}
		other.interrupt()
		x.mu.Unlock()
		select {
		case <-other.done:
		case <-deadline.C:
			return nil, &fault{status: http.StatusLocked, detail: "another request writes to this upload", retry: time.Second}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (x *upload) release(w *uploadWriter) {
	x.mu.Lock()
	x.writer = nil
	x.mu.Unlock()
	close(w.done)
}

// setLength sets the length of the stream where it was left open. Errors are faults or those
// of the disk.
func (x *upload) setLength(length uint64) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.info.Length != nil {
		if *x.info.Length != length {
			return refuse(http.StatusBadRequest, "Upload-Length was %d before", *x.info.Length)
		}
		return nil
	}
	if length < x.offset {
		return refuse(http.StatusBadRequest, "Upload-Length is below Upload-Offset, %d", x.offset)
	}
	x.info.Length = &length
	if err := x.save(); err != nil {
		x.info.Length = nil
		return fmt.Errorf("upload: %w", err)
	}
	return nil
}

// stored is a block, or with the zero CID the header, that waits to be acknowledged.
type stored struct {
	cid    lock.CID
	length int
}

// acknowledge moves the offset behind blocks that are durable in the store, and makes that
// durable too.
func (x *upload) acknowledge(blocks []stored, now time.Time) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.gone {
		return notFound()
	}
	var records []byte
	for _, b := range blocks {
		records = appendBlockRecord(records, b.cid, b.length)
	}
	if len(records) > 0 {
		before := int64(0)
		info, err := x.file.Stat()
		if err == nil {
			before = info.Size()
			_, err = x.file.Write(records)
		}
		if err == nil {
			err = x.file.Sync()
		}
		if err != nil {
			// The records may be there or not; without them the client sends again.
			return errors.Join(fmt.Errorf("upload: %w", err), x.file.Truncate(before))
		}
	}
	for _, b := range blocks {
		x.take(b.cid, b.length)
	}
	x.used = now
	return nil
}

// holds tells whether a block of the stream is durable in the store.
func (x *upload) holds(c lock.CID) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, ok := x.blocks[c]
	return ok
}

// shares tells whether a block is one that the stream does not carry.
func (x *upload) shares(c lock.CID) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, ok := x.others[c]
	return ok
}

// shared is how many blocks the stream does not carry.
func (x *upload) shared() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return uint64(len(x.others))
}

// state is where the upload stands.
func (x *upload) state() (offset uint64, length *uint64, blocks int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.offset, x.info.Length, len(x.blocks)
}

// touch counts as use.
func (x *upload) touch(now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.used = now
}
