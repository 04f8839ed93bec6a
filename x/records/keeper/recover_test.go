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

// The shares of guardians lie where the vault does, and go when it is written anew: they open nothing then.
func TestGuardiansSharesAreOfOneRevision(t *testing.T) {
	f := newFixture(t)
	hooks := &fakeErasures{}
	f.keeper.SetLockHooks(hooks)
	alice := f.patient(f.wallet)
	shares := lock.RawCID(f.digest()).String()
	for name, c := range map[string]struct {
		cid      string
		hospital uint64
		reason   string
	}{
		"the vault's own blob": {alice.Vault.Blob, clinic, records.ReasonRepeatedCID},
		"taken in by nobody":   {shares, 9, records.ReasonHospitalInactive},
		"a new block":          {shares, clinic, ""},
	} {
		reason, err := f.keeper.WhyNotKeepShares(f.ctx, c.cid, 4096, c.hospital)
		require.NoError(t, err)
		require.Equal(t, c.reason, reason, name)
	}
	for _, size := range []uint64{0, records.MaxVaultSize + 1} {
		_, err := f.keeper.WhyNotKeepShares(f.ctx, shares, size, clinic)
		require.ErrorIs(t, err, records.ErrInvalidSize)
	}
	require.NoError(t, f.keeper.KeepShares(f.ctx, alice.Id, shares, 4096, clinic))
	require.Contains(t, f.placed.placements, storage.Placement{CID: shares, Size: 4096, Class: records.VaultClass, Member: clinic})
	require.ErrorIs(t, f.keeper.KeepShares(f.ctx, alice.Id, lock.RawCID(f.digest()).String(), 4096, clinic), records.ErrInvalidVault, "there is one already")
	reason, err := f.keeper.WhyNotKeepShares(f.ctx, shares, 4096, clinic)
	require.NoError(t, err)
	require.Equal(t, records.ReasonRepeatedCID, reason)
	owner, subjects, err := f.keeper.Subject(f.ctx, shares)
	require.NoError(t, err)
	require.Equal(t, alice.Id, owner)
	require.Empty(t, subjects)
	f.sameAfterExport()

	require.Empty(t, hooks.written)
	require.Empty(t, f.rotate(f.rotation(alice, nil)))
	require.Equal(t, []string{alice.Id}, hooks.written)
	require.Contains(t, f.placed.erased, []string{shares})
	written, err := f.keeper.Patient(f.ctx, alice.Id)
	require.NoError(t, err)
	require.Empty(t, written.Vault.Shares)
	f.sameAfterExport()
}

// sameAfterExport demands that the state is the same after it was exported and read in.
func (f *fixture) sameAfterExport() {
	f.t.Helper()
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(f.t, err)
	require.NoError(f.t, exported.Validate())
	g := newFixture(f.t)
	g.people = f.people
	require.NoError(f.t, g.keeper.InitGenesis(g.ctx, exported))
	again, err := g.keeper.ExportGenesis(g.ctx)
	require.NoError(f.t, err)
	require.Equal(f.t, exported, again)
}

// An account that was invited takes the place of a wallet that is lost, with another key of the vault; all is as if the former wallet had
// changed it.
func TestRecover(t *testing.T) {
	f := newFixture(t)
	alice, versions, _ := f.stored()
	next, key := f.person(consortium.ROLE_PATIENT, 0), f.vaultKey()
	m := f.rotation(alice, key)
	m.Address = next
	reason, err := f.keeper.WhyNotRecover(f.ctx, alice.Id, m)
	require.NoError(t, err)
	require.Empty(t, reason)
	entry := audit.Entry{Kind: audit.KindWalletRecovered, Actor: next, Role: "patient", Patient: alice.Id, Target: "1"}
	require.NoError(t, f.keeper.Recover(f.ctx, alice.Id, m, entry))
	entry.Outcome = audit.OUTCOME_OK
	require.Equal(t, entry, f.log.last())
	changed, err := f.keeper.PatientByAddress(f.ctx, next)
	require.NoError(t, err)
	require.Equal(t, records.Patient{
		Id: alice.Id, Address: next, Since: alice.Since, Vault: records.Vault{Id: alice.Vault.Id, Epoch: 2, Key: key, Revision: 2, Blob: m.VaultBlob},
	}, changed)
	_, err = f.keeper.PatientByAddress(f.ctx, f.wallet)
	require.ErrorIs(t, err, records.ErrUnknownPatient)
	require.Equal(t, records.ReasonNotOwner, f.reseal(f.resealing(f.wallet, key, versions[0])))
	require.Empty(t, f.reseal(f.resealing(next, key, versions[0])))
	f.copied(m.VaultBlob)
	require.Contains(t, f.placed.erased, []string{alice.Vault.Blob})
}

// Each refusal differs from what is allowed by one thing.
func TestRecoverRefusals(t *testing.T) {
	f := newFixture(t)
	alice, next := f.patient(f.wallet), f.person(consortium.ROLE_PATIENT, 0)
	for name, c := range map[string]struct {
		change func(*records.MsgRotateVault)
		reason string
	}{
		"as it should be":      {func(*records.MsgRotateVault) {}, ""},
		"a former revision":    {func(m *records.MsgRotateVault) { m.Revision = 1 }, records.ReasonStaleRevision},
		"the blob of today":    {func(m *records.MsgRotateVault) { m.VaultBlob = alice.Vault.Blob }, records.ReasonRepeatedCID},
		"taken in by nobody":   {func(m *records.MsgRotateVault) { m.Hospital = 9 }, records.ReasonHospitalInactive},
		"an account of staff":  {func(m *records.MsgRotateVault) { m.Address = f.clerk }, records.ReasonNotFree},
		"the wallet as it is":  {func(m *records.MsgRotateVault) { m.Address = f.wallet }, records.ReasonNotFree},
		"an account of nobody": {func(m *records.MsgRotateVault) { m.Address = "phrd1nobody" }, records.ReasonNotFree},
	} {
		m := f.rotation(alice, f.vaultKey())
		m.Address = next
		c.change(m)
		reason, err := f.keeper.WhyNotRecover(f.ctx, alice.Id, m)
		require.NoError(t, err, name)
		require.Equal(t, c.reason, reason, name)
	}
	m := f.rotation(alice, nil)
	m.Address = next
	_, err := f.keeper.WhyNotRecover(f.ctx, alice.Id, m)
	require.ErrorIs(t, err, records.ErrInvalidVault, "the key of the lost vault")
	_, err = f.keeper.WhyNotRecover(f.ctx, f.id().String(), f.rotation(alice, f.vaultKey()))
	require.ErrorIs(t, err, records.ErrUnknownPatient)
}

// The point of a guardian slot is never one of a lock, also after the state was exported.
func TestPointOfGuardianSlotIsTaken(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	v := f.version(alice, f.id(), 1)
	known, err := f.keeper.HasPoint(f.ctx, v.Header.U)
	require.NoError(t, err)
	require.False(t, known)
	require.NoError(t, f.keeper.NamePoint(f.ctx, v.Header.U))
	f.sameAfterExport()
	require.Equal(t, records.ReasonRepeatedPoint, f.store(v))
}

// A wallet that has ended signs nothing any more, and the one that takes its place does.
func TestWalletIsClosed(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	require.NoError(t, f.keeper.CloseWallet(f.ctx, alice.Id))
	number, closed, err := f.keeper.PatientOf(f.ctx, f.wallet)
	require.NoError(t, err)
	require.True(t, closed)
	require.Equal(t, alice.Id, number)
	require.Equal(t, records.ReasonInactive, f.rotate(f.rotation(alice, nil)))
	f.sameAfterExport()

	next := f.person(consortium.ROLE_PATIENT, 0)
	m := f.rotation(alice, f.vaultKey())
	m.Address = next
	reason, err := f.keeper.WhyNotRecover(f.ctx, alice.Id, m)
	require.NoError(t, err)
	require.Empty(t, reason)
	require.NoError(t, f.keeper.Recover(f.ctx, alice.Id, m, audit.Entry{Kind: audit.KindWalletRecovered, Actor: next, Role: "patient", Patient: alice.Id}))
	_, closed, err = f.keeper.PatientOf(f.ctx, next)
	require.NoError(t, err)
	require.False(t, closed)
	require.ErrorIs(t, f.keeper.CloseWallet(f.ctx, f.id().String()), records.ErrUnknownPatient)
}
