package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/storage"
)

func TestPlace(t *testing.T) {
	f := newFixture(t)
	p := f.placement()
	p.Member = 3
	nodes, err := f.keeper.Place(f.ctx, p)
	require.NoError(t, err)
	require.Len(t, nodes, 3)
	require.Contains(t, nodes, uint64(3), "the bytes are there already")

	object, copies, err := f.keeper.Object(f.ctx, p.CID)
	require.NoError(t, err)
	require.Equal(t, storage.Object{
		Cid: p.CID, Size_: 4096, Attached: p.Attached, Target: 3, Minimum: 2, Origin: 3, PlacedAt: start,
	}, object)
	require.Len(t, copies, 3)
	for i, c := range copies {
		require.Equal(t, storage.Copy{Node: nodes[i], Status: storage.COPY_STATUS_ASSIGNED, Since: start}, c)
		require.Equal(t, []string{p.CID}, f.assignments(c.Node, 10))
		require.Empty(t, f.holdings(c.Node, 10))
	}
	require.Zero(t, f.held(p.CID))
	require.Empty(t, f.log.entries, "who places writes the entry")
}

// The same state gives the same nodes, and what was placed counts against room.
func TestPlaceIsDecidedByTheState(t *testing.T) {
	f, twin := newFixture(t), newFixture(t)
	for range 50 {
		_, one := f.place()
		_, other := twin.place()
		require.Equal(t, one, other)
	}
	usage, err := f.query.Usage(f.ctx, &storage.QueryUsageRequest{})
	require.NoError(t, err)
	var sum storage.NodeUsage
	for _, u := range usage.Nodes {
		require.Equal(t, u.Bytes, 4096*u.Objects)
		sum.Objects += u.Objects
	}
	require.EqualValues(t, 150, sum.Objects)
	require.EqualValues(t, 50, usage.Nodes[0].Objects, "the origin keeps each")
}

func TestPlaceOnDistinctDomains(t *testing.T) {
	f := newFixture(t)
	f.people.nodes = nil
	one, twin := f.node(1, 1, consortium.ROLE_NODE), f.node(1, 1, consortium.ROLE_STORAGE)
	branch, other := f.node(1, 2, consortium.ROLE_STORAGE), f.node(2, 1, consortium.ROLE_NODE)
	for range 20 {
		_, nodes := f.place()
		require.Equal(t, []uint64{one, branch, other}, nodes, "node %d shares a site with the origin", twin)
	}
	// With fewer domains than wanted, there are fewer copies and the target stands.
	f.people.nodes = f.people.nodes[:2]
	cid, nodes := f.place()
	require.Equal(t, []uint64{one}, nodes)
	object, _, err := f.keeper.Object(f.ctx, cid)
	require.NoError(t, err)
	require.EqualValues(t, 3, object.Target)
}

func TestPlaceEverywhere(t *testing.T) {
	f := newFixture(t)
	params := storage.DefaultParams()
	params.Copies[0].Target = 0
	_, err := f.msg.UpdateParams(f.ctx, &storage.MsgUpdateParams{Authority: authority, Params: params})
	require.NoError(t, err)
	f.node(1, 1, consortium.ROLE_STORAGE)
	f.node(2, 2, consortium.ROLE_STORAGE)
	cid, nodes := f.place()
	require.Len(t, nodes, 5, "one of each domain")
	object, _, err := f.keeper.Object(f.ctx, cid)
	require.NoError(t, err)
	require.EqualValues(t, 5, object.Target)
}

func TestPlaceUsesRoomToTheEnd(t *testing.T) {
	f := newFixture(t)
	for i := range f.people.nodes {
		f.people.nodes[i].Capacity = 10 * 4096
	}
	placed := 0
	for {
		p := f.placement()
		nodes, err := f.keeper.Place(f.ctx, p)
		if len(nodes) == 0 {
			require.ErrorIs(t, err, storage.ErrNoRoom)
			_, _, err = f.keeper.Object(f.ctx, p.CID)
			require.ErrorIs(t, err, storage.ErrUnknownObject)
			break
		}
		require.NoError(t, err)
		placed += len(nodes)
	}
	require.Equal(t, 40, placed)
	f.node(5, 1, consortium.ROLE_NODE)
	_, nodes := f.place()
	require.Equal(t, []uint64{5}, nodes, "a new node has room")
}

func TestPlacePassesRetiredNodesOver(t *testing.T) {
	f := newFixture(t)
	f.people.nodes[0].Retired = true
	for range 10 {
		_, nodes := f.place()
		require.Equal(t, []uint64{2, 3, 4}, nodes)
	}
}

func TestPlaceErrors(t *testing.T) {
	f := newFixture(t)
	known := f.placement()
	_, err := f.keeper.Place(f.ctx, known)
	require.NoError(t, err)
	for _, tc := range []struct {
		name   string
		change func(*storage.Placement)
		err    error
	}{
		{"a known object", func(p *storage.Placement) { p.CID = known.CID }, storage.ErrKnown},
		{"a known attached block", func(p *storage.Placement) { p.Attached = known.Attached }, storage.ErrKnown},
		{"a known attached block as an object", func(p *storage.Placement) { p.CID = known.Attached[0] }, storage.ErrKnown},
		{"an unknown class", func(p *storage.Placement) { p.Class = "photographs" }, storage.ErrInvalidPlacement},
		{"an unknown member", func(p *storage.Placement) { p.Member = 9 }, consortium.ErrUnknownMember},
		{"larger than any node", func(p *storage.Placement) { p.Size = 2 * tib }, storage.ErrNoRoom},
		{"no size", func(p *storage.Placement) { p.Size = 0 }, storage.ErrInvalidPlacement},
		{"no cid", func(p *storage.Placement) { p.CID = "x" }, storage.ErrInvalidCID},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := f.placement()
			tc.change(&p)
			_, err := f.keeper.Place(f.ctx, p)
			require.ErrorIs(t, err, tc.err)
			exported, err := f.keeper.ExportGenesis(f.ctx)
			require.NoError(t, err)
			require.Len(t, exported.Objects, 1)
		})
	}
	vault := f.placement()
	vault.CID, vault.Attached, vault.Class = vault.Attached[0], nil, "vault"
	_, err = f.keeper.Place(f.ctx, vault)
	require.NoError(t, err, "a single raw block")
	f.place()
}

func TestObjectErrors(t *testing.T) {
	f := newFixture(t)
	_, _, err := f.keeper.Object(f.ctx, "x")
	require.ErrorIs(t, err, storage.ErrInvalidCID)
	_, _, err = f.keeper.Object(f.ctx, lock.DagCID([32]byte{1}).String())
	require.ErrorIs(t, err, storage.ErrUnknownObject)
}

// An object lies where the one lies beside which it was placed, also after a repair of both.
func TestPlaceBesideAnotherObject(t *testing.T) {
	f := newFixture(t)
	for member := range uint64(4) {
		f.beat(f.node(10+member, 1, consortium.ROLE_NODE))
	}
	for range 20 {
		first, nodes := f.place()
		p := f.placement()
		p.Key = first
		beside, err := f.keeper.Place(f.ctx, p)
		require.NoError(t, err)
		require.Equal(t, nodes, beside)
		object, _, err := f.keeper.Object(f.ctx, p.CID)
		require.NoError(t, err)
		require.Equal(t, first, object.Key)
	}
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, exported.Validate())
	exported.Objects[0].Object.Key = exported.Objects[0].Object.Cid
	require.ErrorIs(t, exported.Validate(), storage.ErrInvalidGenesis)
}

// What a lost node had of both goes to the same node.
func TestRepairKeepsObjectsBesideEachOther(t *testing.T) {
	f := newFixture(t)
	for member := range uint64(4) {
		f.beat(f.node(10+member, 1, consortium.ROLE_NODE))
	}
	first, gone, _ := f.whole()
	p := f.placement()
	p.Key = first
	nodes, err := f.keeper.Place(f.ctx, p)
	require.NoError(t, err)
	for _, node := range nodes {
		require.Equal(t, []string{""}, f.confirm(f.of(node), p.CID))
	}
	f.beat(gone)
	f.run(lost, f.but(gone)...)
	require.Equal(t, storage.NODE_STATUS_LOST, f.status(gone))
	for _, node := range f.but(append(nodes, gone)...) {
		f.confirm(f.of(node), first, p.CID)
	}
	require.Len(t, f.on(p.CID), 3)
	require.Equal(t, f.on(first), f.on(p.CID))
	require.NotContains(t, f.on(p.CID), gone)
}

// The objects of one message are placed as if each came by itself, and counted alike.
func TestPlaceAll(t *testing.T) {
	f, twin := newFixture(t), newFixture(t)
	list := make([]storage.Placement, 30)
	for i := range list {
		list[i] = f.placement()
		list[i].Size = uint64(i+1) * 4096
	}
	require.NoError(t, f.keeper.PlaceAll(f.ctx, list))
	for _, p := range list {
		_, err := twin.keeper.Place(twin.ctx, p)
		require.NoError(t, err)
	}
	one, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	other, err := twin.keeper.ExportGenesis(twin.ctx)
	require.NoError(t, err)
	require.Equal(t, other, one)
	require.Equal(t, twin.health().Nodes, f.health().Nodes)
	require.Equal(t, twin.health().Members, f.health().Members)
	foreign := f.placement()
	foreign.Member = 2
	require.ErrorIs(t, f.keeper.PlaceAll(f.ctx, []storage.Placement{f.placement(), foreign}), storage.ErrInvalidPlacement)
	again := f.placement()
	require.ErrorIs(t, f.keeper.PlaceAll(f.ctx, []storage.Placement{again, again}), storage.ErrKnown)
}
