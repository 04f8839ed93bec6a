package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
)

const defaultPageSize = 50

// queryServer answers the module's queries.
type queryServer struct{ k *Keeper }

var _ access.QueryServer = queryServer{}

// NewQueryServer answers the module's queries from committed state.
func NewQueryServer(k *Keeper) access.QueryServer { return queryServer{k} }

// Params returns the bounds.
func (q queryServer) Params(ctx context.Context, _ *access.QueryParamsRequest) (*access.QueryParamsResponse, error) {
	p, err := q.k.Params(ctx)
	if err != nil {
		return nil, asStatus(err)
	}
	return &access.QueryParamsResponse{Params: p}, nil
}

// Unlock returns one unlock with its status.
func (q queryServer) Unlock(ctx context.Context, req *access.QueryUnlockRequest) (*access.QueryUnlockResponse, error) {
	u, err := q.k.Unlock(ctx, req.GetId())
	if err != nil {
		return nil, asStatus(err)
	}
	return &access.QueryUnlockResponse{Unlock: u, Status: u.Status(blockTime(ctx))}, nil
}

// Unlocks lists unlocks of one owner, requester or custodian, newest first.
func (q queryServer) Unlocks(ctx context.Context, req *access.QueryUnlocksRequest) (*access.QueryUnlocksResponse, error) {
	page, err := pageOf(req.GetPagination())
	if err != nil {
		return nil, err
	}
	var list []access.QueryUnlockResponse
	var next *query.PageResponse
	switch {
	case req.GetPatient() != "" && req.GetRequester() == "" && req.GetCustodian() == 0:
		var patient lock.ID
		if patient, err = lock.ParseCanonicalID(req.Patient); err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "patient: %v", err)
		}
		list, next, err = newest(ctx, q.k, q.k.unlocksByPatient, patient.Bytes(), req.Status, page)
	case req.GetPatient() == "" && req.GetRequester() != "" && req.GetCustodian() == 0:
		var requester sdk.AccAddress
		if requester, err = sdk.AccAddressFromBech32(req.Requester); err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "requester: %v", err)
		}
		list, next, err = newest(ctx, q.k, q.k.unlocksByRequester, []byte(requester), req.Status, page)
	case req.GetPatient() == "" && req.GetRequester() == "" && req.GetCustodian() != 0:
		list, next, err = newest(ctx, q.k, q.k.unlocksByCustodian, req.Custodian, req.Status, page)
	default:
		return nil, status.Error(codes.InvalidArgument, "name a patient, a requester or a custodian, and only one of them")
	}
	if err != nil {
		return nil, asStatus(err)
	}
	return &access.QueryUnlocksResponse{Unlocks: list, Pagination: next}, nil
}

// newest reads one page of an index whose keys begin with the prefix, newest
// first, and keeps the unlocks of the wanted status.
func newest[P any](
	ctx context.Context, k *Keeper, index collections.Map[collections.Pair[P, uint64], []byte], prefix P,
	wanted access.UnlockStatus, page *query.PageRequest,
) ([]access.QueryUnlockResponse, *query.PageResponse, error) {
	now := blockTime(ctx)
	read := func(id []byte) (access.QueryUnlockResponse, error) {
		u, err := k.unlocks.Get(ctx, id)
		return access.QueryUnlockResponse{Unlock: u, Status: u.Status(now)}, err
	}
	return query.CollectionFilteredPaginate(ctx, index, page,
		func(_ collections.Pair[P, uint64], id []byte) (bool, error) {
			if wanted == access.UNLOCK_STATUS_UNSPECIFIED {
				return true, nil
			}
			r, err := read(id)
			return r.Status == wanted, err
		},
		func(_ collections.Pair[P, uint64], id []byte) (access.QueryUnlockResponse, error) { return read(id) },
		query.WithCollectionPaginationPairPrefix[P, uint64](prefix))
}

// pageOf bounds a page and turns its order round, so that the newest comes first.
// Pages go on from a key: an offset or a count of all would make the node read
// what it does not return.
func pageOf(req *query.PageRequest) (*query.PageRequest, error) {
	if req == nil {
		return &query.PageRequest{Limit: defaultPageSize, Reverse: true}, nil
	}
	if req.Offset != 0 || req.CountTotal {
		return nil, status.Error(codes.InvalidArgument, "pages go on from a key: offset and count_total are not served")
	}
	page := &query.PageRequest{Key: req.Key, Limit: req.Limit, Reverse: !req.Reverse}
	if page.Limit == 0 {
		page.Limit = defaultPageSize
	}
	page.Limit = min(page.Limit, access.MaxPageSize)
	return page, nil
}

// asStatus gives an error the code by which a caller can tell it.
func asStatus(err error) error {
	switch {
	case errors.Is(err, access.ErrUnknownUnlock), errors.Is(err, access.ErrUnknownConsent), errors.Is(err, access.ErrUnknownEmergency),
		errors.Is(err, access.ErrUnknownGuardians), errors.Is(err, access.ErrUnknownRecovery), errors.Is(err, access.ErrUnknownHandOver),
		errors.Is(err, collections.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, access.ErrInvalidUnlock), errors.Is(err, access.ErrInvalidRecovery):
		return status.Error(codes.InvalidArgument, err.Error())
	default:
		return status.Error(codes.Internal, err.Error())
	}
}
