package keeper

import (
	"context"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// Audit is the log.
type Audit interface {
	// Append writes the entry and answers its sequence.
	Append(ctx context.Context, e audit.Entry) (uint64, error)
}

// Consortium knows members and accounts.
type Consortium interface {
	// Actor says who the account is, with an entry in which actor, role and hospital
	// are filled in; consortium.ErrUnknownAccount for a stranger.
	Actor(ctx context.Context, address string) (consortium.Principal, audit.Entry, error)
	// Member is the member of that number.
	Member(ctx context.Context, number uint64) (consortium.Member, error)
	// NetworkID is the id that every hash of the network's cryptography binds.
	NetworkID(ctx context.Context) (lock.Network, error)
	// Authority is the consortium's account, whose signature is a vote.
	Authority() string
}
