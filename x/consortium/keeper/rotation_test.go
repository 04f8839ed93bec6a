package keeper_test

import (
	"crypto/ed25519"
	"testing"

	"cosmossdk.io/core/comet"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// rotation is a message with the keys of a hospital that there is not, as a member's
// admin sends it.
func (f *fixture) rotation(member int) (*candidate, *consortium.MsgRotateMemberKeys) {
	f.t.Helper()
	c := f.declare("New keys")
	m := &consortium.MsgRotateMemberKeys{
		Admin: f.admins[member-1], ConsensusKey: c.declaration.ConsensusKey, CometKey: c.declaration.CometKey,
		Libp2PKey: c.declaration.Libp2PKey, NodeKey: c.declaration.NodeKey,
	}
	return c, c.signRotation(m, uint64(member))
}

// signRotation has each key that the message names sign it.
func (c *candidate) signRotation(m *consortium.MsgRotateMemberKeys, member uint64) *consortium.MsgRotateMemberKeys {
	c.f.t.Helper()
	digest := m.Digest(c.f.network, member)
	for _, k := range []struct {
		named bool
		key   ed25519.PrivateKey
		into  *[]byte
	}{
		{len(m.ConsensusKey) > 0, c.consensus, &m.ConsensusSignature},
		{len(m.CometKey) > 0, c.comet, &m.CometSignature},
		{len(m.Libp2PKey) > 0, c.libp2p, &m.Libp2PSignature},
	} {
		if *k.into = nil; k.named {
			*k.into = ed25519.Sign(k.key, digest)
		}
	}
	var err error
	if len(m.NodeKey) > 0 {
		m.NodeSignature, err = c.node.Sign(digest)
		require.NoError(c.f.t, err)
	}
	if len(m.AdminKey) > 0 {
		m.AdminSignature, err = c.admin.Sign(digest)
		require.NoError(c.f.t, err)
	}
	return m
}

func (f *fixture) rotate(m *consortium.MsgRotateMemberKeys) error {
	_, err := f.msg.RotateMemberKeys(f.ctx, m)
	return err
}

// power is what CometBFT is told of a key.
type power struct {
	key   string
	power int64
}

func (f *fixture) powers() []power {
	f.t.Helper()
	updates, err := f.keeper.EndBlock(f.ctx)
	require.NoError(f.t, err)
	return powersOf(updates)
}

func powersOf(updates []abci.ValidatorUpdate) []power {
	var powers []power
	for _, u := range updates {
		powers = append(powers, power{string(u.PubKey.GetEd25519()), u.Power})
	}
	return powers
}

func TestRotateMemberKeys(t *testing.T) {
	f := newFixture(t, 3)
	was, node := f.member(2), f.genesis.StorageNodes[1]
	c, msg := f.rotation(2)
	require.NoError(t, f.rotate(msg))
	require.Equal(t, audit.Entry{
		Kind: audit.KindMemberKeysRotated, Actor: f.admins[1], Role: "admin", Hospital: 2, Target: "2", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	is := c.declaration.Found(2, 2, 0)
	want := was
	want.ConsensusKey, want.CometId, want.NodeAccount = is.Member.ConsensusKey, is.Member.CometId, is.Member.NodeAccount
	require.Equal(t, want, f.member(2), "all else stays")
	node.Account, node.PeerId, node.CometId = is.Node.Account, is.Node.PeerId, is.Node.CometId
	got, err := f.keeper.StorageNodeByAccount(f.ctx, is.Node.Account)
	require.NoError(t, err)
	require.Equal(t, node, got)
	require.Contains(t, f.accounts.known, is.Node.Account)

	// The power goes from the old key to the new one at once.
	require.Equal(t, []power{{string(was.ConsensusKey), 0}, {string(want.ConsensusKey), 1}}, f.powers())
	require.Empty(t, f.powers(), "CometBFT is told once")

	former, err := f.keeper.LastFormerKeys(f.ctx, 2)
	require.NoError(t, err)
	require.Equal(t, consortium.FormerKeys{
		Member: 2, Number: 1, ConsensusKey: was.ConsensusKey, CometId: was.CometId, PeerId: f.genesis.StorageNodes[1].PeerId, NodeAccount: f.nodes[1], Until: start,
	}, former)
	former, err = f.keeper.LastFormerKeys(f.ctx, 1)
	require.NoError(t, err)
	require.Zero(t, former)

	// The old account is known and may nothing; the new one may all.
	require.Equal(t, consortium.Principal{Address: f.nodes[1], Role: consortium.ROLE_NODE, Hospital: 2}, f.principal(f.nodes[1]))
	require.True(t, f.principal(is.Node.Account).Active)
	_, err = f.keeper.StorageNodeByAccount(f.ctx, f.nodes[1])
	require.ErrorIs(t, err, consortium.ErrUnknownNode)
	opening := f.opening(f.invite(1), f.address())
	opening.Node = f.nodes[1]
	res, err := f.msg.OpenAccount(f.ctx, opening)
	require.NoError(t, err)
	require.Equal(t, consortium.ReasonInactive, res.Reason)
	opening.Node = is.Node.Account
	res, err = f.msg.OpenAccount(f.ctx, opening)
	require.NoError(t, err)
	require.Equal(t, audit.OUTCOME_OK, res.Outcome)
}

// No key is ever anybody's twice, neither the old ones nor the new ones.
func TestRotatedKeysAreUsedUp(t *testing.T) {
	f := newFixture(t, 3)
	old := f.declare("Old keys")
	_, err := f.msg.AdmitMember(f.ctx, old.admission())
	require.NoError(t, err)
	f.admins = append(f.admins, consortium.AccountOf(old.declaration.AdminKey).String())
	fresh, msg := f.rotation(4)
	require.NoError(t, f.rotate(msg))
	f.pass(consortium.RotationPause)

	for name, of := range map[string]*candidate{"old": old, "new": fresh} {
		for _, c := range []struct {
			name string
			msg  consortium.MsgRotateMemberKeys
			err  error
		}{
			{"consensus key", consortium.MsgRotateMemberKeys{ConsensusKey: of.declaration.ConsensusKey}, consortium.ErrKnownKey},
			{"comet key", consortium.MsgRotateMemberKeys{CometKey: of.declaration.CometKey}, consortium.ErrKnownKey},
			{"libp2p key", consortium.MsgRotateMemberKeys{Libp2PKey: of.declaration.Libp2PKey}, consortium.ErrKnownKey},
			{"node key", consortium.MsgRotateMemberKeys{NodeKey: of.declaration.NodeKey}, consortium.ErrKnownAccount},
		} {
			for _, member := range []int{4, 2} {
				c.msg.Admin = f.admins[member-1]
				require.ErrorIs(t, f.rotate(of.signRotation(&c.msg, uint64(member))), c.err, "%s %s, member %d", name, c.name, member)
			}
		}
		again := f.declare("Another hospital")
		again.consensus, again.declaration.ConsensusKey = of.consensus, of.declaration.ConsensusKey
		_, err := f.msg.AdmitMember(f.ctx, again.admission())
		require.ErrorIs(t, err, consortium.ErrKnownKey, name)
	}
	// The twin: keys that nobody had.
	_, msg = f.rotation(4)
	require.NoError(t, f.rotate(msg))
}

func TestRotationIsRefused(t *testing.T) {
	f := newFixture(t, 3)
	f.suspend(3)
	require.NotEmpty(t, f.powers())
	clerk := f.staff(2, consortium.ROLE_CLERK)
	was := f.member(2)
	for _, c := range []struct {
		name   string
		change func(c *candidate, m *consortium.MsgRotateMemberKeys)
		err    error
	}{
		{"a stranger", func(_ *candidate, m *consortium.MsgRotateMemberKeys) { m.Admin = stranger }, consortium.ErrUnknownAccount},
		{"a clerk", func(_ *candidate, m *consortium.MsgRotateMemberKeys) { m.Admin = clerk }, consortium.ErrUnauthorized},
		{"the node", func(_ *candidate, m *consortium.MsgRotateMemberKeys) { m.Admin = f.nodes[1] }, consortium.ErrUnauthorized},
		{"another hospital", func(_ *candidate, m *consortium.MsgRotateMemberKeys) { m.Admin = f.admins[0] }, consortium.ErrBadSignature},
		{"a suspended hospital", func(_ *candidate, m *consortium.MsgRotateMemberKeys) { m.Admin = f.admins[2] }, consortium.ErrUnauthorized},
		{"nothing", func(_ *candidate, m *consortium.MsgRotateMemberKeys) {
			*m = consortium.MsgRotateMemberKeys{Admin: m.Admin}
		}, consortium.ErrInvalidKey},
		{"a key that did not sign", func(_ *candidate, m *consortium.MsgRotateMemberKeys) { m.ConsensusSignature[9] ^= 1 }, consortium.ErrBadSignature},
		{"another hospital's key", func(c *candidate, m *consortium.MsgRotateMemberKeys) {
			m.ConsensusKey = f.genesis.Members[0].ConsensusKey
			c.signRotation(m, 2)
		}, consortium.ErrBadSignature},
		{"a node account that is staff", func(c *candidate, m *consortium.MsgRotateMemberKeys) {
			_, err := f.msg.RegisterStaff(f.ctx, &consortium.MsgRegisterStaff{
				Admin: f.admins[0], Address: consortium.AccountOf(m.NodeKey).String(), Role: consortium.ROLE_CLERK,
			})
			require.NoError(t, err)
		}, consortium.ErrKnownAccount},
	} {
		t.Run(c.name, func(t *testing.T) {
			candidate, msg := f.rotation(2)
			c.change(candidate, msg)
			entries := len(f.log.entries)
			require.ErrorIs(t, f.rotate(msg), c.err)
			require.Equal(t, was, f.member(2))
			require.Len(t, f.log.entries, entries)
			require.Empty(t, f.powers())
		})
	}
}

// Former keys are kept for good, so that a member's server changes its keys now and then and not always.
func TestRotationsTakeTheirTime(t *testing.T) {
	f := newFixture(t, 3)
	_, msg := f.rotation(2)
	require.NoError(t, f.rotate(msg))
	_, msg = f.rotation(1)
	require.NoError(t, f.rotate(msg), "each member for itself")
	f.pass(consortium.RotationPause - 1)
	_, msg = f.rotation(2)
	require.ErrorIs(t, f.rotate(msg), consortium.ErrRateLimited)
	c := f.declare("An admin's key")
	admin := &consortium.MsgRotateMemberKeys{Admin: f.admins[1], AdminKey: c.declaration.AdminKey}
	require.NoError(t, f.rotate(c.signRotation(admin, 2)), "an admin's own key is no key of the server")
	f.pass(1)
	msg.Admin = consortium.AccountOf(c.declaration.AdminKey).String()
	require.NoError(t, f.rotate(msg))
}

func TestAdminSucceedsItself(t *testing.T) {
	f := newFixture(t, 2)
	c := f.declare("An admin's key")
	msg := &consortium.MsgRotateMemberKeys{Admin: f.admins[1], AdminKey: c.declaration.AdminKey}
	require.NoError(t, f.rotate(c.signRotation(msg, 2)))
	next := consortium.AccountOf(c.declaration.AdminKey).String()
	entry := audit.Entry{Actor: f.admins[1], Role: "admin", Hospital: 2, Outcome: audit.OUTCOME_OK}
	rotated, revoked, registered := entry, entry, entry
	rotated.Kind, rotated.Target = audit.KindMemberKeysRotated, "2"
	revoked.Kind, revoked.Target = audit.KindStaffRevoked, f.admins[1]
	registered.Kind, registered.Target = audit.KindStaffRegistered, next
	require.Equal(t, []audit.Entry{rotated, revoked, registered}, f.log.entries)
	require.Contains(t, f.accounts.known, next)
	require.False(t, f.principal(f.admins[1]).Active)
	register := func(admin string) error {
		_, err := f.msg.RegisterStaff(f.ctx, &consortium.MsgRegisterStaff{Admin: admin, Address: f.address(), Role: consortium.ROLE_CLERK})
		return err
	}
	require.ErrorIs(t, register(f.admins[1]), consortium.ErrUnauthorized)
	require.NoError(t, register(next))
	_, err := f.msg.RevokeStaff(f.ctx, &consortium.MsgRevokeStaff{Admin: next, Address: next})
	require.ErrorIs(t, err, consortium.ErrLastAdmin, "the old one does not count")
	require.Empty(t, f.powers())
}

// What changes in one block CometBFT is told as a whole: a key that it never knew is not named.
func TestRotationWithinABlock(t *testing.T) {
	f := newFixture(t, 4)
	old := f.member(2).ConsensusKey
	_, msg := f.rotation(2)
	require.NoError(t, f.rotate(msg))
	f.suspend(2)
	require.Equal(t, []power{{string(old), 0}}, f.powers())
	_, err := f.msg.ReinstateMember(f.ctx, &consortium.MsgReinstateMember{Authority: f.keeper.Authority(), Member: 2})
	require.NoError(t, err)
	require.Equal(t, []power{{string(msg.ConsensusKey), 1}}, f.powers(), "it is back with its new key")

	joined := f.declare("Hospital 5")
	_, err = f.msg.AdmitMember(f.ctx, joined.admission())
	require.NoError(t, err)
	f.admins = append(f.admins, consortium.AccountOf(joined.declaration.AdminKey).String())
	_, msg = f.rotation(5)
	require.NoError(t, f.rotate(msg))
	require.Equal(t, []power{{string(msg.ConsensusKey), 1}}, f.powers())
}

// Who signed twice with a key of former days is suspended, whatever key it has now.
func TestDoubleSigningWithAFormerKey(t *testing.T) {
	f := newFixture(t, 4)
	_, msg := f.rotation(2)
	require.NoError(t, f.rotate(msg))
	require.NotEmpty(t, f.powers())
	require.False(t, f.doubleSign(comet.DuplicateVote, 2), "the evidence names the key of the genesis")
	require.Equal(t, []power{{string(msg.ConsensusKey), 0}}, f.powers())
}

// A state that was exported knows which keys are used up.
func TestFormerKeysAreExported(t *testing.T) {
	f := newFixture(t, 3)
	_, msg := f.rotation(2)
	require.NoError(t, f.rotate(msg))
	require.NotEmpty(t, f.powers())
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, exported.Validate())
	was, node := f.genesis.Members[1], f.genesis.StorageNodes[1]
	require.Equal(t, []consortium.FormerKeys{{
		Member: 2, Number: 1, ConsensusKey: was.ConsensusKey, CometId: was.CometId, PeerId: node.PeerId, NodeAccount: was.NodeAccount, Until: start,
	}}, exported.FormerKeys)

	is := blank(t)
	updates, err := is.keeper.InitGenesis(is.ctx, exported)
	require.NoError(t, err)
	require.Contains(t, powersOf(updates), power{string(msg.ConsensusKey), 1})
	again, err := is.keeper.ExportGenesis(is.ctx)
	require.NoError(t, err)
	require.Equal(t, exported, again)
	m, err := is.keeper.MemberByConsensusAddress(is.ctx, consortium.ConsensusAddress(was.ConsensusKey))
	require.NoError(t, err)
	require.EqualValues(t, 2, m.Number)
	require.False(t, is.principal(was.NodeAccount).Active)
	require.Equal(t, is.principal(was.NodeAccount).Role, consortium.ROLE_NODE)
}
