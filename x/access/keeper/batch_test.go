package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/records"
)

const (
	// mostBytes is what a transaction may have, less what stands around its message.
	mostBytes = 64<<10 - 512
	// mostGas is what phr asks for as many versions as a message takes, less what the
	// checks before the handler cost.
	mostGas = 20_000_000 - 1_000_000
)

// As many versions as a message takes fit into one transaction, by their bytes and their gas,
// and the hundredth costs no more than the second: nothing is read or written again for each.
func TestABatchFitsIntoATransaction(t *testing.T) {
	c := newChain(t)
	cost := func(n int) (gas uint64, size int) {
		versions := make([]records.NewVersion, n)
		for i := range versions {
			versions[i], _ = c.newVersion(c.alice)
		}
		msg := &records.MsgStoreVersions{Clerk: c.clerk, Versions: versions}
		before := c.ctx.GasMeter().GasConsumed()
		c.storeAll(versions...)
		return c.ctx.GasMeter().GasConsumed() - before, msg.Size()
	}
	one, _ := cost(1)
	two, _ := cost(2)
	all, size := cost(records.MaxBatch)
	t.Logf("one version: %d gas; %d: %d gas, %d bytes", one, records.MaxBatch, all, size)
	require.LessOrEqual(t, size, mostBytes)
	require.LessOrEqual(t, all, uint64(mostGas))
	require.LessOrEqual(t, all-two, (records.MaxBatch-2)*(two-one)*11/10)
}
