package lock

import (
	"crypto/sha256"
	"fmt"
	"io"
)

// MaxOwn is how many owner halves an envelope has at most.
const MaxOwn = 48

// Encapsulation is a fresh network half K with what lets the holders give it back, U = r·G and Ū = r·Ḡ. K and r are secret.
type Encapsulation struct {
	U, UBar Point
	K       Point

	r    Scalar
	gBar Point
}

// NewEncapsulation draws r from random, 64 bytes little-endian modulo ℓ, again where it is 0 or 1, and makes U, Ū and K = r·X under a
// generation of the network's key. The error is ErrField or ErrPoint where the generation is not valid, else that of random.
func NewEncapsulation(g Generation, random io.Reader) (*Encapsulation, error) {
	gen, err := g.Hash()
	if err != nil {
		return nil, err
	}
	for {
		r, err := RandomScalar(random)
		if err != nil {
			return nil, err
		}
		u := r.Public()
		if u.Equal(generator) {
			continue
		}
		gBar := SecondGenerator(gen)
		return &Encapsulation{U: u.encoded(), UBar: gBar.Mul(r).encoded(), K: g.X.Mul(r), r: r, gBar: gBar}, nil
	}
}

// Prove proves U and Ū under the label of a [LockedVersion], [GuardianSlot] or [EmergencyBox] that has them, 64 bytes.
func (e *Encapsulation) Prove(label [64]byte, random io.Reader) ([]byte, error) {
	return kindEncap.prove(label, e.r, e.U, []Point{e.gBar}, []Point{e.UBar}, random)
}

// LockedVersion is what the proof of a version's encapsulation speaks for. Who cannot prove it did not make U, and must not have it released:
// never skip the proof.
type LockedVersion struct {
	Context    [64]byte // ctx
	Generation [64]byte // gen
	U, UBar    Point
	C          [32]byte
	Pc         []byte // 32 bytes; none under LockNetwork
	Dc         [32]byte
	Envelope   CID
	Object     CID
	OwnKeys    [][32]byte // key hashes of own[] in the envelope's order; none under LockNetwork
	Signer     [20]byte
}

// Validate returns an error that is ErrPoint, ErrCID or ErrField where a field is not allowed.
func (v LockedVersion) Validate() error {
	if err := checkPair(v.U, v.UBar); err != nil {
		return err
	}
	switch {
	case len(v.Pc) != 0 && len(v.Pc) != 32:
		return fmt.Errorf("commitment to the owner's half of %d bytes: %w", len(v.Pc), ErrField)
	case len(v.OwnKeys) > MaxOwn:
		return fmt.Errorf("%d owner halves: %w", len(v.OwnKeys), ErrField)
	case (len(v.Pc) == 0) != (len(v.OwnKeys) == 0):
		return fmt.Errorf("commitment of %d bytes with %d owner halves: %w", len(v.Pc), len(v.OwnKeys), ErrField)
	case !v.Envelope.isWhole() || !v.Envelope.IsRaw():
		return fmt.Errorf("envelope is not a raw block: %w", ErrCID)
	case !v.Object.isWhole() || !v.Object.IsDag():
		return fmt.Errorf("object is not a dag-pb block: %w", ErrCID)
	}
	return nil
}

// Label is the label of the proof, or the error of Validate.
func (v LockedVersion) Label() ([64]byte, error) {
	if err := v.Validate(); err != nil {
		return [64]byte{}, err
	}
	fields := [][]byte{v.Context[:], v.Generation[:], v.U.Bytes(), v.UBar.Bytes(), v.C[:], v.Pc, v.Dc[:], v.Envelope[:], v.Object[:]}
	fields = append(fields, Uint(uint64(len(v.OwnKeys))))
	for _, hash := range v.OwnKeys {
		fields = append(fields, hash[:])
	}
	return H("phrd/v1/encap", append(fields, v.Signer[:])...), nil
}

// Verify returns an error that is ErrProof where the proof does not hold, or that of Validate.
func (v LockedVersion) Verify(proof []byte) error {
	label, err := v.Label()
	if err != nil {
		return err
	}
	return verifyPair(label, v.Generation, v.U, v.UBar, proof)
}

// GuardianContext is ctx_g of a guardian slot; generation is gen of a key of kind KeyGuardians, and revision counts from 1.
func GuardianContext(n Network, vault, slot ID, revision uint64, generation [64]byte) ([64]byte, error) {
	if err := checkNumber("revision", revision); err != nil {
		return [64]byte{}, err
	}
	return H("phrd/v1/guardian-ctx", n[:], vault[:], slot[:], Uint(revision), generation[:]), nil
}

// GuardianSlot is what the proof of a guardian slot's encapsulation speaks for.
type GuardianSlot struct {
	Context    [64]byte // ctx_g
	Generation [64]byte // gen of the guardians' key
	U, UBar    Point    // U_g, Ū_g
	A0         Point    // commitment to the guardians' secret
	Signer     [20]byte
}

// Label is the label of the proof. The error is ErrPoint.
func (s GuardianSlot) Label() ([64]byte, error) {
	if err := checkPair(s.U, s.UBar); err != nil {
		return [64]byte{}, err
	}
	if err := s.A0.check("commitment to the guardians' secret"); err != nil {
		return [64]byte{}, err
	}
	return H("phrd/v1/encap-guardian", s.Context[:], s.U.Bytes(), s.UBar.Bytes(), s.A0.Bytes(), s.Signer[:]), nil
}

// Verify returns an error that is ErrProof where the proof does not hold, or that of Label.
func (s GuardianSlot) Verify(proof []byte) error {
	label, err := s.Label()
	if err != nil {
		return err
	}
	return verifyPair(label, s.Generation, s.U, s.UBar, proof)
}

// EmergencyBox is what the proof of an emergency box's encapsulation speaks for.
type EmergencyBox struct {
	Context    [64]byte // ctx of the version
	Generation [64]byte // gen of the emergency key
	U, UBar    Point    // U_e, Ū_e
	Pc         [32]byte
	Box        [sha256.Size]byte // SHA-256 of the box
	Signer     [20]byte
}

// Hash is E, which stands for ctx in an emergency unlock. The error is ErrPoint.
func (b EmergencyBox) Hash() ([64]byte, error) {
	if err := checkPair(b.U, b.UBar); err != nil {
		return [64]byte{}, err
	}
	return H("phrd/v1/emergency", b.Context[:], b.Generation[:], b.U.Bytes(), b.UBar.Bytes(), b.Pc[:]), nil
}

// Label is the label of the proof. The error is ErrPoint.
func (b EmergencyBox) Label() ([64]byte, error) {
	e, err := b.Hash()
	if err != nil {
		return [64]byte{}, err
	}
	return H("phrd/v1/encap-emergency", e[:], b.Box[:], b.Signer[:]), nil
}

// Verify returns an error that is ErrProof where the proof does not hold, or that of Label.
func (b EmergencyBox) Verify(proof []byte) error {
	label, err := b.Label()
	if err != nil {
		return err
	}
	return verifyPair(label, b.Generation, b.U, b.UBar, proof)
}

func checkPair(u, uBar Point) error {
	if err := u.checkEncapsulation("U"); err != nil {
		return err
	}
	return uBar.check("Ū")
}

func verifyPair(label, generation [64]byte, u, uBar Point, proof []byte) error {
	return kindEncap.verify(label, u, []Point{SecondGenerator(generation)}, []Point{uBar}, proof)
}
