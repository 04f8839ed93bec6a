package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/storage"
)

// The first format has each copy by itself.
func TestMigrateObjects(t *testing.T) {
	f := newFixture(t)
	first, nodes := f.place()
	second, _ := f.place()
	require.Equal(t, []string{""}, f.confirm(f.of(nodes[0]), first))
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, f.keeper.PartCopies(f.ctx))
	objects, copies, err := f.keeper.Former(f.ctx)
	require.NoError(t, err)
	require.Equal(t, []int{2, 6}, []int{objects, copies})
	_, _, err = f.keeper.Object(f.ctx, first)
	require.ErrorIs(t, err, storage.ErrUnknownObject)

	require.NoError(t, f.keeper.MigrateObjects(f.ctx))
	objects, copies, err = f.keeper.Former(f.ctx)
	require.NoError(t, err)
	require.Equal(t, []int{0, 0}, []int{objects, copies})
	migrated, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Equal(t, exported, migrated)
	require.EqualValues(t, 1, f.held(first))
	require.Equal(t, []string{""}, f.confirm(f.of(nodes[1]), first, second)[:1])
	require.EqualValues(t, 2, f.held(first))
}
