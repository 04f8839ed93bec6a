package lock

import (
	"crypto/subtle"
	"fmt"
	"io"
	"slices"

	"github.com/cloudflare/circl/group"
)

// ScalarSize is the length in bytes of an encoded scalar.
const ScalarSize = 32

// Scalar is a number modulo ℓ, the order of ristretto255. Many are secret, so a scalar has no text and is compared in constant time.
// The zero value is 0.
type Scalar struct{ s group.Scalar }

// ParseScalar reads 32 bytes, little-endian, below ℓ; others are refused with an error that is ErrScalar.
func ParseScalar(b []byte) (Scalar, error) {
	if len(b) != ScalarSize {
		return Scalar{}, fmt.Errorf("%d bytes, not %d: %w", len(b), ScalarSize, ErrScalar)
	}
	s := ristretto.NewScalar()
	if err := s.UnmarshalBinary(b); err != nil {
		return Scalar{}, fmt.Errorf("%w: %w", ErrScalar, err)
	}
	// The decoding refuses what is not below ℓ; encoding again proves that this one did.
	p := Scalar{s}
	if subtle.ConstantTimeCompare(p.Bytes(), b) != 1 {
		return Scalar{}, fmt.Errorf("not below the group order: %w", ErrScalar)
	}
	return p, nil
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
func (s Scalar) Bytes() []byte {
	b, err := s.scalar().MarshalBinary()
	if err != nil { // ristretto255 has no failure here
		panic("lock: encode scalar: " + err.Error())
	}
	return b
}

// Public is s·G.
func (s Scalar) Public() Point { return Point{ristretto.NewElement().MulGen(s.scalar())} }

// Equal tells in constant time whether two scalars are the same.
func (s Scalar) Equal(t Scalar) bool { return subtle.ConstantTimeCompare(s.Bytes(), t.Bytes()) == 1 }

// IsZero tells whether s is 0.
func (s Scalar) IsZero() bool { return s.s == nil || s.s.IsZero() }

func (s Scalar) scalar() group.Scalar {
	if s.s == nil {
		return ristretto.NewScalar()
	}
	return s.s
}

func (s Scalar) add(t Scalar) Scalar {
	return Scalar{ristretto.NewScalar().Add(s.scalar(), t.scalar())}
}

func (s Scalar) sub(t Scalar) Scalar {
	return Scalar{ristretto.NewScalar().Sub(s.scalar(), t.scalar())}
}

func (s Scalar) mul(t Scalar) Scalar {
	return Scalar{ristretto.NewScalar().Mul(s.scalar(), t.scalar())}
}

func (s Scalar) inverse() Scalar { return Scalar{ristretto.NewScalar().Inv(s.scalar())} }

func (s Scalar) checkSecret(name string) error {
	if s.IsZero() {
		return fmt.Errorf("%s is zero: %w", name, ErrScalar)
	}
	return nil
}

// twoTo128 is the weight of a quarter of 64 bytes.
var twoTo128 = func() Scalar {
	two64 := uintScalar(1 << 32).mul(uintScalar(1 << 32))
	return two64.mul(two64)
}()

// reduce takes 64 little-endian bytes modulo ℓ, in constant time: by Horner's rule over quarters, each of which is below ℓ.
func reduce(wide [64]byte) Scalar {
	var sum Scalar
	for _, quarter := range slices.Backward([][]byte{wide[:16], wide[16:32], wide[32:48], wide[48:]}) {
		var b [ScalarSize]byte
		copy(b[:], quarter)
		s := ristretto.NewScalar()
		if err := s.UnmarshalBinary(b[:]); err != nil { // 2^128 is below ℓ
			panic("lock: reduce scalar: " + err.Error())
		}
		sum = sum.mul(twoTo128).add(Scalar{s})
	}
	return sum
}

func uintScalar(n uint64) Scalar { return Scalar{ristretto.NewScalar().SetUint64(n)} }
