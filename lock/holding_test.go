package lock_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/phrd/phrd/lock"
)

// Whatever goes into a digest changes it.
func TestHoldingDigestBindsEverything(t *testing.T) {
	t.Parallel()
	leaf, envelope := bytes.Repeat([]byte{7}, 1<<20), []byte("envelope")
	root := lock.DagCID(sha256.Sum256(leaf))
	same := lock.HoldingDigest([32]byte{1}, 2, root, 3, leaf, envelope)
	if again := lock.HoldingDigest([32]byte{1}, 2, root, 3, bytes.Clone(leaf), []byte("envelope")); again != same {
		t.Error("the same question has two answers")
	}
	flipped := bytes.Clone(leaf)
	flipped[len(flipped)/2] ^= 1
	for name, digest := range map[string][32]byte{
		"seed":               lock.HoldingDigest([32]byte{2}, 2, root, 3, leaf, envelope),
		"node":               lock.HoldingDigest([32]byte{1}, 3, root, 3, leaf, envelope),
		"object":             lock.HoldingDigest([32]byte{1}, 2, lock.RawCID(root.Digest()), 3, leaf, envelope),
		"leaf number":        lock.HoldingDigest([32]byte{1}, 2, root, 4, leaf, envelope),
		"one bit":            lock.HoldingDigest([32]byte{1}, 2, root, 3, flipped, envelope),
		"last byte":          lock.HoldingDigest([32]byte{1}, 2, root, 3, leaf[:len(leaf)-1], envelope),
		"attached":           lock.HoldingDigest([32]byte{1}, 2, root, 3, leaf, []byte("another")),
		"nothing attached":   lock.HoldingDigest([32]byte{1}, 2, root, 3, leaf),
		"attached to a leaf": lock.HoldingDigest([32]byte{1}, 2, root, 3, append(bytes.Clone(leaf), envelope...)),
		"attached in two":    lock.HoldingDigest([32]byte{1}, 2, root, 3, leaf, envelope[:3], envelope[3:]),
	} {
		if digest == same {
			t.Errorf("%s does not count", name)
		}
	}
}

func TestRevealCommitmentBindsEpochAndNode(t *testing.T) {
	t.Parallel()
	same := lock.RevealCommitment(1, 2, [32]byte{3})
	for _, other := range [][32]byte{
		lock.RevealCommitment(2, 2, [32]byte{3}), lock.RevealCommitment(1, 3, [32]byte{3}), lock.RevealCommitment(1, 2, [32]byte{4}),
	} {
		if other == same {
			t.Error("two reveals have one commitment")
		}
	}
	if lock.RevealCommitment(1, 2, [32]byte{3}) != same {
		t.Error("one reveal has two commitments")
	}
}
