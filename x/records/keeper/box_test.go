package keeper_test

import (
	"context"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
)

// agreed are the patients who agreed to be opened in emergencies.
type agreed map[string]bool

func (a agreed) AgreedToEmergencies(_ context.Context, patient string) (bool, error) {
	return a[patient], nil
}

// box is an emergency box for a version under a header, with its proof by a signer.
func (f *fixture) box(signer, record string, version uint64, h records.Header) (records.BoxLock, []byte) {
	f.t.Helper()
	key := f.keys.keys[f.keys.newest]
	g := lock.Generation{Network: network, Kind: lock.KeyEmergency, Number: key.Generation, X: must(lock.ParsePoint(key.PublicKey))}
	e := must(lock.NewEncapsulation(g, f.random))
	b := records.BoxLock{Generation: key.Generation, U: e.U.Bytes(), UBar: e.UBar.Bytes(), Hash: f.bytes(32)}
	lockContext, _, err := f.keeper.LockContext(f.ctx, records.Version{Record: record, Version: version, Header: h})
	require.NoError(f.t, err)
	statement := must(b.Statement(network, key.PublicKey, lockContext, h.Pc, must(sdk.AccAddressFromBech32(signer))))
	return b, must(e.Prove(must(statement.Label()), f.random))
}

// boxed is a version that is to be stored with a box.
func (f *fixture) boxed(owner records.Patient) records.NewVersion {
	f.t.Helper()
	n := f.version(owner, f.id(), 1)
	b, proof := f.box(f.clerk, n.Record, 1, n.Header)
	n.Box, n.BoxProof = &b, proof
	return n
}

// A box is taken from who knows what opens it, for a patient who agreed.
func TestBoxes(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	yes := agreed{alice.Id: true}
	f.keeper.SetAgreements(yes)
	n := f.boxed(alice)
	require.Empty(t, f.store(n))
	require.Equal(t, n.Box, f.current(must(lock.ParseCanonicalID(n.Record)), 1).Box)
	first, second := f.boxed(alice), f.boxed(alice)
	require.Empty(t, f.store(first, second, f.version(alice, f.id(), 1)))

	for _, test := range []struct {
		name   string
		change func(*records.NewVersion)
		reason string
	}{
		{"the box of another version", func(m *records.NewVersion) { m.Box, m.BoxProof = n.Box, n.BoxProof }, records.ReasonRepeatedPoint},
		{"the point of another version's lock", func(m *records.NewVersion) { m.Box.U = n.Header.U }, records.ReasonRepeatedPoint},
		{"the point of its own lock", func(m *records.NewVersion) { m.Box.U = m.Header.U }, records.ReasonRepeatedPoint},
		{"the proof of another box", func(m *records.NewVersion) { m.BoxProof = n.BoxProof }, records.ReasonBadProof},
		{"another box behind the proof", func(m *records.NewVersion) { m.Box.Hash = f.bytes(32) }, records.ReasonBadProof},
		{"a box of another signer", func(m *records.NewVersion) {
			b, proof := f.box(f.wallet, m.Record, 1, m.Header)
			m.Box, m.BoxProof = &b, proof
		}, records.ReasonBadProof},
		{"a key that is not the newest", func(m *records.NewVersion) { m.Box.Generation++ }, records.ReasonStaleGeneration},
	} {
		m := f.boxed(alice)
		test.change(&m)
		require.Equal(t, test.reason, f.store(m), test.name)
	}
	twice, again := f.boxed(alice), f.boxed(alice)
	b, proof := f.box(f.clerk, again.Record, 1, again.Header)
	b.U = twice.Box.U
	again.Box, again.BoxProof = &b, proof
	require.Equal(t, records.ReasonRepeatedPoint, f.store(twice, again), "within one message")
	lifted := f.version(alice, f.id(), 1)
	lifted.Header.U = n.Box.U
	require.Equal(t, records.ReasonRepeatedPoint, f.store(lifted), "what opens a box opens no record")

	wallet := f.person(consortium.ROLE_PATIENT, 0)
	f.people.inviters[wallet] = hospital
	bob := f.patient(wallet)
	require.Equal(t, records.ReasonNotAgreed, f.store(f.boxed(bob)))
	yes[alice.Id] = false
	require.Equal(t, records.ReasonNotAgreed, f.store(f.boxed(alice)))
	f.keeper.SetAgreements(nil)
	require.Equal(t, records.ReasonNotAgreed, f.store(f.boxed(alice)))
}

func TestMalformedBoxes(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	for _, change := range []func(*records.NewVersion){
		func(m *records.NewVersion) { m.Box = nil },
		func(m *records.NewVersion) { m.Box.Generation = 0 },
		func(m *records.NewVersion) { m.Box.U = m.Box.U[1:] },
		func(m *records.NewVersion) { m.Box.UBar = nil },
		func(m *records.NewVersion) { m.Box.Hash = m.Box.Hash[1:] },
	} {
		m := f.boxed(alice)
		change(&m)
		_, err := f.msg.StoreVersions(f.ctx, &records.MsgStoreVersions{Clerk: f.clerk, Versions: []records.NewVersion{m}})
		require.ErrorIs(t, err, records.ErrInvalidBox)
	}
	m := f.boxed(alice)
	m.BoxProof = nil
	_, err := f.msg.StoreVersions(f.ctx, &records.MsgStoreVersions{Clerk: f.clerk, Versions: []records.NewVersion{m}})
	require.ErrorIs(t, err, records.ErrInvalidProof)
}

// Envelopes are replaced with new boxes, keep those that they had, or lose them where the patient does not agree any more; a new lock has the
// box that was made for it, or none.
func TestBoxesAreReplaced(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	yes := agreed{alice.Id: true}
	f.keeper.SetAgreements(yes)
	n := f.version(alice, f.id(), 1)
	require.Empty(t, f.store(n))
	id := must(lock.ParseCanonicalID(n.Record))
	boxing := func() *records.MsgReplaceEnvelopes {
		v := f.current(id, 1)
		m := f.resealing(f.wallet, alice.Vault.Key, v)
		b, proof := f.box(f.wallet, v.Record, 1, v.Header)
		m.BoxGeneration, m.BoxU, m.BoxUBar, m.BoxHashes, m.BoxProofs = b.Generation, [][]byte{b.U}, [][]byte{b.UBar}, [][]byte{b.Hash}, [][]byte{proof}
		return m
	}
	m := boxing()
	m.BoxProofs = boxing().BoxProofs
	require.Equal(t, records.ReasonBadProof, f.reseal(m))
	m = boxing()
	require.Empty(t, f.reseal(m))
	require.Equal(t, m.BoxU[0], f.current(id, 1).Box.U)
	require.Empty(t, f.reseal(f.resealing(f.wallet, alice.Vault.Key, f.current(id, 1))))
	require.Equal(t, m.BoxU[0], f.current(id, 1).Box.U, "as it was")
	next := boxing()
	next.BoxU = m.BoxU
	require.Equal(t, records.ReasonRepeatedPoint, f.reseal(next))
	require.Empty(t, f.reseal(boxing()))
	require.NotEqual(t, m.BoxU[0], f.current(id, 1).Box.U)

	relocked := f.relocking(f.wallet, alice.Vault.Key, f.current(id, 1))
	require.Empty(t, f.relock(relocked))
	require.Nil(t, f.current(id, 1).Relock.Box)
	relocked = f.relocking(f.wallet, alice.Vault.Key, f.current(id, 1))
	h := f.current(id, 1).Header
	b, proof := f.box(f.wallet, n.Record, 1, h)
	relocked.BoxGeneration, relocked.BoxU, relocked.BoxUBar, relocked.BoxHashes, relocked.BoxProofs = b.Generation, [][]byte{b.U}, [][]byte{b.UBar}, [][]byte{b.Hash}, [][]byte{proof}
	require.Equal(t, records.ReasonBadProof, f.relock(relocked), "made for the lock of before")
	h.U, h.C, h.Pc = relocked.U[0], relocked.C[0], relocked.Pc[0]
	b, proof = f.box(f.wallet, n.Record, 1, h)
	relocked.BoxU, relocked.BoxUBar, relocked.BoxHashes, relocked.BoxProofs = [][]byte{b.U}, [][]byte{b.UBar}, [][]byte{b.Hash}, [][]byte{proof}
	require.Empty(t, f.relock(relocked))
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, exported.Validate())
	g := newFixture(t)
	g.people, g.placed.safe = f.people, f.placed.safe
	require.NoError(t, g.keeper.InitGenesis(g.ctx, exported))
	imported, err := g.keeper.ExportGenesis(g.ctx)
	require.NoError(t, err)
	require.Equal(t, exported, imported)
	exported.FormerPoints = nil
	require.ErrorIs(t, exported.Validate(), records.ErrInvalidGenesis, "no point of a box is forgotten")
	f.copied(relocked.Envelopes...)
	require.Empty(t, f.confirm(f.wallet, relocked))
	require.Equal(t, b, *f.current(id, 1).Box)

	yes[alice.Id] = false
	require.Equal(t, records.ReasonNotAgreed, f.reseal(boxing()))
	require.Empty(t, f.reseal(f.resealing(f.wallet, alice.Vault.Key, f.current(id, 1))))
	require.Nil(t, f.current(id, 1).Box)

	short := boxing()
	short.BoxHashes = nil
	_, err = f.msg.ReplaceEnvelopes(f.ctx, short)
	require.ErrorIs(t, err, records.ErrInvalidEnvelopes)
	none := boxing()
	none.BoxGeneration = 0
	_, err = f.msg.ReplaceEnvelopes(f.ctx, none)
	require.ErrorIs(t, err, records.ErrInvalidEnvelopes)
}

// Without an emergency key nothing is boxed, and everything else is stored.
func TestNoBoxesWithoutAKey(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	f.keeper.SetAgreements(agreed{alice.Id: true})
	m := f.boxed(alice)
	f.keys.noEmergency = true
	require.Equal(t, records.ReasonStaleGeneration, f.store(m))
	m.Box, m.BoxProof = nil, nil
	require.Empty(t, f.store(m))
}
