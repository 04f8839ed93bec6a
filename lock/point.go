package lock

import (
	"bytes"
	"fmt"

	"github.com/cloudflare/circl/group"
)

var ristretto = group.Ristretto255

// generator is G.
var generator = Point{ristretto.Generator()}

// PointSize is the length in bytes of an encoded point.
const PointSize = 32

// hashToGroupTag is the domain separation tag of hash2group.
const hashToGroupTag = "phrd/v1/h2g/ristretto255_XMD:SHA-512_R255MAP_RO_"

// Point is an element of ristretto255. What ParsePoint gives is never the identity. The zero value stands for the identity, which
// nothing in this package accepts but a commitment A_k, k ≥ 1.
type Point struct{ e group.Element }

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
	e := ristretto.NewElement()
	if err := e.UnmarshalBinary(b); err != nil {
		return Point{}, fmt.Errorf("%w: %w", ErrPoint, err)
	}
	// The decoding of RFC 9496 refuses what is not canonical; encoding again proves that this one did.
	p := Point{e}
	if !bytes.Equal(p.Bytes(), b) {
		return Point{}, fmt.Errorf("not canonical: %w", ErrPoint)
	}
	return p, nil
}

// HashToGroup is hash_to_ristretto255 of RFC 9380, appendix B, with SHA-512 and phrd's tag.
func HashToGroup(message []byte) Point { return hashToGroup(message, hashToGroupTag) }

func hashToGroup(message []byte, tag string) Point {
	return Point{ristretto.HashToElement(message, []byte(tag))}
}

// Bytes is the canonical encoding, 32 bytes.
func (p Point) Bytes() []byte {
	b, err := p.element().MarshalBinaryCompress()
	if err != nil { // ristretto255 has no failure here
		panic("lock: encode point: " + err.Error())
	}
	return b
}

// Equal tells whether two points are the same.
func (p Point) Equal(q Point) bool { return p.element().IsEqual(q.element()) }

// IsIdentity tells whether p is the identity, as the zero value is.
func (p Point) IsIdentity() bool { return p.e == nil || p.e.IsIdentity() }

// Mul is s·P.
func (p Point) Mul(s Scalar) Point {
	return Point{ristretto.NewElement().Mul(p.element(), s.scalar())}
}

// Add is P + Q.
func (p Point) Add(q Point) Point {
	return Point{ristretto.NewElement().Add(p.element(), q.element())}
}

func (p Point) element() group.Element {
	if p.e == nil {
		return ristretto.Identity()
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

func elements(points []Point) []group.Element {
	es := make([]group.Element, len(points))
	for i, p := range points {
		es[i] = p.element()
	}
	return es
}
