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
	// WaitingPrefix held, until consensus version 2, the releases that each holder had not answered.
	WaitingPrefix    = collections.NewPrefix(5)
	PendingPrefix    = collections.NewPrefix(6)
	RoundsPrefix     = collections.NewPrefix(7)
	RunningPrefix    = collections.NewPrefix(8)
	RoundKeysPrefix  = collections.NewPrefix(9)
	DealsPrefix      = collections.NewPrefix(10)
	SubSharesPrefix  = collections.NewPrefix(11)
	ComplaintsPrefix = collections.NewPrefix(12)
	SpokenPrefix     = collections.NewPrefix(13)
	WantedPrefix     = collections.NewPrefix(14)
)
