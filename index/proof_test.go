package index_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/phrd/phrd/x/audit"
)

// Every entry of a log is proven to be in it, and in the logs of sizes before, and each of those goes on as the later ones.
func TestProofs(t *testing.T) {
	l := &memoryLog{}
	var roots [][]byte // by size
	roots = append(roots, nil)
	for n := range uint64(70) {
		grow(t, l, n, 1)
		root := l.frontier.Root()
		roots = append(roots, root[:])
	}
	x := open(t, t.TempDir(), l)
	catchUp(t, x, l)
	for size := uint64(1); size <= 70; size++ {
		for sequence := uint64(1); sequence <= size; sequence++ {
			leaf, err := l.entries[sequence-1].LeafHash()
			require.NoError(t, err)
			path, of, err := x.InclusionProof(t.Context(), sequence, size)
			require.NoError(t, err)
			require.Equal(t, size, of)
			require.NoError(t, proof.VerifyInclusion(rfc6962.DefaultHasher, sequence-1, size, leaf[:], path, roots[size]), "entry %d of %d", sequence, size)
			if size > 1 {
				require.Error(t, proof.VerifyInclusion(rfc6962.DefaultHasher, sequence%size, size, leaf[:], path, roots[size]), "entry %d of %d at another place", sequence, size)
			}

			path, of, err = x.ConsistencyProof(t.Context(), sequence, size)
			require.NoError(t, err)
			require.Equal(t, size, of)
			require.NoError(t, proof.VerifyConsistency(rfc6962.DefaultHasher, sequence, size, path, roots[sequence], roots[size]), "%d to %d", sequence, size)
		}
	}
	_, of, err := x.InclusionProof(t.Context(), 3, 0)
	require.NoError(t, err)
	require.EqualValues(t, 70, of)
	_, of, err = x.ConsistencyProof(t.Context(), 3, 0)
	require.NoError(t, err)
	require.EqualValues(t, 70, of)
}

func TestProofsOfALongLog(t *testing.T) {
	l := newLog(t, 7, 3500)
	x := open(t, t.TempDir(), l)
	catchUp(t, x, l)
	root := l.frontier.Root()
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		sequence := 1 + r.Uint64N(3500)
		leaf, err := l.entries[sequence-1].LeafHash()
		require.NoError(t, err)
		path, _, err := x.InclusionProof(t.Context(), sequence, 3500)
		require.NoError(t, err)
		require.NoError(t, proof.VerifyInclusion(rfc6962.DefaultHasher, sequence-1, 3500, leaf[:], path, root[:]), "entry %d", sequence)
	}
}

func TestProofsRefused(t *testing.T) {
	l := newLog(t, 1, 9)
	x := open(t, t.TempDir(), l)
	catchUp(t, x, l)
	for _, c := range []struct {
		sequence, size uint64
		want           error
	}{
		{0, 9, audit.ErrInvalidFilter},
		{9, 8, audit.ErrInvalidFilter},
		{10, 0, audit.ErrInvalidFilter},
		{9, 10, audit.ErrIndexBuilding},
		{1 << 63, 1<<63 + 1, audit.ErrIndexBuilding},
	} {
		t.Run(fmt.Sprintf("%d of %d", c.sequence, c.size), func(t *testing.T) {
			_, _, err := x.InclusionProof(t.Context(), c.sequence, c.size)
			require.ErrorIs(t, err, c.want)
			_, _, err = x.ConsistencyProof(t.Context(), c.sequence, c.size)
			require.ErrorIs(t, err, c.want)
		})
	}
	stop(t, x)
	_, _, err := x.InclusionProof(t.Context(), 1, 1)
	require.ErrorIs(t, err, audit.ErrIndexBuilding)
}
