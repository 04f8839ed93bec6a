package keeper_test

import (
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/custody"
)

// The state of a chain of the first version: who waits stands under each holder, and nothing says which releases are pending.
func TestMigrateWaiting(t *testing.T) {
	f := newFixture(t)
	open, closed := f.requested(1), f.requested(1)
	_, err := f.keeper.CloseRelease(f.ctx, closed.Unlock)
	require.NoError(t, err)
	raw := f.ctx.KVStore(f.store)
	id, err := hex.DecodeString(open.Unlock)
	require.NoError(t, err)
	old := append(binary.BigEndian.AppendUint64(custody.WaitingPrefix.Bytes(), 1), id...)
	raw.Set(old, []byte{})
	raw.Delete(append(custody.PendingPrefix.Bytes(), id...))
	require.Empty(t, f.work(1, 10))

	require.NoError(t, f.keeper.MigrateWaiting(f.ctx))
	require.False(t, raw.Has(old))
	require.Equal(t, []string{open.Unlock}, f.work(1, 10))
	f.nextBlock()
	for index := range uint64(threshold) {
		f.give(index+1, open)
	}
	require.Equal(t, []string{open.Unlock}, f.hooks.released)
}
