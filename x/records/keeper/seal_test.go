package keeper_test

import (
	"crypto/sha256"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/records"
)

// version is a version of the patient's record that the clerk may store.
func (f *fixture) version(owner records.Patient, record lock.ID, number uint64) records.NewVersion {
	f.t.Helper()
	return f.versionBy(f.clerk, clinic, owner, record, number, nil)
}

// versionWith is version with a change made before the proof.
func (f *fixture) versionWith(owner records.Patient, record lock.ID, number uint64, change func(*records.NewVersion)) records.NewVersion {
	f.t.Helper()
	return f.versionBy(f.clerk, clinic, owner, record, number, change)
}

// versionBy is versionWith, signed by another account and for another custodian.
func (f *fixture) versionBy(
	signer string, custodian uint64, owner records.Patient, record lock.ID, number uint64, change func(*records.NewVersion),
) records.NewVersion {
	f.t.Helper()
	hash := sha256.Sum256(owner.Vault.Key)
	n := records.NewVersion{
		Record: record.String(), Version: number, Class: records.CLASS_IMAGING,
		Header: records.Header{
			Suite: 1, Lock: records.LOCK_OWNER_AND_NETWORK, OwnerKind: records.OWNER_KIND_PATIENT, Patient: owner.Id, Custodian: custodian,
			Generation: f.keys.newest, C: f.bytes(32), Pc: f.bytes(32), Dc: f.bytes(32),
		},
		OwnKeys: [][]byte{hash[:]}, Envelope: lock.RawCID(f.digest()).String(), EnvelopeSize: 2000, Object: lock.DagCID(f.digest()).String(), Size_: 4096,
	}
	if change != nil {
		change(&n)
	}
	return f.proved(signer, f.encapsulate(n.Header.Generation), n)
}

// internal is a version of the clinic's own record.
func (f *fixture) internal(record lock.ID, number uint64) records.NewVersion {
	f.t.Helper()
	return f.versionBy(f.clerk, clinic, records.Patient{}, record, number, func(n *records.NewVersion) {
		hash := sha256.Sum256(f.people.members[clinic].VaultKey)
		n.Header.OwnerKind, n.OwnKeys = records.OWNER_KIND_HOSPITAL, [][]byte{hash[:]}
	})
}

// generation is a generation of the records key; one to come has the key of 1.
func (f *fixture) generation(number uint64) lock.Generation {
	f.t.Helper()
	key, known := f.keys.keys[number]
	if !known {
		key = f.keys.keys[1]
	}
	x, err := lock.ParsePoint(key.PublicKey)
	require.NoError(f.t, err)
	return lock.Generation{Network: network, Kind: lock.KeyRecords, Number: number, X: x}
}

// encapsulate draws a fresh U.
func (f *fixture) encapsulate(generation uint64) *lock.Encapsulation {
	f.t.Helper()
	e, err := lock.NewEncapsulation(f.generation(generation), f.random)
	require.NoError(f.t, err)
	return e
}

// proved is the version with this U and its proof, for this signer. What no proof
// can be made for gets 64 other bytes.
func (f *fixture) proved(signer string, e *lock.Encapsulation, n records.NewVersion) records.NewVersion {
	f.t.Helper()
	n.Header.U, n.UBar, n.Proof = e.U.Bytes(), e.UBar.Bytes(), f.bytes(64)
	account, err := sdk.AccAddressFromBech32(signer)
	require.NoError(f.t, err)
	v, err := n.Encapsulation(network, f.generation(n.Header.Generation).X.Bytes(), account)
	require.NoError(f.t, err)
	if label, err := v.Label(); err == nil {
		n.Proof, err = e.Prove(label, f.random)
		require.NoError(f.t, err)
	}
	return n
}
