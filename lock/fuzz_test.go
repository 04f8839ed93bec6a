package lock_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
)

// Every decoder takes any bytes without a panic, and what it accepts it encodes to the same bytes again. The seeds are the frozen cases.

// seeds adds a field in hex of all cases.
func seeds(f *testing.F, names ...string) {
	f.Helper()
	for _, file := range []string{"vectors.json", "negative.json"} {
		for _, v := range load(f, file) {
			for _, name := range names {
				var b octets
				if raw, given := v.both()[name]; given && b.UnmarshalJSON(raw) == nil {
					f.Add([]byte(b))
				}
			}
		}
	}
	f.Add([]byte{})
}

func FuzzParsePoint(f *testing.F) {
	seeds(f, "point", "u", "x_pub", "b_pub")
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := lock.ParsePoint(b)
		if err != nil {
			require.ErrorIs(t, err, lock.ErrPoint)
			return
		}
		require.Equal(t, b, p.Bytes())
		require.False(t, p.IsIdentity())
		if _, err := lock.ParseEncapsulation(b); err != nil {
			require.True(t, p.Equal(lock.Generator()))
		}
	})
}

func FuzzParseScalar(f *testing.F) {
	seeds(f, "scalar", "r", "b")
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := lock.ParseScalar(b)
		if err != nil {
			require.ErrorIs(t, err, lock.ErrScalar)
			return
		}
		require.Equal(t, b, s.Bytes())
		_, err = lock.ParseSecretScalar(b)
		require.Equal(t, s.IsZero(), err != nil)
	})
}

func FuzzParseID(f *testing.F) {
	for _, v := range load(f, "own.json") {
		if v.kind() == "id_text" {
			f.Add(decodeText(v))
		}
	}
	f.Add("00000000000000000000000000U")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := lock.ParseID(text)
		if err != nil {
			require.ErrorIs(t, err, lock.ErrID)
			return
		}
		require.Equal(t, bytes.ToUpper([]byte(text)), []byte(id.String()))
		_, err = lock.ParseCanonicalID(text)
		require.Equal(t, text != id.String(), err != nil)
	})
}

// decodeText reads the text of a case of id_text, and nothing of a malformed one.
func decodeText(v vector) string {
	return string(bytes.Trim(v.Out["text"], `"`))
}

func FuzzCID(f *testing.F) {
	seeds(f, "cid", "envelope_cid", "object_cid")
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := lock.CIDFromBytes(b)
		if err != nil {
			require.ErrorIs(t, err, lock.ErrCID)
			return
		}
		require.Equal(t, b, c.Bytes())
		same, err := lock.ParseCID(c.String())
		require.NoError(t, err)
		require.Equal(t, c, same)
		require.NotEqual(t, c.IsRaw(), c.IsDag())
	})
}

func FuzzParseCID(f *testing.F) {
	for _, v := range load(f, "negative.json") {
		if v.kind() == "cid_text" {
			f.Add(string(bytes.Trim(v.In["text"], `"`)))
		}
	}
	f.Add(lock.RawCID([32]byte{}).String())
	f.Fuzz(func(t *testing.T, text string) {
		c, err := lock.ParseCID(text)
		if err != nil {
			require.ErrorIs(t, err, lock.ErrCID)
			return
		}
		require.Equal(t, text, c.String())
	})
}

func FuzzParsePublicKey(f *testing.F) {
	seeds(f, "recipient_key", "rk_pub")
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := lock.ParsePublicKey(b)
		if err != nil {
			require.ErrorIs(t, err, lock.ErrKey)
			return
		}
		require.Equal(t, b, k.Bytes())
		_, err = lock.Seal(k, nil, []byte("p"))
		require.NoError(t, err, "what parses can be sealed to")
	})
}

func FuzzParseCommitments(f *testing.F) {
	g := lock.Generator().Bytes()
	f.Add(uint8(2), append(bytes.Clone(g), g...))
	f.Add(uint8(2), append(bytes.Clone(g), make([]byte, 32)...))
	f.Add(uint8(0), []byte{})
	f.Fuzz(func(t *testing.T, threshold uint8, b []byte) {
		var encoded [][]byte
		for chunk := b; len(chunk) > 0; chunk = chunk[min(32, len(chunk)):] {
			encoded = append(encoded, chunk[:min(32, len(chunk))])
		}
		c, err := lock.ParseCommitments(uint64(threshold), encoded)
		if err != nil {
			return
		}
		require.Equal(t, encoded, c.Bytes())
		require.False(t, c[0].IsIdentity())
	})
}

func FuzzOpen(f *testing.F) {
	key := must(lock.GeneratePrivateKey(chance(1)))
	f.Add(must(lock.Seal(key.Public(), []byte("info"), []byte("p"))))
	f.Add(make([]byte, lock.SealOverhead))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		plain, err := key.Open([]byte("info"), sealed)
		if err != nil {
			require.ErrorIs(t, err, lock.ErrOpen)
			return
		}
		require.Equal(t, "p", string(plain))
	})
}

func FuzzVerifyProof(f *testing.F) {
	seeds(f, "proof")
	x := must(lock.RandomScalar(chance(1)))
	r := lock.Release{M: []lock.Point{lock.Generator()}}
	s := must(r.NewShare(1, 1, x, chance(2)))
	f.Add(s.Proof)
	f.Fuzz(func(t *testing.T, proof []byte) {
		forged := s
		forged.Proof = proof
		if err := r.Verify(forged, x.Public()); err != nil {
			require.ErrorIs(t, err, lock.ErrProof)
			return
		}
		require.Equal(t, s.Proof, proof, "another proof holds")
	})
}

func FuzzParseOwner(f *testing.F) {
	f.Add(uint64(lock.OwnerPatient), make([]byte, 16))
	f.Add(uint64(lock.OwnerHospital), []byte{0, 0, 0, 0, 0, 0, 0, 7})
	f.Add(uint64(lock.OwnerHospital), make([]byte, 8))
	f.Fuzz(func(t *testing.T, kind uint64, id []byte) {
		owner, err := lock.ParseOwner(lock.OwnerKind(kind), id)
		if err != nil {
			require.ErrorIs(t, err, lock.ErrField)
			return
		}
		require.Equal(t, id, owner.Bytes())
		require.EqualValues(t, kind, owner.Kind())
	})
}
