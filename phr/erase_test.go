package phr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
)

// What is signed is sorted, and names each version once and by its number.
func TestErase(t *testing.T) {
	c := newCast(t)
	one, two := phr.Ref{Record: lock.ID{1}, Version: 1}, phr.Ref{Record: lock.ID{2}, Version: 3}
	erased, err := c.alice.Erase(t.Context(), []phr.Ref{two, one})
	require.NoError(t, err)
	require.Equal(t, []phr.Ref{one, two}, erased.Versions)
	require.Zero(t, erased.Request)
	require.Len(t, c.erased, 1)
	require.Equal(t, []string{one.String(), two.String()}, c.erased[0].GetVersions())
	require.Equal(t, c.alice.Address(), c.erased[0].GetOwner())

	for name, refs := range map[string][]phr.Ref{
		"none": nil, "twice": {one, two, one}, "the newest, whatever that is": {{Record: lock.ID{1}}}, "too many": make([]phr.Ref, phr.MaxErased+1),
	} {
		_, err := c.alice.Erase(t.Context(), refs)
		require.ErrorIs(t, err, phr.ErrRef, name)
	}
	require.Len(t, c.erased, 1)
}
