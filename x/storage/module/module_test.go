package module_test

import (
	"testing"

	"cosmossdk.io/core/appmodule"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/storage"
	"github.com/phrd/phrd/x/storage/module"
)

func TestGenesisOfTheModule(t *testing.T) {
	m := module.New(nil)
	registry := codectypes.NewInterfaceRegistry()
	m.RegisterInterfaces(registry)
	cdc := codec.NewProtoCodec(registry)
	require.Equal(t, "storage", m.Name())
	require.NoError(t, m.ValidateGenesis(cdc, nil, m.DefaultGenesis(cdc)))
	require.ErrorIs(t, m.ValidateGenesis(cdc, nil, []byte("{}")), storage.ErrInvalidParams)
	require.ErrorContains(t, m.ValidateGenesis(cdc, nil, []byte("{")), "read storage genesis")
	msg, err := registry.Resolve("/phrd.storage.v1.MsgConfirmCopies")
	require.NoError(t, err)
	require.IsType(t, &storage.MsgConfirmCopies{}, msg)
}

// What is written is written by messages: a block without any leaves the state alone.
func TestModuleHasNoWorkOfItsOwn(t *testing.T) {
	_, begins := any(module.AppModule{}).(appmodule.HasBeginBlocker)
	_, ends := any(module.AppModule{}).(appmodule.HasEndBlocker)
	require.False(t, begins || ends)
}
