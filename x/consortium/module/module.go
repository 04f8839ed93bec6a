// Package module makes the consortium module known to the application.
package module

import (
	"context"
	"encoding/json"
	"fmt"

	"cosmossdk.io/core/appmodule"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	gateway "github.com/grpc-ecosystem/grpc-gateway/runtime"
	"google.golang.org/grpc"

	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/consortium/keeper"
)

var (
	_ appmodule.AppModule       = AppModule{}
	_ appmodule.HasServices     = AppModule{}
	_ appmodule.HasBeginBlocker = AppModule{}
	_ module.HasABCIGenesis     = AppModule{}
	_ module.HasABCIEndBlock    = AppModule{}
)

// AppModule is the consortium module, the one that answers validator updates.
type AppModule struct{ keeper *keeper.Keeper }

// New makes the module over its keeper.
func New(k *keeper.Keeper) AppModule { return AppModule{keeper: k} }

// IsAppModule marks a module.
func (AppModule) IsAppModule() {}

// IsOnePerModuleType marks a module that an application has once.
func (AppModule) IsOnePerModuleType() {}

// Name is the module's name.
func (AppModule) Name() string { return consortium.ModuleName }

// ConsensusVersion counts the formats of the module's state; keeper.MigrateEndings leads from
// the first to the second.
func (AppModule) ConsensusVersion() uint64 { return 2 }

// RegisterInterfaces registers the module's messages.
func (AppModule) RegisterInterfaces(r codectypes.InterfaceRegistry) {
	consortium.RegisterInterfaces(r)
}

// RegisterLegacyAminoCodec registers nothing: wallets sign by the amino names in the
// protos. The SDK asks it of the module with validator updates.
func (AppModule) RegisterLegacyAminoCodec(*codec.LegacyAmino) {}

// RegisterGRPCGatewayRoutes registers nothing: REST is served from package api. The
// SDK asks it of the module with validator updates.
func (AppModule) RegisterGRPCGatewayRoutes(client.Context, *gateway.ServeMux) {}

// RegisterServices registers the handlers of messages and queries.
func (m AppModule) RegisterServices(r grpc.ServiceRegistrar) error {
	consortium.RegisterMsgServer(r, keeper.NewMsgServer(m.keeper))
	consortium.RegisterQueryServer(r, keeper.NewQueryServer(m.keeper))
	return nil
}

// BeginBlock suspends the members that the block's evidence is against.
func (m AppModule) BeginBlock(ctx context.Context) error { return m.keeper.BeginBlock(ctx) }

// EndBlock closes and carries out proposals, tells of roles that ended, and answers the validators that changed.
func (m AppModule) EndBlock(ctx context.Context) ([]abci.ValidatorUpdate, error) {
	return m.keeper.EndBlock(ctx)
}

// DefaultGenesis has rules and no members, and is not valid: consortium.Found makes
// one that is.
func (AppModule) DefaultGenesis(cdc codec.JSONCodec) json.RawMessage {
	return cdc.MustMarshalJSON(consortium.DefaultGenesis())
}

// ValidateGenesis refuses a state that the module could not have exported.
func (AppModule) ValidateGenesis(cdc codec.JSONCodec, _ client.TxEncodingConfig, bz json.RawMessage) error {
	var g consortium.GenesisState
	if err := cdc.UnmarshalJSON(bz, &g); err != nil {
		return fmt.Errorf("read %s genesis: %w", consortium.ModuleName, err)
	}
	return g.Validate()
}

// InitGenesis writes the first state and answers the first validators. It panics
// where that fails: a chain cannot start from half a state.
func (m AppModule) InitGenesis(ctx sdk.Context, cdc codec.JSONCodec, bz json.RawMessage) []abci.ValidatorUpdate {
	var g consortium.GenesisState
	cdc.MustUnmarshalJSON(bz, &g)
	updates, err := m.keeper.InitGenesis(ctx, &g)
	if err != nil {
		panic(fmt.Errorf("init %s genesis: %w", consortium.ModuleName, err))
	}
	return updates
}

// ExportGenesis reads the whole state. It panics where that fails.
func (m AppModule) ExportGenesis(ctx sdk.Context, cdc codec.JSONCodec) json.RawMessage {
	g, err := m.keeper.ExportGenesis(ctx)
	if err != nil {
		panic(fmt.Errorf("export %s genesis: %w", consortium.ModuleName, err))
	}
	return cdc.MustMarshalJSON(g)
}
