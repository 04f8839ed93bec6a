package storage

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/phrd/phrd/lock"
)

// Candidate is a storage node that may get a copy.
type Candidate struct {
	// Node is the storage node's number.
	Node uint64
	// Member and Site are its failure domain.
	Member, Site uint64
	// Capacity in bytes is its weight; a node without any is never chosen.
	Capacity uint64
	// Used is how many bytes are placed on it.
	Used uint64
}

// Domain is what fails together: one site of one member.
type Domain struct{ Member, Site uint64 }

// Domain is the candidate's failure domain.
func (c Candidate) Domain() Domain { return Domain{Member: c.Member, Site: c.Site} }

// HasRoom says whether size more bytes fit.
func (c Candidate) HasRoom(size uint64) bool {
	return c.Used <= c.Capacity && size <= c.Capacity-c.Used
}

// Choose answers the numbers, ascending, of the nodes that shall keep an object:
// at most one of each failure domain, target of them, or one of every domain where
// target is 0; fewer where there are fewer domains with room. The origin, a node's
// number, comes first where it is a candidate with room, for the bytes are there
// already; 0 prefers nobody. The others follow by weighted rendezvous hashing
// (Schindelhauer and Schomaker 2005): members that have no copy yet first, then
// further sites.
//
// Each node draws a number u in (0, 1] from the hash of the key and its own number, and
// those with the smallest -log2(u)/capacity win. The key is the object's own CID, or that
// of one beside which it shall lie. That is the first of independent exponential clocks,
// so a node, and a domain, wins in proportion to its capacity, whoever else takes part.
func Choose(key lock.CID, candidates []Candidate, size uint64, target uint32, origin uint64) []uint64 {
	return choose(key, candidates, nil, size, target, origin)
}

// Complete answers the numbers, ascending, of the nodes that shall keep an object
// beside those in the domains that stay: as many as are missing to target domains,
// or one of every further domain where target is 0, in the order of [Choose]. Nodes
// in a domain that stays are not chosen.
func Complete(key lock.CID, candidates []Candidate, stay []Domain, size uint64, target uint32) []uint64 {
	return choose(key, candidates, stay, size, target, 0)
}

func choose(key lock.CID, candidates []Candidate, stay []Domain, size uint64, target uint32, origin uint64) []uint64 {
	type ranked struct {
		Candidate
		clock uint64
	}
	list := make([]ranked, 0, len(candidates))
	for _, c := range candidates {
		if c.Capacity > 0 && c.HasRoom(size) {
			list = append(list, ranked{Candidate: c, clock: negLog2(draw(key, c.Node))})
		}
	}
	slices.SortFunc(list, func(a, b ranked) int {
		if a.Node == origin || b.Node == origin {
			return cmp.Compare(isOther(a.Node, origin), isOther(b.Node, origin))
		}
		// a.clock/a.Capacity against b.clock/b.Capacity, without a division.
		aHi, aLo := bits.Mul64(a.clock, b.Capacity)
		bHi, bLo := bits.Mul64(b.clock, a.Capacity)
		return cmp.Or(cmp.Compare(aHi, bHi), cmp.Compare(aLo, bLo), cmp.Compare(a.Node, b.Node))
	})
	var chosen []uint64
	members, domains := map[uint64]bool{}, map[Domain]bool{}
	for _, d := range stay {
		members[d.Member], domains[d] = true, true
	}
	take := func(isFree func(Candidate) bool) {
		for _, c := range list {
			if (target == 0 || len(domains) < int(target)) && isFree(c.Candidate) {
				chosen = append(chosen, c.Node)
				members[c.Member], domains[c.Domain()] = true, true
			}
		}
	}
	take(func(c Candidate) bool { return !members[c.Member] })
	take(func(c Candidate) bool { return !domains[c.Domain()] })
	slices.Sort(chosen)
	return chosen
}

// isOther is 0 for the origin itself and 1 for every other node.
func isOther(node, origin uint64) int {
	if node == origin {
		return 0
	}
	return 1
}

// draw is a node's number for an object: u·2^64 with u in (0, 1).
func draw(key lock.CID, node uint64) uint64 {
	h := lock.H32("phrd/v1/place", key.Bytes(), lock.Uint(node))
	return max(1, binary.BigEndian.Uint64(h[:8]))
}

// fraction is how many bits of negLog2 stand behind the point: the largest result
// is 64, so seven bits stand before it.
const fraction = 56

// negLog2 is -log2(x/2^64) for x from 1, with fraction bits behind the point and an
// error below 2^-55. It finds the bits by squaring the mantissa again and again
// (Knuth, The Art of Computer Programming, 1.2.2), and never falls where x falls.
func negLog2(x uint64) uint64 {
	exponent := bits.Len64(x) - 1
	m := x << (63 - exponent) // 1 ≤ m/2^63 < 2
	var log uint64
	for range fraction {
		hi, lo := bits.Mul64(m, m) // m²: 1 ≤ hi/2^62 < 4
		log <<= 1
		if hi>>63 == 1 {
			log |= 1
			m = hi
		} else {
			m = hi<<1 | lo>>63
		}
	}
	return 64<<fraction - (uint64(exponent)<<fraction | log)
}
