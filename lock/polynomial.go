package lock

import (
	"fmt"
	"io"
)

// Polynomial is a secret polynomial over the scalars whose value at 0 is shared among members or guardians.
type Polynomial struct{ a []Scalar }

// NewPolynomial draws a polynomial with threshold many coefficients from random, a_0 first, 64 bytes each. The error is ErrField for a
// threshold of 0 or over 2^32−1.
func NewPolynomial(threshold uint64, random io.Reader) (*Polynomial, error) {
	return drawPolynomial(nil, threshold, random)
}

// NewPolynomialOf is NewPolynomial with the value at 0 given, which must not be zero, else the error is ErrScalar.
func NewPolynomialOf(secret Scalar, threshold uint64, random io.Reader) (*Polynomial, error) {
	if err := secret.checkSecret("constant term"); err != nil {
		return nil, err
	}
	return drawPolynomial([]Scalar{secret}, threshold, random)
}

func drawPolynomial(a []Scalar, threshold uint64, random io.Reader) (*Polynomial, error) {
	if err := checkIndex("threshold", threshold); err != nil {
		return nil, err
	}
	for uint64(len(a)) < threshold {
		s, err := RandomScalar(random)
		if err != nil {
			return nil, err
		}
		a = append(a, s)
	}
	return &Polynomial{a}, nil
}

// Secret is the value at 0.
func (p *Polynomial) Secret() Scalar { return p.a[0] }

// Commitments are a_0·G … a_{t−1}·G.
func (p *Polynomial) Commitments() Commitments {
	c := make(Commitments, len(p.a))
	for i, a := range p.a {
		c[i] = a.Public()
	}
	return c
}

// Share is the value at an index. The error is ErrField for an index out of range, and ErrScalar where the value is zero: nobody accepts
// such a share, and another polynomial must be drawn.
func (p *Polynomial) Share(index uint64) (Scalar, error) {
	if err := checkIndex("index", index); err != nil {
		return Scalar{}, err
	}
	x, sum := uintScalar(index), Scalar{}
	for i := len(p.a) - 1; i >= 0; i-- {
		sum = sum.mul(x).add(p.a[i])
	}
	return sum, sum.checkSecret("share")
}

// Commitments are the public side of a polynomial, A_0 … A_{t−1} with A_k = a_k·G. Only A_k, k ≥ 1, may be the identity.
type Commitments []Point

// ParseCommitments reads the encodings of exactly threshold many commitments. The error is ErrField for another number and ErrPoint for
// an encoding that is not canonical or an A_0 that is the identity.
func ParseCommitments(threshold uint64, encoded [][]byte) (Commitments, error) {
	if uint64(len(encoded)) != threshold {
		return nil, fmt.Errorf("%d commitments, not %d: %w", len(encoded), threshold, ErrField)
	}
	c := make(Commitments, len(encoded))
	for k, b := range encoded {
		p, err := parseCoefficient(b)
		if err != nil {
			return nil, fmt.Errorf("commitment %d: %w", k, err)
		}
		c[k] = p
	}
	return c, c.check(threshold)
}

func (c Commitments) check(threshold uint64) error {
	if threshold == 0 || uint64(len(c)) != threshold {
		return fmt.Errorf("%d commitments, not %d: %w", len(c), threshold, ErrField)
	}
	return c[0].check("commitment 0")
}

// Bytes are the encodings, 32 bytes each.
func (c Commitments) Bytes() [][]byte {
	encoded := make([][]byte, len(c))
	for k, p := range c {
		encoded[k] = p.Bytes()
	}
	return encoded
}

// At is Σ index^k·A_k, the public side of the share at an index; it may be the identity. Commitments and indexes are public.
func (c Commitments) At(index uint64) Point {
	x, powers := uintScalar(index), make([]Scalar, len(c))
	for k := range powers {
		if powers[k] = uintScalar(1); k > 0 {
			powers[k] = powers[k-1].mul(x)
		}
	}
	return publicSum(powers, c)
}

// Check checks a share against the commitments, of which there must be threshold many: an error that is ErrShare where it does not fit,
// and ErrField, ErrPoint or ErrScalar where an argument is not allowed. A share of zero fits nobody.
func (c Commitments) Check(threshold uint64, s SecretShare) error {
	if err := c.check(threshold); err != nil {
		return err
	}
	if err := checkIndex("index", s.Index); err != nil {
		return err
	}
	if err := s.Value.checkSecret("share"); err != nil {
		return err
	}
	if !s.Value.Public().Equal(c.At(s.Index)) {
		return fmt.Errorf("share of index %d: %w", s.Index, ErrShare)
	}
	return nil
}
