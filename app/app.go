// Package app puts the modules of the chain together into the application that CometBFT runs.
package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"cosmossdk.io/log/v2"
	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/address"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/std"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
	"github.com/cosmos/cosmos-sdk/version"
	authtx "github.com/cosmos/cosmos-sdk/x/auth/tx"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	txsigning "github.com/cosmos/cosmos-sdk/x/tx/signing"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/phrd/phrd/app/ante"
	"github.com/phrd/phrd/wallet"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/storage"
)

// Name of the application.
const Name = "phrd"

// storeKeys are the stores of the modules.
var storeKeys = []string{
	authtypes.StoreKey, banktypes.StoreKey, consensustypes.StoreKey, upgradetypes.StoreKey,
	audit.StoreKey, consortium.StoreKey, custody.StoreKey, storage.StoreKey, records.StoreKey, access.StoreKey,
}

// App is the application.
type App struct {
	*baseapp.BaseApp
	encoding
	keepers

	modules      *module.Manager
	basics       module.BasicManager
	configurator module.Configurator
	stores       map[string]*storetypes.KVStoreKey
	// peers are the CometBFT ids that may connect.
	peers atomic.Pointer[map[string]bool]
	// introduced are the CometBFT ids that may connect until the own state says who may.
	introduced atomic.Pointer[introduced]
	// refusing says that nobody may connect any more.
	refusing atomic.Bool
	// awake is true after the first block since the start: before it the SDK has no time for queries.
	awake atomic.Bool
	// unfit is told that the next block is for another program.
	unfit func(error)
}

// encoding is how the application's types are written.
type encoding struct {
	registry codectypes.InterfaceRegistry
	codec    *codec.ProtoCodec
	amino    *codec.LegacyAmino
	txConfig client.TxConfig
}

// Config is what an application is made of.
type Config struct {
	Logger log.Logger
	DB     dbm.DB
	// Home is the folder in which the upgrade module leaves its plan.
	Home string
	// Committed is called after each block; it must not wait. It may be nil.
	Committed func()
	// Unfit is called when a block is to be made for which this is not the program, with [ErrUpgradeDue], [ErrUpgradeEarly] or
	// [ErrOutdated]. The block then waits for the end of the process. If it is nil the block fails.
	Unfit func(error)
	// Options are further settings of the base application.
	Options []func(*baseapp.BaseApp)
}

// The SDK caches the text of an address at its first use, so its prefix must stand before anything runs.
// Without a scope that is named, it finds its settings by the paths of program and host, which it asks the system for at each address.
func init() {
	if err := os.Setenv(sdk.EnvConfigScope, "phrd"); err != nil {
		panic(err)
	}
	config := sdk.GetConfig()
	config.SetBech32PrefixForAccount(wallet.Prefix, wallet.Prefix+"pub")
	config.SetBech32PrefixForValidator(wallet.Prefix+"valoper", wallet.Prefix+"valoperpub")
	config.SetBech32PrefixForConsensusNode(wallet.Prefix+"valcons", wallet.Prefix+"valconspub")
	config.Seal()
}

func newEncoding() (encoding, error) {
	registry, err := codectypes.NewInterfaceRegistryWithOptions(codectypes.InterfaceRegistryOptions{
		ProtoFiles: proto.HybridResolver,
		SigningOptions: txsigning.Options{
			AddressCodec:          address.NewBech32Codec(wallet.Prefix),
			ValidatorAddressCodec: address.NewBech32Codec(wallet.Prefix + "valoper"),
		},
	})
	if err != nil {
		return encoding{}, fmt.Errorf("interface registry: %w", err)
	}
	if err := registry.SigningContext().Validate(); err != nil {
		return encoding{}, fmt.Errorf("signers of messages: %w", err)
	}
	e := encoding{registry: registry, codec: codec.NewProtoCodec(registry), amino: codec.NewLegacyAmino()}
	e.txConfig = authtx.NewTxConfig(e.codec, authtx.DefaultSignModes)
	std.RegisterLegacyAminoCodec(e.amino)
	std.RegisterInterfaces(registry)
	return e, nil
}

// New makes the application and loads its latest state. The error is for a programming mistake, such as a message without a rule
// in the role table, for a database that can't be read, or for a state of which this is not the program: [ErrUpgradeDue],
// [ErrUpgradeEarly], [ErrOutdated].
func New(c Config) (*App, error) {
	app, err := newApp(c)
	if err != nil {
		return nil, fmt.Errorf("application: %w", err)
	}
	if err := dropFastNodes(c.DB, app.Logger()); err != nil {
		return nil, fmt.Errorf("application: %w", err)
	}
	if err := app.LoadLatestVersion(); err != nil {
		return nil, fmt.Errorf("application: load state: %w", err)
	}
	if err := app.checkNextBlock(); err != nil {
		return nil, err
	}
	if err := app.forgetPlan(c.Home); err != nil {
		return nil, fmt.Errorf("application: %w", err)
	}
	app.refreshPeers()
	return app, nil
}

func newApp(c Config) (*App, error) {
	e, err := newEncoding()
	if err != nil {
		return nil, err
	}
	base := baseapp.NewBaseApp(Name, c.Logger, c.DB, e.txConfig.TxDecoder(), append(slices.Clone(c.Options), baseapp.SetIAVLDisableFastNode(true))...)
	base.SetVersion(version.Version)
	base.SetInterfaceRegistry(e.registry)
	base.SetTxEncoder(e.txConfig.TxEncoder())
	app := &App{BaseApp: base, encoding: e, stores: storetypes.NewKVStoreKeys(storeKeys...), unfit: c.Unfit}
	base.SetStreamingManager(storetypes.StreamingManager{ABCIListeners: []storetypes.ABCIListener{listener{app: app, committed: c.Committed}}})

	if err := app.makeKeepers(c); err != nil {
		return nil, err
	}
	base.SetParamStore(app.Consensus.ParamsStore)
	if err := app.makeModules(); err != nil {
		return nil, err
	}
	if err := ante.CheckTable(app.messages()); err != nil {
		return nil, err
	}
	checks, err := ante.New(ante.Options{Accounts: app.Accounts, SignModes: e.txConfig.SignModeHandler(), Consortium: app.Consortium})
	if err != nil {
		return nil, err
	}
	app.MountKVStores(app.stores)
	app.SetInitChainer(app.initChain)
	app.SetPreBlocker(func(ctx sdk.Context, _ *abci.RequestFinalizeBlock) (*sdk.ResponsePreBlock, error) {
		return app.preBlock(ctx)
	})
	app.SetBeginBlocker(app.modules.BeginBlock)
	app.SetEndBlocker(app.modules.EndBlock)
	app.SetAnteHandler(checks)
	app.SetIDPeerFilter(app.filterPeer)
	if err := app.registerUpgrades(c.Home); err != nil {
		return nil, err
	}
	return app, checkAnnotations()
}

// messages lists the type URLs of the network's own messages.
func (app *App) messages() []string {
	var urls []string
	for _, url := range app.registry.ListImplementations(sdk.MsgInterfaceProtoName) {
		if strings.HasPrefix(url, "/phrd.") {
			urls = append(urls, url)
		}
	}
	return urls
}

// checkAnnotations returns an error where a message lacks the annotations that signing needs.
func checkAnnotations() error {
	files, err := proto.MergedRegistry()
	if err != nil {
		return fmt.Errorf("protobuf files: %w", err)
	}
	return msgservice.ValidateProtoAnnotations(files)
}

// initChain writes the first state.
func (app *App) initChain(ctx sdk.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	var state map[string]json.RawMessage
	if err := json.Unmarshal(req.AppStateBytes, &state); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	if err := app.Upgrade.SetModuleVersionMap(ctx, app.modules.GetVersionMap()); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	res, err := app.modules.InitGenesis(ctx, app.codec, state)
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	if err := app.admitFrom(ctx); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	return res, nil
}

// blank is an application without state, for what only depends on the code.
var blank = sync.OnceValues(func() (*App, error) {
	app, err := newApp(Config{Logger: log.NewNopLogger(), DB: dbm.NewMemDB()})
	if err != nil {
		return nil, fmt.Errorf("application: %w", err)
	}
	return app, nil
})

// DefaultGenesis is the state of every module before anybody has joined, by module, and the codec that writes it.
func DefaultGenesis() (codec.Codec, map[string]json.RawMessage, error) {
	app, err := blank()
	if err != nil {
		return nil, nil, err
	}
	return app.codec, app.defaultGenesis(), nil
}

// defaultGenesis leaves out the modules that have no state of their own at the first block.
func (app *App) defaultGenesis() map[string]json.RawMessage {
	state := app.basics.DefaultGenesis(app.codec)
	maps.DeleteFunc(state, func(_ string, s json.RawMessage) bool { return len(s) == 0 })
	return state
}

// ValidateGenesis returns an error where the state of a module is missing, not valid, or of a module that there is not, and else the
// codec that reads it.
func ValidateGenesis(state map[string]json.RawMessage) (codec.Codec, error) {
	app, err := blank()
	if err != nil {
		return nil, err
	}
	var faults []error
	for name := range app.defaultGenesis() {
		if _, ok := state[name]; !ok {
			faults = append(faults, fmt.Errorf("state of module %s is missing", name))
		}
	}
	for name := range state {
		if _, ok := app.basics[name]; !ok {
			faults = append(faults, fmt.Errorf("there is no module %q", name))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return app.codec, app.basics.ValidateGenesis(app.codec, app.txConfig, state)
}

// Codec writes and reads the application's types.
func (app *App) Codec() codec.Codec { return app.codec }

// InterfaceRegistry knows the application's messages.
func (app *App) InterfaceRegistry() codectypes.InterfaceRegistry { return app.registry }

// TxConfig writes, reads and signs transactions.
func (app *App) TxConfig() client.TxConfig { return app.txConfig }
