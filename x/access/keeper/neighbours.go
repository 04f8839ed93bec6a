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
	// Inviter is the member that invited the account; 0 where nobody did.
	Inviter(ctx context.Context, address string) (uint64, error)
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
	// WhyNotWallet is the reason why an account can't become a patient's wallet, or nothing.
	WhyNotWallet(ctx context.Context, address string) (string, error)
	// WhyNotRecover is the reason why the account that signs can't take the place of the patient's wallet with that vault, or nothing.
	WhyNotRecover(ctx context.Context, patient string, msg *records.MsgRotateVault) (string, error)
	// Recover lets it take that place, and writes the entry.
	Recover(ctx context.Context, patient string, msg *records.MsgRotateVault, entry audit.Entry) error
	// CloseWallet ends a patient's wallet, which signs nothing any more.
	CloseWallet(ctx context.Context, patient string) error
	// WhyNotKeepShares is the reason why a block with guardians' shares can't be brought in, or nothing.
	WhyNotKeepShares(ctx context.Context, cid string, size, hospital uint64) (string, error)
	// KeepShares has it kept until the patient's vault is written anew.
	KeepShares(ctx context.Context, patient, cid string, size, hospital uint64) error
	// HasPoint says whether a point was the U of a lock or of a guardian slot.
	HasPoint(ctx context.Context, u []byte) (bool, error)
	// NamePoint notes the U of a guardian slot.
	NamePoint(ctx context.Context, u []byte) error
}

// Custody asks the holders of the network's keys for their shares.
type Custody interface {
	// Key is that generation of the key; generation 0 asks for the newest. custody.ErrNoKey or custody.ErrKeyInMaking where there is none.
	Key(ctx context.Context, kind custody.KeyKind, generation uint64) (custody.Key, error)
	// RequestRelease asks for the shares of an unlock.
	RequestRelease(ctx context.Context, r custody.Release) error
	// Release is the release of an unlock; custody.ErrUnknownRelease where none was requested.
	Release(ctx context.Context, unlock string) (custody.Release, error)
	// CloseRelease takes no more shares and says whether any was given.
	CloseRelease(ctx context.Context, unlock string) (sharesGiven bool, err error)
}
