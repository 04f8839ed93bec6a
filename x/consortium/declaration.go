package consortium

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	curve "github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/phrd/phrd/lock"
)

// maxDeclaration bounds the bytes of a declaration: two X-Wing keys and short texts.
const maxDeclaration = 4096

// DeclarationDigest is what every key of a declaration signs, 64 bytes:
// H("phrd/v1/member", declaration), over exactly the bytes that are sent along. The
// ed25519 keys sign the digest as their message; so do the secp256k1 keys, which
// hash it with SHA-256 as they do with every message.
func DeclarationDigest(declaration []byte) []byte {
	digest := lock.H("phrd/v1/member", declaration)
	return digest[:]
}

// ParseDeclaration reads the deterministic encoding of a declaration: fields in the
// order of their numbers, each once, zero values absent, nothing unknown. Every
// other encoding is refused with ErrInvalidDeclaration, so that one declaration has
// one encoding. It does not say whether the declaration is valid.
func ParseDeclaration(declaration []byte) (Declaration, error) {
	var d Declaration
	if len(declaration) > maxDeclaration {
		return d, ErrInvalidDeclaration.Wrapf("%d bytes, want at most %d", len(declaration), maxDeclaration)
	}
	if err := d.Unmarshal(declaration); err != nil {
		return Declaration{}, ErrInvalidDeclaration.Wrap(err.Error())
	}
	again, err := d.Marshal()
	if err != nil {
		return Declaration{}, ErrInvalidDeclaration.Wrap(err.Error())
	}
	if !bytes.Equal(again, declaration) {
		return Declaration{}, ErrInvalidDeclaration.Wrap("the encoding is not the deterministic one")
	}
	return d, nil
}

// Open reads, validates and verifies a member.json: the declaration in it, signed by
// every key that can sign. The errors are those of ParseDeclaration, Validate and
// Verify.
func (s *SignedDeclaration) Open() (Declaration, error) {
	d, err := ParseDeclaration(s.Declaration)
	if err != nil {
		return Declaration{}, err
	}
	if err := d.Validate(); err != nil {
		return Declaration{}, err
	}
	return d, s.verify(d)
}

// Verify answers ErrBadSignature unless each of the five keys signed the
// declaration, and ErrInvalidDeclaration where it can't be read.
func (s *SignedDeclaration) Verify() error {
	d, err := ParseDeclaration(s.Declaration)
	if err != nil {
		return err
	}
	return s.verify(d)
}

func (s *SignedDeclaration) verify(d Declaration) error {
	digest := DeclarationDigest(s.Declaration)
	for _, c := range []struct {
		name           string
		key, signature []byte
	}{
		{"consensus_key", d.ConsensusKey, s.ConsensusSignature},
		{"comet_key", d.CometKey, s.CometSignature},
		{"libp2p_key", d.Libp2PKey, s.Libp2PSignature},
	} {
		if len(c.key) != ed25519.PublicKeySize || !ed25519.Verify(c.key, digest, c.signature) {
			return ErrBadSignature.Wrap(c.name)
		}
	}
	for _, c := range []struct {
		name           string
		key, signature []byte
	}{
		{"node_key", d.NodeKey, s.NodeSignature},
		{"admin_key", d.AdminKey, s.AdminSignature},
	} {
		key := secp256k1.PubKey{Key: c.key}
		if !key.VerifySignature(digest, c.signature) {
			return ErrBadSignature.Wrap(c.name)
		}
	}
	return nil
}

// Validate answers ErrInvalidDeclaration where a field is not as its comment says.
func (d *Declaration) Validate() error {
	for _, c := range []struct {
		field string
		err   error
	}{
		{"name", CheckName(d.Name)},
		{"site", CheckName(d.Site)},
		{"time_zone", CheckZone(d.TimeZone)},
		{"consensus_key", checkEd25519(d.ConsensusKey)},
		{"comet_key", checkEd25519(d.CometKey)},
		{"comet_address", CheckHostPort(d.CometAddress)},
		{"libp2p_key", checkEd25519(d.Libp2PKey)},
		{"libp2p_address", CheckMultiaddr(d.Libp2PAddress)},
		{"node_key", checkSecp256k1(d.NodeKey)},
		{"admin_key", checkSecp256k1(d.AdminKey)},
		{"vault_key", checkVaultKey(d.VaultKey)},
		{"round_key", checkVaultKey(d.RoundKey)},
		{"gateway_url", CheckGatewayURL(d.GatewayUrl)},
		{"gateway_fingerprint", checkFingerprint(d.GatewayFingerprint)},
		{"capacity", CheckCapacity(d.Capacity)},
	} {
		if c.err != nil {
			return ErrInvalidDeclaration.Wrapf("%s: %v", c.field, c.err)
		}
	}
	if bytes.Equal(d.ConsensusKey, d.CometKey) || bytes.Equal(d.ConsensusKey, d.Libp2PKey) || bytes.Equal(d.CometKey, d.Libp2PKey) ||
		bytes.Equal(d.NodeKey, d.AdminKey) || bytes.Equal(d.VaultKey, d.RoundKey) {
		return ErrInvalidDeclaration.Wrap("one key serves two purposes")
	}
	return nil
}

// CheckDistinct answers ErrKnownName or ErrKnownKey where a member has the name or the
// vault key that the declaration names. Of the other keys a member's state holds no
// more than what follows from them.
func (d *Declaration) CheckDistinct(m Member) error {
	if foldName(m.Name) == foldName(d.Name) {
		return ErrKnownName.Wrapf("%q is member %d", m.Name, m.Number)
	}
	if bytes.Equal(m.VaultKey, d.VaultKey) || bytes.Equal(m.VaultKey, d.RoundKey) {
		return ErrKnownKey.Wrapf("vault key of member %d", m.Number)
	}
	return nil
}

// keys are the public keys that no other declaration may name.
func (d *Declaration) keys() [][]byte {
	return [][]byte{d.ConsensusKey, d.CometKey, d.Libp2PKey, d.NodeKey, d.AdminKey, d.VaultKey, d.RoundKey}
}

// AccountOf is the account of a compressed secp256k1 public key of 33 bytes.
func AccountOf(key []byte) sdk.AccAddress {
	return sdk.AccAddress((&secp256k1.PubKey{Key: key}).Address())
}

func checkEd25519(key []byte) error {
	if len(key) != ed25519.PublicKeySize {
		return ErrInvalidKey.Wrapf("got %d bytes, want %d", len(key), ed25519.PublicKeySize)
	}
	return nil
}

func checkSecp256k1(key []byte) error {
	if len(key) != secp256k1.PubKeySize {
		return ErrInvalidKey.Wrapf("got %d bytes, want %d", len(key), secp256k1.PubKeySize)
	}
	if _, err := curve.ParsePubKey(key); err != nil {
		return ErrInvalidKey.Wrap(err.Error())
	}
	return nil
}

func checkVaultKey(key []byte) error {
	if _, err := lock.ParsePublicKey(key); err != nil {
		return ErrInvalidKey.Wrap(err.Error())
	}
	return nil
}

// checkFingerprint takes a SHA-256; all zeros are the hash of nothing.
func checkFingerprint(b []byte) error {
	if len(b) != sha256.Size || bytes.Equal(b, make([]byte, sha256.Size)) {
		return ErrInvalidKey.Wrapf("want the %d bytes of a SHA-256", sha256.Size)
	}
	return nil
}
