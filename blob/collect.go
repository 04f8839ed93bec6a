package blob

import (
	"context"
	"time"

	"github.com/phrd/phrd/lock"
)

// A Collector is a store from which what nobody names can be removed.
//
// A block is used when it is put, also where the store holds it already, when a Sync
// acknowledges it, and when it is touched. The time of that survives the end of the process,
// and for a block that was put also a crash once the Sync has returned.
type Collector interface {
	// List calls visit for every block whose CID follows after in the order of bytes, which
	// is raw blocks first, then inner nodes, in that order and until visit returns an error,
	// which List returns. The store may change meanwhile; visit may call its methods. Blocks
	// that were found damaged are listed as well. List needs memory for a few of them only.
	List(ctx context.Context, after lock.CID, visit func(Held) error) error
	// Collect is Erase of those of the blocks that were used last before a moment. Whether a
	// block was, and its end, are one step that no Put, Sync or Touch comes between: each of
	// them happens before, and the block stays, or after, and does not find it. When Collect
	// returns an error, what it says was removed is still right.
	Collect(ctx context.Context, cids []lock.CID, before time.Time) (Collected, error)
}

// Held is a block that a store holds.
type Held struct {
	// CID names the block.
	CID lock.CID
	// Bytes that its copies in the store take.
	Bytes int64
	// Used is when it was used last, or later, never earlier.
	Used time.Time
}

// Collected says how much was collected.
type Collected struct {
	// Blocks removed, and their Bytes.
	Blocks, Bytes int64
}
