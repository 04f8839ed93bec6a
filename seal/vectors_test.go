package seal_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// reproduce has, for each name of cases, what computes the outputs from the inputs and compares them.
var reproduce = map[string]func(*testing.T, vector){
	"pc": reproducePc, "dc": reproduceDc, "salt": reproduceSalt, "kek": reproduceKEK, "wrap": reproduceWrap, "own_open": reproduceOwn,
	"envelope": reproduceEnvelope, "capsule_open": reproduceCapsule, "slot_wallet": reproduceSlot, "slot_code": reproduceSlot,
	"slot_passkey": reproduceSlot, "slot_guardians": reproduceSlot, "vault": reproduceVault, "adr36": reproduceADR36,
	"padme": reproducePadme, "object_layout": reproduceObject, "manifest_one_leaf": reproduceManifest,
	"manifest_index": reproduceManifest, "dag_root": reproduceDAG, "guardians": reproduceGuardians, "e2e": reproduceOpening,
	"emergency_box": reproduceBox, "shares_block": reproduceShares, "share_capsule": reproduceShareCapsule, "emergency_half": reproduceEmergencyHalf,
	"pepper": reproducePepper, "passkey_input": reproducePasskeyInput, "object": reproduceSealed,
	"wycheproof_gcm": reproduceGCM, "wycheproof_hkdf_sha256": reproduceHKDF,
	"wycheproof_hkdf_sha512": reproduceHKDF,
}

func TestVectors(t *testing.T) {
	for _, file := range []string{"vectors.json", "own.json", "wycheproof.json"} {
		cases(t, file, func(t *testing.T, v vector) {
			t.Helper()
			f, known := reproduce[v.kind()]
			require.True(t, known, "claimed and not reproduced")
			f(t, v)
		})
	}
}

func half(t *testing.T, b octets) *seal.Half {
	t.Helper()
	if len(b) == 0 {
		return nil
	}
	p, err := seal.HalfFromBytes(b)
	require.NoError(t, err)
	return &p
}

func reproducePc(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Lock   number
		Ctx, U octets
		P, Pc  octets
	}](t, v.both(), true)
	if lock.Lock(c.Lock) == lock.LockNetwork {
		require.Empty(t, c.Pc)
		require.Empty(t, c.P)
		return
	}
	u, p := must(lock.ParsePoint(c.U)), half(t, c.P)
	pc := seal.CommitHalf([64]byte(c.Ctx), u, *p)
	require.Equal(t, []byte(c.Pc), pc[:])
	require.NoError(t, seal.CheckHalf([64]byte(c.Ctx), u, *p, c.Pc))
}

func reproduceDc(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Record  octets `json:"record_id"`
		Version number
		DEK, Dc octets
	}](t, v.both(), true)
	dc := seal.CommitDEK(must(lock.IDFromBytes(c.Record)), uint64(c.Version), must(seal.DEKFromBytes(c.DEK)))
	require.Equal(t, []byte(c.Dc), dc[:])
}

func reproduceSalt(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Ctx, U      octets
		UBar        octets `json:"u_bar"`
		Pc, Dc      octets
		ManifestCID octets `json:"manifest_cid"`
		ObjectCID   octets `json:"object_cid"`
		Salt        octets `json:"kek_salt"`
	}](t, v.both(), true)
	ref := seal.Ref{Object: lock.CID(c.ObjectCID), Manifest: lock.CID(c.ManifestCID)}
	salt := seal.Salt([64]byte(c.Ctx), must(lock.ParsePoint(c.U)), must(lock.ParsePoint(c.UBar)), c.Pc, [32]byte(c.Dc), ref)
	require.Equal(t, []byte(c.Salt), salt[:])
}

func reproduceKEK(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Lock number
		P, K octets
		Salt octets `json:"kek_salt"`
		KEK  octets
		C    octets
	}](t, v.both(), true)
	key, commitment, err := seal.KEK(lock.Lock(c.Lock), half(t, c.P), must(lock.ParsePoint(c.K)), [64]byte(c.Salt))
	require.NoError(t, err)
	require.Equal(t, []byte(c.KEK), key[:])
	require.Equal(t, []byte(c.C), commitment[:])
}

func reproduceWrap(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		KEK, DEK octets
		Salt     octets `json:"kek_salt"`
		Wrap     octets
	}](t, v.both(), true)
	wrap, err := seal.WrapDEK([32]byte(c.KEK), must(seal.DEKFromBytes(c.DEK)), [64]byte(c.Salt))
	require.NoError(t, err)
	require.Equal(t, []byte(c.Wrap), wrap[:])
}

type ownCase struct {
	Ctx, U          octets
	RecipientKind   number `json:"recipient_kind"`
	RecipientID     octets `json:"recipient_id"`
	Epoch           number `json:"vault_epoch"`
	RecipientSeed   octets `json:"recipient_seed"`
	EncapRandomness octets `json:"encap_randomness"`
	Ciphertext      octets `json:"own_ct"`
	KeyHash         octets `json:"key_hash"`
	Info            octets
	P               octets
}

func (c ownCase) own() (seal.Own, error) {
	to, err := seal.ParseRecipient(lock.RecipientKind(c.RecipientKind), c.RecipientID)
	if err != nil {
		return seal.Own{}, err
	}
	hash, err := array[[32]byte](c.KeyHash)
	return seal.Own{Recipient: to, Epoch: uint64(c.Epoch), KeyHash: hash, Ciphertext: c.Ciphertext}, err
}

// open derives the key hash from the seed, as who holds the vault does.
func (c ownCase) open() (seal.Half, error) {
	key, err := lock.NewPrivateKey(c.RecipientSeed)
	if err != nil {
		return seal.Half{}, err
	}
	hash := key.Public().Hash()
	c.KeyHash = hash[:]
	own, err := c.own()
	if err != nil {
		return seal.Half{}, err
	}
	u, err := lock.ParseEncapsulation(c.U)
	if err != nil {
		return seal.Half{}, err
	}
	ctx, err := array[[64]byte](c.Ctx)
	if err != nil {
		return seal.Half{}, err
	}
	return own.Open(ctx, u, key)
}

func reproduceOwn(t *testing.T, v vector) {
	t.Helper()
	c := decode[ownCase](t, v.both(), true)
	own := must(c.own())
	key := must(lock.NewPrivateKey(c.RecipientSeed))
	require.Equal(t, key.Public().Hash(), own.KeyHash)
	require.Equal(t, []byte(c.Info), seal.OwnInfo([64]byte(c.Ctx), must(lock.ParsePoint(c.U)), own.Recipient, own.Epoch, own.KeyHash))
	p, err := c.open()
	require.NoError(t, err)
	require.Equal(t, []byte(c.P), p.Bytes())
}

type envelopeCase struct {
	Suite       number
	U           octets
	UBar        octets `json:"u_bar"`
	Pc, Dc, C   octets
	Wrap        octets
	ManifestCID octets `json:"manifest_cid"`
	Own         []ownCase
	Emergency   *struct {
		U    octets `json:"u_e"`
		UBar octets `json:"u_bar_e"`
		Box  octets
	}
	Envelope octets
	CID      octets   `json:"envelope_cid"`
	Text     string   `json:"envelope_cid_text"`
	OwnKeys  []octets `json:"own_key_hashes"`
}

func (c envelopeCase) envelope(t *testing.T) *seal.Envelope {
	t.Helper()
	e := &seal.Envelope{
		Suite: lock.Suite(c.Suite), U: must(lock.ParsePoint(c.U)), UBar: must(lock.ParsePoint(c.UBar)), Pc: c.Pc,
		Dc: [32]byte(c.Dc), C: [32]byte(c.C), Wrap: [48]byte(c.Wrap), Manifest: lock.CID(c.ManifestCID),
	}
	for _, o := range c.Own {
		e.Own = append(e.Own, must(o.own()))
	}
	seal.SortOwn(e.Own) // a case gives them in any order
	if c.Emergency != nil {
		e.Emergency = &seal.Emergency{U: must(lock.ParsePoint(c.Emergency.U)), UBar: must(lock.ParsePoint(c.Emergency.UBar)), Box: c.Emergency.Box}
	}
	return e
}

func reproduceEnvelope(t *testing.T, v vector) {
	t.Helper()
	c := decode[envelopeCase](t, v.both(), true)
	e := c.envelope(t)
	block, err := e.Encode()
	require.NoError(t, err)
	require.Equal(t, []byte(c.Envelope), block)
	cid := must(e.CID())
	require.Equal(t, []byte(c.CID), cid.Bytes())
	require.Equal(t, c.Text, cid.String())
	decoded, err := seal.DecodeEnvelope(cid, block)
	require.NoError(t, err)
	require.Equal(t, block, must(decoded.Encode()))
	require.Len(t, decoded.OwnKeys(), len(c.OwnKeys))
	for i, hash := range decoded.OwnKeys() {
		require.Equal(t, []byte(c.OwnKeys[i]), hash[:])
	}
}

type capsuleCase struct {
	Net      octets
	UnlockID octets `json:"unlock_id"`
	RKSeed   octets `json:"rk_seed"`
	Versions []struct {
		Record  octets `json:"record_id"`
		Version number
		Lock    number
	}
	EncapRandomness octets `json:"encap_randomness"`
	Capsule         octets
	Info            octets
	Plaintext       octets
	P               []octets
}

func (c capsuleCase) asked() []seal.Asked {
	var asked []seal.Asked
	for _, v := range c.Versions {
		asked = append(asked, seal.Asked{Record: must(lock.IDFromBytes(v.Record)), Version: uint64(v.Version), Lock: lock.Lock(v.Lock)})
	}
	return asked
}

func (c capsuleCase) open() ([]*seal.Half, error) {
	key, err := lock.NewPrivateKey(c.RKSeed)
	if err != nil {
		return nil, err
	}
	return seal.OpenCapsule(key, lock.Network(c.Net), [32]byte(c.UnlockID), c.asked(), c.Capsule)
}

func reproduceCapsule(t *testing.T, v vector) {
	t.Helper()
	c := decode[capsuleCase](t, v.both(), true)
	info := seal.CapsuleInfo(lock.Network(c.Net), [32]byte(c.UnlockID))
	require.Equal(t, []byte(c.Info), info)
	key := must(lock.NewPrivateKey(c.RKSeed))
	require.Equal(t, []byte(c.Plaintext), must(key.Open(info, c.Capsule)))
	checkHalves := func(halves []*seal.Half) {
		var got []octets
		for i, p := range halves {
			require.Equal(t, lock.Lock(c.Versions[i].Lock) == lock.LockBoth, p != nil)
			if p != nil {
				got = append(got, p.Bytes())
			}
		}
		require.Equal(t, c.P, got)
	}
	halves, err := c.open()
	require.NoError(t, err)
	checkHalves(halves)
	c.Capsule, err = seal.NewCapsule(key.Public(), lock.Network(c.Net), [32]byte(c.UnlockID), c.asked(), halves)
	require.NoError(t, err)
	require.Equal(t, []byte(c.Plaintext), must(key.Open(info, c.Capsule)))
	halves, err = c.open()
	require.NoError(t, err)
	checkHalves(halves)
}

type slotCase struct {
	Net       octets
	Address   octets
	Vault     octets `json:"vault_id"`
	Slot      octets `json:"slot_id"`
	Revision  number
	Salt      octets `json:"slot_salt"`
	KV        octets
	Kind      number `json:"slot_kind"`
	Signature octets `json:"signature_rs"`
	Pepper    octets
	Words     string
	PRF       octets
	Guardians octets `json:"guardians_secret"`
	K         octets `json:"k_g"`
	Info      octets
	IKM       octets
	KEK       octets `json:"slot_kek"`
	Wrapped   octets `json:"slot"`
}

// slotCaseFields is slotCase where "slot" and "slot_id" go to fields of their own.
func (c slotCase) place() (p seal.SlotPlace, err error) {
	if p.Network, err = lock.NetworkFromBytes(c.Net); err != nil {
		return p, err
	}
	if p.Account, err = array[[20]byte](c.Address); err != nil {
		return p, err
	}
	if p.Vault, err = lock.IDFromBytes(c.Vault); err != nil {
		return p, err
	}
	p.Kind, p.Revision = lock.SlotKind(c.Kind), uint64(c.Revision)
	p.Slot, err = lock.IDFromBytes(c.Slot)
	return p, err
}

func (c slotCase) secret() (seal.SlotSecret, error) {
	switch {
	case c.Signature != nil:
		pepper, err := seal.PepperFromBytes(c.Pepper)
		if err != nil {
			return seal.SlotSecret{}, err
		}
		return seal.WalletSecretOf(c.Signature, pepper)
	case c.Words != "":
		code, err := seal.ParseCode(c.Words)
		if err != nil {
			return seal.SlotSecret{}, err
		}
		return seal.CodeSecret(code), nil
	case c.PRF != nil:
		return seal.PasskeySecret(c.PRF)
	}
	g, err := lock.ParseSecretScalar(c.Guardians)
	if err != nil {
		return seal.SlotSecret{}, err
	}
	k, err := lock.ParsePoint(c.K)
	if err != nil {
		return seal.SlotSecret{}, err
	}
	return seal.GuardianSecretOf(g, k)
}

func (c slotCase) wrap() ([]byte, error) {
	place, err := c.place()
	if err != nil {
		return nil, err
	}
	secret, err := c.secret()
	if err != nil {
		return nil, err
	}
	return place.WrapWith(secret, must(seal.KVFromBytes(c.KV)), source(c.Salt))
}

func reproduceSlot(t *testing.T, v vector) {
	t.Helper()
	c := decode[slotCase](t, v.both(), true)
	place := must(c.place())
	require.Equal(t, []byte(c.Info), must(place.Info()))
	secret := must(c.secret())
	require.Equal(t, place.Kind, secret.Kind())
	require.Equal(t, []byte(c.IKM), secret.IKM())
	kek := must(place.KEK(secret, c.Salt))
	require.Equal(t, []byte(c.KEK), kek[:])
	slot, err := c.wrap()
	require.NoError(t, err)
	require.Equal(t, []byte(c.Wrapped), slot)
	kv, err := place.Unwrap(secret, slot)
	require.NoError(t, err)
	require.Equal(t, []byte(c.KV), kv.Bytes())
	if c.Words != "" {
		code := must(seal.ParseCode(c.Words))
		require.Equal(t, code.Bytes(), must(seal.ParseCode(code.Words())).Bytes())
	}
}

type vaultCase struct {
	Net      octets
	Vault    octets `json:"vault_id"`
	Revision number
	KV       octets
	Nonce    octets `json:"vault_nonce"`
	Epochs   []struct {
		Epoch number
		Seed  octets
	}
	Protobuf octets
	AAD      octets
	Length   int    `json:"vault_blob_length"`
	SHA256   octets `json:"vault_blob_sha256"`
	Head     octets `json:"vault_blob_head"`
	Tag      octets `json:"vault_blob_tag"`
}

func reproduceVault(t *testing.T, v vector) {
	t.Helper()
	c := decode[vaultCase](t, v.both(), true)
	var numbers []uint64
	var seeds [][]byte
	for _, e := range c.Epochs {
		numbers, seeds = append(numbers, uint64(e.Epoch)), append(seeds, e.Seed)
	}
	vault := must(seal.VaultOf(must(lock.IDFromBytes(c.Vault)), numbers, seeds))
	require.Equal(t, []byte(c.Protobuf), vault.Encode())
	place := seal.VaultPlace{Network: lock.Network(c.Net), Vault: vault.ID(), Newest: vault.Newest(), Revision: uint64(c.Revision)}
	require.Equal(t, []byte(c.AAD), must(place.AAD()))
	kv := must(seal.KVFromBytes(c.KV))
	blob, err := vault.SealWith(place, kv, source(c.Nonce))
	require.NoError(t, err)
	require.Len(t, blob, c.Length)
	sum := sha256.Sum256(blob)
	require.Equal(t, []byte(c.SHA256), sum[:])
	require.Equal(t, []byte(c.Head), blob[:len(c.Head)])
	require.Equal(t, []byte(c.Tag), blob[len(blob)-16:])
	opened, err := seal.OpenVault(place, kv, blob)
	require.NoError(t, err)
	require.Equal(t, numbers, opened.Epochs())
	for i, number := range numbers {
		key, held := opened.Key(number)
		require.True(t, held)
		require.Equal(t, seeds[i], key.Seed())
	}
}

type adr36Case struct {
	Net      octets
	ChainID  string `json:"chain_id"`
	Account  string
	Vault    octets `json:"vault_id"`
	Slot     octets `json:"slot_id"`
	Site     string
	Text     string
	Document string `json:"sign_doc"`
}

func (c adr36Case) request() seal.WalletRequest {
	return seal.WalletRequest{
		Network: lock.Network(c.Net), ChainID: c.ChainID, Account: c.Account, Vault: must(lock.IDFromBytes(c.Vault)),
		Slot: must(lock.IDFromBytes(c.Slot)), Site: c.Site,
	}
}

func reproduceADR36(t *testing.T, v vector) {
	t.Helper()
	c := decode[adr36Case](t, v.both(), true)
	require.Equal(t, c.Text, string(must(c.request().Text())))
	require.Equal(t, c.Document, string(must(c.request().Document())))
}

func reproducePadme(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct{ Length, Padme number }](t, v.both(), true)
	require.Equal(t, uint64(c.Padme), seal.Padme(uint64(c.Length)))
}

type entryCase struct {
	CID    octets
	Key    octets
	Length number
	HMAC   octets
}

// add appends the entry to a manifest of the first form.
func (c entryCase) add(m *seal.Manifest) {
	m.Entries = append(m.Entries, seal.Entry{CID: lock.CID(c.CID), Key: [32]byte(c.Key), Length: uint32(c.Length)})
	m.IDs.Each = append(m.IDs.Each, [32]byte(c.HMAC))
}

// requireEntries compares the manifest of an object as it is sealed today with the entries of one of the first form, which have ids besides.
func requireEntries(t *testing.T, want []entryCase, m *seal.Manifest) {
	t.Helper()
	first := &seal.Manifest{IDs: new(seal.ChunkIDs)}
	for _, e := range want {
		e.add(first)
	}
	require.Equal(t, first.Entries, m.Entries)
	require.Nil(t, m.IDs)
}

// withIDs is the same manifest in the first form: each chunk has its id, by the leaves that blocks holds.
func withIDs(t *testing.T, blocks *shelf, m *seal.Manifest, idKey []byte) *seal.Manifest {
	t.Helper()
	first := *m
	first.IDs = &seal.ChunkIDs{Key: [32]byte(idKey)}
	for _, e := range m.Entries {
		plain, err := seal.OpenGCM(e.Key[:], make([]byte, 12), blocks.blocks[e.CID], nil)
		require.NoError(t, err)
		mac := hmac.New(sha256.New, idKey)
		mac.Write(plain)
		first.IDs.Each = append(first.IDs.Each, [32]byte(mac.Sum(nil)))
	}
	return &first
}

func reproduceObject(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Plain     *plaintext
		Length    *number
		Keys      []octets `json:"chunk_keys"`
		IDKey     octets   `json:"id_key"`
		C0        number   `json:"ciphertext_before_padding"`
		Total     number   `json:"ciphertext_total"`
		Leaves    number   `json:"leaf_count"`
		Last      int      `json:"last_leaf_size"`
		PlainSize number   `json:"plain_total"`
		Entries   []entryCase
	}](t, v.both(), true)
	var size uint64
	if c.Plain != nil {
		size = uint64(len(*c.Plain))
	} else {
		size = uint64(*c.Length)
	}
	layout, err := seal.LayoutOf(size)
	require.NoError(t, err)
	require.Equal(t, uint64(c.C0), size+16*max(1, (size+seal.ChunkSize-1)/seal.ChunkSize))
	require.Equal(t, uint64(c.Total), layout.Padded)
	require.Equal(t, uint64(c.Leaves), layout.Leaves)
	require.Equal(t, c.Last, layout.LeafSize(layout.Leaves-1))
	require.Equal(t, uint64(c.PlainSize), layout.Padded-16*layout.Leaves)
	if c.Plain == nil {
		return
	}
	random := source(make([]byte, 32), slices.Concat(raws(c.Keys)...))
	blocks := newShelf()
	sealed, err := seal.SealWith(t.Context(), blocks, bytes.NewReader(*c.Plain), seal.Draft{Size: size}, random)
	require.NoError(t, err)
	require.Equal(t, uint64(c.Total), sealed.Ref.PaddedSize)
	requireEntries(t, c.Entries, sealed.Contents)
	for i, id := range withIDs(t, blocks, sealed.Contents, c.IDKey).IDs.Each {
		require.Len(t, blocks.blocks[sealed.Contents.Entries[i].CID], layout.LeafSize(uint64(i)))
		require.Equal(t, []byte(c.Entries[i].HMAC), id[:])
	}
}

func reproduceManifest(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Name      string
		MediaType string `json:"media_type"`
		Created   number
		Modified  number
		Size      number
		IDKey     octets `json:"id_key"`
		DEK       octets
		Entries   []entryCase
		Stream    plaintext `json:"entries_stream"`
		LeafKeys  []octets  `json:"leaf_keys"`
		Length    int       `json:"protobuf_length"`
		SHA256    octets    `json:"protobuf_sha256"`
		Protobuf  octets
		LeafSize  int    `json:"leaf_length"`
		Head      octets `json:"leaf_head"`
		Tag       octets `json:"leaf_tag"`
		Levels    int
		Index     octets `json:"index_protobuf"`
		Leaves    []struct {
			CID  octets
			Size int
		}
		ManifestCID octets `json:"manifest_cid"`
	}](t, v.both(), true)
	m := &seal.Manifest{
		Name: c.Name, MediaType: c.MediaType, Created: uint64(c.Created), Modified: uint64(c.Modified), Size: uint64(c.Size),
		IDs: &seal.ChunkIDs{Key: [32]byte(c.IDKey)},
	}
	for _, e := range c.Entries {
		e.add(m)
	}
	layout := must(m.Layout())
	// A stream has the digest, the key and the id of each entry.
	for i := 0; len(c.Stream) > 0; i++ {
		cid := lock.RawCID([32]byte(c.Stream[:32]))
		entryCase{CID: cid.Bytes(), Key: octets(c.Stream[32:64]), Length: number(layout.Length(uint64(i))), HMAC: octets(c.Stream[64:96])}.add(m)
		c.Stream = c.Stream[96:]
	}
	encoded, err := m.Encode()
	require.NoError(t, err)
	require.Len(t, encoded, c.Length)
	sum := sha256.Sum256(encoded)
	require.Equal(t, []byte(c.SHA256), sum[:])
	if c.Protobuf != nil {
		require.Equal(t, []byte(c.Protobuf), encoded)
	}
	decoded, err := seal.DecodeManifest(encoded)
	require.NoError(t, err)
	require.Equal(t, m, decoded)

	blocks := newShelf()
	root, err := seal.SealManifest(t.Context(), blocks, m, must(seal.DEKFromBytes(c.DEK)), source(raws(c.LeafKeys)...))
	require.NoError(t, err)
	require.Equal(t, []byte(c.ManifestCID), root.Bytes())
	if c.Levels == 0 {
		leaf := blocks.blocks[root]
		require.Len(t, leaf, c.LeafSize)
		require.Equal(t, []byte(c.Head), leaf[:len(c.Head)])
		require.Equal(t, []byte(c.Tag), leaf[len(leaf)-16:])
		c.Levels = 1
	} else {
		require.Len(t, blocks.order, len(c.Leaves))
		for i, leaf := range c.Leaves {
			require.Equal(t, []byte(leaf.CID), blocks.order[i].Bytes())
			require.Len(t, blocks.blocks[blocks.order[i]], leaf.Size)
		}
		require.NoError(t, seal.DecodeIndex(c.Index))
	}
	ref := seal.Ref{Manifest: root, PaddedSize: layout.Padded}
	opened, levels, err := seal.OpenManifest(t.Context(), blocks, ref, must(seal.DEKFromBytes(c.DEK)))
	require.NoError(t, err)
	require.Equal(t, c.Levels, levels)
	require.Equal(t, m, opened)
}

// reproduceSealed seals a whole file as it is done today.
func reproduceSealed(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Name        string
		MediaType   string `json:"media_type"`
		Created     number
		Modified    number
		Size        number
		Plain       plaintext
		DEK         octets
		Keys        []octets `json:"chunk_keys"`
		Leaves      []octets `json:"leaf_cids"`
		Protobuf    octets
		ManifestCID octets `json:"manifest_cid"`
		ObjectCID   octets `json:"object_cid"`
		Padded      number `json:"padded_size"`
	}](t, v.both(), true)
	draft := seal.Draft{Name: c.Name, MediaType: c.MediaType, Created: uint64(c.Created), Modified: uint64(c.Modified), Size: uint64(c.Size)}
	blocks := newShelf()
	sealed, err := seal.SealWith(t.Context(), blocks, bytes.NewReader(c.Plain), draft, source(c.DEK, slices.Concat(raws(c.Keys)...)))
	require.NoError(t, err)
	require.Equal(t, []byte(c.Protobuf), must(sealed.Contents.Encode()))
	require.Equal(t, seal.Ref{Object: lock.CID(c.ObjectCID), Manifest: lock.CID(c.ManifestCID), PaddedSize: uint64(c.Padded)}, sealed.Ref)
	for i, leaf := range c.Leaves {
		require.Equal(t, []byte(leaf), sealed.Contents.Entries[i].CID.Bytes())
		require.Equal(t, []byte(c.Keys[i]), sealed.Contents.Entries[i].Key[:])
	}
	got, err := read(t.Context(), blocks, sealed.Ref, sealed.DEK)
	require.NoError(t, err)
	require.True(t, bytes.Equal(c.Plain, got))
}

func reproduceDAG(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Leaves []struct {
			CID  octets
			Size int
		}
		Digests  plaintext `json:"leaf_digests"`
		LeafSize int       `json:"leaf_size"`
		LastSize int       `json:"last_leaf_size"`
		Object   octets    `json:"object_cid"`
		Text     string    `json:"object_cid_text"`
	}](t, v.both(), true)
	var dag seal.DAG
	for _, leaf := range c.Leaves {
		require.NoError(t, dag.Add(lock.CID(leaf.CID), leaf.Size))
	}
	for ; len(c.Digests) > 0; c.Digests = c.Digests[32:] {
		size := c.LeafSize
		if len(c.Digests) == 32 {
			size = c.LastSize
		}
		require.NoError(t, dag.Add(lock.RawCID([32]byte(c.Digests[:32])), size))
	}
	root, err := dag.Root()
	require.NoError(t, err)
	require.Equal(t, []byte(c.Object), root.Bytes())
	require.Equal(t, c.Text, root.String())
}

func reproduceGuardians(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Net        octets
		Vault      octets `json:"vault_id"`
		Slot       octets `json:"slot_id"`
		Revision   number
		Polynomial []octets
		K          octets `json:"k_g"`
		Guardians  []struct {
			Index         number
			RecipientSeed octets `json:"recipient_seed"`
		}
		Commitments []octets
		Shares      []struct {
			Index       number
			Share, Info octets
			Sealed      octets `json:"guardian_ct"`
		}
	}](t, v.both(), false)
	place := seal.SlotPlace{
		Network: lock.Network(c.Net), Kind: lock.SlotGuardians, Vault: must(lock.IDFromBytes(c.Vault)),
		Slot: must(lock.IDFromBytes(c.Slot)), Revision: uint64(c.Revision),
	}
	commitments := must(lock.ParseCommitments(uint64(len(c.Commitments)), raws(c.Commitments)))
	var shares []lock.SecretShare
	for i, given := range c.Shares {
		require.Equal(t, []byte(given.Info), must(seal.GuardianInfo(place, uint64(given.Index), commitments)))
		key := must(lock.NewPrivateKey(c.Guardians[i].RecipientSeed))
		share, err := seal.OpenGuardianShare(key, place, uint64(given.Index), commitments, given.Sealed)
		require.NoError(t, err)
		require.Equal(t, []byte(given.Share), share.Value.Bytes())
		shares = append(shares, share)
	}
	secret, err := seal.JoinGuardians(commitments, shares, must(lock.ParsePoint(c.K)))
	require.NoError(t, err)
	require.Equal(t, slices.Concat([]byte(c.Polynomial[0]), []byte(c.K)), secret.IKM())
	// Any threshold many open it, not only the first.
	secret, err = seal.JoinGuardians(commitments, shares[1:], must(lock.ParsePoint(c.K)))
	require.NoError(t, err)
	require.Equal(t, slices.Concat([]byte(c.Polynomial[0]), []byte(c.K)), secret.IKM())
}

// reproduceBox opens an emergency box and follows its inner layer.
func reproduceBox(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		K       octets `json:"k_e"`
		E       octets
		Ctx, U  octets
		Entries []struct {
			Hospital   number
			Epoch      number
			Seed       octets `json:"recipient_seed"`
			Ciphertext octets `json:"own_ct"`
		}
		P         octets
		Plaintext octets
		Box       octets
		SHA256    octets `json:"box_sha256"`
	}](t, v.both(), true)
	var entries []seal.Boxed
	for _, e := range c.Entries {
		key := must(lock.NewPrivateKey(e.Seed))
		own := seal.Own{
			Recipient: must(seal.EmergencyRecipient(uint64(e.Hospital))), Epoch: uint64(e.Epoch), KeyHash: key.Public().Hash(),
			Ciphertext: e.Ciphertext,
		}
		p, err := own.Open([64]byte(c.Ctx), must(lock.ParsePoint(c.U)), key)
		require.NoError(t, err)
		require.Equal(t, []byte(c.P), p.Bytes())
		entries = append(entries, seal.Boxed{Hospital: uint64(e.Hospital), Epoch: uint64(e.Epoch), Ciphertext: e.Ciphertext})
	}
	require.Equal(t, []byte(c.Plaintext), must(seal.EncodeBox(entries)))
	k := must(lock.ParsePoint(c.K))
	box, err := seal.SealBox(k, [64]byte(c.E), entries)
	require.NoError(t, err)
	require.Equal(t, []byte(c.Box), box)
	sum := sha256.Sum256(box)
	require.Equal(t, []byte(c.SHA256), sum[:])
	require.NoError(t, seal.OpenBox(k, [64]byte(c.E), box))
	got, err := seal.DecodeBox(c.Plaintext)
	require.NoError(t, err)
	require.Equal(t, entries, got)
}

func reproduceShares(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Shares, Refused []octets
		Block, CID      octets
	}](t, v.both(), true)
	block, err := seal.EncodeShares(raws(c.Shares))
	require.NoError(t, err)
	require.Equal(t, []byte(c.Block), block)
	require.Equal(t, []byte(c.CID), cidOf(block).Bytes())
	shares, err := seal.DecodeShares(cidOf(block), block)
	require.NoError(t, err)
	require.Equal(t, raws(c.Shares), shares)
	for _, refused := range c.Refused {
		_, err := seal.DecodeShares(cidOf(refused), refused)
		require.ErrorIs(t, err, seal.ErrGuardians)
	}
}

func reproduceShareCapsule(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Net             octets
		UnlockID        octets `json:"unlock_id"`
		Other           octets `json:"other_unlock_id"`
		Place           number
		RKSeed          octets `json:"rk_seed"`
		Commitments     []octets
		Share           octets
		EncapRandomness octets `json:"encap_randomness"`
		Info            octets
		Capsule         octets
	}](t, v.both(), true)
	network, unlock, place := lock.Network(c.Net), [32]byte(c.UnlockID), uint64(c.Place)
	require.Equal(t, []byte(c.Info), seal.ShareInfo(network, unlock, place))
	var commitments lock.Commitments
	for _, a := range c.Commitments {
		commitments = append(commitments, must(lock.ParsePoint(a)))
	}
	key := must(lock.NewPrivateKey(c.RKSeed))
	share, err := seal.OpenShareCapsule(key, network, unlock, place, commitments, c.Capsule)
	require.NoError(t, err)
	require.Equal(t, []byte(c.Share), share.Value.Bytes())
	_, err = seal.OpenShareCapsule(key, network, [32]byte(c.Other), place, commitments, c.Capsule)
	require.ErrorIs(t, err, seal.ErrGuardians)
	_, err = seal.OpenShareCapsule(key, network, unlock, place+1, commitments, c.Capsule)
	require.ErrorIs(t, err, seal.ErrGuardians)
	// What this side seals opens, too.
	again, err := seal.NewShareCapsule(key.Public(), network, unlock, share)
	require.NoError(t, err)
	share, err = seal.OpenShareCapsule(key, network, unlock, place, commitments, again)
	require.NoError(t, err)
	require.Equal(t, []byte(c.Share), share.Value.Bytes())
}

func reproduceEmergencyHalf(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Net             octets
		UnlockID        octets `json:"unlock_id"`
		Hospital        number
		RKSeed          octets `json:"rk_seed"`
		EncapRandomness octets `json:"encap_randomness"`
		Halves          []struct {
			Record     octets `json:"record_id"`
			Version    number
			Ctx, U     octets
			Epoch      number
			Seed       octets `json:"recipient_seed"`
			Ciphertext octets `json:"own_ct"`
		}
		Refused []octets
		Asked   octets
		P       []octets
		Capsule octets
	}](t, v.both(), true)
	hospital := uint64(c.Hospital)
	var asked []byte
	for _, h := range c.Halves {
		asked = seal.AppendBoxEntry(asked, seal.BoxEntry{Hospital: hospital, Epoch: uint64(h.Epoch), Ciphertext: h.Ciphertext})
	}
	require.Equal(t, []byte(c.Asked), asked)
	entries, err := seal.ParseBoxEntries(hospital, asked)
	require.NoError(t, err)
	require.Len(t, entries, len(c.Halves))
	var versions []seal.Asked
	for i, h := range c.Halves {
		key := must(lock.NewPrivateKey(h.Seed))
		own := seal.Own{
			Recipient: must(seal.EmergencyRecipient(hospital)), Epoch: entries[i].Epoch, KeyHash: key.Public().Hash(), Ciphertext: entries[i].Ciphertext,
		}
		p, err := own.Open([64]byte(h.Ctx), must(lock.ParsePoint(h.U)), key)
		require.NoError(t, err)
		require.Equal(t, []byte(c.P[i]), p.Bytes())
		versions = append(versions, seal.Asked{Record: must(lock.IDFromBytes(h.Record)), Version: uint64(h.Version), Lock: lock.LockBoth})
	}
	halves, err := seal.OpenCapsule(must(lock.NewPrivateKey(c.RKSeed)), lock.Network(c.Net), [32]byte(c.UnlockID), versions, c.Capsule)
	require.NoError(t, err)
	for i, p := range halves {
		require.Equal(t, []byte(c.P[i]), p.Bytes())
	}
	for _, refused := range c.Refused {
		_, err := seal.ParseBoxEntries(hospital, refused)
		require.ErrorIs(t, err, lock.ErrField)
	}
}

// reproduceOpening follows one version through this package: sealed, locked, opened.
func reproduceOpening(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Net       octets
		Suite     number
		Lock      number
		Record    octets `json:"record_id"`
		Version   number
		OwnerKind number `json:"owner_kind"`
		OwnerID   octets `json:"owner_id"`
		Custodian number `json:"custodian_no"`
		Gen       octets
		Plain     plaintext
		ChunkKeys []octets `json:"chunk_keys"`
		IDKey     octets   `json:"id_key"`
		Name      string
		MediaType string `json:"media_type"`
		Created   number
		Modified  number
		DEK       octets
		P         octets
		K         octets
		U         octets
		Salt      octets `json:"kek_salt"`
		KEK       octets
		Pc, Dc, C octets
		Wrap      octets
		UBar      octets `json:"u_bar"`

		Recipients  []ownCase
		Entries     []entryCase
		ManifestCID octets `json:"manifest_cid"`
		ObjectCID   octets `json:"object_cid"`
		Envelope    octets
		EnvelopeCID octets `json:"envelope_cid"`
		UnlockID    octets `json:"unlock_id"`
		SessionSeed octets `json:"session_seed"`
		Capsule     octets
		OpenedDEK   octets `json:"opened_dek"`
		OpenedHash  octets `json:"opened_sha256"`
	}](t, v.both(), false)
	blocks := newShelf()
	draft := seal.Draft{
		Name: c.Name, MediaType: c.MediaType, Created: uint64(c.Created), Modified: uint64(c.Modified), Size: uint64(len(c.Plain)),
	}
	sealed, err := seal.SealWith(t.Context(), blocks, bytes.NewReader(c.Plain), draft,
		source(c.DEK, slices.Concat(raws(c.ChunkKeys)...)))
	require.NoError(t, err)
	requireEntries(t, c.Entries, sealed.Contents)
	blocks.order = nil
	first := forge(t, blocks, withIDs(t, blocks, sealed.Contents, c.IDKey), sealed.DEK)
	require.Equal(t, []byte(c.ManifestCID), first.Manifest.Bytes())
	require.Equal(t, []byte(c.ObjectCID), first.Object.Bytes())

	h := seal.Header{
		Context: lock.Context{
			Network: lock.Network(c.Net), Suite: lock.Suite(c.Suite), Lock: lock.Lock(c.Lock), Record: lock.ID(c.Record),
			Version: uint64(c.Version), Owner: must(lock.ParseOwner(lock.OwnerKind(c.OwnerKind), c.OwnerID)),
			Custodian: uint64(c.Custodian), Generation: [64]byte(c.Gen),
		},
		U: must(lock.ParsePoint(c.U)), C: [32]byte(c.C), Pc: c.Pc, Dc: [32]byte(c.Dc),
		Envelope: lock.CID(c.EnvelopeCID), Object: lock.CID(c.ObjectCID), PaddedSize: first.PaddedSize,
	}
	e, err := h.OpenEnvelope(c.Envelope)
	require.NoError(t, err)
	require.Equal(t, first, e.Ref(h))
	var p *seal.Half
	for _, r := range c.Recipients {
		to := must(seal.ParseRecipient(lock.RecipientKind(r.RecipientKind), r.RecipientID))
		got, err := e.OpenOwn(h, to, must(lock.NewPrivateKey(r.RecipientSeed)))
		require.NoError(t, err)
		require.Equal(t, []byte(c.P), got.Bytes())
		p = &got
	}
	if h.Context.Lock == lock.LockBoth {
		require.NotNil(t, p)
		require.NoError(t, h.CheckHalf(*p))
		session := must(lock.NewSession(c.SessionSeed))
		asked := []seal.Asked{{Record: lock.ID(c.Record), Version: uint64(c.Version), Lock: h.Context.Lock}}
		halves, err := seal.OpenCapsule(session.Key(), h.Context.Network, [32]byte(c.UnlockID), asked, c.Capsule)
		require.NoError(t, err)
		require.True(t, halves[0].Equal(*p))
	}
	dek, err := e.Unlock(h, p, must(lock.ParsePoint(c.K)))
	require.NoError(t, err)
	require.Equal(t, []byte(c.OpenedDEK), dek.Bytes())
	require.True(t, dek.Equal(sealed.DEK))
	object, err := seal.OpenObject(t.Context(), blocks, e.Ref(h), dek)
	require.NoError(t, err)
	sum := sha256.New()
	_, err = io.Copy(sum, object.Reader(t.Context(), 0, object.Size()))
	require.NoError(t, err)
	require.Equal(t, []byte(c.OpenedHash), sum.Sum(nil))
}

func reproduceGCM(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Key, Nonce, AAD, Plaintext, Sealed octets
		Opens                              bool
	}](t, v.both(), true)
	plain, err := seal.OpenGCM(c.Key, c.Nonce, c.Sealed, c.AAD)
	if !c.Opens {
		require.Error(t, err, v.What)
		return
	}
	require.NoError(t, err, v.What)
	require.Equal(t, []byte(c.Plaintext), append([]byte{}, plain...))
}

func reproduceHKDF(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		IKM, Salt, Info octets
		Size            int
		OKM             octets
		Valid           bool
	}](t, v.both(), true)
	hash := sha256.New
	if v.kind() == "wycheproof_hkdf_sha512" {
		hash = sha512.New
	}
	okm, err := hkdf.Key(hash, c.IKM, c.Salt, string(c.Info), c.Size)
	if !c.Valid {
		require.Error(t, err, v.What)
		return
	}
	require.NoError(t, err, v.What)
	require.Equal(t, []byte(c.OKM), okm)
}
