package seal_test

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// Every decoder takes any bytes without a panic, and what it accepts it encodes to the same bytes again. The seeds are the frozen
// cases, accepted and refused, and what this package makes itself.

// seeds adds a field of all cases of a name.
func seeds(f *testing.F, kind string, field func(vector) []byte) {
	f.Helper()
	for _, file := range []string{"vectors.json", "negative.json", "own.json"} {
		for _, v := range load(f, file) {
			if v.kind() == kind {
				f.Add(field(v))
			}
		}
	}
}

// hexField reads a field in hex, from what is given or what follows from it.
func hexField(name string) func(vector) []byte {
	return func(v vector) []byte {
		raw, given := v.In[name]
		if !given {
			raw = v.Out[name]
		}
		var b octets
		if raw == nil || b.UnmarshalJSON(raw) != nil {
			return nil
		}
		return b
	}
}

func FuzzDecodeEnvelope(f *testing.F) {
	seeds(f, "envelope", hexField("envelope"))
	f.Fuzz(func(t *testing.T, block []byte) {
		e, err := seal.DecodeEnvelope(lock.RawCID(sha256.Sum256(block)), block)
		if err != nil {
			require.ErrorIs(t, err, seal.ErrEnvelope)
			return
		}
		require.Equal(t, block, must(e.Encode()))
		require.Len(t, e.OwnKeys(), len(e.Own))
	})
}

func FuzzDecodeManifest(f *testing.F) {
	seeds(f, "manifest", hexField("protobuf"))
	seeds(f, "manifest_one_leaf", hexField("protobuf"))
	seeds(f, "object", hexField("protobuf"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := seal.DecodeManifest(b)
		if err != nil {
			require.ErrorIs(t, err, seal.ErrManifest)
			return
		}
		require.True(t, bytes.Equal(b, must(m.Encode())))
	})
}

func FuzzDecodeIndex(f *testing.F) {
	seeds(f, "manifest_index", hexField("index_protobuf"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if seal.DecodeIndex(b) == nil {
			require.NotEmpty(t, b)
			require.ErrorIs(t, errOf(seal.DecodeManifest(b)), seal.ErrManifest, "no index is a manifest")
		}
	})
}

func FuzzUnframe(f *testing.F) {
	seeds(f, "frame", hexField("plain"))
	f.Add(seal.Frame([]byte("message")))
	f.Fuzz(func(t *testing.T, plain []byte) {
		message, err := seal.Unframe(plain)
		if err != nil {
			require.ErrorIs(t, err, seal.ErrFrame)
			return
		}
		require.True(t, bytes.Equal(plain, seal.Frame(message)))
	})
}

func FuzzDecodeVault(f *testing.F) {
	// Each epoch costs a key generation: a vault of hundreds would leave no time to fuzz.
	for _, v := range load(f, "vectors.json") {
		if message := hexField("protobuf")(v); v.kind() == "vault" && len(message) < 200 {
			f.Add(seal.Frame(message))
		}
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		v, err := seal.DecodeVault(plain)
		if err != nil {
			return
		}
		require.NotEmpty(t, v.Epochs())
		require.True(t, bytes.Equal(plain, seal.Frame(v.Encode())))
	})
}

func FuzzDecodeBox(f *testing.F) {
	for _, v := range load(f, "own.json") {
		if v.kind() == "emergency_box" {
			f.Add(hexField("plaintext")(v))
		}
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		entries, err := seal.DecodeBox(plain)
		if err != nil {
			return
		}
		require.Equal(t, plain, must(seal.EncodeBox(entries)))
	})
}

func FuzzDecodeCapsule(f *testing.F) {
	seeds(f, "capsule_open", hexField("plaintext"))
	f.Fuzz(func(t *testing.T, plain []byte) {
		asked := []seal.Asked{{Version: 1, Lock: lock.LockBoth}, {Version: 2, Lock: lock.LockNetwork}, {Version: 3, Lock: lock.LockBoth}}
		for i := range asked {
			if at := 8 + i*56; len(plain) >= at+16 {
				asked[i].Record = lock.ID(plain[at : at+16])
			}
		}
		halves, err := seal.DecodeCapsule(plain, asked)
		if err == nil {
			require.Len(t, plain, 8+2*56)
			require.NotNil(t, halves[0])
			require.Nil(t, halves[1])
		}
	})
}

func FuzzDecodeShares(f *testing.F) {
	f.Add(must(seal.EncodeShares([][]byte{bytes.Repeat([]byte{1}, 1168), bytes.Repeat([]byte{2}, 1168)})))
	f.Fuzz(func(t *testing.T, block []byte) {
		shares, err := seal.DecodeShares(cidOf(block), block)
		if err != nil {
			require.ErrorIs(t, err, seal.ErrGuardians)
			return
		}
		require.Equal(t, block, must(seal.EncodeShares(shares)))
	})
}

func FuzzParseCode(f *testing.F) {
	for _, v := range load(f, "vectors.json") {
		if v.kind() == "slot_code" {
			f.Add(strings.Trim(string(v.In["words"]), `"`))
		}
	}
	f.Add(must(seal.NewCode()).Words())
	f.Fuzz(func(t *testing.T, text string) {
		code, err := seal.ParseCode(text)
		if err != nil {
			require.ErrorIs(t, err, seal.ErrSlotSecret)
			return
		}
		require.Equal(t, code.Bytes(), must(seal.ParseCode(code.Words())).Bytes())
	})
}

func FuzzParseRecipient(f *testing.F) {
	f.Add(uint64(1), make([]byte, 16))
	f.Add(uint64(2), []byte{0, 0, 0, 0, 0, 0, 0, 7})
	f.Add(uint64(3), make([]byte, 20))
	f.Fuzz(func(t *testing.T, kind uint64, id []byte) {
		r, err := seal.ParseRecipient(lock.RecipientKind(kind), id)
		if err != nil {
			require.ErrorIs(t, err, lock.ErrField)
			return
		}
		require.Equal(t, id, r.Bytes())
	})
}

func FuzzLayout(f *testing.F) {
	for _, size := range []uint64{0, 1, 4080, seal.ChunkSize, seal.ChunkSize + 1, 10_000_000_000, seal.MaxSize, 1 << 63} {
		f.Add(size)
	}
	f.Fuzz(func(t *testing.T, size uint64) {
		layout, err := seal.LayoutOf(size)
		if err != nil {
			require.Greater(t, size, uint64(seal.MaxSize))
			return
		}
		require.LessOrEqual(t, layout.Padded, max(4096, (size+16*(size/seal.ChunkSize+1))*112/100+1))
		last := layout.Leaves - 1
		require.Positive(t, layout.LeafSize(last)-16)
		require.LessOrEqual(t, layout.LeafSize(last), seal.LeafSize)
		require.Equal(t, layout.Padded, last*seal.LeafSize+uint64(layout.LeafSize(last)))
		full := size / seal.ChunkSize
		if full < layout.Leaves {
			require.Equal(t, size-full*seal.ChunkSize, uint64(layout.Length(full)))
		}
		require.LessOrEqual(t, layout.Length(last), layout.LeafSize(last)-16)
	})
}

func FuzzWalletSecret(f *testing.F) {
	seeds(f, "slot_wallet", hexField("signature_rs"))
	pepper := must(seal.NewPepper())
	f.Fuzz(func(t *testing.T, signature []byte) {
		secret, err := seal.WalletSecretOf(signature, pepper)
		if err != nil {
			require.ErrorIs(t, err, seal.ErrSlotSecret)
			return
		}
		require.Equal(t, append(bytes.Clone(signature), pepper.Bytes()...), secret.IKM())
	})
}

func FuzzUnwrap(f *testing.F) {
	seeds(f, "slot_passkey", hexField("slot"))
	at := seal.SlotPlace{Kind: lock.SlotPasskey, Revision: 1}
	secret := must(seal.PasskeySecret(make([]byte, 32)))
	f.Add(must(at.Wrap(secret, must(seal.NewKV()))))
	f.Fuzz(func(t *testing.T, slot []byte) {
		if _, err := at.Unwrap(secret, slot); err != nil {
			require.ErrorIs(t, err, seal.ErrSlot)
			return
		}
		require.Len(t, slot, seal.SlotSize)
	})
}
