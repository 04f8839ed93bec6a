package consortium_test

import (
	"slices"
	"strings"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/consortium"
)

// lived is a genesis with something in every list.
func lived(t *testing.T) *consortium.GenesisState {
	t.Helper()
	g := found(t, "Clinic A", "Clinic B")
	account := func(b byte) string { return sdk.AccAddress(slices.Repeat([]byte{b}, 20)).String() }
	g.Sites = append(g.Sites, consortium.Site{Member: 1, Number: 2, Name: "Annex", TimeZone: "UTC"})
	g.StorageNodes = append(g.StorageNodes, consortium.StorageNode{
		Number: 3, Member: 1, Site: 2, Account: account(3), PeerId: consortium.PeerID(slices.Repeat([]byte{3}, 32)),
		Address: "/ip4/192.0.2.3/tcp/4001", Capacity: 1 << 30, CometId: consortium.CometID(slices.Repeat([]byte{3}, 32)),
	})
	g.FormerKeys = []consortium.FormerKeys{
		{Member: 1, Number: 1, ConsensusKey: slices.Repeat([]byte{8}, 32), NodeAccount: account(8), Until: since},
		{Member: 1, Number: 2, CometId: consortium.CometID(slices.Repeat([]byte{9}, 32)), PeerId: consortium.PeerID(slices.Repeat([]byte{9}, 32)), Until: since},
	}
	g.Staff = append(g.Staff, consortium.Staff{Address: account(4), Hospital: 2, Role: consortium.ROLE_CLERK, Since: since})
	g.Invitations = []consortium.Invitation{
		{Key: slices.Repeat([]byte{5}, 32), Hospital: 1, Role: consortium.ROLE_PATIENT, ExpiresAt: since, Address: account(5)},
		{Key: slices.Repeat([]byte{6}, 32), Hospital: 1, Role: consortium.ROLE_PATIENT, ExpiresAt: since},
	}
	var m consortium.MsgSubmitProposal
	require.NoError(t, m.SetMsgs([]sdk.Msg{&consortium.MsgSuspendMember{Authority: consortium.Account().String(), Member: 2}}))
	g.Proposals = []consortium.Proposal{
		{Number: 1, Proposer: g.Staff[0].Address, Hospital: 1, Messages: m.Messages, ClosesAt: since, Status: consortium.PROPOSAL_STATUS_OPEN},
		{Number: 2, Proposer: g.Staff[1].Address, Hospital: 2, Messages: m.Messages, ClosesAt: since, Status: consortium.PROPOSAL_STATUS_FAILED, Failure: "panic"},
	}
	g.Votes = []consortium.Vote{{Proposal: 1, Hospital: 1, Voter: g.Staff[0].Address, Accept: true}}
	require.NoError(t, g.Validate())
	return g
}

func TestGenesisWithoutMembersIsNone(t *testing.T) {
	g := consortium.DefaultGenesis()
	require.ErrorIs(t, g.Validate(), consortium.ErrInvalidGenesis)
	g.NetworkId = slices.Repeat([]byte{1}, 32)
	require.ErrorIs(t, g.Validate(), consortium.ErrInvalidGenesis)
}

func TestGenesisInvariants(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*consortium.GenesisState)
	}{
		{"no network id", func(g *consortium.GenesisState) { g.NetworkId = nil }},
		{"a network id of zeros", func(g *consortium.GenesisState) { g.NetworkId = make([]byte, 32) }},
		{"a long network id", func(g *consortium.GenesisState) { g.NetworkId = append(g.NetworkId, 1) }},

		{"members out of order", func(g *consortium.GenesisState) { g.Members[0], g.Members[1] = g.Members[1], g.Members[0] }},
		{"a gap between members", func(g *consortium.GenesisState) { g.Members[1].Number = 3 }},
		{"two members of one name", func(g *consortium.GenesisState) { g.Members[1].Name = "CLINIC A" }},
		{"a member without a name", func(g *consortium.GenesisState) { g.Members[1].Name = "" }},
		{"two members with one validator", func(g *consortium.GenesisState) { g.Members[1].ConsensusKey = g.Members[0].ConsensusKey }},
		{"two members with one comet id", func(g *consortium.GenesisState) {
			g.Members[1].CometId, g.StorageNodes[1].CometId = g.Members[0].CometId, g.Members[0].CometId
		}},
		{"a comet id in capitals", func(g *consortium.GenesisState) { g.Members[1].CometId = "ABCDEF" + g.Members[1].CometId[6:] }},
		{"two members with one vault key", func(g *consortium.GenesisState) { g.Members[1].VaultKey = g.Members[0].VaultKey }},
		{"a vault without an epoch", func(g *consortium.GenesisState) { g.Members[1].VaultEpoch = 0 }},
		{"a member without a status", func(g *consortium.GenesisState) { g.Members[1].Status = 0 }},
		{"a status that there is not", func(g *consortium.GenesisState) { g.Members[1].Status = 5 }},
		{"a member without a node account", func(g *consortium.GenesisState) { g.Members[1].NodeAccount = "" }},
		{"nobody active", func(g *consortium.GenesisState) {
			g.Members[0].Status, g.Members[1].Status = consortium.MEMBER_STATUS_SUSPENDED, consortium.MEMBER_STATUS_LEFT
		}},

		{"a site of nobody", func(g *consortium.GenesisState) { g.Sites[2].Member = 3 }},
		{"a gap between sites", func(g *consortium.GenesisState) { g.Sites[2].Number = 3 }},
		{"two sites of one name", func(g *consortium.GenesisState) { g.Sites[2].Name = "MAIN SITE" }},
		{"a site without a zone", func(g *consortium.GenesisState) { g.Sites[2].TimeZone = "" }},

		{"a node at a site that was removed", func(g *consortium.GenesisState) { g.Sites[2].Removed = true }},

		{"nodes out of order", func(g *consortium.GenesisState) { g.StorageNodes[2].Number = 4 }},
		{"a node of nobody", func(g *consortium.GenesisState) { g.StorageNodes[2].Member = 3 }},
		{"a node at no site", func(g *consortium.GenesisState) { g.StorageNodes[2].Site = 3 }},
		{"a node at site 0", func(g *consortium.GenesisState) { g.StorageNodes[2].Site = 0 }},
		{"two nodes with one peer id", func(g *consortium.GenesisState) { g.StorageNodes[2].PeerId = g.StorageNodes[0].PeerId }},
		{"two nodes with one comet id", func(g *consortium.GenesisState) { g.StorageNodes[2].CometId = g.StorageNodes[1].CometId }},
		{"a node without a comet id", func(g *consortium.GenesisState) { g.StorageNodes[2].CometId = "" }},
		{"a node with a comet id in capitals", func(g *consortium.GenesisState) {
			g.StorageNodes[2].CometId = strings.ToUpper(g.StorageNodes[2].CometId)
		}},
		{"a server with a comet id that is not its member's", func(g *consortium.GenesisState) {
			g.StorageNodes[1].CometId = consortium.CometID(slices.Repeat([]byte{4}, 32))
		}},
		{"a further node with the server's account", func(g *consortium.GenesisState) { g.StorageNodes[2].Account = g.Members[0].NodeAccount }},
		{"a first node with another account", func(g *consortium.GenesisState) {
			g.StorageNodes[0].Account, g.StorageNodes[2].Account = g.StorageNodes[2].Account, g.StorageNodes[0].Account
		}},
		{"a node without room", func(g *consortium.GenesisState) { g.StorageNodes[2].Capacity = 0 }},
		{"a member without a node", func(g *consortium.GenesisState) { g.StorageNodes = g.StorageNodes[:1] }},

		{"former keys of nobody", func(g *consortium.GenesisState) { g.FormerKeys[0].Member = 3 }},
		{"a gap between former keys", func(g *consortium.GenesisState) { g.FormerKeys[1].Number = 3 }},
		{"no former key", func(g *consortium.GenesisState) { g.FormerKeys[0].ConsensusKey, g.FormerKeys[0].NodeAccount = nil, "" }},
		{"half a former key", func(g *consortium.GenesisState) { g.FormerKeys[0].ConsensusKey = g.FormerKeys[0].ConsensusKey[1:] }},
		{"a former key that validates", func(g *consortium.GenesisState) { g.FormerKeys[0].ConsensusKey = g.Members[1].ConsensusKey }},
		{"a former comet id that is used", func(g *consortium.GenesisState) { g.FormerKeys[1].CometId = g.Members[1].CometId }},
		{"a former peer id that is used", func(g *consortium.GenesisState) { g.FormerKeys[1].PeerId = g.StorageNodes[2].PeerId }},
		{"a former peer id that is none", func(g *consortium.GenesisState) { g.FormerKeys[1].PeerId = "peer" }},
		{"a former node account that is used", func(g *consortium.GenesisState) { g.FormerKeys[0].NodeAccount = g.StorageNodes[2].Account }},
		{"a former node account that is staff", func(g *consortium.GenesisState) { g.Staff[2].Address = g.FormerKeys[0].NodeAccount }},

		{"staff twice", func(g *consortium.GenesisState) { g.Staff = append(g.Staff, g.Staff[2]) }},
		{"staff with a node's account", func(g *consortium.GenesisState) { g.Staff[2].Address = g.StorageNodes[2].Account }},
		{"staff with the consortium's account", func(g *consortium.GenesisState) { g.Staff[2].Address = consortium.Account().String() }},
		{"staff of nobody", func(g *consortium.GenesisState) { g.Staff[2].Hospital = 3 }},
		{"a patient as staff", func(g *consortium.GenesisState) { g.Staff[2].Role = consortium.ROLE_PATIENT }},
		{"staff of a ward that there is not", func(g *consortium.GenesisState) { g.Staff[2].Wards = []uint32{0} }},
		{"a clerk with a vault", func(g *consortium.GenesisState) {
			g.Staff[2].VaultKey, g.Staff[2].VaultEpoch = g.Members[0].VaultKey, 1
		}},
		{"a vault without an epoch", func(g *consortium.GenesisState) {
			g.Staff[2].Role, g.Staff[2].VaultKey = consortium.ROLE_CLINICIAN, g.Members[0].VaultKey
		}},
		{"a clerk of the members", func(g *consortium.GenesisState) { g.Staff[2].Hospital = 0 }},
		{"an auditor of the members without an end", func(g *consortium.GenesisState) {
			g.Staff[2].Hospital, g.Staff[2].Role = 0, consortium.ROLE_AUDITOR
		}},
		{"an auditor of a hospital that there is not", func(g *consortium.GenesisState) {
			g.Staff[2].Hospital, g.Staff[2].Role, g.Staff[2].Until, g.Staff[2].Hospitals = 0, consortium.ROLE_AUDITOR, since+1, []uint64{1, 3}
		}},
		{"a member's auditor of other hospitals", func(g *consortium.GenesisState) {
			g.Staff[2].Role, g.Staff[2].Hospitals = consortium.ROLE_AUDITOR, []uint64{1}
		}},
		{"a role that ended at no time", func(g *consortium.GenesisState) { g.Staff[2].Role, g.Staff[2].Ended = consortium.ROLE_AUDITOR, true }},
		{"a member without an admin", func(g *consortium.GenesisState) { g.Staff[1].Revoked = true }},

		{"an invitation twice", func(g *consortium.GenesisState) { g.Invitations[1].Key = g.Invitations[0].Key }},
		{"a short invitation", func(g *consortium.GenesisState) { g.Invitations[1].Key = nil }},
		{"an invitation of nobody", func(g *consortium.GenesisState) { g.Invitations[1].Hospital = 3 }},
		{"an invited admin", func(g *consortium.GenesisState) { g.Invitations[1].Role = consortium.ROLE_ADMIN }},
		{"an account of two invitations", func(g *consortium.GenesisState) { g.Invitations[1].Address = g.Invitations[0].Address }},
		{"an invited account that is staff", func(g *consortium.GenesisState) { g.Invitations[0].Address = g.Staff[2].Address }},
		{"used and revoked", func(g *consortium.GenesisState) { g.Invitations[0].Revoked = true }},

		{"a gap between proposals", func(g *consortium.GenesisState) { g.Proposals[1].Number = 3 }},
		{"a proposal of a clerk", func(g *consortium.GenesisState) { g.Proposals[1].Proposer = g.Staff[2].Address }},
		{"a proposal of another hospital", func(g *consortium.GenesisState) { g.Proposals[1].Hospital = 1 }},
		{"a proposal of nothing", func(g *consortium.GenesisState) { g.Proposals[1].Messages = nil }},
		{"a proposal without a status", func(g *consortium.GenesisState) { g.Proposals[1].Status = 0 }},
		{"a failure without a reason", func(g *consortium.GenesisState) { g.Proposals[1].Failure = "" }},
		{"a reason without a failure", func(g *consortium.GenesisState) { g.Proposals[0].Failure = "panic" }},
		{"a vote on nothing", func(g *consortium.GenesisState) { g.Votes[0].Proposal = 3 }},
		{"two votes of one hospital", func(g *consortium.GenesisState) { g.Votes = append(g.Votes, g.Votes[0]) }},
		{"a vote for another hospital", func(g *consortium.GenesisState) { g.Votes[0].Hospital = 2 }},
		{"a vote of a clerk", func(g *consortium.GenesisState) { g.Votes[0].Voter, g.Votes[0].Hospital = g.Staff[2].Address, 2 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := lived(t)
			c.change(g)
			require.ErrorIs(t, g.Validate(), consortium.ErrInvalidGenesis)
		})
	}
	g := lived(t)
	g.Params = consortium.Params{}
	require.ErrorIs(t, g.Validate(), consortium.ErrInvalidParams)
	g = lived(t)
	g.Members[1].Status = consortium.MEMBER_STATUS_LEFT
	g.Staff[1].Revoked = true
	require.NoError(t, g.Validate())
	g = lived(t)
	g.Sites[2].Removed, g.StorageNodes[2].Retired = true, true
	g.Sites[2].Name = g.Sites[0].Name
	require.NoError(t, g.Validate(), "what was removed keeps no name, and what is retired may stand there")
}
