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

// rotation is what a patient's program sends to write the vault anew, with another key where there is one.
func (f *fixture) rotation(p records.Patient, key []byte) *records.MsgRotateVault {
	m := &records.MsgRotateVault{
		Address: p.Address, Revision: p.Vault.Revision + 1, VaultBlob: lock.RawCID(f.digest()).String(), VaultSize: 4108, Hospital: clinic,
	}
	for ; len(key) > 0; key = key[64:] {
		m.VaultKey = append(m.VaultKey, key[:64])
	}
	return m
}

func (f *fixture) rotate(m *records.MsgRotateVault) string {
	f.t.Helper()
	res, err := f.msg.RotateVault(f.ctx, m)
	require.NoError(f.t, err)
	require.Equal(f.t, res.Reason != "", res.Outcome == audit.OUTCOME_REFUSED)
	require.Equal(f.t, res.Reason, f.log.last().Reason)
	return res.Reason
}

// A vault gets another key, to which versions are locked from then on; the blob before it is erased once the new one is safe.
func TestRotateVault(t *testing.T) {
	f := newFixture(t)
	alice, versions, _ := f.stored()
	key := f.vaultKey()
	m := f.rotation(alice, key)
	require.Empty(t, f.rotate(m))
	require.Equal(t, audit.Entry{
		Kind: audit.KindVaultRotated, Actor: f.wallet, Role: "patient", Patient: alice.Id, Target: "2", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	rotated, err := f.keeper.Patient(f.ctx, alice.Id)
	require.NoError(t, err)
	require.Equal(t, records.Vault{Id: alice.Vault.Id, Epoch: 2, Key: key, Revision: 2, Blob: m.VaultBlob}, rotated.Vault)
	require.Contains(t, f.placed.placements, storage.Placement{CID: m.VaultBlob, Size: 4108, Class: records.VaultClass, Member: clinic})
	require.Empty(t, f.placed.erased)
	f.copied(m.VaultBlob)
	require.Equal(t, [][]string{{alice.Vault.Blob}}, f.placed.erased)
	patient, subjects, err := f.keeper.Subject(f.ctx, alice.Vault.Blob)
	require.NoError(t, err)
	require.Equal(t, alice.Id, patient)
	require.Empty(t, subjects)

	id := f.id()
	require.Equal(t, records.ReasonStaleVaultKey, f.store(f.version(alice, id, 1)), "it is sealed to the key before")
	require.Empty(t, f.store(f.version(rotated, id, 1)))
	require.EqualValues(t, 2, f.current(id, 1).SealedEpoch)
	require.Equal(t, records.ReasonStaleVaultKey, f.reseal(f.resealing(f.wallet, alice.Vault.Key, versions[0])))
	require.Empty(t, f.reseal(f.resealing(f.wallet, key, versions[0])))
	require.EqualValues(t, 2, f.current(must(lock.ParseCanonicalID(versions[0].Record)), 1).SealedEpoch)

	// A slot that is added or closed changes the blob alone.
	m = f.rotation(rotated, nil)
	require.Empty(t, f.rotate(m))
	require.Equal(t, audit.KindVaultWritten, f.log.last().Kind)
	require.Equal(t, "3", f.log.last().Target)
	written, err := f.keeper.Patient(f.ctx, alice.Id)
	require.NoError(t, err)
	require.Equal(t, records.Vault{Id: alice.Vault.Id, Epoch: 2, Key: key, Revision: 3, Blob: m.VaultBlob}, written.Vault)
}

func TestRotateVaultRefusals(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	for _, c := range []struct {
		name   string
		change func(*records.MsgRotateVault)
		reason string
	}{
		{"the revision of today", func(m *records.MsgRotateVault) { m.Revision = 1 }, records.ReasonStaleRevision},
		{"a revision left out", func(m *records.MsgRotateVault) { m.Revision = 3 }, records.ReasonStaleRevision},
		{"the blob of today", func(m *records.MsgRotateVault) { m.VaultBlob = alice.Vault.Blob }, records.ReasonRepeatedCID},
		{"taken in by nobody", func(m *records.MsgRotateVault) { m.Hospital = 9 }, records.ReasonHospitalInactive},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := f.rotation(alice, f.vaultKey())
			c.change(m)
			require.Equal(t, c.reason, f.rotate(m))
		})
	}
	for name, change := range map[string]func(*records.MsgRotateVault){
		"a key in too few parts": func(m *records.MsgRotateVault) { m.VaultKey = m.VaultKey[:18] },
		"a part too short":       func(m *records.MsgRotateVault) { m.VaultKey[3] = m.VaultKey[3][:63] },
		"an empty blob":          func(m *records.MsgRotateVault) { m.VaultSize = 0 },
		"a large blob":           func(m *records.MsgRotateVault) { m.VaultSize = records.MaxVaultSize + 1 },
		"no revision":            func(m *records.MsgRotateVault) { m.Revision = 0 },
	} {
		m := f.rotation(alice, f.vaultKey())
		change(m)
		_, err := f.msg.RotateVault(f.ctx, m)
		require.ErrorIs(t, err, records.ErrInvalidVault, name)
	}
	m := f.rotation(alice, nil)
	m.Address = f.person(consortium.ROLE_PATIENT, 0)
	_, err := f.msg.RotateVault(f.ctx, m)
	require.ErrorIs(t, err, records.ErrUnauthorized)
	require.Empty(t, f.rotate(f.rotation(alice, nil)))
}

// succession is what a patient's program sends to have another account in the place of the patient's.
func (f *fixture) succession(p records.Patient, next string, key []byte) *records.MsgRotateWallet {
	m := f.rotation(p, key)
	return &records.MsgRotateWallet{
		Address: m.Address, Next: next, VaultKey: m.VaultKey, Revision: m.Revision, VaultBlob: m.VaultBlob, VaultSize: m.VaultSize, Hospital: m.Hospital,
	}
}

func (f *fixture) succeed(m *records.MsgRotateWallet) string {
	f.t.Helper()
	res, err := f.msg.RotateWallet(f.ctx, m)
	require.NoError(f.t, err)
	require.Equal(f.t, res.Reason != "", res.Outcome == audit.OUTCOME_REFUSED)
	require.Equal(f.t, res.Reason, f.log.last().Reason)
	return res.Reason
}

// A patient takes another account; the former one is nobody's, and never a patient's again.
func TestRotateWallet(t *testing.T) {
	f := newFixture(t)
	alice, versions, _ := f.stored()
	next, key := f.person(consortium.ROLE_PATIENT, 0), f.vaultKey()
	m := f.succession(alice, next, key)
	require.Empty(t, f.succeed(m))
	require.Equal(t, audit.Entry{
		Kind: audit.KindWalletChanged, Actor: f.wallet, Role: "patient", Patient: alice.Id, Target: next, Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	changed, err := f.keeper.PatientByAddress(f.ctx, next)
	require.NoError(t, err)
	require.Equal(t, records.Patient{
		Id: alice.Id, Address: next, Since: alice.Since, Vault: records.Vault{Id: alice.Vault.Id, Epoch: 2, Key: key, Revision: 2, Blob: m.VaultBlob},
	}, changed)
	_, err = f.keeper.PatientByAddress(f.ctx, f.wallet)
	require.ErrorIs(t, err, records.ErrUnknownPatient)
	_, err = f.msg.RegisterPatient(f.ctx, f.registration(f.wallet))
	require.ErrorIs(t, err, records.ErrKnownPatient)
	require.Equal(t, records.ReasonNotOwner, f.reseal(f.resealing(f.wallet, key, versions[0])))
	require.Empty(t, f.reseal(f.resealing(next, key, versions[0])))
	f.copied(m.VaultBlob)
	require.Contains(t, f.placed.erased, []string{alice.Vault.Blob})

	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Equal(t, []string{f.wallet}, exported.FormerWallets)
	require.NoError(t, exported.Validate())
	g := newFixture(t)
	g.people = f.people
	require.NoError(t, g.keeper.InitGenesis(g.ctx, exported))
	again, err := g.keeper.ExportGenesis(g.ctx)
	require.NoError(t, err)
	require.Equal(t, exported, again)
	exported.FormerWallets[0] = next
	require.ErrorIs(t, exported.Validate(), records.ErrInvalidGenesis)
}

// Each refusal differs from an accepted message by one thing.
func TestRotateWalletRefusals(t *testing.T) {
	f := newFixture(t)
	alice, other := f.patient(f.wallet), f.person(consortium.ROLE_PATIENT, 0)
	f.people.inviters[other] = hospital
	bob := f.patient(other)
	free, gone := f.person(consortium.ROLE_PATIENT, 0), f.person(consortium.ROLE_PATIENT, 0)
	require.Empty(t, f.succeed(f.succession(bob, gone, nil)))
	for name, next := range map[string]string{
		"nobody": "", "a stranger": "cosmos1zcjduepq", "the own account": f.wallet, "another patient's": gone, "a former wallet": other, "a clerk": f.clerk,
	} {
		require.Equal(t, records.ReasonNotFree, f.succeed(f.succession(alice, next, nil)), name)
	}
	stale := f.succession(alice, free, nil)
	stale.Revision++
	require.Equal(t, records.ReasonStaleRevision, f.succeed(stale))
	foreign := f.succession(alice, free, nil)
	foreign.Address = free
	_, err := f.msg.RotateWallet(f.ctx, foreign)
	require.ErrorIs(t, err, records.ErrUnauthorized)
	require.Empty(t, f.succeed(f.succession(alice, free, nil)))
}
