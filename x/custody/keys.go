package custody

import "cosmossdk.io/collections"

const (
	// ModuleName names the module.
	ModuleName = "custody"
	// StoreKey names the module's store.
	StoreKey = ModuleName
)

// Prefixes of the collections. A number is never used for a second thing.
var (
	ParamsPrefix   = collections.NewPrefix(0)
	KeysPrefix     = collections.NewPrefix(1)
	HoldersPrefix  = collections.NewPrefix(2)
	ReleasesPrefix = collections.NewPrefix(3)
	SharesPrefix   = collections.NewPrefix(4)
	WaitingPrefix  = collections.NewPrefix(5)
)
