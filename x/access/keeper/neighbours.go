package keeper

import (
	"context"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/records"
)

// Audit is the log.
type Audit interface {
	// Append writes the entry and answers its sequence.
	Append(ctx context.Context, e audit.Entry) (uint64, error)
}

// Consortium knows members and accounts.
type Consortium interface {
	// Principal says who the account is; consortium.ErrUnknownAccount for a stranger.
	Principal(ctx context.Context, address string) (consortium.Principal, error)
	// Actor is Principal with an entry in which actor, role and hospital are filled in.
	Actor(ctx context.Context, address string) (consortium.Principal, audit.Entry, error)
	// Member is the member of that number.
	Member(ctx context.Context, number uint64) (consortium.Member, error)
	// StaffMember is the person of that account, revoked or not; consortium.ErrUnknownAccount where it is no staff.
	StaffMember(ctx context.Context, address string) (consortium.Staff, error)
	// NetworkID is the id that every hash of the network's cryptography binds.
	NetworkID(ctx context.Context) (lock.Network, error)
	// Authority is the consortium's account, whose signature is a vote.
	Authority() string
}

// Records knows patients, records and versions.
type Records interface {
	// Patient is the patient of that number.
	Patient(ctx context.Context, id string) (records.Patient, error)
	// Record is the record of that id; records.ErrUnknownRecord where there is none.
	Record(ctx context.Context, id string) (records.Record, error)
	// Version is one version; records.ErrUnknownRecord or records.ErrUnknownVersion where there is none.
	Version(ctx context.Context, record string, version uint64) (records.Version, error)
	// LockContext is what the version's lock binds, ctx, and its key's generation, gen.
	LockContext(ctx context.Context, v records.Version) (lockContext, generation [64]byte, err error)
}

// Custody asks the holders of the network's keys for their shares.
type Custody interface {
	// Key is a generation of a kind of key.
	Key(ctx context.Context, kind custody.KeyKind, generation uint64) (custody.Key, error)
	// RequestRelease asks for the shares of an unlock.
	RequestRelease(ctx context.Context, r custody.Release) error
	// Release is the release of an unlock; custody.ErrUnknownRelease where none was requested.
	Release(ctx context.Context, unlock string) (custody.Release, error)
	// CloseRelease takes no more shares and says whether any was given.
	CloseRelease(ctx context.Context, unlock string) (sharesGiven bool, err error)
}
