package scenario_test

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/testutil/scenario"
)

// A network that nobody uses makes blocks that change nothing. `make growth` has seven hospitals make blocks as often as in service, and tells
// how much their disks take.
func TestEmptyBlocksChangeNothing(t *testing.T) {
	t.Parallel()
	options, row, blocks := []scenario.Option{scenario.EmptyBlocks(100 * time.Millisecond)}, 20, int64(1)
	if text := os.Getenv("PHRD_IDLE"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err, "PHRD_IDLE is a number of blocks")
		options, row, blocks = []scenario.Option{scenario.Hospitals(7)}, 5, n
	}
	net := scenario.New(t, options...)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	scan := clinic.Store(alice, "chest.dcm")
	unlock := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	er.Opens(scan)
	net.History(scan, "stored", "proposed", "endorsed", "approved", "released", "opened")
	net.StaysQuiet(row)
	took, grown := net.Idles(blocks)
	t.Logf("%d blocks in %s: the home of a hospital grew by %d bytes at most", blocks, took.Round(time.Second), slices.Max(grown))
}
