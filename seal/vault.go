package seal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/phrd/phrd/lock"
	"google.golang.org/protobuf/encoding/protowire"
)

// ErrVault says that a vault blob is malformed, is another than the chain names, or
// does not open with this key.
var ErrVault = errors.New("vault does not open")

const (
	vaultNonceSize = 12

	fieldEpoch protowire.Number = 2
)

// Vault holds the private keys that open a patient's or a hospital's owner halves, one
// for each epoch that live envelopes still name. It is secret; outside memory it exists
// only as a blob under a key of type [KV], which the vault's slots wrap.
type Vault struct {
	id     lock.ID
	epochs []epoch // ascending, at least one
}

type epoch struct {
	number uint64
	key    *lock.PrivateKey
}

// NewVault makes a vault with a fresh key of epoch 1.
func NewVault(id lock.ID) (*Vault, error) {
	return NewVaultAt(id, 1)
}

// NewVaultAt makes a vault with a fresh key of an epoch from 1, in the place of one that can't be opened any more.
func NewVaultAt(id lock.ID, number uint64) (*Vault, error) {
	if number == 0 {
		return nil, fmt.Errorf("vault epoch 0: %w", lock.ErrField)
	}
	key, err := lock.GeneratePrivateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Vault{id: id, epochs: []epoch{{number, key}}}, nil
}

// ID is the vault's id.
func (v *Vault) ID() lock.ID { return v.id }

// Newest is the number of the newest epoch, to whose key new versions are locked.
func (v *Vault) Newest() uint64 { return v.epochs[len(v.epochs)-1].number }

// Epochs lists the epochs in the vault, ascending.
func (v *Vault) Epochs() []uint64 {
	numbers := make([]uint64, len(v.epochs))
	for i, e := range v.epochs {
		numbers[i] = e.number
	}
	return numbers
}

// Key returns the private key of an epoch, or false where the vault has it no more.
func (v *Vault) Key(number uint64) (*lock.PrivateKey, bool) {
	for _, e := range v.epochs {
		if e.number == number {
			return e.key, true
		}
	}
	return nil, false
}

// Public is the public key of the newest epoch, as the vault of this recipient.
func (v *Vault) Public(to Recipient) VaultKey {
	newest := v.epochs[len(v.epochs)-1]
	return VaultKey{Recipient: to, Epoch: newest.number, Key: newest.key.Public()}
}

// Rotate adds an epoch with a fresh key and returns its number. Older epochs stay until
// no live envelope names them; see Retire.
func (v *Vault) Rotate() (uint64, error) {
	key, err := lock.GeneratePrivateKey(rand.Reader)
	if err != nil {
		return 0, err
	}
	number := v.Newest() + 1
	v.epochs = append(v.epochs, epoch{number, key})
	return number, nil
}

// Retire removes epochs that no live envelope names any more: what was sealed to them is
// lost. The newest stays: naming it is an error that is lock.ErrField, and removes
// nothing.
func (v *Vault) Retire(numbers ...uint64) error {
	if slices.Contains(numbers, v.Newest()) {
		return fmt.Errorf("epoch %d is the newest: %w", v.Newest(), lock.ErrField)
	}
	v.epochs = slices.DeleteFunc(v.epochs, func(e epoch) bool { return slices.Contains(numbers, e.number) })
	return nil
}

// OpenOwn is [Envelope.OpenOwn] with whichever of the vault's epochs the envelope names.
func (v *Vault) OpenOwn(h Header, e *Envelope, to Recipient) (Half, error) {
	if err := e.checkHeader(h); err != nil {
		return Half{}, err
	}
	for i := range e.Own {
		o := &e.Own[i]
		key, held := v.Key(o.Epoch)
		if o.Recipient == to && held && key.Public().Hash() == o.KeyHash {
			return e.openAt(h, i, key)
		}
	}
	return Half{}, ErrNotRecipient
}

// VaultPlace is what the chain keeps of a vault, but for the blob's hash.
type VaultPlace struct {
	Network  lock.Network
	Vault    lock.ID
	Newest   uint64 // epoch, from 1
	Revision uint64 // from 1, higher with each write
}

// aad binds a blob to its place.
func (p VaultPlace) aad() ([]byte, error) {
	if p.Newest == 0 || p.Revision == 0 {
		return nil, fmt.Errorf("vault epoch %d, revision %d: %w", p.Newest, p.Revision, lock.ErrField)
	}
	aad := lock.H("phrd/v1/vault", p.Network[:], p.Vault[:], lock.Uint(p.Newest), lock.Uint(p.Revision))
	return aad[:], nil
}

// Seal returns the vault's blob of a revision, which counts from 1 and is higher with
// each write. The nonce is fresh each time.
func (v *Vault) Seal(n lock.Network, revision uint64, kv KV) ([]byte, error) {
	return v.seal(VaultPlace{Network: n, Vault: v.id, Newest: v.Newest(), Revision: revision}, kv, rand.Reader)
}

func (v *Vault) seal(at VaultPlace, kv KV, random io.Reader) ([]byte, error) {
	aad, err := at.aad()
	if err != nil {
		return nil, err
	}
	message := v.encode()
	defer clear(message)
	plain := frame(message)
	defer clear(plain)
	aead, err := newGCM(kv.b[:])
	if err != nil {
		return nil, err
	}
	blob := make([]byte, vaultNonceSize, vaultNonceSize+len(plain)+tagSize)
	if _, err := io.ReadFull(random, blob); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	return aead.Seal(blob, blob[:vaultNonceSize], plain, aad), nil
}

func (v *Vault) encode() []byte {
	b := appendBytes(nil, 1, v.id[:])
	for _, e := range v.epochs {
		seed := e.key.Seed()
		body := appendUint(make([]byte, 0, 64), 1, e.number)
		body = appendBytes(body, 2, seed)
		b = appendMessage(b, fieldEpoch, body)
		clear(seed)
		clear(body)
	}
	return b
}

// OpenVault opens a vault's blob with its key. The error is lock.ErrField where the
// place is none, and [ErrVault] where the blob is of another place or does not open.
// That it is the newest blob, its hash on the chain tells: check it before.
func OpenVault(at VaultPlace, kv KV, blob []byte) (*Vault, error) {
	aad, err := at.aad()
	if err != nil {
		return nil, err
	}
	if len(blob) < vaultNonceSize+frameBlock+tagSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrVault, len(blob))
	}
	aead, err := newGCM(kv.b[:])
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, blob[:vaultNonceSize], blob[vaultNonceSize:], aad)
	if err != nil {
		return nil, fmt.Errorf("%w: wrong key, or another blob than of revision %d", ErrVault, at.Revision)
	}
	defer clear(plain)
	v, err := decodeVault(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrVault, err)
	}
	if v.id != at.Vault || v.Newest() != at.Newest {
		return nil, fmt.Errorf("%w: blob says vault %s, epoch %d", ErrVault, v.id, v.Newest())
	}
	return v, nil
}

func decodeVault(plain []byte) (*Vault, error) {
	message, err := unframe(plain)
	if err != nil {
		return nil, err
	}
	v := new(Vault)
	seen, err := walk(message, fieldEpoch, func(f field) error {
		switch f.num {
		case 1:
			return f.fixed(v.id[:])
		case fieldEpoch:
			data, err := f.bytes()
			if err != nil {
				return err
			}
			e, err := decodeEpoch(data)
			if err != nil {
				return fmt.Errorf("epoch %d in the list: %w", len(v.epochs), err)
			}
			if len(v.epochs) > 0 && v.Newest() >= e.number {
				return fmt.Errorf("epoch %d after %d", e.number, v.Newest())
			}
			v.epochs = append(v.epochs, e)
			return nil
		}
		return f.unknown()
	})
	if err != nil {
		return nil, err
	}
	if err := seen.need(1, fieldEpoch); err != nil {
		return nil, err
	}
	again := v.encode()
	defer clear(again)
	if !bytes.Equal(again, message) {
		return nil, errNotCanonical
	}
	return v, nil
}

func decodeEpoch(b []byte) (e epoch, err error) {
	var seed [lock.SeedSize]byte
	defer clear(seed[:])
	seen, err := walk(b, 0, func(f field) error {
		switch f.num {
		case 1:
			return f.uint(&e.number)
		case 2:
			return f.fixed(seed[:])
		}
		return f.unknown()
	})
	if err != nil {
		return e, err
	}
	if err := seen.need(1, 2); err != nil {
		return e, err
	}
	e.key, err = lock.NewPrivateKey(seed[:])
	return e, err
}
