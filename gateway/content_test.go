package gateway_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/lock"
)

func (d *door) contentPath() string { return "/records/" + d.record + "/versions/1/content" }

func (d *door) blockPath(cid fmt.Stringer) string {
	return "/records/" + d.record + "/versions/1/blocks/" + cid.String()
}

func TestReading(t *testing.T) {
	d := newDoor(t)
	for _, c := range []struct{ who, query, unlock string }{
		{"er", "?unlock=" + d.unlock, d.unlock}, {"alice", "", ""}, {"clerk1", "", ""},
	} {
		r := d.want(d.do(c.who, http.MethodGet, d.contentPath()+c.query, nil, nil), http.StatusOK)
		if !bytes.Equal(r.body, d.content) {
			t.Fatalf("%s read %d bytes with SHA-256 %x, want %d", c.who, len(r.body), sha256.Sum256(r.body), len(d.content))
		}
		if got := r.Header.Get("ETag"); got != `"`+d.object.Root.String()+`"` || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v", r.Header)
		}
	}
	got := d.reports(3)
	for i, who := range []string{"er", "alice", "clerk1"} {
		r := got[i]
		if r.GetNumber() != uint64(i+1) || r.GetReader() != d.people[who].address() || r.GetRecord() != d.record || r.GetVersion() != 1 ||
			r.GetOffset() != 0 || r.GetLength() != uint64(len(d.content)) || r.GetRefused() {
			t.Errorf("report %d: %v", i, r)
		}
	}
	if got[0].GetUnlock() != d.unlock || got[1].GetUnlock() != "" {
		t.Errorf("unlocks %q and %q", got[0].GetUnlock(), got[1].GetUnlock())
	}
}

// An erased version goes to nobody, neither its content nor a block of it, and who is not
// concerned is told nothing of it.
func TestErasedVersionIsGone(t *testing.T) {
	d := newDoor(t)
	envelope := "/blocks/" + d.envelope.String() + "?unlock=" + d.pending
	d.want(d.do("alice", http.MethodGet, envelope, nil, nil), http.StatusOK)
	d.node.change(func() { d.node.versions[d.record][0].Tombstone = &recordsv1.Tombstone{Erasure: 1} })
	refused := 0
	for _, who := range []string{"alice", "clerk1"} {
		for _, path := range []string{d.contentPath(), d.blockPath(d.object.Root), d.blockPath(d.envelope)} {
			d.want(d.do(who, http.MethodGet, path, nil, nil), http.StatusGone)
			refused++
		}
	}
	d.want(d.do("er", http.MethodGet, d.contentPath()+"?unlock="+d.unlock, nil, nil), http.StatusGone)
	d.want(d.do("bob", http.MethodGet, d.contentPath(), nil, nil), http.StatusNotFound)
	d.want(d.do("alice", http.MethodGet, envelope, nil, nil), http.StatusNotFound)
	for _, r := range d.reports(4) {
		if !r.GetRefused() || r.GetLength() != 0 {
			t.Errorf("report %v", r)
		}
	}
}

// Who may not read is told nothing, and it is written down.
func TestReadingIsRefused(t *testing.T) {
	d := newDoor(t)
	nowhere := "/records/" + newID(t) + "/versions/1/content"
	refused := 0
	for _, who := range []string{"bob", "clerk2", "er", "doctor1", "officer1", "officer4", "admin2", "auditor", "node1"} {
		foreign := d.want(d.do(who, http.MethodGet, d.contentPath(), nil, nil), http.StatusNotFound)
		unknown := d.want(d.do(who, http.MethodGet, nowhere, nil, nil), http.StatusNotFound)
		if !bytes.Equal(foreign.body, unknown.body) {
			t.Errorf("%s: foreign %s, unknown %s", who, foreign.body, unknown.body)
		}
		refused += 2
	}
	for _, who := range []string{"alice", "clerk1", "bob", "officer4"} {
		d.want(d.do(who, http.MethodGet, d.contentPath()+"?unlock="+d.unlock, nil, nil), http.StatusNotFound)
		refused++
	}
	d.want(d.do("er", http.MethodGet, d.contentPath()+"?unlock="+hexOf(0x77), nil, nil), http.StatusNotFound)
	d.want(d.do("alice", http.MethodGet, strings.Replace(d.contentPath(), "/1/", "/2/", 1), nil, nil), http.StatusNotFound)
	d.want(d.do("er", http.MethodHead, d.contentPath(), nil, nil), http.StatusNotFound)
	refused += 2 // the HEAD goes into the report of er's first try
	r := d.want(d.do("er", http.MethodGet, d.contentPath()+"?unlock="+d.pending, nil, nil), http.StatusForbidden)
	if !strings.Contains(string(r.body), "endorsed, not released") {
		t.Errorf("an unlock of er's own: %s", r.body)
	}
	other := newID(t)
	d.want(d.do("er", http.MethodGet, "/records/"+other+"/versions/1/content?unlock="+d.unlock, nil, nil), http.StatusNotFound)
	refused += 2
	for _, bad := range []string{"/records/" + d.record[:26] + "/versions/1/content", "/records/%2e%2e/versions/1/content", "/records/" + d.record + "/versions/0/content", "/records/" + d.record + "/versions/-1/content", "/records/" + d.record + "/versions/01/content"} {
		d.want(d.do("alice", http.MethodGet, bad, nil, nil), http.StatusNotFound)
	}
	for _, bad := range []string{"?unlock=", "?unlock=" + strings.ToUpper(hexOf(0xaa)), "?unlock=zz"} {
		d.want(d.do("er", http.MethodGet, d.contentPath()+bad, nil, nil), http.StatusBadRequest)
	}
	d.want(d.do("", http.MethodGet, d.contentPath(), nil, nil), http.StatusUnauthorized)
	for i, r := range d.reports(refused) {
		if !r.GetRefused() || r.GetLength() != 0 {
			t.Errorf("report %d: %v", i, r)
		}
	}
	if got := len(d.node.taken()); got != refused {
		t.Errorf("%d reports, want %d", got, refused)
	}
}

func TestUnlockThatEnds(t *testing.T) {
	d := newDoor(t)
	path := d.contentPath() + "?unlock=" + d.unlock
	released := d.node.unlocks[1]
	d.want(d.do("er", http.MethodHead, path, nil, nil), http.StatusOK)
	for _, s := range []accessv1.UnlockStatus{
		accessv1.UnlockStatus_UNLOCK_STATUS_PROPOSED, accessv1.UnlockStatus_UNLOCK_STATUS_APPROVED, accessv1.UnlockStatus_UNLOCK_STATUS_DENIED,
		accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN, accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED, accessv1.UnlockStatus_UNLOCK_STATUS_EXPIRED,
	} {
		d.node.change(func() { released.Status = s })
		d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusForbidden)
	}
	d.node.change(func() { released.Status = accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED })
	d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusOK)
	// A node that lags behind says released for too long.
	d.clock.move(time.Hour)
	d.people["er"].token = ""
	d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusForbidden)
	d.node.change(func() { d.node.principals[d.people["er"].address()].Active = false })
	d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusUnauthorized)
}

func TestRanges(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) { c.Limits.Ranges = 4 })
	size := len(d.content)
	for _, c := range []struct {
		header string
		status int
		from   int
		to     int
	}{
		{"bytes=0-0", http.StatusPartialContent, 0, 1},
		{"bytes=100-1048999", http.StatusPartialContent, 100, 1049000},
		{fmt.Sprintf("bytes=%d-", size-5), http.StatusPartialContent, size - 5, size},
		{"bytes=-5", http.StatusPartialContent, size - 5, size},
		{fmt.Sprintf("bytes=-%d", 2*size), http.StatusPartialContent, 0, size},
		{fmt.Sprintf("bytes=10-%d", 2*size), http.StatusPartialContent, 10, size},
		{"lines=1-2", http.StatusOK, 0, size},
		{"bytes=5-4", http.StatusRequestedRangeNotSatisfiable, 0, 0},
		{fmt.Sprintf("bytes=%d-", size), http.StatusRequestedRangeNotSatisfiable, 0, 0},
		{"bytes=-0", http.StatusRequestedRangeNotSatisfiable, 0, 0},
		{"bytes=", http.StatusRequestedRangeNotSatisfiable, 0, 0},
		{"bytes=-", http.StatusRequestedRangeNotSatisfiable, 0, 0},
		{"bytes=a-b", http.StatusRequestedRangeNotSatisfiable, 0, 0},
		{"bytes=0--1", http.StatusRequestedRangeNotSatisfiable, 0, 0},
		{"bytes=18446744073709551615-", http.StatusRequestedRangeNotSatisfiable, 0, 0},
		{"bytes=0-18446744073709551616", http.StatusRequestedRangeNotSatisfiable, 0, 0},
		{"bytes=0-0,2-2,4-4,6-6,8-8", http.StatusRequestedRangeNotSatisfiable, 0, 0},
	} {
		t.Run(c.header, func(t *testing.T) {
			d.t = t
			r := d.want(d.do("alice", http.MethodGet, d.contentPath(), headers{"Range": c.header}, nil), c.status)
			if c.status >= 400 {
				if got := r.Header.Get("Content-Range"); got != fmt.Sprintf("bytes */%d", size) {
					t.Errorf("Content-Range %q", got)
				}
				return
			}
			if !bytes.Equal(r.body, d.content[c.from:c.to]) {
				t.Errorf("%d bytes, want those from %d to %d", len(r.body), c.from, c.to)
			}
			if got := r.Header.Get("Content-Range"); c.status == http.StatusPartialContent && got != fmt.Sprintf("bytes %d-%d/%d", c.from, c.to-1, size) {
				t.Errorf("Content-Range %q", got)
			}
		})
	}
	d.t = t
	r := d.want(d.do("alice", http.MethodGet, d.contentPath(), headers{"Range": "bytes=0-9,2000000-2000009,-3"}, nil), http.StatusPartialContent)
	_, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(bytes.NewReader(r.body), parameters["boundary"])
	for _, want := range [][]byte{d.content[:10], d.content[2000000:2000010], d.content[size-3:]} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(part); err != nil || !bytes.Equal(got, want) {
			t.Errorf("part %x, %v, want %x", got, err, want)
		}
	}
	if _, err := parts.NextPart(); !errors.Is(err, io.EOF) {
		t.Errorf("%v, want the end", err)
	}
	r = d.want(d.do("alice", http.MethodHead, d.contentPath(), nil, nil), http.StatusOK)
	if r.ContentLength != int64(size) || r.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("HEAD: %v", r.Header)
	}
	etag := r.Header.Get("ETag")
	d.want(d.do("alice", http.MethodGet, d.contentPath(), headers{"If-None-Match": etag}, nil), http.StatusNotModified)
	d.want(d.do("alice", http.MethodGet, d.contentPath(), headers{"If-Range": etag, "Range": "bytes=0-9"}, nil), http.StatusPartialContent)
	r = d.want(d.do("alice", http.MethodGet, d.contentPath(), headers{"If-Range": `"other"`, "Range": "bytes=0-9"}, nil), http.StatusOK)
	if !bytes.Equal(r.body, d.content) {
		t.Error("a range of another version is not the whole of this one")
	}
}

// Reading that goes on is one report, of what was served and no more.
func TestReportsAreMerged(t *testing.T) {
	d := newDoor(t)
	d.want(d.do("alice", http.MethodGet, d.contentPath(), headers{"Range": "bytes=1000000-1000099"}, nil), http.StatusPartialContent)
	d.want(d.do("alice", http.MethodGet, d.contentPath(), headers{"Range": "bytes=500-509"}, nil), http.StatusPartialContent)
	d.want(d.do("alice", http.MethodHead, d.contentPath(), nil, nil), http.StatusOK)
	envelope := d.want(d.do("alice", http.MethodGet, d.blockPath(d.envelope), nil, nil), http.StatusOK)
	if string(envelope.body) != "envelope" {
		t.Errorf("envelope %q", envelope.body)
	}
	got := d.reports(1)
	if len(got) != 1 || got[0].GetOffset() != 500 || got[0].GetLength() != 110+8 {
		t.Errorf("reports %v", got)
	}
	// What comes later is another report.
	d.want(d.do("alice", http.MethodGet, d.blockPath(d.envelope), nil, nil), http.StatusOK)
	if got := d.reports(2); got[1].GetOffset() != 0 || got[1].GetLength() != 8 || got[1].GetNumber() != 2 {
		t.Errorf("reports %v", got)
	}
}

func TestReadingThatGoesOnIsReportedMeanwhile(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) { c.Limits.ReportQuiet = time.Hour; c.Limits.ReportAge = 10 * time.Second })
	read := func() {
		d.want(d.do("alice", http.MethodGet, d.contentPath(), headers{"Range": "bytes=0-9"}, nil), http.StatusPartialContent)
	}
	for range 4 {
		read()
		d.clock.move(4 * time.Second)
	}
	read()
	got := d.reports(1)
	if got[0].GetLength() != 30 {
		t.Errorf("first report has %d bytes, want 30 of the first 10 s", got[0].GetLength())
	}
}

func TestReadingBlocks(t *testing.T) {
	d := newDoor(t)
	for c, want := range d.object.Blocks {
		r := d.want(d.do("er", http.MethodGet, d.blockPath(c)+"?unlock="+d.unlock, nil, nil), http.StatusOK)
		if !bytes.Equal(r.body, want) {
			t.Errorf("block %s differs", c)
		}
	}
	d.want(d.do("er", http.MethodGet, d.blockPath(d.envelope)+"?unlock="+d.unlock, nil, nil), http.StatusOK)
	// A block of another version is none of this one's.
	other := blobtest.NewObject(99, 5000)
	if err := other.Put(t.Context(), d.store); err != nil {
		t.Fatal(err)
	}
	d.want(d.do("er", http.MethodGet, d.blockPath(other.CIDs[0])+"?unlock="+d.unlock, nil, nil), http.StatusNotFound)
	d.want(d.do("alice", http.MethodGet, d.blockPath(d.vault), nil, nil), http.StatusNotFound)
	d.want(d.do("alice", http.MethodGet, "/records/"+d.record+"/versions/1/blocks/..%2f", nil, nil), http.StatusNotFound)
	d.want(d.do("bob", http.MethodGet, d.blockPath(d.dataLeaf), nil, nil), http.StatusNotFound)
	got := d.reports(2)
	var total uint64
	for _, b := range d.object.Blocks {
		total += uint64(len(b))
	}
	if got[0].GetLength() != total+8 || got[0].GetOffset() != 0 {
		t.Errorf("report %v, want %d bytes", got[0], total+8)
	}
}

// What this hospital does not hold comes from others, hashed.
func TestReadingFromOtherHospitals(t *testing.T) {
	d := prepareDoor(t, func(c *gateway.Config) { c.Store = memory.New() })
	d.start()
	d.want(d.do("er", http.MethodGet, d.contentPath()+"?unlock="+d.unlock, nil, nil), http.StatusServiceUnavailable)
	for c, b := range d.object.Blocks {
		d.fetcher.blocks[c] = b
	}
	r := d.want(d.do("er", http.MethodGet, d.contentPath()+"?unlock="+d.unlock, nil, nil), http.StatusOK)
	if !bytes.Equal(r.body, d.content) {
		t.Error("other bytes")
	}
	d.fetcher.mu.Lock()
	d.fetcher.blocks[d.dataLeaf] = []byte("other bytes")
	d.fetcher.mu.Unlock()
	d.want(d.do("er", http.MethodGet, d.blockPath(d.dataLeaf)+"?unlock="+d.unlock, nil, nil), http.StatusServiceUnavailable)
	// Damage in the middle must not look like the end.
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+d.contentPath()+"?unlock="+d.unlock, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+d.token("er"))
	response, err := d.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("%d bytes and no error", len(got))
	}
	d.fetcher.mu.Lock()
	before := d.fetcher.asked
	d.fetcher.mu.Unlock()
	d.want(d.do("er", http.MethodGet, d.contentPath()+"?unlock="+d.unlock, headers{"Range": "bytes=0-99"}, nil), http.StatusPartialContent)
	d.fetcher.mu.Lock()
	defer d.fetcher.mu.Unlock()
	if asked := d.fetcher.asked - before; asked != 1 {
		t.Errorf("100 bytes took %d blocks, want 1", asked)
	}
}

// An object on the chain that is not of the shape that the network accepts is not served.
func TestHostileObject(t *testing.T) {
	d := newDoor(t)
	hostile := blobtest.NewObject(50, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100)
	if err := hostile.Put(t.Context(), d.store); err != nil {
		t.Fatal(err)
	}
	d.node.change(func() {
		d.node.versions[d.record] = []*recordsv1.Version{{Record: d.record, Version: 1, Object: hostile.Root.String(), Size: 4096}}
	})
	d.want(d.do("alice", http.MethodGet, d.contentPath(), nil, nil), http.StatusBadGateway)
	d.node.change(func() { d.node.versions[d.record][0].Object = d.vault.String() })
	d.want(d.do("alice", http.MethodGet, d.contentPath(), nil, nil), http.StatusServiceUnavailable)
}

func TestTransfersAreLimited(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) { c.Limits.Transfers = 1 })
	path := d.createUpload(100)
	writer, answer := d.pipeRequest(path, 0, 100)
	d.waitForWriter(path)
	d.want(d.do("clerk1", http.MethodGet, d.contentPath(), nil, nil), http.StatusTooManyRequests)
	d.want(d.do("alice", http.MethodGet, d.contentPath(), nil, nil), http.StatusOK)
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	<-answer
	d.want(d.do("clerk1", http.MethodGet, d.contentPath(), nil, nil), http.StatusOK)
}

func TestAllTransfersAreLimited(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) { c.Limits.AllTransfers = 1 })
	path := d.createUpload(100)
	writer, answer := d.pipeRequest(path, 0, 100)
	d.waitForWriter(path)
	d.want(d.do("alice", http.MethodGet, d.contentPath(), nil, nil), http.StatusTooManyRequests)
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	<-answer
	d.want(d.do("alice", http.MethodGet, d.contentPath(), nil, nil), http.StatusOK)
}

// Who asks and then takes nothing does not hold a place for long.
func TestReaderThatTakesNothing(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) { c.Limits.Transfers = 1; c.Limits.Stall = 150 * time.Millisecond })
	large := blobtest.NewObject(60, blobtest.Sizes(24<<20)...)
	if err := large.Put(t.Context(), d.store); err != nil {
		t.Fatal(err)
	}
	d.node.change(func() {
		d.node.versions[d.record] = []*recordsv1.Version{{Record: d.record, Version: 1, Object: large.Root.String(), Size: 24 << 20}}
	})
	token := d.token("alice")
	conn, err := tls.Dial("tcp", d.gateway.Addr(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}) //nolint:gosec // the connection matters, not who it is with
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", d.contentPath(), token); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	d.want(d.do("alice", http.MethodHead, d.contentPath(), nil, nil), http.StatusTooManyRequests)
	for end := time.Now().Add(10 * time.Second); ; {
		r := d.do("alice", http.MethodGet, d.contentPath(), headers{"Range": "bytes=0-9"}, nil)
		if r.StatusCode == http.StatusPartialContent {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the place is held still: %d %s", r.StatusCode, r.body)
		}
		time.Sleep(20 * time.Millisecond)
	}
	// Of what was claimed, only what left is reported.
	if got := d.reports(1); got[0].GetLength() >= 24<<20 || got[0].GetLength() == 0 {
		t.Errorf("report %v", got[0])
	}
}

func TestSmallBlocks(t *testing.T) {
	d := newDoor(t)
	id, block := rawBlock("a request key of er's")
	d.want(d.do("er", http.MethodPut, "/blocks/"+id.String(), nil, block), http.StatusCreated)
	if got, err := d.store.Get(t.Context(), id); err != nil || !bytes.Equal(got, block) {
		t.Errorf("the store has %q, %v", got, err)
	}
	d.want(d.do("er", http.MethodPut, "/blocks/"+id.String(), nil, block), http.StatusCreated)
	r := d.want(d.do("er", http.MethodGet, "/blocks/"+id.String(), nil, nil), http.StatusOK)
	if !bytes.Equal(r.body, block) {
		t.Errorf("read back %q", r.body)
	}
	d.want(d.do("alice", http.MethodGet, "/blocks/"+id.String(), nil, nil), http.StatusNotFound)
	d.clock.move(24 * time.Hour)
	for _, p := range d.people {
		p.token = ""
	}
	d.want(d.do("er", http.MethodGet, "/blocks/"+id.String(), nil, nil), http.StatusNotFound)

	large := bytes.Repeat([]byte("x"), 64<<10+1)
	largeID, _ := rawBlock(string(large))
	d.want(d.do("er", http.MethodPut, "/blocks/"+largeID.String(), nil, large), http.StatusRequestEntityTooLarge)
	whole, _ := rawBlock(string(large[1:]))
	d.want(d.do("er", http.MethodPut, "/blocks/"+whole.String(), nil, large[1:]), http.StatusCreated)
	d.want(d.do("er", http.MethodPut, "/blocks/"+id.String(), nil, []byte("other")), http.StatusUnprocessableEntity)
	empty, _ := rawBlock("")
	d.want(d.do("er", http.MethodPut, "/blocks/"+empty.String(), nil, nil), http.StatusBadRequest)
	for _, bad := range []string{"x", d.object.Root.String(), strings.ToUpper(id.String()), "%2e%2e%2fx", "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKU3kh"} {
		d.want(d.do("er", http.MethodPut, "/blocks/"+bad, nil, block), http.StatusBadRequest)
	}
	d.want(d.do("", http.MethodPut, "/blocks/"+id.String(), nil, block), http.StatusUnauthorized)
}

func TestWhoGetsSmallBlocks(t *testing.T) {
	d := newDoor(t)
	for _, c := range []struct {
		cid     fmt.Stringer
		allowed []string
	}{
		{d.vault, []string{"alice"}},
		{d.rk, []string{"alice", "er", "officer1", "doctor1"}},
		{d.capsule, []string{"alice", "er", "officer1", "doctor1"}},
		// What is of a record goes out where it is reported.
		{d.envelope, nil},
		{d.object.CIDs[len(d.object.CIDs)-2], nil},
		{d.object.Root, nil},
	} {
		for _, who := range everyone {
			status := http.StatusNotFound
			for _, a := range c.allowed {
				if a == who {
					status = http.StatusOK
				}
			}
			d.want(d.do(who, http.MethodGet, "/blocks/"+c.cid.String(), nil, nil), status)
		}
		d.want(d.do("", http.MethodGet, "/blocks/"+c.cid.String(), nil, nil), http.StatusUnauthorized)
	}
	gone, _ := rawBlock("gone everywhere")
	d.node.change(func() { d.node.unlocks[0].Unlock.RequestKey = gone.String() })
	d.want(d.do("er", http.MethodGet, "/blocks/"+gone.String(), nil, nil), http.StatusNotFound)
}

// An owner gets the envelope of a version, and the one that waits for its confirmation, to seal it anew. That is no reading of it, and
// nobody else gets either so.
func TestOwnersGetTheirEnvelopes(t *testing.T) {
	d := newDoor(t)
	waiting, block := rawBlock("waiting")
	d.fetcher.blocks[waiting] = block
	d.node.change(func() { d.node.versions[d.record][0].Relock = &recordsv1.Relock{Envelope: waiting.String()} })
	path := func(c lock.CID, version string) string { return "/blocks/" + c.String() + "?version=" + version }
	named := d.record + "/1"
	for _, c := range []lock.CID{d.envelope, waiting} {
		d.want(d.do("alice", http.MethodGet, path(c, named), nil, nil), http.StatusOK)
		for _, who := range []string{"bob", "er", "clerk1", "officer1", "officer3", "auditor"} {
			d.want(d.do(who, http.MethodGet, path(c, named), nil, nil), http.StatusNotFound)
		}
	}
	for _, other := range []string{"", "x", d.record, d.record + "/0", d.record + "/x", d.record + "/2", lock.ID{9}.String() + "/1"} {
		d.want(d.do("alice", http.MethodGet, path(d.envelope, other), nil, nil), http.StatusNotFound)
	}
	d.want(d.do("alice", http.MethodGet, path(d.object.Root, named), nil, nil), http.StatusNotFound)
	d.want(d.do("alice", http.MethodGet, path(d.dataLeaf, named), nil, nil), http.StatusNotFound)
	d.reports(0)

	// Of what a hospital owns, its officers are the owners.
	d.node.change(func() { d.node.versions[d.record][0].Header = &recordsv1.Header{Custodian: 1} })
	d.want(d.do("officer1", http.MethodGet, path(d.envelope, named), nil, nil), http.StatusOK)
	for _, who := range []string{"alice", "officer3", "clerk1", "doctor1", "admin2"} {
		d.want(d.do(who, http.MethodGet, path(d.envelope, named), nil, nil), http.StatusNotFound)
	}
	d.node.change(func() { d.node.versions[d.record][0].Tombstone = &recordsv1.Tombstone{Erasure: 1} })
	d.want(d.do("officer1", http.MethodGet, path(d.envelope, named), nil, nil), http.StatusNotFound)
}

// An owner looks into the envelopes of what an unlock asks for before approving it, and who asked
// when officers have endorsed: perhaps the owner's consent was sealed into them.
func TestEnvelopesForWhoApproves(t *testing.T) {
	d := newDoor(t)
	path := "/blocks/" + d.envelope.String() + "?unlock=" + d.pending
	look := func(owners ...string) {
		t.Helper()
		for _, who := range everyone {
			status := http.StatusNotFound
			if slices.Contains(owners, who) {
				status = http.StatusOK
			}
			d.want(d.do(who, http.MethodGet, path, nil, nil), status)
		}
	}
	look("alice", "er")
	for status, owners := range map[accessv1.UnlockStatus][]string{
		accessv1.UnlockStatus_UNLOCK_STATUS_PROPOSED: {"alice"}, accessv1.UnlockStatus_UNLOCK_STATUS_APPROVED: {"alice", "er"},
		accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN: {"alice"}, accessv1.UnlockStatus_UNLOCK_STATUS_EXPIRED: {"alice"},
	} {
		d.node.change(func() { d.node.unlocks[0].Status = status })
		look(owners...)
	}
	d.want(d.do("alice", http.MethodGet, "/blocks/"+d.object.Root.String()+"?unlock="+d.pending, nil, nil), http.StatusNotFound)
	d.want(d.do("alice", http.MethodGet, "/blocks/"+d.dataLeaf.String()+"?unlock="+d.pending, nil, nil), http.StatusNotFound)
	d.want(d.do("alice", http.MethodGet, "/blocks/"+d.envelope.String()+"?unlock="+hexOf(0x44), nil, nil), http.StatusNotFound)
	d.want(d.do("alice", http.MethodGet, "/blocks/"+d.envelope.String()+"?unlock=x", nil, nil), http.StatusNotFound)
	d.node.change(func() {
		d.node.unlocks[0].Unlock.Patient, d.node.unlocks[0].Status = "", accessv1.UnlockStatus_UNLOCK_STATUS_PROPOSED
	})
	look("officer1")
}

func TestBlocksAreLimited(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) { c.Limits.AccountBlocks = gateway.Rate{Burst: 100, Count: 100, Per: time.Hour} })
	put := func(text string, status int) {
		id, b := rawBlock(text)
		d.want(d.do("er", http.MethodPut, "/blocks/"+id.String(), nil, b), status)
	}
	put(strings.Repeat("a", 90), http.StatusCreated)
	put(strings.Repeat("b", 20), http.StatusTooManyRequests)
	put(strings.Repeat("c", 10), http.StatusCreated)
}

// failingStore refuses writes.
type failingStore struct {
	blob.Store
	err error
}

func (f failingStore) Begin(ctx context.Context, h blob.Hint) (blob.Batch, error) {
	b, err := f.Store.Begin(ctx, h)
	return failingBatch{b, f.err}, err
}

type failingBatch struct {
	blob.Batch
	err error
}

func (f failingBatch) Sync(context.Context) error { return f.err }

func TestStoreThatFails(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{blob.ErrFull, http.StatusInsufficientStorage}, {blob.ErrFailed, http.StatusServiceUnavailable}, {errors.New("sync: input/output error"), http.StatusInternalServerError},
	} {
		d := newDoor(t, func(config *gateway.Config) { config.Store = failingStore{config.Store, c.err} })
		id, block := rawBlock("x")
		r := d.want(d.do("er", http.MethodPut, "/blocks/"+id.String(), nil, block), c.status)
		if strings.Contains(string(r.body), "input/output") {
			t.Errorf("the disk's error got out: %s", r.body)
		}
		body := stream(t, smallObject())
		path := d.createUpload(len(body))
		r = d.want(d.patch(path, 0, body), c.status)
		if r.Header.Get("Upload-Offset") != "0" || d.offset(path) != 0 {
			t.Error("what was not durable was acknowledged")
		}
	}
}
