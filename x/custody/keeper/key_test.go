package keeper_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/consortium"
)

func TestCheckHolders(t *testing.T) {
	f := newFixture(t)
	without := func(gone ...uint64) error {
		return f.keeper.CheckHolders(f.ctx, func(member uint64) bool {
			return !slices.Contains(gone, member)
		})
	}
	require.NoError(t, without())
	require.NoError(t, without(9), "who holds no share is not missed")
	var gone []uint64
	for n := uint64(1); n <= members-threshold; n++ {
		gone = append(gone, n)
		require.NoError(t, without(gone...))
	}
	require.ErrorIs(t, without(append(gone, members)...), consortium.ErrTooFewHolders)
}
