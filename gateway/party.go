package gateway

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
)

// maxRemembered is how many facts of one kind are remembered.
const maxRemembered = 4096

// remembered are facts of the chain that never change, by id.
type remembered[T any] struct {
	mu sync.Mutex
	by map[string]T
}

func (r *remembered[T]) find(id string) (fact T, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fact, ok = r.by[id]
	return fact, ok
}

func (r *remembered[T]) keep(id string, fact T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil || len(r.by) >= maxRemembered {
		r.by = map[string]T{}
	}
	r.by[id] = fact
}

// partiesOf returns those whom an unlock concerns. What is no unlock, as that of a recovery, concerns nobody, and is not remembered, for it
// may come to be one.
func (s *scope) partiesOf(ctx context.Context, id string) (*accessv1.Unlock, error) {
	if u, ok := s.parties.find(id); ok {
		return u, nil
	}
	u, err := s.unlock(plain(ctx), id)
	if errors.Is(err, errUnknown) {
		return &accessv1.Unlock{}, nil
	}
	if err != nil {
		return nil, err
	}
	u = &accessv1.Unlock{Requester: u.GetRequester(), Patient: u.GetPatient(), Custodian: u.GetCustodian(), Hospital: u.GetHospital()}
	s.parties.keep(id, u)
	return u, nil
}

// isPartyOf tells whether an unlock is the caller's business.
func (s *scope) isPartyOf(ctx context.Context, c caller, id string) (bool, error) {
	u, err := s.partiesOf(ctx, id)
	return err == nil && isParty(c, u), err
}

// custodianOf returns the hospital in whose custody a record is, 0 where there is no such record yet.
func (s *scope) custodianOf(ctx context.Context, record string) (uint64, error) {
	if hospital, ok := s.custodians.find(record); ok {
		return hospital, nil
	}
	got, err := recordsv1.NewQueryClient(s.node).Record(plain(ctx), &recordsv1.QueryRecordRequest{Id: record})
	if status.Code(err) == codes.NotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	s.custodians.keep(record, got.GetRecord().GetCustodian())
	return got.GetRecord().GetCustodian(), nil
}
