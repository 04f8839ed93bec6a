package phr

import (
	"context"
	"fmt"
	"iter"
	"slices"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
)

// MaxErased is how many versions are erased at once, at most.
const MaxErased = 64

// Erasure says what became of a wish to erase versions.
type Erasure struct {
	Receipt
	// Versions in the order in which they were signed.
	Versions []Ref
	// Request is the number under which an officer of the hospital that keeps the records is to approve; 0 where the versions
	// are erased.
	Request uint64
}

// Erase erases versions for good: as the patient who owns them, or as an officer of the hospital that does. All of them
// have one owner and are kept by one hospital. From then on no unlock names them, those that did are withdrawn, and every
// hospital deletes the ciphertext and attests it, see [Client.Certificate]. What somebody opened before stays seen, and
// nothing brings an erased version back. The error is ErrRef where the versions are none, too many, repeated or without
// a number, or *Refused.
func (c *Client) Erase(ctx context.Context, versions []Ref) (Erasure, error) {
	sorted := slices.SortedFunc(slices.Values(versions), Ref.Compare)
	if n := len(sorted); n < 1 || n > MaxErased {
		return Erasure{}, fmt.Errorf("%d versions, 1 to %d are erased at once: %w", n, MaxErased, ErrRef)
	}
	msg := &recordsv1.MsgEraseVersions{Owner: c.key.Address()}
	for i, ref := range sorted {
		if ref.Version == 0 || i > 0 && ref == sorted[i-1] {
			return Erasure{}, fmt.Errorf("%s: a version to be erased is named once and by its number: %w", ref, ErrRef)
		}
		msg.Versions = append(msg.Versions, ref.String())
	}
	var answer recordsv1.MsgEraseVersionsResponse
	receipt, err := c.send(ctx, c.amino, gasFor(len(sorted)), msg, &answer)
	return Erasure{Receipt: receipt, Versions: sorted, Request: answer.GetRequest()}, err
}

// ApproveErasure erases what an owner asked to have erased, as an officer of the hospital that keeps it. The error is
// *Refused where nothing waits under this number or the officer may not approve it.
func (c *Client) ApproveErasure(ctx context.Context, request uint64) (Receipt, error) {
	msg := &recordsv1.MsgApproveErasure{Officer: c.key.Address(), Request: request}
	return c.send(ctx, c.amino, gasFor(MaxErased), msg, &recordsv1.MsgApproveErasureResponse{})
}

// ErasureRequests lists the erasures that wait for an officer of a hospital.
func (c *Client) ErasureRequests(ctx context.Context, hospital uint64) iter.Seq2[*recordsv1.ErasureRequest, error] {
	return pages(ctx, func(ctx context.Context, page *queryv1.PageRequest) ([]*recordsv1.ErasureRequest, *queryv1.PageResponse, error) {
		answer, err := c.records().ErasureRequests(ctx, &recordsv1.QueryErasureRequestsRequest{Custodian: hospital, Pagination: page})
		return answer.GetRequests(), answer.GetPagination(), err
	})
}

// Certificate tells who attested that an erased version is gone, and what remains. The error is ErrNotErased for a version
// that is kept.
func (c *Client) Certificate(ctx context.Context, ref Ref) (*recordsv1.ErasureCertificate, error) {
	v, err := c.Version(ctx, ref)
	if err != nil {
		return nil, err
	}
	if v.GetTombstone() == nil {
		return nil, fmt.Errorf("%s/%d: %w", ref.Record, v.GetVersion(), ErrNotErased)
	}
	answer, err := c.records().ErasureCertificate(ctx, &recordsv1.QueryErasureCertificateRequest{Record: v.GetRecord(), Version: v.GetVersion()})
	return answer.GetCertificate(), err
}

// WaitForAttestations waits until every hospital that is to attest an erasure and has not left has done so, and returns
// the certificate. When the context ends first the error is ErrNotAttested, and the certificate is the last one.
func (c *Client) WaitForAttestations(ctx context.Context, ref Ref) (*recordsv1.ErasureCertificate, error) {
	var last *recordsv1.ErasureCertificate
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		now, err := c.Certificate(ctx, ref)
		if err != nil {
			return false, err
		}
		last = now
		return now.GetMissing() == 0, nil
	})
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%d missing: %w: %w", last.GetMissing(), err, ErrNotAttested)
	}
	return last, err
}
