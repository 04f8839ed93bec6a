package lock

import (
	"encoding/binary"
	"fmt"
)

// Owner names who owns a version: a patient by id or a hospital by number.
type Owner struct {
	kind     OwnerKind
	patient  ID
	hospital uint64
}

// PatientOwner is a patient.
func PatientOwner(patient ID) Owner { return Owner{kind: OwnerPatient, patient: patient} }

// HospitalOwner is a hospital; 0 is refused with an error that is ErrField.
func HospitalOwner(number uint64) (Owner, error) {
	return Owner{kind: OwnerHospital, hospital: number}, checkNumber("owning hospital", number)
}

// ParseOwner reads an owner's id: 16 bytes for a patient, 8 for a hospital. Others are refused with an error that is ErrField.
func ParseOwner(kind OwnerKind, id []byte) (Owner, error) {
	switch {
	case kind == OwnerPatient && len(id) == len(ID{}):
		return PatientOwner(ID(id)), nil
	case kind == OwnerHospital && len(id) == 8:
		return HospitalOwner(binary.BigEndian.Uint64(id))
	}
	return Owner{}, fmt.Errorf("owner kind %d with an id of %d bytes: %w", kind, len(id), ErrField)
}

// Kind says what the owner is.
func (o Owner) Kind() OwnerKind { return o.kind }

// Bytes is the id as hashes bind it: 16 bytes for a patient, 8 for a hospital.
func (o Owner) Bytes() []byte {
	if o.kind == OwnerPatient {
		return o.patient[:]
	}
	return Uint(o.hospital)
}

// Context is what does not change under one lock of a version; owner and custodian are those at locking.
type Context struct {
	Network    Network
	Suite      Suite
	Lock       Lock
	Record     ID
	Version    uint64 // from 1
	Owner      Owner
	Custodian  uint64   // hospital number; 0 for none
	Generation [64]byte // gen of the network's key
}

// Hash is ctx (docs/custody.md, appendix A). The error is ErrField.
func (c Context) Hash() ([64]byte, error) {
	for _, err := range []error{c.Suite.Check(), c.Lock.Check(), checkNumber("version", c.Version), c.Owner.kind.Check()} {
		if err != nil {
			return [64]byte{}, err
		}
	}
	if c.Owner.kind == OwnerHospital {
		if err := checkNumber("owning hospital", c.Owner.hospital); err != nil {
			return [64]byte{}, err
		}
	}
	return H("phrd/v1/record", c.Network[:], Uint(uint64(c.Suite)), Uint(uint64(c.Lock)), c.Record[:], Uint(c.Version),
		Uint(uint64(c.Owner.kind)), c.Owner.Bytes(), Uint(c.Custodian), c.Generation[:]), nil
}
