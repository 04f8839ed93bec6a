// Package blob is the contract of a store of ciphertext blocks, and the rules for the
// objects made of them.
//
// A block is a sequence of bytes named by its [lock.CID]. An object is a UnixFS tree of
// blocks in the one shape that docs/custody.md, appendix A, DAG, allows; [Leaves],
// [Blocks] and [Verify] walk it and refuse any other. Nothing here knows keys, records
// or the chain: what is stored is ciphertext, and a block is right when its hash is.
//
// The stores are blob/pack, which keeps blocks in append-only files, and blob/memory,
// for tests. Both pass the suite of blob/blobtest. Package blob/ipfs copies blocks
// between stores.
package blob

import (
	"context"
	"errors"

	"github.com/phrd/phrd/lock"
)

const (
	// MaxBlock is the largest block in bytes that a store takes, one full leaf.
	MaxBlock = 1 << 20
	// LargeObject is the size in bytes from which an object gets a file of its own.
	LargeObject = 4 << 20
)

// What a caller tests with errors.Is.
var (
	// ErrNotFound says that the store does not hold the block.
	ErrNotFound = errors.New("block not found")
	// ErrCorrupt says that the stored bytes of a block do not match its CID. They are
	// not served; the store counts the block as missing from then on, so that it can be
	// put again.
	ErrCorrupt = errors.New("stored block is damaged")
	// ErrMismatch says that bytes offered for storing do not match their CID.
	ErrMismatch = errors.New("block does not match its identifier")
	// ErrTooLarge says that a block is empty or longer than [MaxBlock].
	ErrTooLarge = errors.New("block size is out of bounds")
	// ErrFull says that the disk is full or below its reserve. Nothing was acknowledged;
	// reads go on, and writes may be tried again when there is space.
	ErrFull = errors.New("no space left in the block store")
	// ErrFailed says that an earlier write or fsync failed, so that the store can no
	// longer promise anything about what it writes. It takes no more writes until it is
	// opened anew; reads go on.
	ErrFailed = errors.New("block store has failed and takes no more writes")
	// ErrErased says that a block was erased for good and is not taken again.
	ErrErased = errors.New("block was erased for good")
	// ErrClosed says that the store or the batch was closed.
	ErrClosed = errors.New("block store is closed")
	// ErrShape says that an object is not a tree of the one accepted shape.
	ErrShape = errors.New("object has not the accepted shape")
	// ErrBudget says that an object needs more bytes than the caller allows.
	ErrBudget = errors.New("object exceeds its budget")
)

// A Getter reads single blocks. Its methods may be called at the same time.
type Getter interface {
	// Get returns the bytes of block c after it hashed them; the caller owns them. Errors
	// are ErrNotFound, ErrCorrupt, ErrClosed or those of the disk.
	Get(ctx context.Context, c lock.CID) ([]byte, error)
}

// A Prober tells what a store holds. Its methods may be called at the same time.
type Prober interface {
	// Has tells whether the store holds block c durably. It does not read the block.
	Has(ctx context.Context, c lock.CID) (bool, error)
	// Size returns the length of block c in bytes without reading it, or ErrNotFound.
	Size(ctx context.Context, c lock.CID) (int, error)
}

// A Putter opens batches. Batches of one store may be used at the same time.
type Putter interface {
	// Begin opens a batch. The batch writes nothing before its first Put, and must be
	// closed. Errors are ErrFailed, ErrClosed.
	Begin(ctx context.Context, hint Hint) (Batch, error)
}

// A Hint tells a store what a batch will hold.
type Hint struct {
	// Size is the number of bytes that the batch will probably put, 0 if unknown. From
	// LargeObject on the batch gets a file of its own.
	Size uint64
}

// A Batch adds blocks to a store. Its methods are called by one goroutine at a time.
//
// A block is durable, and known to Has, Get and Size, once a Sync that follows its Put
// has returned nil; before that it may or may not be there, also after a crash. After an
// upload was cut, a new batch carries on: Has tells what arrived.
type Batch interface {
	// Put adds a block after it checked that the bytes match c. The bytes may be used
	// again after the call. A block that the store already holds is not written twice.
	// Errors are ErrMismatch, ErrTooLarge, ErrFull, ErrFailed, ErrClosed.
	Put(c lock.CID, block []byte) error
	// PutTrusted is Put without the check, for a caller that has just computed c from the
	// bytes. A wrong c costs the block: it fails on every read.
	PutTrusted(c lock.CID, block []byte) error
	// Sync makes all that was put so far durable. The batch goes on afterwards. On an
	// error nothing since the last Sync is acknowledged: ErrFull, ErrFailed, ErrClosed, or
	// ErrNotFound when a block that needed no writing was erased meanwhile, so that the
	// caller has to put it again.
	Sync(ctx context.Context) error
	// Close ends the batch. It makes nothing durable. A second Close does nothing.
	Close() error
}

// An Eraser removes blocks for good.
type Eraser interface {
	// Erase removes from the disk every copy of the blocks, save those for which keep
	// answers true because a live version names them; keep may be nil. When it returns nil
	// no file holds them any more and no rebuild brings them back. When it returns an
	// error it may be repeated. Blocks that the store does not hold are no error. A later
	// Put of the same block stores it again.
	Erase(ctx context.Context, cids []lock.CID, keep func(lock.CID) bool) error
}

// A Toucher remembers when blocks were used last, so that none is collected that somebody
// relies on. Its methods may be called at the same time.
type Toucher interface {
	// Touch is Has, and a block that is held counts as used now. Who goes on because the
	// store holds a block already calls it instead of Has: no Collect whose limit lies before
	// that moment removes the block, not even one that is under way.
	Touch(ctx context.Context, c lock.CID) (bool, error)
}

// A Store holds blocks until they are erased.
type Store interface {
	Getter
	Prober
	Toucher
	Putter
	Eraser
	// Close ends all work of the store. What was not synced may be lost.
	Close() error
}

// A ColdReader is a store that can read past the memory of the operating system.
type ColdReader interface {
	// Cold returns a Getter that asks the disk itself, so that what it returns is there.
	Cold() Getter
}

// An UncheckedReader is a store that can read a block for somebody who hashes it anyway,
// such as a peer that receives it.
type UncheckedReader interface {
	// AppendUnchecked appends the bytes of block c to b without hashing them. What damage
	// the store can see at little cost is ErrCorrupt, as in Get; any other is left to the
	// hash of the receiver. Errors are those of Get, and b is returned with them.
	AppendUnchecked(ctx context.Context, c lock.CID, b []byte) ([]byte, error)
}
