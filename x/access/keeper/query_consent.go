package keeper

import (
	"bytes"
	"context"
	"slices"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/records"
)

// Consent returns one consent with its status.
func (q queryServer) Consent(ctx context.Context, req *access.QueryConsentRequest) (*access.QueryConsentResponse, error) {
	c, err := q.k.Consent(ctx, req.GetNumber())
	if err != nil {
		return nil, asStatus(err)
	}
	return &access.QueryConsentResponse{Consent: c, Status: c.Status(blockTime(ctx))}, nil
}

// Consents lists consents of one patient, or to one clinician, one ward or one hospital, newest first.
func (q queryServer) Consents(ctx context.Context, req *access.QueryConsentsRequest) (*access.QueryConsentsResponse, error) {
	page, err := pageOf(req.GetPagination())
	if err != nil {
		return nil, err
	}
	index := q.k.consentsByGrantee
	var prefix []byte
	switch named := [3]bool{req.GetPatient() != "", req.GetStaff() != "", req.GetHospital() != 0}; named {
	case [3]bool{true, false, false}:
		patient, err := lock.ParseCanonicalID(req.Patient)
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "patient: %v", err)
		}
		index, prefix = q.k.consentsByPatient, patient.Bytes()
	case [3]bool{false, true, false}:
		staff, err := sdk.AccAddressFromBech32(req.Staff)
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "staff: %v", err)
		}
		prefix = access.StaffKey(staff)
	case [3]bool{false, false, true}:
		prefix = access.HospitalKey(req.Hospital, req.Ward)
	default:
		return nil, status.Error(codes.InvalidArgument, "name a patient, a clinician or a hospital, and only one of them")
	}
	now := blockTime(ctx)
	read := func(key consentKey) (access.QueryConsentResponse, error) {
		c, err := q.k.consents.Get(ctx, key.K2())
		return access.QueryConsentResponse{Consent: c, Status: c.Status(now)}, err
	}
	list, next, err := query.CollectionFilteredPaginate(ctx, index, page,
		func(key consentKey, _ collections.NoValue) (bool, error) {
			if req.Status == access.CONSENT_STATUS_UNSPECIFIED {
				return true, nil
			}
			r, err := read(key)
			return r.Status == req.Status, err
		},
		func(key consentKey, _ collections.NoValue) (access.QueryConsentResponse, error) { return read(key) },
		query.WithCollectionPaginationPairPrefix[[]byte, uint64](prefix))
	if err != nil {
		return nil, asStatus(err)
	}
	return &access.QueryConsentsResponse{Consents: list, Pagination: next}, nil
}

// Grantees lists the vaults to which a version is sealed beside its owner's, each once.
func (q queryServer) Grantees(ctx context.Context, req *access.QueryGranteesRequest) (*access.QueryGranteesResponse, error) {
	patient, err := lock.ParseCanonicalID(req.GetPatient())
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "patient: %v", err)
	}
	live, err := q.k.liveConsentsOf(ctx, patient)
	if err != nil {
		return nil, asStatus(err)
	}
	res := &access.QueryGranteesResponse{}
	for _, c := range live {
		if !c.Covers(records.Record{Id: req.Record, Patient: c.Patient, Class: req.Class}) {
			continue
		}
		vault, err := q.k.vaultOf(ctx, c)
		if err != nil {
			return nil, asStatus(err)
		}
		known := slices.ContainsFunc(res.Grantees, func(g access.Grantee) bool { return bytes.Equal(g.Key, vault.Key) })
		if vault.Epoch != 0 && !known {
			res.Grantees = append(res.Grantees, vault)
		}
	}
	return res, nil
}
