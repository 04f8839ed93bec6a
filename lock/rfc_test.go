package lock_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
)

// reproduceMultiples checks the multiples of the generator in RFC 9496, appendix A.1.
func reproduceMultiples(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Base      octets
		Multiples []octets
	}](t, v.both(), true)
	base := must(lock.ParsePoint(c.Base))
	require.True(t, base.Equal(lock.Generator()))
	var sum lock.Point
	for k, want := range c.Multiples {
		require.Equal(t, []byte(want), sum.Bytes(), "%d·G", k)
		if k == 0 {
			_, err := lock.ParsePoint(want)
			require.ErrorIs(t, err, lock.ErrPoint)
		} else {
			require.True(t, must(lock.ParsePoint(want)).Equal(sum))
			var wide [64]byte
			wide[0] = byte(k)
			require.True(t, lock.Reduce(wide).Public().Equal(sum))
		}
		sum = sum.Add(base)
	}
}

// reproduceInvalidPoints checks the invalid encodings of RFC 9496, appendix A.2.
func reproduceInvalidPoints(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct{ Encodings []octets }](t, v.both(), true)
	require.Len(t, c.Encodings, 29)
	for _, encoding := range c.Encodings {
		_, err := lock.ParsePoint(encoding)
		require.ErrorIs(t, err, lock.ErrPoint)
	}
}

// reproduceVOPRF checks hash-to-group and batch proofs against RFC 9497, appendix A.1.2 (ristretto255-SHA512, VOPRF mode).
func reproduceVOPRF(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Secret, Public octets
		GroupDST       string `json:"group_dst"`
		Inputs         []octets
		Blinds         []octets
		Nonce          octets
		Blinded        []octets
		Evaluated      []octets
		Proof          octets
	}](t, v.both(), true)
	const context = "OPRFV1-\x01-ristretto255-SHA512"
	require.Equal(t, "HashToGroup-"+context, c.GroupDST)
	secret := must(lock.ParseSecretScalar(c.Secret))
	require.Equal(t, []byte(c.Public), secret.Public().Bytes())
	var blinded, evaluated []lock.Point
	for i, input := range c.Inputs {
		point := lock.HashToGroupTag(input, c.GroupDST).Mul(must(lock.ParseSecretScalar(c.Blinds[i])))
		require.Equal(t, []byte(c.Blinded[i]), point.Bytes())
		require.Equal(t, []byte(c.Evaluated[i]), point.Mul(secret).Bytes())
		blinded, evaluated = append(blinded, point), append(evaluated, point.Mul(secret))
	}
	proof, err := lock.ProveIn(context, must(lock.ParseSecretScalar(c.Nonce)), secret, secret.Public(), blinded, evaluated)
	require.NoError(t, err)
	require.Equal(t, []byte(c.Proof), proof)
	require.NoError(t, lock.VerifyIn(context, secret.Public(), blinded, evaluated, proof))
	require.ErrorIs(t, lock.VerifyIn("OPRFV1-\x02-ristretto255-SHA512", secret.Public(), blinded, evaluated, proof), lock.ErrProof)
}

// The first two vectors of RFC 9380, appendix K.1 (expand_message_xmd with SHA-512), are under hash_to_ristretto255 in RFC 9497's blinded
// elements above: input 00 and 5a…5a. Here the wide reduction that makes scalars of 64 bytes is checked at its edges.
func TestReduceAtItsEdges(t *testing.T) {
	// ℓ = 2^252 + 27742317777372353535851937790883648493, little-endian.
	order := [64]byte{
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	}
	one := [64]byte{1}
	above := order
	above[0]++
	require.True(t, lock.Reduce([64]byte{}).IsZero())
	require.True(t, lock.Reduce(order).IsZero())
	require.True(t, lock.Reduce(above).Equal(lock.Reduce(one)))
	// 2^256·x ≡ (2^128)²·x.
	var shifted, half [64]byte
	shifted[32], half[16] = 7, 1
	product := lock.Reduce(half).Times(lock.Reduce(half)).Times(lock.Reduce([64]byte{7}))
	require.True(t, lock.Reduce(shifted).Equal(product))
}
