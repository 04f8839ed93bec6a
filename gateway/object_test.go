package gateway_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	carv2 "github.com/ipld/go-car/v2"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/lock"
)

const carType = "application/vnd.ipld.car"

// newMover is a door with an administrator of its hospital, at which the scan has an envelope.
func newMover(t *testing.T, options ...option) *door {
	t.Helper()
	d := prepareDoor(t, options...)
	d.newPerson("admin1", consortiumv1.Role_ROLE_ADMIN, 1, "")
	d.node.objects[d.object.Root.String()].Attached = []string{d.envelope.String()}
	d.start()
	return d
}

func (d *door) objectPath() string { return "/objects/" + d.object.Root.String() }

// file is the CAR of the scan with its envelope.
func (d *door) file() []byte {
	d.t.Helper()
	return carOf(d.t, []lock.CID{d.object.Root, d.envelope}, d.blocks())
}

// part is one block of a CAR.
type part struct {
	cid   lock.CID
	block []byte
}

// blocks are those of the scan from the top, and its envelope.
func (d *door) blocks() []part {
	parts := []part{{d.object.Root, d.object.Blocks[d.object.Root]}}
	for _, c := range d.object.CIDs[:len(d.object.CIDs)-1] {
		parts = append(parts, part{c, d.object.Blocks[c]})
	}
	return append(parts, part{d.envelope, []byte("envelope")})
}

func carOf(t *testing.T, roots []lock.CID, parts []part) []byte {
	t.Helper()
	var file bytes.Buffer
	if _, err := car.NewObjectWriter(&file, roots[0], roots[1:]...); err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		file.Write(car.AppendPrefix(nil, p.cid, len(p.block)))
		file.Write(p.block)
	}
	return file.Bytes()
}

func (d *door) bring(who string, file []byte) reply {
	d.t.Helper()
	return d.do(who, http.MethodPost, "/objects", headers{"Content-Type": carType}, file)
}

func TestObjectsGoOutAsCAR(t *testing.T) {
	d := newMover(t)
	r := d.want(d.do("admin1", http.MethodGet, d.objectPath()+"?format=car&attached=true", nil, nil), http.StatusOK)
	if got := r.Header.Get("Content-Type"); got != carType+"; version=1; order=dfs; dups=n" {
		t.Errorf("Content-Type %q", got)
	}
	if !bytes.Equal(r.body, d.file()) {
		t.Errorf("%d bytes, want the %d of the object depth first and its envelope", len(r.body), len(d.file()))
	}
	var total uint64
	for _, p := range d.blocks() {
		total += uint64(len(p.block))
	}
	// As a trustless gateway it sends the object alone.
	for _, accept := range []headers{{"Accept": carType}, {"Accept": carType + ";version=1;order=dfs;dups=y"}, {"Accept": "text/html, */*;q=0.1"}, nil} {
		r := d.want(d.do("admin1", http.MethodGet, d.objectPath(), accept, nil), http.StatusOK)
		reader, err := carv2.NewBlockReader(bytes.NewReader(r.body))
		if err != nil || len(reader.Roots) != 1 || reader.Roots[0].String() != d.object.Root.String() {
			t.Fatalf("roots %v, %v", reader.Roots, err)
		}
		for range d.object.CIDs {
			if _, err := reader.Next(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := reader.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("behind the object: %v", err)
		}
	}
	if r := d.want(d.do("admin1", http.MethodHead, d.objectPath(), nil, nil), http.StatusOK); r.Header.Get("ETag") == "" {
		t.Error("HEAD without an ETag")
	}
	// To the chain it is a reading.
	got := d.reports(1)
	want := 5*total - 4*uint64(len("envelope"))
	if got[0].GetReader() != d.people["admin1"].address() || got[0].GetRecord() != d.record || got[0].GetLength() > want || got[0].GetLength() < total-8 {
		t.Errorf("report %v", got[0])
	}
}

// A large object has several levels.
func TestDeepObjectGoesOut(t *testing.T) {
	d := newMover(t)
	deep := blobtest.NewObject(8, blobtest.Sizes(175<<20)...)
	if err := deep.Put(t.Context(), d.store); err != nil {
		t.Fatal(err)
	}
	d.node.change(func() {
		d.node.versions[d.record] = []*recordsv1.Version{{Record: d.record, Version: 1, Object: deep.Root.String(), Size: 175 << 20}}
		d.node.objects[deep.Root.String()] = &storagev1.Object{Cid: deep.Root.String(), Size: 175 << 20}
	})
	r := d.want(d.do("admin1", http.MethodGet, "/objects/"+deep.Root.String(), nil, nil), http.StatusOK)
	arrival := blob.NewArrival(deep.Root, nil, deep.Bytes)
	leaf := 0
	p := car.NewObjectParser(func([]lock.CID) error { return nil }, func(c lock.CID, block []byte) error {
		if c.IsRaw() {
			if c != deep.CIDs[leaf] {
				t.Errorf("leaf %d is out of order", leaf)
			}
			leaf++
		}
		return arrival.Take(c, block)
	})
	if _, err := p.Write(r.body); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil || arrival.Missing() != 0 || leaf != 175 {
		t.Errorf("%d blocks are missing, %d leaves, %v", arrival.Missing(), leaf, err)
	}
}

func TestWhoMovesObjects(t *testing.T) {
	d := newMover(t)
	for _, who := range everyone {
		d.want(d.do(who, http.MethodGet, d.objectPath(), nil, nil), http.StatusForbidden)
		d.want(d.bring(who, d.file()), http.StatusForbidden)
	}
	d.want(d.do("", http.MethodGet, d.objectPath(), nil, nil), http.StatusUnauthorized)
	d.want(d.bring("", d.file()), http.StatusUnauthorized)
	for path, status := range map[string]int{
		"/objects/x":                         http.StatusNotFound,
		"/objects/" + d.envelope.String():    http.StatusNotFound,
		d.objectPath() + "?format=raw":       http.StatusNotAcceptable,
		d.objectPath() + "?dag-scope=block":  http.StatusBadRequest,
		d.objectPath() + "?entity-bytes=0:9": http.StatusBadRequest,
	} {
		d.want(d.do("admin1", http.MethodGet, path, nil, nil), status)
	}
	for _, accept := range []string{"application/vnd.ipld.raw", carType + ";version=2", carType + ";order=bfs", "x/"} {
		d.want(d.do("admin1", http.MethodGet, d.objectPath(), headers{"Accept": accept}, nil), http.StatusNotAcceptable)
	}
	d.node.change(func() { d.node.versions[d.record][0].Tombstone = &recordsv1.Tombstone{} })
	d.want(d.do("admin1", http.MethodGet, d.objectPath(), nil, nil), http.StatusGone)
	d.want(d.bring("admin1", d.file()), http.StatusGone)
}

// What others hold goes out from here too; what nobody has does not look like an object.
func TestObjectsOfOtherHospitalsGoOut(t *testing.T) {
	d := newMover(t, func(c *gateway.Config) { c.Store = memory.New() })
	d.want(d.do("admin1", http.MethodGet, d.objectPath(), nil, nil), http.StatusServiceUnavailable)
	for c, b := range d.object.Blocks {
		d.fetcher.blocks[c] = b
	}
	r := d.want(d.do("admin1", http.MethodGet, d.objectPath()+"?attached=true", nil, nil), http.StatusOK)
	if !bytes.Equal(r.body, d.file()) {
		t.Error("another file")
	}
	d.fetcher.mu.Lock()
	delete(d.fetcher.blocks, d.dataLeaf)
	d.fetcher.mu.Unlock()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+d.objectPath(), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+d.token("admin1"))
	response, err := d.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("a file of %d bytes that lacks a leaf ends like a whole one", len(got))
	}
}

func TestObjectsComeAsCAR(t *testing.T) {
	here := memory.New()
	var brought []lock.CID
	d := newMover(t, func(c *gateway.Config) {
		c.Store, c.Fetcher, c.Brought = here, nil, func(object lock.CID) { brought = append(brought, object) }
	})
	r := d.want(d.bring("admin1", d.file()), http.StatusCreated)
	if !slices.Equal(brought, []lock.CID{d.object.Root}) {
		t.Errorf("told of %v", brought)
	}
	var answer struct {
		Object        string
		Blocks, Bytes uint64
	}
	r.json(t, &answer)
	if answer.Object != d.object.Root.String() || answer.Blocks != uint64(len(d.object.CIDs))+1 || answer.Bytes != d.object.Bytes+8 {
		t.Errorf("%+v", answer)
	}
	if err := blob.Verify(t.Context(), here, d.object.Root, d.object.Bytes); err != nil {
		t.Error(err)
	}
	if got, err := here.Get(t.Context(), d.envelope); err != nil || string(got) != "envelope" {
		t.Errorf("the envelope is %q, %v", got, err)
	}
	d.want(d.bring("admin1", d.file()), http.StatusCreated) // again
	// All blocks of one level may come before those of the next one, and the envelope first.
	parts := d.blocks()
	last := len(parts) - 1
	d.want(d.bring("admin1", carOf(t, []lock.CID{d.object.Root, d.envelope}, append([]part{parts[last]}, parts[:last]...))), http.StatusCreated)
	d.want(d.bring("admin1", carOf(t, []lock.CID{d.object.Root}, parts[:last])), http.StatusCreated)
	// What came is served.
	if r := d.want(d.do("alice", http.MethodGet, d.contentPath(), nil, nil), http.StatusOK); !bytes.Equal(r.body, d.content) {
		t.Error("other content")
	}
}

func TestHostileCARs(t *testing.T) {
	here := memory.New()
	var brought []lock.CID
	d := newMover(t, func(c *gateway.Config) {
		c.Store, c.Fetcher, c.Brought = here, nil, func(object lock.CID) { brought = append(brought, object) }
	})
	other := blobtest.NewObject(99, 5000)
	roots := []lock.CID{d.object.Root, d.envelope}
	parts := d.blocks()
	last := len(parts) - 1
	good := d.file()
	replaced := func(at int, p part) []part {
		list := slices.Clone(parts)
		list[at] = p
		return list
	}
	flat := blobtest.NewObject(50, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100)
	d.node.change(func() {
		d.node.versions[d.bob] = []*recordsv1.Version{{Record: d.bob, Version: 1, Object: flat.Root.String(), Size: 1 << 20}}
		d.node.objects[flat.Root.String()] = &storagev1.Object{Cid: flat.Root.String(), Size: 1 << 20}
	})
	var flatParts []part
	for _, c := range append([]lock.CID{flat.Root}, flat.CIDs[:10]...) {
		flatParts = append(flatParts, part{c, flat.Blocks[c]})
	}
	identity := binary.AppendUvarint(nil, 4+3)
	identity = append(identity, "\x01\x55\x00\x00abc"...)
	version0 := binary.AppendUvarint(nil, 34+3)
	version0 = append(append(version0, "\x12\x20"...), make([]byte, 32+3)...)
	swapped := slices.Clone(parts)
	swapped[0], swapped[1] = swapped[1], swapped[0]
	for _, c := range []struct {
		name   string
		file   []byte
		status int
	}{
		{"nothing", nil, http.StatusUnprocessableEntity},
		{"no CAR", []byte("PK\x03\x04 not a CAR at all, but long enough to be one"), http.StatusUnprocessableEntity},
		{"the header alone", carOf(t, roots, nil), http.StatusUnprocessableEntity},
		{"another object as root", carOf(t, []lock.CID{other.Root}, parts), http.StatusNotFound},
		{"a leaf as root", carOf(t, []lock.CID{d.dataLeaf}, parts), http.StatusUnprocessableEntity},
		{"a root that does not belong to it", carOf(t, []lock.CID{d.object.Root, d.vault}, parts), http.StatusUnprocessableEntity},
		{"a root twice", carOf(t, []lock.CID{d.object.Root, d.envelope, d.envelope}, parts), http.StatusUnprocessableEntity},
		{"other bytes", carOf(t, roots, replaced(1, part{parts[1].cid, other.Blocks[other.CIDs[0]]})), http.StatusUnprocessableEntity},
		{"a block of another object", carOf(t, roots, replaced(last, part{other.CIDs[0], other.Blocks[other.CIDs[0]]})), http.StatusUnprocessableEntity},
		{"a leaf before its node", carOf(t, roots, swapped), http.StatusUnprocessableEntity},
		{"a block twice", carOf(t, roots, append(slices.Clone(parts), parts[1])), http.StatusUnprocessableEntity},
		{"one block too few", carOf(t, roots, parts[:last]), http.StatusUnprocessableEntity},
		{"cut in a block", good[:len(good)-3], http.StatusUnprocessableEntity},
		{"trailing bytes", append(slices.Clone(good), 0), http.StatusUnprocessableEntity},
		{"a trailing byte that begins a section", append(slices.Clone(good), 0x30), http.StatusUnprocessableEntity},
		{"an identity CID", append(carOf(t, roots, nil), identity...), http.StatusUnprocessableEntity},
		{"a CID of version 0", append(carOf(t, roots, nil), version0...), http.StatusUnprocessableEntity},
		{"a huge section", append(carOf(t, roots, nil), 0xff, 0xff, 0xff, 0xff, 0x7f), http.StatusUnprocessableEntity},
		{"an object of another shape", carOf(t, []lock.CID{flat.Root}, flatParts), http.StatusUnprocessableEntity},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.t = t
			r := d.want(d.bring("admin1", c.file), c.status)
			if strings.Contains(string(r.body), "must not get out") {
				t.Errorf("it tells too much: %s", r.body)
			}
			for _, id := range []lock.CID{other.Root, other.CIDs[0], d.vault} {
				if err := blobtest.Lacks(t.Context(), here, id); err != nil {
					t.Errorf("block %s is kept: %v", id, err)
				}
			}
			if len(brought) > 0 {
				t.Errorf("told of %v", brought)
			}
		})
	}
	d.t = t
	d.want(d.do("admin1", http.MethodPost, "/objects", headers{"Content-Type": "application/octet-stream"}, good), http.StatusUnsupportedMediaType)
	d.want(d.bring("admin1", good), http.StatusCreated)
}

func TestFullDiskTakesNoObject(t *testing.T) {
	for want, err := range map[int]error{
		http.StatusInsufficientStorage: blob.ErrFull, http.StatusServiceUnavailable: blob.ErrFailed, http.StatusGone: blob.ErrErased,
	} {
		d := newMover(t, func(c *gateway.Config) { c.Store = failingStore{c.Store, err} })
		d.want(d.bring("admin1", d.file()), want)
	}
}
