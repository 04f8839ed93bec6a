package keeper_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// holders is a network's key that takes so many of its holders.
type holders struct {
	numbers   []uint64
	threshold int
}

func (h holders) CheckHolders(_ context.Context, stays func(uint64) bool) error {
	left := 0
	for _, n := range h.numbers {
		if stays(n) {
			left++
		}
	}
	if left < h.threshold {
		return consortium.ErrTooFewHolders.Wrapf("%d of %d", left, h.threshold)
	}
	return nil
}

func (f *fixture) requestLeave(member int) error {
	_, err := f.msg.RequestLeave(f.ctx, &consortium.MsgRequestLeave{Admin: f.admins[member-1]})
	return err
}

func (f *fixture) reinstate(member uint64) error {
	_, err := f.msg.ReinstateMember(f.ctx, &consortium.MsgReinstateMember{Authority: f.keeper.Authority(), Member: member})
	return err
}

func (f *fixture) remove(member uint64) error {
	_, err := f.msg.RemoveMember(f.ctx, &consortium.MsgRemoveMember{Authority: f.keeper.Authority(), Member: member})
	return err
}

func TestLeave(t *testing.T) {
	f := newFixture(t, 4)
	hooks := &membershipCalls{ready: map[uint64]bool{}}
	f.keeper.SetMembershipHooks(hooks)
	f.keeper.SetKeyholders(holders{[]uint64{1, 2, 3, 4}, 3})
	f.pass(60)
	res, err := f.msg.RequestLeave(f.ctx, &consortium.MsgRequestLeave{Admin: f.admins[1]})
	require.NoError(t, err)
	require.EqualValues(t, 7, res.Copies)
	require.Equal(t, audit.Entry{
		Kind: audit.KindMemberLeaving, Actor: f.admins[1], Role: "admin", Hospital: 2, Target: "2", Count: 7, Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	require.Equal(t, consortium.MEMBER_STATUS_LEAVING, f.member(2).Status)
	require.Equal(t, f.now(), f.member(2).LeavingSince)
	require.ErrorIs(t, f.requestLeave(2), consortium.ErrWrongStatus, "once")

	// It goes on as before: it validates, votes and writes. It only gets no new copies.
	require.Empty(t, f.endBlock())
	require.True(t, f.principal(f.nodes[1]).Active)
	require.NotContains(t, f.placeable(), uint64(2))
	number := f.propose(f.suspension(4))
	f.votes(number, true, 2)
	g, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, g.Validate())

	hooks.ready[2] = true
	f.pass(60)
	entries := len(f.log.entries)
	require.Equal(t, []string{"2:0"}, f.endBlock())
	require.Equal(t, []audit.Entry{{Kind: audit.KindMemberLeft, Role: audit.RoleChain, Target: "2", Outcome: audit.OUTCOME_OK}}, f.log.entries[entries:])
	require.Equal(t, []string{"leaving 2", "left 2"}, hooks.calls)
	left := f.member(2)
	require.Equal(t, consortium.MEMBER_STATUS_LEFT, left.Status)
	require.Equal(t, f.now(), left.LeftAt)
	require.Equal(t, f.now()-60, left.LeavingSince)
	require.EqualValues(t, 7, left.HandedOver)
	require.EqualValues(t, entries+1, left.LeftEntry)
	require.False(t, f.principal(f.nodes[1]).Active)
	require.False(t, f.principal(f.admins[1]).Active)
	require.Empty(t, f.endBlock())

	// Nothing brings it back, and its vote does not count any more.
	require.ErrorIs(t, f.reinstate(2), consortium.ErrWrongStatus)
	require.ErrorIs(t, f.remove(2), consortium.ErrWrongStatus)
	f.votes(number, true, 1, 3)
	require.Equal(t, consortium.PROPOSAL_STATUS_OPEN, f.status(number))
	f.votes(number, true, 4)
	require.Equal(t, consortium.PROPOSAL_STATUS_ACCEPTED, f.status(number))
}

// A member that changed its mind stays by a vote; one that is suspended meanwhile does not leave by itself.
func TestLeavingMemberStays(t *testing.T) {
	f := newFixture(t, 4)
	hooks := &membershipCalls{ready: map[uint64]bool{}}
	f.keeper.SetMembershipHooks(hooks)
	require.NoError(t, f.requestLeave(3))
	require.NoError(t, f.reinstate(3))
	require.Equal(t, consortium.MEMBER_STATUS_ACTIVE, f.member(3).Status)
	require.Zero(t, f.member(3).LeavingSince)
	require.Contains(t, f.placeable(), uint64(3))
	hooks.ready[3] = true
	require.Empty(t, f.endBlock())

	require.NoError(t, f.requestLeave(3))
	f.suspend(3)
	require.Equal(t, []string{"3:0"}, f.endBlock())
	require.Equal(t, consortium.MEMBER_STATUS_SUSPENDED, f.member(3).Status)
	require.Empty(t, f.endBlock())
}

func TestLeaveRefuses(t *testing.T) {
	f := newFixture(t, 4)
	f.keeper.SetMembershipHooks(&membershipCalls{ready: map[uint64]bool{}})
	f.keeper.SetKeyholders(holders{[]uint64{1, 2, 3, 4}, 3})
	clerk := f.staff(1, consortium.ROLE_CLERK)
	for _, signer := range []string{clerk, f.nodes[0]} {
		_, err := f.msg.RequestLeave(f.ctx, &consortium.MsgRequestLeave{Admin: signer})
		require.ErrorIs(t, err, consortium.ErrUnauthorized)
	}
	require.NoError(t, f.requestLeave(1))
	entries := len(f.log.entries)
	require.ErrorIs(t, f.requestLeave(2), consortium.ErrTooFewHolders, "the second would leave two of the three shares that open")
	require.Equal(t, consortium.MEMBER_STATUS_ACTIVE, f.member(2).Status)
	require.Len(t, f.log.entries, entries)
	require.NoError(t, f.reinstate(1))
	f.suspend(1)
	require.ErrorIs(t, f.requestLeave(2), consortium.ErrTooFewHolders, "a suspended member gives no share")
	require.NoError(t, f.reinstate(1))
	require.NoError(t, f.requestLeave(2))

	two := newFixture(t, 2)
	two.keeper.SetMembershipHooks(&membershipCalls{})
	require.NoError(t, two.requestLeave(1))
	require.ErrorIs(t, two.requestLeave(2), consortium.ErrLastValidator)
}

// Who is suspended while another one leaves may be needed, so that the other one waits.
func TestLeavingWaitsForHolders(t *testing.T) {
	f := newFixture(t, 4)
	f.keeper.SetMembershipHooks(&membershipCalls{ready: map[uint64]bool{1: true}})
	f.keeper.SetKeyholders(holders{[]uint64{1, 2, 3, 4}, 3})
	require.NoError(t, f.requestLeave(1))
	f.suspend(2)
	require.Equal(t, []string{"2:0"}, f.endBlock())
	require.Equal(t, consortium.MEMBER_STATUS_LEAVING, f.member(1).Status)
	require.NoError(t, f.reinstate(2))
	require.Equal(t, []string{"1:0", "2:1"}, f.endBlock())
}

func TestRemoveMember(t *testing.T) {
	f := newFixture(t, 4)
	hooks := &membershipCalls{}
	f.keeper.SetMembershipHooks(hooks)
	f.keeper.SetKeyholders(holders{[]uint64{1, 2, 3, 4}, 3})
	require.ErrorIs(t, f.remove(4), consortium.ErrWrongStatus, "it is not suspended")
	f.suspend(4)
	require.Equal(t, []string{"4:0"}, f.endBlock())
	f.pass(60)
	require.NoError(t, f.remove(4))
	require.Equal(t, audit.Entry{Kind: audit.KindMemberRemoved, Role: audit.RoleChain, Target: "4", Outcome: audit.OUTCOME_OK}, f.log.last())
	require.Equal(t, []string{"left 4"}, hooks.calls)
	require.Equal(t, consortium.MEMBER_STATUS_LEFT, f.member(4).Status)
	require.Equal(t, f.now(), f.member(4).LeftAt)
	require.Empty(t, f.endBlock(), "it validates no more since it was suspended")
	require.ErrorIs(t, f.remove(5), consortium.ErrUnknownMember)

	f.suspend(3)
	require.ErrorIs(t, f.remove(3), consortium.ErrTooFewHolders, "its share may still be needed")
	require.Equal(t, consortium.MEMBER_STATUS_SUSPENDED, f.member(3).Status)
}

func TestUpdateStorageNode(t *testing.T) {
	f := newFixture(t, 2)
	n := f.storageNode(2)
	_, err := f.msg.UpdateStorageNode(f.ctx, &consortium.MsgUpdateStorageNode{Admin: f.admins[1], Number: n.Number, Address: "/dns/new.example.org/tcp/4001"})
	require.NoError(t, err)
	n.Address = "/dns/new.example.org/tcp/4001"
	require.Equal(t, audit.Entry{
		Kind: audit.KindStorageNodeUpdated, Actor: f.admins[1], Role: "admin", Hospital: 2, Target: "3", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	_, err = f.msg.UpdateStorageNode(f.ctx, &consortium.MsgUpdateStorageNode{Admin: f.admins[1], Number: n.Number, Capacity: 1 << 41})
	require.NoError(t, err)
	n.Capacity = 1 << 41
	got, err := f.keeper.StorageNode(f.ctx, n.Number)
	require.NoError(t, err)
	require.Equal(t, n, got, "what is empty stays")

	for _, c := range []struct {
		name string
		msg  consortium.MsgUpdateStorageNode
		err  error
	}{
		{"a node", consortium.MsgUpdateStorageNode{Admin: f.nodes[1], Number: 3, Capacity: 1 << 40}, consortium.ErrUnauthorized},
		{"another member's", consortium.MsgUpdateStorageNode{Admin: f.admins[0], Number: 3, Capacity: 1 << 40}, consortium.ErrUnauthorized},
		{"no node", consortium.MsgUpdateStorageNode{Admin: f.admins[1], Number: 4, Capacity: 1 << 40}, consortium.ErrUnknownNode},
		{"nothing", consortium.MsgUpdateStorageNode{Admin: f.admins[1], Number: 3}, consortium.ErrInvalidEndpoint},
		{"no address", consortium.MsgUpdateStorageNode{Admin: f.admins[1], Number: 3, Address: "new.example.org:4001"}, consortium.ErrInvalidEndpoint},
		{"no room", consortium.MsgUpdateStorageNode{Admin: f.admins[1], Number: 3, Capacity: 1}, consortium.ErrInvalidCapacity},
	} {
		t.Run(c.name, func(t *testing.T) {
			entries := len(f.log.entries)
			_, err := f.msg.UpdateStorageNode(f.ctx, &c.msg)
			require.ErrorIs(t, err, c.err)
			require.Len(t, f.log.entries, entries)
		})
	}
}
