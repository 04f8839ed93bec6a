package keeper_test

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/runtime"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	"github.com/cosmos/cosmos-sdk/testutil"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/audit/keeper"
)

// start is the block time of the first block.
const start = 1_800_000_000

var (
	clerk = sdk.AccAddress(slices.Repeat([]byte{1}, 20)).String()
	alice = lock.ID{1}.String()
	bob   = lock.ID{2}.String()
)

// fixture is the module on a memory store.
type fixture struct {
	t      *testing.T
	ctx    sdk.Context
	store  *storetypes.KVStoreKey
	keeper *keeper.Keeper
	query  audit.QueryServer
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, store: storetypes.NewKVStoreKey(audit.StoreKey)}
	f.ctx = testutil.DefaultContextWithKeys(map[string]*storetypes.KVStoreKey{audit.StoreKey: f.store}, nil, nil).
		WithBlockTime(time.Unix(start, 0)).WithBlockHeight(10)
	var err error
	f.keeper, err = keeper.New(codec.NewProtoCodec(codectypes.NewInterfaceRegistry()), runtime.NewKVStoreService(f.store))
	require.NoError(t, err)
	f.query = keeper.NewQueryServer(f.keeper)
	return f
}

// nextBlock is seconds later.
func (f *fixture) nextBlock(seconds int) {
	f.ctx = f.ctx.WithBlockHeight(f.ctx.BlockHeight() + 1).
		WithBlockTime(f.ctx.BlockTime().Add(time.Duration(seconds) * time.Second)).
		WithEventManager(sdk.NewEventManager())
}

func (f *fixture) append(entries ...audit.Entry) {
	f.t.Helper()
	for _, e := range entries {
		_, err := f.keeper.Append(f.ctx, e)
		require.NoError(f.t, err)
	}
}

// state is everything that the module keeps.
func (f *fixture) state() map[string][]byte {
	state := map[string][]byte{}
	it := f.ctx.KVStore(f.store).Iterator(nil, nil)
	defer it.Close()
	for ; it.Valid(); it.Next() {
		state[string(it.Key())] = it.Value()
	}
	return state
}

func (f *fixture) head() *audit.QueryHeadResponse {
	f.t.Helper()
	head, err := f.query.Head(f.ctx, &audit.QueryHeadRequest{})
	require.NoError(f.t, err)
	return head
}

func stored(patient string) audit.Entry {
	return audit.Entry{Kind: audit.KindStored, Actor: clerk, Role: "clerk", Hospital: 1, Patient: patient, Outcome: audit.OUTCOME_OK}
}

func TestAppend(t *testing.T) {
	f := newFixture(t)
	sequence, err := f.keeper.Append(f.ctx, stored(alice))
	require.NoError(t, err)
	require.EqualValues(t, 1, sequence)
	f.nextBlock(7)
	expired := audit.Entry{Kind: audit.KindExpired, Role: audit.RoleChain, Outcome: audit.OUTCOME_OK}
	sequence, err = f.keeper.Append(f.ctx, expired)
	require.NoError(t, err)
	require.EqualValues(t, 2, sequence)

	first := stored(alice)
	first.Sequence, first.Height, first.Time = 1, 10, start
	got, err := f.query.Entry(f.ctx, &audit.QueryEntryRequest{Sequence: 1})
	require.NoError(t, err)
	require.Equal(t, first, got.Entry)
	expired.Sequence, expired.Height, expired.Time = 2, 11, start+7
	got, err = f.query.Entry(f.ctx, &audit.QueryEntryRequest{Sequence: 2})
	require.NoError(t, err)
	require.Equal(t, expired, got.Entry)

	event, err := sdk.ParseTypedEvent(f.ctx.EventManager().ABCIEvents()[0])
	require.NoError(t, err)
	require.Equal(t, &audit.EventEntryAppended{Sequence: 2, Kind: audit.KindExpired}, event)
	require.Len(t, f.ctx.EventManager().ABCIEvents(), 1)

	var want audit.Frontier
	for _, e := range []audit.Entry{first, expired} {
		leaf, err := e.LeafHash()
		require.NoError(t, err)
		want.Append(leaf)
	}
	root := want.Root()
	require.Equal(t, &audit.QueryHeadResponse{Size_: 2, Root: root[:]}, f.head())
}

// Entries that are appended together are the same as one by one.
func TestAppendAll(t *testing.T) {
	f, twin := newFixture(t), newFixture(t)
	list := []audit.Entry{stored(alice), {Kind: audit.KindExpired, Role: audit.RoleChain, Outcome: audit.OUTCOME_OK}, stored(alice)}
	last, err := f.keeper.AppendAll(f.ctx, list)
	require.NoError(t, err)
	require.EqualValues(t, len(list), last)
	for _, e := range list {
		_, err := twin.keeper.Append(twin.ctx, e)
		require.NoError(t, err)
	}
	require.Equal(t, twin.head(), f.head())
	require.Equal(t, twin.ctx.EventManager().ABCIEvents(), f.ctx.EventManager().ABCIEvents())
	one, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	other, err := twin.keeper.ExportGenesis(twin.ctx)
	require.NoError(t, err)
	require.Equal(t, other, one)

	bad := stored(alice)
	bad.Sequence = 1
	_, err = f.keeper.AppendAll(f.ctx, []audit.Entry{stored(alice), bad})
	require.ErrorIs(t, err, audit.ErrInvalidEntry)
	require.Equal(t, twin.head(), f.head(), "nothing of a list with a fault is written")
}

func TestAppendRefusesBugs(t *testing.T) {
	f := newFixture(t)
	f.append(stored(alice))
	before := f.state()
	for _, c := range []struct {
		name  string
		spoil func(e *audit.Entry)
	}{
		{"sequence is given", func(e *audit.Entry) { e.Sequence = 2 }},
		{"height is given", func(e *audit.Entry) { e.Height = 10 }},
		{"time is given", func(e *audit.Entry) { e.Time = start }},
		{"invalid entry", func(e *audit.Entry) { e.Kind = "store" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := stored(alice)
			c.spoil(&e)
			_, err := f.keeper.Append(f.ctx, e)
			require.ErrorIs(t, err, audit.ErrInvalidEntry)
			require.Equal(t, before, f.state())
		})
	}
	f.append(stored(alice))
	require.EqualValues(t, 2, f.head().Size_)
}

func TestSubjectHeads(t *testing.T) {
	f := newFixture(t)
	f.append(stored(alice), stored(bob), stored(""), stored(alice))
	want := map[string]*audit.SubjectHead{alice: {}, bob: {}}
	entries, err := f.keeper.Entries(f.ctx, 1, 10)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Patient == "" {
			continue
		}
		leaf, err := e.LeafHash()
		require.NoError(t, err)
		want[e.Patient].Append(e.Sequence, leaf)
	}
	require.EqualValues(t, 2, want[alice].Count)
	for _, patient := range []string{alice, bob} {
		got, err := f.query.SubjectHead(f.ctx, &audit.QuerySubjectHeadRequest{Patient: patient})
		require.NoError(t, err)
		require.Equal(t, *want[patient], got.Head)
	}
}

func TestEntriesInOrder(t *testing.T) {
	f := newFixture(t)
	sequences := func(from uint64, limit int) []uint64 {
		list, err := f.keeper.Entries(f.ctx, from, limit)
		require.NoError(t, err)
		var got []uint64
		for _, e := range list {
			got = append(got, e.Sequence)
		}
		return got
	}
	require.Empty(t, sequences(1, 10))
	for range 5 {
		f.append(stored(alice))
	}
	require.Equal(t, []uint64{1, 2, 3, 4, 5}, sequences(1, 10))
	require.Equal(t, []uint64{3, 4}, sequences(3, 2))
	require.Equal(t, []uint64{5}, sequences(5, 2))
	require.Empty(t, sequences(6, 2))
	require.Empty(t, sequences(1, 0))
}

func TestGenesisRoundTrip(t *testing.T) {
	f := newFixture(t)
	for i := range 21 {
		f.append([]audit.Entry{stored(alice), stored(bob), stored("")}[i%3])
		f.nextBlock(5)
	}
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, exported.Validate())
	require.Len(t, exported.Entries, 21)

	g := newFixture(t)
	g.ctx = g.ctx.WithBlockTime(f.ctx.BlockTime()).WithBlockHeight(0)
	require.NoError(t, g.keeper.InitGenesis(g.ctx, exported))
	require.Equal(t, f.state(), g.state())
	require.Equal(t, f.head(), g.head())
	again, err := g.keeper.ExportGenesis(g.ctx)
	require.NoError(t, err)
	require.Equal(t, exported, again)

	// Both logs go on alike.
	g.ctx = g.ctx.WithBlockHeight(f.ctx.BlockHeight())
	f.append(stored(alice))
	g.append(stored(alice))
	require.Equal(t, f.state(), g.state())
	require.EqualValues(t, 22, g.head().Size_)
}

func TestGenesisFromTheFuture(t *testing.T) {
	f := newFixture(t)
	f.append(stored(alice))
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	g := newFixture(t)
	g.ctx = g.ctx.WithBlockTime(time.Unix(start-1, 0))
	require.ErrorIs(t, g.keeper.InitGenesis(g.ctx, exported), audit.ErrInvalidGenesis)
	require.Empty(t, g.state())
	g.ctx = g.ctx.WithBlockTime(time.Unix(start, 0))
	require.NoError(t, g.keeper.InitGenesis(g.ctx, exported))
}

func TestEmptyLogHasNoState(t *testing.T) {
	f := newFixture(t)
	require.NoError(t, f.keeper.InitGenesis(f.ctx, audit.DefaultGenesis()))
	require.Empty(t, f.state())
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Equal(t, audit.DefaultGenesis(), exported)
	head := f.head()
	require.Zero(t, head.Size_)
	require.Equal(t, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", hex.EncodeToString(head.Root), "SHA-256 of nothing")
}

func TestQueryErrors(t *testing.T) {
	f := newFixture(t)
	f.append(stored(alice))
	for _, c := range []struct {
		name string
		ask  func() error
		want codes.Code
	}{
		{"entry 0", func() error { _, err := f.query.Entry(f.ctx, &audit.QueryEntryRequest{}); return err }, codes.NotFound},
		{"entry that is not yet", func() error { _, err := f.query.Entry(f.ctx, &audit.QueryEntryRequest{Sequence: 2}); return err }, codes.NotFound},
		{"no request", func() error { _, err := f.query.Entry(f.ctx, nil); return err }, codes.NotFound},
		{"patient without entries", func() error {
			_, err := f.query.SubjectHead(f.ctx, &audit.QuerySubjectHeadRequest{Patient: bob})
			return err
		}, codes.NotFound},
		{"patient of no number", func() error {
			_, err := f.query.SubjectHead(f.ctx, &audit.QuerySubjectHeadRequest{Patient: "bob"})
			return err
		}, codes.InvalidArgument},
		{"bad filter", func() error {
			_, err := f.query.Entries(f.ctx, &audit.QueryEntriesRequest{Kind: "store"})
			return err
		}, codes.InvalidArgument},
		{"node without an index", func() error {
			_, err := f.query.Entries(f.ctx, &audit.QueryEntriesRequest{})
			return err
		}, codes.Unavailable},
		{"proof of a node without an index", func() error {
			_, err := f.query.InclusionProof(f.ctx, &audit.QueryInclusionProofRequest{Sequence: 1})
			return err
		}, codes.Unavailable},
		{"consistency at a node without an index", func() error {
			_, err := f.query.ConsistencyProof(f.ctx, &audit.QueryConsistencyProofRequest{First: 1})
			return err
		}, codes.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, status.Code(c.ask())) })
	}
}

// fakeIndex answers what it was told to and remembers what it was asked.
type fakeIndex struct {
	page  []audit.Entry
	next  uint64
	err   error
	asked *audit.QueryEntriesRequest
}

func (i *fakeIndex) Entries(_ context.Context, filter *audit.QueryEntriesRequest) ([]audit.Entry, uint64, error) {
	i.asked = filter
	return i.page, i.next, i.err
}

func (i *fakeIndex) InclusionProof(_ context.Context, sequence, size uint64) ([][]byte, uint64, error) {
	return [][]byte{{byte(sequence)}}, size, i.err
}

func (i *fakeIndex) ConsistencyProof(_ context.Context, first, second uint64) ([][]byte, uint64, error) {
	return [][]byte{{byte(first)}}, second, i.err
}

func (i *fakeIndex) Indexed() uint64 { return 3 }

func TestIndexAnswersSearches(t *testing.T) {
	f := newFixture(t)
	for range 5 {
		f.append(stored(alice))
	}
	state, err := f.query.IndexStatus(f.ctx, &audit.QueryIndexStatusRequest{})
	require.NoError(t, err)
	require.Equal(t, &audit.QueryIndexStatusResponse{Size_: 5}, state)

	index := &fakeIndex{page: []audit.Entry{stored(alice)}, next: 2}
	require.Error(t, f.keeper.SetIndex(nil))
	require.NoError(t, f.keeper.SetIndex(index))
	require.ErrorContains(t, f.keeper.SetIndex(index), "set already")
	state, err = f.query.IndexStatus(f.ctx, &audit.QueryIndexStatusRequest{})
	require.NoError(t, err)
	require.Equal(t, &audit.QueryIndexStatusResponse{Indexed: 3, Size_: 5}, state)

	got, err := f.query.Entries(f.ctx, &audit.QueryEntriesRequest{Patient: alice, Limit: 1000})
	require.NoError(t, err)
	require.Equal(t, &audit.QueryEntriesResponse{Entries: index.page, Next: 2}, got)
	require.Equal(t, &audit.QueryEntriesRequest{Patient: alice, Limit: audit.MaxPageSize}, index.asked)

	included, err := f.query.InclusionProof(f.ctx, &audit.QueryInclusionProofRequest{Sequence: 2, Size_: 3})
	require.NoError(t, err)
	require.Equal(t, &audit.QueryInclusionProofResponse{Size_: 3, Path: [][]byte{{2}}}, included)
	consistent, err := f.query.ConsistencyProof(f.ctx, &audit.QueryConsistencyProofRequest{First: 1, Second: 3})
	require.NoError(t, err)
	require.Equal(t, &audit.QueryConsistencyProofResponse{Second: 3, Path: [][]byte{{1}}}, consistent)

	for _, c := range []struct {
		err  error
		want codes.Code
	}{
		{audit.ErrIndexBuilding.Wrap("3 of 5 entries"), codes.Unavailable},
		{context.Canceled, codes.Canceled},
		{context.DeadlineExceeded, codes.DeadlineExceeded},
		{errors.New("disk"), codes.Internal},
	} {
		index.err = c.err
		_, err := f.query.Entries(f.ctx, &audit.QueryEntriesRequest{})
		require.Equal(t, c.want, status.Code(err))
		require.ErrorContains(t, err, c.err.Error())
	}
}
