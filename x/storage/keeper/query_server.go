package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/storage"
)

const defaultPageSize = 50

// queryServer answers the module's queries.
type queryServer struct{ k *Keeper }

var _ storage.QueryServer = queryServer{}

// NewQueryServer answers the module's queries from committed state.
func NewQueryServer(k *Keeper) storage.QueryServer { return queryServer{k} }

// Params returns the rules of placement.
func (q queryServer) Params(ctx context.Context, _ *storage.QueryParamsRequest) (*storage.QueryParamsResponse, error) {
	p, err := q.k.Params(ctx)
	if err != nil {
		return nil, asStatus(err)
	}
	return &storage.QueryParamsResponse{Params: p}, nil
}

// Object returns an object, its copies and how their nodes stand, how many failure
// domains hold one, and how safe it is.
func (q queryServer) Object(ctx context.Context, req *storage.QueryObjectRequest) (*storage.QueryObjectResponse, error) {
	object, copies, err := q.k.Object(ctx, req.GetCid())
	if err != nil {
		return nil, asStatus(err)
	}
	placed, err := q.k.placed(ctx, object, copies)
	if err != nil {
		return nil, asStatus(err)
	}
	root, err := lock.ParseCID(object.Cid)
	if err != nil {
		return nil, asStatus(err)
	}
	standing, err := q.k.standing(ctx, root)
	if err != nil {
		return nil, asStatus(err)
	}
	now, params, err := q.k.now(ctx)
	if err != nil {
		return nil, asStatus(err)
	}
	res := &storage.QueryObjectResponse{
		Object: object, Copies: copies, Held: storage.HeldDomains(placed), Standing: standing, Nodes: make([]storage.NodeStatus, len(copies)),
	}
	for i, c := range copies {
		pulse, err := q.k.pulse(ctx, c.Node)
		if err != nil {
			return nil, asStatus(err)
		}
		res.Nodes[i] = pulse.Status(now, params)
	}
	return res, nil
}

// Assignments lists the objects that a node is to fetch, each with all its copies.
func (q queryServer) Assignments(ctx context.Context, req *storage.QueryAssignmentsRequest) (*storage.QueryAssignmentsResponse, error) {
	objects, next, err := q.page(ctx, q.k.assignments, req.GetNode(), req.GetAfter(), req.GetLimit())
	if err != nil {
		return nil, err
	}
	res := &storage.QueryAssignmentsResponse{Next: next}
	for _, root := range objects {
		placed, err := q.k.objects.Get(ctx, root.Bytes())
		if err != nil {
			return nil, asStatus(err)
		}
		res.Objects = append(res.Objects, placed)
	}
	return res, nil
}

// Holdings lists the objects that a node holds.
func (q queryServer) Holdings(ctx context.Context, req *storage.QueryHoldingsRequest) (*storage.QueryHoldingsResponse, error) {
	objects, next, err := q.page(ctx, q.k.holdings, req.GetNode(), req.GetAfter(), req.GetLimit())
	if err != nil {
		return nil, err
	}
	res := &storage.QueryHoldingsResponse{Next: next}
	for _, root := range objects {
		placed, err := q.k.objects.Get(ctx, root.Bytes())
		if err != nil {
			return nil, asStatus(err)
		}
		res.Objects = append(res.Objects, placed.Object)
	}
	return res, nil
}

// Usage lists what is placed on each node, and which nodes are shut out.
func (q queryServer) Usage(ctx context.Context, _ *storage.QueryUsageRequest) (*storage.QueryUsageResponse, error) {
	res := &storage.QueryUsageResponse{}
	err := q.k.usage.Walk(ctx, nil, func(_ uint64, u storage.NodeUsage) (bool, error) {
		res.Nodes = append(res.Nodes, u)
		return false, nil
	})
	if err != nil {
		return nil, asStatus(err)
	}
	nodes, err := q.k.consortium.StorageNodes(ctx)
	if err != nil {
		return nil, asStatus(err)
	}
	for _, n := range nodes {
		out, err := q.k.IsOut(ctx, n)
		if err != nil {
			return nil, asStatus(err)
		}
		if out {
			res.ShutOut = append(res.ShutOut, n.Number)
		}
	}
	return res, nil
}

// Challenges lists what nodes are asked in an epoch and what they answered.
func (q queryServer) Challenges(ctx context.Context, req *storage.QueryChallengesRequest) (*storage.QueryChallengesResponse, error) {
	limit := req.GetLimit()
	if limit == 0 {
		limit = defaultPageSize
	}
	if limit > storage.MaxPageSize {
		return nil, status.Errorf(codes.InvalidArgument, "limit: got %d, want at most %d", limit, storage.MaxPageSize)
	}
	epoch, err := q.epochOf(ctx, req.GetEpoch())
	if err != nil {
		return nil, asStatus(err)
	}
	res := &storage.QueryChallengesResponse{Epoch: epoch}
	if node := req.GetNode(); node != 0 {
		_, err := q.k.hasCommitted(ctx, epoch.Number, node)
		if res.Committed = err == nil; err != nil && !errors.Is(err, collections.ErrNotFound) {
			return nil, asStatus(err)
		}
		proof, err := q.k.proofs.Get(ctx, collections.Join(epoch.Number, node))
		if errors.Is(err, collections.ErrNotFound) {
			return res, nil
		}
		if err != nil {
			return nil, asStatus(err)
		}
		res.Proofs = []storage.Proof{proof}
		return res, nil
	}
	// One more than the page shows whether there is another.
	proofs, err := q.k.proofsOf(ctx, epoch.Number, req.GetAfter(), int(limit)+1)
	if err != nil {
		return nil, asStatus(err)
	}
	if len(proofs) > int(limit) {
		proofs = proofs[:limit]
		res.Next = proofs[limit-1].Node
	}
	res.Proofs = proofs
	return res, nil
}

// epochOf is the newest epoch, also for 0, or the one before; collections.ErrNotFound for
// any other.
func (q queryServer) epochOf(ctx context.Context, number uint64) (storage.Epoch, error) {
	epoch, err := q.k.epoch.Get(ctx)
	if err != nil || number == 0 || number == epoch.Number {
		return epoch, err
	}
	if epoch, err = q.k.lastEpoch.Get(ctx); err == nil && epoch.Number != number {
		err = collections.ErrNotFound
	}
	return epoch, err
}

// page reads a node's objects behind a CID, and the CID to continue behind, empty
// at the end.
func (q queryServer) page(ctx context.Context, set collections.KeySet[nodeKey], node uint64, after string, limit uint32) ([]lock.CID, string, error) {
	if limit == 0 {
		limit = defaultPageSize
	}
	if limit > storage.MaxPageSize {
		return nil, "", status.Errorf(codes.InvalidArgument, "limit: got %d, want at most %d", limit, storage.MaxPageSize)
	}
	ranger := collections.NewPrefixedPairRange[uint64, []byte](node)
	if after != "" {
		cid, err := lock.ParseCID(after)
		if err != nil {
			return nil, "", status.Errorf(codes.InvalidArgument, "after: %v", err)
		}
		ranger = ranger.StartExclusive(cid.Bytes())
	}
	var list []lock.CID
	more := false
	err := set.Walk(ctx, ranger, func(key nodeKey) (bool, error) {
		if len(list) == int(limit) {
			more = true
			return true, nil
		}
		cid, err := lock.CIDFromBytes(key.K2())
		list = append(list, cid)
		return err != nil, err
	})
	if err != nil {
		return nil, "", asStatus(err)
	}
	if !more {
		return list, "", nil
	}
	return list, list[len(list)-1].String(), nil
}

// asStatus gives an error of the module its gRPC code.
func asStatus(err error) error {
	switch {
	case errors.Is(err, storage.ErrUnknownObject), errors.Is(err, collections.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, storage.ErrInvalidCID):
		return status.Error(codes.InvalidArgument, err.Error())
	default:
		return status.Error(codes.Internal, err.Error())
	}
}
