package scenario_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/x/consortium"
)

func nodeOptions(w written) home.NodeOptions {
	return home.NodeOptions{
		Genesis: w.genesis, Hash: w.hash, Hospital: "Hospital 02", Site: 3, Host: "store.example.org", Listen: "127.0.0.1", PortOffset: 70,
		Capacity: 1 << 30, Passphrase: passphrase, KeyOptions: []keys.Option{keys.WithWorkFactor(2)},
	}
}

// newNodeHome makes a network of two hospitals, and the home of a storage node of the second.
func newNodeHome(t *testing.T) (*home.CreatedNode, written) {
	t.Helper()
	_, network := newNetwork(t, 2)
	w := write(t, network)
	made, err := home.CreateNode(filepath.Join(t.TempDir(), "node"), nodeOptions(w))
	if err != nil {
		t.Fatal(err)
	}
	return made, w
}

func TestCreateNode(t *testing.T) {
	made, _ := newNodeHome(t)
	h, err := home.Open(made.Home.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if !h.StorageOnly() || !made.Home.StorageOnly() {
		t.Error("it is not known as a storage node's home")
	}
	config, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	for name, ok := range map[string]bool{
		"nobody calls the chain's node": config.Comet.P2P.ListenAddress == "tcp://127.0.0.1:26726" && config.Comet.P2P.ExternalAddress == "",
		"others call the blob node":     config.Services.Libp2pListen == "/ip4/127.0.0.1/tcp/4071",
		"filtered":                      config.Comet.FilterPeers,
		"no gateway":                    config.Services.GatewayListen == "",
		"little of the past":            config.App.MinRetainBlocks > 0 && config.App.Pruning == "custom" && config.App.PruningKeepRecent == "100",
		"no snapshots":                  config.App.StateSync.SnapshotInterval == 0,
	} {
		if !ok {
			t.Errorf("not so: %s", name)
		}
	}
	names, err := made.Keys.Names("")
	if err != nil || !slices.Equal(names, []string{"account/node", "libp2p"}) {
		t.Errorf("keys %q, %v", names, err)
	}
	for _, path := range []string{h.ConsensusKey(), h.ConsensusState(), h.GatewayKey(), h.Member(), h.Index(), h.Gateway()} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
	d, err := home.ReadNode(h.Node())
	if err != nil {
		t.Fatal(err)
	}
	if d.Member != 2 || d.Site != 3 || d.Address != "/dns/store.example.org/tcp/4071" || !bytes.Equal(d.NetworkId, made.Genesis.ID[:]) {
		t.Errorf("node.json %+v", d)
	}
	if g, err := home.ReadGenesis(h.Genesis()); err != nil || g.Hash != made.Genesis.Hash {
		t.Errorf("genesis: %v", err)
	}
	if err := os.Chmod(h.NodeKey(), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := home.Open(h.Dir()); !errors.Is(err, home.ErrLoose) {
		t.Errorf("loose: %v", err)
	}
}

func TestCreateNodeRefuses(t *testing.T) {
	made, w := newNodeHome(t)
	if _, err := home.CreateNode(made.Home.Dir(), nodeOptions(w)); !errors.Is(err, home.ErrExists) {
		t.Errorf("over another home: %v", err)
	}
	for _, test := range []struct {
		name   string
		change func(*home.NodeOptions)
		want   error
	}{
		{"another hash", func(o *home.NodeOptions) { o.Hash = strings.Repeat("0", 64) }, home.ErrWrongHash},
		{"no hospital", func(o *home.NodeOptions) { o.Hospital = "Hospital 03" }, home.ErrWrongGenesis},
		{"no hospital's number", func(o *home.NodeOptions) { o.Hospital = "3" }, home.ErrWrongGenesis},
		{"no site", func(o *home.NodeOptions) { o.Site = 0 }, consortium.ErrInvalidDeclaration},
		{"no capacity", func(o *home.NodeOptions) { o.Capacity = 0 }, consortium.ErrInvalidDeclaration},
		{"no host", func(o *home.NodeOptions) { o.Host = "Store.example" }, consortium.ErrInvalidDeclaration},
		{"short passphrase", func(o *home.NodeOptions) { o.Passphrase = []byte("short") }, keys.ErrPassphrase},
	} {
		o, dir := nodeOptions(w), filepath.Join(t.TempDir(), "node")
		test.change(&o)
		if _, err := home.CreateNode(dir, o); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
		if left, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(left) != 0 {
			t.Errorf("%s: left behind %v, %v", test.name, left, err)
		}
	}
	byNumber := nodeOptions(w)
	byNumber.Hospital = "1"
	if made, err := home.CreateNode(filepath.Join(t.TempDir(), "node"), byNumber); err != nil || made.Declaration.Member != 1 {
		t.Errorf("by its number: %v", err)
	}
}

func TestReadNodeRefuses(t *testing.T) {
	made, _ := newNodeHome(t)
	text, err := os.ReadFile(made.Home.Node())
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "node.json")
	for name, value := range map[string]any{
		"network_id": bytes.Repeat([]byte{1}, 32), "member": "1", "site": "1", "address": "/ip4/192.0.2.1/tcp/4001", "capacity": "2147483648",
		"comet_key": bytes.Repeat([]byte{1}, 32), "libp2p_key": bytes.Repeat([]byte{1}, 32), "node_key": bytes.Repeat([]byte{2}, 33),
		"comet_signature": bytes.Repeat([]byte{1}, 64), "libp2p_signature": bytes.Repeat([]byte{1}, 64), "node_signature": nil,
	} {
		changed := map[string]any{}
		for other, was := range fields {
			changed[other] = was
		}
		if _, has := changed[name]; !has {
			t.Errorf("node.json has no %s", name)
		}
		changed[name] = value
		encoded, err := json.Marshal(changed)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, encoded, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := home.ReadNode(path); !errors.Is(err, consortium.ErrBadSignature) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	for _, content := range []string{"", "{", `{"member":"x"}`, strings.Repeat(" ", 1<<20)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := home.ReadNode(path); !errors.Is(err, home.ErrDamaged) {
			t.Errorf("%.20q: %v", content, err)
		}
	}
}

// What a home is stands in its declaration, and its configuration must agree.
func TestAHospitalsHomeIsNoStorageNodes(t *testing.T) {
	made, _ := newNodeHome(t)
	homes, _ := newHomes(t, 1)
	node, err := os.ReadFile(made.Home.Node())
	if err != nil {
		t.Fatal(err)
	}
	// An admin may have the file in the hospital's home.
	if err := os.WriteFile(homes[0].Home.Node(), node, 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := home.Open(homes[0].Home.Dir())
	if err != nil || h.StorageOnly() {
		t.Errorf("a hospital's home with a node.json: storage only %t, %v", h.StorageOnly(), err)
	}
	text, err := os.ReadFile(made.Home.AppConfig())
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "[phrd]", "[phrd]\ngateway_listen = \"127.0.0.1:8443\"", 1)
	if err := os.WriteFile(made.Home.AppConfig(), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := made.Home.Config(); err == nil || !strings.Contains(err.Error(), "gateway_listen") {
		t.Errorf("a storage node with a gateway: %v", err)
	}
}
