package gateway_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/lock"
)

// stream is a CAR of an object's blocks.
func stream(t *testing.T, o *blobtest.Object) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := car.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range o.CIDs {
		if err := w.Put(c, o.Blocks[c]); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// boundaries are the offsets of a stream behind its header and each block.
func boundaries(o *blobtest.Object) []int {
	list := []int{0, car.HeaderSize}
	for _, c := range o.CIDs {
		list = append(list, list[len(list)-1]+int(car.Size(len(o.Blocks[c]))))
	}
	return list
}

// boundaryBefore is the last boundary at or before an offset.
func boundaryBefore(o *blobtest.Object, offset int) int {
	last := 0
	for _, b := range boundaries(o) {
		if b <= offset {
			last = b
		}
	}
	return last
}

var tus = headers{"Tus-Resumable": "1.0.0"}

func with(h headers, pairs ...string) headers {
	all := headers{}
	for name, value := range h {
		all[name] = value
	}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

func (d *door) createUpload(length int) string {
	d.t.Helper()
	h := with(tus, "Upload-Length", strconv.Itoa(length))
	if length < 0 {
		h = with(tus, "Upload-Defer-Length", "1")
	}
	r := d.want(d.do("clerk1", http.MethodPost, "/uploads", h, nil), http.StatusCreated)
	return r.Header.Get("Location")
}

func (d *door) patch(path string, offset int, body []byte, pairs ...string) reply {
	d.t.Helper()
	h := with(tus, append([]string{"Upload-Offset", strconv.Itoa(offset), "Content-Type", "application/offset+octet-stream"}, pairs...)...)
	return d.do("clerk1", http.MethodPatch, path, h, body)
}

// offset is where the gateway says to go on.
func (d *door) offset(path string) int {
	d.t.Helper()
	r := d.want(d.do("clerk1", http.MethodHead, path, tus, nil), http.StatusOK)
	n, err := strconv.Atoi(r.Header.Get("Upload-Offset"))
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// checkStored fails unless the store holds every block and the uploader can read it back.
func (d *door) checkStored(path string, o *blobtest.Object) {
	d.t.Helper()
	for _, c := range o.CIDs {
		r := d.want(d.do("clerk1", http.MethodGet, path+"/blocks/"+c.String(), nil, nil), http.StatusOK)
		if !bytes.Equal(r.body, o.Blocks[c]) {
			d.t.Fatalf("block %s reads back as other bytes", c)
		}
	}
}

func smallObject() *blobtest.Object { return blobtest.NewObject(3, 9000, 5000, 4096) }

func TestUpload(t *testing.T) {
	d := newDoor(t)
	o := blobtest.NewObject(1, append(blobtest.Sizes(3<<20+77), 4096)...)
	body := stream(t, o)
	path := d.createUpload(len(body))
	r := d.want(d.do("clerk1", http.MethodHead, path, tus, nil), http.StatusOK)
	if r.Header.Get("Upload-Offset") != "0" || r.Header.Get("Upload-Length") != strconv.Itoa(len(body)) || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("HEAD of a new upload: %v", r.Header)
	}
	r = d.want(d.patch(path, 0, body), http.StatusNoContent)
	if r.Header.Get("Upload-Offset") != strconv.Itoa(len(body)) {
		t.Errorf("Upload-Offset is %s, want %d", r.Header.Get("Upload-Offset"), len(body))
	}
	d.checkStored(path, o)
	other := smallObject()
	d.want(d.do("clerk1", http.MethodGet, path+"/blocks/"+other.CIDs[0].String(), nil, nil), http.StatusNotFound)
	d.want(d.do("clerk1", http.MethodDelete, path, tus, nil), http.StatusNoContent)
	d.want(d.do("clerk1", http.MethodHead, path, tus, nil), http.StatusNotFound)
	if has, err := d.store.Has(t.Context(), o.Root); err != nil || !has {
		t.Errorf("the root is gone with the upload: %v, %v", has, err)
	}
}

// Wherever a part ends, the upload stands at the boundary before, and goes on from there.
func TestUploadCutAtEveryKindOfPlace(t *testing.T) {
	d := newDoor(t)
	o := smallObject()
	body := stream(t, o)
	var places []int
	for _, b := range boundaries(o) {
		for _, near := range []int{b - 1, b, b + 1, b + 2, b + 20, b + 39} {
			if near > 0 && near < len(body) {
				places = append(places, near)
			}
		}
	}
	for _, place := range places {
		path := d.createUpload(len(body))
		r := d.want(d.patch(path, 0, body[:place]), http.StatusNoContent)
		want := boundaryBefore(o, place)
		if got := r.Header.Get("Upload-Offset"); got != strconv.Itoa(want) {
			t.Fatalf("cut at %d: Upload-Offset is %s, want %d", place, got, want)
		}
		if got := d.offset(path); got != want {
			t.Fatalf("cut at %d: HEAD says %d, want %d", place, got, want)
		}
		d.want(d.patch(path, place+1, body[min(place+1, len(body)):]), http.StatusConflict)
		d.want(d.patch(path, want, body[want:]), http.StatusNoContent)
		d.checkStored(path, o)
		d.want(d.do("clerk1", http.MethodDelete, path, tus, nil), http.StatusNoContent)
	}
}

func TestUploadGoesOnAfterRestart(t *testing.T) {
	d := newDoor(t)
	o := smallObject()
	body := stream(t, o)
	path := d.createUpload(len(body))
	deferred := d.createUpload(-1)
	cut := boundaries(o)[3] + 100
	d.want(d.patch(path, 0, body[:cut]), http.StatusNoContent)
	want := d.offset(path)
	d.stop()

	// A crash can leave half a record, which was never acknowledged.
	files, err := filepath.Glob(filepath.Join(d.config.Folder, "uploads", "*.blocks"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files %v, %v", files, err)
	}
	file, err := os.OpenFile(filepath.Join(d.config.Folder, path+".blocks"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(make([]byte, 30)); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}

	d.people["clerk1"].token = ""
	d.start()
	if got := d.offset(path); got != want || want == 0 {
		t.Fatalf("after the restart the upload is at %d, want %d", got, want)
	}
	d.want(d.patch(path, want, body[want:]), http.StatusNoContent)
	d.checkStored(path, o)
	r := d.want(d.do("clerk1", http.MethodHead, deferred, tus, nil), http.StatusOK)
	if r.Header.Get("Upload-Defer-Length") != "1" || r.Header.Get("Upload-Length") != "" {
		t.Errorf("the upload without a length: %v", r.Header)
	}
}

func TestUploadWithDeferredLength(t *testing.T) {
	d := newDoor(t)
	o := smallObject()
	body := stream(t, o)
	path := d.createUpload(-1)
	half := boundaries(o)[2]
	d.want(d.patch(path, 0, body[:half]), http.StatusNoContent)
	d.want(d.patch(path, half, nil, "Upload-Length", strconv.Itoa(half-1)), http.StatusBadRequest)
	d.want(d.patch(path, half, body[half:]), http.StatusNoContent)
	d.want(d.patch(path, len(body), nil, "Upload-Length", strconv.Itoa(len(body))), http.StatusNoContent)
	d.want(d.patch(path, len(body), nil, "Upload-Length", strconv.Itoa(len(body)+1)), http.StatusBadRequest)
	d.want(d.patch(path, len(body), []byte{1}), http.StatusRequestEntityTooLarge)
	d.checkStored(path, o)
}

func TestUploadChecksum(t *testing.T) {
	d := newDoor(t)
	o := smallObject()
	body := stream(t, o)
	sum := sha256.Sum256(body)
	right, wrong := base64.StdEncoding.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString(make([]byte, 32))
	path := d.createUpload(len(body))
	r := d.want(d.patch(path, 0, body, "Upload-Checksum", "sha256 "+wrong), 460)
	if r.Header.Get("Upload-Offset") != "0" || d.offset(path) != 0 {
		t.Error("a part with a wrong checksum was kept")
	}
	for _, bad := range []string{"sha1 " + right, "sha256", "sha256 AAAA", "sha256 " + right + "=", right} {
		d.want(d.patch(path, 0, body, "Upload-Checksum", bad), http.StatusBadRequest)
	}
	d.want(d.patch(path, 0, body, "Upload-Checksum", "sha256 "+right), http.StatusNoContent)
	d.checkStored(path, o)
}

func TestHostileStreams(t *testing.T) {
	d := newDoor(t)
	o := smallObject()
	body := stream(t, o)
	starts := boundaries(o)
	changed := func(at int, to ...byte) []byte {
		b := bytes.Clone(body)
		copy(b[at:], to)
		return b
	}
	flipped := func(at int) []byte { return changed(at, body[at]^1) }
	second := starts[2]
	for name, c := range map[string]struct {
		body []byte
		kept int
	}{
		"no CAR":                 {bytes.Repeat([]byte("x"), 300), 0},
		"version 2 header":       {flipped(car.HeaderSize - 1), 0},
		"header of 2 GiB":        {changed(0, 0xff, 0xff, 0xff, 0xff, 0x07), 0},
		"flipped byte of block":  {flipped(second + 100), second},
		"flipped byte of digest": {flipped(second + 20), second},
		"CIDv0":                  {changed(second+2, 0x12, 0x20), second},
		"identity CID":           {changed(second+2, 0x01, 0x55, 0x00), second},
		"other codec":            {changed(second+3, 0x71), second},
		"sha2-512":               {changed(second+4, 0x13, 0x40), second},
		"block of 2 MiB":         {changed(second, 0x80, 0x80, 0x80, 0x01), second},
		"length of 2^63":         {changed(second, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), second},
		"length 0":               {changed(second, 0), second},
		"long varint":            {changed(second, 0x80, 0x00), second},
		"ends inside a block":    {body[:len(body)-1], starts[len(starts)-2]},
	} {
		t.Run(name, func(t *testing.T) {
			d.t = t
			path := d.createUpload(len(c.body))
			r := d.want(d.patch(path, 0, c.body), http.StatusUnprocessableEntity)
			if got := r.Header.Get("Upload-Offset"); got != strconv.Itoa(c.kept) {
				t.Errorf("Upload-Offset is %s, want %d", got, c.kept)
			}
			d.want(d.do("clerk1", http.MethodDelete, path, tus, nil), http.StatusNoContent)
		})
	}
	d.t = t
	bomb := blobtest.NewObject(9, 10)
	for i := range 2000 {
		c, b := rawBlock(strconv.Itoa(i))
		bomb.Add(c, b)
	}
	tiny := stream(t, bomb)
	d.want(d.patch(d.createUpload(len(tiny)), 0, tiny), http.StatusUnprocessableEntity)
}

func TestUploadHeaders(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) { c.Limits.UploadBytes = 1 << 20; c.Limits.Uploads = 2 })
	for name, c := range map[string]struct {
		h      headers
		status int
	}{
		"no length":        {tus, http.StatusBadRequest},
		"both":             {with(tus, "Upload-Length", "100", "Upload-Defer-Length", "1"), http.StatusBadRequest},
		"defer 2":          {with(tus, "Upload-Defer-Length", "2"), http.StatusBadRequest},
		"negative":         {with(tus, "Upload-Length", "-1"), http.StatusBadRequest},
		"plus":             {with(tus, "Upload-Length", "+100"), http.StatusBadRequest},
		"no number":        {with(tus, "Upload-Length", "abc"), http.StatusBadRequest},
		"fraction":         {with(tus, "Upload-Length", "100.0"), http.StatusBadRequest},
		"zero":             {with(tus, "Upload-Length", "0"), http.StatusBadRequest},
		"leading zero":     {with(tus, "Upload-Length", "0100"), http.StatusBadRequest},
		"2^64":             {with(tus, "Upload-Length", "18446744073709551616"), http.StatusBadRequest},
		"over the limit":   {with(tus, "Upload-Length", "1048577"), http.StatusRequestEntityTooLarge},
		"no version":       {headers{"Upload-Length": "100"}, http.StatusPreconditionFailed},
		"other version":    {headers{"Upload-Length": "100", "Tus-Resumable": "0.2.2"}, http.StatusPreconditionFailed},
		"name in metadata": {with(tus, "Upload-Length", "100", "Upload-Metadata", "filename Li4vLi4vZXRjL3Bhc3N3ZA=="), http.StatusCreated},
	} {
		t.Run(name, func(t *testing.T) {
			d.t = t
			d.want(d.do("clerk1", http.MethodPost, "/uploads", c.h, nil), c.status)
		})
	}
	d.t = t
	path := d.createUpload(200)
	d.want(d.do("clerk1", http.MethodPost, "/uploads", with(tus, "Upload-Length", "100"), nil), http.StatusTooManyRequests)
	for _, offset := range []string{"", "-1", "x", "00"} {
		h := with(tus, "Upload-Offset", offset, "Content-Type", "application/offset+octet-stream")
		d.want(d.do("clerk1", http.MethodPatch, path, h, nil), http.StatusBadRequest)
	}
	d.want(d.patch(path, 0, nil, "Content-Type", "application/octet-stream"), http.StatusUnsupportedMediaType)
	d.want(d.patch(path, 1, nil), http.StatusConflict)
	d.want(d.patch(path, 0, make([]byte, 201)), http.StatusRequestEntityTooLarge)
	d.want(d.do("clerk1", http.MethodPost, path, with(tus, "X-HTTP-Method-Override", "DELETE"), nil), http.StatusNoContent)
	r := d.want(d.do("", http.MethodOptions, "/uploads", nil, nil), http.StatusNoContent)
	if r.Header.Get("Tus-Extension") != "creation,creation-defer-length,termination,checksum" || r.Header.Get("Tus-Max-Size") != "1048576" {
		t.Errorf("OPTIONS: %v", r.Header)
	}
}

func TestWhoUploads(t *testing.T) {
	d := newDoor(t)
	create := with(tus, "Upload-Length", "100")
	for _, who := range []string{"alice", "er", "officer1", "admin2", "node1", "auditor"} {
		d.want(d.do(who, http.MethodPost, "/uploads", create, nil), http.StatusForbidden)
	}
	// Another hospital's clerk uploads at that hospital.
	d.want(d.do("clerk2", http.MethodPost, "/uploads", create, nil), http.StatusForbidden)
	d.want(d.do("", http.MethodPost, "/uploads", create, nil), http.StatusUnauthorized)
	path := d.createUpload(100)
	for _, who := range []string{"clerk2", "er", "alice"} {
		for _, method := range []string{http.MethodHead, http.MethodPatch, http.MethodDelete} {
			d.want(d.do(who, method, path, with(tus, "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream"), nil), http.StatusNotFound)
		}
		d.want(d.do(who, http.MethodGet, path+"/blocks/"+d.dataLeaf.String(), nil, nil), http.StatusNotFound)
	}
	for _, id := range []string{"..%2f..%2fetc%2fpasswd", "%2e%2e", "%00", strings.Repeat("a", 3000), "%252e%252e%252f", "\u202Egnp", "x y"} {
		d.want(d.do("clerk1", http.MethodHead, "/uploads/"+strings.ReplaceAll(id, " ", "%20"), tus, nil), http.StatusNotFound)
	}
}

// pipeRequest starts a PATCH whose body the test writes.
func (d *door) pipeRequest(path string, offset int, length int64) (body *io.PipeWriter, answer chan reply) {
	d.t.Helper()
	reader, writer := io.Pipe()
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodPatch, d.url+path, reader)
	if err != nil {
		d.t.Fatal(err)
	}
	request.ContentLength = length
	for name, value := range with(tus, "Upload-Offset", strconv.Itoa(offset), "Content-Type", "application/offset+octet-stream", "Authorization", "Bearer "+d.token("clerk1")) {
		request.Header.Set(name, value)
	}
	answer = make(chan reply, 1)
	go func() {
		response, err := d.client.Do(request)
		if err != nil {
			answer <- reply{}
			return
		}
		text, err := io.ReadAll(response.Body)
		if err == nil {
			err = response.Body.Close()
		}
		if err != nil {
			text = fmt.Append(nil, err)
		}
		answer <- reply{response, text}
	}()
	return writer, answer
}

// waitForWriter waits until a request writes to an upload.
func (d *door) waitForWriter(path string) {
	d.t.Helper()
	for !gateway.IsWriting(d.gateway, filepath.Base(path)) {
		if d.t.Context().Err() != nil {
			d.t.Fatal("no request writes")
		}
		time.Sleep(time.Millisecond)
	}
}

// http1 makes the client speak HTTP/1.1, where a time limit is the connection's.
func (d *door) http1() {
	transport, ok := d.client.Transport.(*http.Transport)
	if !ok {
		d.t.Fatal("the client has another transport")
	}
	transport = transport.Clone()
	transport.ForceAttemptHTTP2 = false
	transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
	d.client = &http.Client{Transport: transport, CheckRedirect: d.client.CheckRedirect}
}

// protocols prepare a door for each version of HTTP.
var protocols = map[string]func(d *door){"HTTP2": func(*door) {}, "HTTP1": func(d *door) { d.http1() }}

// A client that lost its connection finds the upload where the last whole block ended, even
// though the request that hangs has not noticed.
func TestHeadTakesOverAHangingUpload(t *testing.T) {
	for name, prepare := range protocols {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t)
			prepare(d)
			o := smallObject()
			body := stream(t, o)
			path := d.createUpload(len(body))
			writer, answer := d.pipeRequest(path, 0, int64(len(body)))
			sent := boundaries(o)[2] + 50
			if _, err := writer.Write(body[:sent]); err != nil {
				t.Fatal(err)
			}
			d.waitForWriter(path)
			// What of it has arrived is for the network to say.
			want := d.offset(path)
			if want > boundaries(o)[2] || want != boundaryBefore(o, want) {
				t.Errorf("HEAD says %d, want a boundary up to %d", want, boundaries(o)[2])
			}
			if err := writer.Close(); err != nil {
				t.Fatal(err)
			}
			if r := <-answer; r.Response != nil && r.StatusCode != http.StatusLocked {
				t.Errorf("the request that hung: %d %s, want %d", r.StatusCode, r.body, http.StatusLocked)
			}
			d.want(d.patch(path, want, body[want:]), http.StatusNoContent)
			d.checkStored(path, o)
		})
	}
}

func TestTwoWritersAtOneOffset(t *testing.T) {
	d := newDoor(t)
	o := blobtest.NewObject(4, append(blobtest.Sizes(4<<20), 4096)...)
	body := stream(t, o)
	path := d.createUpload(len(body))
	d.token("clerk1")
	var group sync.WaitGroup
	results := make([]int, 4)
	for i := range results {
		group.Go(func() {
			request, err := http.NewRequestWithContext(context.Background(), http.MethodPatch, d.url+path, bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			for name, value := range with(tus, "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream", "Authorization", "Bearer "+d.token("clerk1")) {
				request.Header.Set(name, value)
			}
			response, err := d.client.Do(request)
			if err != nil {
				return // its stream was ended while it still sent
			}
			results[i] = response.StatusCode
			if err := response.Body.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	done := 0
	for _, status := range results {
		switch status {
		case http.StatusNoContent:
			done++
		case http.StatusConflict, http.StatusLocked, 0:
		default:
			t.Errorf("statuses %v", results)
		}
	}
	if done > 1 {
		t.Errorf("%d requests wrote from offset 0 to the end: %v", done, results)
	}
	at := d.offset(path)
	if at != boundaryBefore(o, at) {
		t.Errorf("the upload is at %d, which is inside a block", at)
	}
	d.want(d.patch(path, at, body[at:]), http.StatusNoContent)
	d.checkStored(path, o)
}

func TestBodyThatStops(t *testing.T) {
	for name, prepare := range protocols {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t, func(c *gateway.Config) { c.Limits.Stall = 150 * time.Millisecond })
			prepare(d)
			o := smallObject()
			body := stream(t, o)
			path := d.createUpload(len(body))
			writer, answer := d.pipeRequest(path, 0, int64(len(body)))
			if _, err := writer.Write(body[:boundaries(o)[3]+7]); err != nil {
				t.Fatal(err)
			}
			r := <-answer
			if err := writer.Close(); err != nil {
				t.Fatal(err)
			}
			if r.Response != nil && r.StatusCode != http.StatusRequestTimeout {
				t.Errorf("status %d %s, want %d", r.StatusCode, r.body, http.StatusRequestTimeout)
			}
			if got, want := d.offset(path), boundaries(o)[3]; got != want {
				t.Errorf("the upload is at %d, want %d: what came whole counts", got, want)
			}
		})
	}
}

func TestIdleUploadIsForgotten(t *testing.T) {
	d := newDoor(t)
	path := d.createUpload(200)
	d.clock.move(25 * time.Hour)
	gateway.Sweep(t.Context(), d.gateway)
	d.people["clerk1"].token = ""
	d.want(d.do("clerk1", http.MethodHead, path, tus, nil), http.StatusNotFound)
	files, err := os.ReadDir(filepath.Join(d.config.Folder, "uploads"))
	if err != nil || len(files) != 0 {
		t.Errorf("files %v, %v", files, err)
	}
}

// While the gateway knows an upload it names the upload's blocks, also after a restart; when it
// forgets the upload they count as used once more.
func TestUploadKeepsItsBlocks(t *testing.T) {
	d := newDoor(t)
	o := smallObject()
	body := stream(t, o)
	path := d.createUpload(len(body))
	d.want(d.patch(path, 0, body), http.StatusNoContent)
	named := func() map[lock.CID]bool {
		all := map[lock.CID]bool{}
		d.gateway.Uploading(func(c lock.CID) { all[c] = true })
		return all
	}
	for range 2 {
		if all := named(); len(all) != len(o.CIDs) || !all[o.Root] {
			t.Errorf("%d blocks are named, want %d", len(all), len(o.CIDs))
		}
		d.stop()
		d.start()
	}
	d.clock.move(25 * time.Hour)
	gateway.Sweep(t.Context(), d.gateway)
	if all := named(); len(all) != 0 {
		t.Errorf("%d blocks are named after the upload was forgotten", len(all))
	}
	store, ok := d.store.(blob.Collector)
	if !ok {
		t.Fatal("the store can't collect")
	}
	d.clock.move(time.Hour)
	for _, c := range []struct {
		unused time.Duration
		want   int64
	}{{2 * time.Hour, 0}, {30 * time.Minute, int64(len(o.CIDs))}} {
		done, err := store.Collect(t.Context(), o.CIDs, d.clock.now().Add(-c.unused))
		if err != nil || done.Blocks != c.want {
			t.Errorf("collected %v of what was unused for %s, %v, want %d", done, c.unused, err, c.want)
		}
	}
}

// A clerk who is dismissed while uploading gets no further than the next acknowledgement.
func TestRevokedClerkEndsUploading(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) { c.Limits.CommitBytes = 2 << 20 })
	o := blobtest.NewObject(5, blobtest.Sizes(6<<20)...)
	body := stream(t, o)
	path := d.createUpload(len(body))
	writer, answer := d.pipeRequest(path, 0, int64(len(body)))
	if _, err := writer.Write(body[:1<<20]); err != nil {
		t.Fatal(err)
	}
	d.waitForWriter(path)
	clerk := d.people["clerk1"].address()
	d.node.change(func() { d.node.principals[clerk].Active = false })
	if _, err := writer.Write(body[1<<20:]); err != nil {
		t.Log(err)
	}
	r := <-answer
	if r.Response == nil || r.StatusCode != http.StatusUnauthorized {
		t.Errorf("answer %v, want %d", r.Response, http.StatusUnauthorized)
	}
	d.node.change(func() { d.node.principals[clerk].Active = true })
	d.people["clerk1"].token = ""
	if got, want := d.offset(path), boundaries(o)[3]; got != want {
		t.Errorf("the upload is at %d, want %d", got, want)
	}
}
