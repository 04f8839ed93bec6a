package storage_test

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/storage"
)

// objects is how many objects the tests of the distribution place.
const objects = 10_000

const tib = 1 << 40

// rootOf is the root of a test's i-th object.
func rootOf(i int) lock.CID {
	return lock.DagCID(sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i))))
}

// nodes have these capacities in TiB, each a member of its own.
func nodes(capacities ...uint64) []storage.Candidate {
	list := make([]storage.Candidate, len(capacities))
	for i, c := range capacities {
		list[i] = storage.Candidate{Node: uint64(i) + 1, Member: uint64(i) + 1, Site: 1, Capacity: c * tib}
	}
	return list
}

// requireShare demands that a node has its part of the objects within a tenth.
func requireShare(t *testing.T, got int, weight, sum uint64) {
	t.Helper()
	want := float64(objects) * float64(weight) / float64(sum)
	require.InDelta(t, want, got, want/10)
}

func TestChooseInProportionToCapacity(t *testing.T) {
	list := nodes(10, 20, 30, 40)
	count := map[uint64]int{}
	for i := range objects {
		chosen := storage.Choose(rootOf(i), list, 1, 1, 0)
		require.Len(t, chosen, 1)
		count[chosen[0]]++
	}
	for _, c := range list {
		requireShare(t, count[c.Node], c.Capacity, 100*tib)
	}
}

// Two nodes at one site win together what their capacities are worth together.
func TestChooseDomainsInProportionToCapacity(t *testing.T) {
	list := nodes(10, 30, 20, 40)
	list[1].Member = list[0].Member
	count := map[uint64]int{}
	for i := range objects {
		chosen := storage.Choose(rootOf(i), list, 1, 1, 0)
		require.Len(t, chosen, 1)
		count[list[chosen[0]-1].Member]++
	}
	requireShare(t, count[1], 40, 100)
	requireShare(t, count[3], 20, 100)
	requireShare(t, count[4], 40, 100)
}

// A node that joins takes its part and nothing else moves.
func TestChooseMovesOnlyToTheNewNode(t *testing.T) {
	before, after := nodes(10, 20, 30, 40), nodes(10, 20, 30, 40, 25)
	const joined = 5
	for _, target := range []uint32{1, 3} {
		moved := 0
		for i := range objects {
			was, is := storage.Choose(rootOf(i), before, 1, target, 0), storage.Choose(rootOf(i), after, 1, target, 0)
			require.Len(t, was, int(target))
			require.Len(t, is, int(target))
			if slices.Equal(was, is) {
				continue
			}
			moved++
			stayed := 0
			for _, node := range was {
				if slices.Contains(is, node) {
					stayed++
				}
			}
			require.Equal(t, int(target)-1, stayed, "one copy moves")
			require.Contains(t, is, uint64(joined))
		}
		t.Logf("target %d: a node with 20 %% of the capacity joins, and %d of %d copies move", target, moved, int(target)*objects)
		if target == 1 {
			requireShare(t, moved, 25, 125)
		}
		// Of three copies it takes at most three times its part.
		require.LessOrEqual(t, moved, int(target)*objects*25/125*11/10)
	}
}

// Ten equal domains, three copies: each gets its share within a tenth.
func TestChooseThreeCopiesOverManyDomains(t *testing.T) {
	equal := nodes(20, 20, 20, 20, 20, 20, 20, 20, 20, 20)
	count := map[uint64]int{}
	for i := range objects {
		for _, node := range storage.Choose(rootOf(i), equal, 1, 3, 0) {
			count[node]++
		}
	}
	worst := 0.0
	for _, c := range equal {
		worst = max(worst, math.Abs(float64(count[c.Node])/(3*objects/10)-1))
	}
	t.Logf("10 equal domains, 3 copies of %d objects: at most %.1f %% off the share", objects, 100*worst)
	require.LessOrEqual(t, worst, 0.1)
}

// What a node had goes to others when it leaves, and nothing else moves. The copies that
// the object has stay where they are.
func TestCompleteMovesOnlyWhatTheLeaverHad(t *testing.T) {
	before := nodes(10, 20, 30, 40, 25)
	const left = 5
	moved, count := 0, map[uint64]int{}
	for i := range objects {
		was := storage.Choose(rootOf(i), before, 1, 3, 0)
		var stay []storage.Domain
		for _, node := range was {
			if node != left {
				stay = append(stay, before[node-1].Domain())
			}
		}
		added := storage.Complete(rootOf(i), before[:left-1], stay, 1, 3)
		require.Len(t, added, 3-len(stay))
		moved += len(added)
		is := added
		for _, d := range stay {
			is = append(is, d.Member)
		}
		slices.Sort(is)
		require.Equal(t, storage.Choose(rootOf(i), before[:left-1], 1, 3, 0), is, "as if the leaver had never been")
		for _, node := range added {
			count[node]++
		}
	}
	share := 3 * objects * 25 / 125
	t.Logf("a node with 20 %% of the capacity leaves: %d of %d copies move, its share is %d", moved, 3*objects, share)
	require.LessOrEqual(t, moved, share*11/10)
	require.Len(t, count, left-1, "each of the others takes some")
}

// A copy more than there were, or one of each domain: those that stay are never chosen.
func TestCompleteChoosesFurtherDomains(t *testing.T) {
	list := nodes(10, 10, 10, 10)
	list[1].Member, list[1].Site = 1, 2
	stay := []storage.Domain{list[0].Domain()}
	require.Empty(t, storage.Complete(rootOf(1), list, stay, 1, 1))
	require.Equal(t, []uint64{3, 4}, storage.Complete(rootOf(1), list, stay, 1, 3), "further members before further sites")
	require.Equal(t, []uint64{2, 3, 4}, storage.Complete(rootOf(1), list, stay, 1, 4))
	require.Equal(t, []uint64{2, 3, 4}, storage.Complete(rootOf(1), list, stay, 1, 0))
	require.Empty(t, storage.Complete(rootOf(1), list, []storage.Domain{list[0].Domain(), list[1].Domain(), list[2].Domain(), list[3].Domain()}, 1, 0))
	list[2].Used = list[2].Capacity
	require.Equal(t, []uint64{2, 4}, storage.Complete(rootOf(1), list, stay, 1, 3), "a full node is passed over")
}

// Whatever the nodes are: at most one of each domain, as many members as there can
// be, and only nodes with room.
func TestChooseProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 2000 {
		list := make([]storage.Candidate, random.IntN(12))
		for j := range list {
			list[j] = storage.Candidate{
				Node: uint64(j) + 1, Member: 1 + random.Uint64N(5), Site: 1 + random.Uint64N(2),
				Capacity: random.Uint64N(1000), Used: random.Uint64N(600),
			}
		}
		size, target, origin := 1+random.Uint64N(200), random.Uint32N(6), random.Uint64N(14)
		chosen := storage.Choose(rootOf(i), list, size, target, origin)

		members, domains := map[uint64]bool{}, map[storage.Domain]bool{}
		originHasRoom := false
		for _, c := range list {
			if c.Capacity > 0 && c.HasRoom(size) {
				members[c.Member], domains[c.Domain()] = true, true
				originHasRoom = originHasRoom || c.Node == origin
			}
		}
		want := len(domains)
		if target != 0 {
			want = min(want, int(target))
		}
		require.Len(t, chosen, want)
		require.True(t, slices.IsSorted(chosen))
		require.Equal(t, originHasRoom, slices.Contains(chosen, origin))

		gotMembers, gotDomains := map[uint64]bool{}, map[storage.Domain]bool{}
		for _, node := range chosen {
			c := list[node-1]
			require.LessOrEqual(t, c.Used+size, c.Capacity)
			gotMembers[c.Member], gotDomains[c.Domain()] = true, true
		}
		require.Len(t, gotDomains, len(chosen))
		require.Len(t, gotMembers, min(want, len(members)))

		random.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
		require.Equal(t, chosen, storage.Choose(rootOf(i), list, size, target, origin), "the order of the nodes is of no meaning")
	}
}

// Nodes fill up to the last byte and never beyond.
func TestChooseStaysWithinCapacity(t *testing.T) {
	list := nodes(1, 1, 1, 1)
	for i := range list {
		list[i].Capacity = 1000 * uint64(i+1)
	}
	for i := range objects {
		for _, node := range storage.Choose(rootOf(i), list, 1, 3, 0) {
			list[node-1].Used++
		}
	}
	for _, c := range list {
		require.Equal(t, c.Capacity, c.Used)
	}
	require.Empty(t, storage.Choose(rootOf(0), list, 1, 3, 0))
	require.Empty(t, storage.Choose(rootOf(0), nil, 1, 3, 0))
}

// HasRoom must not overflow.
func TestHasRoom(t *testing.T) {
	for _, tc := range []struct {
		capacity, used, size uint64
		want                 bool
	}{
		{10, 0, 10, true},
		{10, 0, 11, false},
		{10, 10, 0, true},
		{10, 10, 1, false},
		{10, 11, 0, false},
		{10, 5, math.MaxUint64, false},
		{math.MaxUint64, math.MaxUint64 - 1, 1, true},
		{math.MaxUint64, math.MaxUint64, 1, false},
	} {
		got := storage.Candidate{Capacity: tc.capacity, Used: tc.used}.HasRoom(tc.size)
		require.Equal(t, tc.want, got, "%d of %d used, %d more", tc.used, tc.capacity, tc.size)
	}
}

// All nodes of a network must choose alike, so what was once chosen is fixed.
func TestChooseIsFixed(t *testing.T) {
	list := nodes(10, 20, 30, 40, 50, 60, 70)
	var got [][]uint64
	for i := range 6 {
		got = append(got, storage.Choose(rootOf(i), list, 1, 3, 0))
	}
	require.Equal(t, [][]uint64{{4, 5, 7}, {3, 5, 7}, {1, 5, 7}, {3, 6, 7}, {2, 5, 6}, {2, 3, 5}}, got)
}

func TestNegLog2(t *testing.T) {
	for x, want := range map[uint64]uint64{1: 64 << 56, 2: 63 << 56, 1 << 63: 1 << 56, 1 << 62: 2 << 56, math.MaxUint64: 1} {
		require.Equal(t, want, storage.NegLog2(x), "%d", x)
	}
	random := rand.New(rand.NewPCG(7, 8))
	for range 2000 {
		x := random.Uint64() >> random.UintN(64)
		if x < 2 {
			continue
		}
		got := storage.NegLog2(x)
		require.InDelta(t, 64-math.Log2(float64(x)), float64(got)/(1<<56), 1e-13)
		require.GreaterOrEqual(t, storage.NegLog2(x-1), got, "it never falls where x falls")
	}
}
