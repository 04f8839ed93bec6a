package keeper

import (
	"context"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/storage"
)

// Audit is the log.
type Audit interface {
	// Append writes the entry and answers its sequence.
	Append(ctx context.Context, e audit.Entry) (uint64, error)
	// AppendAll writes entries in their order and answers the sequence of the last one.
	AppendAll(ctx context.Context, entries []audit.Entry) (uint64, error)
}

// Consortium knows members and accounts.
type Consortium interface {
	// Principal says who the account is; consortium.ErrUnknownAccount for a stranger.
	Principal(ctx context.Context, address string) (consortium.Principal, error)
	// Actor is Principal with an entry in which actor, role and hospital are filled in.
	Actor(ctx context.Context, address string) (consortium.Principal, audit.Entry, error)
	// Inviter is the member that invited the account; 0 where nobody did.
	Inviter(ctx context.Context, address string) (uint64, error)
	// Member is the member of that number.
	Member(ctx context.Context, number uint64) (consortium.Member, error)
	// NetworkID is the id that every hash of the network's cryptography binds.
	NetworkID(ctx context.Context) (lock.Network, error)
	// Authority is the consortium's account, whose signature is a vote.
	Authority() string
}

// Custody knows the network's keys.
type Custody interface {
	// Key is that generation of the key; generation 0 asks for the newest. custody.ErrNoKey where there is none.
	Key(ctx context.Context, kind custody.KeyKind, generation uint64) (custody.Key, error)
}

// Storage places ciphertext and has it deleted.
type Storage interface {
	// Room is what a member may bring in.
	Room(ctx context.Context, member uint64) (storage.Room, error)
	// Place chooses the nodes that keep the object and answers their numbers.
	Place(ctx context.Context, p storage.Placement) ([]uint64, error)
	// PlaceAll is Place of a member's objects, at least one.
	PlaceAll(ctx context.Context, placements []storage.Placement) error
	// IsSafe says whether as many distinct domains hold the object as its minimum asks for.
	IsSafe(ctx context.Context, cid string) (bool, error)
	// Erase gives things up for good, each of one or more objects and blocks beside objects, and answers the numbers of the erasures, in order.
	Erase(ctx context.Context, things ...[]string) ([]uint64, error)
	// NodeErasures is where each node stands with an erasure; storage.ErrUnknownErasure where there is none.
	NodeErasures(ctx context.Context, number uint64) ([]storage.NodeErasure, error)
}
