package lock

import "fmt"

// Network is the network id: 32 bytes of genesis that every hash binds.
type Network [32]byte

// NetworkFromBytes takes 32 bytes, else an error that is ErrField.
func NetworkFromBytes(b []byte) (Network, error) {
	if len(b) != len(Network{}) {
		return Network{}, fmt.Errorf("network id of %d bytes: %w", len(b), ErrField)
	}
	return Network(b), nil
}

// Suite names the set of algorithms of a lock.
type Suite uint64

// Suite1 is the only suite: ristretto255, X-Wing, SHA-512, AES-256-GCM.
const Suite1 Suite = 1

// Lock says which halves a version's key has.
type Lock uint64

// The locks.
const (
	LockBoth    Lock = 1 // the owner's half and the network's
	LockNetwork Lock = 2 // the network's half alone
)

// KeyKind says what a network key is for.
type KeyKind uint64

// The kinds of network keys.
const (
	KeyRecords   KeyKind = 1
	KeyEmergency KeyKind = 2
	KeyGuardians KeyKind = 3
)

// OwnerKind says whether a patient or a hospital owns a version.
type OwnerKind uint64

// The kinds of owners.
const (
	OwnerPatient  OwnerKind = 1 // named by the patient's id
	OwnerHospital OwnerKind = 2 // named by the hospital's number
)

// RecipientKind says whose vault an owner half is sealed to.
type RecipientKind uint64

// The kinds of recipients.
const (
	RecipientPatient   RecipientKind = 1 // named by the patient's id
	RecipientHospital  RecipientKind = 2 // named by the hospital's number
	RecipientStaff     RecipientKind = 3 // named by the account's address
	RecipientEmergency RecipientKind = 4 // named by the hospital's number
)

// SlotKind says what opens a slot of a vault.
type SlotKind uint64

// The kinds of slots.
const (
	SlotWallet    SlotKind = 1
	SlotCode      SlotKind = 2
	SlotPasskey   SlotKind = 3
	SlotGuardians SlotKind = 4
)

// Check returns an error that is ErrField unless s is a suite.
func (s Suite) Check() error { return checkEnum("suite", uint64(s), uint64(Suite1)) }

// Check returns an error that is ErrField unless l is a lock.
func (l Lock) Check() error { return checkEnum("lock", uint64(l), uint64(LockNetwork)) }

// Check returns an error that is ErrField unless k is a kind of network key.
func (k KeyKind) Check() error { return checkEnum("key kind", uint64(k), uint64(KeyGuardians)) }

// Check returns an error that is ErrField unless k is a kind of owner.
func (k OwnerKind) Check() error { return checkEnum("owner kind", uint64(k), uint64(OwnerHospital)) }

// Check returns an error that is ErrField unless k is a kind of recipient.
func (k RecipientKind) Check() error {
	return checkEnum("recipient kind", uint64(k), uint64(RecipientEmergency))
}

// Check returns an error that is ErrField unless k is a kind of slot.
func (k SlotKind) Check() error { return checkEnum("slot kind", uint64(k), uint64(SlotGuardians)) }

// checkEnum: enums count from 1, and 0 is never valid.
func checkEnum(name string, n, last uint64) error {
	if n == 0 || n > last {
		return fmt.Errorf("%s %d: %w", name, n, ErrField)
	}
	return nil
}
