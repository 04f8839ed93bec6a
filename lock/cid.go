package lock

import (
	"encoding/base32"
	"fmt"
)

// CID is a binary CIDv1 of one of the network's two forms, 36 bytes: 01, then 55 (raw) or 70 (dag-pb), then 12 20 and the
// SHA-256 of the block. An object's is dag-pb, every other is raw.
type CID [36]byte

const (
	codecRaw = 0x55
	codecDag = 0x70
	// cidText is the length of a CID's text: the multibase prefix b and 58 characters.
	cidText = 59
)

var cidBase = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func newCID(codec byte, digest [32]byte) CID {
	c := CID{0x01, codec, 0x12, 0x20}
	copy(c[4:], digest[:])
	return c
}

// RawCID is the CID of a raw block with this SHA-256.
func RawCID(sha256 [32]byte) CID { return newCID(codecRaw, sha256) }

// DagCID is the CID of a dag-pb block with this SHA-256.
func DagCID(sha256 [32]byte) CID { return newCID(codecDag, sha256) }

// CIDFromBytes takes 36 bytes of one of the two forms, else an error that is ErrCID.
func CIDFromBytes(b []byte) (CID, error) {
	if len(b) != len(CID{}) || b[0] != 0x01 || (b[1] != codecRaw && b[1] != codecDag) || b[2] != 0x12 || b[3] != 0x20 {
		return CID{}, fmt.Errorf("%d bytes: %w", len(b), ErrCID)
	}
	return CID(b), nil
}

// ParseCID reads the text form: multibase b, lower case, 59 characters, canonical.
func ParseCID(text string) (CID, error) {
	if len(text) != cidText || text[0] != 'b' {
		return CID{}, fmt.Errorf("%q: %w", text, ErrCID)
	}
	b, err := cidBase.DecodeString(text[1:])
	if err != nil {
		return CID{}, fmt.Errorf("%q: %w", text, ErrCID)
	}
	c, err := CIDFromBytes(b)
	if err != nil || c.String() != text {
		return CID{}, fmt.Errorf("%q: %w", text, ErrCID)
	}
	return c, nil
}

// ParseRawCID is ParseCID for a block that must be raw.
func ParseRawCID(text string) (CID, error) {
	c, err := ParseCID(text)
	if err == nil && !c.IsRaw() {
		return CID{}, fmt.Errorf("%q is not raw: %w", text, ErrCID)
	}
	return c, err
}

// ParseDagCID is ParseCID for an object's root, which must be dag-pb.
func ParseDagCID(text string) (CID, error) {
	c, err := ParseCID(text)
	if err == nil && !c.IsDag() {
		return CID{}, fmt.Errorf("%q is not dag-pb: %w", text, ErrCID)
	}
	return c, err
}

// String is the text form.
func (c CID) String() string { return "b" + cidBase.EncodeToString(c[:]) }

// Bytes returns the 36 bytes.
func (c CID) Bytes() []byte { return c[:] }

// Digest is the SHA-256 of the block.
func (c CID) Digest() [32]byte { return [32]byte(c[4:]) }

// IsRaw tells whether the block is raw.
func (c CID) IsRaw() bool { return c[1] == codecRaw }

// IsDag tells whether the block is dag-pb.
func (c CID) IsDag() bool { return c[1] == codecDag }

// IsZero tells whether c is the zero value, which names no block.
func (c CID) IsZero() bool { return c == CID{} }

// isWhole tells whether c is of one of the two forms, as all are that this package made.
func (c CID) isWhole() bool {
	_, err := CIDFromBytes(c[:])
	return err == nil
}
