package seal

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/phrd/phrd/lock"
)

var (
	// ErrSlot says that a slot does not open with this secret at this place.
	ErrSlot = errors.New("slot does not open")
	// ErrSlotSecret says that what should open a slot is malformed: a signature out of
	// range or by another key, words that are not a code, an output of the wrong length.
	ErrSlotSecret = errors.New("not a secret of a slot")
)

const (
	slotSaltSize = 32
	// SlotSize is the length in bytes of a slot: salt and wrapped key.
	SlotSize = slotSaltSize + KeySize + tagSize
)

// SlotSecret opens the slots of one kind. It is made by [WalletSecret], [CodeSecret],
// [PasskeySecret] or [JoinGuardians], and never stored.
type SlotSecret struct {
	_    [0]func() // makes == a compile error
	kind lock.SlotKind
	ikm  []byte
}

// Kind says which slots the secret opens.
func (s SlotSecret) Kind() lock.SlotKind { return s.kind }

// Format writes a fixed word in place of the secret, whatever the verb.
func (s SlotSecret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// PasskeySecret is the secret of a passkey: the output of its PRF extension, 32 bytes.
// Another length is refused with an error that is ErrSlotSecret.
func PasskeySecret(prf []byte) (SlotSecret, error) {
	if len(prf) != 32 {
		return SlotSecret{}, fmt.Errorf("passkey output of %d bytes: %w", len(prf), ErrSlotSecret)
	}
	return SlotSecret{kind: lock.SlotPasskey, ikm: append([]byte(nil), prf...)}, nil
}

// guardianSecret joins the guardians' secret and the network's half.
func guardianSecret(g lock.Scalar, k lock.Point) (SlotSecret, error) {
	if g.IsZero() {
		return SlotSecret{}, fmt.Errorf("guardians' secret is zero: %w", lock.ErrScalar)
	}
	if k.IsIdentity() {
		return SlotSecret{}, fmt.Errorf("network half is the identity: %w", lock.ErrPoint)
	}
	return SlotSecret{kind: lock.SlotGuardians, ikm: append(g.Bytes(), k.Bytes()...)}, nil
}

// SlotPlace is what a slot is bound to.
type SlotPlace struct {
	Network  lock.Network
	Kind     lock.SlotKind
	Account  [20]byte // address of the account that owns the vault
	Vault    lock.ID
	Slot     lock.ID
	Revision uint64 // the vault's when the slot was wrapped, from 1; stored beside the slot
}

func (p SlotPlace) info() ([]byte, error) {
	if err := p.Kind.Check(); err != nil {
		return nil, err
	}
	if p.Revision == 0 {
		return nil, fmt.Errorf("slot revision 0: %w", lock.ErrField)
	}
	info := lock.H("phrd/v1/slot", p.Network[:], lock.Uint(uint64(p.Kind)), p.Account[:], p.Vault[:], p.Slot[:], lock.Uint(p.Revision))
	return info[:], nil
}

// kek derives the key that wraps KV in a slot with this salt.
func (p SlotPlace) kek(s SlotSecret, salt []byte) (key secret, info []byte, err error) {
	if info, err = p.info(); err != nil {
		return key, nil, err
	}
	if s.kind != p.Kind {
		return key, nil, fmt.Errorf("secret of slot kind %d for kind %d: %w", s.kind, p.Kind, lock.ErrField)
	}
	okm, err := hkdf.Key(sha256.New, s.ikm, salt, string(info), KeySize)
	if err != nil {
		return key, nil, fmt.Errorf("derive key of a slot: %w", err)
	}
	defer clear(okm)
	copy(key.b[:], okm)
	return key, info, nil
}

// Wrap returns the slot that gives the vault's key to who has the secret, [SlotSize]
// bytes. The salt is fresh each time. The error is lock.ErrField where the place is none
// or the secret is of another kind.
func (p SlotPlace) Wrap(s SlotSecret, kv KV) ([]byte, error) { return p.wrap(s, kv, rand.Reader) }

func (p SlotPlace) wrap(s SlotSecret, kv KV, random io.Reader) ([]byte, error) {
	slot := make([]byte, slotSaltSize, SlotSize)
	if _, err := io.ReadFull(random, slot); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	key, info, err := p.kek(s, slot)
	if err != nil {
		return nil, err
	}
	aead, err := newGCM(key.b[:])
	if err != nil {
		return nil, err
	}
	return aead.Seal(slot, zeroNonce[:], kv.b[:], info), nil
}

// Unwrap returns the vault's key. The error is lock.ErrField as for Wrap, and [ErrSlot]
// where the slot is of another place or the secret another.
func (p SlotPlace) Unwrap(s SlotSecret, slot []byte) (KV, error) {
	if len(slot) != SlotSize {
		return KV{}, fmt.Errorf("%w: %d bytes", ErrSlot, len(slot))
	}
	key, info, err := p.kek(s, slot[:slotSaltSize])
	if err != nil {
		return KV{}, err
	}
	plain, err := openOnce(nil, &key.b, slot[slotSaltSize:], info)
	if err != nil {
		return KV{}, ErrSlot
	}
	defer clear(plain)
	return KVFromBytes(plain)
}
