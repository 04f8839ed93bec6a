// Package module makes the records module known to the application.
package module

import (
	"context"
	"encoding/json"
	"fmt"

	"cosmossdk.io/core/appmodule"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"google.golang.org/grpc"

	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/records/keeper"
)

var (
	_ appmodule.AppModule   = AppModule{}
	_ appmodule.HasServices = AppModule{}
	_ module.HasGenesis     = AppModule{}

	_ appmodule.HasEndBlocker = AppModule{}
)

// AppModule is the records module.
type AppModule struct{ keeper *keeper.Keeper }

// New makes the module over its keeper.
func New(k *keeper.Keeper) AppModule { return AppModule{keeper: k} }

// IsAppModule marks a module.
func (AppModule) IsAppModule() {}

// IsOnePerModuleType marks a module that an application has once.
func (AppModule) IsOnePerModuleType() {}

// Name is the module's name.
func (AppModule) Name() string { return records.ModuleName }

// ConsensusVersion counts the formats of the module's state; keeper.MigrateLocks leads from the
// first to the second.
func (AppModule) ConsensusVersion() uint64 { return 2 }

// EndBlock erases what was replaced, and gives up locks that were not confirmed in time.
func (m AppModule) EndBlock(ctx context.Context) error { return m.keeper.EndBlock(ctx) }

// RegisterInterfaces registers the module's messages.
func (AppModule) RegisterInterfaces(r codectypes.InterfaceRegistry) { records.RegisterInterfaces(r) }

// RegisterServices registers the handlers of messages and queries.
func (m AppModule) RegisterServices(r grpc.ServiceRegistrar) error {
	records.RegisterMsgServer(r, keeper.NewMsgServer(m.keeper))
	records.RegisterQueryServer(r, keeper.NewQueryServer(m.keeper))
	return nil
}

// DefaultGenesis is an empty state.
func (AppModule) DefaultGenesis(cdc codec.JSONCodec) json.RawMessage {
	return cdc.MustMarshalJSON(records.DefaultGenesis())
}

// ValidateGenesis refuses a state that the module could not have exported.
func (AppModule) ValidateGenesis(cdc codec.JSONCodec, _ client.TxEncodingConfig, bz json.RawMessage) error {
	var g records.GenesisState
	if err := cdc.UnmarshalJSON(bz, &g); err != nil {
		return fmt.Errorf("read %s genesis: %w", records.ModuleName, err)
	}
	return g.Validate()
}

// InitGenesis writes the first state. It panics where that fails: a chain cannot
// start from half a state.
func (m AppModule) InitGenesis(ctx sdk.Context, cdc codec.JSONCodec, bz json.RawMessage) {
	var g records.GenesisState
	cdc.MustUnmarshalJSON(bz, &g)
	if err := m.keeper.InitGenesis(ctx, &g); err != nil {
		panic(fmt.Errorf("init %s genesis: %w", records.ModuleName, err))
	}
}

// ExportGenesis reads the whole state. It panics where that fails.
func (m AppModule) ExportGenesis(ctx sdk.Context, cdc codec.JSONCodec) json.RawMessage {
	g, err := m.keeper.ExportGenesis(ctx)
	if err != nil {
		panic(fmt.Errorf("export %s genesis: %w", records.ModuleName, err))
	}
	return cdc.MustMarshalJSON(g)
}
