package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/lock"
)

const (
	tusVersion   = "1.0.0"
	tusExtension = "creation,creation-defer-length,termination,checksum"
	copyBuffer   = 256 << 10
)

func (g *Gateway) serveUploadOptions(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Tus-Resumable", tusVersion)
	h.Set("Tus-Version", tusVersion)
	h.Set("Tus-Extension", tusExtension)
	h.Set("Tus-Checksum-Algorithm", "sha256")
	h.Set("Tus-Max-Size", strconv.FormatUint(g.config.Limits.UploadBytes, 10))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// checkTus begins the answer to a request of the tus protocol.
func checkTus(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Tus-Resumable", tusVersion)
	w.Header().Set("Cache-Control", "no-store")
	if r.Header.Get("Tus-Resumable") != tusVersion {
		w.Header().Set("Tus-Version", tusVersion)
		return refuse(http.StatusPreconditionFailed, "Tus-Resumable must be %s", tusVersion)
	}
	return nil
}

// headerUint reads a header that is one decimal number.
func headerUint(r *http.Request, name string) (n uint64, ok bool, err error) {
	values := r.Header.Values(name)
	if len(values) == 0 {
		return 0, false, nil
	}
	n, err = strconv.ParseUint(values[0], 10, 63)
	if err != nil || len(values) > 1 || strconv.FormatUint(n, 10) != values[0] {
		return 0, false, refuse(http.StatusBadRequest, "%s is not one decimal number", name)
	}
	return n, true, nil
}

// uploadLength reads the length that a request names, nil where there is none.
func (g *Gateway) uploadLength(r *http.Request) (*uint64, error) {
	n, ok, err := headerUint(r, "Upload-Length")
	if !ok || err != nil {
		return nil, err
	}
	if n > g.config.Limits.UploadBytes {
		return nil, refuse(http.StatusRequestEntityTooLarge, "an upload has at most %d bytes", g.config.Limits.UploadBytes)
	}
	if n < uint64(car.HeaderSize) {
		return nil, refuse(http.StatusBadRequest, "no CAR stream is as short as %d bytes", n)
	}
	return &n, nil
}

// serveUploadCreate begins an upload for a clerk.
func (g *Gateway) serveUploadCreate(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := checkTus(w, r); err != nil {
		return err
	}
	if !c.is(roleClerk) {
		return refuse(http.StatusForbidden, "only clerks upload")
	}
	h, err := g.home(r.Context())
	if err != nil {
		return err
	}
	if !c.of(h.number) {
		return refuse(http.StatusForbidden, "only clerks of this hospital upload here")
	}
	length, err := g.uploadLength(r)
	if err != nil {
		return err
	}
	deferred := r.Header.Get("Upload-Defer-Length")
	if deferred != "" && deferred != "1" || (deferred == "1") == (length != nil) {
		return refuse(http.StatusBadRequest, "name either Upload-Length or Upload-Defer-Length: 1")
	}
	if r.ContentLength > 0 {
		return refuse(http.StatusBadRequest, "the stream is sent with PATCH")
	}
	x, err := g.uploads.create(r.Context(), c.address, length)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/uploads/"+x.id)
	w.WriteHeader(http.StatusCreated)
	return nil
}

// serveUploadOverride is for clients that can only POST.
func (g *Gateway) serveUploadOverride(w http.ResponseWriter, r *http.Request, c caller) error {
	switch r.Header.Get("X-HTTP-Method-Override") {
	case http.MethodPatch:
		return g.serveUploadPatch(w, r, c)
	case http.MethodDelete:
		return g.serveUploadDelete(w, r, c)
	case http.MethodHead:
		return g.serveUploadHead(w, r, c)
	}
	return refuse(http.StatusMethodNotAllowed, "POST needs X-HTTP-Method-Override: PATCH, DELETE or HEAD here")
}

func (g *Gateway) ownUpload(w http.ResponseWriter, r *http.Request, c caller) (*upload, error) {
	if err := checkTus(w, r); err != nil {
		return nil, err
	}
	return g.uploads.find(r.PathValue("id"), c.address)
}

// writeState writes the headers that say where an upload stands.
func writeState(w http.ResponseWriter, x *upload) {
	offset, length, _ := x.state()
	h := w.Header()
	h.Set("Upload-Offset", strconv.FormatUint(offset, 10))
	if length != nil {
		h.Set("Upload-Length", strconv.FormatUint(*length, 10))
	} else {
		h.Set("Upload-Defer-Length", "1")
	}
}

// serveUploadHead tells where to go on. A request that still writes is interrupted first,
// since the client that asks has lost it.
func (g *Gateway) serveUploadHead(w http.ResponseWriter, r *http.Request, c caller) error {
	x, err := g.ownUpload(w, r, c)
	if err != nil {
		return err
	}
	release, err := x.acquire(r.Context(), func() {})
	if err != nil {
		return err
	}
	defer release()
	x.touch(g.config.Now())
	writeState(w, x)
	w.WriteHeader(http.StatusOK)
	return nil
}

// serveUploadDelete forgets an upload.
func (g *Gateway) serveUploadDelete(w http.ResponseWriter, r *http.Request, c caller) error {
	x, err := g.ownUpload(w, r, c)
	if err != nil {
		return err
	}
	release, err := x.acquire(r.Context(), func() {})
	if err != nil {
		return err
	}
	defer release()
	if err := g.uploads.forget(r.Context(), x); err != nil {
		return storeFault(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// serveUploadBlock reads a block of the stream back from the disk, for who uploaded it.
func (g *Gateway) serveUploadBlock(w http.ResponseWriter, r *http.Request, c caller) error {
	x, err := g.uploads.find(r.PathValue("id"), c.address)
	if err != nil {
		return err
	}
	id, err := pathCID(r)
	if err != nil {
		return err
	}
	if !x.holds(id) {
		return notFound()
	}
	block, err := g.cold().Get(r.Context(), id)
	if errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrCorrupt) {
		return &fault{status: http.StatusGone, detail: "the block was stored and can't be read back", hint: "send it again in a new upload", cause: err}
	}
	if err != nil {
		return err
	}
	x.touch(g.config.Now())
	return sendBlock(w, r, id, block)
}

// serveUploadPatch takes the next part of a stream.
func (g *Gateway) serveUploadPatch(w http.ResponseWriter, r *http.Request, c caller) error {
	x, err := g.ownUpload(w, r, c)
	if err != nil {
		return err
	}
	if err := checkType(r, "application/offset+octet-stream"); err != nil {
		return err
	}
	if !c.is(roleClerk) {
		return refuse(http.StatusForbidden, "only clerks upload")
	}
	want, err := parseChecksum(r)
	if err != nil {
		return err
	}
	end, err := g.beginTransfer(c)
	if err != nil {
		return err
	}
	defer end()
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	body := newUploadBody(ctx, w, r.Body, g.config.Limits.Stall)
	release, err := x.acquire(ctx, func() { cancel(errInterrupted); body.interrupt() })
	if err != nil {
		return err
	}
	defer release()
	err = g.takePart(ctx, x, r, body, want)
	writeState(w, x)
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// takePart checks where the part belongs, and stores it.
func (g *Gateway) takePart(ctx context.Context, x *upload, r *http.Request, body io.Reader, want []byte) error {
	from, ok, err := headerUint(r, "Upload-Offset")
	if err != nil {
		return err
	}
	if !ok {
		return refuse(http.StatusBadRequest, "Upload-Offset is missing")
	}
	offset, length, _ := x.state()
	if from != offset {
		return refuse(http.StatusConflict, "the upload is at offset %d", offset)
	}
	named, err := g.uploadLength(r)
	if err != nil {
		return err
	}
	if named != nil {
		if err := x.setLength(*named); err != nil {
			return err
		}
		length = named
	}
	most := g.config.Limits.UploadBytes - offset
	if length != nil {
		most = *length - offset
	}
	if r.ContentLength > 0 && uint64(r.ContentLength) > most {
		return refuse(http.StatusRequestEntityTooLarge, "the part ends behind the upload's length")
	}
	p := &uploadPart{g: g, x: x, ctx: ctx, body: body, most: most, size: most, want: want}
	if r.ContentLength >= 0 {
		p.size = uint64(r.ContentLength)
	}
	return p.store(length)
}

// parseChecksum reads Upload-Checksum, nil where there is none.
func parseChecksum(r *http.Request) ([]byte, error) {
	text := r.Header.Get("Upload-Checksum")
	if text == "" {
		return nil, nil
	}
	algorithm, sum, _ := strings.Cut(text, " ")
	want, err := base64.StdEncoding.Strict().DecodeString(sum)
	if algorithm != "sha256" || err != nil || len(want) != sha256.Size {
		return nil, refuse(http.StatusBadRequest, "Upload-Checksum is not sha256 and its base64")
	}
	return want, nil
}

// uploadPart is the body of one PATCH on its way into the store.
type uploadPart struct {
	g    *Gateway
	x    *upload
	ctx  context.Context
	body io.Reader
	most uint64 // bytes that may come
	size uint64 // bytes that will probably come
	want []byte // checksum, or nil

	parser  *car.Parser
	batch   blob.Batch
	sum     hash.Hash
	came    uint64
	pending []stored
	unsaved uint64
	blocks  int
}

// store takes the body and acknowledges its whole blocks. With a checksum it acknowledges
// nothing before it has seen all.
func (p *uploadPart) store(length *uint64) (err error) {
	offset, _, blocks := p.x.state()
	p.blocks, p.sum = blocks, sha256.New()
	p.parser = car.Resume(offset, p.put)
	if p.batch, err = p.g.config.Store.Begin(p.ctx, blob.Hint{Size: p.size}); err != nil {
		return storeFault(err)
	}
	defer func() { err = errors.Join(err, p.batch.Close()) }()
	bodyErr := p.copy(offset)
	if p.want != nil && (bodyErr != nil || !bytes.Equal(p.sum.Sum(nil), p.want)) {
		if bodyErr == nil {
			bodyErr = refuse(statusChecksum, "the part has another SHA-256 than Upload-Checksum says")
		}
		return bodyErr
	}
	// What came whole counts, also when the connection was cut or the request interrupted.
	if err := p.commit(context.WithoutCancel(p.ctx)); err != nil {
		return err
	}
	if bodyErr == nil && length != nil && offset+p.came == *length && p.parser.Pending() > 0 {
		return refuse(http.StatusUnprocessableEntity, "the stream ends inside a block")
	}
	return bodyErr
}

// copy feeds the parser. Its errors are faults of the body; those of the store come from put.
func (p *uploadPart) copy(offset uint64) error {
	buffer := make([]byte, copyBuffer)
	for {
		n, readErr := p.body.Read(buffer)
		if p.came += uint64(n); p.came > p.most {
			return refuse(http.StatusRequestEntityTooLarge, "the part ends behind the upload's length")
		}
		if p.want != nil {
			p.sum.Write(buffer[:n])
		}
		if err := p.parse(buffer[:n], offset); err != nil {
			return err
		}
		if p.unsaved >= p.g.config.Limits.CommitBytes && p.want == nil {
			if err := p.commit(p.ctx); err != nil {
				return err
			}
			if err := p.checkClerk(); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(readErr, io.EOF):
			return nil
		case readErr != nil:
			return bodyFault(readErr)
		}
	}
}

func bodyFault(err error) error {
	switch {
	case errors.Is(err, errInterrupted):
		return refuse(http.StatusLocked, "another request took over this upload")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(http.StatusRequestTimeout, "the body stopped")
	}
	return refuse(http.StatusBadRequest, "the body did not arrive whole")
}

func (p *uploadPart) parse(b []byte, offset uint64) error {
	headed := offset > 0 || p.parser.Boundary() > 0
	_, err := p.parser.Write(b)
	if boundary := p.parser.Boundary(); !headed && boundary > 0 {
		// The header is the first thing that can be acknowledged. Blocks of the same piece
		// came behind it.
		header := boundary
		for _, s := range p.pending {
			header -= car.Size(s.length)
		}
		p.pending = append([]stored{{length: int(header)}}, p.pending...)
	}
	var f *fault
	switch {
	case err == nil, errors.As(err, &f):
		return err
	case errors.Is(err, car.ErrFormat), errors.Is(err, lock.ErrCID), errors.Is(err, blob.ErrTooLarge), errors.Is(err, blob.ErrMismatch):
		return refuse(http.StatusUnprocessableEntity, "the stream is not a CAR of blocks: %v", err)
	}
	return storeFault(err)
}

// put takes a block that the parser has checked.
func (p *uploadPart) put(c lock.CID, block []byte) error {
	p.blocks++
	if uint64(p.blocks) > fewBlocks+(p.parser.Boundary()+uint64(len(block)))/minBlockMean {
		return refuse(http.StatusUnprocessableEntity, "the stream has too many small blocks")
	}
	if err := p.batch.PutTrusted(c, block); err != nil {
		return err
	}
	p.pending = append(p.pending, stored{cid: c, length: len(block)})
	p.unsaved += uint64(len(block))
	return nil
}

// commit makes what came durable and acknowledges it.
func (p *uploadPart) commit(ctx context.Context) error {
	if len(p.pending) > 0 {
		if err := p.batch.Sync(ctx); err != nil {
			return storeFault(err)
		}
	}
	if err := p.x.acknowledge(p.pending, p.g.config.Now()); err != nil {
		return err
	}
	p.pending, p.unsaved = p.pending[:0], 0
	return nil
}

// checkClerk ends a long upload when its clerk lost the role meanwhile.
func (p *uploadPart) checkClerk() error {
	c, err := p.g.principal(p.ctx, p.x.info.Owner)
	if errors.Is(err, errNobody) || err == nil && !c.is(roleClerk) {
		return loginNeeded()
	}
	return err
}

// errInterrupted says that another request wants the upload.
var errInterrupted = errors.New("interrupted by another request")

// uploadBody reads a body that must not pause for long, and can be interrupted.
type uploadBody struct {
	ctx   context.Context
	rc    *http.ResponseController
	body  io.Reader
	stall time.Duration
	set   time.Time // when the time limit was set last
}

func newUploadBody(ctx context.Context, w http.ResponseWriter, body io.Reader, stall time.Duration) *uploadBody {
	return &uploadBody{ctx: ctx, rc: http.NewResponseController(w), body: body, stall: stall}
}

// interrupt ends a Read that waits. The context was cancelled before, so that a Read that
// sets its time limit later sees it.
func (u *uploadBody) interrupt() {
	// A connection that takes no time limit is closed by its own.
	_ = u.rc.SetReadDeadline(time.Unix(1, 0))
}

// Read implements io.Reader.
func (u *uploadBody) Read(p []byte) (int, error) {
	if now := time.Now(); now.Sub(u.set) > u.stall/stallParts {
		u.set = now
		err := errors.Join(u.rc.SetReadDeadline(now.Add(u.stall)), u.rc.SetWriteDeadline(now.Add(2*u.stall)))
		if err != nil && !errors.Is(err, http.ErrNotSupported) {
			return 0, fmt.Errorf("set time limit: %w", err)
		}
	}
	if u.ctx.Err() != nil {
		return 0, context.Cause(u.ctx)
	}
	n, err := u.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && errors.Is(context.Cause(u.ctx), errInterrupted) {
		err = errInterrupted
	}
	return n, err
}
