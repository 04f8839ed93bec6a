package module_test

import (
	"testing"

	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/access/module"
)

func TestGenesisOfTheModule(t *testing.T) {
	m := module.New(nil)
	registry := codectypes.NewInterfaceRegistry()
	m.RegisterInterfaces(registry)
	cdc := codec.NewProtoCodec(registry)
	require.Equal(t, "access", m.Name())
	require.NoError(t, m.ValidateGenesis(cdc, nil, m.DefaultGenesis(cdc)))
	require.ErrorIs(t, m.ValidateGenesis(cdc, nil, []byte("{}")), access.ErrInvalidParams)
	require.ErrorContains(t, m.ValidateGenesis(cdc, nil, []byte("{")), "read access genesis")
	msg, err := registry.Resolve("/phrd.access.v1.MsgProposeUnlock")
	require.NoError(t, err)
	require.IsType(t, &access.MsgProposeUnlock{}, msg)
}
