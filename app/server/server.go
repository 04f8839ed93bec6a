// Package server runs one hospital's server: the chain's node, and around it everything that reads the chain and stands for the
// hospital: the blob store and its network, the workers that copy blobs and give shares, the index of the log, and the gateway. From the
// home of a further storage node it runs the chain's node, the blob store and the workers that keep blobs.
package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"cosmossdk.io/log/v2"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"golang.org/x/sys/unix"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/keys"
)

var (
	// ErrPortInUse says that another program listens on a port that the server needs.
	ErrPortInUse = errors.New("port is in use")
	// ErrRunning says that another process runs this home.
	ErrRunning = errors.New("this home is running already")
)

// stopTime is how long each part of a server may take to stop.
const stopTime = 10 * time.Second

// Config is what a server is made of.
type Config struct {
	// Home is the server's folder.
	Home home.Home
	// Keys are the home's keys.
	Keys *keys.Store
	// Logger is told what happens.
	Logger log.Logger
	// Version of the program, which the gateway tells.
	Version string
	// SignAtOnce has a validator sign whose home was just restored from a backup. It is for a network that stands still without it; who says so
	// knows that no other server signs with its key.
	SignAtOnce bool
	// Limits bound what callers of the gateway may ask; zero fields take their defaults.
	Limits gateway.Limits
}

// Server is one hospital's server.
type Server struct {
	config Config
	lock   *os.File

	chain    *chain
	services *services

	// endEntry ends what runs in entering: the server's way into a network that runs already.
	endEntry context.CancelFunc
	entering sync.WaitGroup

	mu     sync.Mutex // of services while the server enters a network, and of what follows
	failed chan struct{}
	err    error
}

// New prepares a server. Nothing runs and no port is taken before Start.
func New(c Config) (*Server, error) {
	if c.Keys == nil || c.Logger == nil {
		return nil, errors.New("server needs keys and a logger")
	}
	return &Server{config: c, failed: make(chan struct{}), endEntry: func() {}}, nil
}

// Start starts everything and returns when the gateway listens; the chain may still wait for other hospitals, or, on a further storage
// node, for the hospital to register it. Where the home has no state of a chain that runs already, it returns before most parts run, and the gateway's
// /readyz says what the server waits for. Errors are
// home.ErrNoGenesis, ErrRunning, ErrPortInUse, and those of the parts; then nothing is left running.
func (s *Server) Start(ctx context.Context) (err error) {
	files, err := s.config.Home.Config()
	if err != nil {
		return err
	}
	genesis, err := home.ReadGenesis(s.config.Home.Genesis())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", s.config.Home.Dir(), home.ErrNoGenesis)
	}
	if err != nil {
		return err
	}
	if s.lock, err = LockHome(s.config.Home); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			// The context of the start may be over; what runs is stopped all the same.
			err = errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
		}
	}()
	if err := checkPorts(ctx, files); err != nil {
		return err
	}
	e, err := newEntry(s.config, files, genesis, s.fail)
	if err != nil {
		return err
	}
	if e == nil {
		return s.run(ctx, files, genesis, founded(genesis))
	}
	needed, known := e.isNeeded(ctx)
	if needed {
		return s.enter(ctx, e)
	}
	return s.run(ctx, files, genesis, known)
}

// run starts the parts of the server. Where it fails Stop stops those that run.
func (s *Server) run(ctx context.Context, files home.Config, genesis *home.Genesis, known introduction) (err error) {
	if s.chain, err = startChain(ctx, s.config, files, genesis, known, s.fail); err != nil {
		return err
	}
	services, err := startServices(ctx, s.config, files, s.chain, s.fail)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.services = services
	s.mu.Unlock()
	chain := s.chain.node
	go func() {
		<-chain.Quit()
		s.fail(errors.New("the chain's node stopped by itself"))
	}()
	logger := s.config.Logger.With(log.ModuleKey, "phrd")
	if s.config.Home.StorageOnly() {
		logger.Info("storage node is up", "home", s.config.Home.Dir(), "blobs", files.Services.Libp2pListen)
	} else {
		logger.Info("hospital's server is up", "home", s.config.Home.Dir(), "gateway", files.Services.GatewayListen)
	}
	return nil
}

// Reload reads anew what may change while a server runs: the certificate of its gateway. On an error all stays as it was.
func (s *Server) Reload() error {
	s.mu.Lock()
	services := s.services
	s.mu.Unlock()
	if services == nil || services.gateway == nil {
		return nil
	}
	return services.gateway.Reload()
}

// Failed is closed when a part stopped by itself; Err then says why.
func (s *Server) Failed() <-chan struct{} { return s.failed }

// Err says why a part stopped by itself, and is nil while none did.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *Server) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		close(s.failed)
	}
}

// Stop stops everything in the reverse order of Start: first the gateway, so that nobody starts anything, last the chain.
// What was acknowledged stays. It may be called when Start failed.
func (s *Server) Stop(ctx context.Context) error {
	var errs []error
	s.endEntry()
	s.entering.Wait()
	if s.chain != nil {
		s.chain.stopping.Store(true)
	}
	if s.services != nil {
		errs = append(errs, s.services.stop(ctx))
		s.services = nil
	}
	if s.chain != nil {
		errs = append(errs, s.chain.stop(ctx))
		s.chain = nil
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
		s.lock = nil
	}
	return errors.Join(errs...)
}

// LockHome keeps other processes out of a home until the file is closed or this process ends, however it ends. The error is ErrRunning where
// another one is in it.
func LockHome(h home.Home) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(h.Data(), "LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock home: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrRunning
		}
		return nil, errors.Join(fmt.Errorf("%s: %w", h.Dir(), err), f.Close())
	}
	return f, nil
}

// checkPorts listens on every port that the server needs for a moment, so that one that is taken is reported by its setting before
// anything runs.
func checkPorts(ctx context.Context, files home.Config) error {
	for _, p := range []struct{ setting, address string }{
		{"config.toml [p2p] laddr", strings.TrimPrefix(files.Comet.P2P.ListenAddress, "tcp://")},
		{"config.toml [rpc] laddr", strings.TrimPrefix(files.Comet.RPC.ListenAddress, "tcp://")},
		{"app.toml [grpc] address", files.App.GRPC.Address},
		{"app.toml [api] address", strings.TrimPrefix(files.App.API.Address, "tcp://")},
		{"app.toml [phrd] libp2p_listen", files.Services.Libp2pListen},
		{"app.toml [phrd] gateway_listen", files.Services.GatewayListen},
		{"app.toml [phrd] gateway_plain_listen", files.Services.PlainListen},
	} {
		address := p.address
		if address == "" { // a storage node has no gateway, and few have a proxy
			continue
		}
		if strings.HasPrefix(address, "/") {
			parsed, err := multiaddr.NewMultiaddr(address)
			if err != nil {
				return fmt.Errorf("%s: %w", p.setting, err)
			}
			at, err := manet.ToNetAddr(parsed)
			if err != nil {
				return fmt.Errorf("%s: %w", p.setting, err)
			}
			address = at.String()
		}
		var listen net.ListenConfig
		l, err := listen.Listen(ctx, "tcp", address)
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("%s: %s: %w", p.setting, address, ErrPortInUse)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.setting, err)
		}
		if err := l.Close(); err != nil {
			return fmt.Errorf("%s: %w", p.setting, err)
		}
	}
	return nil
}
