package seal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/phrd/phrd/lock"
	"google.golang.org/protobuf/encoding/protowire"
)

var (
	// ErrEnvelope says that a block is not the envelope asked for, or no envelope.
	ErrEnvelope = errors.New("invalid envelope")
	// ErrNotRecipient says that an envelope has no owner half for this vault's key.
	ErrNotRecipient = errors.New("envelope has no half for this vault")
)

const (
	// MaxEnvelopeSize is the length in bytes of the longest envelope.
	MaxEnvelopeSize = 64 << 10

	fieldOwn       protowire.Number = 9
	fieldEmergency protowire.Number = 10
)

// Envelope holds what opens a version to those who have both halves of its key. It is a
// block of its own, off the chain, and can be deleted; nothing in it is secret.
type Envelope struct {
	Suite     lock.Suite
	U, UBar   lock.Point // r·G, r·Ḡ
	Pc        []byte     // commits to the owner's half, 32 bytes; none under lock.LockNetwork
	Dc        [32]byte   // commits to the data key
	C         [32]byte   // commits to both halves
	Wrap      [wrapSize]byte
	Manifest  lock.CID   // root of the object's manifest
	Own       []Own      // by kind, id bytewise and epoch; at most lock.MaxOwn
	Emergency *Emergency // nil where the patient did not agree
}

// Emergency is the part of an envelope that an emergency unlock opens.
type Emergency struct {
	U, UBar lock.Point // U_e, Ū_e
	Box     []byte
}

// OwnKeys lists the hashes of the keys that the owner's half is sealed to, in the
// envelope's order. The proof of the encapsulation binds them.
func (e *Envelope) OwnKeys() [][32]byte {
	hashes := make([][32]byte, len(e.Own))
	for i := range e.Own {
		hashes[i] = e.Own[i].KeyHash
	}
	return hashes
}

// Ref returns what names the version's object for [OpenObject].
func (e *Envelope) Ref(h Header) Ref {
	return Ref{Object: h.Object, Manifest: e.Manifest, PaddedSize: h.PaddedSize}
}

// CID returns the CID of the encoded envelope, or the error of Encode.
func (e *Envelope) CID() (lock.CID, error) {
	b, err := e.Encode()
	if err != nil {
		return lock.CID{}, err
	}
	return rawCID(b), nil
}

// Encode returns the envelope's block, or ErrEnvelope when it breaks a rule.
func (e *Envelope) Encode() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	b := e.encode()
	if len(b) > MaxEnvelopeSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrEnvelope, len(b))
	}
	return b, nil
}

func (e *Envelope) encode() []byte {
	b := make([]byte, 0, 512+len(e.Own)*(ownSize+96))
	b = appendUint(b, 1, uint64(e.Suite))
	b = appendBytes(b, 2, e.U.Bytes())
	b = appendBytes(b, 3, e.UBar.Bytes())
	b = appendBytes(b, 4, e.Pc)
	b = appendBytes(b, 5, e.Dc[:])
	b = appendBytes(b, 6, e.C[:])
	b = appendBytes(b, 7, e.Wrap[:])
	b = appendBytes(b, 8, e.Manifest[:])
	for i := range e.Own {
		b = appendMessage(b, fieldOwn, e.Own[i].encode())
	}
	if e.Emergency != nil {
		b = appendMessage(b, fieldEmergency, e.Emergency.encode())
	}
	return b
}

func (o *Own) encode() []byte {
	b := make([]byte, 0, ownSize+96)
	b = appendUint(b, 1, uint64(o.Recipient.kind))
	b = appendBytes(b, 2, o.Recipient.Bytes())
	b = appendUint(b, 3, o.Epoch)
	b = appendBytes(b, 4, o.KeyHash[:])
	return appendBytes(b, 5, o.Ciphertext)
}

func (m *Emergency) encode() []byte {
	b := appendBytes(nil, 1, m.U.Bytes())
	b = appendBytes(b, 2, m.UBar.Bytes())
	return appendBytes(b, 3, m.Box)
}

// check applies the rules that an envelope shows by itself.
func (e *Envelope) check() error {
	if err := e.Suite.Check(); err != nil {
		return err
	}
	if err := checkPair(e.U, e.UBar); err != nil {
		return err
	}
	switch {
	case len(e.Pc) != 0 && len(e.Pc) != 32:
		return fmt.Errorf("commitment Pc of %d bytes", len(e.Pc))
	case (len(e.Pc) == 0) != (len(e.Own) == 0):
		return fmt.Errorf("commitment Pc of %d bytes with %d owner halves", len(e.Pc), len(e.Own))
	case len(e.Own) > lock.MaxOwn:
		return fmt.Errorf("%d owner halves", len(e.Own))
	case !isWhole(e.Manifest) || !e.Manifest.IsRaw():
		return errors.New("manifest CID is not raw")
	}
	for i := range e.Own {
		if err := e.Own[i].check(); err != nil {
			return fmt.Errorf("owner half %d: %w", i, err)
		}
		if i > 0 && e.Own[i-1].compare(&e.Own[i]) >= 0 {
			return fmt.Errorf("owner half %d is out of order or repeated", i)
		}
	}
	if e.Emergency == nil {
		return nil
	}
	if len(e.Pc) == 0 {
		return errors.New("emergency part without an owner's half")
	}
	return e.Emergency.check()
}

func (m *Emergency) check() error {
	if err := checkPair(m.U, m.UBar); err != nil {
		return fmt.Errorf("emergency part: %w", err)
	}
	if len(m.Box) <= tagSize {
		return fmt.Errorf("emergency box of %d bytes", len(m.Box))
	}
	return nil
}

// checkPair refuses identities, and U = G.
func checkPair(u, uBar lock.Point) error {
	if _, err := lock.ParseEncapsulation(u.Bytes()); err != nil {
		return fmt.Errorf("point U: %w", err)
	}
	if uBar.IsIdentity() {
		return fmt.Errorf("point Ū is the identity: %w", lock.ErrPoint)
	}
	return nil
}

// isWhole tells whether c is of one of the network's two forms.
func isWhole(c lock.CID) bool {
	_, err := lock.CIDFromBytes(c[:])
	return err == nil
}

// DecodeEnvelope reads the envelope block whose CID is c. It answers ErrEnvelope for
// another block and for anything but the one encoding of a valid envelope.
func DecodeEnvelope(c lock.CID, block []byte) (*Envelope, error) {
	if len(block) > MaxEnvelopeSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrEnvelope, len(block))
	}
	if rawCID(block) != c {
		return nil, fmt.Errorf("%w: %s: another block came", ErrEnvelope, c)
	}
	e, err := decodeEnvelope(block)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	return e, nil
}

func decodeEnvelope(block []byte) (*Envelope, error) {
	e := new(Envelope)
	seen, err := walk(block, fieldOwn, func(f field) error {
		switch f.num {
		case 1:
			return f.uint((*uint64)(&e.Suite))
		case 2:
			return f.point(&e.U, lock.ParseEncapsulation)
		case 3:
			return f.point(&e.UBar, lock.ParsePoint)
		case 4:
			e.Pc = make([]byte, 32)
			return f.fixed(e.Pc)
		case 5:
			return f.fixed(e.Dc[:])
		case 6:
			return f.fixed(e.C[:])
		case 7:
			return f.fixed(e.Wrap[:])
		case 8:
			return f.cid(&e.Manifest)
		case fieldOwn:
			data, err := f.bytes()
			if err != nil {
				return err
			}
			own, err := decodeOwn(data)
			if err != nil {
				return fmt.Errorf("owner half %d: %w", len(e.Own), err)
			}
			e.Own = append(e.Own, own)
			return nil
		case fieldEmergency:
			data, err := f.bytes()
			if err != nil {
				return err
			}
			e.Emergency, err = decodeEmergency(data)
			return err
		}
		return f.unknown()
	})
	if err != nil {
		return nil, err
	}
	if err := seen.need(1, 2, 3, 5, 6, 7, 8); err != nil {
		return nil, err
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	if !bytes.Equal(e.encode(), block) {
		return nil, errNotCanonical
	}
	return e, nil
}

func decodeOwn(b []byte) (o Own, err error) {
	var kind uint64
	var id []byte
	seen, err := walk(b, 0, func(f field) (err error) {
		switch f.num {
		case 1:
			return f.uint(&kind)
		case 2:
			id, err = f.bytes()
			return err
		case 3:
			return f.uint(&o.Epoch)
		case 4:
			return f.fixed(o.KeyHash[:])
		case 5:
			o.Ciphertext, err = f.bytes()
			o.Ciphertext = slices.Clone(o.Ciphertext)
			return err
		}
		return f.unknown()
	})
	if err != nil {
		return o, err
	}
	if err := seen.need(1, 2, 3, 4, 5); err != nil {
		return o, err
	}
	o.Recipient, err = ParseRecipient(lock.RecipientKind(kind), id)
	return o, err
}

func decodeEmergency(b []byte) (*Emergency, error) {
	m := new(Emergency)
	seen, err := walk(b, 0, func(f field) (err error) {
		switch f.num {
		case 1:
			return f.point(&m.U, lock.ParseEncapsulation)
		case 2:
			return f.point(&m.UBar, lock.ParsePoint)
		case 3:
			m.Box, err = f.bytes()
			m.Box = slices.Clone(m.Box)
			return err
		}
		return f.unknown()
	})
	if err != nil {
		return nil, fmt.Errorf("emergency part: %w", err)
	}
	if err := seen.need(1, 2, 3); err != nil {
		return nil, fmt.Errorf("emergency part: %w", err)
	}
	return m, nil
}

// OpenOwn opens the owner's half of the version that the chain's header names with the
// private key of one of a vault's epochs, and checks it against Pc. The error is
// [ErrHeader], [ErrNotRecipient] where the envelope has nothing for this vault under
// this key, lock.ErrOpen, or [ErrCommitment].
func (e *Envelope) OpenOwn(h Header, to Recipient, key *lock.PrivateKey) (Half, error) {
	if err := e.checkHeader(h); err != nil {
		return Half{}, err
	}
	hash := key.Public().Hash()
	at := slices.IndexFunc(e.Own, func(o Own) bool { return o.Recipient == to && o.KeyHash == hash })
	if at < 0 {
		return Half{}, ErrNotRecipient
	}
	return e.openAt(h, at, key)
}

func (e *Envelope) openAt(h Header, at int, key *lock.PrivateKey) (Half, error) {
	ctx, err := h.Context.Hash()
	if err != nil {
		return Half{}, err
	}
	return e.Own[at].openChecked(ctx, h, key)
}

// Unlock joins the halves of the version that the chain's header names to its data key.
// p is nil under lock.LockNetwork and set under lock.LockBoth, else the error is
// lock.ErrField. It is [ErrHeader] for the envelope of another lock, and
// [ErrCommitment] where a half is wrong or the key wrapped is not the version's: C is
// compared in constant time, then the wrap opened, then Dc compared.
func (e *Envelope) Unlock(h Header, p *Half, k lock.Point) (DEK, error) {
	if err := e.checkHeader(h); err != nil {
		return DEK{}, err
	}
	ctx, err := h.Context.Hash()
	if err != nil {
		return DEK{}, err
	}
	salt := wrapping{ctx: ctx, u: e.U, uBar: e.UBar, pc: e.Pc, dc: e.Dc, ref: e.Ref(h)}.salt()
	key, c, err := kek(h.Context.Lock, p, k, salt)
	if err != nil {
		return DEK{}, err
	}
	return unwrapDEK(key, c, e.C, e.Wrap[:], salt, h.Context.Record, h.Context.Version, h.Dc)
}

// Reseal returns the envelope with the owner's half p sealed to these vaults and to no
// other: for a new device, a rotated vault or a new grantee. Halves, commitments and
// the emergency part stay as they are; the CID is another. The error is [ErrHeader],
// [ErrCommitment] where p is not the version's half, or that of Encode for the vaults.
func (e *Envelope) Reseal(h Header, p Half, to []VaultKey) (*Envelope, error) {
	if err := e.checkHeader(h); err != nil {
		return nil, err
	}
	if err := h.CheckHalf(p); err != nil {
		return nil, err
	}
	ctx, err := h.Context.Hash()
	if err != nil {
		return nil, err
	}
	fresh := *e
	if fresh.Own, err = sealOwns(ctx, e.U, p, to); err != nil {
		return nil, err
	}
	if _, err := fresh.Encode(); err != nil {
		return nil, err
	}
	return &fresh, nil
}

// sealOwns seals p to vaults and sorts the result as an envelope has it.
func sealOwns(ctx [64]byte, u lock.Point, p Half, to []VaultKey) ([]Own, error) {
	own := make([]Own, 0, len(to))
	for _, vault := range to {
		if vault.Recipient.kind == lock.RecipientEmergency {
			return nil, fmt.Errorf("emergency vault among an envelope's recipients: %w", lock.ErrField)
		}
		o, err := sealOwn(ctx, u, p, vault)
		if err != nil {
			return nil, err
		}
		own = append(own, o)
	}
	slices.SortFunc(own, func(a, b Own) int { return a.compare(&b) })
	return own, nil
}
