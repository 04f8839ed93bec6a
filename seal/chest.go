package seal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/phrd/phrd/lock"
	"google.golang.org/protobuf/encoding/protowire"
)

// ErrChest says that a block is no vault with its slots, or not the one that the chain names.
var ErrChest = errors.New("not a vault block")

const (
	// MaxSlots is how many slots a vault has at most.
	MaxSlots = 16
	// maxSite is the length of a site in bytes.
	maxSite = 253
	// maxChest is the largest block that a chain takes for a vault, in bytes.
	maxChest = 64 << 10

	fieldSlot protowire.Number = 2
)

// Chest is a vault as the block store has it: the blob, and beside it the slots, so that who
// has lost every device and kept a recovery code finds what it opens. Nothing in it is secret.
type Chest struct {
	Blob  []byte // of [Vault.Seal]
	Slots []Slot // by id, at most MaxSlots
}

// Slot is a wrapped key of a vault, with what its wrapping binds beside the vault.
type Slot struct {
	Kind     lock.SlotKind
	ID       lock.ID
	Revision uint64 // the vault's when the slot was wrapped
	Site     string // of a wallet slot: stands in the text that the wallet signs
	Wrapped  []byte // SlotSize bytes
}

func (s *Slot) check() error {
	if err := s.Kind.Check(); err != nil {
		return err
	}
	if s.Revision == 0 || len(s.Wrapped) != SlotSize {
		return fmt.Errorf("slot of revision %d with %d bytes: %w", s.Revision, len(s.Wrapped), lock.ErrField)
	}
	if (s.Kind == lock.SlotWallet) != (s.Site != "") || len(s.Site) > maxSite {
		return fmt.Errorf("slot of kind %d with a site of %d bytes: %w", s.Kind, len(s.Site), lock.ErrField)
	}
	if s.Site == "" {
		return nil
	}
	return checkWord("site", s.Site)
}

func (c *Chest) check() error {
	if len(c.Blob) == 0 || len(c.Slots) > MaxSlots {
		return fmt.Errorf("blob of %d bytes, %d slots: %w", len(c.Blob), len(c.Slots), lock.ErrField)
	}
	for i := range c.Slots {
		if err := c.Slots[i].check(); err != nil {
			return err
		}
		if i > 0 && bytes.Compare(c.Slots[i-1].ID[:], c.Slots[i].ID[:]) >= 0 {
			return fmt.Errorf("slot %s out of order or repeated: %w", c.Slots[i].ID, lock.ErrField)
		}
	}
	return nil
}

// Encode returns the block. The error is lock.ErrField for slots that are out of order, repeated,
// too many or malformed, and for a block that would be too large.
func (c *Chest) Encode() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	block := c.encode()
	if len(block) > maxChest {
		return nil, fmt.Errorf("vault block of %d bytes: %w", len(block), lock.ErrField)
	}
	return block, nil
}

func (c *Chest) encode() []byte {
	b := appendBytes(nil, 1, c.Blob)
	for i := range c.Slots {
		s := &c.Slots[i]
		body := appendUint(nil, 1, uint64(s.Kind))
		body = appendBytes(body, 2, s.ID[:])
		body = appendUint(body, 3, s.Revision)
		body = appendBytes(body, 4, []byte(s.Site))
		b = appendMessage(b, fieldSlot, appendBytes(body, 5, s.Wrapped))
	}
	return b
}

// DecodeChest reads the vault block whose CID is c. It answers ErrChest for another block and
// for anything but the one encoding of a valid one.
func DecodeChest(c lock.CID, block []byte) (*Chest, error) {
	if len(block) > maxChest {
		return nil, fmt.Errorf("%w: %d bytes", ErrChest, len(block))
	}
	if rawCID(block) != c {
		return nil, fmt.Errorf("%w: %s: another block came", ErrChest, c)
	}
	chest, err := decodeChest(block)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrChest, err)
	}
	return chest, nil
}

func decodeChest(block []byte) (*Chest, error) {
	c := new(Chest)
	seen, err := walk(block, fieldSlot, func(f field) error {
		data, err := f.bytes()
		if err != nil {
			return err
		}
		switch f.num {
		case 1:
			c.Blob = slices.Clone(data)
			return nil
		case fieldSlot:
			s, err := decodeSlot(data)
			if err != nil {
				return fmt.Errorf("slot %d in the list: %w", len(c.Slots), err)
			}
			c.Slots = append(c.Slots, s)
			return nil
		}
		return f.unknown()
	})
	if err != nil {
		return nil, err
	}
	if err := seen.need(1); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	if !bytes.Equal(c.encode(), block) {
		return nil, errNotCanonical
	}
	return c, nil
}

func decodeSlot(b []byte) (s Slot, err error) {
	var kind uint64
	seen, err := walk(b, 0, func(f field) (err error) {
		switch f.num {
		case 1:
			return f.uint(&kind)
		case 2:
			return f.fixed(s.ID[:])
		case 3:
			return f.uint(&s.Revision)
		case 4:
			return f.text(&s.Site)
		case 5:
			s.Wrapped, err = f.bytes()
			s.Wrapped = slices.Clone(s.Wrapped)
			return err
		}
		return f.unknown()
	})
	if err != nil {
		return s, err
	}
	s.Kind = lock.SlotKind(kind)
	return s, seen.need(1, 2, 3, 5)
}
