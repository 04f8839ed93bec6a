package keeper_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"testing"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// candidate is a hospital that wants to be a member, with the keys that sign for it.
type candidate struct {
	f                        *fixture
	declaration              consortium.Declaration
	consensus, comet, libp2p ed25519.PrivateKey
	node, admin              *secp256k1.PrivKey
}

// declare makes a hospital with fresh keys.
func (f *fixture) declare(name string) *candidate {
	ed := func() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(f.bytes(32)) }
	secp := func() *secp256k1.PrivKey { return secp256k1.GenPrivKeyFromSecret(f.bytes(32)) }
	c := &candidate{f: f, consensus: ed(), comet: ed(), libp2p: ed(), node: secp(), admin: secp()}
	c.declaration = consortium.Declaration{
		Name: name, Site: "Main", TimeZone: "Europe/Vienna", CometAddress: "192.0.2.5:26656", Libp2PAddress: "/ip4/192.0.2.5/tcp/4001",
		ConsensusKey: public(c.consensus), CometKey: public(c.comet), Libp2PKey: public(c.libp2p),
		NodeKey: c.node.PubKey().Bytes(), AdminKey: c.admin.PubKey().Bytes(), VaultKey: f.xwing(), RoundKey: f.xwing(),
		GatewayUrl: "https://192.0.2.5:8443", GatewayFingerprint: f.bytes(32), Capacity: 1 << 40,
	}
	return c
}

// sign makes the hospital's member.json.
func (c *candidate) sign() consortium.SignedDeclaration {
	c.f.t.Helper()
	encoded, err := c.declaration.Marshal()
	require.NoError(c.f.t, err)
	digest := consortium.DeclarationDigest(encoded)
	s := consortium.SignedDeclaration{
		Declaration:        encoded,
		ConsensusSignature: ed25519.Sign(c.consensus, digest),
		CometSignature:     ed25519.Sign(c.comet, digest),
		Libp2PSignature:    ed25519.Sign(c.libp2p, digest),
	}
	s.NodeSignature, err = c.node.Sign(digest)
	require.NoError(c.f.t, err)
	s.AdminSignature, err = c.admin.Sign(digest)
	require.NoError(c.f.t, err)
	return s
}

// admission is the message that admits the hospital.
func (c *candidate) admission() *consortium.MsgAdmitMember {
	c.f.t.Helper()
	return &consortium.MsgAdmitMember{Authority: c.f.keeper.Authority(), Hospital: c.sign()}
}

// membershipCalls remembers what it was told of members.
type membershipCalls struct {
	calls []string
	ready map[uint64]bool
	err   error
}

func (m *membershipCalls) Admitted(_ context.Context, member uint64) error {
	m.calls = append(m.calls, fmt.Sprintf("admitted %d", member))
	return m.err
}

func (m *membershipCalls) Leaving(_ context.Context, member uint64) (uint64, error) {
	m.calls = append(m.calls, fmt.Sprintf("leaving %d", member))
	return 7, m.err
}

func (m *membershipCalls) Left(_ context.Context, member uint64) error {
	m.calls = append(m.calls, fmt.Sprintf("left %d", member))
	return m.err
}

func (m *membershipCalls) ReadyToLeave(_ context.Context, member uint64) (bool, error) {
	return m.ready[member], m.err
}

func TestAdmitMember(t *testing.T) {
	f := newFixture(t, 4)
	hooks := &membershipCalls{}
	f.keeper.SetMembershipHooks(hooks)
	// A further node came in between: nodes are numbered over the whole network.
	_, err := f.msg.RegisterStorageNode(f.ctx, f.newNode(1))
	require.NoError(t, err)
	f.pass(60)

	c := f.declare("Hospital 5")
	number := f.propose(c.admission())
	f.votes(number, true, 1, 2, 3)
	entries := len(f.log.entries)
	require.Equal(t, []string{"5:1"}, f.endBlock(), "it validates with the power of any other")
	require.Equal(t, consortium.PROPOSAL_STATUS_EXECUTED, f.status(number))
	require.Equal(t, []string{audit.KindMemberAdmitted, audit.KindProposalExecuted}, f.log.kinds(entries))
	require.Equal(t, audit.Entry{Kind: audit.KindMemberAdmitted, Role: audit.RoleChain, Target: "5", Outcome: audit.OUTCOME_OK}, f.log.entries[entries])
	require.Equal(t, []string{"admitted 5"}, hooks.calls)

	want := c.declaration.Found(5, 6, f.now())
	require.Equal(t, want.Member, f.member(5))
	m, err := f.keeper.MemberByConsensusAddress(f.ctx, consortium.ConsensusAddress(c.declaration.ConsensusKey))
	require.NoError(t, err)
	require.EqualValues(t, 5, m.Number)
	node, err := f.keeper.MemberNode(f.ctx, 5)
	require.NoError(t, err)
	require.Equal(t, want.Node, node)
	nodes, err := f.keeper.PlaceableNodes(f.ctx)
	require.NoError(t, err)
	require.Contains(t, nodes, want.Node)
	require.Equal(t, consortium.Principal{Address: want.Admin.Address, Role: consortium.ROLE_ADMIN, Hospital: 5, Active: true}, f.principal(want.Admin.Address))
	require.Equal(t, consortium.Principal{Address: want.Node.Account, Role: consortium.ROLE_NODE, Hospital: 5, Active: true}, f.principal(want.Node.Account))
	require.Contains(t, f.accounts.known, want.Admin.Address)
	require.Contains(t, f.accounts.known, want.Node.Account)
	require.Empty(t, f.endBlock())

	// It votes like the others, of which there are five now.
	second := f.propose(f.declare("Hospital 6").admission())
	f.votes(second, true, 1, 2, 3)
	require.Equal(t, consortium.PROPOSAL_STATUS_OPEN, f.status(second))
	require.Empty(t, f.vote(want.Admin.Address, second, true))
	require.Equal(t, []string{"6:1"}, f.endBlock())

	g, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, g.Validate(), "a network goes on from its exported state")
	require.Len(t, g.Members, 6)
}

func TestAdmitMemberRefuses(t *testing.T) {
	f := blank(t)
	f.genesis = f.found(2)
	gone := f.declare("Gone")
	left := gone.declaration.Found(3, 3, start)
	left.Member.Status = consortium.MEMBER_STATUS_LEFT
	f.genesis.Members, f.genesis.Sites = append(f.genesis.Members, left.Member), append(f.genesis.Sites, left.Site)
	f.genesis.StorageNodes, f.genesis.Staff = append(f.genesis.StorageNodes, left.Node), append(f.genesis.Staff, left.Admin)
	_, err := f.keeper.InitGenesis(f.ctx, f.genesis)
	require.NoError(t, err)
	f.network, err = f.keeper.NetworkID(f.ctx)
	require.NoError(t, err)
	patient := secp256k1.GenPrivKeyFromSecret(f.bytes(32))
	account := consortium.AccountOf(patient.PubKey().Bytes()).String()
	res, err := f.msg.OpenAccount(f.ctx, f.opening(f.invite(1), account))
	require.NoError(t, err)
	require.Equal(t, audit.OUTCOME_OK, res.Outcome)
	known := f.declare("Known")
	_, err = f.msg.AdmitMember(f.ctx, known.admission())
	require.NoError(t, err)

	for _, c := range []struct {
		name   string
		change func(*candidate)
		err    error
	}{
		{"a member's name", func(c *candidate) { c.declaration.Name = "HOSPITAL 1" }, consortium.ErrKnownName},
		{"the name of one that left", func(c *candidate) { c.declaration.Name = "gone" }, consortium.ErrKnownName},
		{"a member's consensus key", func(c *candidate) {
			c.consensus, c.declaration.ConsensusKey = known.consensus, known.declaration.ConsensusKey
		}, consortium.ErrKnownKey},
		{"the consensus key of one that left", func(c *candidate) {
			c.consensus, c.declaration.ConsensusKey = gone.consensus, gone.declaration.ConsensusKey
		}, consortium.ErrKnownKey},
		{"a member's comet key", func(c *candidate) { c.comet, c.declaration.CometKey = known.comet, known.declaration.CometKey }, consortium.ErrKnownKey},
		{"a member's libp2p key", func(c *candidate) { c.libp2p, c.declaration.Libp2PKey = known.libp2p, known.declaration.Libp2PKey }, consortium.ErrKnownKey},
		{"a member's libp2p key for consensus", func(c *candidate) {
			c.consensus, c.declaration.ConsensusKey = known.libp2p, known.declaration.Libp2PKey
		}, consortium.ErrKnownKey},
		{"a member's consensus key for libp2p", func(c *candidate) {
			c.libp2p, c.declaration.Libp2PKey = known.consensus, known.declaration.ConsensusKey
		}, consortium.ErrKnownKey},
		{"a member's vault key", func(c *candidate) { c.declaration.VaultKey = known.declaration.VaultKey }, consortium.ErrKnownKey},
		{"a member's vault key for its round key", func(c *candidate) { c.declaration.RoundKey = known.declaration.VaultKey }, consortium.ErrKnownKey},
		{"a member's node", func(c *candidate) { c.node, c.declaration.NodeKey = known.node, known.declaration.NodeKey }, consortium.ErrKnownAccount},
		{"a member's admin", func(c *candidate) { c.admin, c.declaration.AdminKey = known.admin, known.declaration.AdminKey }, consortium.ErrKnownAccount},
		{"a patient as its admin", func(c *candidate) { c.admin, c.declaration.AdminKey = patient, patient.PubKey().Bytes() }, consortium.ErrKnownAccount},
		{"no capacity", func(c *candidate) { c.declaration.Capacity = 0 }, consortium.ErrInvalidDeclaration},
		{"another one's signature", func(c *candidate) { c.comet = known.comet }, consortium.ErrBadSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			hospital := f.declare("New")
			c.change(hospital)
			entries := len(f.log.entries)
			_, err := f.msg.AdmitMember(f.ctx, hospital.admission())
			require.ErrorIs(t, err, c.err)
			_, err = f.submit(f.admins[0], hospital.admission())
			require.ErrorIs(t, err, c.err, "and nobody is asked to vote on it")
			_, err = f.keeper.Member(f.ctx, 5)
			require.ErrorIs(t, err, consortium.ErrUnknownMember)
			require.Len(t, f.log.entries, entries)
		})
	}
	_, err = f.msg.AdmitMember(f.ctx, f.declare("New").admission())
	require.NoError(t, err)
}

// Two proposals may admit one hospital; the second to be carried out fails.
func TestAdmittedMeanwhile(t *testing.T) {
	f := newFixture(t, 1)
	c := f.declare("New")
	first, second := f.propose(c.admission()), f.propose(c.admission())
	f.votes(first, true, 1)
	f.votes(second, true, 1)
	require.Equal(t, []string{"2:1"}, f.endBlock())
	require.Empty(t, f.endBlock())
	require.Equal(t, consortium.PROPOSAL_STATUS_EXECUTED, f.status(first))
	require.Equal(t, consortium.PROPOSAL_STATUS_FAILED, f.status(second))
	require.Equal(t, "consortium/26", f.proposal(second).Failure)
}

func TestHooksUndoAnAdmission(t *testing.T) {
	f := newFixture(t, 1)
	f.keeper.SetMembershipHooks(&membershipCalls{err: errors.New("broken")})
	number := f.propose(f.declare("New").admission())
	f.votes(number, true, 1)
	require.Empty(t, f.endBlock())
	require.Equal(t, consortium.PROPOSAL_STATUS_FAILED, f.status(number))
	_, err := f.keeper.Member(f.ctx, 2)
	require.ErrorIs(t, err, consortium.ErrUnknownMember)
}

func TestNetworkIsFull(t *testing.T) {
	f := newFixture(t, consortium.MaxMembers-1)
	_, err := f.msg.AdmitMember(f.ctx, f.declare("The last").admission())
	require.NoError(t, err)
	_, err = f.msg.AdmitMember(f.ctx, f.declare("One more").admission())
	require.ErrorIs(t, err, consortium.ErrTooMany)
}
