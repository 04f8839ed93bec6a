package keeper_test

import (
	"context"
	"encoding/hex"
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
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/custody/keeper"
)

const (
	// start is the block time of the first block.
	start = 1_800_000_000
	// members hold a share each, and threshold of them open.
	members, threshold = 5, 4
)

var (
	network   = lock.Network{7}
	authority = sdk.AccAddress(make([]byte, 20)).String()
	patient   = lock.ID{1}.String()
	subjects  = []audit.Subject{{Record: lock.ID{2}.String(), Version: 3}}
)

// fixture is the module on a memory store with a dealt key, the node accounts of
// its holders, and neighbours that remember what they were asked.
type fixture struct {
	t      *testing.T
	ctx    sdk.Context
	keeper *keeper.Keeper
	msg    custody.MsgServer
	query  custody.QueryServer
	log    *fakeAudit
	people *fakeConsortium
	hooks  *fakeHooks
	random *rand.ChaCha8
	store  *storetypes.KVStoreKey

	// kind is of the key in whose rounds hospitals take part
	kind  custody.KeyKind
	dealt *lock.Dealt
	// nodes are the node accounts by member's number
	nodes map[uint64]string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{
		t: t, kind: custody.KEY_KIND_RECORDS, log: &fakeAudit{}, random: rand.NewChaCha8([32]byte{1}), hooks: &fakeHooks{}, nodes: map[uint64]string{},
		people: &fakeConsortium{principals: map[string]consortium.Principal{}, members: map[uint64]consortium.MemberStatus{}},
	}
	indexes := make([]uint64, members)
	for i := range indexes {
		indexes[i] = uint64(i) + 1
		f.people.members[indexes[i]] = consortium.MEMBER_STATUS_ACTIVE
		f.nodes[indexes[i]] = f.account(consortium.ROLE_NODE, indexes[i])
	}
	var err error
	f.dealt, err = lock.Deal(threshold, indexes, f.random)
	require.NoError(t, err)
	f.restart(f.genesis(custody.KEY_KIND_RECORDS))
	return f
}

// genesis has one dealt key.
func (f *fixture) genesis(kind custody.KeyKind) *custody.GenesisState {
	g := custody.DefaultGenesis()
	g.Keys = []custody.Key{{
		Kind: kind, Generation: 1, PublicKey: f.dealt.X.Bytes(), Origin: custody.ORIGIN_DEALT, Threshold: threshold, ShareEpoch: 1, Since: start,
	}}
	for _, h := range f.dealt.Holders {
		g.Holders = append(g.Holders, custody.Holder{
			Kind: kind, Generation: 1, ShareEpoch: 1, Index: h.Index, PublicShare: h.X.Bytes(), Confirmed: true,
		})
	}
	return g
}

// restart begins a new chain with this state and the same members.
func (f *fixture) restart(g *custody.GenesisState) {
	f.t.Helper()
	require.NoError(f.t, g.Validate())
	f.open()
	require.NoError(f.t, f.keeper.InitGenesis(f.ctx, g))
}

// open makes a keeper on an empty store.
func (f *fixture) open() {
	f.t.Helper()
	store := storetypes.NewKVStoreKey(custody.StoreKey)
	f.store = store
	f.ctx = testutil.DefaultContextWithKeys(map[string]*storetypes.KVStoreKey{custody.StoreKey: store}, nil, nil).
		WithBlockTime(time.Unix(start, 0)).WithBlockHeight(10)
	registry := codectypes.NewInterfaceRegistry()
	custody.RegisterInterfaces(registry)
	var err error
	f.keeper, err = keeper.New(codec.NewProtoCodec(registry), runtime.NewKVStoreService(store), f.log, f.people)
	require.NoError(f.t, err)
	f.keeper.SetReleaseHooks(f.hooks)
	f.msg, f.query = keeper.NewMsgServer(f.keeper), keeper.NewQueryServer(f.keeper)
}

// account makes an active account.
func (f *fixture) account(role consortium.Role, member uint64) string {
	address := sdk.AccAddress(f.bytes(20)).String()
	f.people.principals[address] = consortium.Principal{Address: address, Role: role, Hospital: member, Active: true}
	return address
}

// bytes are fresh and the same at each run.
func (f *fixture) bytes(n int) []byte {
	b := make([]byte, n)
	_, err := f.random.Read(b)
	require.NoError(f.t, err)
	return b
}

// nextBlock ends the block, and begins one five seconds later.
func (f *fixture) nextBlock() {
	f.t.Helper()
	require.NoError(f.t, f.keeper.EndBlock(f.ctx))
	f.ctx = f.ctx.WithBlockHeight(f.ctx.BlockHeight() + 1).WithBlockTime(f.ctx.BlockTime().Add(5 * time.Second))
}

// requested asks for a release of so many points.
func (f *fixture) requested(points int) custody.Release {
	f.t.Helper()
	r := custody.Release{Unlock: hex.EncodeToString(f.bytes(32)), Kind: custody.KEY_KIND_RECORDS, Generation: 1}
	for range points {
		r.Blinded = append(r.Blinded, lock.HashToGroup(f.bytes(32)).Bytes())
	}
	require.NoError(f.t, f.keeper.RequestRelease(f.ctx, r))
	return r
}

// pending asks for a release and begins the block in which its shares count.
func (f *fixture) pending(points int) custody.Release {
	f.t.Helper()
	r := f.requested(points)
	f.nextBlock()
	return r
}

// share is what a holder answers.
func (f *fixture) share(index uint64, r custody.Release) custody.Share {
	f.t.Helper()
	return f.shareOf(1, index, r)
}

// shareOf is share with another epoch in its label.
func (f *fixture) shareOf(epoch, index uint64, r custody.Release) custody.Share {
	f.t.Helper()
	gen, err := lock.Generation{Network: network, Kind: lock.KeyRecords, Number: 1, X: f.dealt.X}.Hash()
	require.NoError(f.t, err)
	id, err := custody.ParseUnlockID(r.Unlock)
	require.NoError(f.t, err)
	request := lock.Release{Network: network, Unlock: id, Generation: gen}
	for _, m := range r.Blinded {
		point, err := lock.ParsePoint(m)
		require.NoError(f.t, err)
		request.M = append(request.M, point)
	}
	made, err := request.NewShare(epoch, index, f.dealt.Shares[index-1].Value, f.random)
	require.NoError(f.t, err)
	s := custody.Share{Unlock: r.Unlock, ShareEpoch: epoch, Index: index, Proof: made.Proof}
	for _, d := range made.D {
		s.Points = append(s.Points, d.Bytes())
	}
	return s
}

// send gives shares and answers the reasons of refusals, in their order.
func (f *fixture) send(node string, shares ...custody.Share) []string {
	f.t.Helper()
	res, err := f.msg.SubmitShares(f.ctx, &custody.MsgSubmitShares{Node: node, Shares: shares})
	require.NoError(f.t, err)
	reasons := make([]string, len(res.Results))
	for i, r := range res.Results {
		require.Equal(f.t, shares[i].Unlock, r.Unlock)
		want := audit.OUTCOME_OK
		if r.Reason != "" {
			want = audit.OUTCOME_REFUSED
		}
		require.Equal(f.t, want, r.Outcome)
		reasons[i] = r.Reason
	}
	require.Len(f.t, reasons, len(shares))
	return reasons
}

// give sends a holder's share, which is to be accepted.
func (f *fixture) give(index uint64, r custody.Release) {
	f.t.Helper()
	require.Equal(f.t, []string{""}, f.send(f.nodes[index], f.share(index, r)))
}

func (f *fixture) release(unlock string) custody.Release {
	f.t.Helper()
	res, err := f.query.Release(f.ctx, &custody.QueryReleaseRequest{Unlock: unlock})
	require.NoError(f.t, err)
	return res.Release
}

// given are the indexes of the shares that are kept.
func (f *fixture) given(unlock string) []uint64 {
	f.t.Helper()
	res, err := f.query.Shares(f.ctx, &custody.QuerySharesRequest{Unlock: unlock})
	require.NoError(f.t, err)
	var indexes []uint64
	for _, s := range res.Shares {
		indexes = append(indexes, s.Index)
	}
	return indexes
}

// work lists the unlocks that a holder is to answer, in pages of so many.
func (f *fixture) work(index uint64, limit uint32) []string {
	f.t.Helper()
	var unlocks []string
	req := &custody.QueryReleasesRequest{Index: index, Limit: limit}
	for {
		res, err := f.query.Releases(f.ctx, req)
		require.NoError(f.t, err)
		require.LessOrEqual(f.t, len(res.Releases), int(limit))
		for _, r := range res.Releases {
			unlocks = append(unlocks, r.Unlock)
		}
		if res.Next == "" {
			return unlocks
		}
		req.After = res.Next
	}
}

// badShares counts what stands against a holder.
func (f *fixture) badShares(index uint64) uint64 {
	f.t.Helper()
	res, err := f.query.Holders(f.ctx, &custody.QueryHoldersRequest{Kind: custody.KEY_KIND_RECORDS})
	require.NoError(f.t, err)
	return res.Holders[index-1].BadShares
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
	members    map[uint64]consortium.MemberStatus
}

func (c *fakeConsortium) Actor(_ context.Context, address string) (consortium.Principal, audit.Entry, error) {
	p, known := c.principals[address]
	if !known {
		return p, audit.Entry{}, consortium.ErrUnknownAccount.Wrap(address)
	}
	return p, audit.Entry{Actor: address, Role: p.Role.Text(), Hospital: p.Hospital}, nil
}

func (c *fakeConsortium) Member(_ context.Context, number uint64) (consortium.Member, error) {
	status, known := c.members[number]
	if !known {
		return consortium.Member{}, consortium.ErrUnknownMember.Wrapf("%d", number)
	}
	return consortium.Member{Number: number, Status: status}, nil
}

func (c *fakeConsortium) NetworkID(context.Context) (lock.Network, error) { return network, nil }

func (c *fakeConsortium) Authority() string { return authority }

// told is what a hook was called with.
type told struct {
	unlock string
	holder uint64
	reason string
}

// fakeHooks remember what they were told.
type fakeHooks struct {
	released      []string
	refused, late []told
}

func (h *fakeHooks) Released(_ context.Context, unlock string) error {
	h.released = append(h.released, unlock)
	return nil
}

func (h *fakeHooks) ShareRefused(_ context.Context, unlock string, holder uint64, reason string) error {
	h.refused = append(h.refused, told{unlock, holder, reason})
	return nil
}

func (h *fakeHooks) LateShare(_ context.Context, unlock string, holder uint64) error {
	h.late = append(h.late, told{unlock: unlock, holder: holder})
	return nil
}

func (h *fakeHooks) Subject(context.Context, string) (string, []audit.Subject, error) {
	return patient, subjects, nil
}
