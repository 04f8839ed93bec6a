// Package module makes the storage module known to the application.
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

	"github.com/phrd/phrd/x/storage"
	"github.com/phrd/phrd/x/storage/keeper"
)

var (
	_ appmodule.AppModule     = AppModule{}
	_ appmodule.HasServices   = AppModule{}
	_ appmodule.HasEndBlocker = AppModule{}
	_ module.HasGenesis       = AppModule{}
)

// AppModule is the storage module.
type AppModule struct{ keeper *keeper.Keeper }

// New makes the module over its keeper.
func New(k *keeper.Keeper) AppModule { return AppModule{keeper: k} }

// IsAppModule marks a module.
func (AppModule) IsAppModule() {}

// IsOnePerModuleType marks a module that an application has once.
func (AppModule) IsOnePerModuleType() {}

// Name is the module's name.
func (AppModule) Name() string { return storage.ModuleName }

// ConsensusVersion counts the formats of the module's state; keeper.MigrateObjects leads from the
// first to the second.
func (AppModule) ConsensusVersion() uint64 { return 2 }

// RegisterInterfaces registers the module's messages.
func (AppModule) RegisterInterfaces(r codectypes.InterfaceRegistry) { storage.RegisterInterfaces(r) }

// RegisterServices registers the handlers of messages and queries.
func (m AppModule) RegisterServices(r grpc.ServiceRegistrar) error {
	storage.RegisterMsgServer(r, keeper.NewMsgServer(m.keeper))
	storage.RegisterQueryServer(r, keeper.NewQueryServer(m.keeper))
	return nil
}

// EndBlock declares silent nodes lost, places again what they held, and goes on with the epoch of proofs.
func (m AppModule) EndBlock(ctx context.Context) error { return m.keeper.EndBlock(ctx) }

// DefaultGenesis has no objects.
func (AppModule) DefaultGenesis(cdc codec.JSONCodec) json.RawMessage {
	return cdc.MustMarshalJSON(storage.DefaultGenesis())
}

// ValidateGenesis refuses a state that the module could not have exported.
func (AppModule) ValidateGenesis(cdc codec.JSONCodec, _ client.TxEncodingConfig, bz json.RawMessage) error {
	var g storage.GenesisState
	if err := cdc.UnmarshalJSON(bz, &g); err != nil {
		return fmt.Errorf("read %s genesis: %w", storage.ModuleName, err)
	}
	return g.Validate()
}

// InitGenesis writes the first state. It panics where that fails: a chain cannot
// start from half a state.
func (m AppModule) InitGenesis(ctx sdk.Context, cdc codec.JSONCodec, bz json.RawMessage) {
	var g storage.GenesisState
	cdc.MustUnmarshalJSON(bz, &g)
	if err := m.keeper.InitGenesis(ctx, &g); err != nil {
		panic(fmt.Errorf("init %s genesis: %w", storage.ModuleName, err))
	}
}

// ExportGenesis reads the whole state. It panics where that fails.
func (m AppModule) ExportGenesis(ctx sdk.Context, cdc codec.JSONCodec) json.RawMessage {
	g, err := m.keeper.ExportGenesis(ctx)
	if err != nil {
		panic(fmt.Errorf("export %s genesis: %w", storage.ModuleName, err))
	}
	return cdc.MustMarshalJSON(g)
}
