package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"github.com/cosmos/cosmos-sdk/types/query"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/records"
)

const defaultPageSize = 50

// queryServer answers the module's queries.
type queryServer struct{ k *Keeper }

var _ records.QueryServer = queryServer{}

// NewQueryServer answers the module's queries from committed state.
func NewQueryServer(k *Keeper) records.QueryServer { return queryServer{k} }

// Params returns the bounds.
func (q queryServer) Params(ctx context.Context, _ *records.QueryParamsRequest) (*records.QueryParamsResponse, error) {
	p, err := q.k.Params(ctx)
	if err != nil {
		return nil, asStatus(err)
	}
	return &records.QueryParamsResponse{Params: p}, nil
}

// Patient returns a patient by number.
func (q queryServer) Patient(ctx context.Context, req *records.QueryPatientRequest) (*records.QueryPatientResponse, error) {
	p, err := q.k.Patient(ctx, req.GetId())
	if err != nil {
		return nil, asStatus(err)
	}
	return &records.QueryPatientResponse{Patient: p}, nil
}

// PatientByAddress returns the patient of a wallet account.
func (q queryServer) PatientByAddress(ctx context.Context, req *records.QueryPatientByAddressRequest) (*records.QueryPatientByAddressResponse, error) {
	p, err := q.k.PatientByAddress(ctx, req.GetAddress())
	if err != nil {
		return nil, asStatus(err)
	}
	return &records.QueryPatientByAddressResponse{Patient: p}, nil
}

// Record returns a record.
func (q queryServer) Record(ctx context.Context, req *records.QueryRecordRequest) (*records.QueryRecordResponse, error) {
	r, err := q.k.Record(ctx, req.GetId())
	if err != nil {
		return nil, asStatus(err)
	}
	return &records.QueryRecordResponse{Record: r}, nil
}

// Records lists the records of a patient or of a custodian, in the order of their ids.
func (q queryServer) Records(ctx context.Context, req *records.QueryRecordsRequest) (*records.QueryRecordsResponse, error) {
	page, err := pageOf(req.GetPagination())
	if err != nil {
		return nil, err
	}
	var list []records.Record
	var next *query.PageResponse
	switch {
	case req.GetPatient() != "" && req.GetCustodian() == 0:
		patient, err := lock.ParseCanonicalID(req.Patient)
		if err != nil {
			return nil, asStatus(records.ErrInvalidID.Wrapf("patient: %v", err))
		}
		list, next, err = query.CollectionPaginate(ctx, q.k.recordsByPatient, page,
			func(key collections.Pair[[]byte, []byte], _ collections.NoValue) (records.Record, error) {
				return q.k.records.Get(ctx, key.K2())
			}, query.WithCollectionPaginationPairPrefix[[]byte, []byte](patient.Bytes()))
		if err != nil {
			return nil, asStatus(err)
		}
	case req.GetPatient() == "" && req.GetCustodian() != 0:
		list, next, err = query.CollectionPaginate(ctx, q.k.recordsByCustodian, page,
			func(key collections.Pair[uint64, []byte], _ collections.NoValue) (records.Record, error) {
				return q.k.records.Get(ctx, key.K2())
			}, query.WithCollectionPaginationPairPrefix[uint64, []byte](req.Custodian))
		if err != nil {
			return nil, asStatus(err)
		}
	default:
		return nil, status.Error(codes.InvalidArgument, "name a patient or a custodian, and only one of them")
	}
	return &records.QueryRecordsResponse{Records: list, Pagination: next}, nil
}

// Version returns one version; 0 asks for the newest.
func (q queryServer) Version(ctx context.Context, req *records.QueryVersionRequest) (*records.QueryVersionResponse, error) {
	v, err := q.k.Version(ctx, req.GetRecord(), req.GetVersion())
	if err != nil {
		return nil, asStatus(err)
	}
	return &records.QueryVersionResponse{Version: v}, nil
}

// Versions lists a record's versions from the first.
func (q queryServer) Versions(ctx context.Context, req *records.QueryVersionsRequest) (*records.QueryVersionsResponse, error) {
	page, err := pageOf(req.GetPagination())
	if err != nil {
		return nil, err
	}
	r, err := q.k.Record(ctx, req.GetRecord())
	if err != nil {
		return nil, asStatus(err)
	}
	id, err := lock.ParseCanonicalID(r.Id)
	if err != nil {
		return nil, asStatus(err)
	}
	list, next, err := query.CollectionPaginate(ctx, q.k.versions, page,
		func(_ versionKey, v records.Version) (records.Version, error) { return v, nil },
		query.WithCollectionPaginationPairPrefix[[]byte, uint64](id.Bytes()))
	if err != nil {
		return nil, asStatus(err)
	}
	return &records.QueryVersionsResponse{Versions: list, Pagination: next}, nil
}

// Reported returns the number of a member's last access report, 0 for none.
func (q queryServer) Reported(ctx context.Context, req *records.QueryReportedRequest) (*records.QueryReportedResponse, error) {
	number, err := q.k.lastReport(ctx, req.GetMember())
	if err != nil {
		return nil, asStatus(err)
	}
	return &records.QueryReportedResponse{Number: number}, nil
}

// pageOf bounds a page. Pages go on from a key: an offset or a count of all would
// make the node read what it does not return.
func pageOf(req *query.PageRequest) (*query.PageRequest, error) {
	if req == nil {
		return &query.PageRequest{Limit: defaultPageSize}, nil
	}
	if req.Offset != 0 || req.CountTotal {
		return nil, status.Error(codes.InvalidArgument, "pages go on from a key: offset and count_total are not served")
	}
	page := &query.PageRequest{Key: req.Key, Limit: req.Limit, Reverse: req.Reverse}
	if page.Limit == 0 {
		page.Limit = defaultPageSize
	}
	page.Limit = min(page.Limit, records.MaxPageSize)
	return page, nil
}

// asStatus gives an error the code by which a caller can tell it.
func asStatus(err error) error {
	switch {
	case errors.Is(err, records.ErrUnknownPatient), errors.Is(err, records.ErrUnknownRecord),
		errors.Is(err, records.ErrUnknownVersion), errors.Is(err, records.ErrNotErased), errors.Is(err, collections.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, records.ErrInvalidID):
		return status.Error(codes.InvalidArgument, err.Error())
	default:
		return status.Error(codes.Internal, err.Error())
	}
}
