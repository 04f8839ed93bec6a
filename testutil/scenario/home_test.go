package scenario_test

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
)

func TestCreate(t *testing.T) {
	homes, members := newHomes(t, 1)
	made := homes[0]
	again, err := home.Open(made.Home.Dir())
	if err != nil {
		t.Fatal(err)
	}
	config, err := again.Config()
	if err != nil {
		t.Fatal(err)
	}
	// Safe defaults: loopback, no discovery, only members connect, bounded queries and transactions.
	for name, ok := range map[string]bool{
		"rpc on loopback":      strings.HasPrefix(config.Comet.RPC.ListenAddress, "tcp://127.0.0.1:"),
		"rpc not unsafe":       !config.Comet.RPC.Unsafe && len(config.Comet.RPC.CORSAllowedOrigins) == 0 && config.Comet.RPC.PprofListenAddress == "",
		"grpc on loopback":     strings.HasPrefix(config.App.GRPC.Address, "127.0.0.1:"),
		"rest on loopback":     strings.HasPrefix(config.App.API.Address, "tcp://127.0.0.1:") && !config.App.API.EnableUnsafeCORS,
		"no peer exchange":     !config.Comet.P2P.PexReactor && !config.Comet.P2P.SeedMode,
		"peers are filtered":   config.Comet.FilterPeers,
		"small transactions":   config.Comet.Mempool.MaxTxBytes == 64<<10,
		"few empty blocks":     !config.Comet.Consensus.CreateEmptyBlocks && config.Comet.Consensus.CreateEmptyBlocksInterval == 5*time.Second,
		"restarts":             config.Comet.Consensus.DoubleSignCheckHeight == 0,
		"bounded queries":      config.App.QueryGasLimit > 0,
		"snapshots":            config.App.StateSync.SnapshotInterval > 0 && config.App.Pruning != "everything",
		"fast":                 config.Comet.Consensus.TimeoutCommit == 100*time.Millisecond && config.Comet.Consensus.TimeoutPropose == 500*time.Millisecond,
		"ports are moved":      config.Services.GatewayListen == "127.0.0.1:8453" && config.Services.Libp2pListen == "/ip4/127.0.0.1/tcp/4011",
		"capacity is declared": config.Services.Capacity == 1<<30,
	} {
		if !ok {
			t.Errorf("not so: %s", name)
		}
	}
	declared, err := members[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(made.Home.GatewayCertificate(), made.Home.GatewayKey())
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := certificate.VerifyHostname("127.0.0.1"); err != nil {
		t.Error(err)
	}
	if fingerprint, err := made.Home.Fingerprint(); err != nil || !bytes.Equal(fingerprint, declared.GatewayFingerprint) {
		t.Errorf("fingerprint %x, declared %x, %v", fingerprint, declared.GatewayFingerprint, err)
	}
	names, err := made.Keys.Names("")
	if err != nil || !slices.Equal(names, []string{"account/admin", "account/node", "libp2p", "round/1-1-1-1/key", "vault/hospital/1"}) {
		t.Errorf("keys %q, %v", names, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	homes, _ := newHomes(t, 1)
	if _, err := home.Create(homes[0].Home.Dir(), options(1)); !errors.Is(err, home.ErrExists) {
		t.Errorf("over another home: %v", err)
	}
	for name, change := range map[string]func(*home.Options){
		"name":     func(o *home.Options) { o.Hospital = "Hospital\n1" },
		"zone":     func(o *home.Options) { o.TimeZone = "Europe/Atlantis" },
		"listen":   func(o *home.Options) { o.Listen = "everywhere" },
		"host":     func(o *home.Options) { o.Host = "Hospital.example" },
		"offset":   func(o *home.Options) { o.PortOffset = 60000 },
		"capacity": func(o *home.Options) { o.Capacity = 1 },
	} {
		o := options(1)
		change(&o)
		dir := filepath.Join(t.TempDir(), "home")
		if _, err := home.Create(dir, o); err == nil {
			t.Errorf("%s: taken", name)
		}
		if left, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(left) != 0 {
			t.Errorf("%s: left behind %v, %v", name, left, err)
		}
	}
	short := options(1)
	short.Passphrase = []byte("short")
	if _, err := home.Create(filepath.Join(t.TempDir(), "home"), short); !errors.Is(err, keys.ErrPassphrase) {
		t.Errorf("short passphrase: %v", err)
	}
}

// A folder that is there, and may be a mount or stand where nobody may write beside it, becomes the home itself, or stays empty.
func TestCreateInAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	same := func() {
		t.Helper()
		if after, err := os.Stat(dir); err != nil || !os.SameFile(before, after) {
			t.Errorf("another folder stands there: %v", err)
		}
		if beside, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(beside) != 1 {
			t.Errorf("beside it: %v, %v", beside, err)
		}
	}
	short := options(1)
	short.Passphrase = []byte("short")
	if _, err := home.Create(dir, short); !errors.Is(err, keys.ErrPassphrase) {
		t.Errorf("short passphrase: %v", err)
	}
	same()
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind %v, %v", left, err)
	}
	made, err := home.Create(dir, options(1))
	if err != nil {
		t.Fatal(err)
	}
	same()
	if _, err := home.Open(dir); err != nil {
		t.Error(err)
	}
	if _, err := made.Keys.Ed25519(keys.Libp2p); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others may look into it: %v, %v", info.Mode(), err)
	}
}

func TestOpenRefuses(t *testing.T) {
	homes, _ := newHomes(t, 1)
	if _, err := home.Open(t.TempDir()); !errors.Is(err, home.ErrNoHome) {
		t.Errorf("an empty folder: %v", err)
	}
	for _, path := range []string{homes[0].Home.ConsensusKey(), homes[0].Home.NodeKey(), homes[0].Home.GatewayKey()} {
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := home.Open(homes[0].Home.Dir()); !errors.Is(err, home.ErrLoose) {
			t.Errorf("%s: %v", path, err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := home.Open(homes[0].Home.Dir()); err != nil {
		t.Error(err)
	}
}

func TestReadMemberRefuses(t *testing.T) {
	homes, _ := newHomes(t, 1)
	text, err := os.ReadFile(homes[0].Home.Member())
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string][]byte
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	for name, field := range fields {
		flipped := map[string][]byte{}
		for other, value := range fields {
			flipped[other] = bytes.Clone(value)
		}
		flipped[name][len(field)/2] ^= 1
		changed, err := json.Marshal(flipped)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "member.json")
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err = home.ReadMember(path)
		if !errors.Is(err, consortium.ErrBadSignature) && !errors.Is(err, consortium.ErrInvalidDeclaration) {
			t.Errorf("%s flipped: %v", name, err)
		}
	}
	for _, content := range []string{"", "{", "[]", `{"declaration":1}`, strings.Repeat(" ", 1<<20)} {
		path := filepath.Join(t.TempDir(), "member.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := home.ReadMember(path); !errors.Is(err, home.ErrDamaged) {
			t.Errorf("%.20q: %v", content, err)
		}
	}
}

func TestAssembleGivesOneNetworkInAnyOrder(t *testing.T) {
	_, members := newHomes(t, 4)
	one, err := home.Assemble("phrd-1", genesisDay, members)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(members)
	two, err := home.Assemble("phrd-1", genesisDay, members)
	if err != nil {
		t.Fatal(err)
	}
	if one.ID != two.ID {
		t.Error("the network id depends on the order")
	}
	if !bytes.Equal(one.Genesis, two.Genesis) {
		t.Errorf("the genesis depends on the order:\n%s\n%s", one.Genesis, two.Genesis)
	}
	if again, err := home.Assemble("phrd-1", genesisDay, members); err != nil || again.Hash != one.Hash {
		t.Errorf("the same inputs give another genesis: %v", err)
	}
	other, err := home.Assemble("phrd-1", genesisDay.Add(time.Second), members)
	if err != nil || other.ID == one.ID {
		t.Errorf("another time gives the same network: %v", err)
	}
}

// withDealtKey is a genesis as older programs made it, of a network whose key somebody dealt.
func withDealtKey(t *testing.T, genesis []byte, members uint64) []byte {
	t.Helper()
	var file map[string]any
	if err := json.Unmarshal(genesis, &file); err != nil {
		t.Fatal(err)
	}
	state, ok := file["app_state"].(map[string]any)
	if !ok {
		t.Fatal("genesis without state")
	}
	threshold := custody.Threshold(custody.KEY_KIND_RECORDS, members)
	var numbers []uint64
	for n := range members {
		numbers = append(numbers, n+1)
	}
	dealt, err := lock.Deal(threshold, numbers, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const kind = "KEY_KIND_RECORDS"
	var holders []any
	for _, h := range dealt.Holders {
		holders = append(holders, map[string]any{
			"kind": kind, "generation": "1", "share_epoch": "1", "index": number(h.Index), "public_share": h.X.Bytes(), "confirmed": true,
		})
	}
	state[custody.ModuleName] = map[string]any{"params": map[string]any{"rank_delay": "3"}, "holders": holders, "keys": []any{map[string]any{
		"kind": kind, "generation": "1", "public_key": dealt.X.Bytes(), "origin": "ORIGIN_DEALT", "threshold": number(threshold), "share_epoch": "1",
	}}}
	encoded, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func TestAssembleRefuses(t *testing.T) {
	_, members := newHomes(t, 2)
	if _, err := home.Assemble("phrd-1", genesisDay, append(members, members[0])); !errors.Is(err, consortium.ErrKnownKey) {
		t.Errorf("one hospital twice: %v", err)
	}
	if _, err := home.Assemble("phrd-1", genesisDay, nil); !errors.Is(err, consortium.ErrInvalidGenesis) {
		t.Errorf("no hospital: %v", err)
	}
	for _, id := range []string{"", "Phrd", "phrd 1", strings.Repeat("a", 33)} {
		if _, err := home.Assemble(id, genesisDay, members); err == nil {
			t.Errorf("chain id %q is taken", id)
		}
	}
}

// written is a network in a folder.
type written struct {
	genesis, hash string
}

func write(t *testing.T, n *home.Network) written {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "network")
	genesis, err := n.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Write(dir); !errors.Is(err, home.ErrExists) {
		t.Fatalf("written over: %v", err)
	}
	return written{genesis, home.HashText(n.Hash)}
}

func TestAccept(t *testing.T) {
	homes, network := newNetwork(t, 4)
	w := write(t, network)
	for i, made := range homes {
		g, member, err := made.Home.Accept(made.Keys, w.genesis, w.hash)
		if err != nil {
			t.Fatal(err)
		}
		if member.Number != uint64(i+1) || g.ID != network.ID {
			t.Errorf("hospital %d is number %d of %x", i+1, member.Number, g.ID)
		}
		if _, err := made.Keys.KeptRoundSecret(keys.FirstRound, keys.RoundKey); err != nil {
			t.Errorf("the key for the first round: %v", err)
		}
		// Once more changes nothing.
		if _, _, err := made.Home.Accept(made.Keys, w.genesis, w.hash); err != nil {
			t.Errorf("again: %v", err)
		}
		var door home.Door
		text, err := os.ReadFile(made.Home.Client())
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &door); err != nil {
			t.Fatal(err)
		}
		if door.ChainID != "phrd-test" || door.NetworkID != fmt.Sprintf("%x", network.ID[:]) || door.Gateway != member.GatewayUrl {
			t.Errorf("client.json %+v", door)
		}
	}
}

func TestAcceptRefuses(t *testing.T) {
	homes, network := newNetwork(t, 2)
	w := write(t, network)
	strangers, _ := newHomes(t, 1)
	_, otherNetwork := newNetwork(t, 1)
	other := write(t, otherNetwork)
	made := homes[0]

	damaged := filepath.Join(t.TempDir(), "genesis.json")
	if err := os.WriteFile(damaged, bytes.Replace(network.Genesis, []byte(`"since"`), []byte(`"sinze"`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	dealt := filepath.Join(t.TempDir(), "genesis.json")
	if err := os.WriteFile(dealt, withDealtKey(t, network.Genesis, 2), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := home.ReadGenesis(dealt)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name          string
		home          *home.Created
		genesis, hash string
		want          error
	}{
		{"another hash", made, w.genesis, other.hash, home.ErrWrongHash},
		{"another network", made, other.genesis, other.hash, home.ErrWrongGenesis},
		{"no member", strangers[0], w.genesis, w.hash, home.ErrWrongGenesis},
		{"damaged genesis", made, damaged, w.hash, home.ErrWrongGenesis},
		{"a key of which it should have a share", made, dealt, home.HashText(read.Hash), home.ErrWrongShare},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, err := c.home.Home.Accept(c.home.Keys, c.genesis, c.hash); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if _, err := os.Stat(c.home.Home.Genesis()); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the genesis was accepted all the same: %v", err)
			}
		})
	}
	if _, _, err := made.Home.Accept(made.Keys, w.genesis, w.hash); err != nil {
		t.Fatal(err)
	}
}
