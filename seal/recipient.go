package seal

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/phrd/phrd/lock"
)

// Recipient names the vault that an owner half is sealed to. Two are equal under ==.
// The zero Recipient names nobody and is refused everywhere.
type Recipient struct {
	kind lock.RecipientKind
	id   string // the id's bytes
}

// PatientRecipient is the vault of a patient.
func PatientRecipient(patient lock.ID) Recipient {
	return Recipient{lock.RecipientPatient, string(patient[:])}
}

// HospitalRecipient is the vault of a hospital; number 0 is refused with an error that
// is lock.ErrField.
func HospitalRecipient(number uint64) (Recipient, error) {
	return ParseRecipient(lock.RecipientHospital, lock.Uint(number))
}

// StaffRecipient is the vault of a member of staff, named by account address.
func StaffRecipient(address [20]byte) Recipient {
	return Recipient{lock.RecipientStaff, string(address[:])}
}

// EmergencyRecipient is the emergency vault of a hospital; number 0 is refused with an
// error that is lock.ErrField.
func EmergencyRecipient(number uint64) (Recipient, error) {
	return ParseRecipient(lock.RecipientEmergency, lock.Uint(number))
}

// ParseRecipient reads a recipient's id: 16 bytes of a patient, 20 of an account, 8 of
// a hospital, whose number is not 0. Others are refused with an error that is
// lock.ErrField.
func ParseRecipient(kind lock.RecipientKind, id []byte) (Recipient, error) {
	if err := kind.Check(); err != nil {
		return Recipient{}, err
	}
	size := 8
	switch kind {
	case lock.RecipientPatient:
		size = len(lock.ID{})
	case lock.RecipientStaff:
		size = 20
	}
	if len(id) != size {
		return Recipient{}, fmt.Errorf("recipient kind %d with an id of %d bytes: %w", kind, len(id), lock.ErrField)
	}
	if size == 8 && binary.BigEndian.Uint64(id) == 0 {
		return Recipient{}, fmt.Errorf("recipient kind %d of hospital 0: %w", kind, lock.ErrField)
	}
	return Recipient{kind, string(id)}, nil
}

// Kind says whose vault it is.
func (r Recipient) Kind() lock.RecipientKind { return r.kind }

// Bytes is the id as hashes bind it: 16, 20 or 8 bytes.
func (r Recipient) Bytes() []byte { return []byte(r.id) }

// hospital returns the number of a hospital's or an emergency vault.
func (r Recipient) hospital() uint64 { return binary.BigEndian.Uint64([]byte(r.id)) }

func (r Recipient) check() error {
	_, err := ParseRecipient(r.kind, []byte(r.id))
	return err
}

// VaultKey is the public key of one epoch of a vault.
type VaultKey struct {
	Recipient Recipient
	Epoch     uint64 // from 1
	Key       lock.PublicKey
}

func (k VaultKey) check() error {
	if err := k.Recipient.check(); err != nil {
		return err
	}
	if k.Epoch == 0 {
		return fmt.Errorf("vault epoch 0: %w", lock.ErrField)
	}
	return nil
}

// ownSize is the length in bytes of an owner half sealed to one vault.
const ownSize = lock.SealOverhead + KeySize

// ownInfo binds a sealed owner half to lock, U and recipient.
func ownInfo(ctx [64]byte, u lock.Point, to Recipient, epoch uint64, keyHash [32]byte) []byte {
	info := lock.H("phrd/v1/own", ctx[:], u.Bytes(), lock.Uint(uint64(to.kind)), to.Bytes(), lock.Uint(epoch), keyHash[:])
	return info[:]
}

// Own is an owner half sealed to one epoch of one vault.
type Own struct {
	Recipient  Recipient
	Epoch      uint64   // of the vault, from 1
	KeyHash    [32]byte // SHA-256 of the vault's public key
	Ciphertext []byte   // 1168 bytes
}

// sealOwn seals p to a vault. The error is lock.ErrField or lock.ErrKey.
func sealOwn(ctx [64]byte, u lock.Point, p Half, to VaultKey) (Own, error) {
	if err := to.check(); err != nil {
		return Own{}, err
	}
	hash := to.Key.Hash()
	sealed, err := lock.Seal(to.Key, ownInfo(ctx, u, to.Recipient, to.Epoch, hash), p.b[:])
	if err != nil {
		return Own{}, err
	}
	return Own{Recipient: to.Recipient, Epoch: to.Epoch, KeyHash: hash, Ciphertext: sealed}, nil
}

// open gives p to the holder of the vault's private key. The error is lock.ErrOpen.
func (o *Own) open(ctx [64]byte, u lock.Point, key *lock.PrivateKey) (Half, error) {
	plain, err := key.Open(ownInfo(ctx, u, o.Recipient, o.Epoch, o.KeyHash), o.Ciphertext)
	if err != nil {
		return Half{}, err
	}
	defer clear(plain)
	p, err := HalfFromBytes(plain)
	if err != nil {
		return Half{}, fmt.Errorf("owner half of %d bytes: %w", len(plain), lock.ErrOpen)
	}
	return p, nil
}

// openChecked is open, and ErrCommitment unless p is the half that the chain's header
// commits to.
func (o *Own) openChecked(ctx [64]byte, h Header, key *lock.PrivateKey) (Half, error) {
	p, err := o.open(ctx, h.U, key)
	if err != nil {
		return Half{}, err
	}
	if err := checkHalf(ctx, h.U, p, h.Pc); err != nil {
		return Half{}, err
	}
	return p, nil
}

func (o *Own) check() error {
	if err := o.Recipient.check(); err != nil {
		return err
	}
	switch {
	case o.Epoch == 0:
		return fmt.Errorf("vault epoch 0: %w", lock.ErrField)
	case len(o.Ciphertext) != ownSize:
		return fmt.Errorf("sealed half of %d bytes: %w", len(o.Ciphertext), lock.ErrField)
	}
	return nil
}

// compare orders owner halves as envelopes have them: by kind, id bytewise, epoch.
func (o *Own) compare(p *Own) int {
	return cmp.Or(cmp.Compare(o.Recipient.kind, p.Recipient.kind),
		bytes.Compare(o.Recipient.Bytes(), p.Recipient.Bytes()), cmp.Compare(o.Epoch, p.Epoch))
}
