package records

import (
	"context"
	"slices"
)

// LockHooks is what records tells the module that keeps unlocks and guardians. The hooks run inside
// records' handlers, and an error from one is a bug that undoes the whole message.
type LockHooks interface {
	// VersionsErased is called after versions were erased: no unlock may name them any more.
	VersionsErased(ctx context.Context, refs []Ref) error
	// VersionsRelocked is called after versions got other locks: unlocks that were proposed before are void.
	VersionsRelocked(ctx context.Context, refs []Ref) error
	// VaultWritten is called after a patient's vault was written anew: what could open the one before opens nothing now.
	VaultWritten(ctx context.Context, patient string) error
}

// Grantee is a vault to which versions may be sealed beside their owner's, because the owner
// consented.
type Grantee struct {
	// KeyHash is the SHA-256 of the vault's public key of today.
	KeyHash [32]byte
	// Classes of records that it may open; where there are none, Records are named.
	Classes []Class
	// Records that it may open, by id as text, sorted.
	Records []string
}

// Covers says whether a record of that class is one that the grantee may open.
func (g Grantee) Covers(record string, class Class) bool {
	if len(g.Classes) > 0 {
		return slices.Contains(g.Classes, class)
	}
	_, named := slices.BinarySearch(g.Records, record)
	return named
}

// Agreements is what the module that keeps emergencies tells records.
type Agreements interface {
	// AgreedToEmergencies says whether a patient's agreement to be opened in emergencies is in force.
	AgreedToEmergencies(ctx context.Context, patient string) (bool, error)
}

// Grantees is what the module that keeps consents tells records.
type Grantees interface {
	// Grantees are the vaults to which versions of that patient may be sealed now, beside the patient's own.
	Grantees(ctx context.Context, patient string) ([]Grantee, error)
}
