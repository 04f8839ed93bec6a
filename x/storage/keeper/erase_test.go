package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/storage"
)

// attest sends an attestation and answers the reasons of refusals, in order.
func (f *fixture) attest(signer string, days uint32, numbers ...uint64) []string {
	f.t.Helper()
	res, err := f.msg.AttestErasures(f.ctx, &storage.MsgAttestErasures{Node: signer, Numbers: numbers, BackupDays: days})
	require.NoError(f.t, err)
	require.Len(f.t, res.Results, len(numbers))
	reasons := make([]string, len(numbers))
	for i, r := range res.Results {
		require.Equal(f.t, numbers[i], r.Number)
		require.Equal(f.t, r.Reason != "", r.Outcome == audit.OUTCOME_REFUSED)
		reasons[i] = r.Reason
	}
	return reasons
}

// erasures lists the erasures that the query shows, in pages of so many.
func (f *fixture) erasures(node, after uint64, limit uint32) []uint64 {
	f.t.Helper()
	var numbers []uint64
	for {
		res, err := f.query.Erasures(f.ctx, &storage.QueryErasuresRequest{After: after, Limit: limit, Node: node})
		require.NoError(f.t, err)
		for _, e := range res.Erasures {
			numbers = append(numbers, e.Number)
		}
		if after = res.Next; after == 0 {
			return numbers
		}
	}
}

// What is erased is nobody's task any more and can't come back, and what is beside it
// stays as it was.
func TestErase(t *testing.T) {
	f := newFixture(t)
	other, _ := f.place()
	p := f.placement()
	nodes, err := f.keeper.Place(f.ctx, p)
	require.NoError(t, err)
	require.Equal(t, []string{""}, f.confirm(f.of(nodes[0]), p.CID))
	before := f.health()
	require.EqualValues(t, 2, before.Objects)

	numbers, err := f.keeper.Erase(f.ctx, []string{p.CID})
	require.NoError(t, err)
	require.Equal(t, []uint64{1}, numbers)
	_, _, err = f.keeper.Object(f.ctx, p.CID)
	require.ErrorIs(t, err, storage.ErrUnknownObject)
	for _, n := range f.people.nodes {
		require.NotContains(t, f.assignments(n.Number, 10), p.CID)
		require.NotContains(t, f.holdings(n.Number, 10), p.CID)
	}
	f.checkBooks([]string{other})
	require.Equal(t, []string{storage.ReasonUnknownObject}, f.confirm(f.of(nodes[0]), p.CID))
	require.Equal(t, []string{""}, f.confirm(f.of(f.on(other)[0]), other))

	_, err = f.keeper.Erase(f.ctx, []string{p.CID})
	require.ErrorIs(t, err, storage.ErrUnknownObject)
	again, attached := p, f.placement()
	again.Attached = f.placement().Attached
	attached.Attached = p.Attached
	for _, placement := range []storage.Placement{p, again, attached} {
		_, err = f.keeper.Place(f.ctx, placement)
		require.ErrorIs(t, err, storage.ErrKnown)
	}
	_, err = f.keeper.Place(f.ctx, f.placement())
	require.NoError(t, err)

	res, err := f.query.Erasures(f.ctx, &storage.QueryErasuresRequest{})
	require.NoError(t, err)
	require.Equal(t, []storage.Erasure{{Number: 1, Object: p.CID, Attached: p.Attached, At: start, Nodes: []uint64{1, 2, 3, 4}}}, res.Erasures)

	// A node that was never heard of never had anything; one that is retired had.
	f.people.nodes = append(f.people.nodes, consortium.StorageNode{Number: 5, Member: 2, Site: 2, Account: f.account(consortium.ROLE_STORAGE, 2), Capacity: tib})
	f.people.nodes[3].Retired = true
	require.NoError(t, f.keeper.NodesChanged(f.ctx, 2))
	require.NoError(t, f.keeper.NodesChanged(f.ctx, 4))
	_, err = f.keeper.Erase(f.ctx, []string{other})
	require.NoError(t, err)
	list, err := f.keeper.NodeErasures(f.ctx, 2)
	require.NoError(t, err)
	require.Len(t, list, 4)
}

func TestAttestErasures(t *testing.T) {
	f := newFixture(t)
	f.people.left = map[uint64]bool{4: true}
	first, _ := f.place()
	second, _ := f.place()
	_, err := f.keeper.Erase(f.ctx, []string{first}, []string{second})
	require.NoError(t, err)
	late := f.node(5, 1, consortium.ROLE_STORAGE)

	require.Equal(t, []string{"", ""}, f.attest(f.of(1), 30, 1, 2))
	require.Equal(t, audit.Entry{
		Kind: audit.KindErasureAttested, Actor: f.of(1), Role: "node", Hospital: 1, Patient: patient, Subjects: subjects, Target: second, Count: 30,
		Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	entries := len(f.log.entries)
	require.Equal(t, []string{"", ""}, f.attest(f.of(1), 10, 1, 2), "as after a restored backup")
	require.Len(t, f.log.entries, entries)

	require.Equal(t, []string{storage.ReasonNotAsked}, f.attest(f.of(4), 0, 1), "of a member that had left")
	require.Equal(t, []string{storage.ReasonNotAsked}, f.attest(f.of(late), 0, 1), "registered since")
	require.Equal(t, []string{"", storage.ReasonUnknownErasure}, f.attest(f.of(2), 0, 1, 3))
	require.Equal(t, storage.ReasonUnknownErasure, f.log.last().Reason)
	require.Equal(t, []string{storage.ReasonWrongRole}, f.attest(f.account(consortium.ROLE_CLERK, 3), 0, 1))
	p := f.people.principals[f.of(3)]
	p.Active = false
	f.people.principals[f.of(3)] = p
	require.Equal(t, []string{storage.ReasonInactive}, f.attest(f.of(3), 0, 1))

	f.people.left[3] = true
	list, err := f.keeper.NodeErasures(f.ctx, 1)
	require.NoError(t, err)
	require.Equal(t, []storage.NodeErasure{
		{Node: 1, Member: 1, Attestation: &storage.Attestation{Node: 1, At: start, BackupDays: 30}},
		{Node: 2, Member: 2, Attestation: &storage.Attestation{Node: 2, At: start}},
		{Node: 3, Member: 3, Left: true},
	}, list)
	_, err = f.keeper.NodeErasures(f.ctx, 3)
	require.ErrorIs(t, err, storage.ErrUnknownErasure)

	for _, limit := range []uint32{1, 2, 50} {
		require.Equal(t, []uint64{1, 2}, f.erasures(0, 0, limit))
		require.Equal(t, []uint64{2}, f.erasures(0, 1, limit))
		require.Empty(t, f.erasures(1, 0, limit))
		require.Equal(t, []uint64{2}, f.erasures(2, 0, limit))
		require.Empty(t, f.erasures(late, 0, limit))
	}
	_, err = f.query.Erasures(f.ctx, &storage.QueryErasuresRequest{Limit: storage.MaxPageSize + 1})
	require.Equal(t, codes.InvalidArgument, status.Code(err))
}

func TestMalformedAttestations(t *testing.T) {
	f := newFixture(t)
	many := make([]uint64, storage.MaxBatch+1)
	for i := range many {
		many[i] = uint64(i) + 1
	}
	for _, msg := range []*storage.MsgAttestErasures{
		{Node: f.of(1)},
		{Node: f.of(1), Numbers: []uint64{0}},
		{Node: f.of(1), Numbers: []uint64{2, 1}},
		{Node: f.of(1), Numbers: []uint64{1, 1}},
		{Node: f.of(1), Numbers: many},
		{Node: f.of(1), Numbers: []uint64{1}, BackupDays: 36_501},
	} {
		_, err := f.msg.AttestErasures(f.ctx, msg)
		require.ErrorIs(t, err, storage.ErrInvalidBatch, "%v", msg)
	}
	_, err := f.msg.AttestErasures(f.ctx, &storage.MsgAttestErasures{Node: f.of(1), Numbers: many[1:]})
	require.NoError(t, err)
}

// A chain that starts from an export knows what was erased, and who has attested it.
func TestErasuresAreExported(t *testing.T) {
	f := newFixture(t)
	p := f.placement()
	_, err := f.keeper.Place(f.ctx, p)
	require.NoError(t, err)
	_, err = f.keeper.Erase(f.ctx, []string{p.CID})
	require.NoError(t, err)
	f.attest(f.of(2), 7, 1)
	g, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Len(t, g.Erasures, 1)

	f.restart(g)
	require.Equal(t, []uint64{1}, f.erasures(1, 0, 10))
	require.Empty(t, f.erasures(2, 0, 10))
	_, err = f.keeper.Place(f.ctx, p)
	require.ErrorIs(t, err, storage.ErrKnown)
	cid, _ := f.place()
	numbers, err := f.keeper.Erase(f.ctx, []string{cid})
	require.NoError(t, err)
	require.Equal(t, []uint64{2}, numbers)

	for name, change := range map[string]func(*storage.AttestedErasure){
		"a gap":  func(a *storage.AttestedErasure) { a.Erasure.Number = 2 },
		"no cid": func(a *storage.AttestedErasure) { a.Erasure.Object = "x" },
		"a block twice": func(a *storage.AttestedErasure) {
			a.Erasure.Attached = append(a.Erasure.Attached, a.Erasure.Attached...)
		},
		"unsorted nodes":          func(a *storage.AttestedErasure) { a.Erasure.Nodes = []uint64{2, 1} },
		"a node that nobody asks": func(a *storage.AttestedErasure) { a.Attestations[0].Node = 9 },
		"two words of one node":   func(a *storage.AttestedErasure) { a.Attestations = append(a.Attestations, a.Attestations...) },
	} {
		bad, err := f.keeper.ExportGenesis(f.ctx)
		require.NoError(t, err)
		require.NoError(t, bad.Validate())
		change(&bad.Erasures[0])
		require.ErrorIs(t, bad.Validate(), storage.ErrInvalidGenesis, name)
	}
}

// A block beside an object is erased by itself: the object stays, and goes on to be proven without it. What others say of
// proofs that may be over it does not count.
func TestEraseBlockBesideAnObject(t *testing.T) {
	f := newFixture(t)
	f.copies(4)
	cid, nodes := f.place()
	for _, node := range nodes {
		f.confirm(f.of(node), cid)
	}
	holder := nodes[0]
	object := f.object(cid).Object
	require.Len(t, object.Attached, 1)
	f.openEpoch(nodes...)
	f.prove(nodes...)
	wrong := f.disputable(cid, holder)

	numbers, err := f.keeper.Erase(f.ctx, object.Attached)
	require.NoError(t, err)
	require.Equal(t, []uint64{1}, numbers)
	left := f.object(cid)
	require.Empty(t, left.Object.Attached)
	require.Equal(t, f.epoch().Number, left.Object.ChangedIn)
	require.Equal(t, storage.STANDING_WHOLE, left.Standing)
	res, err := f.query.Erasures(f.ctx, &storage.QueryErasuresRequest{})
	require.NoError(t, err)
	require.Equal(t, object.Attached[0], res.Erasures[0].Object)
	require.Empty(t, res.Erasures[0].Attached)
	require.Equal(t, []string{storage.ReasonObjectChanged}, f.dispute(f.of(wrong.by), wrong.Dispute))

	_, err = f.keeper.Erase(f.ctx, object.Attached)
	require.ErrorIs(t, err, storage.ErrUnknownObject)
	p := f.placement()
	p.Attached = object.Attached
	_, err = f.keeper.Place(f.ctx, p)
	require.ErrorIs(t, err, storage.ErrKnown)

	// In the next epoch nothing of it is left.
	f.openEpoch(nodes...)
	f.prove(nodes...)
	wrong = f.disputable(cid, holder)
	require.Equal(t, []string{""}, f.dispute(f.of(wrong.by), wrong.Dispute))
}

// An object and single blocks, whether they are kept by themselves or beside another object, are erased and attested together.
func TestEraseTogether(t *testing.T) {
	f := newFixture(t)
	first, second, third := f.placement(), f.placement(), f.placement()
	second.CID, second.Attached = second.Attached[0], nil
	for _, p := range []storage.Placement{first, second, third} {
		_, err := f.keeper.Place(f.ctx, p)
		require.NoError(t, err)
	}
	_, err := f.keeper.Erase(f.ctx, []string{first.CID, first.Attached[0], second.CID, third.Attached[0]})
	require.NoError(t, err)
	res, err := f.query.Erasures(f.ctx, &storage.QueryErasuresRequest{})
	require.NoError(t, err)
	require.Equal(t, []storage.Erasure{{
		Number: 1, Object: first.CID, Attached: []string{first.Attached[0], second.CID, third.Attached[0]}, At: start, Nodes: []uint64{1, 2, 3, 4},
	}}, res.Erasures)
	require.Empty(t, f.object(third.CID).Object.Attached)
	f.checkBooks([]string{third.CID})
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, exported.Validate())
	_, err = f.keeper.Erase(f.ctx, nil)
	require.ErrorIs(t, err, storage.ErrUnknownObject)
}

// dispute of a holder against another one, over an object.
type disputed struct {
	storage.Dispute
	by uint64
}

// disputable is what a holder of an object may dispute that another one was asked about it.
func (f *fixture) disputable(cid string, holder uint64) disputed {
	f.t.Helper()
	number := f.epoch().Number
	for _, proof := range f.challenges(number, 0).Proofs {
		for i, c := range proof.Challenges {
			if c.Object == cid && proof.Node != holder {
				return disputed{storage.Dispute{Epoch: number, Accused: proof.Node, Index: uint32(i)}, holder}
			}
		}
	}
	f.t.Fatalf("nobody but node %d is asked about %s", holder, cid)
	return disputed{}
}
