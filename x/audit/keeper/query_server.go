package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/x/audit"
)

// queryServer answers the module's queries.
type queryServer struct{ k *Keeper }

var _ audit.QueryServer = queryServer{}

// errNoIndex says that the node can't answer searches and proofs.
var errNoIndex = status.Error(codes.Unavailable, "this node keeps no index of the log")

// NewQueryServer answers the module's queries: searches from the node's index, all
// else from committed state.
func NewQueryServer(k *Keeper) audit.QueryServer { return queryServer{k} }

// Entry returns one entry by its sequence.
func (q queryServer) Entry(ctx context.Context, req *audit.QueryEntryRequest) (*audit.QueryEntryResponse, error) {
	e, err := q.k.Entry(ctx, req.GetSequence())
	if err != nil {
		return nil, asStatus(err)
	}
	return &audit.QueryEntryResponse{Entry: e}, nil
}

// Entries returns one page of the entries that match, newest first.
func (q queryServer) Entries(ctx context.Context, req *audit.QueryEntriesRequest) (*audit.QueryEntriesResponse, error) {
	filter, err := req.Bounded()
	if err != nil {
		return nil, asStatus(err)
	}
	if q.k.index == nil {
		return nil, errNoIndex
	}
	page, next, err := q.k.index.Entries(ctx, filter)
	if err != nil {
		return nil, asStatus(err)
	}
	return &audit.QueryEntriesResponse{Entries: page, Next: next}, nil
}

// Head returns the size and the root of the log.
func (q queryServer) Head(ctx context.Context, _ *audit.QueryHeadRequest) (*audit.QueryHeadResponse, error) {
	f, err := q.k.Frontier(ctx)
	if err != nil {
		return nil, asStatus(err)
	}
	root := f.Root()
	return &audit.QueryHeadResponse{Size_: f.Size_, Root: root[:]}, nil
}

// SubjectHead returns the end of one patient's chain.
func (q queryServer) SubjectHead(ctx context.Context, req *audit.QuerySubjectHeadRequest) (*audit.QuerySubjectHeadResponse, error) {
	head, err := q.k.SubjectHead(ctx, req.GetPatient())
	if err != nil {
		return nil, asStatus(err)
	}
	return &audit.QuerySubjectHeadResponse{Head: head}, nil
}

// InclusionProof proves that an entry is in the log of a size.
func (q queryServer) InclusionProof(ctx context.Context, req *audit.QueryInclusionProofRequest) (*audit.QueryInclusionProofResponse, error) {
	if q.k.index == nil {
		return nil, errNoIndex
	}
	path, size, err := q.k.index.InclusionProof(ctx, req.GetSequence(), req.GetSize_())
	if err != nil {
		return nil, asStatus(err)
	}
	return &audit.QueryInclusionProofResponse{Size_: size, Path: path}, nil
}

// ConsistencyProof proves that the log of a size goes on as that of a later one.
func (q queryServer) ConsistencyProof(ctx context.Context, req *audit.QueryConsistencyProofRequest) (*audit.QueryConsistencyProofResponse, error) {
	if q.k.index == nil {
		return nil, errNoIndex
	}
	path, second, err := q.k.index.ConsistencyProof(ctx, req.GetFirst(), req.GetSecond())
	if err != nil {
		return nil, asStatus(err)
	}
	return &audit.QueryConsistencyProofResponse{Second: second, Path: path}, nil
}

// IndexStatus tells how far the node's index has read; a node without one has read
// nothing.
func (q queryServer) IndexStatus(ctx context.Context, _ *audit.QueryIndexStatusRequest) (*audit.QueryIndexStatusResponse, error) {
	f, err := q.k.Frontier(ctx)
	if err != nil {
		return nil, asStatus(err)
	}
	res := &audit.QueryIndexStatusResponse{Size_: f.Size_}
	if q.k.index != nil {
		res.Indexed = q.k.index.Indexed()
	}
	return res, nil
}

// asStatus gives an error the code by which a caller can tell it.
func asStatus(err error) error {
	switch {
	case errors.Is(err, audit.ErrUnknownEntry), errors.Is(err, audit.ErrUnknownSubject), errors.Is(err, collections.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, audit.ErrInvalidFilter):
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, audit.ErrIndexBuilding):
		return status.Error(codes.Unavailable, err.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	default:
		return status.Error(codes.Internal, err.Error())
	}
}
