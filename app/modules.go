package app

import (
	"encoding/json"

	"cosmossdk.io/core/appmodule"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/address"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/bank"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/consensus"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	"github.com/cosmos/cosmos-sdk/x/upgrade"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"
	gateway "github.com/grpc-ecosystem/grpc-gateway/runtime"
	"google.golang.org/grpc"

	"github.com/phrd/phrd/wallet"
	"github.com/phrd/phrd/x/access"
	accessmodule "github.com/phrd/phrd/x/access/module"
	"github.com/phrd/phrd/x/audit"
	auditmodule "github.com/phrd/phrd/x/audit/module"
	"github.com/phrd/phrd/x/consortium"
	consortiummodule "github.com/phrd/phrd/x/consortium/module"
	"github.com/phrd/phrd/x/custody"
	custodymodule "github.com/phrd/phrd/x/custody/module"
	"github.com/phrd/phrd/x/records"
	recordsmodule "github.com/phrd/phrd/x/records/module"
	"github.com/phrd/phrd/x/storage"
	storagemodule "github.com/phrd/phrd/x/storage/module"
)

// genesisOrder is the order of the modules' first states: each finds those it stands on.
var genesisOrder = []string{
	authtypes.ModuleName, banktypes.ModuleName, consensustypes.ModuleName, upgradetypes.ModuleName,
	audit.ModuleName, consortium.ModuleName, custody.ModuleName, storage.ModuleName, records.ModuleName, access.ModuleName,
}

// makeModules makes the modules over their keepers and registers their messages and queries.
func (app *App) makeModules() error {
	app.modules = module.NewManagerFromMap(map[string]appmodule.AppModule{
		authtypes.ModuleName:      auth.NewAppModule(app.codec, app.Accounts, nil),
		banktypes.ModuleName:      bankQueries{module: bank.NewAppModule(app.codec, app.Bank, app.Accounts), keeper: app.Bank},
		consensustypes.ModuleName: consensus.NewAppModule(app.codec, app.Consensus),
		upgradetypes.ModuleName:   upgrade.NewAppModule(app.Upgrade, address.NewBech32Codec(wallet.Prefix)),
		audit.ModuleName:          auditmodule.New(app.Audit),
		consortium.ModuleName:     consortiummodule.New(app.Consortium),
		custody.ModuleName:        custodymodule.New(app.Custody),
		storage.ModuleName:        storagemodule.New(app.Storage),
		records.ModuleName:        recordsmodule.New(app.Records),
		access.ModuleName:         accessmodule.New(app.Access),
	})
	app.basics = module.NewBasicManagerFromManager(app.modules, nil)
	app.basics.RegisterLegacyAminoCodec(app.amino)
	app.basics.RegisterInterfaces(app.registry)

	// A plan to upgrade stops the block before anything else; auth forgets unordered transactions that have timed out.
	app.modules.SetOrderPreBlockers(upgradetypes.ModuleName, authtypes.ModuleName)
	app.modules.SetOrderBeginBlockers(consortium.ModuleName)
	// Who is removed by a vote of this block gets nothing released in it.
	app.modules.SetOrderEndBlockers(consortium.ModuleName, custody.ModuleName, storage.ModuleName, records.ModuleName, access.ModuleName)
	app.modules.SetOrderInitGenesis(genesisOrder...)
	app.modules.SetOrderExportGenesis(genesisOrder...)

	app.configurator = module.NewConfigurator(app.codec, app.MsgServiceRouter(), app.GRPCQueryRouter())
	if err := app.configurator.RegisterMigration(consortium.ModuleName, 1, func(ctx sdk.Context) error { return app.Consortium.MigrateEndings(ctx) }); err != nil {
		return err
	}
	if err := app.configurator.RegisterMigration(custody.ModuleName, 1, func(ctx sdk.Context) error { return app.Custody.MigrateWaiting(ctx) }); err != nil {
		return err
	}
	if err := app.configurator.RegisterMigration(records.ModuleName, 1, func(ctx sdk.Context) error { return app.Records.MigrateLocks(ctx) }); err != nil {
		return err
	}
	if err := app.configurator.RegisterMigration(storage.ModuleName, 1, func(ctx sdk.Context) error { return app.Storage.MigrateObjects(ctx) }); err != nil {
		return err
	}
	return app.modules.RegisterServices(app.configurator)
}

// bankQueries answers the balances that wallets ask for, which are all empty: there is no token, and the messages of bank are not
// known to the network.
type bankQueries struct {
	module bank.AppModule
	keeper bankkeeper.Keeper
}

var (
	_ appmodule.AppModule   = bankQueries{}
	_ appmodule.HasServices = bankQueries{}
	_ module.HasGenesis     = bankQueries{}
)

// IsAppModule marks a module.
func (bankQueries) IsAppModule() {}

// IsOnePerModuleType marks a module that an application has once.
func (bankQueries) IsOnePerModuleType() {}

// Name is the module's name.
func (bankQueries) Name() string { return banktypes.ModuleName }

// ConsensusVersion counts the formats of the module's state.
func (b bankQueries) ConsensusVersion() uint64 { return b.module.ConsensusVersion() }

// RegisterServices registers the queries alone.
func (b bankQueries) RegisterServices(r grpc.ServiceRegistrar) error {
	banktypes.RegisterQueryServer(r, b.keeper)
	return nil
}

// RegisterGRPCGatewayRoutes registers the queries over HTTP.
func (b bankQueries) RegisterGRPCGatewayRoutes(c client.Context, mux *gateway.ServeMux) {
	b.module.RegisterGRPCGatewayRoutes(c, mux)
}

// DefaultGenesis is an empty state.
func (b bankQueries) DefaultGenesis(cdc codec.JSONCodec) json.RawMessage {
	return b.module.DefaultGenesis(cdc)
}

// ValidateGenesis refuses a state that the module could not have exported.
func (b bankQueries) ValidateGenesis(cdc codec.JSONCodec, tx client.TxEncodingConfig, state json.RawMessage) error {
	return b.module.ValidateGenesis(cdc, tx, state)
}

// InitGenesis writes the first state.
func (b bankQueries) InitGenesis(ctx sdk.Context, cdc codec.JSONCodec, state json.RawMessage) {
	b.module.InitGenesis(ctx, cdc, state)
}

// ExportGenesis reads the state.
func (b bankQueries) ExportGenesis(ctx sdk.Context, cdc codec.JSONCodec) json.RawMessage {
	return b.module.ExportGenesis(ctx, cdc)
}
