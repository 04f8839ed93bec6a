package blob

import (
	"crypto/sha256"
	"fmt"

	"github.com/phrd/phrd/lock"
)

// CheckSize returns an error that is [ErrTooLarge] unless a block of n bytes may be
// stored: at least one byte, at most [MaxBlock].
func CheckSize(n int) error {
	if n < 1 || n > MaxBlock {
		return fmt.Errorf("%d bytes, want 1 to %d: %w", n, MaxBlock, ErrTooLarge)
	}
	return nil
}

// Matches tells whether the bytes are those that c names.
func Matches(c lock.CID, block []byte) bool {
	return sha256.Sum256(block) == c.Digest()
}

// CheckTrusted returns an error unless a block of this length may be stored under c:
// [ErrTooLarge], or lock.ErrCID when c has neither of the network's two forms. It does not
// hash.
func CheckTrusted(c lock.CID, block []byte) error {
	if _, err := lock.CIDFromBytes(c.Bytes()); err != nil {
		return err
	}
	return CheckSize(len(block))
}

// Check is CheckTrusted, and [ErrMismatch] unless the bytes have the hash that c names.
func Check(c lock.CID, block []byte) error {
	if err := CheckTrusted(c, block); err != nil {
		return err
	}
	if !Matches(c, block) {
		return fmt.Errorf("block %s: %w", c, ErrMismatch)
	}
	return nil
}
