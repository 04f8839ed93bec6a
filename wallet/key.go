// Package wallet signs for an account: it holds a secp256k1 key, knows the account's address, and signs the two documents a
// transaction can be signed as (SIGN_MODE_DIRECT and SIGN_MODE_LEGACY_AMINO_JSON) and the off-chain ADR-36 document.
//
// It builds on the plain protobuf types of cosmossdk.io/api, not on the SDK, so that every program outside the chain can use it.
// The key never leaves the package except by Key.Bytes, which key files need.
package wallet

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/cosmos/btcutil/bech32"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/ripemd160" //nolint:gosec,staticcheck // the address of a Cosmos account is RIPEMD-160(SHA-256(key)), ADR-28
)

// Prefix is the human-readable part of every address.
const Prefix = "phrd"

// AddressSize is the length of a raw address in bytes.
const AddressSize = 20

// ErrAddress says that a text is not an address of the network.
var ErrAddress = errors.New("not an address of the network")

// Key is an account's secp256k1 private key.
type Key struct{ secret *secp256k1.PrivateKey }

// NewKey draws a key from r, which must be a cryptographic source.
func NewKey(r io.Reader) (*Key, error) {
	secret, err := secp256k1.GeneratePrivateKeyFromRand(r)
	if err != nil {
		return nil, fmt.Errorf("draw account key: %w", err)
	}
	return &Key{secret: secret}, nil
}

// KeyFromBytes takes the 32-byte big-endian secret scalar; zero and values not below the group order are refused.
func KeyFromBytes(b []byte) (*Key, error) {
	var scalar secp256k1.ModNScalar
	if len(b) != secp256k1.PrivKeyBytesLen || scalar.SetByteSlice(b) || scalar.IsZero() {
		return nil, errors.New("not a secp256k1 secret key")
	}
	return &Key{secret: secp256k1.NewPrivateKey(&scalar)}, nil
}

// Bytes are the 32 secret bytes, for a key file.
func (k *Key) Bytes() []byte { return k.secret.Serialize() }

// PublicKey is the compressed public key, 33 bytes.
func (k *Key) PublicKey() []byte { return k.secret.PubKey().SerializeCompressed() }

// Address is the account's bech32 address.
func (k *Key) Address() string { return AddressOf(k.PublicKey()) }

// Sign signs SHA-256(message) and returns r‖s, 64 bytes, with low s (RFC 6979 nonce).
func (k *Key) Sign(message []byte) []byte {
	digest := sha256.Sum256(message)
	return ecdsa.SignCompact(k.secret, digest[:], true)[1:]
}

// Verify tells whether signature is r‖s with low s over SHA-256(message) by the compressed public key.
func Verify(publicKey, message, signature []byte) bool {
	if len(signature) != 64 {
		return false
	}
	pub, err := secp256k1.ParsePubKey(publicKey)
	if err != nil {
		return false
	}
	var r, s secp256k1.ModNScalar
	if r.SetByteSlice(signature[:32]) || s.SetByteSlice(signature[32:]) || r.IsZero() || s.IsZero() || s.IsOverHalfOrder() {
		return false
	}
	digest := sha256.Sum256(message)
	return ecdsa.NewSignature(&r, &s).Verify(digest[:], pub)
}

// AddressOf is the bech32 address of a compressed public key (ADR-28).
func AddressOf(publicKey []byte) string {
	sum := sha256.Sum256(publicKey)
	h := ripemd160.New() //nolint:gosec // see the import
	h.Write(sum[:])
	return FormatAddress(h.Sum(nil))
}

// FormatAddress is the bech32 text of a raw address of 20 bytes.
func FormatAddress(raw []byte) string {
	words, err := bech32.ConvertBits(raw, 8, 5, true)
	if err != nil {
		return ""
	}
	text, err := bech32.Encode(Prefix, words)
	if err != nil {
		return ""
	}
	return text
}

// ParseAddress returns the 20 raw bytes of an address, or an error that is ErrAddress.
func ParseAddress(text string) ([]byte, error) {
	prefix, words, err := bech32.Decode(text, 90)
	if err != nil || prefix != Prefix {
		return nil, fmt.Errorf("%q: %w", text, ErrAddress)
	}
	raw, err := bech32.ConvertBits(words, 5, 8, false)
	if err != nil || len(raw) != AddressSize || FormatAddress(raw) != text {
		return nil, fmt.Errorf("%q: %w", text, ErrAddress)
	}
	return raw, nil
}
