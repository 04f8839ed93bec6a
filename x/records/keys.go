package records

import "cosmossdk.io/collections"

const (
	// ModuleName names the module.
	ModuleName = "records"
	// StoreKey names the module's store.
	StoreKey = ModuleName
)

// Prefixes of the collections. A number is never used for a second thing.
var (
	ParamsPrefix              = collections.NewPrefix(0)
	PatientsPrefix            = collections.NewPrefix(1)
	PatientsByAddressPrefix   = collections.NewPrefix(2)
	PatientsByVaultPrefix     = collections.NewPrefix(3)
	PatientsByVaultBlobPrefix = collections.NewPrefix(4)
	RecordsPrefix             = collections.NewPrefix(5)
	RecordsByPatientPrefix    = collections.NewPrefix(6)
	RecordsByCustodianPrefix  = collections.NewPrefix(7)
	VersionsPrefix            = collections.NewPrefix(8)
	VersionsByObjectPrefix    = collections.NewPrefix(9)
	EnvelopesPrefix           = collections.NewPrefix(10)
	PointsPrefix              = collections.NewPrefix(11)
	ReportedPrefix            = collections.NewPrefix(12)
	RequestsPrefix            = collections.NewPrefix(13)
	RequestSequencePrefix     = collections.NewPrefix(14)
	RequestsByVersionPrefix   = collections.NewPrefix(15)
	RequestsByCustodianPrefix = collections.NewPrefix(16)
	BlocksPrefix              = collections.NewPrefix(17)
	ReplacedPrefix            = collections.NewPrefix(18)
	CopiedPrefix              = collections.NewPrefix(19)
	RelockQueuePrefix         = collections.NewPrefix(20)
	LocksPrefix               = collections.NewPrefix(21)
	FormerWalletsPrefix       = collections.NewPrefix(22)
)
