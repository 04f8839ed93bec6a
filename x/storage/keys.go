package storage

import "cosmossdk.io/collections"

const (
	// ModuleName names the module.
	ModuleName = "storage"
	// StoreKey names the module's store.
	StoreKey = ModuleName
)

// Prefixes of the collections. A number is never used for a second thing.
var (
	ParamsPrefix      = collections.NewPrefix(0)
	AttachedPrefix    = collections.NewPrefix(2)
	AssignmentsPrefix = collections.NewPrefix(4)
	HoldingsPrefix    = collections.NewPrefix(5)
	UsagePrefix       = collections.NewPrefix(6)
	BroughtPrefix     = collections.NewPrefix(7)
	PulsesPrefix      = collections.NewPrefix(8)
	BeatsPrefix       = collections.NewPrefix(9)
	ClockPrefix       = collections.NewPrefix(10)
	ShortfallsPrefix  = collections.NewPrefix(11)
	EverywherePrefix  = collections.NewPrefix(12)
	SweepsPrefix      = collections.NewPrefix(13)
	EpochPrefix       = collections.NewPrefix(14)
	LastEpochPrefix   = collections.NewPrefix(15)
	ProofsPrefix      = collections.NewPrefix(16)
	CommitmentsPrefix = collections.NewPrefix(17)
	StrikesPrefix     = collections.NewPrefix(18)

	ErasuresPrefix        = collections.NewPrefix(20)
	ErasureSequencePrefix = collections.NewPrefix(21)
	ErasedPrefix          = collections.NewPrefix(22)
	AttestationsPrefix    = collections.NewPrefix(23)

	CrowdedPrefix = collections.NewPrefix(24)
	OwedPrefix    = collections.NewPrefix(25)
	ObjectsPrefix = collections.NewPrefix(26)

	// FormerObjectsPrefix and FormerCopiesPrefix are of the first format of the state.
	FormerObjectsPrefix = collections.NewPrefix(1)
	FormerCopiesPrefix  = collections.NewPrefix(3)
)
