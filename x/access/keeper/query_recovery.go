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
	"github.com/phrd/phrd/x/records"
)

// Guardians returns a patient's guardians.
func (q queryServer) Guardians(ctx context.Context, req *access.QueryGuardiansRequest) (*access.QueryGuardiansResponse, error) {
	g, err := q.k.Guardians(ctx, req.GetPatient())
	if err != nil {
		return nil, asStatus(err)
	}
	return &access.QueryGuardiansResponse{Guardians: g}, nil
}

// Guarded lists the guardians of those for whom a patient is one, by their numbers.
func (q queryServer) Guarded(ctx context.Context, req *access.QueryGuardedRequest) (*access.QueryGuardedResponse, error) {
	page, err := pageOf(req.GetPagination())
	if err != nil {
		return nil, err
	}
	page.Reverse = !page.Reverse
	guardian, err := lock.ParseCanonicalID(req.GetGuardian())
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "guardian: %v", err)
	}
	list, next, err := query.CollectionPaginate(ctx, q.k.guarded, page,
		func(key collections.Pair[[]byte, []byte], _ collections.NoValue) (access.Guardians, error) {
			return q.k.guardians.Get(ctx, key.K2())
		}, query.WithCollectionPaginationPairPrefix[[]byte, []byte](guardian.Bytes()))
	if err != nil {
		return nil, asStatus(err)
	}
	return &access.QueryGuardedResponse{Guarded: list, Pagination: next}, nil
}

// GuardianKey returns the public key of a patient's vault.
func (q queryServer) GuardianKey(ctx context.Context, req *access.QueryGuardianKeyRequest) (*access.QueryGuardianKeyResponse, error) {
	p, err := q.k.records.Patient(ctx, req.GetGuardian())
	if errors.Is(err, records.ErrUnknownPatient) || errors.Is(err, records.ErrInvalidID) {
		return nil, status.Error(codes.NotFound, err.Error())
	}
	if err != nil {
		return nil, asStatus(err)
	}
	return &access.QueryGuardianKeyResponse{Epoch: p.Vault.Epoch, Key: p.Vault.Key}, nil
}

// HandOver returns until when a patient's wallet is somebody else's.
func (q queryServer) HandOver(ctx context.Context, req *access.QueryHandOverRequest) (*access.QueryHandOverResponse, error) {
	h, err := q.k.HandOver(ctx, req.GetPatient())
	if err != nil {
		return nil, asStatus(err)
	}
	return &access.QueryHandOverResponse{HandOver: h}, nil
}

// Recovery returns one recovery with its status, and once it is ready with the vault as it is.
func (q queryServer) Recovery(ctx context.Context, req *access.QueryRecoveryRequest) (*access.QueryRecoveryResponse, error) {
	var r access.Recovery
	var err error
	switch {
	case req.GetNumber() != 0 && req.GetUnlock() == "":
		r, err = q.k.Recovery(ctx, req.Number)
	case req.GetNumber() == 0 && req.GetUnlock() != "":
		r, err = q.k.recoveryOf(ctx, req.Unlock)
	default:
		return nil, status.Error(codes.InvalidArgument, "name a number or an unlock, and only one of them")
	}
	if err != nil {
		return nil, asStatus(err)
	}
	res := &access.QueryRecoveryResponse{Recovery: r, Status: r.Status(blockTime(ctx))}
	if res.Status != access.RECOVERY_STATUS_READY {
		return res, nil
	}
	p, err := q.k.records.Patient(ctx, r.Patient)
	if err != nil {
		return nil, asStatus(err)
	}
	res.Vault = &p.Vault
	return res, nil
}

// Recoveries lists recoveries of one patient, account or guardian, newest first, or all that are open.
func (q queryServer) Recoveries(ctx context.Context, req *access.QueryRecoveriesRequest) (*access.QueryRecoveriesResponse, error) {
	page, err := pageOf(req.GetPagination())
	if err != nil {
		return nil, err
	}
	var list []access.QueryRecoveryResponse
	var next *query.PageResponse
	switch named := [4]bool{req.GetPatient() != "", req.GetAccount() != "", req.GetGuardian() != "", req.GetOpen()}; named {
	case [4]bool{true, false, false, false}:
		list, next, err = q.recoveriesOf(ctx, q.k.recoveriesByPatient, req.Patient, page)
	case [4]bool{false, true, false, false}:
		account, parsed := sdk.AccAddressFromBech32(req.Account)
		if parsed != nil {
			return nil, status.Errorf(codes.InvalidArgument, "account: %v", parsed)
		}
		list, next, err = q.recoveriesBy(ctx, q.k.recoveriesByAccount, account, page)
	case [4]bool{false, false, true, false}:
		list, next, err = q.recoveriesOf(ctx, q.k.recoveriesByGuardian, req.Guardian, page)
	case [4]bool{false, false, false, true}:
		list, next, err = query.CollectionPaginate(ctx, q.k.openRecoveries, page,
			func(_ []byte, number uint64) (access.QueryRecoveryResponse, error) { return q.recovery(ctx, number) })
	default:
		return nil, status.Error(codes.InvalidArgument, "name a patient, an account or a guardian, or ask for those that are open, and only one of them")
	}
	if err != nil {
		return nil, asStatus(err)
	}
	return &access.QueryRecoveriesResponse{Recoveries: list, Pagination: next}, nil
}

// recoveriesOf is one page of the recoveries under a patient's number.
func (q queryServer) recoveriesOf(
	ctx context.Context, index collections.KeySet[recoveryName], number string, page *query.PageRequest,
) ([]access.QueryRecoveryResponse, *query.PageResponse, error) {
	id, err := lock.ParseCanonicalID(number)
	if err != nil {
		return nil, nil, access.ErrInvalidRecovery.Wrapf("patient number: %v", err)
	}
	return q.recoveriesBy(ctx, index, id.Bytes(), page)
}

// recoveriesBy is one page of the recoveries under a name.
func (q queryServer) recoveriesBy(
	ctx context.Context, index collections.KeySet[recoveryName], name []byte, page *query.PageRequest,
) ([]access.QueryRecoveryResponse, *query.PageResponse, error) {
	return query.CollectionPaginate(ctx, index, page,
		func(key recoveryName, _ collections.NoValue) (access.QueryRecoveryResponse, error) {
			return q.recovery(ctx, key.K2())
		},
		query.WithCollectionPaginationPairPrefix[[]byte, uint64](name))
}

func (q queryServer) recovery(ctx context.Context, number uint64) (access.QueryRecoveryResponse, error) {
	r, err := q.k.Recovery(ctx, number)
	return access.QueryRecoveryResponse{Recovery: r, Status: r.Status(blockTime(ctx))}, err
}
