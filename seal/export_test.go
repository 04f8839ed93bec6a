package seal

import (
	"context"
	"io"
	"slices"

	"github.com/phrd/phrd/lock"
)

// What the vectors give and the package keeps to itself: randomness, derived keys, frames.

// SealWith is Seal with the source of keys given.
func SealWith(ctx context.Context, sink Sink, r io.Reader, d Draft, random io.Reader) (*Sealed, error) {
	return sealObject(ctx, sink, r, d, random)
}

// SealManifest seals a manifest as Seal does, and returns its root.
func SealManifest(ctx context.Context, sink Sink, m *Manifest, dek DEK, random io.Reader) (lock.CID, error) {
	s := &sealing{sink: sink, random: random, out: &Sealed{DEK: dek, Contents: m}}
	return s.manifest(ctx)
}

// OpenManifest reads a manifest as OpenObject does, without comparing it with the chain.
func OpenManifest(ctx context.Context, src Source, ref Ref, dek DEK) (*Manifest, int, error) {
	o := &opening{ctx: ctx, src: src, ref: ref}
	m, err := o.manifest(dek)
	return m, len(o.levels), err
}

// SealUnder seals plain as a leaf under a key.
func SealUnder(key [KeySize]byte, plain []byte) ([]byte, error) {
	return sealOnce(&key, append(make([]byte, 0, len(plain)+tagSize), plain...), nil)
}

// OpenGCM opens under the AEAD that every key of this package uses.
func OpenGCM(key, nonce, sealed, aad []byte) ([]byte, error) {
	aead, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, nonce, sealed, aad)
}

// IndexOf encodes an index over leaves.
func IndexOf(cids []lock.CID, keys [][KeySize]byte, lengths []uint32) []byte {
	var entries []indexEntry
	for i := range cids {
		entries = append(entries, indexEntry{cids[i], keys[i], lengths[i]})
	}
	return appendIndex(nil, entries)
}

// DecodeIndex reads an index.
func DecodeIndex(b []byte) error {
	_, _, err := decodeIndex(b)
	return err
}

// ErrFrame says that a frame is none.
var ErrFrame = errFrame

// Frame and Unframe are the framing of padded messages.
func Frame(message []byte) []byte { return frame(message) }

// Unframe reads a frame.
func Unframe(plain []byte) ([]byte, error) { return unframe(plain) }

// OwnInfo is the info of a sealed owner half.
func OwnInfo(ctx [64]byte, u lock.Point, to Recipient, epoch uint64, keyHash [32]byte) []byte {
	return ownInfo(ctx, u, to, epoch, keyHash)
}

// Open opens a sealed owner half.
func (o Own) Open(ctx [64]byte, u lock.Point, key *lock.PrivateKey) (Half, error) {
	if err := o.check(); err != nil {
		return Half{}, err
	}
	return o.open(ctx, u, key)
}

// SortOwn sorts owner halves as an envelope has them.
func SortOwn(own []Own) { slices.SortFunc(own, func(a, b Own) int { return a.compare(&b) }) }

// CommitHalf is Pc, CheckHalf compares it.
func CommitHalf(ctx [64]byte, u lock.Point, p Half) [32]byte { return commitHalf(ctx, u, p) }

// CheckHalf compares Pc.
func CheckHalf(ctx [64]byte, u lock.Point, p Half, pc []byte) error { return checkHalf(ctx, u, p, pc) }

// CommitDEK is Dc.
func CommitDEK(record lock.ID, version uint64, dek DEK) [32]byte {
	return commitDEK(record, version, dek)
}

// Salt is T.
func Salt(ctx [64]byte, u, uBar lock.Point, pc []byte, dc [32]byte, ref Ref) [64]byte {
	return wrapping{ctx, u, uBar, pc, dc, ref}.salt()
}

// KEK is the wrapping key and C.
func KEK(l lock.Lock, p *Half, k lock.Point, salt [64]byte) (key, c [32]byte, err error) {
	s, c, err := kek(l, p, k, salt)
	return s.b, c, err
}

// WrapDEK wraps a data key.
func WrapDEK(key [32]byte, dek DEK, salt [64]byte) ([48]byte, error) {
	return wrapDEK(secret{b: key}, dek, salt)
}

// UnwrapDEK checks C, wrap and Dc.
func UnwrapDEK(l lock.Lock, p *Half, k lock.Point, wantC [32]byte, wrap []byte, salt [64]byte, record lock.ID, version uint64, dc [32]byte) (DEK, error) {
	key, c, err := kek(l, p, k, salt)
	if err != nil {
		return DEK{}, err
	}
	return unwrapDEK(key, c, wantC, wrap, salt, record, version, dc)
}

// ShareInfo is the info of a guardian's share that is given for a recovery.
func ShareInfo(n lock.Network, unlock [32]byte, place uint64) []byte {
	return shareInfo(n, unlock, place)
}

// CapsuleInfo is the info of a capsule.
func CapsuleInfo(n lock.Network, unlock [32]byte) []byte { return capsuleInfo(n, unlock) }

// VaultOf makes a vault of given keys.
func VaultOf(id lock.ID, numbers []uint64, seeds [][]byte) (*Vault, error) {
	v := &Vault{id: id}
	for i, number := range numbers {
		key, err := lock.NewPrivateKey(seeds[i])
		if err != nil {
			return nil, err
		}
		v.epochs = append(v.epochs, epoch{number, key})
	}
	return v, nil
}

// Encode is the vault's protobuf.
func (v *Vault) Encode() []byte { return v.encode() }

// AAD binds a blob to its place.
func (p VaultPlace) AAD() ([]byte, error) { return p.aad() }

// SealWith is Seal with the nonce's source given.
func (v *Vault) SealWith(at VaultPlace, kv KV, random io.Reader) ([]byte, error) {
	return v.seal(at, kv, random)
}

// DecodeVault reads a vault's frame.
func DecodeVault(plain []byte) (*Vault, error) { return decodeVault(plain) }

// Info binds a slot to its place.
func (p SlotPlace) Info() ([]byte, error) { return p.info() }

// KEK is the key that wraps KV.
func (p SlotPlace) KEK(s SlotSecret, salt []byte) ([32]byte, error) {
	key, _, err := p.kek(s, salt)
	return key.b, err
}

// WrapWith is Wrap with the salt's source given.
func (p SlotPlace) WrapWith(s SlotSecret, kv KV, random io.Reader) ([]byte, error) {
	return p.wrap(s, kv, random)
}

// IKM is what a slot's key is derived from.
func (s SlotSecret) IKM() []byte { return s.ikm }

// SlotSecretOf makes a secret of its parts.
func SlotSecretOf(kind lock.SlotKind, ikm []byte) SlotSecret { return SlotSecret{kind: kind, ikm: ikm} }

// WalletSecretOf makes a wallet's secret of a signature that nobody verified.
func WalletSecretOf(signature []byte, pepper Pepper) (SlotSecret, error) {
	return walletSecret(signature, pepper)
}

// GuardianSecretOf joins the guardians' secret and the network's half.
func GuardianSecretOf(g lock.Scalar, k lock.Point) (SlotSecret, error) { return guardianSecret(g, k) }

// GuardianInfo is the info of a guardian's share.
func GuardianInfo(at SlotPlace, index uint64, c lock.Commitments) ([]byte, error) {
	return guardianInfo(at, index, c)
}

// Boxed is an owner half in an emergency box.
type Boxed struct {
	Hospital, Epoch uint64
	Ciphertext      []byte
}

// SealBox seals an emergency box.
func SealBox(k lock.Point, e [64]byte, entries []Boxed) ([]byte, error) {
	inner := make([]boxed, len(entries))
	for i, b := range entries {
		inner[i] = boxed{b.Hospital, b.Epoch, b.Ciphertext}
	}
	return sealBox(k, e, inner)
}

// DecodeBox reads the plaintext of an emergency box.
func DecodeBox(plain []byte) ([]Boxed, error) {
	inner, err := decodeBox(plain)
	var entries []Boxed
	for _, b := range inner {
		entries = append(entries, Boxed{b.hospital, b.epoch, b.ciphertext})
	}
	return entries, err
}

// EncodeBox is the plaintext of an emergency box.
func EncodeBox(entries []Boxed) ([]byte, error) {
	inner := make([]boxed, len(entries))
	for i, b := range entries {
		inner[i] = boxed{b.Hospital, b.Epoch, b.Ciphertext}
	}
	return encodeBox(inner)
}

// OpenBox opens an emergency box.
func OpenBox(k lock.Point, e [64]byte, box []byte) error {
	_, err := openBox(k, e, box)
	return err
}

// LockWith is LockVersion with the source of secrets given.
func LockWith(t Terms, ref Ref, dek DEK, random io.Reader) (*Locked, error) {
	return lockVersion(t, ref, dek, random)
}

// DecodeCapsule reads the plaintext of a capsule.
func DecodeCapsule(plain []byte, asked []Asked) ([]*Half, error) {
	count, err := checkAsked(asked)
	if err != nil {
		return nil, err
	}
	halves := make([]*Half, len(asked))
	return halves, decodeCapsule(plain, asked, count, halves)
}
