package phr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/lock"
)

const (
	// defaultSegment is how many bytes of an upload are kept until the gateway has acknowledged them. Two segments exist: one
	// fills while the other one travels.
	defaultSegment = 16 << 20
	// patience is how long an upload goes on trying while nothing more is acknowledged.
	patience = 2 * time.Minute
	// stallTime is how long a request may move no byte before it is given up and resumed.
	stallTime = time.Minute

	tusVersion = "1.0.0"
)

var errStalled = errors.New("no byte moved for a minute")

// upload is one resumable upload (tus 1.0.0) of a CAR stream to one gateway. It is a [seal.Sink]: blocks go into a
// segment while the one before is sent. What the gateway has not acknowledged is kept and sent again from wherever the
// gateway says, so a connection that was cut, or a gateway that restarted, costs no more than a segment.
type upload struct {
	door     *door
	path     string
	full     int // bytes of a segment
	patience time.Duration
	progress func(sent uint64)
	telling  sync.Mutex // progress is told by one goroutine at a time

	stream  *car.Writer // writes into segment
	segment []byte
	queue   chan segment
	free    chan []byte
	done    chan struct{}
	err     error // of the sender; read after done

	acked  atomic.Uint64 // bytes that the gateway holds durably
	cancel context.CancelCauseFunc
}

type segment struct {
	bytes []byte
	last  bool // the stream ends with it
}

// newUpload opens an upload of about so many bytes and starts its sender, which lives until finish or abandon.
func (d *door) newUpload(ctx context.Context, size uint64, progress func(uint64)) (*upload, error) {
	header := http.Header{"Tus-Resumable": {tusVersion}, "Upload-Defer-Length": {"1"}}
	opening, stop := context.WithTimeout(ctx, attemptTime)
	defer stop()
	resp, err := d.request(opening, http.MethodPost, "/uploads", header, nil)
	if err != nil {
		return nil, fmt.Errorf("open upload: %w", err)
	}
	defer resp.Body.Close()
	location, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || location.Path == "" || resp.StatusCode != http.StatusCreated {
		return nil, fmt.Errorf("gateway %s: it opened no upload: %w", d.base, ErrUpload)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	u := &upload{
		door: d, path: location.Path, full: d.client.segment, patience: d.client.patience, progress: progress,
		segment: make([]byte, 0, min(size, uint64(d.client.segment))+maxBlock),
		queue:   make(chan segment), free: make(chan []byte, 1), done: make(chan struct{}), cancel: cancel,
	}
	if size > uint64(d.client.segment) {
		u.free <- make([]byte, 0, cap(u.segment))
	} else {
		u.free <- nil // one segment takes all of it
	}
	if u.stream, err = car.NewWriter((*segmentWriter)(u)); err != nil {
		cancel(err)
		return nil, err
	}
	go u.run(ctx)
	return u, nil
}

// segmentWriter appends to the open segment.
type segmentWriter upload

// Write implements io.Writer.
func (w *segmentWriter) Write(b []byte) (int, error) {
	w.segment = append(w.segment, b...)
	return len(b), nil
}

// Put implements seal.Sink.
func (u *upload) Put(ctx context.Context, c lock.CID, block []byte) error {
	if err := u.stream.Put(c, block); err != nil {
		return err
	}
	if len(u.segment) < u.full {
		return nil
	}
	return u.flush(ctx, false)
}

// flush hands the segment to the sender and takes an empty one.
func (u *upload) flush(ctx context.Context, last bool) error {
	select {
	case u.queue <- segment{u.segment, last}:
	case <-u.done:
		return u.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case u.segment = <-u.free:
		return nil
	case <-u.done:
		return u.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// finish sends the rest and waits until the gateway holds everything.
func (u *upload) finish(ctx context.Context) error {
	if err := u.flush(ctx, true); err != nil {
		return err
	}
	select {
	case <-u.done:
		return u.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// abandon stops the sender and tells the gateway to forget the upload.
func (u *upload) abandon(ctx context.Context) {
	u.cancel(ErrUpload)
	<-u.done
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), attemptTime)
	defer stop()
	header := http.Header{"Tus-Resumable": {tusVersion}}
	// The gateway forgets an unfinished upload by itself after a while; this only frees its place at once.
	if resp, err := u.door.request(ctx, http.MethodDelete, u.path, header, nil); err == nil {
		_ = resp.Body.Close()
	}
}

// run sends segments until the last one.
func (u *upload) run(ctx context.Context) {
	defer close(u.done)
	for {
		select {
		case s := <-u.queue:
			if u.err = u.send(ctx, s); u.err != nil {
				return
			}
			u.free <- s.bytes[:0]
			if s.last {
				return
			}
		case <-ctx.Done():
			u.err = context.Cause(ctx)
			return
		}
	}
}

// send has the gateway acknowledge a segment, however often the connection breaks on the way, as long as it moves on.
func (u *upload) send(ctx context.Context, s segment) error {
	start := u.acked.Load()
	end := start + uint64(len(s.bytes))
	moved := time.Now()
	for pause := pollFirst; ; {
		before := u.acked.Load()
		err := u.patch(ctx, s.bytes[before-start:], before, end, s.last)
		if err == nil && u.acked.Load() == end {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil && !resumable(err) {
			return fmt.Errorf("%w: %w", err, ErrUpload)
		}
		if err != nil {
			if asked := u.ask(ctx, start, end); asked != nil && !resumable(asked) {
				return asked
			}
		}
		if u.acked.Load() > before {
			moved, pause = time.Now(), pollFirst
			continue
		}
		if time.Since(moved) > u.patience {
			return fmt.Errorf("nothing more was acknowledged for %s: %w: %w", u.patience, err, ErrUpload)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, 5*time.Second)
	}
}

// resumable tells whether an upload goes on after an error: the gateway is away or busy, or holds another offset.
func resumable(err error) bool {
	var p *Problem
	if errors.As(err, &p) {
		switch p.Status {
		case http.StatusConflict, http.StatusLocked, 460, http.StatusRequestTimeout, http.StatusInternalServerError:
			return true
		}
	}
	return errors.Is(err, ErrUnreachable)
}

// patch sends bytes from an offset on.
func (u *upload) patch(ctx context.Context, b []byte, offset, end uint64, last bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(stallTime, func() { cancel(errStalled) })
	defer watch.Stop()
	header := http.Header{
		"Tus-Resumable": {tusVersion}, "Upload-Offset": {strconv.FormatUint(offset, 10)}, "Content-Type": {"application/offset+octet-stream"},
	}
	if last {
		header.Set("Upload-Length", strconv.FormatUint(end, 10))
	}
	resp, err := u.door.request(ctx, http.MethodPatch, u.path, header, func() io.Reader {
		return &counted{Reader: bytes.NewReader(b), moved: func(n int64) {
			watch.Reset(stallTime)
			u.report(offset + uint64(n))
		}}
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return u.acknowledge(resp, offset, end)
}

// ask asks the gateway where to go on.
func (u *upload) ask(ctx context.Context, start, end uint64) error {
	ctx, stop := context.WithTimeout(ctx, attemptTime)
	defer stop()
	resp, err := u.door.request(ctx, http.MethodHead, u.path, http.Header{"Tus-Resumable": {tusVersion}}, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return u.acknowledge(resp, start, end)
}

// acknowledge takes the offset that the gateway names, which must lie in what was not acknowledged before.
func (u *upload) acknowledge(resp *http.Response, start, end uint64) error {
	offset, err := strconv.ParseUint(resp.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || offset < u.acked.Load() || offset < start || offset > end {
		return fmt.Errorf("gateway %s: it goes on at %q, want %d to %d: %w", u.door.base, resp.Header.Get("Upload-Offset"), u.acked.Load(), end, ErrUpload)
	}
	u.acked.Store(offset)
	u.report(offset)
	return nil
}

func (u *upload) report(sent uint64) {
	if u.progress == nil {
		return
	}
	u.telling.Lock()
	defer u.telling.Unlock()
	u.progress(sent)
}

// Get implements seal.Source: it reads a block back from the gateway's disk.
func (u *upload) Get(ctx context.Context, c lock.CID) ([]byte, error) {
	for try := 1; ; try++ {
		block, err := u.get(ctx, c)
		if err == nil || try == maxTries || !errors.Is(err, ErrUnreachable) || ctx.Err() != nil {
			return block, err
		}
		if err := sleep(ctx, time.Duration(try)*pollLast); err != nil {
			return nil, err
		}
	}
}

func (u *upload) get(ctx context.Context, c lock.CID) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, stallTime)
	defer stop()
	return u.door.block(ctx, u.path+"/blocks/"+c.String(), c, maxBlock)
}

// counted tells how far a body was read.
type counted struct {
	*bytes.Reader
	moved func(read int64)
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.moved(c.Size() - int64(c.Len()))
	return n, err
}

// WriteTo would let the body pass uncounted, so it is hidden behind Read.
func (c *counted) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, struct{ io.Reader }{c}) }
