package phr

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/lock"
)

// MovedObject is an object that went out of a hospital's store or came into it.
type MovedObject struct {
	// Object is its root.
	Object lock.CID
	// Blocks, and the Bytes of all of them, those of the envelope included.
	Blocks int
	Bytes  uint64
}

// carType is the media type of a CAR.
const carType = "application/vnd.ipld.car"

// ExportObject writes an object, which is ciphertext, and its envelope to w as a CAR whose first
// root is the object. Every block is checked before it is written; nil says that w has all of it.
// Only administrators of the gateway's hospital may, and the log shows it as a reading.
func (c *Client) ExportObject(ctx context.Context, object lock.CID, w io.Writer) (MovedObject, error) {
	answer, err := storagev1.NewQueryClient(c).Object(ctx, &storagev1.QueryObjectRequest{Cid: object.String()})
	if err != nil {
		return MovedObject{}, err
	}
	home := c.configured()
	header := http.Header{"Accept": {carType}}
	resp, err := home.request(ctx, http.MethodGet, "/objects/"+object.String()+"?attached=true", header, nil)
	if err != nil {
		return MovedObject{}, err
	}
	defer resp.Body.Close()
	var arrival *blob.Arrival
	parser := car.NewObjectParser(func(roots []lock.CID) error {
		if roots[0] != object {
			return fmt.Errorf("object %s came in the place of %s: %w", roots[0], object, blob.ErrShape)
		}
		arrival = blob.NewArrival(object, roots[1:], blob.Budget(answer.GetObject().GetSize()))
		return nil
	}, func(c lock.CID, block []byte) error { return arrival.Take(c, block) })
	if _, err := io.Copy(io.MultiWriter(parser, w), resp.Body); err != nil {
		return MovedObject{}, fmt.Errorf("gateway %s: object %s: %w", home.base, object, err)
	}
	if err := parser.Close(); err != nil {
		return MovedObject{}, fmt.Errorf("gateway %s: object %s: %w: %w", home.base, object, err, ErrBlock)
	}
	if n := arrival.Missing(); n > 0 {
		return MovedObject{}, fmt.Errorf("gateway %s: object %s: %d blocks did not come: %w", home.base, object, n, ErrBlock)
	}
	blocks, bytes := arrival.Came()
	return MovedObject{Object: object, Blocks: blocks, Bytes: bytes}, nil
}

// ImportObject brings a CAR of size bytes, such as ExportObject writes, into the store of the
// hospital whose gateway it is. open gives its bytes from the start, and may be called twice. The
// chain must know the object; what the hospital is to hold of it is confirmed without the network
// then. Only administrators may.
func (c *Client) ImportObject(ctx context.Context, size int64, open func() io.Reader) (MovedObject, error) {
	home := c.configured()
	header := http.Header{"Content-Type": {carType}}
	resp, err := home.request(ctx, http.MethodPost, "/objects", header, func() io.Reader { return sized{open(), size} })
	if err != nil {
		return MovedObject{}, err
	}
	defer resp.Body.Close()
	var answer struct {
		Object string `json:"object"`
		Blocks int    `json:"blocks"`
		Bytes  uint64 `json:"bytes"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&answer); err != nil {
		return MovedObject{}, fmt.Errorf("gateway %s: it answers no JSON: %w: %w", home.base, err, ErrUnreachable)
	}
	object, err := lock.ParseDagCID(answer.Object)
	if err != nil {
		return MovedObject{}, fmt.Errorf("gateway %s: it names no object: %w", home.base, err)
	}
	return MovedObject{Object: object, Blocks: answer.Blocks, Bytes: answer.Bytes}, nil
}

// sized is a reader that knows how much it gives.
type sized struct {
	io.Reader
	size int64
}

// Len is what [door.request] asks.
func (s sized) Len() int { return int(s.size) }
