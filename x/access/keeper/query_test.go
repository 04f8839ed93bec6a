package keeper_test

import (
	"slices"
	"testing"

	"github.com/cosmos/cosmos-sdk/types/query"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/access/keeper"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
)

// list reads all pages of so many and answers the ids in their order.
func (f *fixture) list(req access.QueryUnlocksRequest, limit uint64) []string {
	f.t.Helper()
	var ids []string
	req.Pagination = &query.PageRequest{Limit: limit}
	for {
		res, err := f.query.Unlocks(f.ctx, &req)
		require.NoError(f.t, err)
		require.LessOrEqual(f.t, len(res.Unlocks), int(limit))
		for _, u := range res.Unlocks {
			require.Equal(f.t, u.Status, u.Unlock.Status(f.ctx.BlockTime().Unix()))
			ids = append(ids, u.Unlock.Id)
		}
		if len(res.Pagination.NextKey) == 0 {
			return ids
		}
		req.Pagination = &query.PageRequest{Limit: limit, Key: res.Pagination.NextKey}
	}
}

func TestUnlocksAreListedNewestFirst(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)
	_, bob := f.patient()
	colleague := f.person(consortium.ROLE_CLINICIAN, er)
	var mine []string
	for range 5 {
		mine = append(mine, f.propose(f.doctor, scan))
	}
	theirs := f.propose(colleague, f.record(bob))
	slices.Reverse(mine)

	for _, limit := range []uint64{1, 2, 3, 5, 200} {
		require.Equal(t, mine, f.list(access.QueryUnlocksRequest{Patient: f.alice}, limit), limit)
		require.Equal(t, mine, f.list(access.QueryUnlocksRequest{Requester: f.doctor}, limit), limit)
		require.Equal(t, append([]string{theirs}, mine...), f.list(access.QueryUnlocksRequest{Custodian: clinic}, limit), limit)
	}
	require.Equal(t, []string{theirs}, f.list(access.QueryUnlocksRequest{Patient: bob}, 5))
	require.Empty(t, f.list(access.QueryUnlocksRequest{Custodian: er}, 5))

	require.Empty(t, f.endorse(f.officer, mine[1]))
	require.Empty(t, f.endorse(f.officer, mine[3]))
	require.Equal(t, []string{mine[1], mine[3]}, f.list(access.QueryUnlocksRequest{Patient: f.alice, Status: access.UNLOCK_STATUS_ENDORSED}, 1))
	require.Len(t, f.list(access.QueryUnlocksRequest{Custodian: clinic, Status: access.UNLOCK_STATUS_PROPOSED}, 2), 4)
	res, err := f.query.Unlocks(f.ctx, &access.QueryUnlocksRequest{Patient: f.alice})
	require.NoError(t, err)
	require.Len(t, res.Unlocks, 5)
}

func TestQueryErrors(t *testing.T) {
	f := newFixture(t)
	unlocks := func(req access.QueryUnlocksRequest) func() error {
		return func() error {
			_, err := f.query.Unlocks(f.ctx, &req)
			return err
		}
	}
	unlock := func(id string) func() error {
		return func() error {
			_, err := f.query.Unlock(f.ctx, &access.QueryUnlockRequest{Id: id})
			return err
		}
	}
	for _, c := range []struct {
		name string
		call func() error
		code codes.Code
	}{
		{"no unlock", unlock(""), codes.InvalidArgument},
		{"unknown unlock", unlock(zeroUnlock), codes.NotFound},
		{"of nobody", unlocks(access.QueryUnlocksRequest{}), codes.InvalidArgument},
		{"of two", unlocks(access.QueryUnlocksRequest{Patient: f.alice, Requester: f.doctor}), codes.InvalidArgument},
		{"of three", unlocks(access.QueryUnlocksRequest{Patient: f.alice, Requester: f.doctor, Custodian: clinic}), codes.InvalidArgument},
		{"of no patient", unlocks(access.QueryUnlocksRequest{Patient: "1"}), codes.InvalidArgument},
		{"of no account", unlocks(access.QueryUnlocksRequest{Requester: "1"}), codes.InvalidArgument},
		{"an offset", unlocks(access.QueryUnlocksRequest{Patient: f.alice, Pagination: &query.PageRequest{Offset: 1}}), codes.InvalidArgument},
		{"a count of all", unlocks(access.QueryUnlocksRequest{Patient: f.alice, Pagination: &query.PageRequest{CountTotal: true}}), codes.InvalidArgument},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.call()
			require.Error(t, err)
			require.Equal(t, c.code, status.Code(err), err)
		})
	}
}

func TestUpdateParams(t *testing.T) {
	f := newFixture(t)
	want := access.Params{Endorsements: 3, MaxLifetime: 3600, MaxOpen: 2}
	_, err := f.msg.UpdateParams(f.ctx, &access.MsgUpdateParams{Authority: f.officer, Params: want})
	require.ErrorIs(t, err, access.ErrUnauthorized)
	_, err = f.msg.UpdateParams(f.ctx, &access.MsgUpdateParams{Authority: authority, Params: access.Params{}})
	require.ErrorIs(t, err, access.ErrInvalidParams)
	require.Empty(t, f.log.entries)
	_, err = f.msg.UpdateParams(f.ctx, &access.MsgUpdateParams{Authority: authority, Params: want})
	require.NoError(t, err)
	got, err := f.query.Params(f.ctx, &access.QueryParamsRequest{})
	require.NoError(t, err)
	require.Equal(t, want, got.Params)
	require.Equal(t, audit.Entry{Kind: audit.KindParamsChanged, Role: audit.RoleChain, Target: "access", Outcome: audit.OUTCOME_OK}, f.log.last())

	// What was proposed before keeps the number of endorsements it was proposed with.
	_, reason := f.send(f.requestUntil(start+3601, f.doctor, f.record(f.alice)))
	require.Equal(t, access.ReasonLifetimeTooLong, reason)
	id, reason := f.send(f.requestUntil(start+3600, f.doctor, f.record(f.alice)))
	require.Empty(t, reason)
	f.setEndorsements(1)
	require.Empty(t, f.endorse(f.officer, id))
	require.Equal(t, access.ReasonNotEndorsed, f.approve(f.wallet, id))
}

func TestGenesisRoundTrip(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)
	f.approved(scan)
	proposed, denied := f.propose(f.doctor, scan), f.propose(f.doctor, scan)
	require.Empty(t, f.deny(f.wallet, denied))
	waiting := f.propose(f.doctor, scan)
	require.Empty(t, f.endorse(f.officer, waiting))
	require.Empty(t, f.approve(f.wallet, waiting))
	own := f.propose(f.doctor, f.record(""))
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, exported.Validate())
	require.Len(t, exported.Unlocks, 5)
	require.Equal(t, []string{waiting}, exported.Approved)

	f.restart(exported)
	again, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Equal(t, exported, again)
	require.Equal(t, access.UNLOCK_STATUS_PROPOSED, f.status(proposed))
	require.Equal(t, access.UNLOCK_STATUS_PROPOSED, f.status(own))
	require.Equal(t, access.UNLOCK_STATUS_DENIED, f.status(denied))
}

// A chain that started from an export goes on where the old one stopped.
func TestGenesisGoesOn(t *testing.T) {
	f := newFixture(t)
	scan := f.record(f.alice)
	used := f.request(f.doctor, scan)
	first, reason := f.send(used)
	require.Empty(t, reason)
	waiting := f.propose(f.doctor, scan)
	require.Empty(t, f.endorse(f.officer, waiting))
	require.Empty(t, f.approve(f.wallet, waiting))
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)

	f.restart(exported)
	_, reason = f.send(used)
	require.Equal(t, access.ReasonRepeatedPoint, reason)
	f.nextBlock(5)
	require.Len(t, f.holders.requested, 1)
	require.Equal(t, waiting, f.holders.requested[0].Unlock)
	newest := f.propose(f.doctor, scan)
	require.Equal(t, []string{newest, waiting, first}, f.list(access.QueryUnlocksRequest{Patient: f.alice}, 2))
	f.nextBlock(2 * day)
	f.nextBlock(5)
	require.Equal(t, access.UNLOCK_STATUS_EXPIRED, f.status(first))
	require.True(t, f.holders.closed[waiting])
}

// What was approved must be on its way, or the chain could not end it.
func TestGenesisWithAnApprovalThatLeadsNowhere(t *testing.T) {
	f := newFixture(t)
	f.approved(f.record(f.alice))
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	requested := f.holders.requested
	f.holders.requested = nil
	require.ErrorIs(t, f.tryRestart(exported), custody.ErrUnknownRelease)
	f.holders.requested = requested
	require.NoError(t, f.tryRestart(exported))
}

func TestNewNeedsAllNeighbours(t *testing.T) {
	_, err := keeper.New(nil, nil, keeper.Neighbours{Audit: &fakeAudit{}, Consortium: &fakeConsortium{}, Records: &fakeRecords{}})
	require.ErrorContains(t, err, "a neighbour is missing")
}
