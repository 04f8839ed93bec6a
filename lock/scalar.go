package lock

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/gtank/ristretto255"
)

// ScalarSize is the length in bytes of an encoded scalar.
const ScalarSize = 32

// Scalar is a number modulo ℓ, the order of ristretto255. Many are secret, so a scalar has no text and is compared in constant time.
// The zero value is 0.
type Scalar struct{ s *ristretto255.Scalar } // never written to once it is in a Scalar; nil for 0

// ParseScalar reads 32 bytes, little-endian, below ℓ; others are refused with an error that is ErrScalar.
func ParseScalar(b []byte) (Scalar, error) {
	if len(b) != ScalarSize {
		return Scalar{}, fmt.Errorf("%d bytes, not %d: %w", len(b), ScalarSize, ErrScalar)
	}
	s, err := ristretto255.NewScalar().SetCanonicalBytes(b)
	if err != nil {
		return Scalar{}, fmt.Errorf("%w: %w", ErrScalar, err)
	}
	return Scalar{s}, nil
}

// ParseSecretScalar is ParseScalar for a secret, which must not be zero.
func ParseSecretScalar(b []byte) (Scalar, error) {
	s, err := ParseScalar(b)
	if err != nil {
		return Scalar{}, err
	}
	return s, s.checkSecret("scalar")
}

// RandomScalar draws a secret scalar: 64 bytes of r, little-endian, modulo ℓ; again on zero.
func RandomScalar(r io.Reader) (Scalar, error) {
	var wide [64]byte
	defer clear(wide[:])
	for {
		if _, err := io.ReadFull(r, wide[:]); err != nil {
			return Scalar{}, fmt.Errorf("draw scalar: %w", err)
		}
		if s := reduce(wide); !s.IsZero() {
			return s, nil
		}
	}
}

// Bytes are the 32 bytes, little-endian. Those of a secret scalar are secret.
func (s Scalar) Bytes() []byte { return s.scalar().Bytes() }

// Public is s·G, in a time that does not depend on s.
func (s Scalar) Public() Point {
	return Point{e: ristretto255.NewIdentityElement().ScalarBaseMult(s.scalar())}
}

// Equal tells in constant time whether two scalars are the same.
func (s Scalar) Equal(t Scalar) bool { return s.scalar().Equal(t.scalar()) == 1 }

// IsZero tells whether s is 0.
func (s Scalar) IsZero() bool { return s.Equal(Scalar{}) }

func (s Scalar) scalar() *ristretto255.Scalar {
	if s.s == nil {
		return ristretto255.NewScalar()
	}
	return s.s
}

func (s Scalar) add(t Scalar) Scalar {
	return Scalar{ristretto255.NewScalar().Add(s.scalar(), t.scalar())}
}

func (s Scalar) sub(t Scalar) Scalar {
	return Scalar{ristretto255.NewScalar().Subtract(s.scalar(), t.scalar())}
}

func (s Scalar) mul(t Scalar) Scalar {
	return Scalar{ristretto255.NewScalar().Multiply(s.scalar(), t.scalar())}
}

func (s Scalar) inverse() Scalar { return Scalar{ristretto255.NewScalar().Invert(s.scalar())} }

func (s Scalar) checkSecret(name string) error {
	if s.IsZero() {
		return fmt.Errorf("%s is zero: %w", name, ErrScalar)
	}
	return nil
}

// reduce takes 64 little-endian bytes modulo ℓ, in constant time.
func reduce(wide [64]byte) Scalar {
	s, err := ristretto255.NewScalar().SetUniformBytes(wide[:])
	if err != nil { // 64 bytes have no failure here
		panic("lock: reduce scalar: " + err.Error())
	}
	return Scalar{s}
}

func uintScalar(n uint64) Scalar {
	var wide [64]byte
	binary.LittleEndian.PutUint64(wide[:], n)
	return reduce(wide)
}
