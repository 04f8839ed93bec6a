package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/storage"
	storagekeeper "github.com/phrd/phrd/x/storage/keeper"
)

// A study is stored at one hospital and copied, opens at another with both keys, and
// is closed: through all modules as they are.
func TestStoryOfOneRecord(t *testing.T) {
	c := newChain(t)
	scan, k := c.stored(c.alice)
	_, copies, err := c.storage.Object(c.ctx, scan.Object)
	require.NoError(t, err)
	require.Len(t, copies, 3)
	for _, copied := range copies {
		res, err := storagekeeper.NewMsgServer(c.storage).ConfirmCopies(c.ctx, &storage.MsgConfirmCopies{
			Node: c.nodes[copied.Node-1], Objects: []string{scan.Object},
		})
		require.NoError(t, err)
		require.Empty(t, res.Results[0].Reason)
	}
	object, err := storagekeeper.NewQueryServer(c.storage).Object(c.ctx, &storage.QueryObjectRequest{Cid: scan.Object})
	require.NoError(t, err)
	require.EqualValues(t, 3, object.Held)

	unlock := c.propose(c.doctor, scan)
	c.nextBlock()
	c.endorse(unlock)
	c.nextBlock()
	c.approve(unlock)
	require.Equal(t, access.UNLOCK_STATUS_APPROVED, c.status(unlock))
	_, err = c.custody.Release(c.ctx, unlock)
	require.ErrorIs(t, err, custody.ErrUnknownRelease, "nobody is asked in the block of the approval")
	c.nextBlock()

	require.Empty(t, c.give(4, unlock))
	require.Empty(t, c.give(1, unlock))
	_, err = c.combine(unlock)
	require.ErrorIs(t, err, lock.ErrShares, "two of four open nothing")
	require.Equal(t, access.UNLOCK_STATUS_APPROVED, c.status(unlock))
	require.Empty(t, c.give(2, unlock))
	require.Equal(t, access.UNLOCK_STATUS_RELEASED, c.status(unlock))
	combined, err := c.combine(unlock)
	require.NoError(t, err)
	require.True(t, k.Equal(combined.K[0]))

	c.nextBlock()
	c.withdraw(c.doctor, unlock)
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED, c.status(unlock))
	require.Equal(t, custody.ReasonReleaseClosed, c.give(3, unlock))
	require.Equal(t, []string{
		"patient_registered", "stored", "replicated", "replicated", "replicated", "proposed", "endorsed", "approved",
		"share_given", "share_given", "share_given", "released", "withdrawn", "share_given:release_closed",
	}, c.history(c.alice.Id))
}

// Every entry says who did what, as what, for which hospital, about what, and how it
// went.
func TestStoryNamesEverybody(t *testing.T) {
	c := newChain(t)
	scan, _ := c.stored(c.alice)
	unlock := c.propose(c.doctor, scan)
	c.endorse(unlock)
	c.approve(unlock)
	c.nextBlock()
	for member := range uint64(3) {
		require.Empty(t, c.give(member+1, unlock))
	}
	exported, err := c.audit.ExportGenesis(c.ctx)
	require.NoError(t, err)
	about := []audit.Subject{{Record: scan.Record, Version: 1}}
	want := map[string]audit.Entry{
		audit.KindStored:     {Actor: c.clerk, Role: "clerk", Hospital: clinic, Subjects: about},
		audit.KindProposed:   {Actor: c.doctor, Role: "clinician", Hospital: er, Subjects: about, Unlock: unlock, Purpose: "TREAT"},
		audit.KindEndorsed:   {Actor: c.officer, Role: "officer", Hospital: clinic, Subjects: about, Unlock: unlock, Purpose: "TREAT"},
		audit.KindApproved:   {Actor: c.wallet, Role: "patient", Subjects: about, Unlock: unlock, Purpose: "TREAT"},
		audit.KindShareGiven: {Actor: c.nodes[2], Role: "node", Hospital: 3, Subjects: about, Unlock: unlock},
		audit.KindReleased:   {Role: "chain", Subjects: about, Unlock: unlock, Purpose: "TREAT"},
	}
	found := map[string]audit.Entry{} // the last of each kind
	for _, e := range exported.Entries {
		e.Sequence, e.Height, e.Time = 0, 0, 0
		found[e.Kind] = e
	}
	for kind, e := range want {
		e.Kind, e.Patient, e.Outcome = kind, c.alice.Id, audit.OUTCOME_OK
		require.Equal(t, e, found[kind])
	}
}

// What is withdrawn before a share was given opens nothing, and late shares mark it.
func TestStoryOfAWithdrawal(t *testing.T) {
	c := newChain(t)
	scan, _ := c.stored(c.alice)
	unlock := c.propose(c.doctor, scan)
	c.endorse(unlock)
	c.approve(unlock)
	c.nextBlock()
	c.withdraw(c.wallet, unlock)
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN, c.status(unlock))
	_, err := c.combine(unlock)
	require.ErrorIs(t, err, lock.ErrShares)
	require.Equal(t, custody.ReasonReleaseClosed, c.give(2, unlock))
	require.Equal(t, access.UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED, c.status(unlock))
}

// A share of the block of the request does not count, one of the next does.
func TestStorySharesCountFromTheNextBlock(t *testing.T) {
	c := newChain(t)
	scan, _ := c.stored(c.alice)
	unlock := c.propose(c.doctor, scan)
	c.endorse(unlock)
	c.approve(unlock)
	require.NoError(t, c.access.EndBlock(c.ctx))
	require.Equal(t, custody.ReasonTooEarly, c.give(1, unlock))
	c.nextBlock()
	require.Empty(t, c.give(1, unlock))
}

// A chain that goes on from the exported state of another one goes on with
// everything that was under way.
func TestStoryGoesOnFromAnExport(t *testing.T) {
	c := newChain(t)
	scan, k := c.stored(c.alice)
	letter, _ := c.stored(c.alice)
	pending, approved, endorsed := c.propose(c.doctor, scan), c.propose(c.doctor, letter), c.propose(c.doctor, scan, letter)
	c.endorse(pending)
	c.approve(pending)
	c.nextBlock()
	require.Empty(t, c.give(1, pending))
	c.endorse(approved)
	c.approve(approved)
	c.endorse(endorsed)
	exported := c.export()
	before := c.history(c.alice.Id)

	c.start(exported)
	require.Equal(t, exported, c.export())
	require.Equal(t, before, c.history(c.alice.Id))
	require.Equal(t, custody.ReasonRepeatedShare, c.give(1, pending))
	c.nextBlock()
	for _, member := range []uint64{2, 3} {
		require.Empty(t, c.give(member, pending))
	}
	combined, err := c.combine(pending)
	require.NoError(t, err)
	require.True(t, k.Equal(combined.K[0]))
	c.approve(endorsed)
	c.nextBlock()
	for _, unlock := range []string{approved, endorsed} {
		for member := range uint64(3) {
			require.Empty(t, c.give(member+1, unlock))
		}
		require.Equal(t, access.UNLOCK_STATUS_RELEASED, c.status(unlock))
	}
}

// A block with nothing due writes nothing, whatever is under way.
func TestStoryEmptyBlocksWriteNothing(t *testing.T) {
	c := newChain(t)
	scan, _ := c.stored(c.alice)
	pending := c.propose(c.doctor, scan)
	c.endorse(pending)
	c.approve(pending)
	c.propose(c.doctor, scan)
	c.nextBlock()
	before := c.store.Commit().Hash
	for range 20 {
		c.nextBlock()
		require.Equal(t, before, c.store.Commit().Hash)
	}
	require.Empty(t, c.give(1, pending))
	require.NotEqual(t, before, c.store.Commit().Hash)
}

// A holder asks for 940,000 units of gas for its share of the largest unlock, beside
// those for its bytes; what the last one needs must fit.
func TestStoryGasOfTheLargestRelease(t *testing.T) {
	c := newChain(t)
	var versions []records.Version
	for range access.MaxVersions {
		v, _ := c.stored(c.alice)
		versions = append(versions, v)
	}
	unlock := c.propose(c.doctor, versions...)
	c.endorse(unlock)
	c.approve(unlock)
	c.nextBlock()
	for member := range uint64(3) {
		before := c.ctx.GasMeter().GasConsumed()
		require.Empty(t, c.give(member+1, unlock))
		require.Less(t, c.ctx.GasMeter().GasConsumed()-before, uint64(940_000))
	}
	require.Equal(t, access.UNLOCK_STATUS_RELEASED, c.status(unlock))
}
