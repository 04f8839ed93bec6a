package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// Alice names guardians of her vault as it is; they are hers until she writes it anew.
func TestGuardiansAreOfOneRevision(t *testing.T) {
	f := newFixture(t)
	bob, carol := f.guardian(), f.guardian()
	m := f.naming(f.alice, 2, bob, carol)
	require.Empty(t, f.name(m))
	require.Equal(t, audit.Entry{Kind: audit.KindGuardiansSet, Actor: f.wallet, Role: "patient", Patient: f.alice, Outcome: audit.OUTCOME_OK}, f.log.last())
	got, err := f.query.Guardians(f.ctx, &access.QueryGuardiansRequest{Patient: f.alice})
	require.NoError(t, err)
	require.Equal(t, access.Guardians{
		Patient: f.alice, Owner: f.wallet, Vault: f.data.patients[f.alice].Vault.Id, Slot: m.Slot, Revision: 1, Generation: 1, Threshold: 2,
		Guardians: []string{bob, carol}, Commitments: m.Commitments, U: m.U, UBar: m.UBar, Proof: m.Proof, Shares: m.Shares, Delay: 7 * day, Since: start,
	}, got.Guardians)
	require.Equal(t, m.Shares, f.data.patients[f.alice].Vault.Shares)
	require.Contains(t, f.data.points, m.U)
	guarded, err := f.query.Guarded(f.ctx, &access.QueryGuardedRequest{Guardian: carol})
	require.NoError(t, err)
	require.Equal(t, []access.Guardians{got.Guardians}, guarded.Guarded)

	key, err := f.query.GuardianKey(f.ctx, &access.QueryGuardianKeyRequest{Guardian: bob})
	require.NoError(t, err)
	require.Equal(t, &access.QueryGuardianKeyResponse{Epoch: 1, Key: f.data.patients[bob].Vault.Key}, key)
	_, err = f.query.GuardianKey(f.ctx, &access.QueryGuardianKeyRequest{Guardian: f.rawID()})
	require.ErrorContains(t, err, "NotFound")

	require.Equal(t, access.ReasonGuardiansNamed, f.name(f.naming(f.alice, 2, bob, carol)), "of this revision they are named")
	f.writeVault(f.alice)
	require.Equal(t, audit.Entry{Kind: audit.KindGuardiansEnded, Role: audit.RoleChain, Patient: f.alice, Target: "1", Outcome: audit.OUTCOME_OK}, f.log.last())
	_, err = f.query.Guardians(f.ctx, &access.QueryGuardiansRequest{Patient: f.alice})
	require.ErrorContains(t, err, "no guardians")
	guarded, err = f.query.Guarded(f.ctx, &access.QueryGuardedRequest{Guardian: carol})
	require.NoError(t, err)
	require.Empty(t, guarded.Guarded)
	require.Equal(t, access.ReasonStaleRevision, f.name(m), "they open nothing of the vault as it is")
	require.Empty(t, f.name(f.naming(f.alice, 2, carol, bob)))
	f.writeVault(f.alice)
	entries := len(f.log.entries)
	f.writeVault(f.alice)
	require.Len(t, f.log.entries, entries, "who has none loses none")
}

func (f *fixture) guardian() string {
	f.t.Helper()
	_, number := f.patient()
	return number
}

// Each refusal differs from what is accepted by one thing.
func TestSetGuardiansRefusals(t *testing.T) {
	f := newFixture(t)
	bob, carol := f.guardian(), f.guardian()
	stranger := f.rawID()
	invited := f.person(consortium.ROLE_PATIENT, 0)
	earlier := f.naming(f.alice, 2, bob, carol)
	f.data.points = append(f.data.points, earlier.U)
	for _, c := range []struct {
		name   string
		change func(*access.MsgSetGuardians)
		reason string
	}{
		{"an account that is nobody's", func(m *access.MsgSetGuardians) { m.Owner = invited }, access.ReasonWrongRole},
		{"an officer", func(m *access.MsgSetGuardians) { m.Owner = f.officer }, access.ReasonWrongRole},
		{"a former revision", func(m *access.MsgSetGuardians) { m.Revision = 9 }, access.ReasonStaleRevision},
		{"too short a delay", func(m *access.MsgSetGuardians) { m.Delay = "6 days" }, access.ReasonDelayTooShort},
		{"oneself", func(m *access.MsgSetGuardians) { m.Guardians = []string{bob, f.alice} }, access.ReasonSamePerson},
		{"a stranger", func(m *access.MsgSetGuardians) { m.Guardians = []string{bob, stranger} }, access.ReasonUnknownGuardian},
		{"shares at no hospital", func(m *access.MsgSetGuardians) { m.Hospital = er }, "hospital_inactive"},
		{"another generation", func(m *access.MsgSetGuardians) { m.Generation = 2 }, access.ReasonStaleGeneration},
		{"a point seen before", func(m *access.MsgSetGuardians) { m.U = earlier.U }, access.ReasonRepeatedPoint},
		{"another slot", func(m *access.MsgSetGuardians) { m.Slot = bob }, access.ReasonBadProof},
		{"another secret", func(m *access.MsgSetGuardians) { m.Commitments[0] = m.Commitments[1] }, access.ReasonBadProof},
		{"a lifted point", func(m *access.MsgSetGuardians) { m.U = f.scalar().Public().Bytes() }, access.ReasonBadProof},
		{"another one's proof", func(m *access.MsgSetGuardians) { m.Proof = earlier.Proof }, access.ReasonBadProof},
	} {
		m := f.naming(f.alice, 2, bob, carol)
		c.change(m)
		require.Equal(t, c.reason, f.name(m), c.name)
	}
	m := f.naming(f.alice, 2, bob, carol)
	m.Owner = f.data.patients[bob].Address
	require.NotEmpty(t, f.name(m), "in another patient's name")
	f.holders.noKey = true
	require.Equal(t, access.ReasonNoGuardianKey, f.name(f.naming(f.alice, 2, bob, carol)))
	f.holders.noKey = false
	require.Empty(t, f.name(f.naming(f.alice, 2, bob, carol)))
	f.revoke(f.wallet)
	f.writeVault(f.alice)
	require.Equal(t, access.ReasonInactive, f.name(f.naming(f.alice, 2, bob, carol)))
}

func (f *fixture) rawID() string { return lock.ID(f.bytes(16)).String() }
