package scenario_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"cosmossdk.io/log/v2"
	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	pruning "github.com/cosmos/cosmos-sdk/store/v2/pruning/types"
	"github.com/cosmos/cosmos-sdk/store/v2/snapshots"
	snapshottypes "github.com/cosmos/cosmos-sdk/store/v2/snapshots/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/app"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/internal/plot"
	"github.com/phrd/phrd/x/records"
)

// growthShort is how many records there are in the end where PHRD_GROWTH says nothing else.
const growthShort = 400

// state is where a server keeps its state, on a disk, with the settings of a hospital's server; a snapshot is made when asked.
type state struct {
	dir     string
	db      *dbm.GoLevelDB
	options []func(*baseapp.BaseApp)
}

func newState(t *testing.T) *state {
	t.Helper()
	s := &state{dir: t.TempDir()}
	var err error
	s.db, err = dbm.NewGoLevelDB("application", s.dir, nil)
	require.NoError(t, err)
	meta, err := dbm.NewGoLevelDB("metadata", s.dir, nil)
	require.NoError(t, err)
	store, err := snapshots.NewStore(meta, filepath.Join(s.dir, "snapshots"))
	require.NoError(t, err)
	s.options = []func(*baseapp.BaseApp){
		baseapp.SetPruning(pruning.NewPruningOptions(pruning.PruningDefault)), baseapp.SetIAVLCacheSize(home.IAVLCacheSize),
		baseapp.SetIAVLDisableFastNode(true), // for the bank: the application has none whatever is set
		baseapp.SetSnapshot(store, snapshottypes.NewSnapshotOptions(0, 2)),
	}
	return s
}

// bytes is how large the state of an application that was closed is on the disk, without what is superseded.
func (s *state) bytes(t *testing.T) (size int64) {
	t.Helper()
	for range 2 { // files that the compaction has emptied may go when the database is opened again
		db, err := dbm.NewGoLevelDB("application", s.dir, nil)
		require.NoError(t, err)
		require.NoError(t, errors.Join(db.ForceCompact(nil, nil), db.Close()))
	}
	require.NoError(t, filepath.WalkDir(filepath.Join(s.dir, "application.db"), func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	}))
	return size
}

// A network has many records: a batch of a hundred more takes as long as at first, a snapshot of the state is made and taken, and the next
// block is the same where it was taken. `make growth` has a hundred thousand, for its figures.
func TestStateOfManyRecords(t *testing.T) {
	t.Parallel()
	total := growthShort
	if text := os.Getenv("PHRD_GROWTH"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err, "PHRD_GROWTH is a number of records")
		total = n
	}
	at := newState(t)
	c := newCrowd(t, at.db, at.options...)
	c.registers(min(total/10, 1000))
	grown := &growth{
		figure: plot.Figure{Title: "What a record costs by the records there are, as a multiple of what it costs at first", Unit: "×", Note: "records"},
		names:  []string{"stored in a batch", "snapshot made", "snapshot taken", "bytes of state"},
	}
	for size, done := total/100, 0; size <= total; size *= 10 {
		batches := c.grow(size - done)
		done = size
		grown.add(size, c.tellGrowth(size, batches)...)
	}
	grown.draw(t, "growth-records.svg")
}

// growth is how costs grow: each as a multiple of what it was at first.
type growth struct {
	figure plot.Figure
	names  []string
	first  []float64
}

// add takes the costs at a size, in the order of the names.
func (g *growth) add(size int, costs ...float64) {
	if g.first == nil {
		g.first = costs
		for _, name := range g.names {
			g.figure.Lines = append(g.figure.Lines, plot.Line{Name: name})
		}
	}
	g.figure.Sizes = append(g.figure.Sizes, size)
	for i, cost := range costs {
		g.figure.Lines[i].Values = append(g.figure.Lines[i].Values, cost/g.first[i])
	}
}

// draw writes the plot into the folder that PHRD_PLOTS names.
func (g *growth) draw(t *testing.T, name string) {
	t.Helper()
	svg, err := g.figure.SVG()
	require.NoError(t, err)
	if folder := os.Getenv("PHRD_PLOTS"); folder != "" {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), svg, 0o644))
	}
}

// grow stores records in blocks of a thousand, all copies of which are confirmed in the next one, and answers how long each block of records took,
// for each batch of a hundred.
func (c *crowd) grow(count int) (batches []time.Duration) {
	c.t.Helper()
	for count > 0 {
		var txs [][]byte
		var objects []string
		for count > 0 && len(txs) < 10 {
			n := min(count, records.MaxBatch)
			hospital := 1 + len(txs)%hospitals
			versions := c.versions(hospital, n)
			for _, v := range versions {
				objects = append(objects, v.Object)
			}
			txs, count = append(txs, c.storing(hospital, versions...)), count-n
		}
		begin := time.Now()
		results := c.carriesOut(txs...)
		batches = append(batches, time.Since(begin)/time.Duration(len(txs)))
		for _, r := range results {
			c.stored(r)
		}
		c.carriesOut(c.confirming(objects)...)
	}
	return batches
}

// tellGrowth makes a snapshot, has another server begin with it, and tells what all that took. It answers what one record took: seconds to
// store it in a batch, to make and to take the snapshot, and bytes of state.
func (c *crowd) tellGrowth(size int, batches []time.Duration) []float64 {
	c.t.Helper()
	frontier, err := c.app.Audit.Frontier(c.now())
	require.NoError(c.t, err)
	begin := time.Now()
	made, err := c.app.SnapshotManager().Create(uint64(c.height))
	require.NoError(c.t, err)
	making := time.Since(begin)

	other := newState(c.t)
	fresh, err := app.New(app.Config{Logger: log.NewNopLogger(), DB: other.db, Home: c.t.TempDir(), Options: append(other.options, baseapp.SetChainID("phrd-test"))})
	require.NoError(c.t, err)
	begin = time.Now()
	parts := c.restores(fresh, made)
	taking := time.Since(begin)
	require.Equal(c.t, c.app.LastCommitID(), fresh.LastCommitID())

	// The same block makes the same state of both.
	versions := c.versions(1, 1)
	block := [][]byte{c.storing(1, versions...)}
	joined := &chain{t: c.t, app: fresh, height: c.height, at: c.at}
	require.Equal(c.t, c.block(block...), joined.block(block...))
	_, err = joined.app.Records.Version(joined.now(), versions[0].Record, 1)
	require.NoError(c.t, err)
	require.NoError(c.t, fresh.Close())

	slices.Sort(batches)
	batch, bytes := batches[len(batches)/2], other.bytes(c.t)
	c.t.Logf("%7d records, %7d entries: %s for a batch of %d (longest %s); a snapshot of %d MB in %d parts, made in %s, taken in %s; %d bytes of state a record",
		size, frontier.Size_, batch.Round(time.Millisecond), min(size, records.MaxBatch), batches[len(batches)-1].Round(time.Millisecond),
		parts/1_000_000, made.Chunks, making.Round(time.Millisecond), taking.Round(time.Millisecond), bytes/int64(size))
	per := func(all float64) float64 { return all / float64(size) }
	return []float64{batch.Seconds() / float64(min(size, records.MaxBatch)), per(making.Seconds()), per(taking.Seconds()), per(float64(bytes))}
}

// restores has a fresh application take a snapshot of the newest state, and answers how many bytes its parts have.
func (c *crowd) restores(fresh *app.App, made *snapshottypes.Snapshot) (size int) {
	c.t.Helper()
	offered, err := made.ToABCI()
	require.NoError(c.t, err)
	answer, err := fresh.OfferSnapshot(&abci.RequestOfferSnapshot{Snapshot: &offered, AppHash: c.app.LastCommitID().Hash})
	require.NoError(c.t, err)
	require.Equal(c.t, abci.ResponseOfferSnapshot_ACCEPT, answer.Result)
	for part := range offered.Chunks {
		loaded, err := c.app.LoadSnapshotChunk(&abci.RequestLoadSnapshotChunk{Height: offered.Height, Format: offered.Format, Chunk: part})
		require.NoError(c.t, err)
		size += len(loaded.Chunk)
		answer, err := fresh.ApplySnapshotChunk(&abci.RequestApplySnapshotChunk{Index: part, Chunk: loaded.Chunk, Sender: "member"})
		require.NoError(c.t, err)
		require.Equal(c.t, abci.ResponseApplySnapshotChunk_ACCEPT, answer.Result)
	}
	return size
}
