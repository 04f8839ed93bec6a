package lock

import (
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/mlkem"
	"crypto/sha256"
	"fmt"
	"io"
)

const (
	// PublicKeySize is the length in bytes of an X-Wing public key.
	PublicKeySize = mlkem.EncapsulationKeySize768 + x25519Size
	// SeedSize is the length in bytes of an X-Wing private key, which is its seed.
	SeedSize = 32
	// SealOverhead is how many bytes a ciphertext is longer than its plaintext: the encapsulated key and the tag.
	SealOverhead = mlkem.CiphertextSize768 + x25519Size + 16

	x25519Size = 32
)

// Single-shot HPKE in base mode with KEM 0x647a (X-Wing: ML-KEM-768 and X25519), KDF 0x0001 (HKDF-SHA256), AEAD 0x0002 (AES-256-GCM).
var (
	xwing = hpke.MLKEM768X25519()
	kdf   = hpke.HKDFSHA256()
	aead  = hpke.AES256GCM()
)

// probe is any X25519 key. Like every one it is a multiple of the cofactor, so it takes points of low order, and only these, to zero.
var probe = func() *ecdh.PrivateKey {
	k, err := ecdh.X25519().NewPrivateKey(make([]byte, x25519Size))
	if err != nil { // all 32-byte strings are X25519 keys
		panic("lock: " + err.Error())
	}
	return k
}()

// PublicKey is an X-Wing public key of 1216 bytes whose ML-KEM coefficients are below q and whose X25519 part is not of low order. Two
// are equal under ==. The zero value is no key: Seal refuses it.
type PublicKey struct{ b string }

// ParsePublicKey checks the 1216 bytes of a public key; others are refused with an error that is ErrKey.
func ParsePublicKey(b []byte) (PublicKey, error) {
	if len(b) != PublicKeySize {
		return PublicKey{}, fmt.Errorf("%d bytes, not %d: %w", len(b), PublicKeySize, ErrKey)
	}
	if _, err := mlkem.NewEncapsulationKey768(b[:mlkem.EncapsulationKeySize768]); err != nil {
		return PublicKey{}, fmt.Errorf("%w: ML-KEM part: %w", ErrKey, err)
	}
	t, err := ecdh.X25519().NewPublicKey(b[mlkem.EncapsulationKeySize768:])
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: X25519 part: %w", ErrKey, err)
	}
	if _, err := probe.ECDH(t); err != nil {
		return PublicKey{}, fmt.Errorf("%w: X25519 part: %w", ErrKey, err)
	}
	return PublicKey{string(b)}, nil
}

// Bytes returns a copy of the 1216 bytes.
func (p PublicKey) Bytes() []byte { return []byte(p.b) }

// Hash is the SHA-256 of the 1216 bytes, by which envelopes and proofs name a key.
func (p PublicKey) Hash() [32]byte { return sha256.Sum256([]byte(p.b)) }

// CID is the raw CID of the 1216 bytes, by which a proposal names a session's key.
func (p PublicKey) CID() CID { return RawCID(p.Hash()) }

// PrivateKey is an X-Wing private key. Its 32-byte seed is the decapsulation key itself; DeriveKeyPair is never called.
type PrivateKey struct {
	key    hpke.PrivateKey
	public PublicKey
}

// NewPrivateKey makes the key of a 32-byte seed; another length is refused with an error that is ErrKey.
func NewPrivateKey(seed []byte) (*PrivateKey, error) {
	if len(seed) != SeedSize {
		return nil, fmt.Errorf("seed of %d bytes, not %d: %w", len(seed), SeedSize, ErrKey)
	}
	k, err := xwing.NewPrivateKey(seed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	public, err := ParsePublicKey(k.PublicKey().Bytes())
	if err != nil {
		return nil, fmt.Errorf("public key of a seed: %w", err)
	}
	return &PrivateKey{key: k, public: public}, nil
}

// GeneratePrivateKey draws a seed of 32 bytes from r.
func GeneratePrivateKey(r io.Reader) (*PrivateKey, error) {
	var seed [SeedSize]byte
	if _, err := io.ReadFull(r, seed[:]); err != nil {
		return nil, fmt.Errorf("draw key: %w", err)
	}
	defer clear(seed[:])
	return NewPrivateKey(seed[:])
}

// Public is the public key.
func (k *PrivateKey) Public() PublicKey { return k.public }

// Seed returns a copy of the 32-byte seed. It is secret.
func (k *PrivateKey) Seed() []byte {
	seed, err := k.key.Bytes()
	if err != nil { // only keys without a seed have a failure here
		panic("lock: seed: " + err.Error())
	}
	return append([]byte(nil), seed...)
}

// Seal encrypts plaintext to a public key under info, which it binds and does not carry. The ciphertext is the encapsulated key, 1120
// bytes, and the AEAD's ciphertext; there is no further associated data. The error is ErrKey where pub is no key.
func Seal(pub PublicKey, info, plaintext []byte) ([]byte, error) {
	k, err := xwing.NewPublicKey([]byte(pub.b))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	ciphertext, err := hpke.Seal(k, kdf, aead, info, plaintext)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return ciphertext, nil
}

// Open decrypts what Seal made under the same info. Anything else is refused with an error that is ErrOpen.
func (k *PrivateKey) Open(info, ciphertext []byte) ([]byte, error) {
	if len(ciphertext) < SealOverhead {
		return nil, fmt.Errorf("%d bytes: %w", len(ciphertext), ErrOpen)
	}
	plaintext, err := hpke.Open(k.key, kdf, aead, info, ciphertext)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOpen, err)
	}
	return plaintext, nil
}
