package lock_test

import (
	"bytes"
	"crypto"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/zk/dleq"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
)

// The group and the proofs beside those of another library: every node has to take the same bytes as every other one, whatever it is
// built with.

var other = group.Ristretto255

// otherPoint is what the other library reads, nil where it refuses.
func otherPoint(b []byte) group.Element {
	e := other.NewElement()
	if len(b) != lock.PointSize || e.UnmarshalBinary(b) != nil || !bytes.Equal(encodePoint(e), b) {
		return nil
	}
	return e
}

// otherScalar is what the other library reads, nil where it refuses.
func otherScalar(b []byte) group.Scalar {
	s := other.NewScalar()
	if len(b) != lock.ScalarSize || s.UnmarshalBinary(b) != nil || !bytes.Equal(encodeScalar(s), b) {
		return nil
	}
	return s
}

func encodePoint(e group.Element) []byte { return must(e.MarshalBinaryCompress()) }

func encodeScalar(s group.Scalar) []byte { return must(s.MarshalBinary()) }

// samePoint reads b with both and compares what they read; it tells whether they took it.
func samePoint(t *testing.T, b []byte) bool {
	t.Helper()
	ours, err := lock.ParseCoefficient(b)
	theirs := otherPoint(b)
	require.Equal(t, theirs != nil, err == nil, "one reads %x as a point, the other one does not: %v", b, err)
	_, err = lock.ParsePoint(b)
	require.Equal(t, theirs != nil && !theirs.IsIdentity(), err == nil, "%x, but for the identity", b)
	if theirs == nil {
		return false
	}
	require.Equal(t, theirs.IsIdentity(), ours.IsIdentity())
	for _, p := range []lock.Point{ours, ours.Add(lock.Point{})} {
		require.Equal(t, b, p.Bytes())
	}
	require.True(t, ours.Equal(ours.Add(lock.Point{})))
	require.Equal(t, encodePoint(other.NewElement().Dbl(theirs)), ours.Add(ours).Bytes())
	s := lock.HashToScalar("point", b)
	k := otherScalar(s.Bytes())
	product := encodePoint(other.NewElement().Mul(theirs, k))
	require.Equal(t, product, ours.Mul(s).Bytes())
	require.Equal(t, product, lock.PublicSum([]lock.Scalar{s}, []lock.Point{ours}).Bytes())
	sum := other.NewElement().Add(other.NewElement().Mul(theirs, k), other.NewElement().MulGen(k))
	require.Equal(t, encodePoint(sum), lock.PublicSumWithG(s, s, ours).Bytes())
	require.Equal(t, encodePoint(sum), lock.PublicSum([]lock.Scalar{s, s}, []lock.Point{ours, lock.Generator()}).Bytes())
	return true
}

// sameScalar reads b with both and compares what they read; it tells whether they took it.
func sameScalar(t *testing.T, b []byte) bool {
	t.Helper()
	ours, err := lock.ParseScalar(b)
	theirs := otherScalar(b)
	require.Equal(t, theirs != nil, err == nil, "one reads %x as a scalar, the other one does not: %v", b, err)
	if theirs == nil {
		return false
	}
	require.Equal(t, b, ours.Bytes())
	require.Equal(t, theirs.IsZero(), ours.IsZero())
	require.Equal(t, encodePoint(other.NewElement().MulGen(theirs)), ours.Public().Bytes())
	k := lock.HashToScalar("scalar", b)
	theirK := otherScalar(k.Bytes())
	require.Equal(t, encodeScalar(other.NewScalar().Add(theirs, theirK)), ours.Plus(k).Bytes())
	require.Equal(t, encodeScalar(other.NewScalar().Sub(theirs, theirK)), ours.Minus(k).Bytes())
	require.Equal(t, encodeScalar(other.NewScalar().Mul(theirs, theirK)), ours.Times(k).Bytes())
	require.Equal(t, encodeScalar(other.NewScalar().Inv(theirs)), ours.Inverse().Bytes(), "that of 0 is 0")
	return true
}

// sameHash compares both hashes of a message. Their tags have at most 255 bytes.
func sameHash(t *testing.T, message []byte, tag string) {
	t.Helper()
	t.Helper()
	require.Equal(t, encodePoint(other.HashToElement(message, []byte(tag))), lock.HashToGroupTag(message, tag).Bytes())
	require.Equal(t, encodeScalar(other.HashToScalar(message, []byte("HashToScalar-"+tag))), lock.HashToScalar(tag, message).Bytes())
}

// claim is a statement, its secret and its nonce in both libraries' types.
type claim struct {
	context       string
	secret, nonce lock.Scalar
	public        lock.Point
	in, out       []lock.Point
}

func drawClaim(context string, pairs int, random io.Reader) claim {
	c := claim{context: context, secret: must(lock.RandomScalar(random)), nonce: must(lock.RandomScalar(random))}
	c.public = c.secret.Public()
	for range pairs {
		in := must(lock.RandomScalar(random)).Public()
		c.in, c.out = append(c.in, in), append(c.out, in.Mul(c.secret))
	}
	return c
}

func (c claim) params() dleq.Params {
	return dleq.Params{G: other, H: crypto.SHA512, DST: []byte(c.context)}
}

// otherProof is the other library's proof of the claim.
func (c claim) otherProof() []byte {
	p := must(dleq.Prover{Params: c.params()}.ProveBatchWithRandomnessRFC9497(
		otherScalar(c.secret.Bytes()), otherPoint(c.public.Bytes()), otherPoints(c.in), otherPoints(c.out), otherScalar(c.nonce.Bytes())))
	return must(p.MarshalBinary())
}

// otherVerifies tells whether the other library takes a proof of the claim.
func (c claim) otherVerifies(proof []byte) bool {
	if len(proof) != lock.ProofSize || otherScalar(proof[:lock.ScalarSize]) == nil || otherScalar(proof[lock.ScalarSize:]) == nil {
		return false
	}
	var p dleq.Proof
	return p.UnmarshalBinary(other, proof) == nil &&
		dleq.Verifier{Params: c.params()}.VerifyBatchRFC9497(otherPoint(c.public.Bytes()), otherPoints(c.in), otherPoints(c.out), &p)
}

func otherPoints(points []lock.Point) []group.Element {
	elements := make([]group.Element, len(points))
	for i, p := range points {
		elements[i] = otherPoint(p.Bytes())
	}
	return elements
}

// sameVerdict has both check a proof of the claim and tells whether they take it.
func (c claim) sameVerdict(t *testing.T, proof []byte) bool {
	t.Helper()
	err := lock.VerifyIn(c.context, c.public, c.in, c.out, proof)
	if err != nil {
		require.ErrorIs(t, err, lock.ErrProof)
	}
	require.Equal(t, c.otherVerifies(proof), err == nil, "one takes the proof %x, the other one does not: %v", proof, err)
	return err == nil
}

// sameProof has both prove the claim, and refuse the proof with one bit changed in it and in what it is about.
func (c claim) sameProof(t *testing.T, bit uint) {
	t.Helper()
	proof, err := lock.ProveIn(c.context, c.nonce, c.secret, c.public, c.in, c.out)
	require.NoError(t, err)
	require.Equal(t, c.otherProof(), proof)
	require.True(t, c.sameVerdict(t, proof))
	require.False(t, c.sameVerdict(t, flipBit(proof, bit)), "bit %d of the proof changed", bit)

	pair := int(bit) % len(c.in)
	changed := c
	changed.context = string(flipBit([]byte(c.context), bit))
	require.False(t, changed.sameVerdict(t, proof), "another context")
	for name, bend := range map[string]func(*claim) *lock.Point{
		"public": func(c *claim) *lock.Point { return &c.public },
		"in":     func(c *claim) *lock.Point { return &c.in[pair] },
		"out":    func(c *claim) *lock.Point { return &c.out[pair] },
	} {
		changed := c
		changed.in, changed.out = slices.Clone(c.in), slices.Clone(c.out)
		p := bend(&changed)
		*p = nextPoint(*p, bit)
		require.False(t, changed.sameVerdict(t, proof), "another point %s", name)
	}
}

// flipBit returns b with one bit changed.
func flipBit(b []byte, bit uint) []byte {
	b = bytes.Clone(b)
	b[bit/8%uint(len(b))] ^= 1 << (bit % 8)
	return b
}

// nextPoint is a point whose encoding differs in one bit, the first one from bit on for which it is a point.
func nextPoint(p lock.Point, bit uint) lock.Point {
	for {
		q, err := lock.ParsePoint(flipBit(p.Bytes(), bit))
		if err == nil {
			return q
		}
		bit++
	}
}

// edges are encodings where a library may err: around 0, the prime of the field, the order of the group, and 2^255.
func edges() [][]byte {
	prime := append(append([]byte{0xed}, bytes.Repeat([]byte{0xff}, 30)...), 0x7f)
	order := []byte{
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	}
	bases := [][]byte{make([]byte, 32), prime, order, flipBit(make([]byte, 32), 255), bytes.Repeat([]byte{0xff}, 32), make([]byte, 31), make([]byte, 33), {}}
	var all [][]byte
	for _, base := range bases {
		all = append(all, base)
		for offset := range 64 {
			if len(base) == 0 {
				break
			}
			near := bytes.Clone(base)
			near[0] += byte(offset - 32)
			all = append(all, near)
		}
	}
	return all
}

// TestGroupBesideAnother reads drawn bytes, those around the edges, and what both make, each with one bit changed.
func TestGroupBesideAnother(t *testing.T) {
	random := chance(255)
	points, scalars, drawn := 0, 0, edges()
	for range 300 {
		b := make([]byte, 32)
		must(io.ReadFull(random, b))
		b[0], b[31] = b[0]&^1, b[31]&0x7f // what is neither negative nor too large is a point half the time, and more
		drawn = append(drawn, b)
		valid := lock.HashToGroup(b).Bytes()
		scalar := lock.HashToScalar("", b).Bytes()
		drawn = append(drawn, valid, flipBit(valid, uint(b[1])), scalar, flipBit(scalar, uint(b[1])))
		sameHash(t, b, string(b[:b[1]%32]))
	}
	for _, b := range drawn {
		if samePoint(t, b) {
			points++
		}
		if sameScalar(t, b) {
			scalars++
		}
	}
	for _, n := range []int{points, scalars} {
		require.Greater(t, n, 300)
		require.Less(t, n, len(drawn)-300)
	}
}

// TestProofsBesideAnother proves and verifies batches with both.
func TestProofsBesideAnother(t *testing.T) {
	for _, pairs := range []int{1, 2, 3, 5, 16, lock.MaxBatch - 1, lock.MaxBatch} {
		c := drawClaim(fmt.Sprintf("context %d", pairs), pairs, chance(uint64(pairs)))
		c.sameProof(t, uint(pairs*8+pairs%8))
	}
}

// TestSumsOfNothing: no commitments and weights of 0 give the identity, whatever the points.
func TestSumsOfNothing(t *testing.T) {
	require.True(t, lock.PublicSum(nil, nil).IsIdentity())
	require.True(t, lock.PublicSum([]lock.Scalar{{}}, []lock.Point{lock.Generator()}).IsIdentity())
	require.True(t, lock.PublicSum([]lock.Scalar{must(lock.RandomScalar(chance(1)))}, []lock.Point{{}}).IsIdentity())
	require.True(t, lock.PublicSumWithG(lock.Scalar{}, lock.Scalar{}, lock.Generator()).IsIdentity())
	require.True(t, lock.Scalar{}.Public().IsIdentity())
	require.True(t, lock.Generator().Mul(lock.Scalar{}).IsIdentity())
	require.False(t, lock.PublicSumWithG(must(lock.RandomScalar(chance(1))), lock.Scalar{}, lock.Point{}).IsIdentity())
}

func FuzzPointBesideAnother(f *testing.F) {
	seeds(f, "point", "u", "x_pub", "b_pub", "scalar")
	f.Fuzz(func(t *testing.T, b []byte) { samePoint(t, b) })
}

func FuzzScalarBesideAnother(f *testing.F) {
	seeds(f, "scalar", "r", "b", "point")
	f.Fuzz(func(t *testing.T, b []byte) { sameScalar(t, b) })
}

func FuzzHashBesideAnother(f *testing.F) {
	f.Add([]byte{}, "")
	f.Add(make([]byte, 129), "phrd/v1/encap/")
	f.Fuzz(func(t *testing.T, message []byte, tag string) {
		sameHash(t, message, tag[:min(len(tag), 255-len("HashToScalar-"))])
	})
}

func FuzzProofBesideAnother(f *testing.F) {
	f.Add(uint64(1), "c", uint8(1), uint(0), []byte{})
	f.Add(uint64(2), "phrd/v1/share/", uint8(63), uint(511), make([]byte, lock.ProofSize))
	f.Fuzz(func(t *testing.T, seed uint64, context string, pairs uint8, bit uint, forged []byte) {
		c := drawClaim("c"+context[:min(len(context), 200)], 1+int(pairs)%lock.MaxBatch, chance(seed))
		c.sameProof(t, bit)
		require.False(t, c.sameVerdict(t, forged))
	})
}
