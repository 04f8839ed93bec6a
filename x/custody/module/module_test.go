package module_test

import (
	"testing"

	"cosmossdk.io/core/appmodule"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/custody/module"
)

func TestGenesisOfTheModule(t *testing.T) {
	m := module.New(nil)
	registry := codectypes.NewInterfaceRegistry()
	m.RegisterInterfaces(registry)
	cdc := codec.NewProtoCodec(registry)
	require.Equal(t, "custody", m.Name())
	require.NoError(t, m.ValidateGenesis(cdc, nil, m.DefaultGenesis(cdc)))
	require.ErrorIs(t, m.ValidateGenesis(cdc, nil, []byte("{}")), custody.ErrInvalidParams)
	require.ErrorContains(t, m.ValidateGenesis(cdc, nil, []byte("{")), "read custody genesis")
	msg, err := registry.Resolve("/phrd.custody.v1.MsgSubmitShares")
	require.NoError(t, err)
	require.IsType(t, &custody.MsgSubmitShares{}, msg)
}

// What is written is written by messages: a block without any leaves the state alone.
func TestModuleHasNoWorkOfItsOwn(t *testing.T) {
	_, begins := any(module.AppModule{}).(appmodule.HasBeginBlocker)
	_, ends := any(module.AppModule{}).(appmodule.HasEndBlocker)
	require.False(t, begins || ends)
}
