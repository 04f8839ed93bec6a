package scenario

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/wallet"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/storage"
)

const (
	// ChainID of every network of this package.
	ChainID = "phrd-test-1"
	// StepTime is how long one step of a story may take before it counts as failed.
	StepTime = 2 * time.Minute
	// startTime is how long a network may take until every hospital is ready.
	startTime = 2 * time.Minute

	// storiesAtOnce is how many stories are told at the same time: they mostly wait for blocks.
	storiesAtOnce = 8
	// networksAtOnce is how many networks of their own stories have at the same time, beside the shared one.
	networksAtOnce = 3

	passphrase = "a passphrase for tests"
	capacity   = 4 << 30
)

// names of hospitals, by number.
var names = []string{"clinic", "er", "north", "south", "east", "west", "lakeside"}

// Option changes the network that [New] starts.
type Option func(*settings)

type settings struct {
	hospitals   int
	limits      gateway.Limits
	emptyBlocks time.Duration
	snapshots   int
	storage     []func(*storage.Params)
	open        uint32
	window      time.Duration
	delay       time.Duration
	absent      []string
}

// Hospitals sets the number of hospitals, 4 to 7; 4 without it.
func Hospitals(n int) Option { return func(s *settings) { s.hospitals = n } }

// Absent names hospitals whose servers are not started. The others then make the records key in a while: nobody waits for it.
func Absent(names ...string) Option { return func(s *settings) { s.absent = names } }

// Limits sets what the gateways allow; without it they allow more than a story asks.
func Limits(l gateway.Limits) Option { return func(s *settings) { s.limits = l } }

// generous limits let one machine play many people.
func generous() gateway.Limits {
	plenty := gateway.Rate{Burst: 100_000, Count: 10_000, Per: time.Second}
	return gateway.Limits{
		Requests: plenty, Logins: plenty, Openings: plenty, AccountRequests: plenty, AccountRefusals: plenty,
		AccountBlocks: gateway.Rate{Burst: 1 << 30, Count: 1 << 30, Per: time.Hour},
		Sessions:      256, ConnectionsPerAddress: 2048,
		ReportQuiet: 100 * time.Millisecond, SessionReports: time.Second,
	}
}

// Network is a running network, bound to the test that uses it.
type Network struct {
	t testing.TB
	*network
}

// network is a running network.
type network struct {
	dir       string
	id        lock.Network
	genesis   string // path
	auditor   *wallet.Key
	hospitals []*hospital

	// done is the height up to which the steps of all stories were done.
	done atomic.Int64

	mu     sync.Mutex
	people []*person
}

// running has a place for each network that New may start.
var running = make(chan struct{}, networksAtOnce)

// New starts a network for a test and stops it when the test ends.
func New(t testing.TB, options ...Option) *Network {
	t.Helper()
	running <- struct{}{}
	t.Cleanup(func() { <-running })
	n, err := start(t.Context(), t.TempDir(), options...)
	if err != nil {
		t.Fatalf("start a network: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			n.tellLogs(t)
		}
		if err := n.stop(); err != nil {
			t.Errorf("stop the network: %v", err)
		}
	})
	return &Network{t: t, network: n}
}

var shared struct {
	sync.Mutex
	network *network
	err     error
}

// Join lends a test the network that the tests of a binary share. It starts with the first of them and runs until [Main] ends.
// A test that stops a hospital there starts it again.
func Join(t testing.TB) *Network {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.network == nil && shared.err == nil {
		// It outlives the test that starts it, and so does its folder.
		dir, err := os.MkdirTemp("", "phrd-scenario-") //nolint:usetesting // removed by Main
		if err == nil {
			shared.network, err = start(context.WithoutCancel(t.Context()), dir)
		}
		shared.err = err
	}
	if shared.err != nil {
		t.Fatalf("start the shared network: %v", shared.err)
	}
	n := &Network{t: t, network: shared.network}
	t.Cleanup(func() {
		if t.Failed() {
			n.tellLogs(t)
		}
	})
	return n
}

// Main runs the tests of a binary, stops the shared network and removes its folder. It returns the exit code.
func Main(m *testing.M) int {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		if err := f.Value.Set(strconv.Itoa(storiesAtOnce)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.network == nil {
		return code
	}
	err := errors.Join(shared.network.stop(), os.RemoveAll(shared.network.dir))
	if err != nil {
		fmt.Fprintf(os.Stderr, "stop the shared network: %v\n", err)
		return max(code, 1)
	}
	return code
}

// start makes the homes, assembles the network, and starts every hospital until all are ready.
func start(ctx context.Context, dir string, options ...Option) (_ *network, err error) {
	set := settings{hospitals: 4, limits: generous()}
	for _, o := range options {
		o(&set)
	}
	if set.hospitals < 4 || set.hospitals > len(names) {
		return nil, fmt.Errorf("%d hospitals, 4 to %d", set.hospitals, len(names))
	}
	n := &network{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.stop())
		}
	}()
	offsets, err := freePorts(set.hospitals)
	if err != nil {
		return nil, err
	}
	for i, offset := range offsets {
		h, err := newHospital(n, names[i], offset, set.limits)
		if err != nil {
			return nil, err
		}
		n.hospitals = append(n.hospitals, h)
		if set.emptyBlocks != 0 {
			if err := h.setEmptyBlocks(set.emptyBlocks); err != nil {
				return nil, fmt.Errorf("%s: %w", h.name, err)
			}
		}
		if set.snapshots != 0 {
			if err := h.setSnapshots(set.snapshots); err != nil {
				return nil, fmt.Errorf("%s: %w", h.name, err)
			}
		}
	}
	if err := n.assemble(set); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	return n, n.each(func(h *hospital) error {
		if slices.Contains(set.absent, h.name) {
			return nil
		}
		if err := h.start(ctx); err != nil {
			return err
		}
		if err := h.ready(ctx); err != nil || len(set.absent) > 0 {
			return err
		}
		return h.awaitKeys(ctx)
	})
}

// assemble makes the genesis of the hospitals' declarations, which each of them accepts, and numbers them.
func (n *network) assemble(set settings) error {
	var members []consortium.SignedDeclaration
	for _, h := range n.hospitals {
		signed, _, err := home.ReadMember(h.home.Member())
		if err != nil {
			return err
		}
		members = append(members, signed)
	}
	assembled, err := home.Assemble(ChainID, time.Now().Add(-time.Second), members)
	if err != nil {
		return err
	}
	if err := n.appoint(assembled); err != nil {
		return err
	}
	if len(set.storage) > 0 || set.window != 0 || set.open != 0 || set.delay != 0 {
		if err := setRules(assembled, set); err != nil {
			return err
		}
	}
	n.id = assembled.ID
	genesis, err := assembled.Write(filepath.Join(n.dir, "network"))
	if err != nil {
		return err
	}
	n.genesis = genesis
	for _, m := range assembled.Consortium.Members {
		h := n.named(m.Name)
		h.number = m.Number
		if _, _, err := h.home.Accept(h.keys, genesis, home.HashText(assembled.Hash)); err != nil {
			return fmt.Errorf("%s: %w", h.name, err)
		}
	}
	return nil
}

func (n *network) named(name string) *hospital {
	for _, h := range n.hospitals {
		if h.name == name {
			return h
		}
	}
	return nil
}

// each does something for all hospitals at the same time.
func (n *network) each(do func(*hospital) error) error {
	errs := make([]error, len(n.hospitals))
	var all sync.WaitGroup
	for i, h := range n.hospitals {
		all.Go(func() {
			if err := do(h); err != nil {
				errs[i] = fmt.Errorf("%s: %w", h.name, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// stop stops every hospital that runs, and everybody's connections.
func (n *network) stop() error {
	n.mu.Lock()
	people := n.people
	n.people = nil
	n.mu.Unlock()
	var errs []error
	for _, p := range people {
		errs = append(errs, p.client.Close())
	}
	ctx, cancel := context.WithTimeout(context.Background(), StepTime)
	defer cancel()
	return errors.Join(append(errs, n.each(func(h *hospital) error { return h.stop(ctx) }))...)
}

// tellLogs shows the end of each hospital's log.
func (n *network) tellLogs(t testing.TB) {
	t.Helper()
	for _, h := range n.hospitals {
		t.Logf("the end of the log of %s:\n%s", h.name, h.log.tail())
	}
}

// keyOptions make opening a home cheap.
var keyOptions = []keys.Option{keys.WithWorkFactor(1)}

// ID is the network's id, which every hash of its cryptography binds.
func (n *Network) ID() lock.Network { return n.id }

// Stop stops every hospital of a network that [New] has started.
func (n *Network) Stop() {
	n.t.Helper()
	if err := n.stop(); err != nil {
		n.t.Fatalf("stop the network: %v", err)
	}
}
