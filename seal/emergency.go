package seal

import (
	"bytes"
	"cmp"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/phrd/phrd/lock"
	"google.golang.org/protobuf/encoding/protowire"
)

// ErrEmergency says that a version has no emergency part, or one that does not open.
var ErrEmergency = errors.New("emergency part does not open")

// maxBox is the length in bytes of the longest box that an envelope has room for.
const maxBox = MaxEnvelopeSize

const fieldBoxed protowire.Number = 1

// boxed is an owner half sealed to the emergency vault of a hospital.
type boxed struct {
	hospital   uint64
	epoch      uint64
	ciphertext []byte // 1168 bytes, own form with the envelope's U
}

func (b *boxed) check() error {
	if b.hospital == 0 || b.epoch == 0 || len(b.ciphertext) != ownSize {
		return fmt.Errorf("hospital %d, epoch %d, sealed half of %d bytes: %w", b.hospital, b.epoch, len(b.ciphertext), lock.ErrField)
	}
	return nil
}

// encodeBox returns the plaintext of a box: entries ascending and distinct.
func encodeBox(entries []boxed) ([]byte, error) {
	if len(entries) == 0 {
		return nil, fmt.Errorf("emergency box for nobody: %w", lock.ErrField)
	}
	out := make([]byte, 0, len(entries)*(ownSize+32)+tagSize)
	for i := range entries {
		e := &entries[i]
		if err := e.check(); err != nil {
			return nil, err
		}
		if i > 0 && !entries[i-1].before(e) {
			return nil, fmt.Errorf("emergency vault of hospital %d is out of order or repeated: %w", e.hospital, lock.ErrField)
		}
		body := appendUint(make([]byte, 0, ownSize+32), 1, e.hospital)
		body = appendUint(body, 2, e.epoch)
		out = appendMessage(out, fieldBoxed, appendBytes(body, 3, e.ciphertext))
	}
	return out, nil
}

func (b *boxed) before(c *boxed) bool {
	return cmp.Or(cmp.Compare(b.hospital, c.hospital), cmp.Compare(b.epoch, c.epoch)) < 0
}

func decodeBox(plain []byte) ([]boxed, error) {
	var entries []boxed
	_, err := walk(plain, fieldBoxed, func(f field) error {
		if f.num != fieldBoxed {
			return f.unknown()
		}
		data, err := f.bytes()
		if err != nil {
			return err
		}
		var e boxed
		seen, err := walk(data, 0, func(f field) (err error) {
			switch f.num {
			case 1:
				return f.uint(&e.hospital)
			case 2:
				return f.uint(&e.epoch)
			case 3:
				e.ciphertext, err = f.bytes()
				return err
			}
			return f.unknown()
		})
		if err != nil {
			return err
		}
		if err := seen.need(1, 2, 3); err != nil {
			return err
		}
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	again, err := encodeBox(entries)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, plain) {
		return nil, errNotCanonical
	}
	return entries, nil
}

// boxKey derives the key of a box from the network's half and E.
func boxKey(k lock.Point, e [64]byte) (key secret, err error) {
	if k.IsIdentity() {
		return key, fmt.Errorf("network half is the identity: %w", lock.ErrPoint)
	}
	ikm := k.Bytes()
	defer clear(ikm)
	okm, err := hkdf.Key(sha512.New, ikm, e[:], "phrd/v1/emergency-kek", KeySize)
	if err != nil {
		return key, fmt.Errorf("derive key of the emergency box: %w", err)
	}
	defer clear(okm)
	copy(key.b[:], okm)
	return key, nil
}

// emergency adds the emergency part to the envelope, and its proof.
func (l *Locked) emergency(ctx [64]byte, t *Terms, random io.Reader) error {
	if t.Emergency.Key.Network != t.Key.Network {
		return fmt.Errorf("emergency key of another network: %w", lock.ErrField)
	}
	var err error
	l.Envelope.Emergency, l.Emergency, err = newBox(ctx, l.Envelope.U, l.Header.Pc, *l.Half, t.Emergency, t.Signer, random)
	return err
}

// newBox seals p to emergency vaults under a fresh half of the emergency key, and proves it.
func newBox(
	ctx [64]byte, u lock.Point, pc []byte, p Half, t *EmergencyTerms, signer [20]byte, random io.Reader,
) (*Emergency, *EmergencyProof, error) {
	if t.Key.Kind != lock.KeyEmergency {
		return nil, nil, fmt.Errorf("emergency key of kind %d: %w", t.Key.Kind, lock.ErrField)
	}
	gen, err := t.Key.Hash()
	if err != nil {
		return nil, nil, err
	}
	entries, err := sealEntries(ctx, u, p, t.Vaults)
	if err != nil {
		return nil, nil, err
	}
	encap, err := lock.NewEncapsulation(t.Key, random)
	if err != nil {
		return nil, nil, err
	}
	statement := lock.EmergencyBox{Context: ctx, Generation: gen, U: encap.U, UBar: encap.UBar, Pc: [32]byte(pc), Signer: signer}
	e, err := statement.Hash()
	if err != nil {
		return nil, nil, err
	}
	box, err := sealBox(encap.K, e, entries)
	if err != nil {
		return nil, nil, err
	}
	statement.Box = sha256.Sum256(box)
	label, err := statement.Label()
	if err != nil {
		return nil, nil, err
	}
	proof, err := encap.Prove(label, random)
	if err != nil {
		return nil, nil, err
	}
	return &Emergency{U: encap.U, UBar: encap.UBar, Box: box}, &EmergencyProof{Statement: statement, Proof: proof}, nil
}

// sealEntries seals p to emergency vaults and sorts the result as a box has it.
func sealEntries(ctx [64]byte, u lock.Point, p Half, vaults []VaultKey) ([]boxed, error) {
	var entries []boxed
	for _, vault := range vaults {
		if vault.Recipient.kind != lock.RecipientEmergency {
			return nil, fmt.Errorf("recipient kind %d in an emergency box: %w", vault.Recipient.kind, lock.ErrField)
		}
		own, err := sealOwn(ctx, u, p, vault)
		if err != nil {
			return nil, err
		}
		entries = append(entries, boxed{vault.Recipient.hospital(), vault.Epoch, own.Ciphertext})
	}
	slices.SortFunc(entries, func(a, b boxed) int {
		return cmp.Or(cmp.Compare(a.hospital, b.hospital), cmp.Compare(a.epoch, b.epoch))
	})
	return entries, nil
}

// Rebox returns the envelope with another emergency part under the same lock, made for these
// terms, or for nil without one, and what proves it where this account signs. The owner's halves
// stay as they are; the CID is another. The error is [ErrHeader], [ErrCommitment] where p is not
// the version's half, or lock.ErrField for the terms.
func (e *Envelope) Rebox(h Header, p Half, t *EmergencyTerms, signer [20]byte) (*Envelope, *EmergencyProof, error) {
	if err := e.checkHeader(h); err != nil {
		return nil, nil, err
	}
	if err := h.CheckHalf(p); err != nil {
		return nil, nil, err
	}
	ctx, err := h.Context.Hash()
	if err != nil {
		return nil, nil, err
	}
	fresh := *e
	fresh.Emergency = nil
	if t == nil {
		return &fresh, nil, nil
	}
	var proof *EmergencyProof
	if fresh.Emergency, proof, err = newBox(ctx, e.U, h.Pc, p, t, signer, rand.Reader); err != nil {
		return nil, nil, err
	}
	if _, err := fresh.Encode(); err != nil {
		return nil, nil, err
	}
	return &fresh, proof, nil
}

func sealBox(k lock.Point, e [64]byte, entries []boxed) ([]byte, error) {
	plain, err := encodeBox(entries)
	if err != nil {
		return nil, err
	}
	if len(plain)+tagSize > maxBox {
		return nil, fmt.Errorf("emergency box of %d bytes: %w", len(plain)+tagSize, lock.ErrField)
	}
	key, err := boxKey(k, e)
	if err != nil {
		return nil, err
	}
	return sealOnce(&key.b, plain, e[:])
}

func openBox(k lock.Point, e [64]byte, box []byte) ([]boxed, error) {
	key, err := boxKey(k, e)
	if err != nil {
		return nil, err
	}
	plain, err := openOnce(nil, &key.b, box, e[:])
	if err != nil {
		return nil, fmt.Errorf("%w: the network's emergency half does not open the box", ErrEmergency)
	}
	entries, err := decodeBox(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEmergency, err)
	}
	return entries, nil
}

// EmergencyStatement is what the proof of the emergency part speaks for: Hash gives E,
// which stands for ctx in the second proposal of an emergency unlock, and Box stands for
// C. generation is gen of the emergency key that the box was sealed under; the signer's
// field is left empty. The error is [ErrHeader], or [ErrEmergency] where the envelope
// has no emergency part.
func (e *Envelope) EmergencyStatement(h Header, generation [64]byte) (lock.EmergencyBox, error) {
	if err := e.checkHeader(h); err != nil {
		return lock.EmergencyBox{}, err
	}
	if e.Emergency == nil || len(e.Pc) != 32 {
		return lock.EmergencyBox{}, fmt.Errorf("%w: there is none", ErrEmergency)
	}
	ctx, err := h.Context.Hash()
	if err != nil {
		return lock.EmergencyBox{}, err
	}
	return lock.EmergencyBox{
		Context: ctx, Generation: generation, U: e.Emergency.U, UBar: e.Emergency.UBar,
		Pc: [32]byte(e.Pc), Box: sha256.Sum256(e.Emergency.Box),
	}, nil
}

// BoxEntry is the owner's half of a version as a box holds it: sealed to the emergency vault of
// a hospital.
type BoxEntry struct {
	Hospital, Epoch uint64
	Ciphertext      []byte // 1168 bytes
}

// boxEntrySize is the length in bytes of an entry as it travels by itself: its epoch, and what it seals.
const boxEntrySize = 8 + ownSize

// AppendBoxEntry appends the entry of one hospital's as it travels to that hospital.
func AppendBoxEntry(to []byte, b BoxEntry) []byte {
	return append(append(to, lock.Uint(b.Epoch)...), b.Ciphertext...)
}

// ParseBoxEntries reads entries of a hospital's. The error is lock.ErrField.
func ParseBoxEntries(hospital uint64, data []byte) ([]BoxEntry, error) {
	if len(data) == 0 || len(data)%boxEntrySize != 0 {
		return nil, fmt.Errorf("%d bytes of entries of %d: %w", len(data), boxEntrySize, lock.ErrField)
	}
	var entries []BoxEntry
	for ; len(data) > 0; data = data[boxEntrySize:] {
		entries = append(entries, BoxEntry{hospital, binary.BigEndian.Uint64(data), data[8:boxEntrySize]})
	}
	return entries, nil
}

// OpenBox opens the outer layer of the emergency part by the network's emergency half k, released
// under the emergency key of this generation (gen), and returns what is in it, by hospital and
// epoch. The error is [ErrHeader], or [ErrEmergency] where there is no emergency part or k does
// not open it.
func (e *Envelope) OpenBox(h Header, generation [64]byte, k lock.Point) ([]BoxEntry, error) {
	statement, err := e.EmergencyStatement(h, generation)
	if err != nil {
		return nil, err
	}
	bound, err := statement.Hash()
	if err != nil {
		return nil, err
	}
	entries, err := openBox(k, bound, e.Emergency.Box)
	if err != nil {
		return nil, err
	}
	list := make([]BoxEntry, len(entries))
	for i, b := range entries {
		list[i] = BoxEntry{b.hospital, b.epoch, b.ciphertext}
	}
	return list, nil
}

// OpenBoxEntry opens the inner layer of the emergency part: the owner's half of the version with
// this header, sealed to the emergency vault whose key is given. The error is lock.ErrField,
// lock.ErrOpen or [ErrCommitment].
func (h Header) OpenBoxEntry(b BoxEntry, key *lock.PrivateKey) (Half, error) {
	to, err := EmergencyRecipient(b.Hospital)
	if err != nil {
		return Half{}, err
	}
	own := Own{Recipient: to, Epoch: b.Epoch, KeyHash: key.Public().Hash(), Ciphertext: b.Ciphertext}
	if err := own.check(); err != nil {
		return Half{}, err
	}
	ctx, err := h.Context.Hash()
	if err != nil {
		return Half{}, err
	}
	return own.openChecked(ctx, h, key)
}

// OpenEmergency opens the owner's half of a version by the network's emergency half k,
// released under the emergency key of this generation (gen), and the vault, which is
// the emergency vault of the hospital to. The error is [ErrHeader], [ErrEmergency] where
// there is no emergency part or k does not open it, [ErrNotRecipient], lock.ErrOpen or
// [ErrCommitment].
func (v *Vault) OpenEmergency(h Header, e *Envelope, generation [64]byte, k lock.Point, to Recipient) (Half, error) {
	entries, err := e.OpenBox(h, generation, k)
	if err != nil {
		return Half{}, err
	}
	if to.kind != lock.RecipientEmergency {
		return Half{}, ErrNotRecipient
	}
	for _, b := range entries {
		key, held := v.Key(b.Epoch)
		if b.Hospital != to.hospital() || !held {
			continue
		}
		return h.OpenBoxEntry(b, key)
	}
	return Half{}, ErrNotRecipient
}
