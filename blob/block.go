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

// Check returns an error unless the bytes may be stored under c: [ErrTooLarge] for their
// size, [ErrMismatch] for their hash, or lock.ErrCID when c has neither of the two forms.
func Check(c lock.CID, block []byte) error {
	if _, err := lock.CIDFromBytes(c.Bytes()); err != nil {
		return err
	}
	if err := CheckSize(len(block)); err != nil {
		return err
	}
	if !Matches(c, block) {
		return fmt.Errorf("block %s: %w", c, ErrMismatch)
	}
	return nil
}
