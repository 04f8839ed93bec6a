package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/app"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/app/telemetry"
	"github.com/phrd/phrd/blob/cache"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/blob/pack"
	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/index"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/node"
	"github.com/phrd/phrd/web"
)

// services are what runs around the chain.
type services struct {
	blobs   *pack.Store
	cache   *cache.Cache
	ipfs    *ipfs.Node
	index   *index.Index
	gateway *gateway.Gateway
	entries app.Log

	end     context.CancelFunc // of the workers
	workers sync.WaitGroup
}

// startServices starts everything around a running chain. failed is told when a part stops by itself. On an error nothing is left
// running.
func startServices(ctx context.Context, c Config, files home.Config, ch *chain, failed func(error)) (_ *services, err error) {
	s := &services{entries: ch.app.Log()}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	s.end = end
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop(running))
		}
	}()
	logger := NewSlog(c.Logger)
	client, err := newClient(c, ch, logger)
	if err != nil {
		return nil, err
	}
	if !c.Home.StorageOnly() {
		if err := s.startIndex(running, c, ch); err != nil {
			return nil, err
		}
	}
	if err := s.openBlobs(c, files, logger); err != nil {
		return nil, err
	}
	seed, err := c.Keys.Ed25519(keys.Libp2p)
	if err != nil {
		return nil, err
	}
	guard := node.NewGuard(s.blobs, s.cache)
	if s.ipfs, err = ipfs.New(running, ipfs.Config{
		Store: guard, Cache: s.cache, Key: seed, Listen: []string{files.Services.Libp2pListen},
		SendRate: files.Services.SendRate, FetchRate: files.Services.FetchRate,
	}); err != nil {
		return nil, fmt.Errorf("start blob node: %w", err)
	}
	peers, err := node.NewPeers(node.PeersConfig{Chain: client, Node: s.ipfs, Log: logger.With("module", "peers")})
	if err != nil {
		return nil, err
	}
	mirror, err := s.newMirror(files, client, guard, peers, logger)
	if err != nil {
		return nil, err
	}
	room := disk{s.blobs, s.cache, mirror}
	if err := ch.metrics.Register(&metrics{chain: storagev1.NewQueryClient(client), custody: custodyv1.NewQueryClient(client), disk: room, ipfs: s.ipfs}); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	replicator, err := node.NewReplicator(node.ReplicatorConfig{
		Chain: client, Store: guard, Copier: s.ipfs, Peers: peers, RepairRate: files.Services.RepairRate, Log: logger.With("module", "replicate"),
	})
	if err != nil {
		return nil, err
	}
	eraser, err := node.NewEraser(node.EraserConfig{
		Chain: client, Guard: guard, Folder: c.Home.Blobs(), BackupDays: files.Services.BackupDays, Log: logger.With("module", "erase"),
	})
	if err != nil {
		return nil, err
	}
	heart, err := node.NewHeart(node.HeartConfig{Chain: client, Disk: room, Log: logger.With("module", "heartbeat")})
	if err != nil {
		return nil, err
	}
	prover, err := newProver(c, client, s.blobs, logger.With("module", "prove"))
	if err != nil {
		return nil, err
	}
	clock := node.NewClock(client, logger.With("module", "clock"))
	// What was erased is deleted before anything is fetched or found missing.
	opened := func(run func(context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error {
			select {
			case <-guard.Opened():
				return run(ctx)
			case <-ctx.Done():
				return nil
			}
		}
	}
	workers := map[string]func(context.Context) error{
		"clock": clock.Run, "peers": peers.Run, "erase": eraser.Run, "heartbeat": heart.Run, "prove": prover.Run, "cache": s.cache.Run, "replicate": opened(replicator.Run),
	}
	if mirror != nil {
		workers["mirror"] = opened(mirror.Run)
	}
	if files.Services.OTLPEndpoint != "" {
		workers["telemetry"] = func(ctx context.Context) error {
			return telemetry.Run(ctx, telemetry.Config{
				Endpoint: files.Services.OTLPEndpoint, Gatherer: ch.metrics, Version: c.Version, Instance: string(ch.node.NodeInfo().ID()),
				Log: logger.With("module", "telemetry"),
			})
		}
	}
	var holder *node.Holder
	if !c.Home.StorageOnly() {
		holder, err = node.NewHolder(node.HolderConfig{Chain: client, Shares: c.Keys, Log: logger.With("module", "release")})
		if err != nil {
			return nil, err
		}
		workers["release"] = holder.Run
		maker, err := node.NewKeyMaker(node.KeyMakerConfig{Chain: client, Store: c.Keys, Log: logger.With("module", "keymaker")})
		if err != nil {
			return nil, err
		}
		workers["keymaker"] = maker.Run
	}
	for name, worker := range workers {
		s.workers.Go(func() {
			if err := worker(running); err != nil {
				failed(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	if !c.Home.StorageOnly() {
		if err := s.startGateway(ctx, c, files, client, guard, peers, replicator, logger, failed); err != nil {
			return nil, err
		}
	}
	collector, err := s.startCollector(running, files, client, mirror, logger, failed)
	if err != nil {
		return nil, err
	}
	if err := s.measure(ch, c, &beside{home: c.Home, peers: peers, replicator: replicator, eraser: eraser, holder: holder, clock: clock}); err != nil {
		return nil, err
	}
	if err := errors.Join(ch.metrics.Register(&upkeep{replicator: replicator, collector: collector}), ch.metrics.Register(cached{s.cache})); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	if err := ch.metrics.Register(mirrored{mirror}); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return s, nil
}

// measure registers what is measured of the chain, of what runs beside it, and of the gateway.
func (s *services) measure(ch *chain, c Config, b *beside) error {
	err := errors.Join(ch.metrics.Register(&chained{chain: ch, version: c.Version}), ch.metrics.Register(b))
	if s.gateway != nil {
		err = errors.Join(err, ch.metrics.Register(s.gateway))
	}
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

// startCollector starts to remove what nobody names, unless it is not to; then the collector is nil. It comes after the gateway,
// which knows the uploads under way.
func (s *services) startCollector(running context.Context, files home.Config, client *node.Client, mirror *node.Mirror, logger *slog.Logger, failed func(error)) (*node.Collector, error) {
	if files.Services.CollectAfter == 0 {
		return nil, nil
	}
	config := node.CollectorConfig{
		Chain: client, Store: s.blobs, Grace: time.Duration(files.Services.CollectAfter) * time.Hour,
		Log: logger.With("module", "collect"),
	}
	if s.gateway != nil {
		config.Uploads = s.gateway
	}
	if mirror != nil {
		config.Mirror = mirror
	}
	collector, err := node.NewCollector(config)
	if err != nil {
		return nil, err
	}
	s.workers.Go(func() {
		if err := collector.Run(running); err != nil {
			failed(err)
		}
	})
	return collector, nil
}

// newClient is the chain as the hospital's node account sees it.
func newClient(c Config, ch *chain, logger *slog.Logger) (*node.Client, error) {
	key, err := c.Keys.Account(home.AccountNode)
	if err != nil {
		return nil, err
	}
	return node.NewClient(node.ClientConfig{
		Conn: ch.conn, Key: key, Bell: ch.bell, Commits: ch.client, StartHeight: &ch.startHeight, Log: logger.With("module", "chain"),
	})
}

// newProver proves what the hospital holds, in the name of its node account.
func newProver(c Config, client *node.Client, store *pack.Store, logger *slog.Logger) (*node.Prover, error) {
	key, err := c.Keys.Account(home.AccountNode)
	if err != nil {
		return nil, err
	}
	former, err := c.Keys.Secp256k1(home.FormerNode)
	if err != nil && !errors.Is(err, keys.ErrNotFound) {
		return nil, err
	}
	return node.NewProver(node.ProverConfig{Chain: client, Store: store, Key: key, Former: former, Log: logger})
}

// startIndex starts the index of the log, which the log's queries ask.
func (s *services) startIndex(running context.Context, c Config, ch *chain) error {
	var err error
	if s.index, err = index.Open(c.Home.Index(), s.entries); err != nil {
		return err
	}
	if err := ch.app.Audit.SetIndex(s.index); err != nil {
		return err
	}
	if err := s.index.Start(running); err != nil {
		return err
	}
	s.workers.Go(func() {
		for {
			rung := ch.bell.Rung()
			s.index.Wake()
			select {
			case <-rung:
			case <-running.Done():
				return
			}
		}
	})
	return nil
}

// startGateway opens the door.
func (s *services) startGateway(ctx context.Context, c Config, files home.Config, client *node.Client, guard *node.Guard, peers *node.Peers, replicator *node.Replicator, logger *slog.Logger, failed func(error)) error {
	proxies, err := gateway.ParseProxies(files.Services.TrustedProxies)
	if err != nil {
		return err
	}
	capsules, err := node.NewCapsules(node.CapsulesConfig{Chain: client, Vault: c.Keys})
	if err != nil {
		return err
	}
	pages, err := web.Pages()
	if err != nil {
		return err
	}
	g, err := gateway.New(gateway.Config{
		Listen: files.Services.GatewayListen, PlainListen: files.Services.PlainListen, Proxies: proxies, CertificateFile: c.Home.GatewayCertificate(), KeyFile: c.Home.GatewayKey(),
		Folder: c.Home.Gateway(), GenesisFile: c.Home.Genesis(),
		RPC:     "http://" + strings.TrimPrefix(files.Comet.RPC.ListenAddress, "tcp://"),
		Origins: files.Services.CORSOrigins, WebhookHosts: files.Services.WebhookHosts, Pages: pages, Version: c.Version,
		OpenMember: openMember, Chain: client, Entries: s.after, Store: guard, Fetcher: peers, Brought: replicator.Brought, Reacher: node.NewReacher(client, isLocal(files.Comet.P2P.ListenAddress)),
		Cache: s.cache, Ready: []func(context.Context) error{guard.Ready, node.DiskReady(s.blobs)}, Capsules: capsules, Peppers: c.Keys, Log: logger.With("module", "gateway"), Limits: c.Limits,
	})
	if err != nil {
		return err
	}
	if err := g.Start(ctx); err != nil {
		return err
	}
	s.gateway = g
	go func() {
		<-g.Done()
		if err := g.Err(); err != nil {
			failed(fmt.Errorf("gateway: %w", err))
		}
	}()
	return nil
}

// after reads so many entries of the log as follow a sequence, for the gateway, which has the messages of the API.
func (s *services) after(ctx context.Context, sequence, count uint64) ([]*auditv1.Entry, error) {
	read, err := s.entries.Entries(ctx, sequence+1, int(count)) // #nosec G115 -- a page
	if err != nil {
		return nil, fmt.Errorf("entries of the log after %d: %w", sequence, err)
	}
	entries := make([]*auditv1.Entry, len(read))
	for i := range read {
		encoded, err := read[i].Marshal()
		if err != nil {
			return nil, fmt.Errorf("entry %d of the log: %w", read[i].Sequence, err)
		}
		entries[i] = new(auditv1.Entry)
		if err := proto.Unmarshal(encoded, entries[i]); err != nil {
			return nil, fmt.Errorf("entry %d of the log: %w", read[i].Sequence, err)
		}
	}
	return entries, nil
}

// isLocal tells whether CometBFT listens where only this machine reaches it, as in a network on one machine.
func isLocal(listen string) bool {
	host, _, err := net.SplitHostPort(strings.TrimPrefix(listen, "tcp://"))
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// openMember reads what a hospital hands in that asks to be admitted.
func openMember(text []byte) (gateway.Candidate, error) {
	_, declared, err := home.ParseMember(text)
	if err != nil {
		return gateway.Candidate{}, err
	}
	return gateway.Candidate{Name: declared.Name, ConsensusKey: declared.ConsensusKey}, nil
}

// stop stops what was started, from the door inwards.
func (s *services) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	var errs []error
	if s.gateway != nil {
		errs = append(errs, s.gateway.Stop(ctx))
	}
	s.end()
	s.workers.Wait()
	if s.ipfs != nil {
		errs = append(errs, s.ipfs.Close())
	}
	if s.blobs != nil {
		errs = append(errs, s.blobs.Close())
	}
	if s.index != nil {
		errs = append(errs, s.index.Stop(ctx))
	}
	return errors.Join(errs...)
}
