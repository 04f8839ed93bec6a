package access

import "cosmossdk.io/collections"

const (
	// ModuleName names the module.
	ModuleName = "access"
	// StoreKey names the module's store. It differs from the module's name because no store's name may begin with
	// another's, and auth's is "acc".
	StoreKey = "unlocks"
)

// Prefixes of the collections. A number is never used for a second thing.
var (
	ParamsPrefix             = collections.NewPrefix(0)
	UnlocksPrefix            = collections.NewPrefix(1)
	UnlockSequencePrefix     = collections.NewPrefix(2)
	UnlocksBySequencePrefix  = collections.NewPrefix(3)
	UnlocksByPatientPrefix   = collections.NewPrefix(4)
	UnlocksByRequesterPrefix = collections.NewPrefix(5)
	UnlocksByCustodianPrefix = collections.NewPrefix(6)
	OpenUnlocksPrefix        = collections.NewPrefix(7)
	PointsPrefix             = collections.NewPrefix(8)
	RequestKeysPrefix        = collections.NewPrefix(9)
	ExpiryQueuePrefix        = collections.NewPrefix(10)
	ReleaseQueuePrefix       = collections.NewPrefix(11)
	OpenByVersionPrefix      = collections.NewPrefix(12)
	VoidPrefix               = collections.NewPrefix(13)
	ConsentsPrefix           = collections.NewPrefix(14)
	ConsentSequencePrefix    = collections.NewPrefix(15)
	ConsentsByPatientPrefix  = collections.NewPrefix(16)
	ConsentsByGranteePrefix  = collections.NewPrefix(17)
	LiveConsentsPrefix       = collections.NewPrefix(18)
	ConsentQueuePrefix       = collections.NewPrefix(19)
	OpenByConsentPrefix      = collections.NewPrefix(20)
	WithdrawnPrefix          = collections.NewPrefix(21)

	EmergencyTermsPrefix        = collections.NewPrefix(30)
	EmergenciesPrefix           = collections.NewPrefix(31)
	EmergencySequencePrefix     = collections.NewPrefix(32)
	EmergenciesBySequencePrefix = collections.NewPrefix(33)
	OpenEmergenciesPrefix       = collections.NewPrefix(34)
	EmergencyUsesPrefix         = collections.NewPrefix(35)
	EmergencyQueuePrefix        = collections.NewPrefix(36)
	GuardiansPrefix             = collections.NewPrefix(40)
	GuardedPrefix               = collections.NewPrefix(41)
	RecoveriesPrefix            = collections.NewPrefix(42)
	RecoverySequencePrefix      = collections.NewPrefix(43)
	RecoveriesByPatientPrefix   = collections.NewPrefix(44)
	RecoveriesByAccountPrefix   = collections.NewPrefix(45)
	RecoveriesByGuardianPrefix  = collections.NewPrefix(46)
	RecoveriesByUnlockPrefix    = collections.NewPrefix(47)
	OpenRecoveriesPrefix        = collections.NewPrefix(48)
	RecoveryQueuePrefix         = collections.NewPrefix(49)
	HandOversPrefix             = collections.NewPrefix(50)
	HandOverQueuePrefix         = collections.NewPrefix(51)
)
