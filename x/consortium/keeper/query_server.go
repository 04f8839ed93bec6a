package keeper

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"

	"cosmossdk.io/collections"
	"github.com/cosmos/cosmos-sdk/types/query"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/x/consortium"
)

const defaultPageSize = 50

// queryServer answers the module's queries.
type queryServer struct{ k *Keeper }

var _ consortium.QueryServer = queryServer{}

// NewQueryServer answers the module's queries from committed state.
func NewQueryServer(k *Keeper) consortium.QueryServer { return queryServer{k} }

// Params returns the rules and the network id.
func (q queryServer) Params(ctx context.Context, _ *consortium.QueryParamsRequest) (*consortium.QueryParamsResponse, error) {
	p, err := q.k.Params(ctx)
	if err != nil {
		return nil, asStatus(err)
	}
	id, err := q.k.NetworkID(ctx)
	if err != nil {
		return nil, asStatus(err)
	}
	return &consortium.QueryParamsResponse{Params: p, NetworkId: id[:]}, nil
}

// Member returns one member.
func (q queryServer) Member(ctx context.Context, req *consortium.QueryMemberRequest) (*consortium.QueryMemberResponse, error) {
	m, err := q.k.Member(ctx, req.GetNumber())
	if err != nil {
		return nil, asStatus(err)
	}
	return &consortium.QueryMemberResponse{Member: m}, nil
}

// Members lists the members by number.
func (q queryServer) Members(ctx context.Context, req *consortium.QueryMembersRequest) (*consortium.QueryMembersResponse, error) {
	list, next, err := pageOf(ctx, q.k.members, req.GetPagination(), value[uint64, consortium.Member])
	if err != nil {
		return nil, err
	}
	return &consortium.QueryMembersResponse{Members: list, Pagination: next}, nil
}

// Sites lists the sites of a member, or of all.
func (q queryServer) Sites(ctx context.Context, req *consortium.QuerySitesRequest) (*consortium.QuerySitesResponse, error) {
	list, next, err := pageOf(ctx, q.k.sites, req.GetPagination(), value[numberPair, consortium.Site], under[uint64](req.GetMember())...)
	if err != nil {
		return nil, err
	}
	return &consortium.QuerySitesResponse{Sites: list, Pagination: next}, nil
}

// StorageNodes lists the storage nodes of a member, or of all.
func (q queryServer) StorageNodes(ctx context.Context, req *consortium.QueryStorageNodesRequest) (*consortium.QueryStorageNodesResponse, error) {
	list, next, err := pageOf(ctx, q.k.nodesByMember, req.GetPagination(),
		func(key numberPair, _ collections.NoValue) (consortium.StorageNode, error) {
			return q.k.StorageNode(ctx, key.K2())
		},
		under[uint64](req.GetMember())...)
	if err != nil {
		return nil, err
	}
	return &consortium.QueryStorageNodesResponse{StorageNodes: list, Pagination: next}, nil
}

// Staff lists the staff of a member, or of all.
func (q queryServer) Staff(ctx context.Context, req *consortium.QueryStaffRequest) (*consortium.QueryStaffResponse, error) {
	list, next, err := pageOf(ctx, q.k.staffByMember, req.GetPagination(),
		func(key memberAccount, _ collections.NoValue) (consortium.Staff, error) {
			return q.k.staff.Get(ctx, key.K2())
		},
		under[[]byte](req.GetHospital())...)
	if err != nil {
		return nil, err
	}
	return &consortium.QueryStaffResponse{Staff: list, Pagination: next}, nil
}

// Principal says who an account is.
func (q queryServer) Principal(ctx context.Context, req *consortium.QueryPrincipalRequest) (*consortium.QueryPrincipalResponse, error) {
	p, err := q.k.Principal(ctx, req.GetAddress())
	if err != nil {
		return nil, asStatus(err)
	}
	return &consortium.QueryPrincipalResponse{Principal: p}, nil
}

// Invitation returns one invitation by its key in lower-case hex.
func (q queryServer) Invitation(ctx context.Context, req *consortium.QueryInvitationRequest) (*consortium.QueryInvitationResponse, error) {
	key, err := hex.DecodeString(req.GetKey())
	if err != nil || len(key) != ed25519.PublicKeySize || hex.EncodeToString(key) != req.GetKey() {
		return nil, status.Error(codes.InvalidArgument, "key: want 64 lower-case hex digits")
	}
	i, err := q.k.Invitation(ctx, key)
	if err != nil {
		return nil, asStatus(err)
	}
	return &consortium.QueryInvitationResponse{Invitation: i}, nil
}

// Proposal returns one proposal and its votes, of which there is one a member at most.
func (q queryServer) Proposal(ctx context.Context, req *consortium.QueryProposalRequest) (*consortium.QueryProposalResponse, error) {
	p, err := q.k.Proposal(ctx, req.GetNumber())
	if err != nil {
		return nil, asStatus(err)
	}
	res := &consortium.QueryProposalResponse{Proposal: p}
	err = q.k.votes.Walk(ctx, collections.NewPrefixedPairRange[uint64, uint64](p.Number), func(_ numberPair, v consortium.Vote) (bool, error) {
		res.Votes = append(res.Votes, v)
		return false, nil
	})
	if err != nil {
		return nil, asStatus(err)
	}
	return res, nil
}

// Proposals lists the proposals, newest first.
func (q queryServer) Proposals(ctx context.Context, req *consortium.QueryProposalsRequest) (*consortium.QueryProposalsResponse, error) {
	page := &query.PageRequest{}
	if p := req.GetPagination(); p != nil {
		*page = *p
	}
	page.Reverse = !page.Reverse
	list, next, err := pageOf(ctx, q.k.proposals, page, value[uint64, consortium.Proposal])
	if err != nil {
		return nil, err
	}
	return &consortium.QueryProposalsResponse{Proposals: list, Pagination: next}, nil
}

// value takes the values of a collection as they are.
func value[K, V any](_ K, v V) (V, error) { return v, nil }

// under keeps a page to the keys under a number; 0 takes all.
func under[K2 any](number uint64) []func(*query.CollectionsPaginateOptions[collections.Pair[uint64, K2]]) {
	if number == 0 {
		return nil
	}
	return []func(*query.CollectionsPaginateOptions[collections.Pair[uint64, K2]]){query.WithCollectionPaginationPairPrefix[uint64, K2](number)}
}

// pageOf reads one page. Pages go on from a key: an offset or a count of all would
// make the node read what it does not return.
func pageOf[K, V, T any, C query.Collection[K, V]](
	ctx context.Context, c C, req *query.PageRequest, transform func(K, V) (T, error), opts ...func(*query.CollectionsPaginateOptions[K]),
) ([]T, *query.PageResponse, error) {
	page := &query.PageRequest{Limit: defaultPageSize}
	if req != nil {
		if req.Offset != 0 || req.CountTotal {
			return nil, nil, status.Error(codes.InvalidArgument, "pages go on from a key: offset and count_total are not served")
		}
		page.Key, page.Reverse = req.Key, req.Reverse
		if req.Limit != 0 {
			page.Limit = min(req.Limit, consortium.MaxPageSize)
		}
	}
	list, next, err := query.CollectionPaginate(ctx, c, page, transform, opts...)
	if err != nil {
		return nil, nil, asStatus(err)
	}
	return list, next, nil
}

// asStatus gives an error the code by which a caller can tell it.
func asStatus(err error) error {
	for _, unknown := range []error{
		consortium.ErrUnknownAccount, consortium.ErrUnknownMember, consortium.ErrUnknownNode, consortium.ErrUnknownSite,
		consortium.ErrUnknownInvitation, consortium.ErrUnknownProposal, collections.ErrNotFound,
	} {
		if errors.Is(err, unknown) {
			return status.Error(codes.NotFound, err.Error())
		}
	}
	return status.Error(codes.Internal, err.Error())
}
