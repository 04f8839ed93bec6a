package keeper

import (
	"context"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// Audit is the log.
type Audit interface {
	// Append writes the entry and answers its sequence.
	Append(ctx context.Context, e audit.Entry) (uint64, error)
}

// Consortium knows members, storage nodes and accounts.
type Consortium interface {
	// Actor says who the account is, with an entry in which actor, role and hospital
	// are filled in; consortium.ErrUnknownAccount for a stranger.
	Actor(ctx context.Context, address string) (consortium.Principal, audit.Entry, error)
	// StorageNode is the node of that number.
	StorageNode(ctx context.Context, number uint64) (consortium.StorageNode, error)
	// StorageNodeByAccount is the node of that account.
	StorageNodeByAccount(ctx context.Context, address string) (consortium.StorageNode, error)
	// MemberNode is the first node of a member.
	MemberNode(ctx context.Context, member uint64) (consortium.StorageNode, error)
	// StorageNodes are all nodes, by number.
	StorageNodes(ctx context.Context) ([]consortium.StorageNode, error)
	// NodesOf are the nodes of a member, by number.
	NodesOf(ctx context.Context, member uint64) ([]consortium.StorageNode, error)
	// Member is the member of that number.
	Member(ctx context.Context, number uint64) (consortium.Member, error)
	// PlaceableNodes are the nodes that take copies, by number.
	PlaceableNodes(ctx context.Context) ([]consortium.StorageNode, error)
	// Authority is the consortium's account, whose signature is a vote.
	Authority() string
}
