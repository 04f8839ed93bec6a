package keeper_test

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/storage"
)

// current is a version as the chain has it.
func (f *fixture) current(id lock.ID, version uint64) records.Version {
	f.t.Helper()
	v, err := f.keeper.Version(f.ctx, id.String(), version)
	require.NoError(f.t, err)
	return v
}

// sealedTo are the hashes of vault keys.
func sealedTo(keys ...[]byte) [][]byte {
	var hashes [][]byte
	for _, key := range keys {
		hash := sha256.Sum256(key)
		hashes = append(hashes, hash[:])
	}
	return hashes
}

func nameOf(v records.Version) string {
	return records.Ref{Record: must(lock.ParseCanonicalID(v.Record)), Version: v.Version}.String()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// resealing is what an owner's program sends to have versions sealed to a vault key.
func (f *fixture) resealing(owner string, key []byte, versions ...records.Version) *records.MsgReplaceEnvelopes {
	m := &records.MsgReplaceEnvelopes{Owner: owner, Hospital: hospital, OwnKeys: sealedTo(key)}
	for _, v := range versions {
		m.Versions, m.U = append(m.Versions, nameOf(v)), append(m.U, v.Header.U)
		m.Envelopes, m.EnvelopeSizes = append(m.Envelopes, lock.RawCID(f.digest()).String()), append(m.EnvelopeSizes, 3000)
	}
	return m
}

func (f *fixture) reseal(m *records.MsgReplaceEnvelopes) string {
	f.t.Helper()
	res, err := f.msg.ReplaceEnvelopes(f.ctx, m)
	require.NoError(f.t, err)
	require.Equal(f.t, res.Reason != "", res.Outcome == audit.OUTCOME_REFUSED)
	require.Equal(f.t, res.Reason, f.log.last().Reason)
	return res.Reason
}

// relocking is what an owner's program sends to lock versions anew to a vault key.
func (f *fixture) relocking(owner string, key []byte, versions ...records.Version) *records.MsgRelockVersions {
	m := &records.MsgRelockVersions{Owner: owner, Hospital: hospital, Generation: f.keys.newest, OwnKeys: sealedTo(key)}
	for _, v := range versions {
		n := records.NewVersion{
			Record: v.Record, Version: v.Version, Class: records.CLASS_IMAGING, Header: v.Header, OwnKeys: m.OwnKeys,
			Envelope: lock.RawCID(f.digest()).String(), EnvelopeSize: 2500, Object: v.Object, Size_: v.Size_,
		}
		n.Header.Generation, n.Header.C, n.Header.Pc = m.Generation, f.bytes(32), f.bytes(32)
		n = f.proved(owner, f.encapsulate(m.Generation), n)
		m.Versions, m.U, m.UBar = append(m.Versions, nameOf(v)), append(m.U, n.Header.U), append(m.UBar, n.UBar)
		m.C, m.Pc, m.Proofs = append(m.C, n.Header.C), append(m.Pc, n.Header.Pc), append(m.Proofs, n.Proof)
		m.Envelopes, m.EnvelopeSizes = append(m.Envelopes, n.Envelope), append(m.EnvelopeSizes, n.EnvelopeSize)
	}
	return m
}

func (f *fixture) relock(m *records.MsgRelockVersions) string {
	f.t.Helper()
	res, err := f.msg.RelockVersions(f.ctx, m)
	require.NoError(f.t, err)
	require.Equal(f.t, res.Reason != "", res.Outcome == audit.OUTCOME_REFUSED)
	require.Equal(f.t, res.Reason, f.log.last().Reason)
	return res.Reason
}

func (f *fixture) confirm(owner string, m *records.MsgRelockVersions) string {
	f.t.Helper()
	res, err := f.msg.ConfirmRelock(f.ctx, &records.MsgConfirmRelock{Owner: owner, Versions: m.Versions, U: m.U})
	require.NoError(f.t, err)
	require.Equal(f.t, res.Reason != "", res.Outcome == audit.OUTCOME_REFUSED)
	require.Equal(f.t, res.Reason, f.log.last().Reason)
	return res.Reason
}

// copied has enough hospitals hold blocks, and ends the block.
func (f *fixture) copied(cids ...string) {
	f.t.Helper()
	for _, cid := range cids {
		f.placed.safe[cid] = true
		require.NoError(f.t, f.keeper.CopyChanged(f.ctx, cid, 2, 3))
	}
	require.NoError(f.t, f.keeper.EndBlock(f.ctx))
}

// erasedSince are the things that were erased after the first so many.
func (f *fixture) erasedSince(n int) [][]string { return f.placed.erased[n:] }

// locks are the counts that the query shows.
func (f *fixture) locks() []records.LockCount {
	f.t.Helper()
	res, err := f.query.Locks(f.ctx, &records.QueryLocksRequest{})
	require.NoError(f.t, err)
	return res.Locks
}

// stored has two versions of a patient's records and one of the clinic's own stored, sorted by name.
func (f *fixture) stored() (alice records.Patient, versions []records.Version, own records.Version) {
	f.t.Helper()
	alice = f.patient(f.wallet)
	a, b, c := f.id(), f.id(), f.id()
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	require.Empty(f.t, f.store(f.version(alice, a, 1), f.version(alice, b, 1), f.internal(c, 1)))
	return alice, []records.Version{f.current(a, 1), f.current(b, 1)}, f.current(c, 1)
}

// A new envelope takes the place of the one before, which is erased only when enough hospitals hold the new one.
func TestReseal(t *testing.T) {
	f := newFixture(t)
	alice, versions, _ := f.stored()
	m := f.resealing(f.wallet, alice.Vault.Key, versions...)
	require.Empty(t, f.reseal(m))
	require.Equal(t, audit.Entry{
		Kind: audit.KindResealed, Actor: f.wallet, Role: "patient", Patient: alice.Id, Outcome: audit.OUTCOME_OK,
		Subjects: []audit.Subject{{Record: versions[0].Record, Version: 1}, {Record: versions[1].Record, Version: 1}},
	}, f.log.last())
	for i, was := range versions {
		want := was
		want.Envelope = m.Envelopes[i]
		require.Equal(t, want, f.current(must(lock.ParseCanonicalID(was.Record)), 1))
		require.Contains(t, f.placed.placements, storage.Placement{
			CID: m.Envelopes[i], Size: 3000, Class: "imaging", Member: hospital, Key: was.Object,
		})
		patient, subjects, err := f.keeper.Subject(f.ctx, m.Envelopes[i])
		require.NoError(t, err)
		require.Equal(t, alice.Id, patient)
		require.Equal(t, []audit.Subject{{Record: was.Record, Version: 1}}, subjects)
	}
	require.NoError(t, f.keeper.EndBlock(f.ctx))
	require.Empty(t, f.placed.erased, "too few hospitals hold the new envelopes")
	f.copied(m.Envelopes[0])
	require.Equal(t, [][]string{{versions[0].Envelope}}, f.placed.erased)
	f.copied(m.Envelopes[0])
	require.Len(t, f.placed.erased, 1, "it is erased once")

	// The second one is resealed once more before its envelope has come anywhere: that one goes at once, the first stays.
	again := f.resealing(f.wallet, alice.Vault.Key, f.current(must(lock.ParseCanonicalID(versions[1].Record)), 1))
	require.Empty(t, f.reseal(again))
	require.Equal(t, [][]string{{m.Envelopes[1]}}, f.erasedSince(1))
	f.copied(again.Envelopes[0])
	require.Equal(t, [][]string{{versions[1].Envelope}}, f.erasedSince(2))

	// Copies that were lost again before the block ended are waited for once more.
	third := f.resealing(f.wallet, alice.Vault.Key, f.current(must(lock.ParseCanonicalID(versions[1].Record)), 1))
	require.Empty(t, f.reseal(third))
	f.placed.safe[third.Envelopes[0]] = true
	require.NoError(t, f.keeper.CopyChanged(f.ctx, third.Envelopes[0], 2, 3))
	f.placed.safe[third.Envelopes[0]] = false
	require.NoError(t, f.keeper.EndBlock(f.ctx))
	require.Len(t, f.placed.erased, 3)
	f.copied(third.Envelopes[0])
	require.Equal(t, [][]string{{again.Envelopes[0]}}, f.erasedSince(3))

	// An erased version takes all its envelopes along.
	fourth := f.resealing(f.wallet, alice.Vault.Key, f.current(must(lock.ParseCanonicalID(versions[1].Record)), 1))
	require.Empty(t, f.reseal(fourth))
	_, reason := f.erase(f.wallet, fourth.Versions[0])
	require.Empty(t, reason)
	require.Equal(t, [][]string{{versions[1].Object, fourth.Envelopes[0], third.Envelopes[0]}}, f.erasedSince(4))
	f.copied(fourth.Envelopes[0])
	require.Len(t, f.placed.erased, 5)
}

// Each refusal differs from an accepted message by one thing.
func TestResealRefusals(t *testing.T) {
	f := newFixture(t)
	alice, versions, own := f.stored()
	bob := f.person(consortium.ROLE_PATIENT, 0)
	f.people.inviters[bob] = hospital
	f.patient(bob)
	suspended := uint64(3)
	f.people.members[suspended] = consortium.Member{Number: suspended, Status: consortium.MEMBER_STATUS_SUSPENDED}
	foreign := f.person(consortium.ROLE_OFFICER, hospital)
	clinicKey := f.people.members[clinic].VaultKey
	for _, c := range []struct {
		name   string
		m      *records.MsgReplaceEnvelopes
		change func(*records.MsgReplaceEnvelopes)
		reason string
	}{
		{"another patient", f.resealing(bob, alice.Vault.Key, versions...), nil, records.ReasonNotOwner},
		{"an officer of the custodian", f.resealing(f.officer, alice.Vault.Key, versions...), nil, records.ReasonNotOwner},
		{"a clerk of the owner", f.resealing(f.clerk, clinicKey, own), nil, records.ReasonNotOwner},
		{"another hospital's officer", f.resealing(foreign, clinicKey, own), nil, records.ReasonNotOwner},
		{"sealed to another key", f.resealing(f.wallet, f.vaultKey(), versions...), nil, records.ReasonStaleVaultKey},
		{"of another lock", f.resealing(f.wallet, alice.Vault.Key, versions...), func(m *records.MsgReplaceEnvelopes) { m.U[1] = m.U[0] }, records.ReasonLockReplaced},
		{"an envelope of today", f.resealing(f.wallet, alice.Vault.Key, versions...), func(m *records.MsgReplaceEnvelopes) { m.Envelopes[1] = versions[1].Envelope }, records.ReasonRepeatedCID},
		{"taken in by nobody", f.resealing(f.wallet, alice.Vault.Key, versions...), func(m *records.MsgReplaceEnvelopes) { m.Hospital = 9 }, records.ReasonHospitalInactive},
		{"taken in by who may not", f.resealing(f.wallet, alice.Vault.Key, versions...), func(m *records.MsgReplaceEnvelopes) { m.Hospital = suspended }, records.ReasonHospitalInactive},
		{"a version to come", f.resealing(f.wallet, alice.Vault.Key, versions...), func(m *records.MsgReplaceEnvelopes) { m.Versions[1] = versions[1].Record + "/2" }, records.ReasonUnknownVersion},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.change != nil {
				c.change(c.m)
			}
			require.Equal(t, c.reason, f.reseal(c.m))
		})
	}
	f.placed.quota = 1
	require.Equal(t, storage.ReasonOverQuota, f.reseal(f.resealing(f.wallet, alice.Vault.Key, versions...)))
	f.placed.quota = 0
	require.Empty(t, f.reseal(f.resealing(f.wallet, alice.Vault.Key, versions...)))
	require.Empty(t, f.reseal(f.resealing(f.officer, clinicKey, own)))

	for name, change := range map[string]func(*records.MsgReplaceEnvelopes){
		"a point less":         func(m *records.MsgReplaceEnvelopes) { m.U = m.U[:1] },
		"an envelope less":     func(m *records.MsgReplaceEnvelopes) { m.Envelopes = m.Envelopes[:1] },
		"a size less":          func(m *records.MsgReplaceEnvelopes) { m.EnvelopeSizes = m.EnvelopeSizes[:1] },
		"an envelope twice":    func(m *records.MsgReplaceEnvelopes) { m.Envelopes[1] = m.Envelopes[0] },
		"an envelope of a DAG": func(m *records.MsgReplaceEnvelopes) { m.Envelopes[0] = versions[0].Object },
		"an empty envelope":    func(m *records.MsgReplaceEnvelopes) { m.EnvelopeSizes[0] = 0 },
		"a large envelope":     func(m *records.MsgReplaceEnvelopes) { m.EnvelopeSizes[0] = records.MaxEnvelopeSize + 1 },
		"a recipient twice":    func(m *records.MsgReplaceEnvelopes) { m.OwnKeys = append(m.OwnKeys, m.OwnKeys[0]) },
		"unsorted":             func(m *records.MsgReplaceEnvelopes) { slices.Reverse(m.Versions) },
	} {
		m := f.resealing(f.wallet, alice.Vault.Key, versions...)
		change(m)
		_, err := f.msg.ReplaceEnvelopes(f.ctx, m)
		require.Error(t, err, name)
	}
}

// A new lock waits for its owner; then the former one is gone, with its envelope and the unlocks that were proposed for it.
func TestRelock(t *testing.T) {
	f := newFixture(t)
	hooks := &fakeErasures{}
	f.keeper.SetLockHooks(hooks)
	alice, versions, own := f.stored()
	require.Equal(t, []records.LockCount{{Generation: 1, Custodian: clinic, Versions: 3}}, f.locks())
	f.newGeneration(2)
	m := f.relocking(f.wallet, alice.Vault.Key, versions...)
	require.Empty(t, f.relock(m))
	require.Equal(t, audit.KindRelocked, f.log.last().Kind)
	v := f.current(must(lock.ParseCanonicalID(versions[0].Record)), 1)
	require.Equal(t, versions[0].Header, v.Header, "it opens as before")
	require.Equal(t, versions[0].Envelope, v.Envelope)
	require.Equal(t, m.Envelopes[0], v.Relock.Envelope)
	require.EqualValues(t, start+records.RelockTime, v.Relock.Until)

	require.Equal(t, records.ReasonNotCopied, f.confirm(f.wallet, m))
	f.copied(m.Envelopes[0])
	require.Equal(t, records.ReasonNotCopied, f.confirm(f.wallet, m))
	f.copied(m.Envelopes[1])
	require.Empty(t, hooks.relocked)
	require.Empty(t, f.placed.erased)
	require.Empty(t, f.confirm(f.wallet, m))
	require.Equal(t, audit.KindRelockConfirmed, f.log.last().Kind)
	require.Len(t, hooks.relocked, 2)
	require.Equal(t, [][]string{{versions[0].Envelope}, {versions[1].Envelope}}, f.placed.erased)
	v = f.current(must(lock.ParseCanonicalID(versions[0].Record)), 1)
	want := versions[0]
	want.Header.Generation, want.Header.U, want.Header.C, want.Header.Pc = 2, m.U[0], m.C[0], m.Pc[0]
	want.Envelope, want.RelockedAt = m.Envelopes[0], start
	require.Equal(t, want, v)
	require.Equal(t, []records.LockCount{{Generation: 1, Custodian: clinic, Versions: 1}, {Generation: 2, Custodian: clinic, Versions: 2}}, f.locks())
	require.Equal(t, records.ReasonNoRelock, f.confirm(f.wallet, m), "it is confirmed once")
	patient, _, err := f.keeper.Subject(f.ctx, versions[0].Envelope)
	require.NoError(t, err)
	require.Equal(t, alice.Id, patient)

	// The hospital's own follows; then the old generation locks nothing.
	clinicKey := f.people.members[clinic].VaultKey
	m = f.relocking(f.officer, clinicKey, own)
	require.Empty(t, f.relock(m))
	f.copied(m.Envelopes...)
	require.Empty(t, f.confirm(f.officer, m))
	require.Equal(t, []records.LockCount{{Generation: 2, Custodian: clinic, Versions: 3}}, f.locks())
	_, reason := f.erase(f.officer, m.Versions...)
	require.Empty(t, reason)
	require.Equal(t, []records.LockCount{{Generation: 2, Custodian: clinic, Versions: 2}}, f.locks())
}

// A lock that waits is given up for another one, with its version, and after its time. Its point is never taken again.
func TestRelockIsGivenUp(t *testing.T) {
	f := newFixture(t)
	alice, versions, _ := f.stored()
	first := f.relocking(f.wallet, alice.Vault.Key, versions[0])
	require.Empty(t, f.relock(first))
	second := f.relocking(f.wallet, alice.Vault.Key, versions[0])
	require.Empty(t, f.relock(second))
	require.Equal(t, [][]string{{first.Envelopes[0]}}, f.placed.erased)
	f.copied(second.Envelopes...)
	require.Equal(t, records.ReasonNoRelock, f.confirm(f.wallet, first))

	other := f.relocking(f.wallet, alice.Vault.Key, versions[1])
	require.Empty(t, f.relock(other))
	_, reason := f.erase(f.wallet, other.Versions...)
	require.Empty(t, reason)
	require.Equal(t, [][]string{{versions[1].Object, versions[1].Envelope, other.Envelopes[0]}}, f.erasedSince(1))
	require.Equal(t, records.ReasonErased, f.confirm(f.wallet, other))

	entries := len(f.log.entries)
	f.ctx = f.ctx.WithBlockTime(time.Unix(start+records.RelockTime-1, 0))
	require.NoError(t, f.keeper.EndBlock(f.ctx))
	require.Len(t, f.log.entries, entries)
	f.ctx = f.ctx.WithBlockTime(time.Unix(start+records.RelockTime, 0))
	require.NoError(t, f.keeper.EndBlock(f.ctx))
	require.Equal(t, audit.Entry{
		Kind: audit.KindRelockExpired, Role: audit.RoleChain, Patient: alice.Id, Subjects: []audit.Subject{{Record: versions[0].Record, Version: 1}},
		Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	require.Equal(t, [][]string{{second.Envelopes[0]}}, f.erasedSince(2))
	require.Equal(t, versions[0], f.current(must(lock.ParseCanonicalID(versions[0].Record)), 1))
	require.Equal(t, records.ReasonNoRelock, f.confirm(f.wallet, second))
	require.Equal(t, records.ReasonRepeatedPoint, f.relock(second))
}

// Each refusal differs from an accepted message by one thing.
func TestRelockRefusals(t *testing.T) {
	f := newFixture(t)
	alice, versions, own := f.stored()
	bob := f.person(consortium.ROLE_PATIENT, 0)
	f.people.inviters[bob] = hospital
	f.patient(bob)
	requester := f.person(consortium.ROLE_CLINICIAN, clinic)
	clinicKey := f.people.members[clinic].VaultKey
	good := func() *records.MsgRelockVersions { return f.relocking(f.wallet, alice.Vault.Key, versions...) }
	with := func(change func(*records.MsgRelockVersions)) *records.MsgRelockVersions {
		m := good()
		change(m)
		return m
	}
	for _, c := range []struct {
		name   string
		m      *records.MsgRelockVersions
		reason string
	}{
		{"another patient", f.relocking(bob, alice.Vault.Key, versions...), records.ReasonNotOwner},
		{"a requester", f.relocking(requester, alice.Vault.Key, versions...), records.ReasonNotOwner},
		{"an officer of the custodian", f.relocking(f.officer, alice.Vault.Key, versions...), records.ReasonNotOwner},
		{"a requester of the owner", f.relocking(requester, clinicKey, own), records.ReasonNotOwner},
		{"sealed to another key", f.relocking(f.wallet, f.vaultKey(), versions...), records.ReasonStaleVaultKey},
		{"another signer's proof", with(func(m *records.MsgRelockVersions) {
			m.Proofs[0] = f.relocking(bob, alice.Vault.Key, versions[0]).Proofs[0]
		}), records.ReasonBadProof},
		{"another version's lock", with(func(m *records.MsgRelockVersions) { m.C[0], m.C[1] = m.C[1], m.C[0] }), records.ReasonBadProof},
		{"a point of today", with(func(m *records.MsgRelockVersions) { m.U[0] = versions[0].Header.U }), records.ReasonRepeatedPoint},
		{"a point twice", with(func(m *records.MsgRelockVersions) { m.U[0] = m.U[1] }), records.ReasonRepeatedPoint},
		{"a generation to come", with(func(m *records.MsgRelockVersions) { m.Generation = 2 }), records.ReasonStaleGeneration},
		{"an envelope of today", with(func(m *records.MsgRelockVersions) { m.Envelopes[0] = versions[1].Envelope }), records.ReasonBadProof},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.reason, f.relock(c.m)) })
	}
	m := good()
	require.Empty(t, f.relock(m))
	f.copied(m.Envelopes...)
	require.Equal(t, records.ReasonNotOwner, f.confirm(bob, m))
	require.Equal(t, records.ReasonNotOwner, f.confirm(requester, m))
	require.Empty(t, f.confirm(f.wallet, m))
	require.Equal(t, records.ReasonLockReplaced, f.reseal(f.resealing(f.wallet, alice.Vault.Key, versions...)), "made for the lock before")

	for name, change := range map[string]func(*records.MsgRelockVersions){
		"a point less":          func(m *records.MsgRelockVersions) { m.U = m.U[:1] },
		"a proof less":          func(m *records.MsgRelockVersions) { m.Proofs = m.Proofs[:1] },
		"a short proof":         func(m *records.MsgRelockVersions) { m.Proofs[0] = m.Proofs[0][:63] },
		"no generation":         func(m *records.MsgRelockVersions) { m.Generation = 0 },
		"no owner's commitment": func(m *records.MsgRelockVersions) { m.Pc[0] = nil },
		"a point that is none":  func(m *records.MsgRelockVersions) { m.U[0] = make([]byte, 32) },
		"an envelope twice":     func(m *records.MsgRelockVersions) { m.Envelopes[1] = m.Envelopes[0] },
		"a large envelope":      func(m *records.MsgRelockVersions) { m.EnvelopeSizes[0] = records.MaxEnvelopeSize + 1 },
	} {
		_, err := f.msg.RelockVersions(f.ctx, with(change))
		require.Error(t, err, name)
	}
}

// What waits, and what was, goes on after an export.
func TestRelocksGoThroughGenesis(t *testing.T) {
	f := newFixture(t)
	alice, versions, _ := f.stored()
	m := f.relocking(f.wallet, alice.Vault.Key, versions[0])
	require.Empty(t, f.relock(m))
	f.copied(m.Envelopes...)
	require.Empty(t, f.confirm(f.wallet, m))
	resealed := f.resealing(f.wallet, alice.Vault.Key, versions[1])
	require.Empty(t, f.reseal(resealed))
	waiting := f.relocking(f.wallet, alice.Vault.Key, f.current(must(lock.ParseCanonicalID(versions[1].Record)), 1))
	require.Empty(t, f.relock(waiting))
	written := f.rotation(alice, nil)
	require.Empty(t, f.rotate(written))

	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, exported.Validate())
	g := newFixture(t)
	g.people, g.placed.safe = f.people, f.placed.safe
	require.NoError(t, g.keeper.InitGenesis(g.ctx, exported))
	again, err := g.keeper.ExportGenesis(g.ctx)
	require.NoError(t, err)
	require.Equal(t, exported, again)
	require.Equal(t, f.locks(), g.locks())

	require.NoError(t, g.keeper.EndBlock(g.ctx))
	require.Empty(t, g.placed.erased, "nobody holds the new envelope yet")
	g.copied(resealed.Envelopes[0], written.VaultBlob)
	require.ElementsMatch(t, [][]string{{versions[1].Envelope}, {alice.Vault.Blob}}, g.placed.erased)
	for _, u := range [][]byte{versions[0].Header.U, m.U[0], waiting.U[0]} {
		known := slices.Clone(exported.FormerPoints)
		for _, v := range exported.Versions {
			known = append(known, v.Header.U)
			if v.Relock != nil {
				known = append(known, v.Relock.Header.U)
			}
		}
		require.Contains(t, known, u)
	}
}

// The first format says nothing of epochs and counts nothing.
func TestMigrateLocks(t *testing.T) {
	f := newFixture(t)
	_, versions, own := f.stored()
	_, reason := f.erase(f.officer, nameOf(own))
	require.Empty(t, reason)
	require.NoError(t, f.keeper.ForgetLocks(f.ctx))
	require.Empty(t, f.locks())
	require.Zero(t, f.current(must(lock.ParseCanonicalID(versions[0].Record)), 1).SealedEpoch)

	require.NoError(t, f.keeper.MigrateLocks(f.ctx))
	require.Equal(t, []records.LockCount{{Generation: 1, Custodian: clinic, Versions: 2}}, f.locks())
	require.Equal(t, versions[0], f.current(must(lock.ParseCanonicalID(versions[0].Record)), 1))
}
