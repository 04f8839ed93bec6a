package audit

import "cosmossdk.io/collections"

const (
	// ModuleName names the module.
	ModuleName = "audit"
	// StoreKey names the module's store.
	StoreKey = ModuleName
)

// Prefixes of the collections. A number is never used for a second thing.
var (
	EntriesPrefix  = collections.NewPrefix(0)
	FrontierPrefix = collections.NewPrefix(1)
	SubjectsPrefix = collections.NewPrefix(2)
)
