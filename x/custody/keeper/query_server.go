package keeper

import (
	"context"
	"errors"
	"strings"

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
	key, epoch := custody.Key{Kind: req.GetKind(), Generation: req.GetGeneration()}, req.GetShareEpoch()
	if key.Generation == 0 || epoch == 0 {
		var err error
		if key, err = q.k.Key(ctx, req.GetKind(), req.GetGeneration()); err != nil {
			return nil, asStatus(err)
		}
		if epoch == 0 {
			epoch = key.ShareEpoch
		}
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
	ranger := new(collections.Range[[]byte])
	if after := req.GetAfter(); after != "" {
		id, err := custody.ParseUnlockID(after)
		if err != nil {
			return nil, asStatus(err)
		}
		ranger = ranger.StartExclusive(id.Bytes())
	}
	res := &custody.QueryReleasesResponse{}
	keys := map[keyID]custody.Key{}
	err := q.k.pending.Walk(ctx, ranger, func(id []byte) (bool, error) {
		r, err := q.k.releases.Get(ctx, id)
		if err != nil {
			return true, err
		}
		waits, err := q.k.waitsFor(ctx, keys, r, id, req.GetIndex())
		if err != nil || !waits {
			return err != nil, err
		}
		if n := len(res.Releases); n == limit {
			res.Next = res.Releases[n-1].Unlock
			return true, nil
		}
		res.Releases = append(res.Releases, r)
		return false, nil
	})
	if err != nil {
		return nil, asStatus(err)
	}
	return res, nil
}

// waitsFor says whether a pending release waits for a holder's share. It notes the
// keys that it met.
func (k *Keeper) waitsFor(ctx context.Context, keys map[keyID]custody.Key, r custody.Release, id []byte, index uint64) (bool, error) {
	name := keyID{r.Kind, r.Generation}
	key, known := keys[name]
	if !known {
		var err error
		if key, err = k.Key(ctx, r.Kind, r.Generation); err != nil {
			return false, err
		}
		keys[name] = key
	}
	holder, found, err := k.holder(ctx, key, key.ShareEpoch, index)
	if err != nil || !found || !holder.Confirmed {
		return false, err
	}
	given, err := k.shares.Has(ctx, collections.Join3(id, key.ShareEpoch, index))
	return !given, err
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

// Rounds lists the newest round of each key, by kind and generation.
func (q queryServer) Rounds(ctx context.Context, _ *custody.QueryRoundsRequest) (*custody.QueryRoundsResponse, error) {
	res := &custody.QueryRoundsResponse{}
	err := q.k.rounds.Walk(ctx, nil, func(_ keyKey, r custody.Round) (bool, error) {
		res.Rounds = append(res.Rounds, r)
		return false, nil
	})
	if err != nil {
		return nil, asStatus(err)
	}
	return res, nil
}

// roundOf is the newest round of a key that a query names.
func (q queryServer) roundOf(ctx context.Context, kind custody.KeyKind, generation uint64) (custody.Round, error) {
	r, found, err := q.k.round(ctx, collections.Join(uint64(kind), generation))
	if err != nil {
		return r, asStatus(err)
	}
	if !found {
		return r, status.Errorf(codes.NotFound, "no round for kind %d, generation %d", kind, generation)
	}
	return r, nil
}

// Received lists what a receiver has of each dealer that gave a deal, by dealer.
func (q queryServer) Received(ctx context.Context, req *custody.QueryReceivedRequest) (*custody.QueryReceivedResponse, error) {
	r, err := q.roundOf(ctx, req.GetKind(), req.GetGeneration())
	if err != nil {
		return nil, err
	}
	res := &custody.QueryReceivedResponse{}
	kind := uint64(r.Kind)
	err = q.k.deals.Walk(ctx, collections.NewSuperPrefixedTripleRange[uint64, uint64, uint64](kind, r.Generation),
		func(id memberKey, deal custody.Deal) (bool, error) {
			got := custody.Received{Dealer: id.K3(), Commitments: deal.Commitments}
			sealed, err := q.k.subShares.Get(ctx, collections.Join4(kind, r.Generation, req.GetReceiver(), got.Dealer))
			if err != nil && !errors.Is(err, collections.ErrNotFound) {
				return true, err
			}
			got.Sealed = sealed
			answer, err := q.k.complaints.Get(ctx, collections.Join4(kind, r.Generation, got.Dealer, req.GetReceiver()))
			if err != nil && !errors.Is(err, collections.ErrNotFound) {
				return true, err
			}
			got.Disputed, got.SubShare = err == nil, answer
			res.Received = append(res.Received, got)
			return false, nil
		})
	if err != nil {
		return nil, asStatus(err)
	}
	return res, nil
}

// RoundKeys lists the round keys of the newest round of a key, by member.
func (q queryServer) RoundKeys(ctx context.Context, req *custody.QueryRoundKeysRequest) (*custody.QueryRoundKeysResponse, error) {
	r, err := q.roundOf(ctx, req.GetKind(), req.GetGeneration())
	if err != nil {
		return nil, err
	}
	res := &custody.QueryRoundKeysResponse{}
	err = q.k.roundKeys.Walk(ctx, collections.NewSuperPrefixedTripleRange[uint64, uint64, uint64](uint64(r.Kind), r.Generation),
		func(id memberKey, key []byte) (bool, error) {
			res.Keys = append(res.Keys, custody.RoundKey{Kind: r.Kind, Generation: r.Generation, Member: id.K3(), Key: key})
			return false, nil
		})
	if err != nil {
		return nil, asStatus(err)
	}
	return res, nil
}

// Complaints lists the complaints about a dealer, by receiver.
func (q queryServer) Complaints(ctx context.Context, req *custody.QueryComplaintsRequest) (*custody.QueryComplaintsResponse, error) {
	r, err := q.roundOf(ctx, req.GetKind(), req.GetGeneration())
	if err != nil {
		return nil, err
	}
	res := &custody.QueryComplaintsResponse{}
	err = q.k.complaints.Walk(ctx, collections.NewSuperPrefixedQuadRange3[uint64, uint64, uint64, uint64](uint64(r.Kind), r.Generation, req.GetDealer()),
		func(id partiesKey, answer []byte) (bool, error) {
			res.Complaints = append(res.Complaints, custody.Justification{Receiver: id.K4(), SubShare: answer})
			return false, nil
		})
	if err != nil {
		return nil, asStatus(err)
	}
	return res, nil
}

// asStatus gives an error of the module its gRPC code.
func asStatus(err error) error {
	switch {
	case errors.Is(err, custody.ErrNoKey), errors.Is(err, custody.ErrUnknownRelease), errors.Is(err, collections.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, custody.ErrKeyInMaking):
		progress := strings.TrimSuffix(err.Error(), ": "+custody.ErrKeyInMaking.Error())
		return status.Errorf(codes.FailedPrecondition, "%v (%s)", custody.ErrKeyInMaking, progress)
	case errors.Is(err, custody.ErrInvalidUnlock):
		return status.Error(codes.InvalidArgument, err.Error())
	default:
		return status.Error(codes.Internal, err.Error())
	}
}
