package gateway

import (
	"context"

	querytypes "cosmossdk.io/api/cosmos/base/query/v1beta1"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
)

const (
	// pageSize is how many items a search reads at once.
	pageSize = 200
	// maxPages bounds a search. What lies further back does not count: 5,000 unlocks of one
	// owner or requester, the newest first, or 5,000 records of one patient.
	maxPages = 25
)

// pages calls read with the key of each page until it returns an empty key or an error, or
// until maxPages were read.
func pages(read func(page *querytypes.PageRequest) (next []byte, err error)) error {
	page := &querytypes.PageRequest{Limit: pageSize}
	for range maxPages {
		next, err := read(page)
		if err != nil || len(next) == 0 {
			return err
		}
		page = &querytypes.PageRequest{Key: next, Limit: pageSize}
	}
	return nil
}

// anyUnlock tells whether one of the unlocks of a list, the newest first, is as wanted.
func (s *scope) anyUnlock(ctx context.Context, list *accessv1.QueryUnlocksRequest, wanted func(*accessv1.Unlock) bool) (bool, error) {
	found := false
	err := pages(func(page *querytypes.PageRequest) ([]byte, error) {
		list.Pagination = page
		got, err := accessv1.NewQueryClient(s.node).Unlocks(ctx, list)
		if err != nil {
			return nil, err
		}
		for _, u := range got.GetUnlocks() {
			if wanted(u.GetUnlock()) {
				found = true
				return nil, nil
			}
		}
		return got.GetPagination().GetNextKey(), nil
	})
	return found, err
}

// anyVersion tells whether a version of one of a patient's records is as wanted.
func (s *scope) anyVersion(ctx context.Context, patient string, wanted func(*recordsv1.Version) bool) (bool, error) {
	records := recordsv1.NewQueryClient(s.node)
	found := false
	err := pages(func(page *querytypes.PageRequest) ([]byte, error) {
		got, err := records.Records(ctx, &recordsv1.QueryRecordsRequest{Patient: patient, Pagination: page})
		if err != nil {
			return nil, err
		}
		for _, r := range got.GetRecords() {
			err := pages(func(page *querytypes.PageRequest) ([]byte, error) {
				got, err := records.Versions(ctx, &recordsv1.QueryVersionsRequest{Record: r.GetId(), Pagination: page})
				if err != nil {
					return nil, err
				}
				for _, v := range got.GetVersions() {
					if wanted(v) {
						found = true
						return nil, nil
					}
				}
				return got.GetPagination().GetNextKey(), nil
			})
			if err != nil || found {
				return nil, err
			}
		}
		return got.GetPagination().GetNextKey(), nil
	})
	return found, err
}
