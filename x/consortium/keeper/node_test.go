package keeper_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// newNode is a storage node that the member has not.
func (f *fixture) newNode(member int) *consortium.MsgRegisterStorageNode {
	return &consortium.MsgRegisterStorageNode{
		Admin: f.admins[member-1], Site: 1, Account: f.address(), PeerId: consortium.PeerID(f.bytes(32)),
		Address: "/ip4/192.0.2.9/tcp/4001", Capacity: 1 << 30,
	}
}

// storageNode registers a storage node at the member.
func (f *fixture) storageNode(member int) consortium.StorageNode {
	f.t.Helper()
	res, err := f.msg.RegisterStorageNode(f.ctx, f.newNode(member))
	require.NoError(f.t, err)
	n, err := f.keeper.StorageNode(f.ctx, res.Number)
	require.NoError(f.t, err)
	return n
}

func (f *fixture) placeable() []uint64 {
	f.t.Helper()
	nodes, err := f.keeper.PlaceableNodes(f.ctx)
	require.NoError(f.t, err)
	var numbers []uint64
	for _, n := range nodes {
		numbers = append(numbers, n.Number)
	}
	return numbers
}

func TestStorageNodes(t *testing.T) {
	f := newFixture(t, 3)
	msg := f.newNode(2)
	res, err := f.msg.RegisterStorageNode(f.ctx, msg)
	require.NoError(t, err)
	require.EqualValues(t, 4, res.Number)
	require.Equal(t, audit.Entry{
		Kind: audit.KindStorageNodeRegistered, Actor: f.admins[1], Role: "admin", Hospital: 2, Target: "4", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	require.Contains(t, f.accounts.known, msg.Account)
	want := consortium.StorageNode{
		Number: 4, Member: 2, Site: 1, Account: msg.Account, PeerId: msg.PeerId, Address: msg.Address, Capacity: msg.Capacity,
	}
	n, err := f.keeper.StorageNodeByAccount(f.ctx, msg.Account)
	require.NoError(t, err)
	require.Equal(t, want, n)
	require.EqualValues(t, 5, f.storageNode(1).Number, "numbers count over the network")

	own, err := f.keeper.MemberNode(f.ctx, 2)
	require.NoError(t, err)
	require.Equal(t, f.genesis.StorageNodes[1], own)
	_, err = f.keeper.MemberNode(f.ctx, 4)
	require.ErrorIs(t, err, consortium.ErrUnknownMember)
	_, err = f.keeper.StorageNode(f.ctx, 6)
	require.ErrorIs(t, err, consortium.ErrUnknownNode)
	for _, address := range []string{stranger, "x", f.admins[0]} {
		_, err = f.keeper.StorageNodeByAccount(f.ctx, address)
		require.ErrorIs(t, err, consortium.ErrUnknownNode)
	}

	require.Equal(t, []uint64{1, 2, 3, 4, 5}, f.placeable())
	_, err = f.msg.RetireStorageNode(f.ctx, &consortium.MsgRetireStorageNode{Admin: f.admins[1], Number: 4})
	require.NoError(t, err)
	require.Equal(t, audit.Entry{
		Kind: audit.KindStorageNodeRetired, Actor: f.admins[1], Role: "admin", Hospital: 2, Target: "4", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	require.Equal(t, []uint64{1, 2, 3, 5}, f.placeable())
	require.True(t, f.principal(msg.Account).Active, "a retired node still confirms what it holds")
	f.suspend(1)
	require.Equal(t, []uint64{2, 3}, f.placeable())

	for _, c := range []struct {
		name string
		msg  consortium.MsgRetireStorageNode
		err  error
	}{
		{"a stranger", consortium.MsgRetireStorageNode{Admin: stranger, Number: 2}, consortium.ErrUnknownAccount},
		{"a node", consortium.MsgRetireStorageNode{Admin: f.nodes[1], Number: 2}, consortium.ErrUnauthorized},
		{"another member's", consortium.MsgRetireStorageNode{Admin: f.admins[1], Number: 3}, consortium.ErrUnauthorized},
		{"no node", consortium.MsgRetireStorageNode{Admin: f.admins[1], Number: 6}, consortium.ErrUnknownNode},
		{"twice", consortium.MsgRetireStorageNode{Admin: f.admins[1], Number: 4}, consortium.ErrWrongStatus},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := f.msg.RetireStorageNode(f.ctx, &c.msg)
			require.ErrorIs(t, err, c.err)
		})
	}
}

func TestRegisterStorageNodeErrors(t *testing.T) {
	f := newFixture(t, 3)
	clerk, patient, other := f.staff(2, consortium.ROLE_CLERK), f.patient(1), f.storageNode(1)
	for _, c := range []struct {
		name   string
		change func(*consortium.MsgRegisterStorageNode)
		err    error
	}{
		{"a stranger", func(m *consortium.MsgRegisterStorageNode) { m.Admin = stranger }, consortium.ErrUnknownAccount},
		{"a clerk", func(m *consortium.MsgRegisterStorageNode) { m.Admin = clerk }, consortium.ErrUnauthorized},
		{"no such site", func(m *consortium.MsgRegisterStorageNode) { m.Site = 2 }, consortium.ErrUnknownSite},
		{"no account", func(m *consortium.MsgRegisterStorageNode) { m.Account = "" }, consortium.ErrInvalidAddress},
		{"the consortium's account", func(m *consortium.MsgRegisterStorageNode) { m.Account = f.keeper.Authority() }, consortium.ErrInvalidAddress},
		{"an admin's account", func(m *consortium.MsgRegisterStorageNode) { m.Account = f.admins[1] }, consortium.ErrKnownAccount},
		{"a patient's account", func(m *consortium.MsgRegisterStorageNode) { m.Account = patient }, consortium.ErrKnownAccount},
		{"another node's account", func(m *consortium.MsgRegisterStorageNode) { m.Account = other.Account }, consortium.ErrKnownAccount},
		{"another node's peer id", func(m *consortium.MsgRegisterStorageNode) { m.PeerId = other.PeerId }, consortium.ErrKnownKey},
		{"no peer id", func(m *consortium.MsgRegisterStorageNode) { m.PeerId = "" }, consortium.ErrInvalidKey},
		{"no address", func(m *consortium.MsgRegisterStorageNode) { m.Address = "" }, consortium.ErrInvalidEndpoint},
		{"no capacity", func(m *consortium.MsgRegisterStorageNode) { m.Capacity = 0 }, consortium.ErrInvalidCapacity},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg, entries, accounts := f.newNode(2), len(f.log.entries), len(f.accounts.known)
			c.change(msg)
			_, err := f.msg.RegisterStorageNode(f.ctx, msg)
			require.ErrorIs(t, err, c.err)
			require.Len(t, f.log.entries, entries)
			require.Len(t, f.accounts.known, accounts)
		})
	}
	for range consortium.MaxStorageNodes - 1 {
		f.storageNode(2)
	}
	_, err := f.msg.RegisterStorageNode(f.ctx, f.newNode(2))
	require.ErrorIs(t, err, consortium.ErrTooMany)
	f.storageNode(3)
}

// followed remembers of which members' nodes it was told, and how many took copies then.
type followed struct {
	f       *fixture
	members []uint64
	taking  []int
}

func (h *followed) NodesChanged(ctx context.Context, member uint64) error {
	nodes, err := h.f.keeper.PlaceableNodes(ctx)
	h.members, h.taking = append(h.members, member), append(h.taking, len(nodes))
	return err
}

// Who places copies is told of nodes that come and go, after the state says so.
func TestNodeHooks(t *testing.T) {
	f := newFixture(t, 4)
	h := &followed{f: f}
	f.keeper.SetNodeHooks(h)
	n := f.storageNode(2)
	_, err := f.msg.RetireStorageNode(f.ctx, &consortium.MsgRetireStorageNode{Admin: f.admins[1], Number: n.Number})
	require.NoError(t, err)
	f.suspend(3)
	_, err = f.msg.ReinstateMember(f.ctx, &consortium.MsgReinstateMember{Authority: f.keeper.Authority(), Member: 3})
	require.NoError(t, err)
	require.Equal(t, []uint64{2, 2, 3, 3}, h.members)
	require.Equal(t, []int{5, 4, 3, 4}, h.taking)
	// What is refused changes nothing.
	_, err = f.msg.RetireStorageNode(f.ctx, &consortium.MsgRetireStorageNode{Admin: f.admins[1], Number: n.Number})
	require.ErrorIs(t, err, consortium.ErrWrongStatus)
	require.Len(t, h.members, 4)

	of, err := f.keeper.NodesOf(f.ctx, 2)
	require.NoError(t, err)
	require.Len(t, of, 2)
	require.Equal(t, n.Number, of[1].Number)
	all, err := f.keeper.StorageNodes(f.ctx)
	require.NoError(t, err)
	require.Len(t, all, 5)
}
