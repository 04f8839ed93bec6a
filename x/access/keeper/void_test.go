package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
)

// erase gives versions their tombstones and tells the keeper.
func (f *fixture) erase(versions ...records.Version) {
	f.t.Helper()
	f.bury(versions...)
	refs := make([]records.Ref, len(versions))
	for i, v := range versions {
		id, err := lock.ParseCanonicalID(v.Record)
		require.NoError(f.t, err)
		refs[i] = records.Ref{Record: id, Version: v.Version}
	}
	require.NoError(f.t, f.keeper.VersionsErased(f.ctx, refs))
}

// bury gives versions their tombstones.
func (f *fixture) bury(versions ...records.Version) {
	for _, v := range versions {
		list := f.data.versions[v.Record]
		list[v.Version-1].Tombstone = &records.Tombstone{By: f.wallet, At: start, Erasure: 1}
	}
}

// An erased version ends every open unlock that names it, wherever that stands, and no
// other one.
func TestErasedVersionsEndTheirUnlocks(t *testing.T) {
	f := newFixture(t)
	scan, other := f.record(f.alice), f.record(f.alice)
	released := f.approved(scan)
	f.holders.given[released] = true
	require.NoError(t, f.keeper.Released(f.ctx, released))
	pending := f.approved(scan)
	endorsed, proposed, beside := f.propose(f.doctor, scan), f.propose(f.doctor, scan), f.propose(f.doctor, other)
	require.Empty(t, f.endorse(f.officer, endorsed))

	f.erase(scan)
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED, f.status(released))
	for _, id := range []string{pending, endorsed, proposed} {
		require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN, f.status(id))
		u, err := f.keeper.Unlock(f.ctx, id)
		require.NoError(t, err)
		require.Equal(t, authority, u.WithdrawnBy)
	}
	require.True(t, f.holders.closed[released])
	require.True(t, f.holders.closed[pending])
	require.Equal(t, audit.KindWithdrawn, f.log.last().Kind)
	require.Equal(t, audit.RoleChain, f.log.last().Role)
	require.Equal(t, scan.Record+"/1", f.log.last().Target)

	require.Equal(t, access.UNLOCK_STATUS_PROPOSED, f.status(beside))
	_, reason := f.send(f.request(f.doctor, scan))
	require.Equal(t, access.ReasonErased, reason)
	_, reason = f.send(f.request(f.wallet, scan))
	require.Equal(t, access.ReasonErased, reason)
	require.Empty(t, f.endorse(f.officer, beside))
	require.Empty(t, f.approve(f.wallet, beside))
	f.propose(f.doctor, other)
	entries := len(f.log.entries)
	f.nextBlock(5)
	f.nextBlock(5)
	require.Len(t, f.log.entries, entries, "nothing is left to be ended")
}

// Where more unlocks name an erased version than one message ends, the rest is refused
// at once and ended block by block.
func TestManyUnlocksOfAnErasedVersion(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)
	var ids []string
	for range 4 {
		doctor := f.person(consortium.ROLE_CLINICIAN, er)
		for range 8 {
			ids = append(ids, f.propose(doctor, scan))
		}
	}
	for _, id := range ids[1:] {
		require.Empty(t, f.endorse(f.officer, id))
	}
	for _, id := range ids[2:] {
		require.Empty(t, f.approve(f.wallet, id))
	}
	f.erase(scan)
	ended := 0
	for _, id := range ids {
		switch f.status(id) {
		case access.UNLOCK_STATUS_WITHDRAWN:
			ended++
		case access.UNLOCK_STATUS_PROPOSED:
			require.Equal(t, access.ReasonErased, f.endorse(f.officer, id))
		case access.UNLOCK_STATUS_ENDORSED:
			require.Equal(t, access.ReasonErased, f.approve(f.wallet, id))
		}
	}
	require.Equal(t, access.MaxVoidAtOnce, ended)
	f.nextBlock(5)
	for _, id := range ids {
		require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN, f.status(id))
	}
	require.Empty(t, f.holders.requested, "nothing was released")
}

// A chain that starts from an export ends what is left to be ended.
func TestErasedUnlocksAreEndedAfterARestart(t *testing.T) {
	f := newFixture(t)
	scan, other := f.record(f.alice), f.record(f.alice)
	id, beside := f.propose(f.doctor, scan), f.propose(f.doctor, other)
	g, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	f.bury(scan)
	f.restart(g)
	require.Equal(t, access.ReasonErased, f.endorse(f.officer, id))
	f.nextBlock(5)
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN, f.status(id))
	require.Equal(t, access.UNLOCK_STATUS_PROPOSED, f.status(beside))
}

// Another lock ends the unlocks that were proposed for the one before, in the same block too, and none that comes after.
func TestRelockedVersionsEndTheirUnlocks(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)
	id, err := lock.ParseCanonicalID(scan.Record)
	require.NoError(t, err)
	var before []string
	for range 3 {
		doctor := f.person(consortium.ROLE_CLINICIAN, er)
		for range 4 {
			before = append(before, f.propose(doctor, scan))
		}
	}
	require.Empty(t, f.endorse(f.officer, before[10]))
	require.Empty(t, f.endorse(f.officer, before[11]))
	require.Empty(t, f.approve(f.wallet, before[11]))

	f.data.versions[scan.Record][0].Header.U = f.scalar().Public().Bytes()
	scan = f.data.versions[scan.Record][0]
	require.NoError(t, f.keeper.VersionsRelocked(f.ctx, []records.Ref{{Record: id, Version: 1}}))
	for _, unlock := range before {
		switch f.status(unlock) {
		case access.UNLOCK_STATUS_PROPOSED:
			require.Equal(t, access.ReasonRelocked, f.endorse(f.officer, unlock))
		case access.UNLOCK_STATUS_ENDORSED:
			require.Equal(t, access.ReasonRelocked, f.approve(f.wallet, unlock))
		}
	}
	f.ctx = f.ctx.WithBlockTime(f.ctx.BlockTime().Add(1e9))
	after := f.propose(f.doctor, scan)
	f.nextBlock(5)
	for _, unlock := range before {
		require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN, f.status(unlock))
	}
	require.Empty(t, f.holders.requested, "nothing was released")
	require.Empty(t, f.endorse(f.officer, after))
	require.Empty(t, f.approve(f.wallet, after))
	f.nextBlock(5)
	require.Equal(t, access.UNLOCK_STATUS_APPROVED, f.status(after))
}
