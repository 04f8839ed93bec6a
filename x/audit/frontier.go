package audit

import (
	"crypto/sha256"
	"fmt"
	"math/bits"
)

// Prefixes of the hashed bytes, RFC 9162, section 2.1.1.
const (
	leafPrefix = 0
	nodePrefix = 1
)

// Append adds a leaf at the right edge of the tree: it becomes a perfect subtree of
// one leaf, which is joined with its left neighbour as long as both have one size.
// Slices of f that others hold are not written to. It answers the roots of the perfect
// subtrees that came to be, that of the leaf first, then of 2, 4 and so on leaves.
func (f *Frontier) Append(leaf [sha256.Size]byte) [][sha256.Size]byte {
	nodes, node := f.Nodes, leaf
	grown := [][sha256.Size]byte{leaf}
	for range bits.TrailingZeros64(^f.Size_) {
		last := len(nodes) - 1
		node = nodeHash(nodes[last], node[:])
		nodes = nodes[:last]
		grown = append(grown, node)
	}
	f.Nodes = append(nodes[:len(nodes):len(nodes)], node[:])
	f.Size_++
	return grown
}

// Root is the Merkle tree hash over all leaves.
func (f *Frontier) Root() [sha256.Size]byte {
	n := len(f.Nodes)
	if n == 0 {
		return sha256.Sum256(nil)
	}
	root := [sha256.Size]byte(f.Nodes[n-1])
	for i := n - 2; i >= 0; i-- {
		root = nodeHash(f.Nodes[i], root[:])
	}
	return root
}

// Validate answers an error where the nodes are not those of a tree of that size.
func (f *Frontier) Validate() error {
	if want := bits.OnesCount64(f.Size_); len(f.Nodes) != want {
		return fmt.Errorf("frontier of %d leaves: %d nodes, want %d", f.Size_, len(f.Nodes), want)
	}
	for i, node := range f.Nodes {
		if len(node) != sha256.Size {
			return fmt.Errorf("frontier of %d leaves: node %d has %d bytes", f.Size_, i+1, len(node))
		}
	}
	return nil
}

func nodeHash(left, right []byte) [sha256.Size]byte {
	var b [1 + 2*sha256.Size]byte
	b[0] = nodePrefix
	copy(b[1:], left)
	copy(b[1+sha256.Size:], right)
	return sha256.Sum256(b[:])
}
