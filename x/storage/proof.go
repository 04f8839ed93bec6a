package storage

import (
	"encoding/binary"
	"slices"

	"github.com/phrd/phrd/lock"
)

const (
	hashSize = 32
	leafSize = 1 << 20
)

// FirstEpoch stands before the first epoch of a chain.
func FirstEpoch(chainID string) Epoch {
	seed := lock.H32("phrd/v1/challenge", lock.Uint(0), []byte(chainID))
	return Epoch{Seed: seed[:]}
}

// Next is the epoch that follows. Its seed stands as soon as nothing more is revealed in
// this one, and nobody knew it before the last of those who revealed something did.
func (e Epoch) Next() Epoch {
	seed := lock.H32("phrd/v1/challenge", lock.Uint(e.Number+1), e.Seed, e.Mix)
	return Epoch{Number: e.Number + 1, Seed: seed[:], Mix: make([]byte, hashSize), Step: EPOCH_STEP_FORGETTING}
}

// Reveal mixes what a node reveals into the next epoch's seed. The order of reveals does
// not matter.
func (e *Epoch) Reveal(node uint64, reveal []byte) {
	h := lock.H32("phrd/v1/reveal", lock.Uint(e.Number), lock.Uint(node), reveal)
	mix := make([]byte, hashSize)
	for i := range mix {
		mix[i] = e.Mix[i] ^ h[i]
	}
	e.Mix = mix
}

// IsVoid says whether so few nodes answered in the epoch that the network must have been
// at fault: less than half.
func (e Epoch) IsVoid() bool { return 2*e.Proven < e.Challenged }

// Pick is the point on the circle of all digests from which the n-th object of a node is
// picked, and the number that picks its leaf.
func (e Epoch) Pick(node uint64, n uint32) (point [32]byte, leaf uint64) {
	point = lock.H32("phrd/v1/pick", e.Seed, lock.Uint(node), lock.Uint(uint64(n)))
	h := lock.H32("phrd/v1/pick-leaf", e.Seed, lock.Uint(node), lock.Uint(uint64(n)))
	return point, binary.BigEndian.Uint64(h[:8])
}

// Distance is how far it is from a point to a digest on the circle of all digests, going
// up.
func Distance(point, digest [32]byte) [32]byte {
	var d [32]byte
	borrow := 0
	for i := hashSize - 1; i >= 0; i-- {
		n := int(digest[i]) - int(point[i]) - borrow
		borrow = 0
		if n < 0 {
			n, borrow = n+256, 1
		}
		d[i] = byte(n)
	}
	return d
}

// Leaves is how many data leaves the object has; a single block has one.
func (o Object) Leaves() uint64 {
	if root, err := lock.ParseCID(o.Cid); err == nil && root.IsRaw() {
		return 1
	}
	return max(1, (o.Size_+leafSize-1)/leafSize)
}

// Asks says whether the node is asked for that leaf already.
func (p Proof) Asks(object string, leaf uint64) bool {
	return slices.ContainsFunc(p.Challenges, func(c Challenge) bool { return c.Object == object && c.Leaf == leaf })
}

// IsDue says whether the node must have answered in an epoch that waited for proofs since
// then: it was heard of, and is to keep what it holds. Who is silent all the time is
// missed as a node, not for its proofs.
func (p Pulse) IsDue(since int64) bool { return p.BeatAt >= since && p.TakesCopies() }

// Outvoted says whether more than half of the other holders dispute what a node said.
func (c Challenge) Outvoted(node uint64, copies []Placed) bool {
	others, against := 0, 0
	for _, p := range copies {
		if p.Node == node || !p.Counts() {
			continue
		}
		others++
		if c.DisputedBy(p.Node) {
			against++
		}
	}
	return 2*against > others
}

// DisputedBy says whether the node disputes the digest.
func (c Challenge) DisputedBy(node uint64) bool { return slices.Contains(c.Disputers, node) }

// Validate answers ErrInvalidProof for a malformed message.
func (m *MsgSubmitProofs) Validate() error {
	if n := len(m.Reveal); n != 0 && n != hashSize {
		return ErrInvalidProof.Wrapf("reveal of %d bytes", n)
	}
	if n := len(m.Commitment); n != hashSize {
		return ErrInvalidProof.Wrapf("commitment of %d bytes", n)
	}
	if n := len(m.Digests); n < 1 || n > MaxChallenges {
		return ErrInvalidProof.Wrapf("got %d digests, want 1 to %d", n, MaxChallenges)
	}
	for i, d := range m.Digests {
		if n := len(d); n != 0 && n != hashSize {
			return ErrInvalidProof.Wrapf("digest %d of %d bytes", i, n)
		}
	}
	return nil
}

// Validate answers ErrInvalidBatch for a malformed message.
func (m *MsgDisputeProofs) Validate() error {
	if n := len(m.Disputes); n < 1 || n > MaxBatch {
		return ErrInvalidBatch.Wrapf("got %d disputes, want 1 to %d", n, MaxBatch)
	}
	seen := make(map[Dispute]bool, len(m.Disputes))
	for _, d := range m.Disputes {
		if seen[d] {
			return ErrInvalidBatch.Wrapf("challenge %d of node %d in epoch %d is named twice", d.Index, d.Accused, d.Epoch)
		}
		seen[d] = true
	}
	return nil
}
