package node

import (
	"hash/maphash"
	"math/bits"

	"github.com/phrd/phrd/lock"
)

const (
	// filterBits is how many bits a filter has for each block, as long as maxFilter allows. With
	// filterProbes of them set, 1 in 400 blocks that were not added is taken for one that was.
	filterBits   = 16
	filterProbes = 4
	// minFilter and maxFilter bound the size of a filter in bytes. At the upper bound it takes
	// 1 in 100 for added at 50 million blocks, and 1 in 12 at 130 million.
	minFilter = 8 << 10
	maxFilter = 64 << 20
)

// filter is a set of blocks in bounded memory (Bloom 1970). It never forgets a block that was
// added, and takes a few for added that were not, others in each filter.
type filter struct {
	words []uint64
	seeds [2]maphash.Seed
}

// newFilter returns an empty filter for some number of blocks.
func newFilter(blocks int64) *filter {
	size := min(max(blocks*filterBits/8, minFilter), maxFilter)
	return &filter{words: make([]uint64, size/8), seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
}

// add adds a block.
func (f *filter) add(c lock.CID) {
	f.probe(c, func(word *uint64, bit uint64) bool {
		*word |= bit
		return true
	})
}

// has tells whether a block was added, or seems so.
func (f *filter) has(c lock.CID) bool {
	return f.probe(c, func(word *uint64, bit uint64) bool { return *word&bit != 0 })
}

// probe shows visit the bits of a block until it returns false.
func (f *filter) probe(c lock.CID, visit func(word *uint64, bit uint64) bool) bool {
	at, step := maphash.Bytes(f.seeds[0], c[:]), maphash.Bytes(f.seeds[1], c[:])
	for range filterProbes {
		place, _ := bits.Mul64(at, uint64(len(f.words))*64)
		if !visit(&f.words[place/64], 1<<(place%64)) {
			return false
		}
		at += step
	}
	return true
}
