package keeper_test

import (
	"fmt"
	"testing"

	"cosmossdk.io/core/comet"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

func TestMembers(t *testing.T) {
	f := newFixture(t, 3)
	require.Equal(t, f.genesis.Members[1], f.member(2))
	m, err := f.keeper.MemberByConsensusAddress(f.ctx, consortium.ConsensusAddress(f.genesis.Members[2].ConsensusKey))
	require.NoError(t, err)
	require.EqualValues(t, 3, m.Number)
	_, err = f.keeper.Member(f.ctx, 4)
	require.ErrorIs(t, err, consortium.ErrUnknownMember)
	_, err = f.keeper.MemberByConsensusAddress(f.ctx, make([]byte, 20))
	require.ErrorIs(t, err, consortium.ErrUnknownMember)
}

func TestUpdateMember(t *testing.T) {
	f := newFixture(t, 2)
	was := f.member(2)
	fingerprint := f.bytes(32)
	_, err := f.msg.UpdateMember(f.ctx, &consortium.MsgUpdateMember{
		Admin: f.admins[1], CometAddress: "new.example.org:1", GatewayUrl: "https://new.example.org", GatewayFingerprint: fingerprint,
	})
	require.NoError(t, err)
	want := was
	want.CometAddress, want.GatewayUrl, want.GatewayFingerprint = "new.example.org:1", "https://new.example.org", fingerprint
	require.Equal(t, want, f.member(2))
	require.Equal(t, audit.Entry{
		Kind: audit.KindMemberUpdated, Actor: f.admins[1], Role: "admin", Hospital: 2, Target: "2", Outcome: audit.OUTCOME_OK,
	}, f.log.last())

	_, err = f.msg.UpdateMember(f.ctx, &consortium.MsgUpdateMember{Admin: f.admins[1], CometAddress: "other.example.org:1"})
	require.NoError(t, err)
	want.CometAddress = "other.example.org:1"
	require.Equal(t, want, f.member(2), "what is empty stays")

	clerk := f.staff(2, consortium.ROLE_CLERK)
	for _, c := range []struct {
		name string
		msg  consortium.MsgUpdateMember
		err  error
	}{
		{"a stranger", consortium.MsgUpdateMember{Admin: stranger, CometAddress: "a:1"}, consortium.ErrUnknownAccount},
		{"a clerk", consortium.MsgUpdateMember{Admin: clerk, CometAddress: "a:1"}, consortium.ErrUnauthorized},
		{"the node", consortium.MsgUpdateMember{Admin: f.nodes[1], CometAddress: "a:1"}, consortium.ErrUnauthorized},
		{"nothing", consortium.MsgUpdateMember{Admin: f.admins[1]}, consortium.ErrInvalidEndpoint},
		{"no port", consortium.MsgUpdateMember{Admin: f.admins[1], CometAddress: "a"}, consortium.ErrInvalidEndpoint},
		{"no TLS", consortium.MsgUpdateMember{Admin: f.admins[1], GatewayUrl: "http://a"}, consortium.ErrInvalidEndpoint},
		{"half a fingerprint", consortium.MsgUpdateMember{Admin: f.admins[1], GatewayFingerprint: f.bytes(16)}, consortium.ErrInvalidKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			entries := len(f.log.entries)
			_, err := f.msg.UpdateMember(f.ctx, &c.msg)
			require.ErrorIs(t, err, c.err)
			require.Equal(t, want, f.member(2))
			require.Len(t, f.log.entries, entries)
		})
	}
}

func TestVotedMessagesNeedTheConsortiumsAccount(t *testing.T) {
	f := newFixture(t, 4)
	f.suspend(4)
	entries := len(f.log.entries)
	for _, signer := range []string{f.admins[0], f.nodes[0], stranger, ""} {
		_, err := f.msg.SuspendMember(f.ctx, &consortium.MsgSuspendMember{Authority: signer, Member: 2})
		require.ErrorIs(t, err, consortium.ErrUnauthorized)
		_, err = f.msg.AdmitMember(f.ctx, &consortium.MsgAdmitMember{Authority: signer, Hospital: f.declare("Hospital 5").sign()})
		require.ErrorIs(t, err, consortium.ErrUnauthorized)
		_, err = f.msg.ReinstateMember(f.ctx, &consortium.MsgReinstateMember{Authority: signer, Member: 4})
		require.ErrorIs(t, err, consortium.ErrUnauthorized)
		_, err = f.msg.RemoveMember(f.ctx, &consortium.MsgRemoveMember{Authority: signer, Member: 4})
		require.ErrorIs(t, err, consortium.ErrUnauthorized)
		_, err = f.msg.ReplaceAdmin(f.ctx, &consortium.MsgReplaceAdmin{Authority: signer, Member: 2, Admin: f.address()})
		require.ErrorIs(t, err, consortium.ErrUnauthorized)
		_, err = f.msg.AppointAuditor(f.ctx, &consortium.MsgAppointAuditor{Authority: signer, Auditor: f.address(), Until: f.now() + 1})
		require.ErrorIs(t, err, consortium.ErrUnauthorized)
		_, err = f.msg.DismissAuditor(f.ctx, &consortium.MsgDismissAuditor{Authority: signer, Auditor: f.address()})
		require.ErrorIs(t, err, consortium.ErrUnauthorized)
		_, err = f.msg.UpdateParams(f.ctx, &consortium.MsgUpdateParams{Authority: signer, Params: consortium.DefaultParams()})
		require.ErrorIs(t, err, consortium.ErrUnauthorized)
	}
	require.Len(t, f.log.entries, entries)
}

func TestUpdateParams(t *testing.T) {
	f := newFixture(t, 1)
	params := consortium.DefaultParams()
	params.VotingPeriod = 3_600
	_, err := f.msg.UpdateParams(f.ctx, &consortium.MsgUpdateParams{Authority: f.keeper.Authority(), Params: params})
	require.NoError(t, err)
	got, err := f.keeper.Params(f.ctx)
	require.NoError(t, err)
	require.Equal(t, params, got)
	require.Equal(t, audit.Entry{Kind: audit.KindParamsChanged, Role: audit.RoleChain, Target: "consortium", Outcome: audit.OUTCOME_OK}, f.log.last())
	_, err = f.msg.UpdateParams(f.ctx, &consortium.MsgUpdateParams{Authority: f.keeper.Authority()})
	require.ErrorIs(t, err, consortium.ErrInvalidParams)
}

// endBlock answers the changed validators by their members' numbers and power.
func (f *fixture) endBlock() []string {
	f.t.Helper()
	updates, err := f.keeper.EndBlock(f.ctx)
	require.NoError(f.t, err)
	return f.name(updates)
}

func (f *fixture) name(updates []abci.ValidatorUpdate) []string {
	f.t.Helper()
	var names []string
	for _, u := range updates {
		m, err := f.keeper.MemberByConsensusAddress(f.ctx, consortium.ConsensusAddress(u.PubKey.GetEd25519()))
		require.NoError(f.t, err)
		require.Equal(f.t, m.ConsensusKey, u.PubKey.GetEd25519())
		names = append(names, fmt.Sprintf("%d:%d", m.Number, u.Power))
	}
	return names
}

func TestValidators(t *testing.T) {
	f := blank(t)
	g := f.found(4)
	g.Members[2].Status = consortium.MEMBER_STATUS_SUSPENDED
	updates, err := f.keeper.InitGenesis(f.ctx, g)
	require.NoError(t, err)
	require.Equal(t, []string{"1:1", "2:1", "4:1"}, f.name(updates), "active members, with equal power")
	require.Empty(t, f.endBlock())
	reinstate := func(member uint64) error {
		_, err := f.msg.ReinstateMember(f.ctx, &consortium.MsgReinstateMember{Authority: f.keeper.Authority(), Member: member})
		return err
	}

	f.suspend(2)
	require.Equal(t, consortium.MEMBER_STATUS_SUSPENDED, f.member(2).Status)
	require.Equal(t, audit.Entry{Kind: audit.KindMemberSuspended, Role: audit.RoleChain, Target: "2", Outcome: audit.OUTCOME_OK}, f.log.last())
	require.Equal(t, []string{"2:0"}, f.endBlock())
	require.Empty(t, f.endBlock(), "CometBFT is told once")

	require.NoError(t, reinstate(3))
	require.Equal(t, audit.Entry{Kind: audit.KindMemberReinstated, Role: audit.RoleChain, Target: "3", Outcome: audit.OUTCOME_OK}, f.log.last())
	require.NoError(t, reinstate(2))
	f.suspend(4)
	require.Equal(t, []string{"2:1", "3:1", "4:0"}, f.endBlock(), "in the order of their numbers")

	f.suspend(1)
	require.NoError(t, reinstate(1))
	require.Empty(t, f.endBlock(), "what came back within a block did not change")

	_, err = f.msg.SuspendMember(f.ctx, &consortium.MsgSuspendMember{Authority: f.keeper.Authority(), Member: 4})
	require.ErrorIs(t, err, consortium.ErrWrongStatus)
	_, err = f.msg.SuspendMember(f.ctx, &consortium.MsgSuspendMember{Authority: f.keeper.Authority(), Member: 5})
	require.ErrorIs(t, err, consortium.ErrUnknownMember)
	require.ErrorIs(t, reinstate(1), consortium.ErrWrongStatus)
	require.ErrorIs(t, reinstate(5), consortium.ErrUnknownMember)
}

func TestTheLastValidatorStays(t *testing.T) {
	f := newFixture(t, 3)
	f.suspend(1)
	f.suspend(3)
	_, err := f.msg.SuspendMember(f.ctx, &consortium.MsgSuspendMember{Authority: f.keeper.Authority(), Member: 2})
	require.ErrorIs(t, err, consortium.ErrLastValidator)
	require.True(t, f.doubleSign(comet.DuplicateVote, 2))
	require.Equal(t, audit.Entry{
		Kind: audit.KindMemberSuspended, Role: audit.RoleChain, Target: "2", Outcome: audit.OUTCOME_REFUSED, Reason: consortium.ReasonLastValidator,
	}, f.log.last())
	require.Equal(t, []string{"1:0", "3:0"}, f.endBlock())
}

// doubleSign begins a block with evidence against a member and says whether the
// member is still active.
func (f *fixture) doubleSign(kind comet.MisbehaviorType, member uint64) bool {
	f.t.Helper()
	info := blockInfo{evidence: []comet.Evidence{fakeEvidence{kind: kind, key: f.genesis.Members[member-1].ConsensusKey}}}
	require.NoError(f.t, f.keeper.BeginBlock(f.ctx.WithCometInfo(info)))
	m := f.member(member)
	return m.IsActive()
}

func TestDoubleSigningSuspends(t *testing.T) {
	f := newFixture(t, 4)
	require.True(t, f.doubleSign(comet.Unknown, 2))
	require.Empty(t, f.log.entries)

	require.False(t, f.doubleSign(comet.DuplicateVote, 2))
	require.Equal(t, []audit.Entry{
		{Kind: audit.KindDoubleSignSeen, Role: audit.RoleChain, Target: "2", Outcome: audit.OUTCOME_OK},
		{Kind: audit.KindMemberSuspended, Role: audit.RoleChain, Target: "2", Outcome: audit.OUTCOME_OK},
	}, f.log.entries)
	require.Equal(t, []string{"2:0"}, f.endBlock())

	require.False(t, f.doubleSign(comet.DuplicateVote, 2), "a removed validator is still known")
	require.Equal(t, []string{audit.KindDoubleSignSeen}, f.log.kinds(2))
	require.Empty(t, f.endBlock())

	require.False(t, f.doubleSign(comet.LightClientAttack, 3))
	require.Equal(t, []string{"3:0"}, f.endBlock())

	entries := len(f.log.entries)
	nobody := blockInfo{evidence: []comet.Evidence{fakeEvidence{kind: comet.DuplicateVote, key: []byte("nobody")}}}
	require.NoError(t, f.keeper.BeginBlock(f.ctx.WithCometInfo(nobody)), "evidence against nobody stops nothing")
	require.NoError(t, f.keeper.BeginBlock(f.ctx.WithCometInfo(blockInfo{})))
	require.NoError(t, f.keeper.BeginBlock(f.ctx))
	require.Len(t, f.log.entries, entries)
}

func TestAddSite(t *testing.T) {
	f := newFixture(t, 2)
	res, err := f.msg.AddSite(f.ctx, &consortium.MsgAddSite{Admin: f.admins[1], Name: "Annex", TimeZone: "Europe/London"})
	require.NoError(t, err)
	require.EqualValues(t, 2, res.Number)
	require.Equal(t, audit.Entry{
		Kind: audit.KindSiteAdded, Actor: f.admins[1], Role: "admin", Hospital: 2, Target: "2", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	res, err = f.msg.AddSite(f.ctx, &consortium.MsgAddSite{Admin: f.admins[0], Name: "Annex", TimeZone: "UTC"})
	require.NoError(t, err, "names differ within a member")
	require.EqualValues(t, 2, res.Number)
	sites, err := f.query.Sites(f.ctx, &consortium.QuerySitesRequest{Member: 2})
	require.NoError(t, err)
	require.Equal(t, []consortium.Site{f.genesis.Sites[1], {Member: 2, Number: 2, Name: "Annex", TimeZone: "Europe/London"}}, sites.Sites)

	for _, c := range []struct {
		name string
		msg  consortium.MsgAddSite
		err  error
	}{
		{"a stranger", consortium.MsgAddSite{Admin: stranger, Name: "B", TimeZone: "UTC"}, consortium.ErrUnknownAccount},
		{"a node", consortium.MsgAddSite{Admin: f.nodes[1], Name: "B", TimeZone: "UTC"}, consortium.ErrUnauthorized},
		{"no name", consortium.MsgAddSite{Admin: f.admins[1], TimeZone: "UTC"}, consortium.ErrInvalidName},
		{"no zone", consortium.MsgAddSite{Admin: f.admins[1], Name: "B"}, consortium.ErrInvalidZone},
		{"a name that is taken", consortium.MsgAddSite{Admin: f.admins[1], Name: "ANNEX", TimeZone: "UTC"}, consortium.ErrKnownName},
	} {
		t.Run(c.name, func(t *testing.T) {
			entries := len(f.log.entries)
			_, err := f.msg.AddSite(f.ctx, &c.msg)
			require.ErrorIs(t, err, c.err)
			require.Len(t, f.log.entries, entries)
		})
	}
	for i := 3; i <= consortium.MaxSites; i++ {
		_, err := f.msg.AddSite(f.ctx, &consortium.MsgAddSite{Admin: f.admins[1], Name: fmt.Sprintf("Ward %d", i), TimeZone: "UTC"})
		require.NoError(t, err)
	}
	_, err = f.msg.AddSite(f.ctx, &consortium.MsgAddSite{Admin: f.admins[1], Name: "One more", TimeZone: "UTC"})
	require.ErrorIs(t, err, consortium.ErrTooMany)
}
