package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cometjson "github.com/cometbft/cometbft/libs/json"
	comet "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/rpc/client/local"
	comettypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client"
	sdkserver "github.com/cosmos/cosmos-sdk/server"
	"github.com/cosmos/cosmos-sdk/server/api"
	cometlog "github.com/cosmos/cosmos-sdk/server/log"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	"github.com/cosmos/cosmos-sdk/store/v2/snapshots"
	snapshottypes "github.com/cosmos/cosmos-sdk/store/v2/snapshots/types"
	genutil "github.com/cosmos/cosmos-sdk/x/genutil/types"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/phrd/phrd/app"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/node"
	"github.com/phrd/phrd/x/consortium"
)

// chain is the running chain: the application, CometBFT, and the ways to ask them on loopback.
type chain struct {
	app    *app.App
	node   *comet.Node
	client *local.Local
	// databases are those of the node.
	databases databases
	// quiet is the validator while its home is fresh from a backup, else nil.
	quiet *quietValidator
	// startHeight is the application's height before the node started.
	startHeight int64
	// bell rings at each committed block.
	bell *node.Bell
	// conn leads to the node's own gRPC server.
	conn *grpc.ClientConn
	// metrics are served beside the REST routes, where there are any.
	metrics *prometheus.Registry

	// known are the members as long as the own state is older.
	known introduction
	// fetch is how a state is fetched, in a node that does that alone; else nil.
	fetch *fetch

	grpc     *grpc.Server
	health   *health.Server
	stopping atomic.Bool
	// unadmitted says that this is a storage node, and that no hospital's node admits it.
	unadmitted atomic.Bool
	// unfit says that a block waits for another program. CometBFT can't be stopped then, nor its databases closed; the end of the process
	// does both, and what was committed stays.
	unfit atomic.Bool
	// end ends what runs in group.
	end   context.CancelFunc
	group sync.WaitGroup
}

// startChain starts the node and its loopback services; known are the members as long as the own state is older. failed is told when the node
// must not go on. On an error nothing is left running.
func startChain(ctx context.Context, c Config, files home.Config, genesis *home.Genesis, known introduction, failed func(error)) (_ *chain, err error) {
	ch := &chain{bell: &node.Bell{}, known: known}
	ctx, ch.end = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, ch.stop(context.WithoutCancel(ctx)))
		}
	}()
	if ch.app, err = openApp(c, files, genesis.ChainID, ch.bell.Ring, ch.unfitFor(failed)); err != nil {
		return nil, err
	}
	ch.startHeight = ch.app.LastBlockHeight()
	ch.unadmitted.Store(c.Home.StorageOnly())
	ch.app.AdmitPeers(known.height, known.members, known.nodes)
	if err := ch.startNode(ctx, c, files); err != nil {
		return nil, err
	}
	if err := ch.startLoopback(ctx, c, files, genesis.ChainID); err != nil {
		return nil, err
	}
	ch.group.Go(func() { ch.watch(ctx, c, failed) })
	if ch.quiet != nil {
		ch.group.Go(func() {
			if err := ch.quiet.watch(ctx, ch, c.Home, c.Logger); err != nil {
				failed(err)
			}
		})
	}
	if c.Home.StorageOnly() {
		ch.group.Go(func() { ch.call(ctx, c.Logger.With("module", "chain")) })
	}
	return ch, nil
}

// lingerTime is how long a server goes on that has a block for another program. The block was decided with votes that this server may be
// the first to have: it hands them on meanwhile, or the others would be left without them, and wait.
const lingerTime = 5 * time.Second

// unfitFor is what the application tells that the next block is for another program.
func (ch *chain) unfitFor(failed func(error)) func(error) {
	return func(err error) {
		ch.unfit.Store(true)
		time.AfterFunc(lingerTime, func() { failed(err) })
	}
}

// openApp opens the application's state.
func openApp(c Config, files home.Config, chainID string, committed func(), unfit func(error)) (*app.App, error) {
	pruning, err := sdkserver.GetPruningOptionsFromFlags(files.Options)
	if err != nil {
		return nil, fmt.Errorf("pruning: %w", err)
	}
	db, err := dbm.NewDB("application", sdkserver.GetAppDBBackend(files.Options), c.Home.Data())
	if err != nil {
		return nil, fmt.Errorf("open application state: %w", err)
	}
	var store *snapshots.Store
	if store, err = sdkserver.GetSnapshotStore(files.Options); err != nil {
		return nil, errors.Join(fmt.Errorf("open snapshots: %w", err), db.Close())
	}
	a, err := app.New(app.Config{
		Logger: c.Logger, DB: db, Home: c.Home.Dir(), Committed: committed, Unfit: unfit,
		Options: []func(*baseapp.BaseApp){
			baseapp.SetChainID(chainID),
			baseapp.SetPruning(pruning),
			baseapp.SetMinGasPrices(files.App.MinGasPrices),
			baseapp.SetMinRetainBlocks(files.App.MinRetainBlocks),
			baseapp.SetQueryGasLimit(files.App.QueryGasLimit),
			baseapp.SetIndexEvents(files.App.IndexEvents),
			baseapp.SetIAVLCacheSize(int(files.App.IAVLCacheSize)),
			baseapp.SetSnapshot(store, snapshottypes.NewSnapshotOptions(files.App.StateSync.SnapshotInterval, files.App.StateSync.SnapshotKeepRecent)),
		},
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return a, nil
}

// startNode starts CometBFT around the application.
func (ch *chain) startNode(ctx context.Context, c Config, files home.Config) error {
	if err := ch.takeKeys(c, files); err != nil {
		return err
	}
	nodeKey, err := p2p.LoadNodeKey(c.Home.NodeKey())
	if err != nil {
		return fmt.Errorf("%s: %w: %w", c.Home.NodeKey(), home.ErrDamaged, err)
	}
	validator, err := ch.validator(c)
	if err != nil {
		return err
	}
	config, peers := *files.Comet, *files.Comet.P2P
	config.P2P = &peers
	members, err := ch.members()
	if err != nil {
		return err
	}
	if !c.Home.StorageOnly() {
		peers.PersistentPeers = strings.Join(addresses(members, string(nodeKey.ID())), ",")
	}
	var application servertypes.ABCI = ch.app
	var options []comet.Option
	if ch.fetch != nil {
		fetching := *files.Comet.StateSync
		fetching.Enable, config.StateSync = true, &fetching
		application, options = fetched{ABCI: ch.app, fetch: ch.fetch}, []comet.Option{comet.StateProvider(ch.fetch.provider)}
	}
	logger := cometlog.CometLoggerWrapper{Logger: stoppable{Logger: c.Logger, stopping: &ch.stopping, unadmitted: &ch.unadmitted}}
	ch.node, err = comet.NewNodeWithContext(ctx, &config, validator, nodeKey,
		proxy.NewLocalClientCreator(sdkserver.NewCometABCIWrapper(application)),
		func() (*comettypes.GenesisDoc, error) {
			file, err := genutil.AppGenesisFromFile(c.Home.Genesis())
			if err != nil {
				return nil, err
			}
			return file.ToGenesisDoc()
		},
		ch.databases.provide, comet.DefaultMetricsProvider(config.Instrumentation), logger, options...)
	if err != nil {
		return fmt.Errorf("chain: %w", err)
	}
	if err := ch.node.Start(); err != nil {
		return fmt.Errorf("chain: %w", err)
	}
	ch.client = local.New(ch.node)
	return nil
}

// validator is the hospital's, which signs nothing yet where its home is fresh from a backup. Who fetches a state signs nothing.
func (ch *chain) validator(c Config) (comettypes.PrivValidator, error) {
	if c.Home.StorageOnly() || ch.fetch != nil {
		return newSpectator(), nil
	}
	validator, err := loadValidator(c.Home)
	if err != nil {
		return nil, err
	}
	restored, err := c.Home.IsRestored()
	if err != nil || !restored {
		return validator, err
	}
	if c.SignAtOnce {
		return validator, c.Home.SetInService()
	}
	ch.quiet = &quietValidator{PrivValidator: validator, started: time.Now()}
	return ch.quiet, nil
}

// loadValidator reads the consensus key and what was signed with it last. Without the latter the node could sign twice.
func loadValidator(h home.Home) (*privval.FilePV, error) {
	for path, into := range map[string]any{h.ConsensusKey(): &privval.FilePVKey{}, h.ConsensusState(): &privval.FilePVLastSignState{}} {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("consensus key: %w", err)
		}
		if err := cometjson.Unmarshal(content, into); err != nil {
			return nil, fmt.Errorf("%s: %w: %w", path, home.ErrDamaged, err)
		}
		if key, ok := into.(*privval.FilePVKey); ok {
			if _, ok := key.PrivKey.(ed25519.PrivKey); !ok {
				return nil, fmt.Errorf("%s: %w: no ed25519 key", path, home.ErrDamaged)
			}
		}
	}
	return privval.LoadFilePV(h.ConsensusKey(), h.ConsensusState()), nil
}

// members lists the members of the latest state, or those that are known of a newer one.
func (ch *chain) members() ([]consortium.Member, error) {
	if at := ch.app.LastBlockHeight(); at == 0 || at < ch.known.height {
		return ch.known.members, nil
	}
	return ch.app.Members()
}

// addresses are the peers to which a node keeps a connection: the other members that have not left.
func addresses(members []consortium.Member, self string) []string {
	var peers []string
	for _, m := range members {
		if m.CometId != self && m.Status != consortium.MEMBER_STATUS_LEFT {
			peers = append(peers, m.CometId+"@"+m.CometAddress)
		}
	}
	return peers
}

// startLoopback starts the node's own gRPC and REST servers.
func (ch *chain) startLoopback(ctx context.Context, c Config, files home.Config, chainID string) error {
	clients := client.Context{}.WithCodec(ch.app.Codec()).WithInterfaceRegistry(ch.app.InterfaceRegistry()).WithTxConfig(ch.app.TxConfig()).
		WithChainID(chainID).WithHomeDir(c.Home.Dir()).WithClient(ch.client)
	ch.grpc, ch.health = ch.app.NewGRPCServer(clients, files.App)
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", files.App.GRPC.Address)
	if err != nil {
		return fmt.Errorf("gRPC: %w", err)
	}
	ch.group.Go(func() {
		if err := ch.grpc.Serve(listener); err != nil {
			c.Logger.Error("gRPC server ended", "err", err)
		}
	})
	ch.conn, err = grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(app.MaxQueryBytes), grpc.MaxCallSendMsgSize(app.MaxQueryBytes)))
	if err != nil {
		return fmt.Errorf("gRPC: %w", err)
	}
	ch.metrics = prometheus.NewRegistry()
	if err := registerProcess(ch.metrics); err != nil {
		return err
	}
	if !files.App.API.Enable {
		return nil
	}
	rest := api.New(clients.WithGRPCClient(ch.conn), c.Logger.With("module", "api"), ch.grpc)
	rest.Router.Handle("/metrics", handleMetrics(ch.metrics)).Methods(http.MethodGet)
	if err := ch.app.RegisterRoutes(ctx, rest, ch.conn); err != nil {
		return err
	}
	ch.group.Go(func() {
		if err := rest.Start(ctx, files.App); err != nil && ctx.Err() == nil {
			c.Logger.Error("REST server ended", "err", err)
		}
	})
	return nil
}

// watch keeps CometBFT's connections in step with the members: it dials who is new or has moved and drops who has left. With the
// first block the node is healthy. When the network knows new keys of the server, failed is told.
func (ch *chain) watch(ctx context.Context, c Config, failed func(error)) {
	known := ch.app.Peers()
	var called []string
	var renewed renewal
	for first := true; ; first = false {
		rung := ch.bell.Rung()
		if due, err := renewed.isDue(ch, c.Home); err != nil {
			c.Logger.Error("look for new keys", "err", err)
		} else if due {
			failed(ErrNewKeys)
		}
		if now := ch.app.Peers(); !maps.Equal(known, now) {
			ch.dropPeers(now)
			known = now
		}
		if !c.Home.StorageOnly() && ch.app.LastBlockHeight() > 0 { // a storage node calls by itself
			var err error
			if called, err = ch.callPeers(called); err != nil {
				c.Logger.Error("follow the list of members", "err", err)
			}
		}
		select {
		case <-rung:
			if first {
				ch.health.SetServingStatus("", healthv1.HealthCheckResponse_SERVING)
			}
		case <-ctx.Done():
			return
		}
	}
}

// dropPeers ends the connections to all who may not connect any more.
func (ch *chain) dropPeers(admitted map[string]bool) {
	// A copy: ForEach holds the lock of the set, which is also taken to remove a peer from it.
	for _, p := range ch.node.Switch().Peers().Copy() {
		if !admitted[string(p.ID())] {
			ch.node.Switch().StopPeerGracefully(p)
		}
	}
}

// callPeers has the node keep connections to the other members, and calls those that were not called at the addresses that they have
// now. It answers all those addresses.
func (ch *chain) callPeers(called []string) ([]string, error) {
	members, err := ch.members()
	if err != nil {
		return called, err
	}
	peers := addresses(members, string(ch.node.NodeInfo().ID()))
	if slices.Equal(peers, called) {
		return peers, nil
	}
	if err := ch.node.Switch().AddPersistentPeers(peers); err != nil {
		return called, err
	}
	moved := slices.DeleteFunc(slices.Clone(peers), func(peer string) bool { return slices.Contains(called, peer) })
	return peers, ch.node.Switch().DialPeersAsync(moved)
}

// stop stops the node; what was committed stays. It may be called when the start failed half-way.
func (ch *chain) stop(ctx context.Context) error {
	ch.stopping.Store(true)
	if ch.health != nil {
		ch.health.Shutdown()
	}
	ch.end()
	var errs []error
	if ch.conn != nil {
		errs = append(errs, ch.conn.Close())
	}
	// What waits for the block that is for another program never ends: not a call that brings a transaction, nor CometBFT.
	if ch.unfit.Load() {
		return errors.Join(errs...)
	}
	if ch.grpc != nil {
		stopGRPC(ctx, ch.grpc)
	}
	ch.group.Wait()
	if ch.node != nil && ch.node.IsRunning() {
		ch.app.RefusePeers()
		errs = append(errs, ch.node.Stop())
		ch.node.Wait()
	}
	errs = append(errs, ch.databases.close())
	if ch.app != nil {
		errs = append(errs, ch.app.Close())
	}
	return errors.Join(errs...)
}

// stopGRPC lets calls under way end, as long as ctx and the time for it allow.
func stopGRPC(ctx context.Context, s *grpc.Server) {
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	done := make(chan struct{})
	go func() {
		s.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.Stop()
		<-done
	}
}
