package records

import (
	"crypto/sha256"
	"math"

	"github.com/phrd/phrd/lock"
)

// Validate answers ErrInvalidBox for what can't lock a box.
func (b BoxLock) Validate() error {
	if b.Generation < 1 || b.Generation > math.MaxInt64 {
		return ErrInvalidBox.Wrapf("generation %d", b.Generation)
	}
	if _, err := lock.ParseEncapsulation(b.U); err != nil {
		return ErrInvalidBox.Wrapf("U: %v", err)
	}
	if _, err := lock.ParsePoint(b.UBar); err != nil {
		return ErrInvalidBox.Wrapf("U-bar: %v", err)
	}
	if len(b.Hash) != sha256.Size {
		return ErrInvalidBox.Wrapf("hash of %d bytes, want %d", len(b.Hash), sha256.Size)
	}
	return nil
}

// Statement is what the proof of a valid box speaks for (docs/custody.md, appendix A,
// emergency): its Hash is E, which stands for ctx where the box is to be opened. The version's
// ctx and commitment to the owner's half are given, the emergency key's public key as its 32
// bytes, and the account that signs, of 20 bytes, or none for E alone.
func (b BoxLock) Statement(network lock.Network, key []byte, lockContext [64]byte, pc, signer []byte) (lock.EmergencyBox, error) {
	if err := b.Validate(); err != nil {
		return lock.EmergencyBox{}, err
	}
	if len(pc) != commitmentSize {
		return lock.EmergencyBox{}, ErrInvalidBox.Wrap("a lock without the owner's half has no box")
	}
	x, err := lock.ParsePoint(key)
	if err != nil {
		return lock.EmergencyBox{}, ErrInvalidBox.Wrapf("network key: %v", err)
	}
	s := lock.EmergencyBox{Context: lockContext, Pc: [32]byte(pc), Box: [sha256.Size]byte(b.Hash)}
	if s.Generation, err = (lock.Generation{Network: network, Kind: lock.KeyEmergency, Number: b.Generation, X: x}).Hash(); err != nil {
		return s, ErrInvalidBox.Wrapf("generation: %v", err)
	}
	if s.U, err = lock.ParseEncapsulation(b.U); err != nil {
		return s, ErrInvalidBox.Wrapf("U: %v", err)
	}
	if s.UBar, err = lock.ParsePoint(b.UBar); err != nil {
		return s, ErrInvalidBox.Wrapf("U-bar: %v", err)
	}
	if len(signer) != 0 && len(signer) != len(s.Signer) {
		return s, ErrUnauthorized.Wrapf("signer's address has %d bytes", len(signer))
	}
	copy(s.Signer[:], signer)
	return s, nil
}

// Boxes are the boxes of envelopes in a message of an owner, in the order of its versions.
type Boxes struct {
	// Locks of the boxes; none where the envelopes have no new ones.
	Locks []BoxLock
	// Proofs of their encapsulations.
	Proofs [][]byte
}

// Boxes are the boxes of the message.
func (m *MsgReplaceEnvelopes) Boxes() (Boxes, error) {
	return boxesOf(len(m.Versions), m.BoxGeneration, m.BoxU, m.BoxUBar, m.BoxHashes, m.BoxProofs)
}

// Boxes are the boxes of the message.
func (m *MsgRelockVersions) Boxes() (Boxes, error) {
	return boxesOf(len(m.Versions), m.BoxGeneration, m.BoxU, m.BoxUBar, m.BoxHashes, m.BoxProofs)
}

// boxesOf reads the boxes of a message about so many versions. It answers ErrInvalidEnvelopes or
// ErrInvalidBox.
func boxesOf(versions int, generation uint64, u, uBar, hashes, proofs [][]byte) (Boxes, error) {
	if generation == 0 {
		return Boxes{}, checkCounts(0, len(u), len(uBar), len(hashes), len(proofs))
	}
	if err := checkCounts(versions, len(u), len(uBar), len(hashes), len(proofs)); err != nil {
		return Boxes{}, err
	}
	b := Boxes{Proofs: proofs}
	for i := range u {
		l := BoxLock{Generation: generation, U: u[i], UBar: uBar[i], Hash: hashes[i]}
		if err := l.Validate(); err != nil {
			return Boxes{}, err
		}
		if len(proofs[i]) != proofSize {
			return Boxes{}, ErrInvalidProof.Wrapf("box %d: got %d bytes, want %d", i+1, len(proofs[i]), proofSize)
		}
		b.Locks = append(b.Locks, l)
	}
	return b, nil
}
