package keeper_test

import (
	"context"
	"crypto/ed25519"
	"testing"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// machine is what signs for a storage node.
type machine struct {
	comet, libp2p ed25519.PrivateKey
	node          *secp256k1.PrivKey
}

func (f *fixture) machine() machine {
	return machine{
		comet: ed25519.NewKeyFromSeed(f.bytes(32)), libp2p: ed25519.NewKeyFromSeed(f.bytes(32)),
		node: secp256k1.GenPrivKeyFromSecret(f.bytes(32)),
	}
}

// declares is the machine's registration at a site of a member of a network.
func (m machine) declares(t *testing.T, network lock.Network, member, site uint64) *consortium.MsgRegisterStorageNode {
	t.Helper()
	d := consortium.NodeDeclaration{
		NetworkId: network[:], Member: member, Site: site, CometKey: public(m.comet), Libp2PKey: public(m.libp2p), NodeKey: m.node.PubKey().Bytes(),
		Address: "/ip4/192.0.2.9/tcp/4001", Capacity: 1 << 30,
	}
	signature, err := m.node.Sign(d.Digest())
	require.NoError(t, err)
	n := d.StorageNode()
	return &consortium.MsgRegisterStorageNode{
		Site: d.Site, Account: n.Account, PeerId: n.PeerId, Address: d.Address, Capacity: d.Capacity, CometKey: d.CometKey, NodeKey: d.NodeKey,
		CometSignature: ed25519.Sign(m.comet, d.Digest()), Libp2PSignature: ed25519.Sign(m.libp2p, d.Digest()), NodeSignature: signature,
	}
}

// newNode is the registration of a storage node that the member has not.
func (f *fixture) newNode(member int) *consortium.MsgRegisterStorageNode {
	f.t.Helper()
	return f.register(f.machine(), member)
}

// register is the registration of a machine at the first site of a member.
func (f *fixture) register(m machine, member int) *consortium.MsgRegisterStorageNode {
	f.t.Helper()
	return f.registerAt(m, member, 1)
}

// registerAt is the registration of a machine at a site of a member.
func (f *fixture) registerAt(m machine, member int, site uint64) *consortium.MsgRegisterStorageNode {
	f.t.Helper()
	network, err := f.keeper.NetworkID(f.ctx)
	require.NoError(f.t, err)
	msg := m.declares(f.t, network, uint64(member), site)
	msg.Admin = f.admins[member-1]
	return msg
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
		CometId: consortium.CometID(msg.CometKey),
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
	clerk := f.staff(2, consortium.ROLE_CLERK)
	other, retired := f.machine(), f.machine()
	for _, m := range []machine{other, retired} {
		_, err := f.msg.RegisterStorageNode(f.ctx, f.register(m, 1))
		require.NoError(t, err)
	}
	_, err := f.msg.RetireStorageNode(f.ctx, &consortium.MsgRetireStorageNode{Admin: f.admins[0], Number: 5})
	require.NoError(t, err)
	// with is a registration by a machine that has some keys of others.
	with := func(change func(*machine)) func(*consortium.MsgRegisterStorageNode) {
		return func(msg *consortium.MsgRegisterStorageNode) {
			m := f.machine()
			change(&m)
			*msg = *f.register(m, 2)
		}
	}
	staff := f.machine()
	_, err = f.msg.RegisterStaff(f.ctx, &consortium.MsgRegisterStaff{
		Admin: f.admins[2], Address: consortium.AccountOf(staff.node.PubKey().Bytes()).String(), Role: consortium.ROLE_CLERK,
	})
	require.NoError(t, err)
	for _, c := range []struct {
		name   string
		change func(*consortium.MsgRegisterStorageNode)
		err    error
	}{
		{"a stranger", func(m *consortium.MsgRegisterStorageNode) { m.Admin = stranger }, consortium.ErrUnknownAccount},
		{"a clerk", func(m *consortium.MsgRegisterStorageNode) { m.Admin = clerk }, consortium.ErrUnauthorized},
		{"no such site", func(m *consortium.MsgRegisterStorageNode) { m.Site = 2 }, consortium.ErrUnknownSite},
		{"no account", func(m *consortium.MsgRegisterStorageNode) { m.Account = "" }, consortium.ErrInvalidDeclaration},
		{"an account of another key", func(m *consortium.MsgRegisterStorageNode) { m.Account = f.address() }, consortium.ErrInvalidDeclaration},
		{"the account of staff", with(func(m *machine) { m.node = staff.node }), consortium.ErrKnownAccount},
		{"another node's account", with(func(m *machine) { m.node = other.node }), consortium.ErrKnownAccount},
		{"another node's peer id", with(func(m *machine) { m.libp2p = other.libp2p }), consortium.ErrKnownKey},
		{"another node's comet id", with(func(m *machine) { m.comet = other.comet }), consortium.ErrKnownKey},
		{"a retired node's comet id", with(func(m *machine) { m.comet = retired.comet }), consortium.ErrKnownKey},
		{"one key for two purposes", with(func(m *machine) { m.comet = m.libp2p }), consortium.ErrInvalidDeclaration},
		{"no comet key", func(m *consortium.MsgRegisterStorageNode) { m.CometKey = nil }, consortium.ErrInvalidDeclaration},
		{"no node key", func(m *consortium.MsgRegisterStorageNode) { m.NodeKey = nil }, consortium.ErrInvalidDeclaration},
		{"no signature of the comet key", func(m *consortium.MsgRegisterStorageNode) { m.CometSignature = nil }, consortium.ErrBadSignature},
		{"no signature of the libp2p key", func(m *consortium.MsgRegisterStorageNode) { m.Libp2PSignature = nil }, consortium.ErrBadSignature},
		{"no signature of the node key", func(m *consortium.MsgRegisterStorageNode) { m.NodeSignature = nil }, consortium.ErrBadSignature},
		{"a changed signature", func(m *consortium.MsgRegisterStorageNode) { m.CometSignature[7] ^= 1 }, consortium.ErrBadSignature},
		{"another address than it signed", func(m *consortium.MsgRegisterStorageNode) { m.Address = "/ip4/192.0.2.66/tcp/4001" }, consortium.ErrBadSignature},
		{"another capacity than it signed", func(m *consortium.MsgRegisterStorageNode) { m.Capacity++ }, consortium.ErrBadSignature},
		{"another member's node", func(m *consortium.MsgRegisterStorageNode) {
			*m = *f.register(f.machine(), 3)
			m.Admin = f.admins[1]
		}, consortium.ErrBadSignature},
		{"another network's node", func(m *consortium.MsgRegisterStorageNode) {
			*m = *f.machine().declares(t, lock.Network{1}, 2, 1)
			m.Admin = f.admins[1]
		}, consortium.ErrBadSignature},
		{"no peer id", func(m *consortium.MsgRegisterStorageNode) { m.PeerId = "" }, consortium.ErrInvalidKey},
		{"no address", func(m *consortium.MsgRegisterStorageNode) { m.Address = "" }, consortium.ErrInvalidDeclaration},
		{"no capacity", func(m *consortium.MsgRegisterStorageNode) { m.Capacity = 0 }, consortium.ErrInvalidDeclaration},
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
	_, err = f.msg.RegisterStorageNode(f.ctx, f.newNode(2))
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
