// Package module makes the custody module known to the application.
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

	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/custody/keeper"
)

var (
	_ appmodule.AppModule   = AppModule{}
	_ appmodule.HasServices = AppModule{}
	_ module.HasGenesis     = AppModule{}

	_ appmodule.HasEndBlocker = AppModule{}
)

// AppModule is the custody module.
type AppModule struct{ keeper *keeper.Keeper }

// New makes the module over its keeper.
func New(k *keeper.Keeper) AppModule { return AppModule{keeper: k} }

// IsAppModule marks a module.
func (AppModule) IsAppModule() {}

// IsOnePerModuleType marks a module that an application has once.
func (AppModule) IsOnePerModuleType() {}

// Name is the module's name.
func (AppModule) Name() string { return custody.ModuleName }

// ConsensusVersion counts the formats of the module's state; keeper.MigrateWaiting leads
// from the first to the second.
func (AppModule) ConsensusVersion() uint64 { return 2 }

// EndBlock has the rounds that make keys and renew shares go on.
func (m AppModule) EndBlock(ctx context.Context) error { return m.keeper.EndBlock(ctx) }

// RegisterInterfaces registers the module's messages.
func (AppModule) RegisterInterfaces(r codectypes.InterfaceRegistry) { custody.RegisterInterfaces(r) }

// RegisterServices registers the handlers of messages and queries.
func (m AppModule) RegisterServices(r grpc.ServiceRegistrar) error {
	custody.RegisterMsgServer(r, keeper.NewMsgServer(m.keeper))
	custody.RegisterQueryServer(r, keeper.NewQueryServer(m.keeper))
	return nil
}

// DefaultGenesis has no key.
func (AppModule) DefaultGenesis(cdc codec.JSONCodec) json.RawMessage {
	return cdc.MustMarshalJSON(custody.DefaultGenesis())
}

// ValidateGenesis refuses a state that the module could not have exported.
func (AppModule) ValidateGenesis(cdc codec.JSONCodec, _ client.TxEncodingConfig, bz json.RawMessage) error {
	var g custody.GenesisState
	if err := cdc.UnmarshalJSON(bz, &g); err != nil {
		return fmt.Errorf("read %s genesis: %w", custody.ModuleName, err)
	}
	return g.Validate()
}

// InitGenesis writes the first state. It panics where that fails: a chain cannot
// start from half a state.
func (m AppModule) InitGenesis(ctx sdk.Context, cdc codec.JSONCodec, bz json.RawMessage) {
	var g custody.GenesisState
	cdc.MustUnmarshalJSON(bz, &g)
	if err := m.keeper.InitGenesis(ctx, &g); err != nil {
		panic(fmt.Errorf("init %s genesis: %w", custody.ModuleName, err))
	}
}

// ExportGenesis reads the whole state. It panics where that fails.
func (m AppModule) ExportGenesis(ctx sdk.Context, cdc codec.JSONCodec) json.RawMessage {
	g, err := m.keeper.ExportGenesis(ctx)
	if err != nil {
		panic(fmt.Errorf("export %s genesis: %w", custody.ModuleName, err))
	}
	return cdc.MustMarshalJSON(g)
}
