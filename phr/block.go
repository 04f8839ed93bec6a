package phr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/phrd/phrd/lock"
)

var octets = http.Header{"Content-Type": []string{"application/octet-stream"}}

// putBlock uploads a small block to the first gateway that answers.
func (c *Client) putBlock(ctx context.Context, cid lock.CID, block []byte) error {
	return c.try(ctx, func(ctx context.Context, d *door) error { return d.putBlock(ctx, cid, block) })
}

func (d *door) putBlock(ctx context.Context, cid lock.CID, block []byte) error {
	resp, err := d.request(ctx, http.MethodPut, "/blocks/"+cid.String(), octets, func() io.Reader { return bytes.NewReader(block) })
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// elsewhere tells whether another gateway may have what this one did not give: it did not answer, does not find it, or
// gave something else.
func elsewhere(err error) bool {
	return errors.Is(err, ErrUnreachable) || errors.Is(err, ErrCertificate) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrBlock)
}

// unlockBlock reads a small block that belongs to an unlock: the request key, the capsule, or for its approver an
// envelope.
func (c *Client) unlockBlock(ctx context.Context, unlock string, cid lock.CID) ([]byte, error) {
	var block []byte
	err := c.tryWhile(ctx, elsewhere, func(ctx context.Context, d *door) error {
		var err error
		block, err = d.block(ctx, "/blocks/"+cid.String()+"?unlock="+unlock, cid, maxSmallBlock)
		return err
	})
	return block, err
}

// versionSource reads the blocks of one version from whichever gateway has them; it is a [seal.Source].
type versionSource struct {
	client *Client
	ref    Ref
	unlock string // the unlock that allows it; empty for the owner and the custodian's clerks
}

// Get implements seal.Source. A block that is not the one named never leaves it.
func (s *versionSource) Get(ctx context.Context, cid lock.CID) ([]byte, error) {
	path := fmt.Sprintf("/records/%s/versions/%d/blocks/%s", s.ref.Record, s.ref.Version, cid)
	if s.unlock != "" {
		path += "?unlock=" + s.unlock
	}
	var block []byte
	err := s.client.tryWhile(ctx, elsewhere, func(ctx context.Context, d *door) error {
		var err error
		block, err = d.block(ctx, path, cid, maxBlock)
		return err
	})
	return block, err
}
