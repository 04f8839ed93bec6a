package lock

import (
	"bytes"
	"fmt"
)

// MaxPurpose is how many characters a purpose has at most.
const MaxPurpose = 16

// purposeGuardian is the purpose of releasing a guardian slot.
const purposeGuardian = "GUARDIAN"

// ProposedVersion is one version that a proposal asks for.
type ProposedVersion struct {
	Record  ID       // the vault's id for a guardian slot
	Number  uint64   // from 1; the revision for a guardian slot
	Context [64]byte // ctx; ctx_g for a guardian slot, E for an emergency box
	U       Point
	M       Point  // b·U
	C       []byte // 32 bytes; none for a guardian slot, the SHA-256 of an emergency box
}

// Proposal is what a requester asks for, in the fields that its hash covers. A patient's own reading names hospital 0.
type Proposal struct {
	Network       Network
	Requester     [20]byte
	Hospital      uint64 // number; 0 for none
	Purpose       string // HL7 v3-ActReason code, A-Z and digits, 1 … 16
	PolicyVersion uint64 // 0 for none
	Expiry        uint64 // unix seconds
	RequestKeyCID CID    // of the session's public key
	B             Point  // b·G
	Versions      []ProposedVersion
}

// Validate returns an error that is ErrField, ErrPoint or ErrCID where a field is not allowed: 1 … 64 versions, sorted by record and
// number, no two equal; no identity; neither B nor a U the generator. An empty C stands only in a proposal for one guardian slot.
func (p Proposal) Validate() error {
	if err := checkPurpose(p.Purpose); err != nil {
		return err
	}
	if !p.RequestKeyCID.isWhole() || !p.RequestKeyCID.IsRaw() {
		return fmt.Errorf("request key is not a raw block: %w", ErrCID)
	}
	if err := p.B.checkEncapsulation("B"); err != nil {
		return err
	}
	if len(p.Versions) < 1 || len(p.Versions) > MaxBatch {
		return fmt.Errorf("%d versions: %w", len(p.Versions), ErrField)
	}
	guardian := p.Purpose == purposeGuardian
	if guardian && len(p.Versions) != 1 {
		return fmt.Errorf("%d versions for purpose %s: %w", len(p.Versions), purposeGuardian, ErrField)
	}
	for i, v := range p.Versions {
		if err := v.validate(guardian); err != nil {
			return fmt.Errorf("version %d of the proposal: %w", i+1, err)
		}
		if i > 0 && !p.Versions[i-1].before(v) {
			return fmt.Errorf("version %d of the proposal is out of order or repeated: %w", i+1, ErrField)
		}
	}
	return nil
}

func (v ProposedVersion) validate(guardian bool) error {
	if err := checkNumber("number", v.Number); err != nil {
		return err
	}
	if err := v.U.checkEncapsulation("U"); err != nil {
		return err
	}
	if err := v.M.check("M"); err != nil {
		return err
	}
	want := 32
	if guardian {
		want = 0
	}
	if len(v.C) != want {
		return fmt.Errorf("commitment of %d bytes, not %d: %w", len(v.C), want, ErrField)
	}
	return nil
}

func (v ProposedVersion) before(w ProposedVersion) bool {
	c := bytes.Compare(v.Record[:], w.Record[:])
	return c < 0 || c == 0 && v.Number < w.Number
}

func checkPurpose(s string) error {
	if len(s) < 1 || len(s) > MaxPurpose {
		return fmt.Errorf("purpose of %d characters: %w", len(s), ErrField)
	}
	for i := range len(s) {
		if (s[i] < 'A' || s[i] > 'Z') && (s[i] < '0' || s[i] > '9') {
			return fmt.Errorf("purpose %q: %w", s, ErrField)
		}
	}
	return nil
}

// Hash is R, which covers everything that is shown of the proposal and is the label of its proof. It is defined for a valid proposal.
func (p Proposal) Hash() [64]byte {
	fields := [][]byte{p.Network[:], p.Requester[:], Uint(p.Hospital), []byte(p.Purpose), Uint(p.PolicyVersion), Uint(p.Expiry),
		p.RequestKeyCID[:], p.B.Bytes(), Uint(uint64(len(p.Versions)))}
	for i := range p.Versions {
		v := &p.Versions[i]
		fields = append(fields, v.Record[:], Uint(v.Number), v.Context[:], v.U.Bytes(), v.M.Bytes(), v.C)
	}
	return H("phrd/v1/request", fields...)
}

// ID is the unlock's id, the first 32 bytes of R.
func (p Proposal) ID() [32]byte {
	r := p.Hash()
	return [32]byte(r[:32])
}

// Verify checks that the requester knows b and that each M is b·U: an error that is ErrProof where the proof does not hold, or that of
// Validate.
func (p Proposal) Verify(proof []byte) error {
	if err := p.Validate(); err != nil {
		return err
	}
	u, m := p.points()
	return kindReq.verify(p.Hash(), p.B, u, m, proof)
}

func (p Proposal) points() (u, m []Point) {
	for _, v := range p.Versions {
		u, m = append(u, v.U), append(m, v.M)
	}
	return u, m
}
