package gateway_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/lock"
)

// give gives an upload the leaves of a version.
func (d *door) give(who, path, record, version string) reply {
	d.t.Helper()
	body, err := json.Marshal(map[string]string{"record": record, "version": version})
	if err != nil {
		d.t.Fatal(err)
	}
	return d.do(who, http.MethodPut, path+"/previous", headers{"Content-Type": "application/json"}, body)
}

// pick asks something about blocks of an upload.
func (d *door) pick(who, path, what string, blocks ...lock.CID) reply {
	d.t.Helper()
	var body []byte
	for _, c := range blocks {
		body = append(body, c[:]...)
	}
	return d.do(who, http.MethodPost, path+what, headers{"Content-Type": "application/octet-stream"}, body)
}

// held is the fixture's version in the custody of its hospital, with its leaves in order.
func (d *door) held() []lock.CID {
	d.t.Helper()
	d.node.versions[d.record][0].Header = &recordsv1.Header{Custodian: 1}
	tree, err := blob.ReadTree(d.t.Context(), d.store, d.object.Root, 1<<30)
	if err != nil {
		d.t.Fatal(err)
	}
	leaves := make([]lock.CID, len(tree.Leaves))
	for i, l := range tree.Leaves {
		leaves[i] = l.CID
	}
	return leaves
}

func (d *door) named() map[lock.CID]bool {
	all := map[lock.CID]bool{}
	d.gateway.Uploading(func(c lock.CID) { all[c] = true })
	return all
}

// The leaves of an earlier version count as the upload's: they are named while it is known, also after a restart, and the stream
// need not carry them. They can't be read there.
func TestUploadSharesLeavesOfAnEarlierVersion(t *testing.T) {
	d := newDoor(t)
	leaves := d.held()
	o := smallObject()
	body := stream(t, o)
	path := d.createUpload(len(body))
	if r := d.want(d.pick("clerk1", path, "/check", leaves...), http.StatusOK); len(r.body) != 0 {
		t.Errorf("%d bytes of leaves before any was given", len(r.body))
	}
	for range 2 { // as when the answer was lost
		d.want(d.give("clerk1", path, d.record, "1"), http.StatusNoContent)
	}
	d.want(d.patch(path, 0, body), http.StatusNoContent)
	for range 2 {
		if all := d.named(); len(all) != len(leaves)+len(o.CIDs) || !all[leaves[0]] {
			t.Errorf("%d blocks are named, want %d", len(all), len(leaves)+len(o.CIDs))
		}
		d.stop()
		d.start()
		d.people["clerk1"].token = ""
	}
	if at := d.offset(path); at != len(body) {
		t.Errorf("offset %d, want %d", at, len(body))
	}
	d.checkStored(path, o)
	want := bytes.Join([][]byte{leaves[0][:], leaves[1][:]}, nil)
	if r := d.want(d.pick("clerk1", path, "/check", leaves[0], o.Root, leaves[1]), http.StatusOK); !bytes.Equal(r.body, bytes.Join([][]byte{leaves[0][:], o.Root[:], leaves[1][:]}, nil)) {
		t.Errorf("checked %x", r.body)
	}
	d.want(d.do("clerk1", http.MethodGet, path+"/blocks/"+leaves[0].String(), nil, nil), http.StatusNotFound)
	d.want(d.pick("clerk1", path, "/read", leaves[0]), http.StatusNotFound)

	// What the disk has lost is not vouched for.
	if err := d.store.Erase(t.Context(), leaves[2:3], nil); err != nil {
		t.Fatal(err)
	}
	if r := d.want(d.pick("clerk1", path, "/check", leaves[:3]...), http.StatusOK); !bytes.Equal(r.body, want) {
		t.Errorf("checked %x, want %x", r.body, want)
	}
}

// A leaf that is gone when the version is named is not given, the others are; and without the tree nothing can be told.
func TestUploadSharesWhatIsThere(t *testing.T) {
	d := newDoor(t)
	leaves := d.held()
	if err := d.store.Erase(t.Context(), leaves[:1], nil); err != nil {
		t.Fatal(err)
	}
	path := d.createUpload(-1)
	d.want(d.give("clerk1", path, d.record, "1"), http.StatusNoContent)
	if all := d.named(); len(all) != len(leaves)-1 || all[leaves[0]] {
		t.Errorf("%d blocks are named, want %d", len(all), len(leaves)-1)
	}
	if err := d.store.Erase(t.Context(), []lock.CID{d.object.Root}, nil); err != nil {
		t.Fatal(err)
	}
	d.want(d.give("clerk1", d.createUpload(-1), d.record, "1"), http.StatusConflict)
}

func TestWhoSharesLeaves(t *testing.T) {
	d := newDoor(t)
	leaves := d.held()
	path := d.createUpload(-1)
	for _, who := range []string{"clerk2", "er", "alice", "officer1"} {
		d.want(d.give(who, path, d.record, "1"), http.StatusNotFound)
		d.want(d.pick(who, path, "/check", leaves[0]), http.StatusNotFound)
		d.want(d.pick(who, path, "/read", leaves[0]), http.StatusNotFound)
	}
	d.want(d.give("", path, d.record, "1"), http.StatusUnauthorized)
	for _, version := range []string{"", "0", "01", "2", "-1", "x"} {
		d.want(d.give("clerk1", path, d.record, version), http.StatusNotFound)
	}
	d.want(d.give("clerk1", path, newID(t), "1"), http.StatusNotFound)
	d.want(d.give("clerk1", path, strings.ToLower(d.record), "1"), http.StatusNotFound)
	version := d.node.versions[d.record][0]
	version.Header.Custodian = 2
	d.want(d.give("clerk1", path, d.record, "1"), http.StatusNotFound)
	version.Header.Custodian, version.Tombstone = 1, &recordsv1.Tombstone{Erasure: 1}
	d.want(d.give("clerk1", path, d.record, "1"), http.StatusGone)
	version.Tombstone = nil
	size := version.Size
	version.Size = 1 << 40
	d.want(d.give("clerk1", path, d.record, "1"), http.StatusRequestEntityTooLarge)
	version.Size = size
	if all := d.named(); len(all) != 0 {
		t.Errorf("%d blocks are named", len(all))
	}
	d.want(d.give("clerk1", path, d.record, "1"), http.StatusNoContent)
}

// Many blocks come back with one answer, in the order asked for; one that is lost is left out.
func TestUploadReadsManyBlocksBack(t *testing.T) {
	d := newDoor(t)
	o := blobtest.NewObject(5, 9000, 5000, 4096, 100)
	path := d.createUpload(-1)
	d.want(d.patch(path, 0, stream(t, o)), http.StatusNoContent)
	asked := []lock.CID{o.CIDs[2], o.CIDs[0], o.Root}
	read := func() (got []lock.CID) {
		parser := car.NewParser(func(c lock.CID, block []byte) error {
			if !bytes.Equal(block, o.Blocks[c]) {
				t.Errorf("block %s comes as other bytes", c)
			}
			got = append(got, c)
			return nil
		})
		r := d.want(d.pick("clerk1", path, "/read", asked...), http.StatusOK)
		if _, err := parser.Write(r.body); err != nil {
			t.Fatal(err)
		}
		if err := parser.Close(); err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := read(); len(got) != 3 || got[0] != asked[0] || got[1] != asked[1] || got[2] != asked[2] {
		t.Errorf("read %v, want %v", got, asked)
	}
	if err := d.store.Erase(t.Context(), asked[1:2], nil); err != nil {
		t.Fatal(err)
	}
	if got := read(); len(got) != 2 || got[0] != asked[0] || got[1] != asked[2] {
		t.Errorf("read %v without the lost one", got)
	}
	d.want(d.do("clerk1", http.MethodGet, path+"/blocks/"+asked[1].String(), nil, nil), http.StatusGone)
	d.want(d.pick("clerk1", path, "/read", asked[0], d.dataLeaf), http.StatusNotFound)
	d.want(d.pick("clerk1", path, "/read"), http.StatusBadRequest)
	d.want(d.pick("clerk1", path, "/read", make([]lock.CID, 1025)...), http.StatusRequestEntityTooLarge)
	d.want(d.pick("clerk1", path, "/check", make([]lock.CID, 129)...), http.StatusRequestEntityTooLarge)
	d.want(d.pick("clerk1", path, "/check", lock.CID{1}), http.StatusBadRequest)
	d.want(d.do("clerk1", http.MethodPost, path+"/check", headers{"Content-Type": "application/octet-stream"}, asked[0][:35]), http.StatusBadRequest)
	d.want(d.do("clerk1", http.MethodPost, path+"/check", headers{"Content-Type": "application/json"}, asked[0][:]), http.StatusUnsupportedMediaType)
}
