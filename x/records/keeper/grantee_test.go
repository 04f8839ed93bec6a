package keeper_test

import (
	"context"
	"crypto/sha256"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
)

// fakeGrantees knows to whom patients consented, by number.
type fakeGrantees map[string][]records.Grantee

func (g fakeGrantees) Grantees(_ context.Context, patient string) ([]records.Grantee, error) {
	return g[patient], nil
}

// Who stores may seal to the owner and to those to whom the owner consented, and to nobody else,
// themselves least of all. Twins that are stored differ in nothing but the consent.
func TestWhomAVersionIsSealedTo(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.patient(f.wallet), f.patient(f.person(consortium.ROLE_PATIENT, 0))
	granted, own := sha256.Sum256(f.vaultKey()), sha256.Sum256(f.vaultKey())
	named := f.id()
	f.keeper.SetGrantees(fakeGrantees{
		alice.Id: {{KeyHash: granted, Classes: []records.Class{records.CLASS_IMAGING}}, {KeyHash: own, Records: []string{named.String()}}},
	})
	sealedTo := func(keys ...[32]byte) func(*records.NewVersion) {
		return func(n *records.NewVersion) {
			for _, key := range keys {
				n.OwnKeys = append(n.OwnKeys, slices.Clone(key[:]))
			}
		}
	}
	class := func(class records.Class, change func(*records.NewVersion)) func(*records.NewVersion) {
		return func(n *records.NewVersion) { n.Class = class; change(n) }
	}
	for _, c := range []struct {
		name   string
		owner  records.Patient
		record lock.ID
		change func(*records.NewVersion)
		reason string
	}{
		{"the owner alone", alice, f.id(), nil, ""},
		{"a grantee of the class", alice, f.id(), sealedTo(granted), ""},
		{"a grantee of another class", alice, f.id(), class(records.CLASS_DOCUMENT, sealedTo(granted)), records.ReasonForeignRecipient},
		{"a grantee of another patient", bob, f.id(), sealedTo(granted), records.ReasonForeignRecipient},
		{"a grantee of the record", alice, named, class(records.CLASS_DOCUMENT, sealedTo(own)), ""},
		{"a grantee of another record", alice, f.id(), sealedTo(own), records.ReasonForeignRecipient},
		{"a clerk's own key", alice, f.id(), sealedTo(sha256.Sum256(f.vaultKey())), records.ReasonForeignRecipient},
		{"a grantee and a clerk's own key", alice, f.id(), sealedTo(granted, sha256.Sum256(f.vaultKey())), records.ReasonForeignRecipient},
		{"a grantee and not the owner", alice, f.id(), func(n *records.NewVersion) { n.OwnKeys = [][]byte{granted[:]} }, records.ReasonStaleVaultKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.reason, f.store(f.versionWith(c.owner, c.record, 1, c.change)))
		})
	}
	t.Run("a hospital's own", func(t *testing.T) {
		require.Empty(t, f.store(f.internal(f.id(), 1)))
		n := f.internal(f.id(), 1)
		n.OwnKeys = append(n.OwnKeys, granted[:])
		n = f.proved(f.clerk, f.encapsulate(n.Header.Generation), n)
		require.Equal(t, records.ReasonForeignRecipient, f.store(n))
	})
	t.Run("sealed anew", func(t *testing.T) {
		id := f.id()
		require.Empty(t, f.store(f.version(alice, id, 1)))
		v, err := f.keeper.Version(f.ctx, id.String(), 1)
		require.NoError(t, err)
		m := f.resealing(f.wallet, alice.Vault.Key, v)
		m.OwnKeys = append(m.OwnKeys, own[:])
		require.Equal(t, records.ReasonForeignRecipient, f.reseal(m), "of another record")
		m.OwnKeys[1] = granted[:]
		require.Empty(t, f.reseal(m))
	})
	t.Run("nobody knows of consents", func(t *testing.T) {
		f.keeper.SetGrantees(nil)
		require.Equal(t, records.ReasonForeignRecipient, f.store(f.versionWith(alice, f.id(), 1, sealedTo(granted))))
	})
}
