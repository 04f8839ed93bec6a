package seal_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// refuse has, for each name of refused cases, what reads or checks one, and with which error it has to refuse.
var refuse = map[string]struct {
	check func(*testing.T, vector) error
	want  error
}{
	"capsule_open":   {refuseCapsule, seal.ErrCapsule},
	"own_open":       {refuseOwn, lock.ErrOpen},
	"unlock_dek":     {refuseUnlock, seal.ErrCommitment},
	"p_check":        {refuseHalf, seal.ErrCommitment},
	"envelope":       {refuseEnvelope, seal.ErrEnvelope},
	"slot_wallet":    {refuseSlot, seal.ErrSlotSecret},
	"slot_code":      {refuseSlot, seal.ErrSlotSecret},
	"slot_passkey":   {refuseSlot, seal.ErrSlotSecret},
	"slot_guardians": {refuseSlot, lock.ErrScalar},
	"slot_open":      {refuseSlotOpen, seal.ErrSlot},
	"adr36":          {refuseADR36, lock.ErrField},
	"vault_open":     {refuseVault, seal.ErrVault},
	"frame":          {refuseFrame, seal.ErrFrame},
	"manifest":       {refuseManifest, seal.ErrManifest},
	"object":         {refuseObject, seal.ErrCiphertext},
}

// exceptions are the cases that another error than their name's refuses.
var exceptions = map[string]error{
	"capsule_open/3": lock.ErrField, "capsule_open/9": lock.ErrField,
	"own_open/5": lock.ErrField, "own_open/6": lock.ErrField, "own_open/7": lock.ErrField, "own_open/8": lock.ErrField,
	"own_open/9": lock.ErrField, "unlock_dek/3": lock.ErrPoint, "unlock_dek/7": lock.ErrField, "unlock_dek/8": lock.ErrField,
	"slot_wallet/6": lock.ErrField, "slot_wallet/7": lock.ErrField, "slot_wallet/8": errWidth, "slot_guardians/3": lock.ErrPoint,
	"slot_open/3": lock.ErrField, "vault_open/3": lock.ErrField, "object/1": errAbsent, "object/2": seal.ErrManifest,
	"object/4": seal.ErrManifest, "object/5": seal.ErrManifest, "object/11": seal.ErrManifest, "object/12": seal.ErrManifest,
	"object/13": seal.ErrManifest, "object/14": seal.ErrManifest,
}

func TestNegative(t *testing.T) {
	cases(t, "negative.json", func(t *testing.T, v vector) {
		t.Helper()
		require.Equal(t, "refuse", v.Must)
		r, known := refuse[v.kind()]
		require.True(t, known, "claimed and not checked")
		want, other := exceptions[v.Name]
		if !other {
			want = r.want
		}
		require.ErrorIs(t, r.check(t, v), want, v.What)
	})
}

func refuseCapsule(t *testing.T, v vector) error {
	t.Helper()
	_, err := decode[capsuleCase](t, v.In, true).open()
	return err
}

func refuseOwn(t *testing.T, v vector) error {
	t.Helper()
	_, err := decode[ownCase](t, v.In, true).open()
	return err
}

func refuseUnlock(t *testing.T, v vector) error {
	t.Helper()
	c := decode[struct {
		Lock    number
		P, K    octets
		Salt    octets `json:"kek_salt"`
		C       octets
		Wrap    octets
		Dc      octets
		Record  octets `json:"record_id"`
		Version number
	}](t, v.In, true)
	k, err := lock.ParsePoint(c.K)
	if err != nil {
		return err
	}
	_, err = seal.UnwrapDEK(lock.Lock(c.Lock), half(t, c.P), k, [32]byte(c.C), c.Wrap, [64]byte(c.Salt), lock.ID(c.Record), uint64(c.Version), [32]byte(c.Dc))
	return err
}

func refuseHalf(t *testing.T, v vector) error {
	t.Helper()
	c := decode[struct {
		Lock   number
		Ctx, U octets
		P, Pc  octets
	}](t, v.In, true)
	return seal.CheckHalf([64]byte(c.Ctx), must(lock.ParsePoint(c.U)), *half(t, c.P), c.Pc)
}

func refuseEnvelope(t *testing.T, v vector) error {
	t.Helper()
	c := decode[struct{ Envelope octets }](t, v.In, true)
	_, err := seal.DecodeEnvelope(lock.RawCID(sha256.Sum256(c.Envelope)), c.Envelope)
	return err
}

func refuseSlot(t *testing.T, v vector) error {
	t.Helper()
	_, err := decode[slotCase](t, v.In, true).wrap()
	return err
}

func refuseSlotOpen(t *testing.T, v vector) error {
	t.Helper()
	c := decode[slotCase](t, v.In, true)
	place, err := c.place()
	if err != nil {
		return err
	}
	_, err = place.Unwrap(seal.SlotSecretOf(place.Kind, c.IKM), c.Wrapped)
	return err
}

func refuseADR36(t *testing.T, v vector) error {
	t.Helper()
	_, err := decode[adr36Case](t, v.In, true).request().Document()
	return err
}

func refuseVault(t *testing.T, v vector) error {
	t.Helper()
	c := decode[struct {
		Net      octets
		Vault    octets `json:"vault_id"`
		Revision number
		Newest   number `json:"newest_epoch"`
		KV       octets
		Blob     octets `json:"vault_blob"`
	}](t, v.In, true)
	place := seal.VaultPlace{
		Network: lock.Network(c.Net), Vault: must(lock.IDFromBytes(c.Vault)), Newest: uint64(c.Newest), Revision: uint64(c.Revision),
	}
	_, err := seal.OpenVault(place, must(seal.KVFromBytes(c.KV)), c.Blob)
	return err
}

func refuseFrame(t *testing.T, v vector) error {
	t.Helper()
	_, err := seal.Unframe(decode[struct{ Plain octets }](t, v.In, true).Plain)
	return err
}

func refuseManifest(t *testing.T, v vector) error {
	t.Helper()
	_, err := seal.DecodeManifest(decode[struct{ Protobuf octets }](t, v.In, true).Protobuf)
	return err
}

// answers gives other blocks than those asked for, as a lying node does.
type answers struct {
	*shelf
	lies map[lock.CID][]byte
}

func (a answers) Get(ctx context.Context, c lock.CID) ([]byte, error) {
	if block, lie := a.lies[c]; lie {
		return bytes.Clone(block), nil
	}
	return a.shelf.Get(ctx, c)
}

// forge seals a manifest that its writer could not have made, with the object CID that goes with it.
func forge(tb testing.TB, blocks *shelf, m *seal.Manifest, dek seal.DEK) seal.Ref {
	tb.Helper()
	root, err := seal.SealManifest(tb.Context(), blocks, m, dek, chance(2))
	require.NoError(tb, err)
	layout := must(m.Layout())
	var dag seal.DAG
	for i, e := range m.Entries {
		require.NoError(tb, dag.Add(e.CID, layout.LeafSize(uint64(i))))
	}
	for _, c := range blocks.order {
		require.NoError(tb, dag.Add(c, len(blocks.blocks[c])))
	}
	return seal.Ref{Object: must(dag.Root()), Manifest: root, PaddedSize: layout.Padded}
}

// someDEK is always the same.
func someDEK() seal.DEK { return must(seal.DEKFromBytes(noise(1, 32))) }

// sealedChunk makes block number chunk of a file as an honest writer does, and changes it as the case says.
func sealedChunk(t *testing.T, raw json.RawMessage) []byte {
	t.Helper()
	var given octets
	if json.Unmarshal(raw, &given) == nil {
		return given
	}
	var c struct {
		Plain      plaintext
		Key        octets
		Chunk      uint64
		Truncate   int
		Flip       *int
		PadNonzero bool `json:"pad_nonzero"`
		ExtraZeros int  `json:"extra_zeros"`
	}
	require.NoError(t, json.Unmarshal(raw, &c))
	layout := must(seal.LayoutOf(uint64(len(c.Plain))))
	plain := make([]byte, layout.LeafSize(c.Chunk)-16+c.ExtraZeros)
	length := copy(plain, c.Plain[min(c.Chunk*seal.ChunkSize, uint64(len(c.Plain))):])
	if c.PadNonzero {
		require.Less(t, length, len(plain))
		plain[len(plain)-1] = 1
	}
	block, err := seal.SealUnder([32]byte(c.Key), plain)
	require.NoError(t, err)
	if c.Flip != nil {
		block[*c.Flip] ^= 1
	}
	return block[:len(block)-c.Truncate]
}

func refuseObject(t *testing.T, v vector) error {
	t.Helper()
	c := decode[struct {
		IDKey   octets `json:"id_key"`
		Size    number
		Entries []entryCase
		Blocks  []json.RawMessage
	}](t, v.In, true)
	m := &seal.Manifest{Size: uint64(c.Size), IDs: &seal.ChunkIDs{Key: [32]byte(c.IDKey)}}
	for _, e := range c.Entries {
		e.add(m)
	}
	blocks := answers{newShelf(), map[lock.CID][]byte{}}
	dek := someDEK()
	ref := forge(t, blocks.shelf, m, dek)
	for i, raw := range c.Blocks {
		if i < len(m.Entries) {
			blocks.lies[m.Entries[i].CID] = sealedChunk(t, raw)
		}
	}
	object, err := seal.OpenObject(t.Context(), blocks, ref, dek)
	if err != nil {
		return err
	}
	_, err = object.WriteTo(t.Context(), io.Discard)
	return err
}
