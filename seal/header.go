package seal

import (
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/phrd/phrd/lock"
)

// ErrHeader says that an envelope is not of the version that the chain names.
var ErrHeader = errors.New("envelope is of another version than the chain names")

// Header is what the chain keeps of a version's lock. An opener takes it from nodes it
// trusts, never from the envelope.
type Header struct {
	Context    lock.Context // as at locking
	U          lock.Point
	C          [32]byte // commits to both halves
	Pc         []byte   // commits to the owner's half, 32 bytes; none under lock.LockNetwork
	Dc         [32]byte // commits to the data key
	Envelope   lock.CID
	Object     lock.CID
	PaddedSize uint64 // bytes of all data leaves
}

// CheckHalf returns an error that is [ErrCommitment] unless p is the owner's half of
// this version. Approvers check every half before they seal a capsule.
func (h Header) CheckHalf(p Half) error {
	ctx, err := h.Context.Hash()
	if err != nil {
		return err
	}
	if h.Context.Lock != lock.LockBoth {
		return fmt.Errorf("version has no owner's half: %w", lock.ErrField)
	}
	return checkHalf(ctx, h.U, p, h.Pc)
}

func checkHalf(ctx [64]byte, u lock.Point, p Half, pc []byte) error {
	if got := commitHalf(ctx, u, p); subtle.ConstantTimeCompare(got[:], pc) != 1 {
		return fmt.Errorf("commitment Pc differs: %w", ErrCommitment)
	}
	return nil
}

// OpenEnvelope reads the block that the chain names as the version's envelope: an error
// that is [ErrEnvelope] where the block is another or malformed, and [ErrHeader] where
// it belongs to another lock.
func (h Header) OpenEnvelope(block []byte) (*Envelope, error) {
	e, err := DecodeEnvelope(h.Envelope, block)
	if err != nil {
		return nil, err
	}
	if err := e.checkHeader(h); err != nil {
		return nil, err
	}
	return e, nil
}

// checkHeader checks all that envelope and chain both hold.
func (e *Envelope) checkHeader(h Header) error {
	switch {
	case e.Suite != h.Context.Suite:
		return fmt.Errorf("suite %d, want %d: %w", e.Suite, h.Context.Suite, ErrHeader)
	case !e.U.Equal(h.U):
		return fmt.Errorf("point U differs: %w", ErrHeader)
	case e.C != h.C || e.Dc != h.Dc || string(e.Pc) != string(h.Pc):
		return fmt.Errorf("commitments differ: %w", ErrHeader)
	case (len(e.Pc) != 0) != (h.Context.Lock == lock.LockBoth):
		return fmt.Errorf("owner halves do not fit lock %d: %w", h.Context.Lock, ErrHeader)
	}
	return nil
}
