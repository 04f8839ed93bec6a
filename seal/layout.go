package seal

import (
	"errors"
	"math/bits"
)

const (
	// LeafSize is the length in bytes of every data leaf but an object's last.
	LeafSize = 1 << 20
	// MinLeafSize is the least length in bytes of any leaf.
	MinLeafSize = 4096
	// ChunkSize is S, the plaintext in bytes that a full leaf carries.
	ChunkSize = LeafSize - tagSize
	// MaxSize is the longest file in bytes that this package seals or opens, 256 TiB.
	MaxSize = 1 << 48

	tagSize = 16 // of AES-256-GCM
)

var errTooLong = errors.New("file is longer than 256 TiB")

// Padme rounds a length in bytes up as PADMÉ does (Nikitin et al., "Reducing
// Metadata Leakage from Encrypted Files and Communication with PURBs", 2019): it
// keeps O(log log n) bits of the length and adds at most 12 %. Lengths reach to 2^63.
func Padme(length uint64) uint64 {
	if length < 2 {
		return length
	}
	exponent := bits.Len64(length) - 1
	kept := bits.Len64(uint64(exponent))
	mask := uint64(1)<<(exponent-kept) - 1
	return (length + mask) &^ mask
}

// Layout says how a file of one size is cut into leaves (docs/custody.md, appendix
// A, object). The size alone fixes it.
type Layout struct {
	Size   uint64 // bytes of the file
	Padded uint64 // bytes of all data leaves together; stands on the chain
	Leaves uint64 // number of data leaves, at least 1
}

// LayoutOf returns the layout of a file of size bytes, at most [MaxSize].
func LayoutOf(size uint64) (Layout, error) {
	if size > MaxSize {
		return Layout{}, errTooLong
	}
	chunks := max(1, (size+ChunkSize-1)/ChunkSize)
	padded := max(MinLeafSize, Padme(size+tagSize*chunks))
	return Layout{Size: size, Padded: padded, Leaves: (padded + LeafSize - 1) / LeafSize}, nil
}

// LeafSize returns the length in bytes of data leaf i, counted from 0.
func (l Layout) LeafSize(i uint64) int {
	if i+1 < l.Leaves {
		return LeafSize
	}
	return int(l.Padded - (l.Leaves-1)*LeafSize)
}

// Length returns how many bytes of the file leaf i carries, counted from 0: a full
// chunk until the file's end, then less, then none.
func (l Layout) Length(i uint64) int {
	start := i * ChunkSize
	if start >= l.Size {
		return 0
	}
	return int(min(l.Size-start, uint64(l.LeafSize(i)-tagSize)))
}
