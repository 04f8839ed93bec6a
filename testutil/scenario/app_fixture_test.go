// The tests of app, app/home and app/server stand here too: linking the whole chain costs a minute of CPU.
package scenario_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"cosmossdk.io/log/v2"
	abci "github.com/cometbft/cometbft/abci/types"
	comettypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"

	"github.com/phrd/phrd/app"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/x/consortium"
)

var (
	passphrase = []byte("correct horse battery")
	genesisDay = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
)

func options(number int) home.Options {
	return home.Options{
		Hospital: fmt.Sprintf("Hospital %02d", number), Site: "Vienna", TimeZone: "Europe/Vienna",
		Host: "127.0.0.1", Listen: "127.0.0.1", PortOffset: 10 * number, Capacity: 1 << 30, Fast: true,
		Passphrase: passphrase, KeyOptions: []keys.Option{keys.WithWorkFactor(2)},
	}
}

// newHomes makes the homes of hospitals and reads their declarations.
func newHomes(t *testing.T, hospitals int) ([]*home.Created, []consortium.SignedDeclaration) {
	t.Helper()
	return newHomesAt(t, hospitals, 0)
}

// newHomesAt is newHomes with the ports of the first hospital moved; each further one has its own.
func newHomesAt(t *testing.T, hospitals, offset int) ([]*home.Created, []consortium.SignedDeclaration) {
	t.Helper()
	dir := t.TempDir()
	var homes []*home.Created
	var members []consortium.SignedDeclaration
	for i := range hospitals {
		o := options(i + 1)
		if offset > 0 {
			o.PortOffset = offset + 10*i
		}
		made, err := home.Create(filepath.Join(dir, fmt.Sprintf("hospital-%d", i+1)), o)
		if err != nil {
			t.Fatal(err)
		}
		member, _, err := home.ReadMember(made.Home.Member())
		if err != nil {
			t.Fatal(err)
		}
		homes, members = append(homes, made), append(members, member)
	}
	return homes, members
}

// newNetwork assembles a network of new homes.
func newNetwork(t *testing.T, hospitals int) ([]*home.Created, *home.Network) {
	t.Helper()
	return newNetworkAt(t, hospitals, 0)
}

// newNetworkAt is newNetwork of homes whose ports are moved.
func newNetworkAt(t *testing.T, hospitals, offset int) ([]*home.Created, *home.Network) {
	t.Helper()
	homes, members := newHomesAt(t, hospitals, offset)
	n, err := home.Assemble("phrd-test", genesisDay, members)
	if err != nil {
		t.Fatal(err)
	}
	return homes, n
}

// chain is an application that a test gives blocks.
type chain struct {
	t      *testing.T
	app    *app.App
	height int64
	at     time.Time
}

// newChain starts an application in memory from the text of a genesis.json.
func newChain(t *testing.T, genesis []byte, validators int, more ...func(*baseapp.BaseApp)) *chain {
	t.Helper()
	return newChainOn(t, dbm.NewMemDB(), genesis, validators, more...)
}

// newApp makes an application on a database, and closes both when the test ends.
func newApp(t *testing.T, db dbm.DB, more ...func(*baseapp.BaseApp)) *app.App {
	t.Helper()
	a, err := app.New(app.Config{Logger: log.NewNopLogger(), DB: db, Home: t.TempDir(), Options: append(more, baseapp.SetChainID("phrd-test"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// newChainOn is newChain on an empty database.
func newChainOn(t *testing.T, db dbm.DB, genesis []byte, validators int, more ...func(*baseapp.BaseApp)) *chain {
	t.Helper()
	a := newApp(t, db, more...)
	var file struct {
		AppState json.RawMessage `json:"app_state"`
	}
	if err := json.Unmarshal(genesis, &file); err != nil {
		t.Fatal(err)
	}
	params := comettypes.DefaultConsensusParams().ToProto()
	params.Block.MaxBytes, params.Block.MaxGas = home.BlockMaxBytes, home.BlockMaxGas
	res, err := a.InitChain(&abci.RequestInitChain{
		Time: genesisDay, ChainId: "phrd-test", InitialHeight: 1, ConsensusParams: &params, AppStateBytes: file.AppState,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Validators) != validators {
		t.Fatalf("got %d validators, want %d", len(res.Validators), validators)
	}
	return &chain{t: t, app: a, at: genesisDay}
}

// block commits a block of these transactions and returns its app hash.
func (c *chain) block(txs ...[]byte) []byte {
	c.t.Helper()
	return c.finalize(txs...).AppHash
}

// finalize is block with all that the application answers.
func (c *chain) finalize(txs ...[]byte) *abci.ResponseFinalizeBlock {
	c.t.Helper()
	c.height++
	c.at = c.at.Add(5 * time.Second)
	res, err := c.app.FinalizeBlock(&abci.RequestFinalizeBlock{Height: c.height, Time: c.at, Txs: txs})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.app.Commit(); err != nil {
		c.t.Fatal(err)
	}
	return res
}
