package keeper_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/runtime"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	"github.com/cosmos/cosmos-sdk/testutil"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/storage"
	"github.com/phrd/phrd/x/storage/keeper"
)

const (
	// start is the block time of the first block.
	start = 1_800_000_000
	tib   = 1 << 40
)

var (
	authority = sdk.AccAddress(make([]byte, 20)).String()
	patient   = lock.ID{1}.String()
	subjects  = []audit.Subject{{Record: lock.ID{2}.String(), Version: 3}}
)

// fixture is the module on a memory store, with four members that have a node each
// and neighbours that remember what they were asked.
type fixture struct {
	t       *testing.T
	ctx     sdk.Context
	keeper  *keeper.Keeper
	msg     storage.MsgServer
	query   storage.QueryServer
	log     *fakeAudit
	people  *fakeConsortium
	hooks   *fakeHooks
	random  *rand.ChaCha8
	counter uint64
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{
		t: t, log: &fakeAudit{}, hooks: &fakeHooks{}, random: rand.NewChaCha8([32]byte{1}),
		people: &fakeConsortium{principals: map[string]consortium.Principal{}, suspended: map[uint64]bool{}},
	}
	for member := range uint64(4) {
		f.node(member+1, 1, consortium.ROLE_NODE)
	}
	f.restart(storage.DefaultGenesis())
	return f
}

// restart begins a new chain with this state and the same nodes.
func (f *fixture) restart(g *storage.GenesisState) {
	f.t.Helper()
	require.NoError(f.t, g.Validate())
	f.open()
	require.NoError(f.t, f.keeper.InitGenesis(f.ctx, g))
}

// open makes a keeper on an empty store.
func (f *fixture) open() {
	f.t.Helper()
	store := storetypes.NewKVStoreKey(storage.StoreKey)
	f.ctx = testutil.DefaultContextWithKeys(map[string]*storetypes.KVStoreKey{storage.StoreKey: store}, nil, nil).
		WithBlockTime(time.Unix(start, 0)).WithBlockHeight(10)
	registry := codectypes.NewInterfaceRegistry()
	storage.RegisterInterfaces(registry)
	var err error
	f.keeper, err = keeper.New(codec.NewProtoCodec(registry), runtime.NewKVStoreService(store), f.log, f.people)
	require.NoError(f.t, err)
	f.keeper.SetObjectHooks(f.hooks)
	f.msg, f.query = keeper.NewMsgServer(f.keeper), keeper.NewQueryServer(f.keeper)
}

// account makes an active account.
func (f *fixture) account(role consortium.Role, member uint64) string {
	b := make([]byte, 20)
	_, err := f.random.Read(b)
	require.NoError(f.t, err)
	address := sdk.AccAddress(b).String()
	f.people.principals[address] = consortium.Principal{Address: address, Role: role, Hospital: member, Active: true}
	return address
}

// node makes the next storage node and answers its number.
func (f *fixture) node(member, site uint64, role consortium.Role) uint64 {
	number := uint64(len(f.people.nodes)) + 1
	f.people.nodes = append(f.people.nodes, consortium.StorageNode{
		Number: number, Member: member, Site: site, Account: f.account(role, member), Capacity: tib,
	})
	if f.keeper != nil {
		require.NoError(f.t, f.keeper.NodesChanged(f.ctx, member))
		f.beat(number)
	}
	return number
}

// beat has nodes say that they are there, with as much room as they have capacity.
func (f *fixture) beat(nodes ...uint64) {
	f.t.Helper()
	for _, node := range nodes {
		f.beatWith(node, f.people.nodes[node-1].Capacity)
	}
}

// beatWith has a node say that it is there and how much room it has.
func (f *fixture) beatWith(node, free uint64) {
	f.t.Helper()
	_, err := f.msg.Heartbeat(f.ctx, &storage.MsgHeartbeat{Node: f.of(node), Free: free})
	require.NoError(f.t, err)
}

// of is the account of a node.
func (f *fixture) of(node uint64) string { return f.people.nodes[node-1].Account }

// placement is of a new object of 4 KiB that member 1 brings in.
func (f *fixture) placement() storage.Placement {
	f.counter++
	digest := sha256.Sum256(binary.BigEndian.AppendUint64(nil, f.counter))
	return storage.Placement{
		CID: lock.DagCID(digest).String(), Size: 4096, Attached: []string{lock.RawCID(digest).String()}, Class: "imaging", Member: 1,
	}
}

// place places a new object and answers its CID and nodes.
func (f *fixture) place() (cid string, nodes []uint64) {
	f.t.Helper()
	p := f.placement()
	nodes, err := f.keeper.Place(f.ctx, p)
	require.NoError(f.t, err)
	return p.CID, nodes
}

// confirm sends a confirmation and answers the reasons of refusals, in order.
func (f *fixture) confirm(signer string, objects ...string) []string {
	f.t.Helper()
	res, err := f.msg.ConfirmCopies(f.ctx, &storage.MsgConfirmCopies{Node: signer, Objects: objects})
	require.NoError(f.t, err)
	return f.reasons(objects, res.Results)
}

// lose sends a report of loss and answers the reasons of refusals, in order.
func (f *fixture) lose(signer string, objects ...string) []string {
	f.t.Helper()
	res, err := f.msg.ReportLostCopies(f.ctx, &storage.MsgReportLostCopies{Node: signer, Objects: objects})
	require.NoError(f.t, err)
	return f.reasons(objects, res.Results)
}

func (f *fixture) reasons(objects []string, results []storage.CopyResult) []string {
	f.t.Helper()
	require.Len(f.t, results, len(objects))
	reasons := make([]string, len(results))
	for i, r := range results {
		require.Equal(f.t, objects[i], r.Object)
		want := audit.OUTCOME_OK
		if r.Reason != "" {
			want = audit.OUTCOME_REFUSED
		}
		require.Equal(f.t, want, r.Outcome)
		reasons[i] = r.Reason
	}
	return reasons
}

// copyOf is a node's copy of an object.
func (f *fixture) copyOf(cid string, node uint64) storage.Copy {
	f.t.Helper()
	_, copies, err := f.keeper.Object(f.ctx, cid)
	require.NoError(f.t, err)
	for _, c := range copies {
		if c.Node == node {
			return c
		}
	}
	require.FailNow(f.t, "no copy", "object %s, node %d", cid, node)
	return storage.Copy{}
}

// held is how many distinct domains hold the object.
func (f *fixture) held(cid string) uint32 {
	f.t.Helper()
	res, err := f.query.Object(f.ctx, &storage.QueryObjectRequest{Cid: cid})
	require.NoError(f.t, err)
	return res.Held
}

// assignments lists what a node is to fetch, in pages of so many.
func (f *fixture) assignments(node uint64, limit uint32) []string {
	f.t.Helper()
	var cids []string
	req := &storage.QueryAssignmentsRequest{Node: node, Limit: limit}
	for {
		res, err := f.query.Assignments(f.ctx, req)
		require.NoError(f.t, err)
		require.LessOrEqual(f.t, len(res.Objects), int(limit))
		for _, o := range res.Objects {
			require.NotEmpty(f.t, o.Copies)
			cids = append(cids, o.Object.Cid)
		}
		if res.Next == "" {
			return cids
		}
		req.After = res.Next
	}
}

// holdings lists what a node holds, in pages of so many.
func (f *fixture) holdings(node uint64, limit uint32) []string {
	f.t.Helper()
	var cids []string
	req := &storage.QueryHoldingsRequest{Node: node, Limit: limit}
	for {
		res, err := f.query.Holdings(f.ctx, req)
		require.NoError(f.t, err)
		require.LessOrEqual(f.t, len(res.Objects), int(limit))
		for _, o := range res.Objects {
			cids = append(cids, o.Cid)
		}
		if res.Next == "" {
			return cids
		}
		req.After = res.Next
	}
}

// fakeAudit remembers entries, and takes only those that the log takes.
type fakeAudit struct{ entries []audit.Entry }

func (a *fakeAudit) Append(_ context.Context, e audit.Entry) (uint64, error) {
	if err := e.Validate(); err != nil {
		return 0, err
	}
	a.entries = append(a.entries, e)
	return uint64(len(a.entries)), nil
}

// last is the newest entry.
func (a *fakeAudit) last() audit.Entry { return a.entries[len(a.entries)-1] }

// fakeConsortium knows who it was told about.
type fakeConsortium struct {
	principals map[string]consortium.Principal
	nodes      []consortium.StorageNode
	suspended  map[uint64]bool
	leaving    map[uint64]bool
	left       map[uint64]bool
}

func (c *fakeConsortium) Actor(_ context.Context, address string) (consortium.Principal, audit.Entry, error) {
	p, known := c.principals[address]
	if !known {
		return p, audit.Entry{}, consortium.ErrUnknownAccount.Wrap(address)
	}
	return p, audit.Entry{Actor: address, Role: p.Role.Text(), Hospital: p.Hospital}, nil
}

func (c *fakeConsortium) find(is func(consortium.StorageNode) bool) (consortium.StorageNode, error) {
	for _, n := range c.nodes {
		if is(n) {
			return n, nil
		}
	}
	return consortium.StorageNode{}, consortium.ErrUnknownNode
}

func (c *fakeConsortium) StorageNode(_ context.Context, number uint64) (consortium.StorageNode, error) {
	return c.find(func(n consortium.StorageNode) bool { return n.Number == number })
}

func (c *fakeConsortium) StorageNodeByAccount(_ context.Context, address string) (consortium.StorageNode, error) {
	return c.find(func(n consortium.StorageNode) bool { return n.Account == address })
}

func (c *fakeConsortium) MemberNode(_ context.Context, member uint64) (consortium.StorageNode, error) {
	n, err := c.find(func(n consortium.StorageNode) bool { return n.Member == member })
	if err != nil {
		return n, consortium.ErrUnknownMember.Wrapf("%d", member)
	}
	return n, nil
}

func (c *fakeConsortium) StorageNodes(context.Context) ([]consortium.StorageNode, error) {
	return c.nodes, nil
}

func (c *fakeConsortium) NodesOf(_ context.Context, member uint64) ([]consortium.StorageNode, error) {
	var nodes []consortium.StorageNode
	for _, n := range c.nodes {
		if n.Member == member {
			nodes = append(nodes, n)
		}
	}
	return nodes, nil
}

func (c *fakeConsortium) Member(_ context.Context, number uint64) (consortium.Member, error) {
	m := consortium.Member{Number: number, Status: consortium.MEMBER_STATUS_ACTIVE}
	if c.suspended[number] {
		m.Status = consortium.MEMBER_STATUS_SUSPENDED
	}
	if c.leaving[number] {
		m.Status = consortium.MEMBER_STATUS_LEAVING
	}
	if c.left[number] {
		m.Status = consortium.MEMBER_STATUS_LEFT
	}
	return m, nil
}

func (c *fakeConsortium) PlaceableNodes(context.Context) ([]consortium.StorageNode, error) {
	var nodes []consortium.StorageNode
	for _, n := range c.nodes {
		if !n.Retired && !c.suspended[n.Member] && !c.leaving[n.Member] {
			nodes = append(nodes, n)
		}
	}
	return nodes, nil
}

func (c *fakeConsortium) Authority() string { return authority }

// changed is what the hook of copies was called with.
type changed struct {
	cid          string
	held, target uint32
}

// fakeHooks remember what they were told.
type fakeHooks struct{ changes []changed }

func (h *fakeHooks) CopyChanged(_ context.Context, cid string, held, target uint32) error {
	h.changes = append(h.changes, changed{cid, held, target})
	return nil
}

func (h *fakeHooks) Subject(context.Context, string) (string, []audit.Subject, error) {
	return patient, subjects, nil
}
