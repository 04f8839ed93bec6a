package keeper

import (
	"context"

	"github.com/cosmos/cosmos-sdk/types/query"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
)

// EmergencyTerms returns what a patient agreed to, and the vaults to which versions are sealed.
func (q queryServer) EmergencyTerms(ctx context.Context, req *access.QueryEmergencyTermsRequest) (*access.QueryEmergencyTermsResponse, error) {
	if _, err := lock.ParseCanonicalID(req.GetPatient()); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "patient: %v", err)
	}
	t, found, err := q.k.terms(ctx, req.Patient)
	if err != nil || !found {
		return &access.QueryEmergencyTermsResponse{}, err
	}
	res := &access.QueryEmergencyTermsResponse{Terms: &t}
	if !t.IsInForce() {
		return res, nil
	}
	if res.Vaults, err = q.k.emergencyVaults(ctx, t); err != nil {
		return nil, asStatus(err)
	}
	return res, nil
}

func answerOf(e access.Emergency, now int64) access.QueryEmergencyAccessResponse {
	return access.QueryEmergencyAccessResponse{Emergency: e, Status: e.Status(now), ReleaseAt: e.ReleaseAt(), ReviewDue: e.ReviewDue()}
}

// EmergencyAccess returns one emergency with its status.
func (q queryServer) EmergencyAccess(ctx context.Context, req *access.QueryEmergencyAccessRequest) (*access.QueryEmergencyAccessResponse, error) {
	e, err := q.k.Emergency(ctx, req.GetId())
	if err != nil {
		return nil, asStatus(err)
	}
	answer := answerOf(e, blockTime(ctx))
	return &answer, nil
}

// EmergencyAccesses lists emergencies, newest first.
func (q queryServer) EmergencyAccesses(ctx context.Context, req *access.QueryEmergencyAccessesRequest) (*access.QueryEmergencyAccessesResponse, error) {
	page, err := pageOf(req.GetPagination())
	if err != nil {
		return nil, err
	}
	now := blockTime(ctx)
	matches := func(a access.QueryEmergencyAccessResponse) bool {
		return (req.GetPatient() == "" || a.Emergency.Patient == req.Patient) && (req.GetRequester() == "" || a.Emergency.Requester == req.Requester) &&
			(req.GetStatus() == access.EMERGENCY_STATUS_UNSPECIFIED || a.Status == req.Status) && (!req.GetUnreviewed() || a.ReviewDue != 0)
	}
	list, next, err := query.CollectionFilteredPaginate(ctx, q.k.emergenciesBySequence, page,
		func(_ uint64, id []byte) (bool, error) {
			e, err := q.k.emergencies.Get(ctx, id)
			return err == nil && matches(answerOf(e, now)), err
		},
		func(_ uint64, id []byte) (access.QueryEmergencyAccessResponse, error) {
			e, err := q.k.emergencies.Get(ctx, id)
			return answerOf(e, now), err
		})
	if err != nil {
		return nil, asStatus(err)
	}
	return &access.QueryEmergencyAccessesResponse{Emergencies: list, Pagination: next}, nil
}
