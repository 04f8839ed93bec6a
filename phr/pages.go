package phr

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/lock"
)

// maxPages is how many bundles of pages the chain lets the members accept at a time.
const maxPages = 8

// ServedPages is which pages for browsers the gateway of a hospital serves.
type ServedPages struct {
	// From is the gateway.
	From Door
	// Hash is the SHA-256 that the gateway says of them, in hex; empty where it serves none.
	Hash string
	// Accepted says that the members have voted for them.
	Accepted bool
	// Err is why the gateway does not say.
	Err error
}

// Pages asks the gateways of all hospitals which pages they serve, and the chain which of them the members have accepted. A gateway that lies
// about them can serve other pages than it says: whoever wants to know loads them and hashes what comes.
func (c *Client) Pages(ctx context.Context) ([]ServedPages, error) {
	accepted, err := c.acceptedPages(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.learn(ctx); err != nil {
		return nil, err
	}
	doors := slices.DeleteFunc(c.order(), func(d *door) bool { return d.hospital() == 0 })
	all := make([]ServedPages, len(doors))
	var group sync.WaitGroup
	for i, d := range doors {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, attemptTime)
			defer cancel()
			said, err := d.chain(ctx)
			all[i] = ServedPages{From: d.describe(), Hash: said.Pages, Err: err}
			all[i].Accepted = slices.ContainsFunc(accepted, func(hash []byte) bool { return hex.EncodeToString(hash) == said.Pages })
		})
	}
	group.Wait()
	slices.SortFunc(all, func(a, b ServedPages) int { return int(a.From.Hospital) - int(b.From.Hospital) })
	return all, nil
}

func (c *Client) acceptedPages(ctx context.Context) ([][]byte, error) {
	answer, err := consortiumv1.NewQueryClient(c).Params(ctx, &consortiumv1.QueryParamsRequest{})
	return answer.GetParams().GetPages(), err
}

// ProposePages asks the members to accept pages with this SHA-256, beside the newest of those that they accepted before, or alone. The error is
// lock.ErrField where they have accepted the same already, and those of a proposal.
func (c *Client) ProposePages(ctx context.Context, hash [32]byte, alone bool) (uint64, error) {
	answer, err := consortiumv1.NewQueryClient(c).Params(ctx, &consortiumv1.QueryParamsRequest{})
	if err != nil {
		return 0, err
	}
	params := answer.GetParams()
	accepted := slices.ContainsFunc(params.GetPages(), func(other []byte) bool { return bytes.Equal(other, hash[:]) })
	if accepted && (!alone || len(params.GetPages()) == 1) {
		return 0, fmt.Errorf("pages %x are accepted already: %w", hash, lock.ErrField)
	}
	if alone {
		params.Pages = nil
	}
	params.Pages = append(params.Pages[max(0, len(params.Pages)+1-maxPages):], hash[:])
	return c.ProposeToMembers(ctx, &consortiumv1.MsgUpdateParams{Authority: Authority(), Params: params})
}
