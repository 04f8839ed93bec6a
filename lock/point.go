package lock

import (
	"fmt"

	"github.com/gtank/ristretto255"
)

var (
	// generator is G.
	generator = Point{e: ristretto255.NewGeneratorElement()}
	// identity is the zero value of Point.
	identity = ristretto255.NewIdentityElement()
)

// PointSize is the length in bytes of an encoded point.
const PointSize = 32

// hashToGroupTag is the domain separation tag of hash2group.
const hashToGroupTag = "phrd/v1/h2g/ristretto255_XMD:SHA-512_R255MAP_RO_"

// Point is an element of ristretto255. What ParsePoint gives is never the identity. The zero value stands for the identity, which
// nothing in this package accepts but a commitment A_k, k ≥ 1.
type Point struct {
	e *ristretto255.Element // never written to once it is in a Point; nil for the identity
	b *[PointSize]byte      // the encoding, which costs a tenth of a multiplication, of what was read or is encoded often; else nil
}

// ParsePoint reads 32 bytes in the canonical encoding of RFC 9496; others and the identity are refused with an error that is ErrPoint.
func ParsePoint(b []byte) (Point, error) {
	p, err := parseCoefficient(b)
	if err != nil {
		return Point{}, err
	}
	return p, p.check("point")
}

// ParseEncapsulation is ParsePoint for U, U_e, U_g and B, which must not be G.
func ParseEncapsulation(b []byte) (Point, error) {
	p, err := ParsePoint(b)
	if err != nil {
		return Point{}, err
	}
	return p, p.checkEncapsulation("point")
}

// parseCoefficient is ParsePoint for A_k, k ≥ 1, of a deal, which may be the identity.
func parseCoefficient(b []byte) (Point, error) {
	if len(b) != PointSize {
		return Point{}, fmt.Errorf("%d bytes, not %d: %w", len(b), PointSize, ErrPoint)
	}
	e, err := ristretto255.NewIdentityElement().SetCanonicalBytes(b)
	if err != nil {
		return Point{}, fmt.Errorf("%w: %w", ErrPoint, err)
	}
	// An element has one encoding, and the decoding of RFC 9496 takes no other, so these bytes are it.
	encoded := [PointSize]byte(b)
	return Point{e, &encoded}, nil
}

// HashToGroup is hash_to_ristretto255 of RFC 9380, appendix B, with SHA-512 and phrd's tag.
func HashToGroup(message []byte) Point { return hashToGroup(message, hashToGroupTag) }

func hashToGroup(message []byte, tag string) Point {
	uniform := expandMessage(message, tag)
	e, err := ristretto255.NewIdentityElement().SetUniformBytes(uniform[:])
	if err != nil { // 64 bytes have no failure here
		panic("lock: hash to group: " + err.Error())
	}
	return Point{e: e}
}

// Bytes is the canonical encoding, 32 bytes.
func (p Point) Bytes() []byte {
	if p.b != nil {
		return append([]byte(nil), p.b[:]...)
	}
	return p.element().Bytes()
}

// encoded is the same point, which keeps its encoding.
func (p Point) encoded() Point {
	b := [PointSize]byte(p.Bytes())
	return Point{p.e, &b}
}

// Equal tells whether two points are the same.
func (p Point) Equal(q Point) bool { return p.element().Equal(q.element()) == 1 }

// IsIdentity tells whether p is the identity, as the zero value is.
func (p Point) IsIdentity() bool { return p.element().Equal(identity) == 1 }

// Mul is s·P, in a time that depends on neither.
func (p Point) Mul(s Scalar) Point {
	return Point{e: ristretto255.NewIdentityElement().ScalarMult(s.scalar(), p.element())}
}

// Add is P + Q.
func (p Point) Add(q Point) Point {
	return Point{e: ristretto255.NewIdentityElement().Add(p.element(), q.element())}
}

// publicSum is Σ weights[i]·points[i], of which there must be as many. Its time depends on both: none may be secret.
func publicSum(weights []Scalar, points []Point) Point {
	scalars, elements := make([]*ristretto255.Scalar, len(weights)), make([]*ristretto255.Element, len(points))
	for i, w := range weights {
		scalars[i] = w.scalar()
	}
	for i, p := range points {
		elements[i] = p.element()
	}
	return Point{e: ristretto255.NewIdentityElement().VarTimeMultiScalarMult(scalars, elements)}
}

// publicSumWithG is s·G + c·P. Its time depends on all of them: none may be secret.
func publicSumWithG(s, c Scalar, p Point) Point {
	return Point{e: ristretto255.NewIdentityElement().VarTimeDoubleScalarBaseMult(c.scalar(), p.element(), s.scalar())}
}

func (p Point) element() *ristretto255.Element {
	if p.e == nil {
		return identity
	}
	return p.e
}

func (p Point) check(name string) error {
	if p.IsIdentity() {
		return fmt.Errorf("%s is the identity: %w", name, ErrPoint)
	}
	return nil
}

func (p Point) checkEncapsulation(name string) error {
	if err := p.check(name); err != nil {
		return err
	}
	if p.Equal(generator) {
		return fmt.Errorf("%s is the generator: %w", name, ErrPoint)
	}
	return nil
}
