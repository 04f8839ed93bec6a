package keeper_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/storage"
)

func TestStoreNewRecordAndNextVersions(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	id := f.id()
	first := f.version(alice, id, 1)
	require.Empty(t, f.store(first))

	v, err := f.keeper.Version(f.ctx, id.String(), 1)
	require.NoError(t, err)
	require.Equal(t, records.Version{
		Record: id.String(), Version: 1, Header: first.Header, Envelope: first.Envelope, Object: first.Object, Size_: first.Size_,
		StoredBy: f.clerk, StoredAt: start, SealedEpoch: 1,
	}, v)
	r, err := f.keeper.Record(f.ctx, id.String())
	require.NoError(t, err)
	require.Equal(t, records.Record{
		Id: id.String(), OwnerKind: records.OWNER_KIND_PATIENT, Patient: alice.Id, Custodian: clinic,
		Class: records.CLASS_IMAGING, Versions: 1, Since: start,
	}, r)
	require.Equal(t, storage.Placement{
		CID: first.Object, Size: first.Size_, Attached: []string{first.Envelope}, Class: "imaging", Member: clinic,
	}, f.placed.placements[len(f.placed.placements)-1])
	require.Equal(t, audit.Entry{
		Kind: audit.KindStored, Actor: f.clerk, Role: "clerk", Hospital: clinic, Patient: alice.Id,
		Subjects: []audit.Subject{{Record: id.String(), Version: 1}}, Outcome: audit.OUTCOME_OK,
	}, f.log.last())

	// Two versions of it and a new record in one message.
	other := f.id()
	entries := len(f.log.entries)
	require.Empty(t, f.store(f.version(alice, id, 2), f.version(alice, other, 1), f.version(alice, id, 3)))
	require.Len(t, f.log.entries, entries+3)
	newest, err := f.keeper.Version(f.ctx, id.String(), 0)
	require.NoError(t, err)
	require.EqualValues(t, 3, newest.Version)
	r, err = f.keeper.Record(f.ctx, id.String())
	require.NoError(t, err)
	require.EqualValues(t, 3, r.Versions)
	r, err = f.keeper.Record(f.ctx, other.String())
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Versions)
}

func TestStoreHospitalOwned(t *testing.T) {
	f := newFixture(t)
	id := f.id()
	require.Empty(t, f.store(f.internal(id, 1)))
	require.Empty(t, f.log.last().Patient)
	r, err := f.keeper.Record(f.ctx, id.String())
	require.NoError(t, err)
	require.Equal(t, records.OWNER_KIND_HOSPITAL, r.OwnerKind)
	require.Equal(t, clinic, r.Custodian)

	rotated := f.people.members[clinic]
	rotated.VaultKey = f.vaultKey()
	next := f.internal(id, 2)
	f.people.members[clinic] = rotated
	require.Equal(t, records.ReasonStaleVaultKey, f.store(next))
	require.Empty(t, f.store(f.internal(id, 2)))
}

// Each refusal differs from an accepted version by one thing.
func TestStoreRefusals(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.patient(f.wallet), f.patient(f.person(consortium.ROLE_PATIENT, 0))
	known := f.version(alice, f.id(), 1)
	require.Empty(t, f.store(known))
	foreign := f.person(consortium.ROLE_CLERK, hospital)
	theirs := f.versionBy(foreign, hospital, bob, f.id(), 1, nil)
	require.Empty(t, f.storeBy(foreign, theirs))
	gone := f.person(consortium.ROLE_CLERK, clinic)
	p := f.people.principals[gone]
	p.Active = false
	f.people.principals[gone] = p
	knownID, theirsID := parse(t, known.Record), parse(t, theirs.Record)
	stranger := records.Patient{Id: f.id().String(), Vault: alice.Vault}

	for _, c := range []struct {
		name    string
		signer  string
		version func() records.NewVersion
		reason  string
		patient string
	}{
		{"an officer", f.officer, func() records.NewVersion { return f.versionBy(f.officer, clinic, alice, f.id(), 1, nil) }, records.ReasonWrongRole, alice.Id},
		{"a revoked clerk", gone, func() records.NewVersion { return f.versionBy(gone, clinic, alice, f.id(), 1, nil) }, records.ReasonInactive, alice.Id},
		{"in another hospital's name", foreign, func() records.NewVersion { return f.versionBy(foreign, clinic, alice, f.id(), 1, nil) }, records.ReasonWrongCustodian, alice.Id},
		{"another hospital's record", f.clerk, func() records.NewVersion { return f.version(bob, theirsID, 2) }, records.ReasonWrongCustodian, bob.Id},
		{"another hospital's record as its own", foreign, func() records.NewVersion { return f.versionBy(foreign, hospital, alice, knownID, 2, nil) }, records.ReasonWrongCustodian, alice.Id},
		{"another patient's record", f.clerk, func() records.NewVersion { return f.version(bob, knownID, 2) }, records.ReasonOwnerDiffers, alice.Id},
		{"nobody's", f.clerk, func() records.NewVersion { return f.version(stranger, f.id(), 1) }, records.ReasonUnknownOwner, ""},
		{"by the network alone", f.clerk, func() records.NewVersion {
			return f.versionWith(alice, f.id(), 1, func(n *records.NewVersion) { n.Header.Lock, n.Header.Pc = records.LOCK_NETWORK, nil })
		}, records.ReasonLockNotAllowed, alice.Id},
		{"of a key to come", f.clerk, func() records.NewVersion {
			return f.versionWith(alice, f.id(), 1, func(n *records.NewVersion) { n.Header.Generation = 2 })
		}, records.ReasonStaleGeneration, alice.Id},
		{"another class", f.clerk, func() records.NewVersion {
			return f.versionWith(alice, knownID, 2, func(n *records.NewVersion) { n.Class = records.CLASS_OTHER })
		}, records.ReasonClassDiffers, alice.Id},
		{"the same version again", f.clerk, func() records.NewVersion { return f.version(alice, knownID, 1) }, records.ReasonVersionOutOfOrder, alice.Id},
		{"a version left out", f.clerk, func() records.NewVersion { return f.version(alice, knownID, 3) }, records.ReasonVersionOutOfOrder, alice.Id},
		{"a new record at version 2", f.clerk, func() records.NewVersion { return f.version(alice, f.id(), 2) }, records.ReasonVersionOutOfOrder, alice.Id},
		{"sealed to another vault key", f.clerk, func() records.NewVersion {
			return f.versionWith(alice, f.id(), 1, func(n *records.NewVersion) { n.OwnKeys = [][]byte{f.bytes(32)} })
		}, records.ReasonStaleVaultKey, alice.Id},
		{"sealed to nobody", f.clerk, func() records.NewVersion {
			return f.versionWith(alice, f.id(), 1, func(n *records.NewVersion) { n.OwnKeys = nil })
		}, records.ReasonStaleVaultKey, alice.Id},
		{"too large", f.clerk, func() records.NewVersion {
			return f.versionWith(alice, f.id(), 1, func(n *records.NewVersion) { n.Size_ = 1 << 41 })
		}, records.ReasonTooLarge, alice.Id},
		{"an object that is known", f.clerk, func() records.NewVersion {
			return f.versionWith(alice, f.id(), 1, func(n *records.NewVersion) { n.Object = known.Object })
		}, records.ReasonRepeatedCID, alice.Id},
		{"an envelope that is known", f.clerk, func() records.NewVersion {
			return f.versionWith(alice, f.id(), 1, func(n *records.NewVersion) { n.Envelope = known.Envelope })
		}, records.ReasonRepeatedCID, alice.Id},
		{"a vault blob as envelope", f.clerk, func() records.NewVersion {
			return f.versionWith(alice, f.id(), 1, func(n *records.NewVersion) { n.Envelope = alice.Vault.Blob })
		}, records.ReasonRepeatedCID, alice.Id},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, placed := c.version(), len(f.placed.placements)
			require.Equal(t, c.reason, f.storeBy(c.signer, n))
			e := f.log.last()
			require.Equal(t, audit.Entry{
				Kind: audit.KindStored, Actor: c.signer, Role: f.people.principals[c.signer].Role.Text(), Hospital: f.people.principals[c.signer].Hospital,
				Patient: c.patient, Subjects: []audit.Subject{{Record: n.Record, Version: n.Version}}, Outcome: audit.OUTCOME_REFUSED, Reason: c.reason,
			}, e)
			require.Len(t, f.placed.placements, placed)
			_, err := f.keeper.Version(f.ctx, n.Record, n.Version)
			if n.Record != known.Record || n.Version != 1 {
				require.ErrorIs(t, err, records.ErrUnknownVersion)
			}
		})
	}
	require.Empty(t, f.store(f.version(alice, knownID, 2)))
	require.Empty(t, f.storeBy(foreign, f.versionBy(foreign, hospital, bob, theirsID, 2, nil)))
}

// A clerk who copies the point of a record that he may read into one of his own
// would have its key released with his own unlock.
func TestStoreRefusesACopiedPoint(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	victim := f.version(alice, f.id(), 1)
	require.Empty(t, f.store(victim))

	// As it stands, the proof is bound to the record that it was made for.
	copied := f.version(alice, f.id(), 1)
	copied.Header.U, copied.UBar, copied.Proof = victim.Header.U, victim.UBar, victim.Proof
	require.Equal(t, records.ReasonRepeatedPoint, f.store(copied))

	// Within one message, too.
	e := f.encapsulate(1)
	one, two := f.proved(f.clerk, e, f.version(alice, f.id(), 1)), f.proved(f.clerk, e, f.version(alice, f.id(), 1))
	require.Equal(t, records.ReasonRepeatedPoint, f.store(one, two))
	_, err := f.keeper.Version(f.ctx, one.Record, 1)
	require.ErrorIs(t, err, records.ErrUnknownVersion, "all or none")
	require.Empty(t, f.store(one))
	require.Equal(t, records.ReasonRepeatedPoint, f.store(two))
}

// The proof binds everything that a version says and who stores it.
func TestStoreRefusesALiftedProof(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.patient(f.wallet), f.patient(f.person(consortium.ROLE_PATIENT, 0))
	colleague := f.person(consortium.ROLE_CLERK, clinic)
	n := f.version(alice, f.id(), 1)
	n.OwnKeys = append(n.OwnKeys, f.bytes(32))
	f.keeper.SetGrantees(fakeGrantees{alice.Id: {{KeyHash: [32]byte(n.OwnKeys[1]), Classes: []records.Class{n.Class}}}})
	n = f.proved(f.clerk, f.encapsulate(1), n)
	bobs := f.version(bob, f.id(), 1)
	flip := func(b []byte) []byte {
		c := append([]byte(nil), b...)
		c[0] ^= 1
		return c
	}
	for _, c := range []struct {
		name   string
		change func(*records.NewVersion)
	}{
		{"another record", func(n *records.NewVersion) { n.Record = f.id().String() }},
		{"another owner", func(n *records.NewVersion) { n.Header.Patient, n.OwnKeys = bob.Id, bobs.OwnKeys }},
		{"C", func(n *records.NewVersion) { n.Header.C = flip(n.Header.C) }},
		{"Pc", func(n *records.NewVersion) { n.Header.Pc = flip(n.Header.Pc) }},
		{"Dc", func(n *records.NewVersion) { n.Header.Dc = flip(n.Header.Dc) }},
		{"U", func(n *records.NewVersion) { n.Header.U = bobs.Header.U }},
		{"U-bar", func(n *records.NewVersion) { n.UBar = bobs.UBar }},
		{"proof", func(n *records.NewVersion) { n.Proof = bobs.Proof }},
		{"envelope", func(n *records.NewVersion) { n.Envelope = bobs.Envelope }},
		{"object", func(n *records.NewVersion) { n.Object = bobs.Object }},
		{"order of recipients", func(n *records.NewVersion) { n.OwnKeys = [][]byte{n.OwnKeys[1], n.OwnKeys[0]} }},
		{"a recipient less", func(n *records.NewVersion) { n.OwnKeys = n.OwnKeys[:1] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			lifted := n
			c.change(&lifted)
			require.Equal(t, records.ReasonBadProof, f.store(lifted))
		})
	}
	require.Equal(t, records.ReasonBadProof, f.storeBy(colleague, n), "another clerk's message")
	require.Empty(t, f.store(n))
}

func TestStoreIsAllOrNone(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	good, bad := f.version(alice, f.id(), 1), f.version(alice, f.id(), 2)
	placed := len(f.placed.placements)
	require.Equal(t, records.ReasonVersionOutOfOrder, f.store(good, bad))
	require.Equal(t, bad.Record, f.log.last().Subjects[0].Record)
	_, err := f.keeper.Record(f.ctx, good.Record)
	require.ErrorIs(t, err, records.ErrUnknownRecord)
	require.Len(t, f.placed.placements, placed)
	require.Empty(t, f.store(good))
}

func TestStoreAfterANewGeneration(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	old := f.version(alice, f.id(), 1)
	require.Empty(t, f.store(old))
	late := f.version(alice, f.id(), 1)
	f.newGeneration(2)
	require.Equal(t, records.ReasonStaleGeneration, f.store(late))
	require.Empty(t, f.store(f.version(alice, parse(t, old.Record), 2)))

	v, err := f.keeper.Version(f.ctx, old.Record, 1)
	require.NoError(t, err)
	ctx1, gen1, err := f.keeper.LockContext(f.ctx, v)
	require.NoError(t, err)
	v, err = f.keeper.Version(f.ctx, old.Record, 2)
	require.NoError(t, err)
	ctx2, gen2, err := f.keeper.LockContext(f.ctx, v)
	require.NoError(t, err)
	require.NotEqual(t, gen1, gen2)
	require.NotEqual(t, ctx1, ctx2)
}

func TestStoreBounds(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	batch := make([]records.NewVersion, records.MaxBatch+1)
	for i := range batch {
		batch[i] = f.version(alice, f.id(), 1)
	}
	for _, c := range []struct {
		name     string
		versions []records.NewVersion
		err      error
	}{
		{"none", nil, records.ErrInvalidBatch},
		{"one too many", batch, records.ErrInvalidBatch},
		{"a malformed one behind a good one", []records.NewVersion{batch[0], {}}, records.ErrInvalidID},
	} {
		t.Run(c.name, func(t *testing.T) {
			entries := len(f.log.entries)
			_, err := f.msg.StoreVersions(f.ctx, &records.MsgStoreVersions{Clerk: f.clerk, Versions: c.versions})
			require.ErrorIs(t, err, c.err)
			require.Len(t, f.log.entries, entries)
		})
	}
	_, err := f.msg.StoreVersions(f.ctx, &records.MsgStoreVersions{Clerk: f.id().String(), Versions: batch[:1]})
	require.ErrorIs(t, err, consortium.ErrUnknownAccount)
	require.Empty(t, f.store(batch[:records.MaxBatch]...))

	params := records.DefaultParams()
	params.MaxVersions = 2
	_, err = f.msg.UpdateParams(f.ctx, &records.MsgUpdateParams{Authority: "authority", Params: params})
	require.NoError(t, err)
	id := parse(t, batch[0].Record)
	require.Empty(t, f.store(f.version(alice, id, 2)))
	require.Equal(t, records.ReasonTooManyVersions, f.store(f.version(alice, id, 3)))
}

func TestStoreChargesForEachProof(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	cost := func(n int) uint64 {
		batch := make([]records.NewVersion, n)
		for i := range batch {
			batch[i] = f.version(alice, f.id(), 1)
		}
		before := f.ctx.GasMeter().GasConsumed()
		require.Empty(t, f.store(batch...))
		return f.ctx.GasMeter().GasConsumed() - before
	}
	require.Greater(t, cost(4), 4*uint64(5_000))
}

func parse(t *testing.T, id string) lock.ID {
	t.Helper()
	parsed, err := lock.ParseCanonicalID(id)
	require.NoError(t, err)
	return parsed
}

// What the hospital may not bring in is refused before anything is placed, be it all in
// one message, and the refusal is in the log.
func TestStoreKeepsToTheQuota(t *testing.T) {
	f := newFixture(t)
	alice := f.patient(f.wallet)
	first, second := f.version(alice, f.id(), 1), f.version(alice, f.id(), 1)
	placed := len(f.placed.placements)
	for _, p := range f.placed.placements {
		f.placed.quota += p.Size
	}
	f.placed.quota += first.Size_ + second.Size_ - 1
	require.Equal(t, storage.ReasonOverQuota, f.store(first, second))
	require.Equal(t, audit.OUTCOME_REFUSED, f.log.last().Outcome)
	require.Equal(t, storage.ReasonOverQuota, f.log.last().Reason)
	require.Equal(t, []audit.Subject{{Record: second.Record, Version: 1}}, f.log.last().Subjects)
	require.Len(t, f.placed.placements, placed)
	f.placed.quota++
	require.Empty(t, f.store(first, second))
	require.Len(t, f.placed.placements, placed+2)
}

// A version that shares leaves names an earlier one of the record that is not erased and has the same lock. It lies where the first
// version of the record lies.
func TestStoreSharesLeaves(t *testing.T) {
	f := newFixture(t)
	alice, id, other := f.patient(f.wallet), f.id(), f.id()
	first := f.version(alice, id, 1)
	require.Empty(t, f.store(first, f.version(alice, other, 1)))
	sharing := func(record lock.ID, number, with uint64) records.NewVersion {
		return f.versionWith(alice, record, number, func(n *records.NewVersion) { n.SharesWith = with })
	}
	require.Empty(t, f.store(sharing(id, 2, 1)))
	last := f.placed.placements[len(f.placed.placements)-1]
	require.Equal(t, first.Object, last.Key)
	v, err := f.keeper.Version(f.ctx, id.String(), 2)
	require.NoError(t, err)
	require.EqualValues(t, 1, v.SharesWith)

	_, reason := f.erase(f.wallet, id.String()+"/1")
	require.Empty(t, reason)
	require.Equal(t, records.ReasonErased, f.store(sharing(id, 3, 1)))
	require.Equal(t, records.ReasonErased, f.log.last().Reason)
	require.Empty(t, f.store(sharing(id, 3, 2)), "one that is not erased")
	last = f.placed.placements[len(f.placed.placements)-1]
	require.Equal(t, first.Object, last.Key, "also when that one is erased")

	// Versions of one message don't share: the chain has to know the earlier one.
	require.Equal(t, records.ReasonUnknownVersion, f.store(f.version(alice, other, 2), sharing(other, 3, 2)))
	for _, with := range []uint64{4, 5} {
		n := sharing(id, 4, 2)
		n.SharesWith = with
		_, err = f.msg.StoreVersions(f.ctx, &records.MsgStoreVersions{Clerk: f.clerk, Versions: []records.NewVersion{n}})
		require.ErrorIs(t, err, records.ErrInvalidHeader)
	}

	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, exported.Validate())
	for i := range exported.Versions {
		if v := &exported.Versions[i]; v.Record == id.String() && v.Version == 2 {
			v.Header.Lock, v.Header.Pc = records.LOCK_NETWORK, nil
		}
	}
	weak := newFixture(t)
	weak.people, weak.keys, weak.placed.erased = f.people, f.keys, f.placed.erased
	require.NoError(t, weak.keeper.InitGenesis(weak.ctx, exported))
	res, err := weak.msg.StoreVersions(weak.ctx, &records.MsgStoreVersions{Clerk: f.clerk, Versions: []records.NewVersion{sharing(id, 4, 2)}})
	require.NoError(t, err)
	require.Equal(t, records.ReasonLockDiffers, res.Reason)
	require.Empty(t, f.store(sharing(id, 4, 2)), "its twin under the same lock")
	exported.Versions[0].SharesWith = 9
	require.ErrorIs(t, exported.Validate(), records.ErrInvalidGenesis)
}

// What is erased may remain in part where others share it: the certificate says so.
func TestSharedLeavesRemain(t *testing.T) {
	f := newFixture(t)
	alice, id := f.patient(f.wallet), f.id()
	require.Empty(t, f.store(f.version(alice, id, 1)))
	sharing := f.versionWith(alice, id, 2, func(n *records.NewVersion) { n.SharesWith = 1 })
	require.Empty(t, f.store(sharing))
	require.Empty(t, f.store(f.version(alice, id, 3)))
	remains := func(version uint64) bool {
		res, err := f.query.ErasureCertificate(f.ctx, &records.QueryErasureCertificateRequest{Record: id.String(), Version: version})
		require.NoError(t, err)
		return slices.Contains(res.Certificate.Remains, records.RemainsSharedLeaves)
	}
	for _, erased := range []struct {
		version uint64
		remains bool
	}{{3, true}, {1, true}, {2, false}} {
		_, reason := f.erase(f.wallet, id.String()+"/"+strconv.FormatUint(erased.version, 10))
		require.Empty(t, reason)
		if erased.version != 3 {
			require.Equal(t, erased.remains, remains(erased.version), erased.version)
		}
	}
	require.False(t, remains(3), "it shared nothing")
	require.False(t, remains(1), "nobody has anything in common with it any more")
}
