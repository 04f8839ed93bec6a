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

// reproduceHPKE checks our KDF, our AEAD and our KEM against published vectors: RFC 9180, appendix A.1 (DHKEM(X25519), HKDF-SHA256,
// AES-256-GCM), and those of draft-ietf-hpke-pq for X-Wing.
func reproduceHPKE(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		KEM    uint16 `json:"kem_id"`
		AEAD   uint16 `json:"aead_id"`
		Secret octets `json:"sk"`
		Info   octets
		Enc    octets
		AAD    octets
		CT, PT octets
		Public octets `json:"pk"`
	}](t, v.both(), true)
	public, plain, err := lock.OpenHPKE(c.KEM, c.AEAD, c.Secret, c.Enc, c.Info, c.AAD, c.CT)
	require.NoError(t, err)
	require.Equal(t, []byte(c.Public), public)
	require.Equal(t, []byte(c.PT), plain)
	ids := lock.SuiteIDs()
	require.Equal(t, [3]uint16{0x647a, 1, 2}, ids)
	require.True(t, c.KEM == ids[0] || c.AEAD == ids[2], "a case has at least one of ours")
	if c.KEM == ids[0] {
		key := must(lock.NewPrivateKey(c.Secret))
		require.Equal(t, []byte(c.Public), key.Public().Bytes(), "the seed is the key: DeriveKeyPair is not called")
	}
	_, _, err = lock.OpenHPKE(c.KEM, c.AEAD, c.Secret, c.Enc, append(c.Info, 0), c.AAD, c.CT)
	require.Error(t, err)
}

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
