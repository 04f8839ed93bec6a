package scenario_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"strings"
	"testing"

	"cosmossdk.io/api/amino"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client"
	sdk "github.com/cosmos/cosmos-sdk/types"
	gogoproto "github.com/cosmos/gogoproto/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/app"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/storage"
)

func TestEmptyBlocksWriteNothing(t *testing.T) {
	_, network := newNetwork(t, 4)
	c := newChain(t, network.Genesis, 4)
	first := c.block()
	for range 20 {
		if hash := c.block(); !bytes.Equal(hash, first) {
			t.Fatalf("the app hash changed at height %d", c.height)
		}
	}
}

// A query that reads too much ends, and the next one is answered.
func TestQueriesAreBounded(t *testing.T) {
	homes, network := newNetwork(t, 4)
	config, err := homes[0].Home.Config()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		gas  uint64
		want codes.Code
	}{{1000, codes.ResourceExhausted}, {config.App.QueryGasLimit, codes.OK}} {
		chain := newChain(t, network.Genesis, 4, baseapp.SetQueryGasLimit(c.gas))
		chain.block()
		server, _ := chain.app.NewGRPCServer(client.Context{}, config.App)
		members := consortiumv1.NewQueryClient(dialLocally(t, server))
		for range 2 {
			if _, err := members.Members(t.Context(), &consortiumv1.QueryMembersRequest{}); status.Code(err) != c.want {
				t.Errorf("with %d gas: %v, want %s", c.gas, err, c.want)
			}
		}
	}
}

// dialLocally serves in memory until the test ends, and connects.
func dialLocally(t *testing.T, server *grpc.Server) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	go func() {
		if err := server.Serve(listener); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:///node",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

func TestTheStateIsExportedAndImported(t *testing.T) {
	_, network := newNetwork(t, 4)
	c := newChain(t, network.Genesis, 4)
	c.block()
	exported, err := c.app.ExportGenesis()
	if err != nil {
		t.Fatal(err)
	}
	var state map[string]json.RawMessage
	if err := json.Unmarshal(exported, &state); err != nil {
		t.Fatal(err)
	}
	if _, err := app.ValidateGenesis(state); err != nil {
		t.Fatal(err)
	}
	again := newChain(t, []byte(`{"app_state":`+string(exported)+`}`), 4)
	again.block()
	twice, err := again.app.ExportGenesis()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(exported, twice) {
		t.Errorf("the export of the import differs:\n%s\n%s", exported, twice)
	}
}

func TestGenesisOfAnUnknownModuleIsRefused(t *testing.T) {
	_, state, err := app.DefaultGenesis()
	if err != nil {
		t.Fatal(err)
	}
	state["mint"] = json.RawMessage(`{}`)
	delete(state, consortium.ModuleName)
	_, err = app.ValidateGenesis(state)
	if err == nil || !strings.Contains(err.Error(), `no module "mint"`) || !strings.Contains(err.Error(), "consortium is missing") {
		t.Fatalf("got %v", err)
	}
}

// Wallets show a message under its amino name, and Ledger takes at most 39 characters.
func TestMessagesOfTheRegistry(t *testing.T) {
	_, network := newNetwork(t, 1)
	c := newChain(t, network.Genesis, 1)
	seen := 0
	for _, url := range c.app.InterfaceRegistry().ListImplementations(sdk.MsgInterfaceProtoName) {
		if !strings.HasPrefix(url, "/phrd.") {
			continue
		}
		seen++
		found, err := gogoproto.HybridResolver.FindDescriptorByName(protoreflect.FullName(url[1:]))
		if err != nil {
			t.Fatal(err)
		}
		name, ok := proto.GetExtension(found.Options(), amino.E_Name).(string)
		if !ok || !strings.HasPrefix(name, "phrd/") || len(name) > 39 {
			t.Errorf("%s: amino name %q", url, name)
		}
		if c.app.MsgServiceRouter().HandlerByTypeURL(url) == nil {
			t.Errorf("%s: no handler", url)
		}
	}
	if seen < 30 {
		t.Errorf("only %d messages", seen)
	}
	for _, url := range []string{"/cosmos.bank.v1beta1.MsgSend", "/cosmos.bank.v1beta1.MsgMultiSend"} {
		if _, err := c.app.InterfaceRegistry().Resolve(url); err == nil {
			t.Errorf("%s is known to the network", url)
		}
	}
}

func TestOnlyMembersMayConnect(t *testing.T) {
	_, network := newNetwork(t, 2)
	c := newChain(t, network.Genesis, 2)
	ask := func(id string) uint32 {
		return c.app.FilterPeerByID(id).Code
	}
	stranger := strings.Repeat("0", 40)
	// Before the first block, and after it.
	for range 2 {
		for _, m := range network.Consortium.Members {
			if code := ask(m.CometId); code != 0 {
				t.Errorf("height %d: member %d is refused", c.height, m.Number)
			}
		}
		if code := ask(stranger); code == 0 {
			t.Errorf("height %d: a stranger is admitted", c.height)
		}
		c.block()
	}
}

// Further storage nodes of active members may connect, and of a suspended member only its own server may, which follows the chain.
func TestStorageNodesMayConnect(t *testing.T) {
	_, network := newNetwork(t, 4)
	codec, _, err := app.DefaultGenesis()
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		AppState map[string]json.RawMessage `json:"app_state"`
	}
	if err := json.Unmarshal(network.Genesis, &file); err != nil {
		t.Fatal(err)
	}
	state := network.Consortium
	machine := func(member uint64, retired bool) consortium.StorageNode {
		number := uint64(len(state.StorageNodes)) + 1
		key := func(purpose byte) []byte { return bytes.Repeat([]byte{byte(number), purpose}, 16) }
		n := consortium.StorageNode{
			Number: number, Member: member, Site: 1, Account: sdk.AccAddress(key(1)[:20]).String(), PeerId: consortium.PeerID(key(2)),
			CometId: consortium.CometID(key(3)), Address: "/ip4/192.0.2.1/tcp/4001", Capacity: 1 << 30, Retired: retired,
		}
		state.StorageNodes = append(state.StorageNodes, n)
		return n
	}
	active, retired, suspended, left := machine(1, false), machine(1, true), machine(2, false), machine(3, false)
	state.Members[1].Status, state.Members[2].Status = consortium.MEMBER_STATUS_SUSPENDED, consortium.MEMBER_STATUS_LEFT
	if file.AppState[consortium.ModuleName], err = codec.MarshalJSON(state); err != nil {
		t.Fatal(err)
	}
	genesis, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	c := newChain(t, genesis, 2)
	// Before the first block, and after it.
	for range 2 {
		for _, test := range []struct {
			name, id string
			want     bool
		}{
			{"a member's own server", state.Members[0].CometId, true},
			{"a suspended member's own server", state.Members[1].CometId, true},
			{"the own server of a member that left", state.Members[2].CometId, false},
			{"an active member's storage node", active.CometId, true},
			{"a retired storage node with nothing to do", retired.CometId, false},
			{"a suspended member's storage node", suspended.CometId, false},
			{"a storage node of a member that left", left.CometId, false},
		} {
			if got := c.app.FilterPeerByID(test.id).Code == 0; got != test.want {
				t.Errorf("height %d: %s may connect: %t", c.height, test.name, got)
			}
		}
		c.block()
	}
}

// What a module can't start from is refused with the module's own error, before anything is written.
func TestBrokenGenesisIsRefused(t *testing.T) {
	_, network := newNetwork(t, 1)
	var file struct {
		AppState map[string]json.RawMessage `json:"app_state"`
	}
	if err := json.Unmarshal(network.Genesis, &file); err != nil {
		t.Fatal(err)
	}
	if _, err := app.ValidateGenesis(file.AppState); err != nil {
		t.Fatalf("as assembled: %v", err)
	}
	for _, test := range []struct {
		module, state string
		want          error
	}{
		{audit.ModuleName, `{"entries":[{"sequence":"2"}]}`, audit.ErrInvalidGenesis},
		{consortium.ModuleName, `{}`, consortium.ErrInvalidParams},
		{custody.ModuleName, `{}`, custody.ErrInvalidParams},
		{storage.ModuleName, `{}`, storage.ErrInvalidParams},
		{records.ModuleName, `{}`, records.ErrInvalidParams},
		{access.ModuleName, `{}`, access.ErrInvalidParams},
	} {
		state := maps.Clone(file.AppState)
		state[test.module] = json.RawMessage(test.state)
		if _, err := app.ValidateGenesis(state); !errors.Is(err, test.want) {
			t.Errorf("%s from %s: got %v, want %v", test.module, test.state, err, test.want)
		}
		state[test.module] = json.RawMessage(`{"unknown":1}`)
		if _, err := app.ValidateGenesis(state); err == nil || !strings.Contains(err.Error(), "read "+test.module+" genesis") {
			t.Errorf("%s with a field that does not exist: %v", test.module, err)
		}
	}
}
