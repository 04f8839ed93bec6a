package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/cache"
	"github.com/phrd/phrd/lock"
)

const (
	// claimStep is how many bytes of a long download are written down at a time before they
	// are served.
	claimStep = 64 << 20
	// stallParts is into how many parts a time limit is cut between two settings of it, which
	// cost something.
	stallParts = 8
)

// A grant is a read that is allowed.
type grant struct {
	read    read
	version *recordsv1.Version
	object  lock.CID
}

// asked is what a request to read names.
type asked struct {
	record  string
	version uint64
	unlock  string
}

// parseAsked reads the path and the query of a request to read. What is not even the form of
// a name is unknown.
func parseAsked(r *http.Request) (asked, error) {
	a := asked{record: r.PathValue("record"), unlock: r.URL.Query().Get("unlock")}
	if _, err := lock.ParseCanonicalID(a.record); err != nil {
		return a, notFound()
	}
	var err error
	text := r.PathValue("version")
	if a.version, err = strconv.ParseUint(text, 10, 63); err != nil || a.version == 0 || strconv.FormatUint(a.version, 10) != text {
		return a, notFound()
	}
	if r.URL.Query().Has("unlock") && (len(a.unlock) != 64 || strings.Trim(a.unlock, "0123456789abcdef") != "") {
		return a, refuse(http.StatusBadRequest, "unlock is not 64 lower-case hex digits")
	}
	return a, nil
}

// mayRead decides on a request to read a version. A refusal is reported before it is
// answered, and tells a stranger nothing about what exists.
func (g *Gateway) mayRead(ctx context.Context, c caller, a asked) (grant, error) {
	h, err := g.home(ctx)
	if err != nil {
		return grant{}, err
	}
	if !h.active {
		return grant{}, unavailable(nil, "this hospital may not take part in the network now, and could not report the read")
	}
	what := read{reader: c.address, record: a.record, version: a.version, unlock: a.unlock}
	query, cancel := context.WithTimeout(ctx, g.config.Limits.QueryTime)
	defer cancel()
	granted, err := g.judge(query, c, a)
	var refused *fault
	switch {
	case err == nil:
		granted.read = what
		return granted, nil
	case !errors.As(err, &refused) || refused.status >= http.StatusInternalServerError:
		return grant{}, unavailable(err, "the node does not answer")
	}
	if wait := g.accountRefusals.take(c.address, 1); wait > 0 {
		return grant{}, tooMany(wait)
	}
	what.refused = true
	claimed, err := g.reports.claim(ctx, what, part{})
	if err != nil {
		return grant{}, unavailable(err, "the read can't be reported now")
	}
	claimed.settle(0)
	return grant{}, refused
}

// judge applies the rule of reading: the owner, the custodian's clerks, and who holds a
// released unlock that names the version.
func (g *Gateway) judge(ctx context.Context, c caller, a asked) (grant, error) {
	records := recordsv1.NewQueryClient(g.config.Chain)
	record, err := records.Record(ctx, &recordsv1.QueryRecordRequest{Id: a.record})
	if status.Code(err) == codes.NotFound {
		return grant{}, notFound()
	}
	if err != nil {
		return grant{}, err
	}
	if err := g.allowed(ctx, c, a, record.GetRecord()); err != nil {
		return grant{}, err
	}
	version, err := records.Version(ctx, &recordsv1.QueryVersionRequest{Record: a.record, Version: a.version})
	if status.Code(err) == codes.NotFound {
		return grant{}, notFound()
	}
	if err != nil {
		return grant{}, err
	}
	if version.GetVersion().GetTombstone() != nil {
		return grant{}, refuse(http.StatusGone, "this version was erased")
	}
	object, err := lock.ParseDagCID(version.GetVersion().GetObject())
	if err != nil {
		return grant{}, fmt.Errorf("version %d of record %s: %w", a.version, a.record, err)
	}
	return grant{version: version.GetVersion(), object: object}, nil
}

func (g *Gateway) allowed(ctx context.Context, c caller, a asked, r *recordsv1.Record) error {
	if a.unlock == "" {
		if c.owns(r.GetPatient()) || c.is(roleClerk) && c.of(r.GetCustodian()) {
			return nil
		}
		return notFound()
	}
	got, err := accessv1.NewQueryClient(g.config.Chain).Unlock(ctx, &accessv1.QueryUnlockRequest{Id: a.unlock})
	if status.Code(err) == codes.NotFound {
		return notFound()
	}
	if err != nil {
		return err
	}
	u := got.GetUnlock()
	if u.GetRequester() != c.address {
		return notFound()
	}
	// From here on the caller asks about an unlock of its own, of which it knows everything.
	named := false
	for _, v := range u.GetVersions() {
		named = named || v.GetRecord() == a.record && v.GetVersion() == a.version
	}
	if !named {
		return refuse(http.StatusForbidden, "the unlock does not name this version")
	}
	if s := got.GetStatus(); s != accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED || !g.config.Now().Before(time.Unix(u.GetExpiresAt(), 0)) {
		word := strings.ToLower(strings.TrimPrefix(s.String(), "UNLOCK_STATUS_"))
		if s == accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED {
			word = "expired"
		}
		return refuse(http.StatusForbidden, "the unlock is %s, not released", word)
	}
	return nil
}

// readFault tells a caller why an allowed read does not go on.
func readFault(err error) error {
	switch {
	case errors.Is(err, errUnavailable):
		return unavailable(err, "no hospital within reach has the blocks of this version")
	case errors.Is(err, blob.ErrShape), errors.Is(err, blob.ErrBudget):
		return &fault{status: http.StatusBadGateway, detail: "what was stored for this version is not an object of the accepted shape", cause: err}
	}
	return err
}

// claimFault tells a caller that a read can't be written down, so that it is not served.
func claimFault(err error) error {
	var f *fault
	if errors.As(err, &f) {
		return err
	}
	return unavailable(err, "the read can't be reported now")
}

// beginTransfer takes one of the places for long requests.
func (g *Gateway) beginTransfer(c caller) (end func(), err error) {
	if !g.transfers.take(c.address) {
		return nil, &fault{status: http.StatusTooManyRequests, detail: "too many uploads and downloads at once", retry: time.Second}
	}
	return func() { g.transfers.give(c.address) }, nil
}

// serveContent sends the content of an object, whole or in ranges.
func (g *Gateway) serveContent(w http.ResponseWriter, r *http.Request, c caller) error {
	a, err := parseAsked(r)
	if err != nil {
		return err
	}
	end, err := g.beginTransfer(c)
	if err != nil {
		return err
	}
	defer end()
	granted, err := g.mayRead(r.Context(), c, a)
	if err != nil {
		return err
	}
	kept := g.config.Cache.Open(granted.object)
	defer kept.Close()
	tree, err := g.tree(r.Context(), kept, granted.object, blob.Budget(granted.version.GetSize()))
	if err != nil {
		return readFault(err)
	}
	h := w.Header()
	h.Set("ETag", `"`+granted.object.String()+`"`)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Accept-Ranges", "bytes")
	spans, err := parseRanges(r.Header.Get("Range"), tree.size(), g.config.Limits.Ranges)
	if spans == nil {
		r.Header.Del("Range")
	}
	if err != nil {
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", tree.size()))
		return refuse(http.StatusRequestedRangeNotSatisfiable, "range: %v", err)
	}
	return g.sendContent(w, r, granted, kept, tree, spans)
}

func (g *Gateway) sendContent(w http.ResponseWriter, r *http.Request, granted grant, kept *cache.Object, tree *knownTree, spans []span) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if len(spans) == 0 {
		spans = []span{{0, tree.size()}}
	}
	reader := &contentReader{g: g, ctx: ctx, granted: granted, leaves: leafReader{g: g, ctx: ctx, kept: kept, tree: tree}, tree: tree, spans: spans}
	defer reader.close()
	// Over HTTP/1 a time limit for reading would end the request while it is answered.
	out := &contentWriter{ResponseWriter: w, rc: http.NewResponseController(w), stall: g.config.Limits.Stall}
	if err := out.rc.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if r.Method == http.MethodGet {
		if err := reader.prefetch(spans[0].start); err != nil {
			return err
		}
		out.begin = reader.begin
	}
	http.ServeContent(out, r, "", time.Time{}, reader)
	return reader.failure()
}

// contentWriter begins an answer with content only when the first bytes are there and
// written down, so that it can still be another one; and it ends a request whose receiver
// takes nothing for a while.
type contentWriter struct {
	http.ResponseWriter
	rc     *http.ResponseController
	stall  time.Duration
	set    time.Time // when the time limit was set last
	begin  func() error
	failed error
}

// WriteHeader implements http.ResponseWriter.
func (s *contentWriter) WriteHeader(status int) {
	if s.begin != nil && (status == http.StatusOK || status == http.StatusPartialContent) {
		s.failed = s.begin()
	}
	if s.failed == nil {
		s.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (s *contentWriter) Write(b []byte) (int, error) {
	if s.failed != nil {
		return 0, s.failed
	}
	if now := time.Now(); now.Sub(s.set) > s.stall/stallParts {
		s.set = now
		if err := s.rc.SetWriteDeadline(now.Add(s.stall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return 0, err
		}
	}
	return s.ResponseWriter.Write(b)
}

// serveVersionBlock sends one block of a version: of its object or its envelope.
func (g *Gateway) serveVersionBlock(w http.ResponseWriter, r *http.Request, c caller) error {
	a, err := parseAsked(r)
	if err != nil {
		return err
	}
	id, err := pathCID(r)
	if err != nil {
		return err
	}
	end, err := g.beginTransfer(c)
	if err != nil {
		return err
	}
	defer end()
	granted, err := g.mayRead(r.Context(), c, a)
	if err != nil {
		return err
	}
	kept := g.config.Cache.Open(granted.object)
	defer kept.Close()
	var taken part
	if id.String() != granted.version.GetEnvelope() {
		tree, err := g.tree(r.Context(), kept, granted.object, blob.Budget(granted.version.GetSize()))
		if err != nil {
			return readFault(err)
		}
		place, ok := tree.blocks[id]
		if !ok {
			return refuse(http.StatusNotFound, "the block is not of this version")
		}
		if place >= 0 && r.Method == http.MethodGet {
			if has, err := g.config.Store.Has(r.Context(), id); err == nil && !has {
				g.readOn(tree, place)
			}
		}
		if place >= 0 {
			taken = part{content: true, offset: tree.tree.Leaves[place].Offset}
		}
	}
	block, err := g.objectBlock(r.Context(), kept, id)
	if err != nil {
		return readFault(err)
	}
	if r.Method == http.MethodHead {
		return sendBlock(w, r, id, block)
	}
	taken.length = uint64(len(block))
	claimed, err := g.reports.claim(r.Context(), granted.read, taken)
	if err != nil {
		return claimFault(err)
	}
	// How much of a block left is not known where it was cut, so the whole counts.
	defer claimed.settle(taken.length)
	return sendBlock(w, r, id, block)
}

// contentReader reads the content of an object for http.ServeContent. It writes down what it
// hands out before it does.
type contentReader struct {
	g       *Gateway
	ctx     context.Context
	granted grant
	leaves  leafReader
	tree    *knownTree
	// spans are what will probably be read.
	spans []span

	// mu is held by every method: http.ServeContent reads several ranges from a goroutine
	// of its own.
	mu       sync.Mutex
	position uint64
	place    int // of current, where that is not nil
	current  []byte
	claim    *claim
	served   uint64 // of the claim
	claimed  uint64 // of all claims so far
	err      error
}

// Seek implements io.Seeker.
func (c *contentReader) Seek(offset int64, whence int) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var from int64
	switch whence {
	case io.SeekCurrent:
		from = int64(c.position)
	case io.SeekEnd:
		from = int64(c.tree.size())
	}
	if from+offset < 0 {
		return 0, errors.New("seek before the start")
	}
	c.position = uint64(from + offset)
	return from + offset, nil
}

// Read implements io.Reader.
func (c *contentReader) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	if c.position >= c.tree.size() {
		return 0, io.EOF
	}
	place := c.tree.leafAt(c.position)
	if err := c.load(place); err != nil {
		return 0, c.fail(readFault(err))
	}
	leaf := c.tree.tree.Leaves[place]
	part := c.current[c.position-leaf.Offset:]
	n := min(len(p), len(part))
	if err := c.write(c.position, uint64(n)); err != nil {
		return 0, c.fail(claimFault(err))
	}
	copy(p, part[:n])
	c.position += uint64(n)
	c.served += uint64(n)
	return n, nil
}

func (c *contentReader) fail(err error) error {
	if c.err == nil {
		c.err = err
	}
	return err
}

// begin writes down the first part of what will be read.
func (c *contentReader) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if c.claim != nil || c.tree.size() == 0 {
		return nil
	}
	if err := c.write(c.spans[0].start, 1); err != nil {
		return c.fail(claimFault(err))
	}
	return nil
}

// failure is why reading ended early.
func (c *contentReader) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// prefetch gets the leaf at an offset.
func (c *contentReader) prefetch(offset uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tree.size() == 0 {
		return nil
	}
	if err := c.load(c.tree.leafAt(offset)); err != nil {
		return readFault(err)
	}
	return nil
}

// load makes a leaf the current one.
func (c *contentReader) load(place int) error {
	if c.current != nil && c.place == place {
		return nil
	}
	block, err := c.leaves.get(place, c.lastOf(place))
	if err != nil {
		return err
	}
	c.place, c.current = place, block
	return nil
}

// lastOf is the place of the last leaf of the span that a leaf is in.
func (c *contentReader) lastOf(place int) int {
	leaf := c.tree.tree.Leaves[place]
	for _, s := range c.spans {
		if leaf.Offset < s.start+s.length && leaf.Offset+leaf.Size > s.start {
			return c.tree.leafAt(s.start + s.length - 1)
		}
	}
	return place
}

// write makes sure that the next n bytes, from an offset on, are written down as read.
func (c *contentReader) write(offset, n uint64) error {
	if c.claim != nil && c.served+n <= c.claim.granted {
		return nil
	}
	c.settle()
	planned := uint64(0)
	for _, s := range c.spans {
		planned += s.length
	}
	rest := c.tree.size() - offset
	if planned > c.claimed {
		rest = planned - c.claimed
	}
	step := max(n, min(claimStep, rest))
	claimed, err := c.g.reports.claim(c.ctx, c.granted.read, part{content: true, offset: offset, length: step})
	if err != nil {
		return err
	}
	c.claim, c.served = claimed, 0
	c.claimed += step
	return nil
}

// settle gives back what was written down last and not read.
func (c *contentReader) settle() {
	if c.claim != nil {
		c.claim.settle(c.served)
		c.claim = nil
	}
}

// close ends reading.
func (c *contentReader) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	c.leaves.close()
	if c.err == nil {
		c.err = errors.New("the request has ended")
	}
}

// leafAt is the place of the leaf that holds a byte of the content.
func (k *knownTree) leafAt(offset uint64) int {
	low, high := 0, len(k.tree.Leaves)-1
	for low < high {
		middle := (low + high + 1) / 2
		if k.tree.Leaves[middle].Offset <= offset {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low
}
