package module_test

import (
	"testing"
	"time"

	"cosmossdk.io/core/appmodule"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/runtime"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	"github.com/cosmos/cosmos-sdk/testutil"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkmodule "github.com/cosmos/cosmos-sdk/types/module"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/audit/keeper"
	"github.com/phrd/phrd/x/audit/module"
)

func newModule(t *testing.T) (module.AppModule, *keeper.Keeper, sdk.Context) {
	t.Helper()
	store := storetypes.NewKVStoreKey(audit.StoreKey)
	k, err := keeper.New(newCodec(), runtime.NewKVStoreService(store))
	require.NoError(t, err)
	ctx := testutil.DefaultContextWithKeys(map[string]*storetypes.KVStoreKey{audit.StoreKey: store}, nil, nil).
		WithBlockTime(time.Unix(1_800_000_000, 0)).WithBlockHeight(1)
	return module.New(k), k, ctx
}

func newCodec() *codec.ProtoCodec { return codec.NewProtoCodec(codectypes.NewInterfaceRegistry()) }

// A block in which nothing happened must leave the app hash as it was.
func TestBlocksAloneDoNothing(t *testing.T) {
	m, _, _ := newModule(t)
	for name, hook := range map[string]func(any) bool{
		"begin block": func(m any) bool { _, ok := m.(appmodule.HasBeginBlocker); return ok },
		"end block":   func(m any) bool { _, ok := m.(appmodule.HasEndBlocker); return ok },
		"validators":  func(m any) bool { _, ok := m.(sdkmodule.HasABCIEndBlock); return ok },
	} {
		require.False(t, hook(m), name)
	}
}

func TestGenesisTravelsAsJSON(t *testing.T) {
	m, k, ctx := newModule(t)
	_, err := k.Append(ctx, audit.Entry{Kind: audit.KindExpired, Role: audit.RoleChain, Outcome: audit.OUTCOME_OK})
	require.NoError(t, err)
	exported := m.ExportGenesis(ctx, newCodec())
	require.NoError(t, m.ValidateGenesis(newCodec(), nil, exported))

	other, l, ctx2 := newModule(t)
	other.InitGenesis(ctx2, newCodec(), exported)
	want, err := k.Frontier(ctx)
	require.NoError(t, err)
	got, err := l.Frontier(ctx2)
	require.NoError(t, err)
	require.EqualValues(t, 1, got.Size_)
	require.Equal(t, want, got)

	require.NoError(t, m.ValidateGenesis(newCodec(), nil, m.DefaultGenesis(newCodec())))
	require.ErrorIs(t, m.ValidateGenesis(newCodec(), nil, []byte(`{"entries":[{"sequence":"2"}]}`)), audit.ErrInvalidGenesis)
	require.ErrorContains(t, m.ValidateGenesis(newCodec(), nil, []byte(`{"entry":[]}`)), "read audit genesis")
	defer func() {
		err, ok := recover().(error)
		require.True(t, ok, "a chain does not start from half a log")
		require.ErrorIs(t, err, audit.ErrInvalidGenesis)
	}()
	other.InitGenesis(ctx2.WithBlockTime(time.Unix(0, 0)), newCodec(), exported)
}
