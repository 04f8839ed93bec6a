package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"cosmossdk.io/log/v2"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/libs/protoio"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/p2p/conn"
	cometp2p "github.com/cometbft/cometbft/proto/tendermint/p2p"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/app/server"
	"github.com/phrd/phrd/testutil/ports"
)

// freeOffset finds a place where the ports of two homes are free.
func freeOffset(t *testing.T) int {
	t.Helper()
	offset, err := ports.Offset(2, home.PortComet, home.PortRPC, home.PortGRPC, home.PortREST, home.PortLibp2p, home.PortGateway)
	if err != nil {
		t.Fatal(err)
	}
	return offset
}

// startOneOfTwo runs the first of two hospitals; without the second there are no blocks.
func startOneOfTwo(t *testing.T) (running, other *home.Created, offset int) {
	t.Helper()
	running, other, offset = oneOfTwo(t)
	serve(t, running)
	return running, other, offset
}

// oneOfTwo are the homes of two hospitals, of which the first has its genesis.
func oneOfTwo(t *testing.T) (first, other *home.Created, offset int) {
	t.Helper()
	offset = freeOffset(t)
	homes, network := newNetworkAt(t, 2, offset)
	w := write(t, network)
	if _, _, err := homes[0].Home.Accept(homes[0].Keys, w.genesis, w.hash); err != nil {
		t.Fatal(err)
	}
	return homes[0], homes[1], offset
}

// serve runs a server until the test ends.
func serve(t *testing.T, of *home.Created) {
	t.Helper()
	s := newServer(t, of)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Err(), s.Stop(context.Background())); err != nil {
			t.Error(err)
		}
	})
}

func newServer(t *testing.T, of *home.Created) *server.Server {
	t.Helper()
	s, err := server.New(server.Config{Home: of.Home, Keys: of.Keys, Logger: log.NewNopLogger(), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStartRefuses(t *testing.T) {
	running, other, _ := startOneOfTwo(t)
	if err := newServer(t, running).Start(t.Context()); !errors.Is(err, server.ErrRunning) {
		t.Errorf("twice: %v", err)
	}
	if err := newServer(t, other).Start(t.Context()); !errors.Is(err, home.ErrNoGenesis) {
		t.Errorf("without a genesis: %v", err)
	}
	// The second home is made for the ports of the first.
	text, err := os.ReadFile(running.Home.Genesis())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other.Home.Genesis(), text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config.toml", "app.toml"} {
		text, err := os.ReadFile(running.Home.Dir() + "/config/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(other.Home.Dir()+"/config/"+name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := newServer(t, other).Start(t.Context()); !errors.Is(err, server.ErrPortInUse) {
		t.Errorf("the ports of another: %v", err)
	}
}

// CometBFT's port takes members of the network and nobody else, whatever they say of themselves.
func TestStrangersAreShutOut(t *testing.T) {
	_, other, offset := startOneOfTwo(t)
	member, err := p2p.LoadNodeKey(other.Home.NodeKey())
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", home.PortComet+offset)
	if err := greet(t, address, p2p.NodeKey{PrivKey: ed25519.GenPrivKey()}); !errors.Is(err, io.EOF) {
		t.Errorf("a stranger: %v", err)
	}
	if err := greet(t, address, *member); err != nil {
		t.Errorf("a member: %v", err)
	}
}

// greet connects to a CometBFT node under a key as another node would, and waits for the first word from it. The error is io.EOF
// where the node hangs up.
func greet(t *testing.T, address string, key p2p.NodeKey) error {
	t.Helper()
	dial := net.Dialer{Timeout: 10 * time.Second}
	c, err := dial.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	secret, err := conn.MakeSecretConnection(c, key.PrivKey)
	if err != nil {
		t.Fatal(err)
	}
	info := p2p.DefaultNodeInfo{
		ProtocolVersion: p2p.NewProtocolVersion(8, 11, 0), DefaultNodeID: key.ID(), ListenAddr: "127.0.0.1:1", Network: "phrd-test",
		Version: "0.40.0", Channels: []byte{0x20, 0x21, 0x22, 0x23, 0x30, 0x38, 0x40}, Moniker: "peer",
		Other: p2p.DefaultNodeInfoOther{TxIndex: "on", RPCAddress: "tcp://127.0.0.1:1"},
	}
	if _, err := protoio.NewDelimitedWriter(secret).WriteMsg(info.ToProto()); err != nil {
		t.Fatal(err)
	}
	var theirs cometp2p.DefaultNodeInfo
	if _, err := protoio.NewDelimitedReader(secret, p2p.MaxNodeInfoSize()).ReadMsg(&theirs); err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadFull(secret, make([]byte, 1))
	return err
}
