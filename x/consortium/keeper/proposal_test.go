package keeper_test

import (
	"errors"
	"testing"

	errorsmod "cosmossdk.io/errors"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// suspension is a message that suspends a member.
func (f *fixture) suspension(member uint64) *consortium.MsgSuspendMember {
	return &consortium.MsgSuspendMember{Authority: f.keeper.Authority(), Member: member}
}

func (f *fixture) submit(proposer string, msgs ...sdk.Msg) (uint64, error) {
	m := &consortium.MsgSubmitProposal{Proposer: proposer}
	require.NoError(f.t, m.SetMsgs(msgs))
	res, err := f.msg.SubmitProposal(f.ctx, m)
	if err != nil {
		return 0, err
	}
	return res.Number, nil
}

// propose submits a proposal of the first member.
func (f *fixture) propose(msgs ...sdk.Msg) uint64 {
	f.t.Helper()
	number, err := f.submit(f.admins[0], msgs...)
	require.NoError(f.t, err)
	return number
}

// vote answers the reason of a refusal.
func (f *fixture) vote(voter string, proposal uint64, accept bool) string {
	f.t.Helper()
	res, err := f.msg.Vote(f.ctx, &consortium.MsgVote{Voter: voter, Proposal: proposal, Accept: accept})
	require.NoError(f.t, err)
	require.Equal(f.t, res.Reason == "", res.Outcome == audit.OUTCOME_OK)
	require.Equal(f.t, res.Reason != "", res.Outcome == audit.OUTCOME_REFUSED)
	return res.Reason
}

// votes casts votes of the members with these numbers.
func (f *fixture) votes(proposal uint64, accept bool, members ...int) {
	f.t.Helper()
	for _, member := range members {
		require.Empty(f.t, f.vote(f.admins[member-1], proposal, accept))
	}
}

func (f *fixture) proposal(number uint64) consortium.Proposal {
	f.t.Helper()
	p, err := f.keeper.Proposal(f.ctx, number)
	require.NoError(f.t, err)
	return p
}

func (f *fixture) status(number uint64) consortium.ProposalStatus {
	f.t.Helper()
	return f.proposal(number).Status
}

func TestAProposalIsCarriedOut(t *testing.T) {
	f := newFixture(t, 4)
	number := f.propose(f.suspension(4))
	require.EqualValues(t, 1, number)
	p := f.proposal(number)
	require.Equal(t, f.admins[0], p.Proposer)
	require.EqualValues(t, 1, p.Hospital)
	require.Equal(t, int64(start)+int64(consortium.DefaultParams().VotingPeriod), p.ClosesAt)
	require.Equal(t, audit.Entry{
		Kind: audit.KindProposalSubmitted, Actor: f.admins[0], Role: "admin", Hospital: 1, Target: "1", Outcome: audit.OUTCOME_OK,
	}, f.log.last())

	f.votes(number, true, 2, 3)
	require.Equal(t, audit.Entry{
		Kind: audit.KindProposalVoted, Actor: f.admins[2], Role: "admin", Hospital: 3, Target: "1", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	require.Empty(t, f.endBlock())
	require.Equal(t, consortium.PROPOSAL_STATUS_OPEN, f.status(number), "two of four are not enough, and a proposer has not voted")

	f.votes(number, true, 1)
	require.Equal(t, consortium.PROPOSAL_STATUS_ACCEPTED, f.status(number))
	require.Equal(t, consortium.MEMBER_STATUS_ACTIVE, f.member(4).Status)
	entries := len(f.log.entries)
	require.Equal(t, []string{"4:0"}, f.endBlock(), "validators change in the block that carries it out")
	require.Equal(t, consortium.PROPOSAL_STATUS_EXECUTED, f.status(number))
	require.Equal(t, consortium.MEMBER_STATUS_SUSPENDED, f.member(4).Status)
	require.Equal(t, []string{audit.KindMemberSuspended, audit.KindProposalExecuted}, f.log.kinds(entries))
	require.Equal(t, audit.Entry{Kind: audit.KindProposalExecuted, Role: audit.RoleChain, Target: "1", Outcome: audit.OUTCOME_OK}, f.log.last())
	require.Empty(t, f.endBlock())
	require.Len(t, f.log.entries, entries+2, "once")
}

func TestOneProposalABlock(t *testing.T) {
	f := newFixture(t, 4)
	first, second := f.propose(f.suspension(4)), f.propose(f.suspension(3))
	f.votes(second, true, 1, 2, 3)
	f.votes(first, true, 1, 2, 3)
	require.Equal(t, []string{"4:0"}, f.endBlock())
	require.Equal(t, consortium.PROPOSAL_STATUS_ACCEPTED, f.status(second))
	require.Equal(t, []string{"3:0"}, f.endBlock())
	require.Equal(t, consortium.PROPOSAL_STATUS_EXECUTED, f.status(second))
}

func TestVoteRefuses(t *testing.T) {
	f := newFixture(t, 5)
	number := f.propose(f.suspension(4))
	clerk, second := f.staff(2, consortium.ROLE_CLERK), f.staff(2, consortium.ROLE_ADMIN)
	gone := f.staff(3, consortium.ROLE_ADMIN)
	_, err := f.msg.RevokeStaff(f.ctx, &consortium.MsgRevokeStaff{Admin: f.admins[2], Address: gone})
	require.NoError(t, err)
	f.suspend(5)
	f.votes(number, true, 2)
	withdrawn := f.propose(f.suspension(4))
	_, err = f.msg.WithdrawProposal(f.ctx, &consortium.MsgWithdrawProposal{Proposer: f.admins[0], Proposal: withdrawn})
	require.NoError(t, err)
	for _, c := range []struct {
		name, voter string
		proposal    uint64
		reason      string
	}{
		{"a clerk", clerk, number, consortium.ReasonWrongRole},
		{"a node", f.nodes[0], number, consortium.ReasonWrongRole},
		{"a revoked admin", gone, number, consortium.ReasonInactive},
		{"a suspended member's admin", f.admins[4], number, consortium.ReasonInactive},
		{"the same admin again", f.admins[1], number, consortium.ReasonAlreadyVoted},
		{"the same hospital's other admin", second, number, consortium.ReasonAlreadyVoted},
		{"a proposal that was withdrawn", f.admins[0], withdrawn, consortium.ReasonClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.reason, f.vote(c.voter, c.proposal, true))
			last := f.log.last()
			require.Equal(t, audit.KindProposalVoted, last.Kind)
			require.Equal(t, c.voter, last.Actor)
			require.Equal(t, audit.OUTCOME_REFUSED, last.Outcome)
			require.Equal(t, c.reason, last.Reason)
		})
	}
	res, err := f.query.Proposal(f.ctx, &consortium.QueryProposalRequest{Number: number})
	require.NoError(t, err)
	require.Equal(t, []consortium.Vote{{Proposal: number, Hospital: 2, Voter: f.admins[1], Accept: true}}, res.Votes)

	_, err = f.msg.Vote(f.ctx, &consortium.MsgVote{Voter: stranger, Proposal: number})
	require.ErrorIs(t, err, consortium.ErrUnknownAccount)
	_, err = f.msg.Vote(f.ctx, &consortium.MsgVote{Voter: f.admins[0], Proposal: 3})
	require.ErrorIs(t, err, consortium.ErrUnknownProposal)
}

func TestAProposalIsRejectedEarly(t *testing.T) {
	f := newFixture(t, 4)
	number := f.propose(f.suspension(4))
	f.votes(number, true, 1)
	f.votes(number, false, 2)
	require.Equal(t, consortium.PROPOSAL_STATUS_OPEN, f.status(number))
	f.votes(number, false, 3)
	require.Equal(t, consortium.PROPOSAL_STATUS_REJECTED, f.status(number), "two accepting votes are left, three are needed")
	require.Equal(t, audit.Entry{Kind: audit.KindProposalRejected, Role: audit.RoleChain, Target: "1", Outcome: audit.OUTCOME_OK}, f.log.last())
	require.Equal(t, consortium.ReasonClosed, f.vote(f.admins[3], number, true))
	require.Empty(t, f.endBlock())
	require.Equal(t, consortium.MEMBER_STATUS_ACTIVE, f.member(4).Status)
}

func TestAProposalEndsWithItsTime(t *testing.T) {
	f := newFixture(t, 4)
	ended := f.propose(f.suspension(4))
	f.votes(ended, true, 1, 2)
	f.pass(10)
	later := f.propose(f.suspension(4))
	f.pass(int64(consortium.DefaultParams().VotingPeriod) - 11)
	require.Empty(t, f.endBlock())
	require.Equal(t, consortium.PROPOSAL_STATUS_OPEN, f.status(ended), "a second is left")
	f.pass(1)
	require.Equal(t, consortium.ReasonClosed, f.vote(f.admins[2], ended, true), "too late")
	require.Empty(t, f.endBlock())
	require.Equal(t, consortium.PROPOSAL_STATUS_REJECTED, f.status(ended))
	require.Equal(t, audit.KindProposalRejected, f.log.last().Kind)
	require.Equal(t, consortium.PROPOSAL_STATUS_OPEN, f.status(later))
}

func TestOnlyVotesOfActiveMembersCount(t *testing.T) {
	t.Run("a suspended member's vote counts no more", func(t *testing.T) {
		f := newFixture(t, 5)
		number := f.propose(f.suspension(5))
		f.votes(number, true, 1, 2, 3)
		f.suspend(3)
		require.Equal(t, []string{"3:0"}, f.endBlock())
		f.votes(number, true, 4)
		require.Equal(t, consortium.PROPOSAL_STATUS_ACCEPTED, f.status(number), "three of four")
	})
	t.Run("three of five become three of four", func(t *testing.T) {
		f := newFixture(t, 5)
		number := f.propose(f.suspension(5))
		f.votes(number, true, 1, 2, 3)
		f.suspend(4)
		require.Equal(t, []string{"4:0"}, f.endBlock())
		f.pass(int64(consortium.DefaultParams().VotingPeriod))
		require.Equal(t, []string{"5:0"}, f.endBlock(), "the last count at the end of its time")
		require.Equal(t, consortium.PROPOSAL_STATUS_EXECUTED, f.status(number))
	})
}

func TestWithdrawProposal(t *testing.T) {
	f := newFixture(t, 4)
	number, second := f.propose(f.suspension(4)), f.staff(1, consortium.ROLE_ADMIN)
	withdraw := func(proposer string, number uint64) error {
		_, err := f.msg.WithdrawProposal(f.ctx, &consortium.MsgWithdrawProposal{Proposer: proposer, Proposal: number})
		return err
	}
	require.ErrorIs(t, withdraw(second, number), consortium.ErrUnauthorized)
	require.ErrorIs(t, withdraw(f.admins[1], number), consortium.ErrUnauthorized)
	require.ErrorIs(t, withdraw(f.nodes[0], number), consortium.ErrUnauthorized)
	require.ErrorIs(t, withdraw(stranger, number), consortium.ErrUnknownAccount)
	require.ErrorIs(t, withdraw(f.admins[0], 2), consortium.ErrUnknownProposal)
	require.NoError(t, withdraw(f.admins[0], number))
	require.Equal(t, audit.Entry{
		Kind: audit.KindProposalWithdrawn, Actor: f.admins[0], Role: "admin", Hospital: 1, Target: "1", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	require.Equal(t, consortium.PROPOSAL_STATUS_WITHDRAWN, f.status(number))
	require.ErrorIs(t, withdraw(f.admins[0], number), consortium.ErrWrongStatus)
	f.pass(int64(consortium.DefaultParams().VotingPeriod))
	require.Empty(t, f.endBlock())
	require.Equal(t, consortium.PROPOSAL_STATUS_WITHDRAWN, f.status(number))
}

func TestSubmitProposalErrors(t *testing.T) {
	f := newFixture(t, 4)
	clerk := f.staff(1, consortium.ROLE_CLERK)
	takeover := f.consensusParams()
	takeover.Auth = &cmtproto.AuthorityParams{Authority: f.admins[0]}
	foreign := f.suspension(4)
	foreign.Authority = f.admins[0]
	endless := consortium.DefaultParams()
	endless.VotingPeriod = 1 << 40
	for _, c := range []struct {
		name, proposer string
		msgs           []sdk.Msg
		err            error
	}{
		{"a stranger", stranger, []sdk.Msg{f.suspension(4)}, consortium.ErrUnknownAccount},
		{"a clerk", clerk, []sdk.Msg{f.suspension(4)}, consortium.ErrUnauthorized},
		{"a node", f.nodes[0], []sdk.Msg{f.suspension(4)}, consortium.ErrUnauthorized},
		{"nothing", f.admins[0], nil, consortium.ErrInvalidProposal},
		{"five messages", f.admins[0], []sdk.Msg{f.suspension(1), f.suspension(1), f.suspension(1), f.suspension(1), f.suspension(1)}, consortium.ErrInvalidProposal},
		{"not on the list", f.admins[0], []sdk.Msg{f.suspension(4), &consortium.MsgVote{Voter: f.keeper.Authority()}}, consortium.ErrNotProposable},
		{"another signer", f.admins[0], []sdk.Msg{foreign}, consortium.ErrNotProposable},
		{"no signer", f.admins[0], []sdk.Msg{&consortium.MsgSuspendMember{Member: 4}}, consortium.ErrNotProposable},
		{"an authority", f.admins[0], []sdk.Msg{takeover}, consortium.ErrNotProposable},
		{"parameters out of bounds", f.admins[0], []sdk.Msg{&consortium.MsgUpdateParams{Authority: f.keeper.Authority(), Params: endless}}, consortium.ErrInvalidParams},
		{"nothing to carry it out", f.admins[0], []sdk.Msg{f.consensusParams()}, consortium.ErrNotProposable},
	} {
		t.Run(c.name, func(t *testing.T) {
			entries := len(f.log.entries)
			_, err := f.submit(c.proposer, c.msgs...)
			require.ErrorIs(t, err, c.err)
			require.Len(t, f.log.entries, entries)
		})
	}
	for range consortium.MaxOpenProposals {
		f.propose(f.suspension(4))
	}
	_, err := f.submit(f.admins[0], f.suspension(4))
	require.ErrorIs(t, err, consortium.ErrTooMany)
	_, err = f.submit(f.admins[1], f.suspension(4))
	require.NoError(t, err, "each member has its own number")
	_, err = f.msg.WithdrawProposal(f.ctx, &consortium.MsgWithdrawProposal{Proposer: f.admins[0], Proposal: 1})
	require.NoError(t, err)
	f.propose(f.suspension(4))
}

func TestConsensusParamsByVote(t *testing.T) {
	f := newFixture(t, 1)
	msg := f.consensusParams()
	var got sdk.Msg
	f.router.handlers[sdk.MsgTypeURL(msg)] = func(ctx sdk.Context, m sdk.Msg) (*sdk.Result, error) {
		got = m
		ctx.EventManager().EmitEvent(sdk.NewEvent("lost"))
		return &sdk.Result{Events: sdk.Events{sdk.NewEvent("kept")}.ToABCIEvents()}, nil
	}
	number := f.propose(msg)
	f.votes(number, true, 1)
	f.ctx = f.ctx.WithEventManager(sdk.NewEventManager())
	require.Empty(t, f.endBlock())
	require.Equal(t, consortium.PROPOSAL_STATUS_EXECUTED, f.status(number))
	require.Equal(t, msg, got)
	kept := 0
	for _, e := range f.ctx.EventManager().Events() {
		if e.Type == "kept" {
			kept++
		}
	}
	require.Equal(t, 1, kept, "the events of what was carried out are the block's")
}

func TestAProposalThatFailsWritesNothing(t *testing.T) {
	failing := errorsmod.Register("consortiumtest", 7, "fails")
	odd := errorsmod.Register("Odd-Space", 8, "fails")
	for _, c := range []struct {
		name    string
		handle  handler
		failure string
	}{
		{"an error", func(sdk.Context, sdk.Msg) (*sdk.Result, error) { return nil, failing.Wrap("of this test") }, "consortiumtest/7"},
		{"an error of no codespace", func(sdk.Context, sdk.Msg) (*sdk.Result, error) { return nil, errors.New("boom") }, "undefined/1"},
		{"an error of an odd codespace", func(sdk.Context, sdk.Msg) (*sdk.Result, error) { return nil, odd }, "undefined/8"},
		{"a panic", func(sdk.Context, sdk.Msg) (*sdk.Result, error) { panic("boom") }, consortium.ReasonPanic},
		{"an error at run time", func(_ sdk.Context, m sdk.Msg) (*sdk.Result, error) {
			return &sdk.Result{Log: []string{}[len(m.String())]}, nil
		}, consortium.ReasonPanic},
		{"too much gas", func(ctx sdk.Context, _ sdk.Msg) (*sdk.Result, error) {
			ctx.GasMeter().ConsumeGas(consortium.ProposalGas+1, "a lot")
			return &sdk.Result{}, nil
		}, consortium.ReasonOutOfGas},
		{"its handler is gone", nil, "consortium/18"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, 4)
			f.router.handlers[sdk.MsgTypeURL(f.consensusParams())] = c.handle
			if c.handle == nil {
				f.router.handlers[sdk.MsgTypeURL(f.consensusParams())] = func(sdk.Context, sdk.Msg) (*sdk.Result, error) { return &sdk.Result{}, nil }
			}
			number := f.propose(f.suspension(4), f.consensusParams())
			if c.handle == nil {
				delete(f.router.handlers, sdk.MsgTypeURL(f.consensusParams()))
			}
			f.votes(number, true, 1, 2, 3)
			f.ctx = f.ctx.WithEventManager(sdk.NewEventManager())
			used := f.ctx.GasMeter().GasConsumed()
			require.Empty(t, f.endBlock())
			require.Less(t, f.ctx.GasMeter().GasConsumed()-used, uint64(consortium.ProposalGas), "its gas is its own")
			p := f.proposal(number)
			require.Equal(t, consortium.PROPOSAL_STATUS_FAILED, p.Status)
			require.Equal(t, c.failure, p.Failure)
			require.Equal(t, consortium.MEMBER_STATUS_ACTIVE, f.member(4).Status, "nothing of it was written")
			require.Equal(t, audit.Entry{
				Kind: audit.KindProposalFailed, Role: audit.RoleChain, Target: "1", Outcome: audit.OUTCOME_REFUSED, Reason: c.failure,
			}, f.log.last())
			for _, e := range f.ctx.EventManager().Events() {
				require.NotEqual(t, "phrd.consortium.v1.EventMembersChanged", e.Type)
			}
			require.Empty(t, f.endBlock(), "it is not tried again")
			require.Equal(t, consortium.PROPOSAL_STATUS_FAILED, f.status(number))
		})
	}
}

func TestAtMostSoManyProposalsCloseABlock(t *testing.T) {
	f := newFixture(t, 15)
	count := 0
	for _, admin := range f.admins {
		for range consortium.MaxOpenProposals {
			_, err := f.submit(admin, f.suspension(4))
			require.NoError(t, err)
			count++
		}
	}
	require.Greater(t, count, consortium.MaxClosingsPerBlock)
	f.pass(int64(consortium.DefaultParams().VotingPeriod))
	open := func() int {
		left := 0
		for number := range count {
			if f.status(uint64(number)+1) == consortium.PROPOSAL_STATUS_OPEN {
				left++
			}
		}
		return left
	}
	require.Empty(t, f.endBlock())
	require.Equal(t, count-consortium.MaxClosingsPerBlock, open())
	require.Empty(t, f.endBlock())
	require.Zero(t, open())
}
