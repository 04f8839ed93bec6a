package consortium

import "context"

// Principals is what the module that knows patients tells of an account.
type Principals interface {
	// PatientOf answers the patient number of a wallet account, nothing where it has
	// registered none, and whether the wallet has ended.
	PatientOf(ctx context.Context, address string) (patient string, closed bool, err error)
}

// NodeHooks is what the module that places copies does when a member's nodes change.
type NodeHooks interface {
	// NodesChanged is called after a node of the member was registered or retired, and
	// after the member was suspended or reinstated. It runs inside the
	// consortium's handler, never calls back into the consortium to write, and an error
	// from it is a bug that undoes the whole message.
	NodesChanged(ctx context.Context, member uint64) error
}

// MembershipHooks is what modules that hold a member's keys and copies do when it
// comes and goes. The hooks run inside the consortium's handlers: they never call
// back into the consortium to write, and an error from one is a bug that undoes the
// whole message. The messages that admit a member and let one leave call them; the
// founders were never admitted.
type MembershipHooks interface {
	// Admitted is called when a hospital has become a member.
	Admitted(ctx context.Context, member uint64) error
	// Leaving is called when a member has asked to leave: it still serves, and gets
	// no new copies. It answers how many copies others are to take over.
	Leaving(ctx context.Context, member uint64) (copies uint64, err error)
	// ReadyToLeave says whether a leaving member's duties have passed to others.
	ReadyToLeave(ctx context.Context, member uint64) (bool, error)
	// Left is called when a member has left or was removed: what its nodes still have
	// is lost to the network.
	Left(ctx context.Context, member uint64) error
}

// Keyholders is what the module that keeps the network's keys says before a member
// goes for good.
type Keyholders interface {
	// CheckHolders answers ErrTooFewHolders where the members of which stays says yes
	// hold too few shares of a key to release anything.
	CheckHolders(ctx context.Context, stays func(member uint64) bool) error
}
