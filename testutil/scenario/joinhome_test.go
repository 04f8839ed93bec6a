package scenario_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cometlog "github.com/cometbft/cometbft/libs/log"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/app/join"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
)

// newcomer is the home of a hospital that founded nothing, and the genesis of a network of others.
func newcomer(t *testing.T) (home.Home, []byte, string) {
	t.Helper()
	_, network := newNetwork(t, 2)
	w := write(t, network)
	text, err := os.ReadFile(w.genesis)
	if err != nil {
		t.Fatal(err)
	}
	others, _ := newHomes(t, 1)
	return others[0].Home, text, w.hash
}

func TestJoinHome(t *testing.T) {
	h, text, hash := newcomer(t)
	found := home.Joining{Gateway: "https://phrd.example.org:8443", Fingerprint: strings.Repeat("0a", 32)}
	refusal := errors.New("not this one")
	for _, test := range []struct {
		name  string
		text  []byte
		hash  string
		check func(*home.Genesis) error
		want  error
	}{
		{"another hash", text, strings.Repeat("0", 64), nil, home.ErrWrongHash},
		{"another text", append(slices.Clone(text), ' '), hash, nil, home.ErrWrongHash},
		{"refused by who looked at it", text, hash, func(*home.Genesis) error { return refusal }, refusal},
	} {
		if _, err := h.Join(test.text, test.hash, found, test.check); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
		if _, err := os.Stat(h.Genesis()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the genesis was written: %v", test.name, err)
		}
	}
	for range 2 { // it may be repeated
		if g, err := h.Join(text, strings.ToUpper(hash), found, nil); err != nil || len(g.Consortium.Members) != 2 {
			t.Fatalf("join: %v", err)
		}
	}
	if got, err := h.ReadJoining(); err != nil || got != found {
		t.Errorf("join.json says %+v, %v", got, err)
	}
	_, other, otherHash := newcomer(t)
	if _, err := h.Join(other, otherHash, found, nil); !errors.Is(err, home.ErrExists) {
		t.Errorf("a second network: %v", err)
	}
	if err := os.WriteFile(filepath.Join(h.Dir(), "config", "join.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ReadJoining(); !errors.Is(err, home.ErrDamaged) {
		t.Errorf("half a join.json: %v", err)
	}
}

// One of the first members accepts the genesis, and does not join.
func TestFounderDoesNotJoin(t *testing.T) {
	homes, network := newNetwork(t, 2)
	w := write(t, network)
	text, err := os.ReadFile(w.genesis)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := homes[0].Home.Join(text, w.hash, home.Joining{}, nil); !errors.Is(err, home.ErrFounder) {
		t.Errorf("got %v, want %v", err, home.ErrFounder)
	}
}

func TestFetchThatBrokeOff(t *testing.T) {
	h, _, _ := newcomer(t)
	has := func(want bool) {
		t.Helper()
		if got, err := h.HasChain(); err != nil || got != want {
			t.Errorf("it has a chain: %t, %v", got, err)
		}
	}
	has(false)
	backed := time.Unix(1_700_000_000, 0).UTC()
	if err := h.NoteBackup(backed); err != nil {
		t.Fatal(err)
	}
	signed, err := os.ReadFile(h.ConsensusState())
	if err != nil {
		t.Fatal(err)
	}
	half := func() {
		for _, name := range []string{"blockstore.db", "application.db", "snapshots/7"} {
			if err := os.MkdirAll(filepath.Join(h.Data(), name), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := h.BeginFetch(); err != nil {
		t.Fatal(err)
	}
	half()
	has(false)
	if left, err := os.ReadDir(h.Data()); err != nil || len(left) != 2 {
		t.Errorf("what is left of a fetch that broke off: %v, %v", left, err)
	}
	if still, err := os.ReadFile(h.ConsensusState()); err != nil || !bytes.Equal(still, signed) {
		t.Errorf("what the validator signed last: %s, %v", still, err)
	}
	if still, err := h.LastBackup(); err != nil || !still.Equal(backed) {
		t.Errorf("when it was backed up last: %s, %v", still, err)
	}
	// The twin: one that ended stays.
	if err := h.BeginFetch(); err != nil {
		t.Fatal(err)
	}
	half()
	if err := h.EndFetch(); err != nil {
		t.Fatal(err)
	}
	has(true)
}

func TestParseTrust(t *testing.T) {
	hash := strings.Repeat("0a", 32)
	for _, test := range []struct {
		name   string
		height int64
		hash   string
		want   error
	}{
		{"the genesis", 0, "", nil},
		{"a block", 7, hash, nil},
		{"no hash", 7, "", join.ErrTrust},
		{"no height", 0, hash, join.ErrTrust},
		{"a negative height", -7, hash, join.ErrTrust},
		{"half a hash", 7, hash[:32], join.ErrTrust},
		{"no hex", 7, strings.Repeat("x", 64), join.ErrTrust},
	} {
		if got, err := join.ParseTrust(test.height, test.hash); !errors.Is(err, test.want) || err == nil && (got.Height != test.height || len(got.Hash) != len(test.hash)/2) {
			t.Errorf("%s: %v, %v", test.name, got, err)
		}
	}
}

// What the gateways show of blocks is taken only where it is of the network of the genesis.
func TestOnlyTheNetworkOfTheGenesisIsVerified(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	height := net.Height()
	genesis := func() *home.Genesis {
		g, err := home.ReadGenesis(net.GenesisFile())
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	stranger, _, _ := newcomer(t)
	_, declared, err := home.ReadMember(stranger.Member())
	if err != nil {
		t.Fatal(err)
	}
	verify := func(g *home.Genesis, trust join.Trust) error {
		view, err := join.Look(t.Context(), g)
		if err != nil {
			return err
		}
		defer func() {
			if err := view.Close(); err != nil {
				t.Error(err)
			}
		}()
		if view.Height < height || len(view.Members) != 4 {
			t.Errorf("it shows height %d, want %d or more, and %d members", view.Height, height, len(view.Members))
		}
		provider, err := view.StateProvider(t.Context(), trust, cometlog.NewNopLogger())
		if err != nil {
			return err
		}
		_, err = provider.AppHash(t.Context(), 1)
		if err == nil {
			_, err = provider.State(t.Context(), uint64(height-2))
		}
		return err
	}
	known, err := net.BlockHash(2)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*home.Genesis)
		trust  join.Trust
		want   error // nil: it is verified
	}{
		{"the genesis", func(*home.Genesis) {}, join.Trust{}, nil},
		{"a block that was read out", func(g *home.Genesis) { g.Time = g.Time.Add(-2 * join.TrustPeriod) }, join.Trust{Height: 2, Hash: known}, nil},
		{"one gateway, which names the others", func(g *home.Genesis) {
			for i := range g.Consortium.Members[1:] {
				g.Consortium.Members[i+1].GatewayFingerprint = declared.GatewayFingerprint
			}
		}, join.Trust{}, nil},
		{"another validator", func(g *home.Genesis) { g.Consortium.Members[1].ConsensusKey = declared.ConsensusKey }, join.Trust{}, join.ErrNotOfGenesis},
		{"one validator less", func(g *home.Genesis) { g.Consortium.Members[1].Status++ }, join.Trust{}, join.ErrNotOfGenesis},
		{"other parameters", func(g *home.Genesis) { g.Params.Block.MaxGas++ }, join.Trust{}, join.ErrNotOfGenesis},
		{"a first block of long ago", func(g *home.Genesis) { g.Time = time.Now().Add(-join.TrustPeriod) }, join.Trust{}, join.ErrTrustExpired},
		{"another chain", func(g *home.Genesis) { g.ChainID = "phrd-test-2" }, join.Trust{}, phr.ErrNetwork},
		{"other gateways' keys", func(g *home.Genesis) {
			for i := range g.Consortium.Members {
				g.Consortium.Members[i].GatewayFingerprint = declared.GatewayFingerprint
			}
		}, join.Trust{}, phr.ErrUnreachable},
	} {
		g := genesis()
		test.change(g)
		if err := verify(g, test.trust); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
	if err := verify(genesis(), join.Trust{Height: 2, Hash: make([]byte, 32)}); err == nil {
		t.Error("a block with another hash than was read out is verified")
	}
}
