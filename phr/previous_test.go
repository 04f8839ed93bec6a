package phr_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/seal"
)

// open has the doctor open a version.
func (c *cast) open(ref phr.Ref) *phr.File {
	c.t.Helper()
	f, err := c.doctor.Open(c.t.Context(), c.approved(ref), ref)
	require.NoError(c.t, err)
	return f
}

// next is a next version of what was opened, with its leaves.
func (c *cast) next(previous *phr.File, b []byte) phr.NewVersion {
	v := c.scan(b)
	v.Record, v.Patient, v.Previous = previous.Ref.Record, "", previous
	return v
}

// sent is how many bytes the last upload to the clerk's hospital had.
func (c *cast) sent() int {
	g := c.gates[1]
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.uploads[fmt.Sprintf("u%d", len(g.uploads))].stream)
}

// A new version of which one leaf differs sends that leaf, and says with which version it shares the others.
func TestNewVersionSharesLeaves(t *testing.T) {
	c := newCast(t)
	b := content(9*seal.ChunkSize + 100)
	first := c.store(b)
	changed := bytes.Clone(b)
	changed[4*seal.ChunkSize] ^= 1
	stored, err := c.clerk.Store(t.Context(), c.next(c.open(first.Ref), changed))
	require.NoError(t, err)
	require.Equal(t, first.Padded-seal.LeafSize, stored.Reused)
	require.Less(t, c.sent(), seal.LeafSize+64<<10)
	require.EqualValues(t, 1, c.versions[first.Record.String()][1].SharesWith)
	require.True(t, bytes.Equal(changed, c.reads(c.open(stored.Ref))))
	require.True(t, bytes.Equal(b, c.reads(c.open(first.Ref))))

	// What is all new shares nothing and says so.
	other, err := c.clerk.Store(t.Context(), c.next(c.open(stored.Ref), content(100)))
	require.NoError(t, err)
	require.Zero(t, other.Reused)
	require.Zero(t, c.versions[first.Record.String()][2].SharesWith)
}

// A leaf that the hospital lost, or has damaged, is sent again.
func TestNewVersionSendsWhatTheHospitalLacks(t *testing.T) {
	c := newCast(t)
	b := content(4 * seal.ChunkSize)
	opened := c.open(c.store(b).Ref)
	leaves := 0
	c.gates[1].serve = func(path string, b []byte) []byte {
		if strings.HasSuffix(path, "/check") {
			switch leaves++; leaves {
			case 2:
				return nil
			case 3:
				b[0] ^= 1
			}
		}
		return b
	}
	stored, err := c.clerk.Store(t.Context(), c.next(opened, b))
	c.gates[1].serve = nil
	require.NoError(t, err)
	require.Equal(t, stored.Padded-2*seal.LeafSize, stored.Reused)
	require.True(t, bytes.Equal(b, c.reads(c.open(stored.Ref))))
}

// Where the hospital does not hold the earlier version, all is sent.
func TestNewVersionOfWhatTheHospitalHasNot(t *testing.T) {
	c := newCast(t)
	b := content(2 * seal.ChunkSize)
	first := c.store(b)
	opened := c.open(first.Ref)
	c.gates[1].mu.Lock()
	delete(c.gates[1].blocks, first.Object.String())
	c.gates[1].mu.Unlock()
	stored, err := c.clerk.Store(t.Context(), c.next(opened, b))
	require.NoError(t, err)
	require.Zero(t, stored.Reused)
	require.True(t, bytes.Equal(b, c.reads(c.open(stored.Ref))))
}

// Leaves come from an earlier version of the same record, owner and lock alone, and one that is not erased: what else is given is
// refused before anything is sent. The last case is the twin that is taken.
func TestWhoseLeavesMayBeShared(t *testing.T) {
	c := newCast(t)
	b := content(2 * seal.ChunkSize)
	first, other := c.store(b), c.store(b)
	opened, foreign := c.open(first.Ref), c.open(other.Ref)
	of := func(v phr.NewVersion, change func(*phr.NewVersion)) phr.NewVersion {
		change(&v)
		return v
	}
	onChain := c.versions[first.Record.String()][0]
	for _, test := range []struct {
		name   string
		v      phr.NewVersion
		change func()
		undo   func()
	}{
		{name: "of another record", v: of(c.next(opened, b), func(v *phr.NewVersion) { v.Previous = foreign })},
		{name: "for a new record", v: of(c.scan(b), func(v *phr.NewVersion) { v.Previous = opened })},
		{
			name: "of one that was erased", v: c.next(opened, b),
			change: func() { onChain.Tombstone = &recordsv1.Tombstone{Erasure: 1} }, undo: func() { onChain.Tombstone = nil },
		},
		{
			name: "under another lock", v: c.next(opened, b), change: func() { onChain.Header.Lock = recordsv1.Lock_LOCK_NETWORK },
			undo: func() { onChain.Header.Lock = recordsv1.Lock_LOCK_OWNER_AND_NETWORK },
		},
		{
			name: "of another owner", v: c.next(opened, b), change: func() { onChain.Header.OwnerKind = recordsv1.OwnerKind_OWNER_KIND_HOSPITAL },
			undo: func() { onChain.Header.OwnerKind = recordsv1.OwnerKind_OWNER_KIND_PATIENT },
		},
		{
			name: "of another custodian", v: c.next(opened, b), change: func() { onChain.Header.Custodian = 2 }, undo: func() { onChain.Header.Custodian = 1 },
		},
		{
			name: "of another object", v: c.next(opened, b), change: func() { onChain.Object = other.Object.String() }, undo: func() { onChain.Object = first.Object.String() },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.change != nil {
				test.change()
				defer test.undo()
			}
			uploads := len(c.gates[1].uploads)
			_, err := c.clerk.Store(t.Context(), test.v)
			require.ErrorIs(t, err, phr.ErrPrevious)
			require.Len(t, c.gates[1].uploads, uploads)
		})
	}
	stored, err := c.clerk.Store(t.Context(), c.next(opened, b))
	require.NoError(t, err)
	require.NotZero(t, stored.Reused)
}
