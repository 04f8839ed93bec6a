package keeper_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/storage"
)

const (
	interval = 300
	suspect  = 900
	lost     = 3600
	day      = 24 * 3600
)

// now is how many seconds have passed since the first block.
func (f *fixture) now() int64 { return f.ctx.BlockTime().Unix() - start }

// end makes the end of a block that comes some seconds later.
func (f *fixture) end(later int64) {
	f.t.Helper()
	f.ctx = f.ctx.WithBlockTime(f.ctx.BlockTime().Add(time.Duration(later) * time.Second)).WithBlockHeight(f.ctx.BlockHeight() + 1)
	require.NoError(f.t, f.keeper.EndBlock(f.ctx))
}

// commit writes the state down and answers its hash.
func (f *fixture) commit() []byte {
	f.t.Helper()
	all, ok := f.ctx.MultiStore().(storetypes.CommitMultiStore)
	require.True(f.t, ok)
	return all.Commit().Hash
}

// run lets so many seconds pass in which these nodes beat and the others are silent.
func (f *fixture) run(seconds int64, beating ...uint64) {
	f.t.Helper()
	for until := f.now() + seconds; f.now() < until; {
		f.end(min(interval, until-f.now()))
		f.beat(beating...)
	}
}

// health is the network's.
func (f *fixture) health() *storage.QueryHealthResponse {
	f.t.Helper()
	res, err := f.query.Health(f.ctx, &storage.QueryHealthRequest{})
	require.NoError(f.t, err)
	return res
}

// status is where a node stands.
func (f *fixture) status(node uint64) storage.NodeStatus {
	f.t.Helper()
	return f.health().Nodes[node-1].Status
}

// object is an object with its copies.
func (f *fixture) object(cid string) *storage.QueryObjectResponse {
	f.t.Helper()
	res, err := f.query.Object(f.ctx, &storage.QueryObjectRequest{Cid: cid})
	require.NoError(f.t, err)
	require.Len(f.t, res.Nodes, len(res.Copies))
	return res
}

// on are the nodes of an object's copies.
func (f *fixture) on(cid string) []uint64 {
	f.t.Helper()
	var nodes []uint64
	for _, c := range f.object(cid).Copies {
		nodes = append(nodes, c.Node)
	}
	return nodes
}

// whole places an object and has its nodes confirm it. It answers a node that holds it
// and is not the origin, and those that don't hold it.
func (f *fixture) whole() (cid string, holder uint64, others []uint64) {
	f.t.Helper()
	cid, nodes := f.place()
	for _, node := range nodes {
		require.Equal(f.t, []string{""}, f.confirm(f.of(node), cid))
	}
	require.Equal(f.t, storage.STANDING_WHOLE, f.object(cid).Standing)
	return cid, nodes[len(nodes)-1], f.but(nodes...)
}

// but are all nodes save these.
func (f *fixture) but(nodes ...uint64) []uint64 {
	var others []uint64
	for _, n := range f.people.nodes {
		if !slices.Contains(nodes, n.Number) {
			others = append(others, n.Number)
		}
	}
	return others
}

// usage is what is placed on a node.
func (f *fixture) usage(node uint64) storage.NodeUsage {
	f.t.Helper()
	return f.health().Nodes[node-1].Usage
}

// told are the entries of a kind.
func (f *fixture) told(kind string) []audit.Entry {
	var entries []audit.Entry
	for _, e := range f.log.entries {
		if e.Kind == kind {
			entries = append(entries, e)
		}
	}
	return entries
}

func text(n uint64) string { return strconv.FormatUint(n, 10) }

// A node that is silent is suspect, then lost; what it held is placed elsewhere, and
// forgotten once others hold it.
func TestLostNodeIsReplaced(t *testing.T) {
	f := newFixture(t)
	cid, gone, spare := f.whole()
	rest := f.but(gone)
	f.beat(gone)
	f.run(suspect, rest...)
	require.Equal(t, storage.NODE_STATUS_ALIVE, f.status(gone))
	f.run(1, rest...)
	require.Equal(t, storage.NODE_STATUS_SUSPECT, f.status(gone))
	require.EqualValues(t, 3, f.held(cid), "a suspect copy counts")

	f.run(lost-suspect-2, rest...)
	require.Equal(t, storage.NODE_STATUS_SUSPECT, f.status(gone))
	require.Empty(t, f.told(audit.KindNodeLost))
	f.end(1)
	require.Equal(t, storage.NODE_STATUS_LOST, f.status(gone))
	require.Equal(t, []audit.Entry{{
		Kind: audit.KindNodeLost, Role: audit.RoleChain, Target: text(gone), Outcome: audit.OUTCOME_OK,
	}}, f.told(audit.KindNodeLost))
	require.Equal(t, []audit.Entry{{
		Kind: audit.KindCopyReassigned, Role: audit.RoleChain, Patient: patient, Subjects: subjects, Target: cid, Count: 1, Outcome: audit.OUTCOME_OK,
	}}, f.told(audit.KindCopyReassigned))
	require.Equal(t, changed{cid, 2, 3}, f.hooks.changes[len(f.hooks.changes)-1])
	o := f.object(cid)
	require.Equal(t, storage.STANDING_REPAIRING, o.Standing)
	require.EqualValues(t, 2, o.Held)
	require.Equal(t, storage.Copy{Node: gone, Status: storage.COPY_STATUS_LOST, Since: start + f.now()}, f.copyOf(cid, gone))
	require.Equal(t, storage.Copy{Node: spare[0], Status: storage.COPY_STATUS_ASSIGNED, Since: start + f.now()}, f.copyOf(cid, spare[0]))
	require.Equal(t, []string{cid}, f.assignments(spare[0], 10))
	require.Equal(t, storage.NODE_STATUS_LOST, o.Nodes[slices.Index(f.on(cid), gone)])

	// Nothing is done twice.
	f.run(lost, rest...)
	require.Len(t, f.told(audit.KindNodeLost), 1)
	require.Len(t, f.told(audit.KindCopyReassigned), 1)
	_, nodes := f.place()
	require.NotContains(t, nodes, gone, "a lost node gets nothing")

	require.Equal(t, []string{""}, f.confirm(f.of(spare[0]), cid))
	require.NotContains(t, f.on(cid), gone)
	require.Equal(t, storage.STANDING_WHOLE, f.object(cid).Standing)
	require.Zero(t, f.usage(gone).Objects)
	require.Empty(t, f.assignments(gone, 10))

	// Who comes back late learns that it need not hold it.
	f.beat(gone)
	require.Equal(t, storage.NODE_STATUS_ALIVE, f.status(gone))
	require.Equal(t, []string{storage.ReasonNotAssigned}, f.confirm(f.of(gone), cid))
}

func TestNobodyIsLostWhoBeats(t *testing.T) {
	f := newFixture(t)
	f.whole()
	before := len(f.log.entries)
	f.run(2*day, 1, 2, 3, 4)
	require.Len(t, f.log.entries, before)
	for _, n := range f.health().Nodes {
		require.Equal(t, storage.NODE_STATUS_ALIVE, n.Status)
	}
}

// The whole network was down for a day: nobody is lost for it, and who does not come
// back is lost after as long as ever.
func TestNetworkThatStoodStillLosesNobody(t *testing.T) {
	f := newFixture(t)
	f.whole()
	f.run(2*lost, 1, 2, 3, 4)
	f.end(day)
	f.end(1)
	require.Empty(t, f.told(audit.KindNodeLost))
	for _, n := range f.health().Nodes {
		require.NotEqual(t, storage.NODE_STATUS_LOST, n.Status)
		require.LessOrEqual(t, n.Silent, int64(2*interval))
	}
	// Three come back. The fourth has been silent for as long as the clock went on.
	f.beat(1, 2, 3)
	f.run(lost-2*interval-1, 1, 2, 3)
	require.Empty(t, f.told(audit.KindNodeLost))
	f.run(1, 1, 2, 3)
	f.end(0)
	require.Len(t, f.told(audit.KindNodeLost), 1)
	require.Equal(t, storage.NODE_STATUS_LOST, f.status(4))
}

// A network that was assembled long before its first block loses nobody either, and a
// node that never comes is lost like one that went.
func TestNodesThatNeverCame(t *testing.T) {
	f := newFixture(t)
	f.end(30 * day)
	f.end(1)
	require.Empty(t, f.told(audit.KindNodeLost))
	f.beat(1, 2, 3)
	f.run(lost, 1, 2, 3)
	require.Len(t, f.told(audit.KindNodeLost), 1)
	require.Equal(t, text(4), f.told(audit.KindNodeLost)[0].Target)
}

// A node that comes back before others have taken over reads back what it has, and the
// others are spared.
func TestLostNodeReturnsEarly(t *testing.T) {
	f := newFixture(t)
	cid, gone, spare := f.whole()
	f.run(lost, f.but(gone)...)
	f.end(0)
	require.Equal(t, []string{cid}, f.assignments(spare[0], 10))
	f.beat(gone)
	require.Equal(t, audit.Entry{
		Kind: audit.KindNodeReturned, Actor: f.of(gone), Role: "node", Hospital: gone, Target: text(gone), Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	require.Equal(t, storage.NODE_STATUS_ALIVE, f.status(gone))
	require.Equal(t, []string{cid}, f.assignments(gone, 10))
	f.end(1)
	require.Len(t, f.told(audit.KindCopyReassigned), 1, "nothing more is missing")
	require.Equal(t, []string{""}, f.confirm(f.of(gone), cid))
	require.Equal(t, storage.STANDING_WHOLE, f.object(cid).Standing)
	require.Empty(t, f.assignments(spare[0], 10))
	require.Zero(t, f.usage(spare[0]).Objects)
	f.beat(gone)
	require.Len(t, f.told(audit.KindNodeReturned), 1)
}

// A node that returns before all it held was looked through keeps the rest.
func TestReturnStopsTheSweep(t *testing.T) {
	f := newFixture(t)
	var all []string
	for range 150 {
		cid, _ := f.place()
		all = append(all, cid)
	}
	slices.Sort(all)
	for batch := range slices.Chunk(all, storage.MaxBatch) {
		f.confirm(f.of(1), batch...)
	}
	f.run(lost-1, 2, 3, 4)
	f.end(1)
	require.Len(t, f.assignments(1, 200), storage.MaxRepairsPerBlock-1, "the list of assignments was empty, and took its turn")
	f.beat(1)
	for range 5 {
		f.end(5)
	}
	require.Len(t, f.holdings(1, 200), 150-storage.MaxRepairsPerBlock+1)
}

// A retired node's copies stay until others hold them.
func TestRetiredNodeIsDrained(t *testing.T) {
	f := newFixture(t)
	cid, retired, spare := f.whole()
	f.people.nodes[retired-1].Retired = true
	require.NoError(t, f.keeper.NodesChanged(f.ctx, retired))
	require.Equal(t, storage.NODE_STATUS_DRAINING, f.status(retired))
	f.end(5)
	require.Equal(t, storage.COPY_STATUS_HELD, f.copyOf(cid, retired).Status)
	require.Equal(t, storage.COPY_STATUS_ASSIGNED, f.copyOf(cid, spare[0]).Status)
	require.Equal(t, storage.STANDING_REPAIRING, f.object(cid).Standing)
	require.Equal(t, []string{""}, f.confirm(f.of(spare[0]), cid))
	require.NotContains(t, f.on(cid), retired)
	require.Zero(t, f.usage(retired).Objects)
	require.Empty(t, f.told(audit.KindNodeLost))
	// It beats on, and gets nothing for it. A member's own server does more than store.
	f.beat(retired)
	f.place()
	require.Zero(t, f.usage(retired).Objects)
	require.Equal(t, storage.NODE_STATUS_DRAINING, f.status(retired))
	require.Empty(t, f.shutOut())
}

// shutOut are the nodes that may not connect.
func (f *fixture) shutOut() []uint64 {
	f.t.Helper()
	res, err := f.query.Usage(f.ctx, &storage.QueryUsageRequest{})
	require.NoError(f.t, err)
	return res.ShutOut
}

// retire retires a node.
func (f *fixture) retire(node uint64) {
	f.t.Helper()
	f.people.nodes[node-1].Retired = true
	require.NoError(f.t, f.keeper.NodesChanged(f.ctx, f.people.nodes[node-1].Member))
}

// A further node that was retired is shut out as soon as there is nothing left for it to
// do: neither a copy is placed on it, nor has it to attest what was erased.
func TestRetiredNodeIsShutOut(t *testing.T) {
	f := newFixture(t)
	node := f.node(2, 2, consortium.ROLE_STORAGE)
	f.beat(node)
	var cids []string
	for len(cids) < 2 {
		if cid, on := f.place(); slices.Contains(on, node) {
			f.confirm(f.of(node), cid)
			cids = append(cids, cid)
		}
	}
	require.Empty(t, f.shutOut())
	f.retire(node)
	require.Equal(t, storage.NODE_STATUS_DRAINING, f.status(node))
	require.Empty(t, f.shutOut(), "it holds copies")

	// The last copies go because they are erased: it is asked to delete them first.
	_, err := f.keeper.Erase(f.ctx, cids[:1], cids[1:])
	require.NoError(t, err)
	for range 20 { // whatever else it was to hold moves on
		f.end(5)
		for _, n := range f.people.nodes {
			for _, cid := range f.assignments(n.Number, 100) {
				f.confirm(f.of(n.Number), cid)
			}
		}
	}
	require.Zero(t, f.usage(node).Objects)
	require.Empty(t, f.shutOut(), "it has to attest")
	require.Equal(t, []string{""}, f.attest(f.of(node), 0, 1))
	require.Empty(t, f.shutOut(), "it has to attest")
	require.Equal(t, []string{"", ""}, f.attest(f.of(node), 0, 1, 2))
	require.Equal(t, []uint64{node}, f.shutOut())
	require.Equal(t, storage.NODE_STATUS_RETIRED, f.status(node))

	// It is not missed, and not asked again.
	f.run(2*lost, f.but(node)...)
	require.Empty(t, f.told(audit.KindNodeLost))
	cid, _ := f.place()
	_, err = f.keeper.Erase(f.ctx, []string{cid})
	require.NoError(t, err)
	list, err := f.keeper.NodeErasures(f.ctx, 3)
	require.NoError(t, err)
	require.Len(t, list, 4)
	require.Equal(t, []uint64{node}, f.shutOut())
}

// A retired node that is lost will attest nothing, and is not waited for. One that was
// never heard of has nothing.
func TestRetiredNodeThatIsLostIsShutOut(t *testing.T) {
	f := newFixture(t)
	node, never := f.node(2, 2, consortium.ROLE_STORAGE), uint64(6)
	f.beat(node)
	f.people.nodes = append(f.people.nodes, consortium.StorageNode{
		Number: never, Member: 1, Site: 2, Account: f.account(consortium.ROLE_STORAGE, 1), Capacity: tib, Retired: true,
	})
	require.NoError(t, f.keeper.NodesChanged(f.ctx, 1))
	require.Equal(t, []uint64{never}, f.shutOut())
	cid, _ := f.place()
	_, err := f.keeper.Erase(f.ctx, []string{cid})
	require.NoError(t, err)
	f.retire(node)
	require.Equal(t, []uint64{never}, f.shutOut())
	f.run(2*lost, f.but(node, never)...)
	require.Len(t, f.told(audit.KindNodeLost), 1)
	require.Equal(t, []uint64{node, never}, f.shutOut())
	list, err := f.keeper.NodeErasures(f.ctx, 1)
	require.NoError(t, err)
	require.True(t, list[4].Left)
	// It comes back after all, and is let in to attest.
	f.beat(node)
	require.Equal(t, []uint64{never}, f.shutOut())
	require.Equal(t, []string{""}, f.attest(f.of(node), 0, 1))
	require.Equal(t, []uint64{node, never}, f.shutOut())
}

// A suspended member may not write: its nodes are drained and not missed. When it is
// reinstated they count again.
func TestSuspendedMember(t *testing.T) {
	f := newFixture(t)
	cid, node, spare := f.whole()
	f.people.suspended[node] = true
	require.NoError(t, f.keeper.NodesChanged(f.ctx, node))
	f.run(2*lost, f.but(node)...)
	require.Empty(t, f.told(audit.KindNodeLost))
	require.Equal(t, storage.COPY_STATUS_HELD, f.copyOf(cid, node).Status)
	require.Equal(t, []string{cid}, f.assignments(spare[0], 10))

	f.people.suspended[node] = false
	require.NoError(t, f.keeper.NodesChanged(f.ctx, node))
	require.Equal(t, storage.NODE_STATUS_ALIVE, f.status(node))
	f.end(5)
	require.Equal(t, storage.STANDING_WHOLE, f.object(cid).Standing)
	require.Empty(t, f.assignments(spare[0], 10), "what was to replace it is not needed")
	f.run(lost, f.but(node)...)
	require.Len(t, f.told(audit.KindNodeLost), 1, "it is missed again")
}

func TestLeavingMember(t *testing.T) {
	f := newFixture(t)
	cid, node, spare := f.whole()
	copies, err := f.keeper.Leaving(f.ctx, node)
	require.NoError(t, err)
	require.EqualValues(t, 1, copies)
	f.people.leaving = map[uint64]bool{node: true}
	require.NoError(t, f.keeper.NodesChanged(f.ctx, node))
	f.end(5)
	ready, err := f.keeper.ReadyToLeave(f.ctx, node)
	require.NoError(t, err)
	require.False(t, ready)
	require.Equal(t, []string{""}, f.confirm(f.of(spare[0]), cid))
	ready, err = f.keeper.ReadyToLeave(f.ctx, node)
	require.NoError(t, err)
	require.True(t, ready)
}

// A node that has to attest an erasure does so before its member leaves.
func TestLeavingMemberAttestsFirst(t *testing.T) {
	f := newFixture(t)
	cid, node, _ := f.whole()
	numbers, err := f.keeper.Erase(f.ctx, []string{cid})
	require.NoError(t, err)
	_, err = f.keeper.Leaving(f.ctx, node)
	require.NoError(t, err)
	ready, err := f.keeper.ReadyToLeave(f.ctx, node)
	require.NoError(t, err)
	require.False(t, ready)
	_, err = f.msg.AttestErasures(f.ctx, &storage.MsgAttestErasures{Node: f.of(node), Numbers: numbers})
	require.NoError(t, err)
	ready, err = f.keeper.ReadyToLeave(f.ctx, node)
	require.NoError(t, err)
	require.True(t, ready)
}

// What a member that was removed held is lost, and placed elsewhere.
func TestRemovedMember(t *testing.T) {
	f := newFixture(t)
	cid, node, spare := f.whole()
	f.people.suspended = map[uint64]bool{node: true}
	f.people.left = map[uint64]bool{node: true}
	require.NoError(t, f.keeper.NodesChanged(f.ctx, node))
	require.NoError(t, f.keeper.Left(f.ctx, node))
	require.Equal(t, storage.NODE_STATUS_LOST, f.health().Nodes[node-1].Status)
	require.Len(t, f.told(audit.KindNodeLost), 1)
	f.end(5)
	require.Contains(t, f.on(cid), spare[0])
	require.Equal(t, storage.STANDING_REPAIRING, f.object(cid).Standing)
	require.Equal(t, []string{""}, f.confirm(f.of(spare[0]), cid))
	require.NotContains(t, f.on(cid), node)
	require.Equal(t, storage.STANDING_WHOLE, f.object(cid).Standing)
	require.Equal(t, storage.NODE_STATUS_RETIRED, f.health().Nodes[node-1].Status)
	require.NoError(t, f.keeper.Left(f.ctx, node), "it had nothing any more")
	require.Len(t, f.told(audit.KindNodeLost), 1)
}

// What found too few domains is topped up when a new node beats for the first time, and
// not before.
func TestNewNodeTakesWhatIsMissing(t *testing.T) {
	f := newFixture(t)
	f.people.nodes = f.people.nodes[:2]
	cid, nodes := f.place()
	require.Len(t, nodes, 2)
	f.confirm(f.of(1), cid)
	f.confirm(f.of(2), cid)
	require.Equal(t, storage.STANDING_REPAIRING, f.object(cid).Standing)

	f.people.nodes = append(f.people.nodes, consortium.StorageNode{
		Number: 3, Member: 7, Site: 1, Account: f.account(consortium.ROLE_NODE, 7), Capacity: tib,
	})
	f.people.nodes[2].Number = 5
	five := f.people.nodes[2]
	require.NoError(t, f.keeper.Admitted(f.ctx, 7))
	f.end(5)
	require.Len(t, f.on(cid), 2)
	require.Equal(t, storage.NODE_STATUS_NEW, f.health().Nodes[2].Status)
	_, err := f.msg.Heartbeat(f.ctx, &storage.MsgHeartbeat{Node: five.Account, Free: tib})
	require.NoError(t, err)
	f.end(5)
	require.Equal(t, []uint64{1, 2, 5}, f.on(cid))
	require.Equal(t, []string{""}, f.confirm(five.Account, cid))
	require.Equal(t, storage.STANDING_WHOLE, f.object(cid).Standing)
	require.Empty(t, f.told(audit.KindNodeReturned), "a first heartbeat is no return")
}

// What every domain is to hold follows the nodes that come and go.
func TestEverywhereFollowsTheNodes(t *testing.T) {
	f := newFixture(t)
	params := storage.DefaultParams()
	params.Copies[0].Target = 0
	_, err := f.msg.UpdateParams(f.ctx, &storage.MsgUpdateParams{Authority: authority, Params: params})
	require.NoError(t, err)
	cid, nodes := f.place()
	require.Len(t, nodes, 4)
	for _, node := range nodes {
		f.confirm(f.of(node), cid)
	}
	require.Equal(t, storage.STANDING_WHOLE, f.object(cid).Standing)
	fifth := f.node(5, 1, consortium.ROLE_NODE)
	f.end(5)
	require.Contains(t, f.on(cid), fifth)
	require.EqualValues(t, 5, f.object(cid).Object.Target)
	f.confirm(f.of(fifth), cid)
	require.Equal(t, storage.STANDING_WHOLE, f.object(cid).Standing)

	f.run(lost, f.but(2)...)
	f.end(5)
	o := f.object(cid)
	require.EqualValues(t, 4, o.Object.Target)
	require.Equal(t, storage.STANDING_WHOLE, o.Standing)
	require.NotContains(t, f.on(cid), uint64(2))
	f.beat(2)
	f.end(5)
	require.Equal(t, []string{cid}, f.assignments(2, 10))
	require.EqualValues(t, 5, f.object(cid).Object.Target)
}

// A thousand objects of a lost node take their blocks, none of which does more than it
// may, and a block with nothing to do writes nothing.
func TestWorkOfABlockIsBounded(t *testing.T) {
	f := newFixture(t)
	const objects = 1000
	for i := range objects {
		cid, nodes := f.place()
		for _, node := range nodes {
			f.confirm(f.of(node), cid)
		}
		if i%20 == 0 {
			f.commit()
		}
	}
	held := int(f.usage(2).Objects)
	require.Greater(t, held, objects/2)
	f.run(lost-1, 1, 3, 4)
	require.Zero(t, f.usage(2).PendingObjects)
	f.end(1)
	blocks, last := 1, 0
	for f.health().Sweeping > 0 {
		done := int(f.usage(2).PendingObjects)
		require.LessOrEqual(t, done-last, storage.MaxRepairsPerBlock)
		last = done
		f.commit()
		f.end(5)
		blocks++
	}
	require.Equal(t, held, int(f.usage(2).PendingObjects))
	require.Len(t, f.told(audit.KindCopyReassigned), held)
	require.Equal(t, (held+1)/storage.MaxRepairsPerBlock+1, blocks)
	h := f.health()
	require.EqualValues(t, objects, h.Objects)
	require.EqualValues(t, held, h.Repairing)

	before := f.commit()
	entries := len(f.log.entries)
	for range 20 {
		f.end(5)
		require.Equal(t, before, f.commit())
	}
	require.Len(t, f.log.entries, entries)
}

// Several nodes may be lost at once, some each block.
func TestLossesOfABlockAreBounded(t *testing.T) {
	f := newFixture(t)
	for range 2 * storage.MaxLossesPerBlock {
		f.node(5, 1, consortium.ROLE_STORAGE)
	}
	f.run(lost-1, 1, 2, 3, 4)
	f.end(1)
	require.Len(t, f.told(audit.KindNodeLost), storage.MaxLossesPerBlock)
	f.end(0)
	require.Len(t, f.told(audit.KindNodeLost), 2*storage.MaxLossesPerBlock)
	f.end(0)
	require.Len(t, f.told(audit.KindNodeLost), 2*storage.MaxLossesPerBlock)
}

// A chain that was exported in the middle of a repair goes on where it was.
func TestGenesisInTheMiddleOfARepair(t *testing.T) {
	f := newFixture(t)
	for range 180 {
		cid, nodes := f.place()
		for _, node := range nodes {
			f.confirm(f.of(node), cid)
		}
	}
	held := int(f.usage(2).Objects)
	f.run(lost-1, 1, 3, 4)
	f.end(1)
	require.Positive(t, f.health().Sweeping)
	before := f.health()
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	at := f.ctx.BlockTime()

	f.restart(exported)
	f.ctx = f.ctx.WithBlockTime(at)
	again, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Equal(t, exported, again)
	require.Equal(t, before, f.health())
	for range 4 {
		f.end(5)
	}
	require.Zero(t, f.health().Sweeping)
	require.Equal(t, held, int(f.usage(2).PendingObjects))
	f.run(lost, 1, 4)
	require.Equal(t, storage.NODE_STATUS_LOST, f.status(3), "who falls silent is still missed")
}

func TestHealth(t *testing.T) {
	f := newFixture(t)
	cid, _, _ := f.whole()
	fresh, nodes := f.place()
	f.confirm(f.of(nodes[0]), fresh)
	h := f.health()
	require.EqualValues(t, 2, h.Objects)
	require.EqualValues(t, 6, h.Copies)
	require.EqualValues(t, 4, h.Held)
	require.EqualValues(t, 1, h.Placing)
	require.Zero(t, h.Repairing+h.Endangered+h.Unrecoverable)
	require.Len(t, h.Nodes, 4)
	require.Equal(t, storage.NodeHealth{
		Node: 1, Member: 1, Site: 1, Status: storage.NODE_STATUS_ALIVE, Since: start, BeatAt: start, Capacity: tib, Free: tib,
		Usage: f.usage(1),
	}, h.Nodes[0])

	// One after another they report that it is gone.
	for i, node := range f.on(cid) {
		f.lose(f.of(node), cid)
		h := f.health()
		require.EqualValues(t, [3]uint64{1, 0, 0}[i], h.Repairing)
		require.EqualValues(t, [3]uint64{0, 1, 0}[i], h.Endangered)
		require.EqualValues(t, [3]uint64{0, 0, 1}[i], h.Unrecoverable)
	}
	require.Equal(t, storage.STANDING_UNRECOVERABLE, f.object(cid).Standing)
	f.confirm(f.of(f.on(cid)[0]), cid)
	require.EqualValues(t, 1, f.health().Endangered)
}

func TestHeartbeatErrors(t *testing.T) {
	f := newFixture(t)
	suspended := f.of(2)
	p := f.people.principals[suspended]
	p.Active = false
	f.people.principals[suspended] = p
	before, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	f.ctx = f.ctx.WithBlockTime(time.Unix(start+60, 0))
	for _, tc := range []struct {
		name, signer string
		err          error
	}{
		{"a stranger", "phrd1nobody", consortium.ErrUnknownAccount},
		{"a clerk", f.account(consortium.ROLE_CLERK, 1), storage.ErrUnauthorized},
		{"a suspended member's node", suspended, storage.ErrUnauthorized},
		{"a node account without a node", f.account(consortium.ROLE_NODE, 7), consortium.ErrUnknownNode},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := f.msg.Heartbeat(f.ctx, &storage.MsgHeartbeat{Node: tc.signer, Free: 1})
			require.ErrorIs(t, err, tc.err)
			after, err := f.keeper.ExportGenesis(f.ctx)
			require.NoError(t, err)
			require.Equal(t, before, after)
		})
	}
	f.beat(1)
	require.Equal(t, int64(start+60), f.health().Nodes[0].BeatAt)
	require.Empty(t, f.log.entries, "a heartbeat is no entry")
}

func TestGenesisWithAPulseOfAnUnknownNode(t *testing.T) {
	f := newFixture(t)
	g := storage.DefaultGenesis()
	g.Pulses = []storage.Pulse{{Node: 9}}
	f.open()
	require.ErrorIs(t, f.keeper.InitGenesis(f.ctx, g), consortium.ErrUnknownNode)
	g.Pulses[0].Node = 4
	f.open()
	require.NoError(t, f.keeper.InitGenesis(f.ctx, g))
}
