package blob

import (
	"fmt"

	"github.com/phrd/phrd/lock"
)

// An Arrival is an object that comes as a stream of blocks, each inner node before what it
// names. It takes no block that the object does not name, and each once. So whoever sends
// it can't have anything else stored, nor more than the object may have.
//
// Of the shape it checks what single blocks show. Whether the whole is right tells
// [ReadTree] when all has come.
type Arrival struct {
	budget uint64              // bytes that may still come
	left   uint64              // blocks that may still be named
	wanted map[lock.CID]uint64 // that were named and have not come, with the length; 0 if open
	named  map[lock.CID]struct{}
	blocks int
	bytes  uint64
}

// NewArrival returns an Arrival of an object of at most budget bytes and of the raw blocks
// that belong to it.
func NewArrival(object lock.CID, attached []lock.CID, budget uint64) *Arrival {
	a := &Arrival{budget: budget, left: maxBlocks(budget), wanted: map[lock.CID]uint64{}, named: map[lock.CID]struct{}{}}
	for _, c := range append([]lock.CID{object}, attached...) {
		a.wanted[c], a.named[c] = 0, struct{}{}
	}
	a.budget += uint64(len(attached)) * MaxBlock
	return a
}

// Take takes the next block, which the caller has hashed. Errors are [ErrShape] and
// [ErrBudget]; then the block is not to be stored.
func (a *Arrival) Take(c lock.CID, block []byte) error {
	length, wanted := a.wanted[c]
	if _, named := a.named[c]; !wanted && named {
		return fmt.Errorf("block %s comes twice: %w", c, ErrShape)
	}
	if !wanted {
		return fmt.Errorf("block %s is none of the object, or comes before the one that names it: %w", c, ErrShape)
	}
	if length != 0 && uint64(len(block)) != length {
		return fmt.Errorf("leaf %s has %d bytes, its link says %d: %w", c, len(block), length, ErrShape)
	}
	if uint64(len(block)) > a.budget {
		return fmt.Errorf("block %s goes beyond what the object may have: %w", c, ErrBudget)
	}
	if c.IsDag() {
		if err := a.name(c, block); err != nil {
			return err
		}
	}
	delete(a.wanted, c)
	a.budget -= uint64(len(block))
	a.blocks++
	a.bytes += uint64(len(block))
	return nil
}

// name takes up what an inner node names.
func (a *Arrival) name(c lock.CID, block []byte) error {
	links, err := ParseNode(block)
	if err != nil {
		return fmt.Errorf("%s: %w", c, err)
	}
	if uint64(len(links)) > a.left {
		return fmt.Errorf("%s names too many blocks: %w", c, ErrBudget)
	}
	for _, l := range links {
		if _, again := a.named[l.CID]; again {
			return fmt.Errorf("block %s is named twice: %w", l.CID, ErrShape)
		}
		if l.Tree > a.budget || !l.CID.IsDag() && l.Size > MaxBlock {
			return fmt.Errorf("%d bytes below %s: %w", l.Tree, l.CID, ErrBudget)
		}
		a.named[l.CID] = struct{}{}
		a.wanted[l.CID] = 0
		if !l.CID.IsDag() {
			a.wanted[l.CID] = l.Size
		}
	}
	a.left -= uint64(len(links))
	return nil
}

// Missing is how many blocks were named and have not come.
func (a *Arrival) Missing() int { return len(a.wanted) }

// Came is how many blocks have come, and how many bytes they have together.
func (a *Arrival) Came() (blocks int, bytes uint64) { return a.blocks, a.bytes }
