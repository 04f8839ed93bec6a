package module_test

import (
	"testing"

	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/consortium/module"
)

func TestGenesisOfTheModule(t *testing.T) {
	m := module.New(nil)
	registry := codectypes.NewInterfaceRegistry()
	m.RegisterInterfaces(registry)
	cdc := codec.NewProtoCodec(registry)
	require.Equal(t, "consortium", m.Name())
	require.ErrorIs(t, m.ValidateGenesis(cdc, nil, m.DefaultGenesis(cdc)), consortium.ErrInvalidGenesis, "nobody has founded it")
	require.ErrorIs(t, m.ValidateGenesis(cdc, nil, []byte("{}")), consortium.ErrInvalidParams)
	require.ErrorContains(t, m.ValidateGenesis(cdc, nil, []byte("{")), "read consortium genesis")
	msg, err := registry.Resolve("/phrd.consortium.v1.MsgOpenAccount")
	require.NoError(t, err)
	require.IsType(t, &consortium.MsgOpenAccount{}, msg)
}
