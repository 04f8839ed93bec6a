package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/consortium"
)

// lived is a network in which everything happened once.
func lived(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, 4)
	f.staff(1, consortium.ROLE_CLERK)
	doctor := f.staff(1, consortium.ROLE_CLINICIAN)
	_, err := f.msg.PublishStaffVault(f.ctx, publishing(doctor, 1, f.xwing()))
	require.NoError(t, err)
	_, err = f.msg.UpdateStaff(f.ctx, &consortium.MsgUpdateStaff{Admin: f.admins[0], Address: doctor, Wards: []uint32{3, 5}})
	require.NoError(t, err)
	gone := f.staff(2, consortium.ROLE_ADMIN)
	_, err = f.msg.RevokeStaff(f.ctx, &consortium.MsgRevokeStaff{Admin: f.admins[1], Address: gone})
	require.NoError(t, err)
	_, err = f.msg.AddSite(f.ctx, &consortium.MsgAddSite{Admin: f.admins[2], Name: "Annex", TimeZone: "UTC"})
	require.NoError(t, err)
	retired := f.storageNode(3)
	_, err = f.msg.RetireStorageNode(f.ctx, &consortium.MsgRetireStorageNode{Admin: f.admins[2], Number: retired.Number})
	require.NoError(t, err)
	_, err = f.msg.AddSite(f.ctx, &consortium.MsgAddSite{Admin: f.admins[1], Name: "Annex", TimeZone: "UTC"})
	require.NoError(t, err)
	_, err = f.msg.RemoveSite(f.ctx, &consortium.MsgRemoveSite{Admin: f.admins[1], Number: 2})
	require.NoError(t, err)
	f.auditorOf(4, f.now()+year)
	ended := f.auditorOf(4, f.now()+1)
	_, err = f.msg.AppointAuditor(f.ctx, f.appoint(f.address(), 1, 4))
	require.NoError(t, err)
	f.pass(1)
	f.endBlock()
	require.Equal(t, "4/"+ended, f.log.last().Target)
	f.patient(1)
	f.invite(2)
	executed, accepted, open, failed := f.propose(f.suspension(4)), f.propose(f.suspension(3)), f.propose(f.suspension(2)), f.propose(f.suspension(9))
	f.votes(executed, true, 1, 2, 3)
	require.Equal(t, []string{"4:0"}, f.endBlock())
	f.votes(failed, true, 1, 2, 3)
	require.Empty(t, f.endBlock())
	f.votes(accepted, true, 1, 2, 3)
	f.votes(open, true, 1)
	_, err = f.msg.ReportSessions(f.ctx, &consortium.MsgReportSessions{Node: f.nodes[1], Reports: []consortium.SessionReport{{
		Number: 7, Kind: consortium.SESSION_KIND_LOGGED_IN, Account: doctor, Count: 1,
	}}})
	require.NoError(t, err)
	return f
}

func TestGenesisRoundTrip(t *testing.T) {
	was := lived(t)
	exported, err := was.keeper.ExportGenesis(was.ctx)
	require.NoError(t, err)
	text, err := was.cdc.MarshalJSON(exported)
	require.NoError(t, err)

	is := blank(t)
	var g consortium.GenesisState
	require.NoError(t, is.cdc.UnmarshalJSON(text, &g))
	require.NoError(t, g.Validate())
	updates, err := is.keeper.InitGenesis(is.ctx, &g)
	require.NoError(t, err)
	require.Equal(t, []string{"1:1", "2:1", "3:1"}, is.name(updates))
	again, err := is.keeper.ExportGenesis(is.ctx)
	require.NoError(t, err)
	same, err := is.cdc.MarshalJSON(again)
	require.NoError(t, err)
	require.JSONEq(t, string(text), string(same))
	require.Empty(t, is.log.entries, "a genesis is in no log")
	require.Len(t, is.accounts.known, len(was.accounts.known))

	// It goes on where the other stood: what waits is carried out, what is open ends, numbers count on.
	is.admins, is.nodes, is.genesis = was.admins, was.nodes, &g
	require.Equal(t, []string{"3:0"}, is.endBlock())
	require.Equal(t, consortium.PROPOSAL_STATUS_EXECUTED, is.status(2))
	require.Equal(t, consortium.ReasonAlreadyVoted, is.vote(is.admins[0], 3, true))
	require.EqualValues(t, 5, is.propose(is.suspension(2)))
	require.EqualValues(t, 6, is.storageNode(1).Number)
	is.pass(int64(consortium.DefaultParams().VotingPeriod) + 1)
	require.Empty(t, is.endBlock())
	require.Equal(t, consortium.PROPOSAL_STATUS_REJECTED, is.status(3))
	_, err = is.msg.RevokeStaff(is.ctx, &consortium.MsgRevokeStaff{Admin: is.admins[0], Address: is.admins[0]})
	require.ErrorIs(t, err, consortium.ErrLastAdmin)
}

func TestGenesisNeedsAValidator(t *testing.T) {
	f := blank(t)
	g := f.found(1)
	g.Members[0].Status = consortium.MEMBER_STATUS_SUSPENDED
	_, err := f.keeper.InitGenesis(f.ctx, g)
	require.ErrorIs(t, err, consortium.ErrInvalidGenesis)
}

// A write of what is there already changes a store's hash, so the hash is compared
// and not the content.
func TestEmptyBlocksWriteNothing(t *testing.T) {
	f := lived(t)
	require.Equal(t, []string{"3:0"}, f.endBlock())
	entries, hash := len(f.log.entries), f.cms.Commit().Hash
	f.ctx = f.ctx.WithCometInfo(blockInfo{})
	for range 20 {
		f.pass(5)
		require.NoError(t, f.keeper.BeginBlock(f.ctx))
		require.Empty(t, f.endBlock())
		require.Equal(t, hash, f.cms.Commit().Hash)
	}
	require.Len(t, f.log.entries, entries)

	require.NoError(t, f.keeper.Spend(f.ctx, f.admins[0], "admin", 0))
	require.NotEqual(t, hash, f.cms.Commit().Hash, "the hash tells of a write")
}
