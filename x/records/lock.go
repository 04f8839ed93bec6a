package records

import (
	"github.com/phrd/phrd/lock"
)

// LockContext answers ctx and gen of a version with this header: what does not
// change under its lock, and the generation of the records key that it names, whose
// public key is given as its 32 bytes (docs/custody.md, appendix A). It answers
// ErrInvalidHeader or ErrInvalidID where the header names something that no lock
// can bind.
func (h Header) LockContext(network lock.Network, key []byte, record string, version uint64) (lockContext, generation [64]byte, err error) {
	x, err := lock.ParsePoint(key)
	if err != nil {
		return lockContext, generation, ErrInvalidHeader.Wrapf("network key: %v", err)
	}
	generation, err = lock.Generation{Network: network, Kind: lock.KeyRecords, Number: h.Generation, X: x}.Hash()
	if err != nil {
		return lockContext, generation, ErrInvalidHeader.Wrapf("generation: %v", err)
	}
	id, err := lock.ParseCanonicalID(record)
	if err != nil {
		return lockContext, generation, ErrInvalidID.Wrapf("record: %v", err)
	}
	owner, err := h.owner()
	if err != nil {
		return lockContext, generation, ErrInvalidHeader.Wrapf("owner: %v", err)
	}
	lockContext, err = lock.Context{
		Network: network, Suite: lock.Suite(h.Suite), Lock: lock.Lock(h.Lock), Record: id, Version: version,
		Owner: owner, Custodian: h.Custodian, Generation: generation,
	}.Hash()
	if err != nil {
		return lockContext, generation, ErrInvalidHeader.Wrap(err.Error())
	}
	return lockContext, generation, nil
}

func (h Header) owner() (lock.Owner, error) {
	if h.OwnerKind == OWNER_KIND_HOSPITAL {
		return lock.HospitalOwner(h.Custodian)
	}
	patient, err := lock.ParseCanonicalID(h.Patient)
	if err != nil {
		return lock.Owner{}, err
	}
	return lock.PatientOwner(patient), nil
}

// Encapsulation is what the proof of a valid version speaks for, when this account,
// 20 bytes, stores it under the records key whose public key is given.
func (n NewVersion) Encapsulation(network lock.Network, key, signer []byte) (lock.LockedVersion, error) {
	if err := n.Validate(); err != nil {
		return lock.LockedVersion{}, err
	}
	if len(signer) != len(lock.LockedVersion{}.Signer) {
		return lock.LockedVersion{}, ErrUnauthorized.Wrapf("signer's address has %d bytes", len(signer))
	}
	lockContext, generation, err := n.Header.LockContext(network, key, n.Record, n.Version)
	if err != nil {
		return lock.LockedVersion{}, err
	}
	v := lock.LockedVersion{
		Context: lockContext, Generation: generation, C: [32]byte(n.Header.C), Pc: n.Header.Pc, Dc: [32]byte(n.Header.Dc), Signer: [20]byte(signer),
	}
	for _, hash := range n.OwnKeys {
		v.OwnKeys = append(v.OwnKeys, [32]byte(hash))
	}
	if v.U, err = lock.ParseEncapsulation(n.Header.U); err != nil {
		return lock.LockedVersion{}, ErrInvalidHeader.Wrapf("U: %v", err)
	}
	if v.UBar, err = lock.ParsePoint(n.UBar); err != nil {
		return lock.LockedVersion{}, ErrInvalidProof.Wrapf("U-bar: %v", err)
	}
	if v.Envelope, err = lock.ParseRawCID(n.Envelope); err != nil {
		return lock.LockedVersion{}, ErrInvalidCID.Wrapf("envelope: %v", err)
	}
	if v.Object, err = lock.ParseDagCID(n.Object); err != nil {
		return lock.LockedVersion{}, ErrInvalidCID.Wrapf("object: %v", err)
	}
	return v, nil
}
