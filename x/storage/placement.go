package storage

import "github.com/phrd/phrd/lock"

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
	return validateAttached(p.CID, p.Attached)
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
