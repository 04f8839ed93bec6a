package module_test

import (
	"testing"

	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/records/module"
)

func TestGenesisOfTheModule(t *testing.T) {
	m := module.New(nil)
	registry := codectypes.NewInterfaceRegistry()
	m.RegisterInterfaces(registry)
	cdc := codec.NewProtoCodec(registry)
	require.Equal(t, "records", m.Name())
	require.NoError(t, m.ValidateGenesis(cdc, nil, m.DefaultGenesis(cdc)))
	require.ErrorIs(t, m.ValidateGenesis(cdc, nil, []byte("{}")), records.ErrInvalidParams)
	require.ErrorContains(t, m.ValidateGenesis(cdc, nil, []byte("{")), "read records genesis")
	msg, err := registry.Resolve("/phrd.records.v1.MsgStoreVersions")
	require.NoError(t, err)
	require.IsType(t, &records.MsgStoreVersions{}, msg)
}
