package phr

import (
	"context"
	"iter"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
)

func (c *Client) records() recordsv1.QueryClient { return recordsv1.NewQueryClient(c) }

// Records lists the records of a patient, by number.
func (c *Client) Records(ctx context.Context, patient string) iter.Seq2[*recordsv1.Record, error] {
	return c.listRecords(ctx, &recordsv1.QueryRecordsRequest{Patient: patient})
}

// RecordsOf lists the records that a hospital keeps, its own and its patients'.
func (c *Client) RecordsOf(ctx context.Context, hospital uint64) iter.Seq2[*recordsv1.Record, error] {
	return c.listRecords(ctx, &recordsv1.QueryRecordsRequest{Custodian: hospital})
}

func (c *Client) listRecords(ctx context.Context, filter *recordsv1.QueryRecordsRequest) iter.Seq2[*recordsv1.Record, error] {
	return pages(ctx, func(ctx context.Context, page *queryv1.PageRequest) ([]*recordsv1.Record, *queryv1.PageResponse, error) {
		filter.Pagination = page
		answer, err := c.records().Records(ctx, filter)
		return answer.GetRecords(), answer.GetPagination(), err
	})
}

// Record is a record by id.
func (c *Client) Record(ctx context.Context, id lock.ID) (*recordsv1.Record, error) {
	answer, err := c.records().Record(ctx, &recordsv1.QueryRecordRequest{Id: id.String()})
	return answer.GetRecord(), err
}

// Version is one version of a record, the newest where the ref's version is 0.
func (c *Client) Version(ctx context.Context, ref Ref) (*recordsv1.Version, error) {
	answer, err := c.records().Version(ctx, &recordsv1.QueryVersionRequest{Record: ref.Record.String(), Version: ref.Version})
	return answer.GetVersion(), err
}

// History lists the versions of a record from the first one on.
func (c *Client) History(ctx context.Context, id lock.ID) iter.Seq2[*recordsv1.Version, error] {
	return pages(ctx, func(ctx context.Context, page *queryv1.PageRequest) ([]*recordsv1.Version, *queryv1.PageResponse, error) {
		answer, err := c.records().Versions(ctx, &recordsv1.QueryVersionsRequest{Record: id.String(), Pagination: page})
		return answer.GetVersions(), answer.GetPagination(), err
	})
}
