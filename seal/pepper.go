package seal

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"github.com/phrd/phrd/lock"
)

// PepperNonceSize is the length in bytes of what a gateway draws for each try to collect a pepper.
const PepperNonceSize = 32

// PepperKey is the Ed25519 key by which who has the secret of this slot shows a gateway that it may have the pepper of the vault's wallet
// slot. Its public half is left with the pepper; neither half opens anything. The error is lock.ErrField where the place is none, the
// secret is of another kind, or the kind is not a code's or a passkey's.
func (p SlotPlace) PepperKey(s SlotSecret) (ed25519.PrivateKey, error) {
	if p.Kind != lock.SlotCode && p.Kind != lock.SlotPasskey || s.kind != p.Kind {
		return nil, fmt.Errorf("secret of slot kind %d for a pepper's key of kind %d: %w", s.kind, p.Kind, lock.ErrField)
	}
	if p.Revision == 0 {
		return nil, fmt.Errorf("slot revision 0: %w", lock.ErrField)
	}
	info := lock.H("phrd/v1/pepper-key", p.Network[:], lock.Uint(uint64(p.Kind)), p.Account[:], p.Vault[:], p.Slot[:], lock.Uint(p.Revision))
	seed, err := hkdf.Key(sha256.New, s.ikm, nil, string(info[:]), ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("derive key of a pepper: %w", err)
	}
	defer clear(seed)
	return ed25519.NewKeyFromSeed(seed), nil
}

// PepperRequest is what is signed with a [SlotPlace.PepperKey] to collect a pepper. It names everything that the pepper is bound to and the
// gateway, so that a signature is of no use anywhere else, nor a second time.
type PepperRequest struct {
	Network lock.Network
	Host    string   // host:port of the hospital's gateway, as people sign it when they log in
	Account [20]byte // address of the account that owns the vault
	Vault   lock.ID
	Slot    lock.ID // the wallet's, whose pepper it is
	By      lock.ID // the slot whose secret is shown
	Nonce   [PepperNonceSize]byte
}

// Digest is what is signed, 64 bytes. The error is lock.ErrField where the host is empty or not printable ASCII without spaces.
func (r PepperRequest) Digest() ([]byte, error) {
	if err := checkWord("host", r.Host); err != nil {
		return nil, err
	}
	digest := lock.H("phrd/v1/pepper-collect", r.Network[:], []byte(r.Host), r.Account[:], r.Vault[:], r.Slot[:], r.By[:], r.Nonce[:])
	return digest[:], nil
}

// PasskeyInput is what the PRF extension of a passkey is asked with for a vault, 32 bytes: one for all passkeys of the vault, since a device
// that has none of its slots yet can't know which passkey a person will choose.
func PasskeyInput(network lock.Network, vault lock.ID) [32]byte {
	return lock.H32("phrd/v1/passkey-prf", network[:], vault[:])
}
