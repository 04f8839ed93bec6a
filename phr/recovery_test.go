package phr_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/seal"
)

// guarded is a patient with two guardians, and somebody whom a hospital has invited.
type guarded struct {
	*cast
	guardians []*phr.Client
	vaults    []*phr.Vault
	newcomer  *phr.Client
	key       phr.Wallet    // the newcomer's
	file      phr.VaultFile // alice's
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{cast: newCast(t)}
	g.key = g.cast.key()
	g.add(&consortiumv1.Principal{Address: g.key.Address(), Role: consortiumv1.Role_ROLE_PATIENT, Active: true})
	g.newcomer = g.dial(g.key, 1)
	named := &phr.Guardians{Threshold: 2, Delay: 5 * time.Second}
	for range 2 {
		guardian, file := g.patient(2)
		vault, err := guardian.OpenVault(file)
		require.NoError(t, err)
		g.guardians, g.vaults, named.Numbers = append(g.guardians, guardian), append(g.vaults, vault), append(named.Numbers, file.Patient)
	}
	next, err := g.alice.PrepareVault(t.Context(), g.cast.file, phr.VaultChange{Site: phr.DefaultSite, Guardians: named})
	require.NoError(t, err)
	_, err = g.alice.WriteVault(t.Context(), g.cast.file, next.File)
	require.NoError(t, err)
	g.file = next.File
	return g
}

// asked is a recovery of alice's wallet by the newcomer, which so many guardians have approved.
func (g *guarded) asked(approvals int) uint64 {
	g.t.Helper()
	number, err := g.newcomer.ProposeRecovery(g.t.Context(), phr.RecoveryRequest{Patient: g.file.Patient, Wait: time.Hour})
	require.NoError(g.t, err)
	for i := range approvals {
		review, err := g.guardians[i].ReviewRecovery(g.t.Context(), number)
		require.NoError(g.t, err)
		_, err = review.Approve(g.t.Context(), g.vaults[i])
		require.NoError(g.t, err)
	}
	return number
}

// Guardians bring a vault back, and stay its guardians; what opened it before opens it no more.
func TestRecoveryStory(t *testing.T) {
	g := newGuarded(t)
	for i, guardian := range g.guardians {
		require.NoError(t, guardian.CheckGuardian(t.Context(), g.vaults[i], g.file.Patient))
		epochs, err := guardian.ShareEpochs(t.Context(), g.vaults[i])
		require.NoError(t, err)
		require.Equal(t, []uint64{1}, epochs)
	}
	number := g.asked(2)
	former, err := g.newcomer.ReadyVault(t.Context(), number, "")
	require.NoError(t, err)
	require.Equal(t, g.file.Blob, former.Blob)
	next, err := g.newcomer.PrepareVault(t.Context(), former, phr.VaultChange{NewKey: true, Site: phr.DefaultSite, Wallet: g.key})
	require.NoError(t, err)
	require.NotEqual(t, g.file.Guardians.U, next.File.Guardians.U)
	require.NotEqual(t, g.file.Guardians.Slot, next.File.Guardians.Slot)
	_, err = g.newcomer.FinishRecovery(t.Context(), number, former, next.File)
	require.NoError(t, err)
	_, err = g.newcomer.OpenVault(next.File)
	require.NoError(t, err)
	named, err := g.newcomer.PatientGuardians(t.Context(), g.file.Patient)
	require.NoError(t, err)
	require.EqualValues(t, 3, named.GetRevision())
	_, err = next.File.OpenVaultByCode(next.Code)
	require.NoError(t, err)
	_, err = g.newcomer.ReadyVault(t.Context(), number, "")
	require.ErrorIs(t, err, phr.ErrEnded)
}

// What is missing is said, and nothing opens without it.
func TestRecoveryThatIsNotReady(t *testing.T) {
	g := newGuarded(t)
	number := g.asked(1)
	_, err := g.newcomer.ReadyVault(t.Context(), number, "")
	require.ErrorIs(t, err, phr.ErrNotReady)

	// A second guardian approved, and what was given is no share.
	g.mu.Lock()
	r := g.recoveries[0]
	r.Approvals = append(r.Approvals, &accessv1.RecoveryApproval{Guardian: r.Guardians[1], Capsule: r.Approvals[0].Capsule})
	g.mu.Unlock()
	_, err = g.newcomer.ReadyVault(t.Context(), number, "")
	require.ErrorIs(t, err, phr.ErrNotReady)

	number = g.asked(2)
	g.giving(1, 2)
	_, err = g.newcomer.ReadyVault(t.Context(), number, "")
	require.ErrorIs(t, err, lock.ErrShares, "too few hospitals gave theirs")
	g.giving(1, 2, 3)
	other := g.dial(g.cast.key(), 1)
	_, err = other.ReadyVault(t.Context(), number, "")
	require.Error(t, err, "who did not propose it has no session")
	_, err = g.alice.CancelRecovery(t.Context(), number)
	require.NoError(t, err)
	_, err = g.newcomer.ReadyVault(t.Context(), number, "")
	require.ErrorIs(t, err, phr.ErrEnded)
	_, err = g.guardians[0].ReviewRecovery(t.Context(), number)
	require.ErrorIs(t, err, phr.ErrEnded)
}

// A guardian approves only what two hospitals show alike and what hashes to its unlock; a share is sealed only to keys that both show.
func TestHospitalsThatShowOtherGuardiansOrRecoveries(t *testing.T) {
	g := newGuarded(t)
	number := g.asked(0)
	show := func(change func(any), where ...uint64) {
		for _, gate := range g.gates {
			gate.reply = nil
		}
		for _, hospital := range where {
			g.gates[hospital].reply = func(_ string, reply any) { change(reply) }
		}
	}
	onRecovery := func(change func(*accessv1.Recovery)) func(any) {
		return func(reply any) {
			if r, ok := reply.(*accessv1.QueryRecoveryResponse); ok {
				change(r.Recovery)
			}
		}
	}
	account := g.cast.key().Address()
	for _, c := range []struct {
		name   string
		change func(any)
		where  []uint64
		want   error
	}{
		{"another account", onRecovery(func(r *accessv1.Recovery) { r.Account = account }), []uint64{1, 2, 3, 4}, phr.ErrProposal},
		{"another end", onRecovery(func(r *accessv1.Recovery) { r.ExpiresAt++ }), []uint64{1, 2, 3, 4}, phr.ErrProposal},
		{"another one-time key", onRecovery(func(r *accessv1.Recovery) { r.RequestKey = lock.RawCID([32]byte{1}).String() }), []uint64{1, 2, 3, 4}, phr.ErrProposal},
		{"another point", onRecovery(func(r *accessv1.Recovery) { r.M = r.B }), []uint64{1, 2, 3, 4}, phr.ErrProposal},
		{"other approvals at one hospital", onRecovery(func(r *accessv1.Recovery) { r.Needed = 1 }), []uint64{2}, phr.ErrDisagree},
		{"a slot without its proof", func(reply any) {
			if n, ok := reply.(*accessv1.QueryGuardiansResponse); ok {
				n.Guardians.Proof[3] ^= 1
			}
		}, []uint64{1, 2, 3, 4}, phr.ErrProposal},
	} {
		show(c.change, c.where...)
		_, err := g.guardians[0].ReviewRecovery(t.Context(), number)
		require.ErrorIs(t, err, c.want, c.name)
	}
	show(func(reply any) {
		if k, ok := reply.(*accessv1.QueryGuardianKeyResponse); ok {
			k.Key = g.file.Key
		}
	}, 2)
	_, err := g.alice.PrepareVault(t.Context(), g.file, phr.VaultChange{})
	require.ErrorIs(t, err, phr.ErrDisagree)
	show(nil)
	_, err = g.guardians[0].ReviewRecovery(t.Context(), number)
	require.NoError(t, err)
	_, err = g.alice.PrepareVault(t.Context(), g.file, phr.VaultChange{})
	require.NoError(t, err)
}

// A guardian whose vault does not open the share learns so, and approves nothing.
func TestShareThatDoesNotOpen(t *testing.T) {
	g := newGuarded(t)
	number := g.asked(0)
	require.ErrorIs(t, g.guardians[0].CheckGuardian(t.Context(), g.vaults[1], g.file.Patient), seal.ErrGuardians)
	require.ErrorIs(t, g.alice.CheckGuardian(t.Context(), g.vaults[0], g.file.Patient), phr.ErrNotFound, "she is none of them")
	review, err := g.guardians[0].ReviewRecovery(t.Context(), number)
	require.NoError(t, err)
	_, err = review.Approve(t.Context(), g.vaults[1])
	require.ErrorIs(t, err, seal.ErrGuardians)
	require.Empty(t, g.recoveries[0].Approvals)
	for _, gate := range g.gates {
		gate.serve = func(path string, b []byte) []byte {
			if strings.Contains(path, "/blocks/") && len(b) > 2000 && len(b) < 3000 {
				b[100] ^= 1
			}
			return b
		}
	}
	require.ErrorIs(t, g.guardians[0].CheckGuardian(t.Context(), g.vaults[0], g.file.Patient), phr.ErrBlock)
}

// Where guardians open the vault nobody begins with an empty one.
func TestNoEmptyVaultBesideGuardians(t *testing.T) {
	g := newGuarded(t)
	_, _, err := g.newcomer.PrepareEmptyVault(t.Context(), g.asked(1), phr.DefaultSite)
	require.ErrorIs(t, err, phr.ErrNotReady)
	_, _, err = g.newcomer.PrepareEmptyVault(t.Context(), g.asked(2), phr.DefaultSite)
	require.ErrorIs(t, err, phr.ErrVault)
}
