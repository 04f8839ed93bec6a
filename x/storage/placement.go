package storage

import (
	"cmp"
	"slices"

	"github.com/phrd/phrd/lock"
)

// Placement asks for copies of an object.
type Placement struct {
	// CID is the root as text: dag-pb for a sealed file, raw for a single block.
	CID string
	// Size is the ciphertext bytes of the data leaves, or those of the single block.
	Size uint64
	// Attached are raw blocks that travel with the object, distinct, at most MaxAttached.
	Attached []string
	// Class names the copy rule.
	Class string
	// Member brought the object in; the bytes are at its first storage node.
	Member uint64
	// Key is the CID by which the nodes are chosen, in place of the root: that of an object with
	// which this one shares leaves, so that both lie on the same nodes. Empty for the root itself.
	Key string
}

// Validate answers ErrInvalidCID or ErrInvalidPlacement for a placement that cannot
// be. Whether the class has a rule is for the parameters to say.
func (p Placement) Validate() error {
	if _, err := lock.ParseCID(p.CID); err != nil {
		return ErrInvalidCID.Wrap(err.Error())
	}
	if p.Size < 1 || p.Size > maxSize {
		return ErrInvalidPlacement.Wrapf("size: got %d, want 1 to %d", p.Size, uint64(maxSize))
	}
	if p.Member == 0 {
		return ErrInvalidPlacement.Wrap("no member")
	}
	if err := validateKey(p.CID, p.Key); err != nil {
		return err
	}
	return validateAttached(p.CID, p.Attached)
}

// validateKey checks the CID by which nodes are chosen, of an object that differs from it.
func validateKey(root, key string) error {
	if key == "" {
		return nil
	}
	if _, err := lock.ParseCID(key); err != nil {
		return ErrInvalidCID.Wrapf("key: %v", err)
	}
	if key == root {
		return ErrInvalidPlacement.Wrap("the key is the object itself")
	}
	return nil
}

// PlacementKey is the CID by which the nodes of the object are chosen: its own, or that of an
// object with which it shares leaves.
func (o Object) PlacementKey() (lock.CID, error) {
	text := o.Key
	if text == "" {
		text = o.Cid
	}
	key, err := lock.ParseCID(text)
	if err != nil {
		return key, ErrInvalidCID.Wrap(err.Error())
	}
	return key, nil
}

// SetCopy notes a copy, in place of the one that its node had. Copies stand by node.
func (p *PlacedObject) SetCopy(c Copy) {
	at, known := slices.BinarySearchFunc(p.Copies, c.Node, func(c Copy, node uint64) int { return cmp.Compare(c.Node, node) })
	if known {
		p.Copies[at] = c
		return
	}
	p.Copies = slices.Insert(p.Copies, at, c)
}

// DropCopy forgets the copy of a node.
func (p *PlacedObject) DropCopy(node uint64) {
	p.Copies = slices.DeleteFunc(p.Copies, func(c Copy) bool { return c.Node == node })
}

// validateAttached checks the blocks that travel with an object.
func validateAttached(root string, attached []string) error {
	if n := len(attached); n > MaxAttached {
		return ErrInvalidPlacement.Wrapf("got %d attached blocks, want at most %d", n, MaxAttached)
	}
	seen := map[string]bool{root: true}
	for _, text := range attached {
		if _, err := lock.ParseRawCID(text); err != nil {
			return ErrInvalidCID.Wrapf("attached: %v", err)
		}
		if seen[text] {
			return ErrInvalidPlacement.Wrapf("block %q is named twice", text)
		}
		seen[text] = true
	}
	return nil
}

// validateBatch checks the CIDs of a message.
func validateBatch(objects []string) error {
	if n := len(objects); n < 1 || n > MaxBatch {
		return ErrInvalidBatch.Wrapf("got %d objects, want 1 to %d", n, MaxBatch)
	}
	seen := make(map[string]bool, len(objects))
	for _, text := range objects {
		if _, err := lock.ParseCID(text); err != nil {
			return ErrInvalidCID.Wrap(err.Error())
		}
		if seen[text] {
			return ErrInvalidBatch.Wrapf("object %q is named twice", text)
		}
		seen[text] = true
	}
	return nil
}

// Validate answers ErrInvalidBatch or ErrInvalidCID for a malformed message.
func (m *MsgConfirmCopies) Validate() error { return validateBatch(m.Objects) }

// Validate answers ErrInvalidBatch or ErrInvalidCID for a malformed message.
func (m *MsgReportLostCopies) Validate() error { return validateBatch(m.Objects) }
