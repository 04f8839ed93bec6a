package records

import "context"

// LockHooks is what records tells the module that keeps unlocks. The hooks run inside
// records' handlers, and an error from one is a bug that undoes the whole message.
type LockHooks interface {
	// VersionsErased is called after versions were erased: no unlock may name them any more.
	VersionsErased(ctx context.Context, refs []Ref) error
	// VersionsRelocked is called after versions got other locks: unlocks that were proposed before are void.
	VersionsRelocked(ctx context.Context, refs []Ref) error
}
