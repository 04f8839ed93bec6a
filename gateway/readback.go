package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/lock"
)

const (
	// maxRead is how many blocks of an upload one request reads back, and maxChecked how many it
	// has checked.
	maxRead    = 1024
	maxChecked = 128
)

// pickedBlocks reads the blocks that a request about an upload names: their CIDs in binary, one
// behind the other.
func (g *Gateway) pickedBlocks(w http.ResponseWriter, r *http.Request, c caller, most int) (*upload, []lock.CID, error) {
	x, err := g.uploads.find(r.PathValue("id"), c.address)
	if err != nil {
		return nil, nil, err
	}
	if err := checkType(r, "application/octet-stream"); err != nil {
		return nil, nil, err
	}
	size := len(lock.CID{})
	body, err := readBody(w, r, int64(most*size))
	if err != nil {
		return nil, nil, err
	}
	if len(body) == 0 || len(body)%size != 0 {
		return nil, nil, refuse(http.StatusBadRequest, "the body is not a list of CIDs of %d bytes", size)
	}
	var list []lock.CID
	for ; len(body) > 0; body = body[size:] {
		id, err := lock.CIDFromBytes(body[:size])
		if err != nil {
			return nil, nil, refuse(http.StatusBadRequest, "the body is not a list of CIDs: %v", err)
		}
		list = append(list, id)
	}
	x.touch(g.config.Now())
	return x, list, nil
}

// cold reads from the disk itself where the store can.
func (g *Gateway) cold() blob.Getter {
	if reader, ok := g.config.Store.(blob.ColdReader); ok {
		return reader.Cold()
	}
	return g.config.Store
}

// serveUploadRead reads blocks of the stream back from the disk, as a CAR, for who uploaded
// them: many small objects in one answer. A block that can't be read is left out; asked for by
// itself the gateway says why.
func (g *Gateway) serveUploadRead(w http.ResponseWriter, r *http.Request, c caller) error {
	x, list, err := g.pickedBlocks(w, r, c, maxRead)
	if err != nil {
		return err
	}
	for _, id := range list {
		if !x.holds(id) {
			return notFound()
		}
	}
	end, err := g.beginTransfer(c)
	if err != nil {
		return err
	}
	defer end()
	w.Header().Set("Content-Type", carType)
	w.Header().Set("Cache-Control", "no-store")
	rc := http.NewResponseController(w)
	if err := rc.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	stream, err := car.NewWriter(&contentWriter{ResponseWriter: w, rc: rc, stall: g.config.Limits.Stall})
	if err != nil {
		return err
	}
	for _, id := range list {
		block, err := g.cold().Get(r.Context(), id)
		if errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrCorrupt) {
			continue
		}
		if err != nil {
			return err
		}
		if err := stream.Put(id, block); err != nil {
			return err
		}
	}
	return nil
}

// serveUploadCheck reads blocks that an upload has or shares from the disk, hashes them, and
// answers the CIDs of those that are whole, one behind the other in binary.
func (g *Gateway) serveUploadCheck(w http.ResponseWriter, r *http.Request, c caller) error {
	x, list, err := g.pickedBlocks(w, r, c, maxChecked)
	if err != nil {
		return err
	}
	end, err := g.beginTransfer(c)
	if err != nil {
		return err
	}
	defer end()
	var whole []byte
	for _, id := range list {
		if !x.holds(id) && !x.shares(id) {
			continue
		}
		ok, err := g.isWhole(r.Context(), id)
		if err != nil {
			return err
		}
		if ok {
			whole = append(whole, id[:]...)
		}
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	_, err = w.Write(whole)
	return err
}

// isWhole tells whether the disk has a block that hashes to its name.
func (g *Gateway) isWhole(ctx context.Context, id lock.CID) (bool, error) {
	_, err := g.cold().Get(ctx, id)
	if errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrCorrupt) {
		return false, nil
	}
	return err == nil, err
}
