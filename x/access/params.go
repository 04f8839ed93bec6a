package access

import "github.com/phrd/phrd/x/records"

const (
	// MaxVersions is how many versions one unlock names at most.
	MaxVersions = 64
	// MaxPageSize is how many unlocks a query lists at most.
	MaxPageSize = 200
	// MaxExpiriesPerBlock is how many unlocks one block ends at most because their time ran out, and how many more because a version was erased.
	MaxExpiriesPerBlock = 100
	// MaxVoidAtOnce is how many unlocks a message ends at once, at most, because a version that they name was erased or got another lock,
	// or because the consent that stood in for their approval was withdrawn.
	MaxVoidAtOnce = 8
	// MaxConsents is how many live consents a patient has at most, so that a version can be sealed to the vault of each beside the owner's.
	MaxConsents = records.MaxOwnKeys - 1
	// MaxConsentRecords is how many records a consent names at most.
	MaxConsentRecords = 64
	// MaxConsentLifetime is how long a consent lasts at most, in seconds: two years.
	MaxConsentLifetime = 2 * 366 * 24 * 60 * 60
	// MaxUsesADay is how many unlocks a consent stands in for on one day at most.
	MaxUsesADay = 1000
	// MaxConsentsEndedPerBlock is how many consents one block ends at most because their time ran out.
	MaxConsentsEndedPerBlock = 100
	// MinGuardians is how many guardians a patient names at least, and how many of them open together at least: none should do it alone.
	MinGuardians = 2
	// MaxGuardians is how many guardians a patient names at most.
	MaxGuardians = 8
	// MaxHandOverTime is how far ahead a hand-over can be, in seconds: 25 years.
	MaxHandOverTime = 25 * 366 * 24 * 60 * 60
	// MaxHandOversPerBlock is of how many hand-overs one block notes at most that their time has come. Each may end MaxConsents consents.
	MaxHandOversPerBlock = 4
	// MaxRecoveryDelay is the longest delay of a recovery in seconds: 60 days.
	MaxRecoveryDelay = 60 * 24 * 60 * 60
	// MaxRecoveryTime is how long a recovery may wait for its approvals and its end, beside its delay, in seconds: 30 days.
	MaxRecoveryTime = 30 * 24 * 60 * 60
	// MaxRecoveriesPerBlock is of how many recoveries one block notes at most that their time ran out, and of how many more that their delay is over.
	MaxRecoveriesPerBlock = 100
	// MaxReleasesPerBlock is how many approved unlocks one block hands to the holders at most.
	MaxReleasesPerBlock = 100

	// MinEmergencyApprovals is how many other hospitals approve an emergency at least.
	MinEmergencyApprovals = 2
	// MinEmergencyDelay is how many seconds pass at least between the last approval of an emergency and the release.
	MinEmergencyDelay = 10
	// MaxEmergencyDelay is how many pass at most.
	MaxEmergencyDelay = 24 * 60 * 60
	// MaxEmergencyLifetime is how many seconds after its request an emergency ends by itself, at most.
	MaxEmergencyLifetime = 2 * 24 * 60 * 60
	// EmergencyReviewTime is within how many seconds of its use an emergency is to be reviewed.
	EmergencyReviewTime = 7 * 24 * 60 * 60
	// MaxEmergencyVaults is to how many emergency vaults a version is sealed at most.
	MaxEmergencyVaults = 16
	// MaxOpenEmergencies is how many emergencies of one patient are open at most.
	MaxOpenEmergencies = 16
	// MaxEmergenciesPerBlock is how many emergencies one block hands on at most because their delay is over.
	MaxEmergenciesPerBlock = 50

	maxEmergencyApprovals = 8

	maxPurpose      = 16
	limitLifetime   = 14 * 24 * 60 * 60
	minLifetime     = 60
	limitEndorsers  = 8
	limitOpen       = 64
	defaultMaxOpen  = 8
	defaultEndorser = 1
	defaultDelay    = 7 * 24 * 60 * 60

	minHospitals   = 2
	limitHospitals = 16
)

// DefaultParams are one endorsement, 14 days and 8 open unlocks for each requester and owner, and 7 days before a recovery.
func DefaultParams() Params {
	return Params{Endorsements: defaultEndorser, MaxLifetime: limitLifetime, MaxOpen: defaultMaxOpen}
}

// Validate answers ErrInvalidParams where a bound is outside its range.
func (p Params) Validate() error {
	if p.Endorsements < 1 || p.Endorsements > limitEndorsers {
		return ErrInvalidParams.Wrapf("endorsements: got %d, want 1 to %d", p.Endorsements, limitEndorsers)
	}
	if p.MaxLifetime < minLifetime || p.MaxLifetime > limitLifetime {
		return ErrInvalidParams.Wrapf("max_lifetime: got %d, want %d to %d seconds", p.MaxLifetime, minLifetime, limitLifetime)
	}
	if p.MaxOpen < 1 || p.MaxOpen > limitOpen {
		return ErrInvalidParams.Wrapf("max_open: got %d, want 1 to %d", p.MaxOpen, limitOpen)
	}
	if p.RecoveryDelay > MaxRecoveryDelay {
		return ErrInvalidParams.Wrapf("recovery_delay: got %d, want at most %d seconds", p.RecoveryDelay, MaxRecoveryDelay)
	}
	if n := p.RecoveryHospitals; n != 0 && (n < minHospitals || n > limitHospitals) {
		return ErrInvalidParams.Wrapf("recovery_hospitals: got %d, want %d to %d", n, minHospitals, limitHospitals)
	}
	return nil
}

// LeastDelay is the least time between the last approval of a recovery and its end in seconds, and
// the one of recoveries that hospitals approve.
func (p Params) LeastDelay() uint64 {
	if p.RecoveryDelay == 0 {
		return defaultDelay
	}
	return p.RecoveryDelay
}

// Hospitals is of how many hospitals an officer approves a recovery that guardians don't.
func (p Params) Hospitals() uint32 {
	if p.RecoveryHospitals == 0 {
		return minHospitals
	}
	return p.RecoveryHospitals
}
