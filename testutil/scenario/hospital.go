package scenario

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/app/logs"
	"github.com/phrd/phrd/app/server"
	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/keys"
)

const loopback = "127.0.0.1"

// hospital is one hospital of a network.
type hospital struct {
	network *network
	name    string
	number  uint64
	home    home.Home
	keys    *keys.Store
	offset  int
	limits  gateway.Limits
	url     string // of the gateway
	pin     string // fingerprint of its certificate
	log     *logFile
	door    *http.Client

	server *server.Server // nil while it is stopped
	staff  staff
}

func newHospital(n *network, name string, offset int, limits gateway.Limits) (*hospital, error) {
	made, err := home.Create(filepath.Join(n.dir, name), home.Options{
		Hospital: name, Site: name + " main site", TimeZone: "Europe/Vienna", Host: loopback, Listen: loopback, PortOffset: offset,
		Capacity: capacity, Fast: true, Passphrase: []byte(passphrase), KeyOptions: keyOptions,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	l, err := openLog(filepath.Join(made.Home.Dir(), "phrd.log"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	h := &hospital{
		network: n, name: name, home: made.Home, keys: made.Keys, offset: offset, limits: limits, log: l,
		url: made.Declaration.GatewayUrl, pin: hex.EncodeToString(made.Declaration.GatewayFingerprint),
	}
	h.door = h.newDoor()
	return h, nil
}

// Hospital is one hospital, bound to the test that uses it.
type Hospital struct {
	t testing.TB
	*hospital
}

// Hospital is the hospital of a name: clinic, er, north, south, and in larger networks east, west, lakeside.
func (n *Network) Hospital(name string) *Hospital {
	n.t.Helper()
	h := n.named(name)
	if h == nil {
		n.t.Fatalf("there is no hospital %q", name)
	}
	return &Hospital{n.t, h}
}

// Hospitals are all hospitals.
func (n *Network) Hospitals() []*Hospital {
	all := make([]*Hospital, len(n.hospitals))
	for i, h := range n.hospitals {
		all[i] = &Hospital{n.t, h}
	}
	return all
}

// Name of the hospital.
func (h *Hospital) Name() string { return h.name }

// Number of the member.
func (h *Hospital) Number() uint64 { return h.number }

// Stop stops the hospital's server; what was acknowledged stays in its home.
func (h *Hospital) Stop() {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	if err := h.stop(ctx); err != nil {
		h.t.Fatalf("stop %s: %v", h.name, err)
	}
}

// Start starts the hospital's server again and waits until it is ready.
func (h *Hospital) Start() {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	if err := h.start(ctx); err != nil {
		h.t.Fatalf("start %s: %v", h.name, err)
	}
	if err := h.ready(ctx); err != nil {
		h.t.Fatalf("start %s: %v", h.name, err)
	}
}

// port is the hospital's port of a kind.
func (h *hospital) port(base int) string {
	return net.JoinHostPort(loopback, strconv.Itoa(base+h.offset))
}

// start starts the hospital's server.
func (h *hospital) start(ctx context.Context) error {
	files, err := h.home.Config()
	if err != nil {
		return err
	}
	logger, err := logs.New(h.log, files.Comet.LogLevel, false)
	if err != nil {
		return err
	}
	s, err := server.New(server.Config{
		Home: h.home, Keys: h.keys, Logger: logger, Version: "test", Limits: h.limits,
	})
	if err != nil {
		return err
	}
	if err := s.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	h.server = s
	return nil
}

// ready waits until the hospital says that it can take part.
func (h *hospital) ready(ctx context.Context) error {
	last := errors.New("it was not asked")
	for {
		var state struct {
			Ready   bool     `json:"ready"`
			Reasons []string `json:"reasons"`
		}
		_, body, err := h.get(ctx, "/readyz")
		if err == nil {
			err = json.Unmarshal(body, &state)
		}
		if err == nil && state.Ready {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("not ready: %s", strings.Join(state.Reasons, "; "))
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-h.server.Failed():
			return h.server.Err()
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", last, context.Cause(ctx))
		}
	}
}

// stop stops the hospital's server if it runs.
func (h *hospital) stop(ctx context.Context) error {
	s := h.server
	if s == nil {
		return nil
	}
	h.server = nil
	h.door.CloseIdleConnections()
	failed := s.Err()
	return errors.Join(failed, s.Stop(ctx))
}

// logFile is a hospital's log.
type logFile struct {
	*os.File
	path string
}

func openLog(path string) (*logFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return &logFile{f, path}, err
}

// tail is the end of the log.
func (l *logFile) tail() string {
	content, err := os.ReadFile(l.path)
	if err != nil {
		return err.Error()
	}
	const most = 6000
	return string(content[max(0, len(content)-most):])
}

// In is the hospital as another test sees it, such as a part of one.
func (h *Hospital) In(t testing.TB) *Hospital { return &Hospital{t, h.hospital} }

// In is the network as another test sees it, such as a part of one.
func (n *Network) In(t testing.TB) *Network { return &Network{t, n.network} }

// LoseShare takes the hospital's share of the records key out of its home, until it is found again.
func (h *Hospital) LoseShare() (found func()) {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	name, err := h.activeShare(ctx)
	if err != nil {
		h.t.Fatalf("share of %s: %v", h.name, err)
	}
	share, err := h.keys.Get(name)
	if err == nil {
		err = h.keys.Delete(name)
	}
	if err != nil {
		h.t.Fatalf("lose the share of %s: %v", h.name, err)
	}
	return func() {
		h.t.Helper()
		if err := h.keys.Put(name, share); err != nil {
			h.t.Fatalf("find the share of %s: %v", h.name, err)
		}
	}
}
