package keeper_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/custody/keeper"
)

func TestRequestRelease(t *testing.T) {
	f := newFixture(t)
	r := f.requested(3)
	require.Equal(t, custody.Release{
		Unlock: r.Unlock, Kind: custody.KEY_KIND_RECORDS, Generation: 1, Blinded: r.Blinded, Status: custody.RELEASE_STATUS_PENDING,
		RequestedAt: start, RequestedHeight: 10,
	}, f.release(r.Unlock))
	for index := range f.nodes {
		require.Equal(t, []string{r.Unlock}, f.work(index, 10))
	}
	require.ErrorIs(t, f.keeper.RequestRelease(f.ctx, r), custody.ErrKnownRelease)
	_, err := f.keeper.CloseRelease(f.ctx, r.Unlock)
	require.NoError(t, err)
	require.ErrorIs(t, f.keeper.RequestRelease(f.ctx, r), custody.ErrKnownRelease, "what was closed stays closed")
}

// The caller does not choose what is the chain's to say.
func TestRequestReleaseStartsPending(t *testing.T) {
	f := newFixture(t)
	r := f.requested(1)
	r.Unlock = f.requested(1).Unlock[:62] + "00"
	r.Status, r.ShareEpoch, r.RequestedAt, r.RequestedHeight, r.ReleasedAt = custody.RELEASE_STATUS_RELEASED, 9, 1, 1, 1
	require.NoError(t, f.keeper.RequestRelease(f.ctx, r))
	require.Equal(t, custody.Release{
		Unlock: r.Unlock, Kind: custody.KEY_KIND_RECORDS, Generation: 1, Blinded: r.Blinded, Status: custody.RELEASE_STATUS_PENDING,
		RequestedAt: start, RequestedHeight: 10,
	}, f.release(r.Unlock))
}

func TestRequestReleaseErrors(t *testing.T) {
	f := newFixture(t)
	whole := f.requested(1)
	whole.Unlock = whole.Unlock[:62] + "00"
	for _, tc := range []struct {
		name   string
		change func(*custody.Release)
		err    error
	}{
		{"a key kind that nobody made", func(r *custody.Release) { r.Kind = custody.KEY_KIND_EMERGENCY }, custody.ErrNoKey},
		{"a generation to come", func(r *custody.Release) { r.Generation = 2 }, custody.ErrNoKey},
		{"no generation", func(r *custody.Release) { r.Generation = 0 }, custody.ErrInvalidRelease},
		{"no kind", func(r *custody.Release) { r.Kind = 0 }, custody.ErrInvalidRelease},
		{"no points", func(r *custody.Release) { r.Blinded = nil }, custody.ErrInvalidRelease},
		{"too many points", func(r *custody.Release) { r.Blinded = slices.Repeat(r.Blinded, custody.MaxPoints+1) }, custody.ErrInvalidRelease},
		{"a point that is none", func(r *custody.Release) { r.Blinded = [][]byte{make([]byte, 32)} }, custody.ErrInvalidRelease},
		{"no unlock", func(r *custody.Release) { r.Unlock = "" }, custody.ErrInvalidUnlock},
		{"an unlock in capitals", func(r *custody.Release) { r.Unlock = "AA" + r.Unlock[2:] }, custody.ErrInvalidUnlock},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := whole
			tc.change(&r)
			require.ErrorIs(t, f.keeper.RequestRelease(f.ctx, r), tc.err)
			_, err := f.keeper.Release(f.ctx, whole.Unlock)
			require.ErrorIs(t, err, custody.ErrUnknownRelease)
		})
	}
	require.NoError(t, f.keeper.RequestRelease(f.ctx, whole))
}

func TestCloseRelease(t *testing.T) {
	f := newFixture(t)
	r := f.pending(1)
	_, err := f.keeper.CloseRelease(f.ctx, r.Unlock[:62]+"00")
	require.ErrorIs(t, err, custody.ErrUnknownRelease)
	_, err = f.keeper.CloseRelease(f.ctx, "00")
	require.ErrorIs(t, err, custody.ErrInvalidUnlock)
	for range 2 {
		given, err := f.keeper.CloseRelease(f.ctx, r.Unlock)
		require.NoError(t, err)
		require.False(t, given)
	}
	for index := range f.nodes {
		require.Empty(t, f.work(index, 10))
	}

	released := f.pending(1)
	for index := range uint64(threshold) {
		f.give(index+1, released)
	}
	given, err := f.keeper.CloseRelease(f.ctx, released.Unlock)
	require.NoError(t, err)
	require.True(t, given)
	require.Equal(t, custody.RELEASE_STATUS_CLOSED, f.release(released.Unlock).Status)
}

// A network without a key stores and releases nothing.
func TestNoKey(t *testing.T) {
	f := newFixture(t)
	r := f.requested(1)
	f.restart(custody.DefaultGenesis())
	_, err := f.keeper.Key(f.ctx, custody.KEY_KIND_RECORDS, 0)
	require.ErrorIs(t, err, custody.ErrNoKey)
	_, err = f.keeper.Key(f.ctx, custody.KEY_KIND_RECORDS, 1)
	require.ErrorIs(t, err, custody.ErrNoKey)
	require.ErrorIs(t, f.keeper.RequestRelease(f.ctx, r), custody.ErrNoKey)

	f.restart(f.genesis(custody.KEY_KIND_RECORDS))
	key, err := f.keeper.Key(f.ctx, custody.KEY_KIND_RECORDS, 0)
	require.NoError(t, err)
	require.Equal(t, f.dealt.X.Bytes(), key.PublicKey)
	_, err = f.keeper.Key(f.ctx, custody.KEY_KIND_GUARDIANS, 0)
	require.ErrorIs(t, err, custody.ErrNoKey)
}

func TestWorkIsListedInPages(t *testing.T) {
	f := newFixture(t)
	var want []string
	for range 7 {
		want = append(want, f.requested(1).Unlock)
	}
	slices.Sort(want)
	for _, limit := range []uint32{1, 2, 3, 7, 8, custody.MaxPageSize} {
		require.Equal(t, want, f.work(3, limit), limit)
	}
	require.Empty(t, f.work(6, 10))
	res, err := f.query.Releases(f.ctx, &custody.QueryReleasesRequest{Index: 3})
	require.NoError(t, err)
	require.Len(t, res.Releases, 7)
	require.Empty(t, res.Next)
}

func TestQueries(t *testing.T) {
	f := newFixture(t)
	params, err := f.query.Params(f.ctx, &custody.QueryParamsRequest{})
	require.NoError(t, err)
	require.Equal(t, custody.Params{RankDelay: 3}, params.Params)
	keys, err := f.query.Keys(f.ctx, &custody.QueryKeysRequest{})
	require.NoError(t, err)
	require.Equal(t, f.genesis(custody.KEY_KIND_RECORDS).Keys, keys.Keys)
	key, err := f.query.Key(f.ctx, &custody.QueryKeyRequest{Kind: custody.KEY_KIND_RECORDS})
	require.NoError(t, err)
	require.Equal(t, keys.Keys[0], key.Key)
	holders, err := f.query.Holders(f.ctx, &custody.QueryHoldersRequest{Kind: custody.KEY_KIND_RECORDS, Generation: 1, ShareEpoch: 1})
	require.NoError(t, err)
	require.Equal(t, f.genesis(custody.KEY_KIND_RECORDS).Holders, holders.Holders)
	holders, err = f.query.Holders(f.ctx, &custody.QueryHoldersRequest{Kind: custody.KEY_KIND_RECORDS, ShareEpoch: 2})
	require.NoError(t, err)
	require.Empty(t, holders.Holders)

	unknown := f.requested(1).Unlock[:62] + "00"
	for _, tc := range []struct {
		name string
		call func() error
		code codes.Code
	}{
		{"key of another kind", func() error {
			_, err := f.query.Key(f.ctx, &custody.QueryKeyRequest{Kind: custody.KEY_KIND_GUARDIANS})
			return err
		}, codes.NotFound},
		{"key of another generation", func() error {
			_, err := f.query.Key(f.ctx, &custody.QueryKeyRequest{Kind: custody.KEY_KIND_RECORDS, Generation: 2})
			return err
		}, codes.NotFound},
		{"holders of no key", func() error {
			_, err := f.query.Holders(f.ctx, &custody.QueryHoldersRequest{})
			return err
		}, codes.NotFound},
		{"unknown release", func() error {
			_, err := f.query.Release(f.ctx, &custody.QueryReleaseRequest{Unlock: unknown})
			return err
		}, codes.NotFound},
		{"no release", func() error {
			_, err := f.query.Release(f.ctx, &custody.QueryReleaseRequest{})
			return err
		}, codes.InvalidArgument},
		{"shares of an unknown release", func() error {
			_, err := f.query.Shares(f.ctx, &custody.QuerySharesRequest{Unlock: unknown})
			return err
		}, codes.NotFound},
		{"shares of no release", func() error {
			_, err := f.query.Shares(f.ctx, &custody.QuerySharesRequest{Unlock: "x"})
			return err
		}, codes.InvalidArgument},
		{"a page too large", func() error {
			_, err := f.query.Releases(f.ctx, &custody.QueryReleasesRequest{Index: 1, Limit: custody.MaxPageSize + 1})
			return err
		}, codes.InvalidArgument},
		{"a cursor that is none", func() error {
			_, err := f.query.Releases(f.ctx, &custody.QueryReleasesRequest{Index: 1, After: "x"})
			return err
		}, codes.InvalidArgument},
	} {
		t.Run(tc.name, func(t *testing.T) { require.Equal(t, tc.code, status.Code(tc.call())) })
	}
}

func TestUpdateParams(t *testing.T) {
	f := newFixture(t)
	_, err := f.msg.UpdateParams(f.ctx, &custody.MsgUpdateParams{Authority: f.nodes[1], Params: custody.Params{RankDelay: 9}})
	require.ErrorIs(t, err, custody.ErrUnauthorized)
	_, err = f.msg.UpdateParams(f.ctx, &custody.MsgUpdateParams{Authority: authority})
	require.ErrorIs(t, err, custody.ErrInvalidParams)
	require.Empty(t, f.log.entries)
	_, err = f.msg.UpdateParams(f.ctx, &custody.MsgUpdateParams{Authority: authority, Params: custody.Params{RankDelay: 9}})
	require.NoError(t, err)
	params, err := f.keeper.Params(f.ctx)
	require.NoError(t, err)
	require.EqualValues(t, 9, params.RankDelay)
	require.Equal(t, audit.Entry{Kind: audit.KindParamsChanged, Role: audit.RoleChain, Target: "custody", Outcome: audit.OUTCOME_OK}, f.log.last())
}

// A chain that started from an export goes on where the old one stopped.
func TestGenesisRoundTrip(t *testing.T) {
	f := newFixture(t)
	pending, released, closed := f.requested(2), f.requested(1), f.requested(1)
	f.nextBlock()
	f.give(2, pending)
	for index := range uint64(threshold) {
		f.give(index+1, released)
	}
	f.give(3, closed)
	_, err := f.keeper.CloseRelease(f.ctx, closed.Unlock)
	require.NoError(t, err)
	bad := f.share(5, pending)
	bad.Proof[0] ^= 1
	require.Equal(t, []string{custody.ReasonBadProof}, f.send(f.nodes[5], bad))
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Len(t, exported.Releases, 3)
	require.Len(t, exported.Shares, 2+threshold)

	f.restart(exported)
	again, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Equal(t, exported, again)
	require.EqualValues(t, 1, f.badShares(5))
	require.Empty(t, f.work(2, 10), "it gave its share before")
	require.Equal(t, []string{pending.Unlock}, f.work(1, 10))
	f.nextBlock()
	for _, index := range []uint64{1, 4} {
		f.give(index, pending)
	}
	require.Equal(t, []string{released.Unlock}, f.hooks.released)
	f.give(5, pending)
	require.Equal(t, []string{released.Unlock, pending.Unlock}, f.hooks.released)
}

func TestGenesisWithAHolderWhoIsNoMember(t *testing.T) {
	f := newFixture(t)
	delete(f.people.members, 3)
	f.open()
	require.ErrorIs(t, f.keeper.InitGenesis(f.ctx, f.genesis(custody.KEY_KIND_RECORDS)), consortium.ErrUnknownMember)
	f.people.members[3] = consortium.MEMBER_STATUS_ACTIVE
	f.open()
	require.NoError(t, f.keeper.InitGenesis(f.ctx, f.genesis(custody.KEY_KIND_RECORDS)))
}

func TestNewNeedsAllNeighbours(t *testing.T) {
	_, err := keeper.New(nil, nil, nil, &fakeConsortium{})
	require.ErrorContains(t, err, "a neighbour is missing")
	_, err = keeper.New(nil, nil, &fakeAudit{}, nil)
	require.ErrorContains(t, err, "a neighbour is missing")
}

// Each kind of key has its own releases.
func TestKindsAreSeparate(t *testing.T) {
	f := newFixture(t)
	g := f.genesis(custody.KEY_KIND_RECORDS)
	guardians, err := lock.Deal(threshold, []uint64{1, 2, 3, 4, 5}, f.random)
	require.NoError(t, err)
	records := f.dealt
	f.dealt = guardians
	second := f.genesis(custody.KEY_KIND_GUARDIANS)
	f.dealt = records
	g.Keys, g.Holders = append(g.Keys, second.Keys...), append(g.Holders, second.Holders...)
	f.restart(g)
	r := f.requested(1)
	other := r
	other.Unlock, other.Kind = r.Unlock[:62]+"00", custody.KEY_KIND_GUARDIANS
	require.NoError(t, f.keeper.RequestRelease(f.ctx, other))
	f.nextBlock()
	f.give(1, r)
	require.Equal(t, []string{custody.ReasonBadProof}, f.send(f.nodes[1], f.share(1, other)), "a share of the records key")
}
