package keeper_test

import (
	"strings"
	"testing"

	"github.com/cosmos/cosmos-sdk/types/query"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/x/consortium"
)

func TestQueries(t *testing.T) {
	f := lived(t)
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)

	params, err := f.query.Params(f.ctx, &consortium.QueryParamsRequest{})
	require.NoError(t, err)
	require.Equal(t, &consortium.QueryParamsResponse{Params: exported.Params, NetworkId: exported.NetworkId}, params)
	member, err := f.query.Member(f.ctx, &consortium.QueryMemberRequest{Number: 4})
	require.NoError(t, err)
	require.Equal(t, exported.Members[3], member.Member)
	members, err := f.query.Members(f.ctx, &consortium.QueryMembersRequest{})
	require.NoError(t, err)
	require.Equal(t, exported.Members, members.Members)
	sites, err := f.query.Sites(f.ctx, &consortium.QuerySitesRequest{})
	require.NoError(t, err)
	require.Equal(t, exported.Sites, sites.Sites)
	sites, err = f.query.Sites(f.ctx, &consortium.QuerySitesRequest{Member: 3})
	require.NoError(t, err)
	require.Equal(t, exported.Sites[3:5], sites.Sites)
	nodes, err := f.query.StorageNodes(f.ctx, &consortium.QueryStorageNodesRequest{})
	require.NoError(t, err)
	require.Len(t, nodes.StorageNodes, len(exported.StorageNodes))
	nodes, err = f.query.StorageNodes(f.ctx, &consortium.QueryStorageNodesRequest{Member: 3})
	require.NoError(t, err)
	require.Equal(t, []consortium.StorageNode{exported.StorageNodes[2], exported.StorageNodes[4]}, nodes.StorageNodes)
	staff, err := f.query.Staff(f.ctx, &consortium.QueryStaffRequest{})
	require.NoError(t, err)
	require.Len(t, staff.Staff, len(exported.Staff))
	staff, err = f.query.Staff(f.ctx, &consortium.QueryStaffRequest{Hospital: 2})
	require.NoError(t, err)
	require.Len(t, staff.Staff, 2)
	for _, s := range staff.Staff {
		require.EqualValues(t, 2, s.Hospital)
		require.Equal(t, s.Address != f.admins[1], s.Revoked)
	}
	principal, err := f.query.Principal(f.ctx, &consortium.QueryPrincipalRequest{Address: f.nodes[1]})
	require.NoError(t, err)
	require.Equal(t, f.principal(f.nodes[1]), principal.Principal)
	proposal, err := f.query.Proposal(f.ctx, &consortium.QueryProposalRequest{Number: 3})
	require.NoError(t, err)
	require.Equal(t, consortium.PROPOSAL_STATUS_OPEN, proposal.Proposal.Status)
	require.Equal(t, []consortium.Vote{{Proposal: 3, Hospital: 1, Voter: f.admins[0], Accept: true}}, proposal.Votes)
}

func TestProposalsComeNewestFirst(t *testing.T) {
	f := lived(t)
	numbers := func(page *query.PageRequest) ([]uint64, *query.PageResponse) {
		res, err := f.query.Proposals(f.ctx, &consortium.QueryProposalsRequest{Pagination: page})
		require.NoError(t, err)
		var list []uint64
		for _, p := range res.Proposals {
			list = append(list, p.Number)
		}
		return list, res.Pagination
	}
	list, _ := numbers(nil)
	require.Equal(t, []uint64{4, 3, 2, 1}, list)
	list, next := numbers(&query.PageRequest{Limit: 3})
	require.Equal(t, []uint64{4, 3, 2}, list)
	list, next = numbers(&query.PageRequest{Limit: 3, Key: next.NextKey})
	require.Equal(t, []uint64{1}, list)
	require.Empty(t, next.NextKey)
	list, _ = numbers(&query.PageRequest{Reverse: true})
	require.Equal(t, []uint64{1, 2, 3, 4}, list)
}

func TestPages(t *testing.T) {
	f := newFixture(t, 1)
	for range consortium.MaxPageSize + 10 {
		f.staff(1, consortium.ROLE_CLERK)
	}
	page := func(p *query.PageRequest) *consortium.QueryStaffResponse {
		res, err := f.query.Staff(f.ctx, &consortium.QueryStaffRequest{Hospital: 1, Pagination: p})
		require.NoError(t, err)
		return res
	}
	require.Len(t, page(nil).Staff, 50)
	require.Len(t, page(&query.PageRequest{}).Staff, 50)
	first := page(&query.PageRequest{Limit: 1 << 40})
	require.Len(t, first.Staff, consortium.MaxPageSize)
	second := page(&query.PageRequest{Limit: 1 << 40, Key: first.Pagination.NextKey})
	require.Len(t, second.Staff, 11)
	require.Empty(t, second.Pagination.NextKey)
	for _, p := range []*query.PageRequest{{Offset: 1}, {CountTotal: true}} {
		_, err := f.query.Staff(f.ctx, &consortium.QueryStaffRequest{Pagination: p})
		require.Equal(t, codes.InvalidArgument, status.Code(err))
		_, err = f.query.Proposals(f.ctx, &consortium.QueryProposalsRequest{Pagination: p})
		require.Equal(t, codes.InvalidArgument, status.Code(err))
	}
}

func TestQueriesOfWhatIsNotThere(t *testing.T) {
	f := newFixture(t, 1)
	for _, c := range []struct {
		name string
		ask  func() error
		code codes.Code
	}{
		{"member", func() error {
			_, err := f.query.Member(f.ctx, &consortium.QueryMemberRequest{Number: 2})
			return err
		}, codes.NotFound},
		{"no member", func() error {
			_, err := f.query.Member(f.ctx, nil)
			return err
		}, codes.NotFound},
		{"principal", func() error {
			_, err := f.query.Principal(f.ctx, &consortium.QueryPrincipalRequest{Address: stranger})
			return err
		}, codes.NotFound},
		{"no address", func() error {
			_, err := f.query.Principal(f.ctx, &consortium.QueryPrincipalRequest{Address: "x"})
			return err
		}, codes.NotFound},
		{"invitation", func() error {
			_, err := f.query.Invitation(f.ctx, &consortium.QueryInvitationRequest{Key: strings.Repeat("ab", 32)})
			return err
		}, codes.NotFound},
		{"an invitation in capitals", func() error {
			_, err := f.query.Invitation(f.ctx, &consortium.QueryInvitationRequest{Key: strings.Repeat("AB", 32)})
			return err
		}, codes.InvalidArgument},
		{"a short invitation", func() error {
			_, err := f.query.Invitation(f.ctx, &consortium.QueryInvitationRequest{Key: "ab"})
			return err
		}, codes.InvalidArgument},
		{"proposal", func() error {
			_, err := f.query.Proposal(f.ctx, &consortium.QueryProposalRequest{Number: 1})
			return err
		}, codes.NotFound},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.code, status.Code(c.ask())) })
	}
	empty, err := f.query.Sites(f.ctx, &consortium.QuerySitesRequest{Member: 9})
	require.NoError(t, err)
	require.Empty(t, empty.Sites)
}
