package phr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

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

// smallBlock reads a small block from whichever gateway has it; query says why the account may have it, empty where it is the
// account's own.
func (c *Client) smallBlock(ctx context.Context, cid lock.CID, query url.Values) ([]byte, error) {
	path := "/blocks/" + cid.String()
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	var block []byte
	err := c.tryWhile(ctx, elsewhere, func(ctx context.Context, d *door) error {
		var err error
		block, err = d.block(ctx, path, cid, maxSmallBlock)
		return err
	})
	return block, err
}

// unlockBlock reads a small block that belongs to an unlock: the request key, the capsule, or for its approver an
// envelope.
func (c *Client) unlockBlock(ctx context.Context, unlock string, cid lock.CID) ([]byte, error) {
	return c.smallBlock(ctx, cid, url.Values{"unlock": {unlock}})
}

// ownEnvelope reads the envelope of a version that the account owns, or the one that waits for its confirmation, to seal it anew.
func (c *Client) ownEnvelope(ctx context.Context, ref Ref, cid lock.CID) ([]byte, error) {
	return c.smallBlock(ctx, cid, url.Values{"version": {ref.String()}})
}

// putBlocks uploads small blocks to one gateway, the first that takes all of them, reads them back, and returns the hospital whose
// gateway it is.
func (c *Client) putBlocks(ctx context.Context, blocks map[lock.CID][]byte) (uint64, error) {
	var hospital uint64
	err := c.try(ctx, func(ctx context.Context, d *door) error {
		for cid, block := range blocks {
			if err := d.putBlock(ctx, cid, block); err != nil {
				return err
			}
			if _, err := d.block(ctx, "/blocks/"+cid.String(), cid, maxSmallBlock); err != nil {
				return fmt.Errorf("%w: %w", err, ErrReadBack)
			}
		}
		hospital = d.hospital()
		return nil
	})
	if err == nil && hospital == 0 {
		err = fmt.Errorf("the gateway does not say whose it is: %w", ErrUnreachable)
	}
	return hospital, err
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
