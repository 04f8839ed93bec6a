package node

import "github.com/phrd/phrd/lock"

// The bounds of a filter's size in bytes.
const (
	MinFilter = minFilter
	MaxFilter = maxFilter
)

// Filter is a set of blocks in bounded memory.
type Filter struct{ f *filter }

// NewFilter returns an empty filter for some number of blocks.
func NewFilter(blocks int64) Filter { return Filter{newFilter(blocks)} }

// Add adds a block.
func (f Filter) Add(c lock.CID) { f.f.add(c) }

// Has tells whether a block was added, or seems so.
func (f Filter) Has(c lock.CID) bool { return f.f.has(c) }

// Size is the filter's size in bytes.
func (f Filter) Size() int { return len(f.f.words) * 8 }
