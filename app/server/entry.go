package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cosmossdk.io/log/v2"
	cometlog "github.com/cosmos/cosmos-sdk/server/log"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/app/join"
	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/node"
	"github.com/phrd/phrd/x/consortium"
)

const (
	// lookPause is the time between two questions whether the hospital was admitted.
	lookPause = 5 * time.Second
	// lookTime is how long the network may take to answer at a start that does not depend on it.
	lookTime = 15 * time.Second
)

// introduction is who belongs to the network as of a block, before the own state says so: by the genesis, at height 0, or by the word of the members'
// gateways.
type introduction struct {
	height  int64
	members []consortium.Member
	nodes   []consortium.StorageNode
}

// founded is the introduction by a genesis.
func founded(g *home.Genesis) introduction {
	return introduction{members: g.Consortium.Members, nodes: g.Consortium.StorageNodes}
}

// seen is the introduction by a view of the network.
func seen(g *home.Genesis, v *join.View) introduction {
	return introduction{height: v.Height, members: v.Members, nodes: g.Consortium.StorageNodes}
}

// entry takes a server into a network that runs already, before its own parts run: a hospital that joins waits until it is admitted, and whoever has no
// state of the chain yet fetches one, instead of carrying out every block since the first.
type entry struct {
	config  Config
	files   home.Config
	genesis *home.Genesis
	joining home.Joining
	// keys are the consensus keys by which the network may know a hospital that may not be a member yet; none for others.
	keys   [][]byte
	logger log.Logger
	waits  status
	// failed is told that the server must not go on.
	failed func(error)
}

// newEntry returns nil where the server has a state of the chain, or makes the first one with the others.
func newEntry(c Config, files home.Config, genesis *home.Genesis, failed func(error)) (*entry, error) {
	if has, err := c.Home.HasChain(); err != nil || has {
		return nil, err
	}
	founder, err := c.Home.IsFounder(genesis)
	if err != nil {
		return nil, err
	}
	restored, err := c.Home.IsRestored()
	if err != nil {
		return nil, err
	}
	if founder && !restored && !c.Home.StorageOnly() {
		return nil, nil
	}
	e := &entry{config: c, files: files, genesis: genesis, failed: failed, logger: c.Logger.With(log.ModuleKey, "phrd")}
	if e.joining, err = c.Home.ReadJoining(); err != nil {
		return nil, err
	}
	if !founder {
		if e.keys, err = c.Home.ConsensusKeys(); err != nil {
			return nil, err
		}
	}
	e.waits.say("asks the network how far it is")
	return e, nil
}

// look asks the network.
func (e *entry) look(ctx context.Context) (*join.View, error) {
	var further []join.Door
	if e.joining.Gateway != "" {
		further = append(further, join.Door{URL: e.joining.Gateway, Fingerprint: e.joining.Fingerprint})
	}
	return join.Look(ctx, e.genesis, further...)
}

// isOld tells whether the network has blocks enough to have a snapshot.
func (e *entry) isOld(v *join.View) bool {
	interval := int64(e.files.App.StateSync.SnapshotInterval)
	if interval == 0 {
		interval = home.SnapshotInterval
	}
	return v.Height > interval
}

// isNeeded tells whether a server must wait for something before its parts run. Others go on at once, with who they were introduced to.
func (e *entry) isNeeded(ctx context.Context) (bool, introduction) {
	if e.keys != nil {
		return true, founded(e.genesis)
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	view, err := e.look(ctx)
	if err != nil {
		e.logger.Info("no gateway of the network answers: all blocks are read from the first", "err", err)
		return false, founded(e.genesis)
	}
	defer e.close(view)
	return e.isOld(view), seen(e.genesis, view)
}

func (e *entry) close(v *join.View) {
	if err := v.Close(); err != nil {
		e.logger.Debug("close the ways to the gateways", "err", err)
	}
}

// run waits until the hospital is admitted and fetches the state, and returns who the server was introduced to.
func (e *entry) run(ctx context.Context) (introduction, error) {
	view, err := e.admitted(ctx)
	if err != nil {
		return introduction{}, err
	}
	defer e.close(view)
	known := seen(e.genesis, view)
	if !e.isOld(view) {
		e.logger.Info("the network has no snapshot yet: all blocks are read from the first", "height", view.Height)
		return known, nil
	}
	return known, e.fetch(ctx, view, known)
}

// admitted waits until the network answers and the hospital is a member of it.
func (e *entry) admitted(ctx context.Context) (*join.View, error) {
	said := ""
	for {
		view, err := e.look(ctx)
		if err == nil && e.isMember(view) {
			return view, nil
		}
		says := "waits until the hospitals admit it: an administrator of one proposes that (phrd hospital propose admit), then they vote"
		if err != nil {
			says = "reaches no gateway of the network"
		} else {
			e.close(view)
		}
		e.waits.say(says)
		if says != said {
			e.logger.Info("this hospital "+says, "err", err)
			said = says
		}
		if !sleep(ctx, lookPause) {
			return nil, ctx.Err()
		}
	}
}

func (e *entry) isMember(v *join.View) bool {
	if e.keys == nil {
		return true
	}
	return slices.ContainsFunc(e.keys, func(key []byte) bool {
		m, is := v.Member(key)
		return is && m.Status != consortium.MEMBER_STATUS_LEFT
	})
}

// fetch fetches the state. Where that does not work the home is left without one, and all blocks are read; the error is for a home that can't be written,
// and the end of ctx.
func (e *entry) fetch(ctx context.Context, view *join.View, known introduction) error {
	trust, err := join.ParseTrust(e.joining.TrustHeight, e.joining.TrustHash)
	if err != nil {
		return err
	}
	e.waits.say("verifies the newest block")
	provider, err := view.StateProvider(ctx, trust, cometlog.CometLoggerWrapper{Logger: e.config.Logger.With("module", "light")})
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e.logger.Warn("no newer block can be verified: all blocks are read from the first", "err", err,
			"hint", "`phrd join --trust-height --trust-hash` names a newer block that a hospital reads to you")
		return nil
	}
	if err := e.config.Home.BeginFetch(); err != nil {
		return fmt.Errorf("fetch the chain's state: %w", err)
	}
	fetched := e.fetchFrom(ctx, &fetch{provider: provider, waits: &e.waits}, known)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if fetched == nil {
		e.logger.Info("the chain's state was fetched")
		return e.config.Home.EndFetch()
	}
	e.logger.Warn("the chain's state can't be fetched: all blocks are read from the first", "err", fetched)
	return e.config.Home.DropChain()
}

// fetchFrom runs the chain's node alone until it has fetched a state and carried out the block after it.
func (e *entry) fetchFrom(ctx context.Context, f *fetch, known introduction) (err error) {
	ch := &chain{bell: &node.Bell{}, known: known, fetch: f}
	ctx, ch.end = context.WithCancel(ctx)
	defer func() { err = errors.Join(err, ch.stop(context.WithoutCancel(ctx))) }()
	if ch.app, err = openApp(e.config, e.files, e.genesis.ChainID, ch.bell.Ring, ch.unfitFor(e.failed)); err != nil {
		return err
	}
	ch.unadmitted.Store(e.config.Home.StorageOnly())
	ch.app.AdmitPeers(known.height, known.members, known.nodes)
	committed := ch.bell.Rung()
	if err := ch.startNode(ctx, e.config, e.files); err != nil {
		return err
	}
	if e.config.Home.StorageOnly() {
		ch.group.Go(func() { ch.call(ctx, e.config.Logger.With("module", "chain")) })
	}
	return f.wait(ctx, ch, committed)
}

// enter has the server's parts run when an entry is done. It returns at once: that may take as long as a vote.
func (s *Server) enter(ctx context.Context, e *entry) error {
	var lobby *gateway.Lobby
	if !s.config.Home.StorageOnly() {
		var err error
		if lobby, err = gateway.NewLobby(ctx, gateway.LobbyConfig{
			Listen: e.files.Services.GatewayListen, CertificateFile: s.config.Home.GatewayCertificate(), KeyFile: s.config.Home.GatewayKey(),
			Waits: e.waits.said, Log: NewSlog(s.config.Logger).With("module", "gateway"),
		}); err != nil {
			return err
		}
	}
	ctx, s.endEntry = context.WithCancel(context.WithoutCancel(ctx))
	s.entering.Go(func() {
		known, err := e.run(ctx)
		if lobby != nil {
			stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
			defer cancel()
			err = errors.Join(err, lobby.Stop(stopping))
		}
		if err == nil {
			err = s.run(ctx, e.files, e.genesis, known)
		}
		if err != nil && ctx.Err() == nil {
			s.fail(err)
		}
	})
	return nil
}
