package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/storage"
)

func TestRegisterPatient(t *testing.T) {
	f := newFixture(t)
	number, _, err := f.keeper.PatientOf(f.ctx, f.wallet)
	require.NoError(t, err)
	require.Empty(t, number)

	msg := f.registration(f.wallet)
	_, err = f.msg.RegisterPatient(f.ctx, msg)
	require.NoError(t, err)
	p, err := f.keeper.PatientByAddress(f.ctx, f.wallet)
	require.NoError(t, err)
	require.Equal(t, msg.Patient, p.Id)
	require.EqualValues(t, start, p.Since)
	require.EqualValues(t, 1, p.Vault.Epoch)
	require.EqualValues(t, 1, p.Vault.Revision)
	require.Len(t, p.Vault.Key, records.VaultKeySize)
	number, closed, err := f.keeper.PatientOf(f.ctx, f.wallet)
	require.NoError(t, err)
	require.False(t, closed)
	require.Equal(t, msg.Patient, number)
	require.Equal(t, []storage.Placement{{CID: msg.VaultBlob, Size: msg.VaultSize, Class: "vault", Member: hospital}}, f.placed.placements)
	require.Equal(t, audit.Entry{
		Kind: audit.KindPatientRegistered, Actor: f.wallet, Role: "patient", Patient: msg.Patient, Outcome: audit.OUTCOME_OK,
	}, f.log.last())
}

func TestRegisterPatientErrors(t *testing.T) {
	f := newFixture(t)
	known := f.registration(f.wallet)
	_, err := f.msg.RegisterPatient(f.ctx, known)
	require.NoError(t, err)
	second := f.person(consortium.ROLE_PATIENT, 0)
	gone := f.person(consortium.ROLE_PATIENT, 0)
	p := f.people.principals[gone]
	p.Active = false
	f.people.principals[gone] = p
	stored := f.version(f.patient(f.person(consortium.ROLE_PATIENT, 0)), f.id(), 1)
	require.Empty(t, f.store(stored))

	for _, c := range []struct {
		name   string
		change func(*records.MsgRegisterPatient)
		err    error
	}{
		{"a stranger", func(m *records.MsgRegisterPatient) { m.Address = "phrd1nobody" }, consortium.ErrUnknownAccount},
		{"a clerk", func(m *records.MsgRegisterPatient) { m.Address = f.clerk }, records.ErrUnauthorized},
		{"an account that may not write", func(m *records.MsgRegisterPatient) { m.Address = gone }, records.ErrUnauthorized},
		{"an account that has a patient", func(m *records.MsgRegisterPatient) { m.Address = f.wallet }, records.ErrKnownPatient},
		{"a number that is taken", func(m *records.MsgRegisterPatient) { m.Patient = known.Patient }, records.ErrKnownPatient},
		{"a vault that is taken", func(m *records.MsgRegisterPatient) { m.Vault = known.Vault }, records.ErrKnownPatient},
		{"a blob that is taken", func(m *records.MsgRegisterPatient) { m.VaultBlob = known.VaultBlob }, records.ErrKnownPatient},
		{"an envelope as blob", func(m *records.MsgRegisterPatient) { m.VaultBlob = stored.Envelope }, records.ErrKnownPatient},
		{"no number", func(m *records.MsgRegisterPatient) { m.Patient = "" }, records.ErrInvalidID},
		{"a number in lower case", func(m *records.MsgRegisterPatient) { m.Patient = "0" + m.Patient[:26] }, records.ErrInvalidID},
		{"no vault", func(m *records.MsgRegisterPatient) { m.Vault = "x" }, records.ErrInvalidVault},
		{"a part less", func(m *records.MsgRegisterPatient) { m.VaultKey = m.VaultKey[:18] }, records.ErrInvalidVault},
		{"a short part", func(m *records.MsgRegisterPatient) { m.VaultKey[3] = m.VaultKey[3][:63] }, records.ErrInvalidVault},
		{"a key that is none", func(m *records.MsgRegisterPatient) {
			m.VaultKey[0] = []byte("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")
			for i := range m.VaultKey[0] {
				m.VaultKey[0][i] = 0xff // coefficients above q
			}
		}, records.ErrInvalidVault},
		{"a dag as blob", func(m *records.MsgRegisterPatient) { m.VaultBlob = lock.DagCID(f.digest()).String() }, records.ErrInvalidVault},
		{"an empty blob", func(m *records.MsgRegisterPatient) { m.VaultSize = 0 }, records.ErrInvalidVault},
		{"a huge blob", func(m *records.MsgRegisterPatient) { m.VaultSize = records.MaxVaultSize + 1 }, records.ErrInvalidVault},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg, entries, placed := f.registration(second), len(f.log.entries), len(f.placed.placements)
			c.change(msg)
			_, err := f.msg.RegisterPatient(f.ctx, msg)
			require.ErrorIs(t, err, c.err)
			require.Len(t, f.log.entries, entries)
			require.Len(t, f.placed.placements, placed)
		})
	}
	_, err = f.msg.RegisterPatient(f.ctx, f.registration(second))
	require.NoError(t, err)
}

func TestSubjectOfAnObject(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	n, own := f.version(alice, f.id(), 1), f.internal(f.id(), 1)
	require.Empty(t, f.store(n, own))
	for _, c := range []struct {
		name, cid, patient string
		subjects           []audit.Subject
	}{
		{"a patient's version", n.Object, alice.Id, []audit.Subject{{Record: n.Record, Version: 1}}},
		{"a hospital's version", own.Object, "", []audit.Subject{{Record: own.Record, Version: 1}}},
		{"a vault blob", alice.Vault.Blob, alice.Id, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			patient, subjects, err := f.keeper.Subject(f.ctx, c.cid)
			require.NoError(t, err)
			require.Equal(t, c.patient, patient)
			require.Equal(t, c.subjects, subjects)
		})
	}
	_, _, err := f.keeper.Subject(f.ctx, lock.DagCID(f.digest()).String())
	require.ErrorIs(t, err, records.ErrUnknownVersion)
	_, _, err = f.keeper.Subject(f.ctx, "x")
	require.ErrorIs(t, err, records.ErrInvalidCID)
}

func TestCopyChangedTellsOfVersionsOnly(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	n := f.version(alice, f.id(), 1)
	require.Empty(t, f.store(n))
	events := func(cid string) int {
		before := len(f.ctx.EventManager().Events())
		require.NoError(t, f.keeper.CopyChanged(f.ctx, cid, 2, 3))
		return len(f.ctx.EventManager().Events()) - before
	}
	require.Equal(t, 1, events(n.Object))
	newest := f.ctx.EventManager().Events()[len(f.ctx.EventManager().Events())-1]
	require.Equal(t, "phrd.records.v1.EventCopiesChanged", newest.Type)
	require.Zero(t, events(alice.Vault.Blob))
	require.Zero(t, events(lock.DagCID(f.digest()).String()))
	require.ErrorIs(t, f.keeper.CopyChanged(f.ctx, "x", 2, 3), records.ErrInvalidCID)
}
