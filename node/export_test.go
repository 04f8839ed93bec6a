package node

import (
	"context"
	"log/slog"

	"github.com/phrd/phrd/lock"
)

// ErrNotStorage says that an account belongs to no storage node yet.
var ErrNotStorage = errNotStorage

// Report has a reporter told of errors, one after another.
func Report(ctx context.Context, log *slog.Logger, what string, errs ...error) {
	r := reporter{log: log}
	for _, err := range errs {
		r.changed(ctx, what, err)
	}
}

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
