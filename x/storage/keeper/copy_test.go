package keeper_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/storage"
	"github.com/phrd/phrd/x/storage/keeper"
)

func TestConfirmAndLose(t *testing.T) {
	f := newFixture(t)
	cid, nodes := f.place()
	first := nodes[0]
	f.ctx = f.ctx.WithBlockTime(time.Unix(start+5, 0))
	for i, node := range nodes {
		require.Equal(t, []string{""}, f.confirm(f.of(node), cid))
		require.Equal(t, audit.Entry{
			Kind: audit.KindReplicated, Actor: f.of(node), Role: "node", Hospital: node, Patient: patient, Subjects: subjects,
			Target: cid, Outcome: audit.OUTCOME_OK, Count: uint64(i) + 1,
		}, f.log.last())
		require.Equal(t, storage.Copy{Node: node, Status: storage.COPY_STATUS_HELD, Since: start + 5}, f.copyOf(cid, node))
		require.Empty(t, f.assignments(node, 10))
		require.Equal(t, []string{cid}, f.holdings(node, 10))
		require.EqualValues(t, i+1, f.held(cid))
	}
	require.Equal(t, []changed{{cid, 1, 3}, {cid, 2, 3}, {cid, 3, 3}}, f.hooks.changes)

	// Again changes nothing and is no second entry.
	require.Equal(t, []string{""}, f.confirm(f.of(first), cid))
	require.Len(t, f.log.entries, 3)
	require.Len(t, f.hooks.changes, 3)

	// What is lost is to be fetched again.
	f.ctx = f.ctx.WithBlockTime(time.Unix(start+10, 0))
	require.Equal(t, []string{""}, f.lose(f.of(first), cid))
	require.Equal(t, audit.Entry{
		Kind: audit.KindCopyLost, Actor: f.of(first), Role: "node", Hospital: first, Patient: patient, Subjects: subjects,
		Target: cid, Outcome: audit.OUTCOME_OK, Count: 2,
	}, f.log.last())
	require.Equal(t, storage.Copy{Node: first, Status: storage.COPY_STATUS_LOST, Since: start + 10}, f.copyOf(cid, first))
	require.Equal(t, []string{cid}, f.assignments(first, 10))
	require.Empty(t, f.holdings(first, 10))
	require.EqualValues(t, 2, f.held(cid))
	require.Equal(t, []string{""}, f.lose(f.of(first), cid))
	require.Len(t, f.log.entries, 4)
	require.Equal(t, []string{""}, f.confirm(f.of(first), cid))
	require.EqualValues(t, 3, f.held(cid))
	require.Equal(t, []changed{{cid, 2, 3}, {cid, 3, 3}}, f.hooks.changes[3:])
}

// Only the node itself speaks for its copies.
func TestCopyRefusals(t *testing.T) {
	f := newFixture(t)
	cid, nodes := f.place()
	var outside uint64
	for node := range uint64(4) {
		if !slices.Contains(nodes, node+1) {
			outside = node + 1
		}
	}
	unknown := lock.DagCID([32]byte{1}).String()
	suspended := f.of(f.node(1, 1, consortium.ROLE_STORAGE))
	p := f.people.principals[suspended]
	p.Active = false
	f.people.principals[suspended] = p

	for _, tc := range []struct {
		name, signer, object, reason string
		send                         func(signer string, objects ...string) []string
		kind                         string
	}{
		{"a clerk", f.account(consortium.ROLE_CLERK, 1), cid, storage.ReasonWrongRole, f.confirm, audit.KindReplicated},
		{"an admin", f.account(consortium.ROLE_ADMIN, 1), cid, storage.ReasonWrongRole, f.lose, audit.KindCopyLost},
		{"a suspended member's node", suspended, cid, storage.ReasonInactive, f.confirm, audit.KindReplicated},
		{"an object that nobody keeps", f.of(nodes[0]), unknown, storage.ReasonUnknownObject, f.confirm, audit.KindReplicated},
		{"the loss of an object that nobody keeps", f.of(nodes[0]), unknown, storage.ReasonUnknownObject, f.lose, audit.KindCopyLost},
		{"a node that is not to hold it", f.of(outside), cid, storage.ReasonNotAssigned, f.confirm, audit.KindReplicated},
		{"a loss where it is not held", f.of(outside), cid, storage.ReasonNotAssigned, f.lose, audit.KindCopyLost},
		{"a loss before it is held", f.of(nodes[0]), cid, storage.ReasonNotHeld, f.lose, audit.KindCopyLost},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, []string{tc.reason}, tc.send(tc.signer, tc.object))
			signer := f.people.principals[tc.signer]
			want := audit.Entry{
				Kind: tc.kind, Actor: tc.signer, Role: signer.Role.Text(), Hospital: signer.Hospital, Patient: patient, Subjects: subjects,
				Target: tc.object, Outcome: audit.OUTCOME_REFUSED, Reason: tc.reason,
			}
			if tc.object == unknown {
				want.Patient, want.Subjects = "", nil
			}
			require.Equal(t, want, f.log.last())
			require.Zero(t, f.held(cid))
			require.Empty(t, f.hooks.changes)
		})
	}
	require.Equal(t, []string{""}, f.confirm(f.of(nodes[0]), cid))
}

// A further node of the same member has its own account and its own copies.
func TestAnotherNodeOfTheSameMember(t *testing.T) {
	f := newFixture(t)
	f.people.nodes = f.people.nodes[:2]
	second := f.node(1, 2, consortium.ROLE_STORAGE)
	cid, nodes := f.place()
	require.Equal(t, []uint64{1, 2, second}, nodes)
	require.Equal(t, []string{""}, f.confirm(f.of(second), cid))
	require.Equal(t, storage.COPY_STATUS_ASSIGNED, f.copyOf(cid, 1).Status)
	require.Equal(t, "storage", f.log.last().Role)
	require.Equal(t, []string{storage.ReasonNotHeld}, f.lose(f.of(1), cid))
}

// A retired node gets nothing new and still says what became of what it has.
func TestRetiredNode(t *testing.T) {
	f := newFixture(t)
	cid, nodes := f.place()
	retired := nodes[len(nodes)-1]
	f.people.nodes[retired-1].Retired = true
	require.Equal(t, []string{""}, f.confirm(f.of(retired), cid))
	require.Equal(t, []string{""}, f.lose(f.of(retired), cid))
	_, nodes = f.place()
	require.NotContains(t, nodes, retired)
}

// Each object of a message stands for itself.
func TestObjectsOfOneMessage(t *testing.T) {
	f := newFixture(t)
	one, _ := f.place()
	two, _ := f.place()
	unknown := lock.DagCID([32]byte{1}).String()
	require.Equal(t, []string{"", storage.ReasonUnknownObject, ""}, f.confirm(f.of(1), one, unknown, two))
	require.Len(t, f.log.entries, 3)
	require.EqualValues(t, 1, f.held(one))
	require.EqualValues(t, 1, f.held(two))
	require.Equal(t, []string{"", storage.ReasonUnknownObject}, f.lose(f.of(1), two, unknown))
	require.EqualValues(t, 1, f.held(one))
	require.Zero(t, f.held(two))
}

func TestCopyErrors(t *testing.T) {
	f := newFixture(t)
	cid, _ := f.place()
	for _, tc := range []struct {
		name, signer string
		objects      []string
		err          error
	}{
		{"a stranger", "phrd1nobody", []string{cid}, consortium.ErrUnknownAccount},
		{"a node account without a node", f.account(consortium.ROLE_NODE, 7), []string{cid}, consortium.ErrUnknownNode},
		{"none", f.of(1), nil, storage.ErrInvalidBatch},
		{"one twice", f.of(1), []string{cid, cid}, storage.ErrInvalidBatch},
		{"a cid that is none behind a good one", f.of(1), []string{cid, "x"}, storage.ErrInvalidCID},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := f.msg.ConfirmCopies(f.ctx, &storage.MsgConfirmCopies{Node: tc.signer, Objects: tc.objects})
			require.ErrorIs(t, err, tc.err)
			_, err = f.msg.ReportLostCopies(f.ctx, &storage.MsgReportLostCopies{Node: tc.signer, Objects: tc.objects})
			require.ErrorIs(t, err, tc.err)
			require.Empty(t, f.log.entries)
			require.Zero(t, f.held(cid))
		})
	}
}

// Copies count by where their nodes are: two at one site are worth one.
func TestHeldCountsDomains(t *testing.T) {
	f := newFixture(t)
	cid, nodes := f.place()
	require.Equal(t, []string{""}, f.confirm(f.of(nodes[0]), cid))
	require.Equal(t, []string{""}, f.confirm(f.of(nodes[1]), cid))
	require.EqualValues(t, 2, f.held(cid))
	moved := &f.people.nodes[nodes[1]-1]
	moved.Member, moved.Site = f.people.nodes[nodes[0]-1].Member, f.people.nodes[nodes[0]-1].Site
	require.EqualValues(t, 1, f.held(cid))
}

func TestListsAreInPages(t *testing.T) {
	f := newFixture(t)
	var all []string
	for range 7 {
		cid, _ := f.place()
		all = append(all, cid)
	}
	slices.Sort(all)
	for _, limit := range []uint32{1, 2, 3, 7, 8, storage.MaxPageSize} {
		require.Equal(t, all, f.assignments(1, limit), limit)
		require.Empty(t, f.holdings(1, limit))
	}
	f.confirm(f.of(1), all...)
	for _, limit := range []uint32{1, 2, 3, 7, 8, storage.MaxPageSize} {
		require.Equal(t, all, f.holdings(1, limit), limit)
		require.Empty(t, f.assignments(1, limit))
	}
	res, err := f.query.Holdings(f.ctx, &storage.QueryHoldingsRequest{Node: 1})
	require.NoError(t, err)
	require.Len(t, res.Objects, 7)
}

func TestQueryErrors(t *testing.T) {
	f := newFixture(t)
	for _, tc := range []struct {
		name string
		call func() error
		code codes.Code
	}{
		{"unknown object", func() error {
			_, err := f.query.Object(f.ctx, &storage.QueryObjectRequest{Cid: lock.DagCID([32]byte{1}).String()})
			return err
		}, codes.NotFound},
		{"no object", func() error {
			_, err := f.query.Object(f.ctx, &storage.QueryObjectRequest{})
			return err
		}, codes.InvalidArgument},
		{"a page too large", func() error {
			_, err := f.query.Assignments(f.ctx, &storage.QueryAssignmentsRequest{Node: 1, Limit: storage.MaxPageSize + 1})
			return err
		}, codes.InvalidArgument},
		{"a cursor that is none", func() error {
			_, err := f.query.Holdings(f.ctx, &storage.QueryHoldingsRequest{Node: 1, After: "x"})
			return err
		}, codes.InvalidArgument},
	} {
		t.Run(tc.name, func(t *testing.T) { require.Equal(t, tc.code, status.Code(tc.call())) })
	}
}

func TestUpdateParams(t *testing.T) {
	f := newFixture(t)
	params := storage.DefaultParams()
	params.Copies[0].Target, params.Copies[0].Minimum = 4, 3
	_, err := f.msg.UpdateParams(f.ctx, &storage.MsgUpdateParams{Authority: f.of(1), Params: params})
	require.ErrorIs(t, err, storage.ErrUnauthorized)
	_, err = f.msg.UpdateParams(f.ctx, &storage.MsgUpdateParams{Authority: authority})
	require.ErrorIs(t, err, storage.ErrInvalidParams)
	require.Empty(t, f.log.entries)
	before, _ := f.place()
	_, err = f.msg.UpdateParams(f.ctx, &storage.MsgUpdateParams{Authority: authority, Params: params})
	require.NoError(t, err)
	require.Equal(t, audit.Entry{Kind: audit.KindParamsChanged, Role: audit.RoleChain, Target: "storage", Outcome: audit.OUTCOME_OK}, f.log.last())
	got, err := f.query.Params(f.ctx, &storage.QueryParamsRequest{})
	require.NoError(t, err)
	require.Equal(t, params, got.Params)

	_, nodes := f.place()
	require.Len(t, nodes, 4)
	object, copies, err := f.keeper.Object(f.ctx, before)
	require.NoError(t, err)
	require.Len(t, copies, 3)
	require.EqualValues(t, 3, object.Target, "what was placed before keeps its rule")
}

// A chain that started from an export goes on where the old one stopped.
func TestGenesisRoundTrip(t *testing.T) {
	f := newFixture(t)
	held, _ := f.place()
	lost, _ := f.place()
	f.place()
	require.Equal(t, []string{"", ""}, f.confirm(f.of(1), held, lost))
	require.Equal(t, []string{""}, f.lose(f.of(1), lost))
	usage, err := f.query.Usage(f.ctx, &storage.QueryUsageRequest{})
	require.NoError(t, err)
	assigned := f.assignments(1, 10)
	require.Len(t, assigned, 2)
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)

	f.restart(exported)
	again, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Equal(t, exported, again)
	reopened, err := f.query.Usage(f.ctx, &storage.QueryUsageRequest{})
	require.NoError(t, err)
	require.Equal(t, usage, reopened)
	require.Equal(t, assigned, f.assignments(1, 10))
	require.Equal(t, []string{held}, f.holdings(1, 10))
	p := f.placement()
	p.Attached = exported.Objects[0].Object.Attached
	_, err = f.keeper.Place(f.ctx, p)
	require.ErrorIs(t, err, storage.ErrKnown)
	require.Equal(t, []string{""}, f.confirm(f.of(1), lost))
}

func TestGenesisWithAnUnknownNode(t *testing.T) {
	f := newFixture(t)
	f.place()
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	nodes := f.people.nodes
	f.people.nodes = nodes[1:]
	f.open()
	require.ErrorIs(t, f.keeper.InitGenesis(f.ctx, exported), consortium.ErrUnknownNode)
	f.people.nodes = nodes
	f.open()
	require.NoError(t, f.keeper.InitGenesis(f.ctx, exported))
}

// Without hooks the module keeps its own part.
func TestCopiesWithoutHooks(t *testing.T) {
	f := newFixture(t)
	f.keeper.SetObjectHooks(nil)
	cid, _ := f.place()
	require.Equal(t, []string{""}, f.confirm(f.of(1), cid))
	require.Equal(t, cid, f.log.last().Target)
	require.Empty(t, f.log.last().Patient)
}

func TestNewNeedsAllNeighbours(t *testing.T) {
	_, err := keeper.New(nil, nil, nil, &fakeConsortium{})
	require.ErrorContains(t, err, "a neighbour is missing")
	_, err = keeper.New(nil, nil, &fakeAudit{}, nil)
	require.ErrorContains(t, err, "a neighbour is missing")
}
