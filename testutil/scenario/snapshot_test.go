package scenario_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/store/v2/snapshots"
	snapshottypes "github.com/cosmos/cosmos-sdk/store/v2/snapshots/types"
)

// keepsSnapshots has an application make a snapshot every second block.
func keepsSnapshots(t *testing.T) func(*baseapp.BaseApp) {
	t.Helper()
	store, err := snapshots.NewStore(dbm.NewMemDB(), filepath.Join(t.TempDir(), "snapshots"))
	if err != nil {
		t.Fatal(err)
	}
	return baseapp.SetSnapshot(store, snapshottypes.NewSnapshotOptions(2, 2))
}

// Whatever part of a snapshot is rotten is refused, with the name of who sent it; from another one it is taken, and the state is the
// whole one.
func TestRottenPartsOfASnapshotAreRefused(t *testing.T) {
	_, network := newNetwork(t, 4)
	c := newChain(t, network.Genesis, 4, keepsSnapshots(t))
	c.block()
	hash := c.block()
	var offered *abci.Snapshot
	for end := time.Now().Add(time.Minute); offered == nil; { // it is made beside the blocks
		list, err := c.app.ListSnapshots(&abci.RequestListSnapshots{})
		if err != nil || time.Now().After(end) {
			t.Fatalf("no snapshot: %v", err)
		}
		if len(list.Snapshots) > 0 {
			offered = list.Snapshots[0]
		}
	}

	fresh := newApp(t, dbm.NewMemDB(), keepsSnapshots(t))
	if answer, err := fresh.OfferSnapshot(&abci.RequestOfferSnapshot{Snapshot: offered, AppHash: hash}); err != nil || answer.Result != abci.ResponseOfferSnapshot_ACCEPT {
		t.Fatalf("offered: %v, %v", answer, err)
	}
	for part := range offered.Chunks {
		loaded, err := c.app.LoadSnapshotChunk(&abci.RequestLoadSnapshotChunk{Height: offered.Height, Format: offered.Format, Chunk: part})
		if err != nil || len(loaded.Chunk) == 0 {
			t.Fatalf("part %d: %d bytes, %v", part, len(loaded.Chunk), err)
		}
		rotten := bytes.Clone(loaded.Chunk)
		rotten[len(rotten)/2] ^= 1
		answer, err := fresh.ApplySnapshotChunk(&abci.RequestApplySnapshotChunk{Index: part, Chunk: rotten, Sender: "rotten"})
		if err != nil || answer.Result != abci.ResponseApplySnapshotChunk_RETRY || !slices.Equal(answer.RejectSenders, []string{"rotten"}) || !slices.Equal(answer.RefetchChunks, []uint32{part}) {
			t.Fatalf("rotten part %d: %v, %v", part, answer, err)
		}
		answer, err = fresh.ApplySnapshotChunk(&abci.RequestApplySnapshotChunk{Index: part, Chunk: loaded.Chunk, Sender: "sound"})
		if err != nil || answer.Result != abci.ResponseApplySnapshotChunk_ACCEPT {
			t.Fatalf("part %d: %v, %v", part, answer, err)
		}
	}
	if got := fresh.LastCommitID(); got.Version != int64(offered.Height) || !bytes.Equal(got.Hash, hash) {
		t.Errorf("got state %d, %X, want %d, %X", got.Version, got.Hash, offered.Height, hash)
	}
}
