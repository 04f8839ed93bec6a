package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/x/custody"
)

const defaultPageSize = 50

// queryServer answers the module's queries.
type queryServer struct{ k *Keeper }

var _ custody.QueryServer = queryServer{}

// NewQueryServer answers the module's queries from committed state.
func NewQueryServer(k *Keeper) custody.QueryServer { return queryServer{k} }

// Params returns the bounds.
func (q queryServer) Params(ctx context.Context, _ *custody.QueryParamsRequest) (*custody.QueryParamsResponse, error) {
	p, err := q.k.Params(ctx)
	if err != nil {
		return nil, asStatus(err)
	}
	return &custody.QueryParamsResponse{Params: p}, nil
}

// Key returns one generation of a kind, the newest where none is named.
func (q queryServer) Key(ctx context.Context, req *custody.QueryKeyRequest) (*custody.QueryKeyResponse, error) {
	key, err := q.k.Key(ctx, req.GetKind(), req.GetGeneration())
	if err != nil {
		return nil, asStatus(err)
	}
	return &custody.QueryKeyResponse{Key: key}, nil
}

// Keys lists all keys by kind and generation.
func (q queryServer) Keys(ctx context.Context, _ *custody.QueryKeysRequest) (*custody.QueryKeysResponse, error) {
	res := &custody.QueryKeysResponse{}
	err := q.k.keys.Walk(ctx, nil, func(_ keyKey, key custody.Key) (bool, error) {
		res.Keys = append(res.Keys, key)
		return false, nil
	})
	if err != nil {
		return nil, asStatus(err)
	}
	return res, nil
}

// Holders lists the holders of a key in one epoch, the active one where none is
// named. An epoch that never was has none.
func (q queryServer) Holders(ctx context.Context, req *custody.QueryHoldersRequest) (*custody.QueryHoldersResponse, error) {
	key, err := q.k.Key(ctx, req.GetKind(), req.GetGeneration())
	if err != nil {
		return nil, asStatus(err)
	}
	epoch := req.GetShareEpoch()
	if epoch == 0 {
		epoch = key.ShareEpoch
	}
	holders, err := q.k.Holders(ctx, key, epoch)
	if err != nil {
		return nil, asStatus(err)
	}
	return &custody.QueryHoldersResponse{Holders: holders}, nil
}

// Release returns one release.
func (q queryServer) Release(ctx context.Context, req *custody.QueryReleaseRequest) (*custody.QueryReleaseResponse, error) {
	r, err := q.k.Release(ctx, req.GetUnlock())
	if err != nil {
		return nil, asStatus(err)
	}
	return &custody.QueryReleaseResponse{Release: r}, nil
}

// Releases lists the pending releases that a holder has given no share for.
func (q queryServer) Releases(ctx context.Context, req *custody.QueryReleasesRequest) (*custody.QueryReleasesResponse, error) {
	limit := int(req.GetLimit())
	if limit == 0 {
		limit = defaultPageSize
	}
	if limit > custody.MaxPageSize {
		return nil, status.Errorf(codes.InvalidArgument, "limit: got %d, want at most %d", limit, custody.MaxPageSize)
	}
	ranger := collections.NewPrefixedPairRange[uint64, []byte](req.GetIndex())
	if after := req.GetAfter(); after != "" {
		id, err := custody.ParseUnlockID(after)
		if err != nil {
			return nil, asStatus(err)
		}
		ranger = ranger.StartExclusive(id.Bytes())
	}
	res := &custody.QueryReleasesResponse{}
	err := q.k.waiting.Walk(ctx, ranger, func(key waitingKey) (bool, error) {
		if n := len(res.Releases); n == limit {
			res.Next = res.Releases[n-1].Unlock
			return true, nil
		}
		r, err := q.k.releases.Get(ctx, key.K2())
		res.Releases = append(res.Releases, r)
		return err != nil, err
	})
	if err != nil {
		return nil, asStatus(err)
	}
	return res, nil
}

// Shares lists the verified shares of a release by epoch and index.
func (q queryServer) Shares(ctx context.Context, req *custody.QuerySharesRequest) (*custody.QuerySharesResponse, error) {
	if _, err := q.k.Release(ctx, req.GetUnlock()); err != nil {
		return nil, asStatus(err)
	}
	shares, err := q.k.sharesOf(ctx, req.GetUnlock())
	if err != nil {
		return nil, asStatus(err)
	}
	return &custody.QuerySharesResponse{Shares: shares}, nil
}

// asStatus gives an error of the module its gRPC code.
func asStatus(err error) error {
	switch {
	case errors.Is(err, custody.ErrNoKey), errors.Is(err, custody.ErrUnknownRelease), errors.Is(err, collections.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, custody.ErrInvalidUnlock):
		return status.Error(codes.InvalidArgument, err.Error())
	default:
		return status.Error(codes.Internal, err.Error())
	}
}
