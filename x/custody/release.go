package custody

import (
	"encoding/hex"

	"github.com/phrd/phrd/lock"
)

// UnlockID is the id of an unlock: the first 32 bytes of the proposal's hash.
type UnlockID [32]byte

// ParseUnlockID reads 64 lower-case hex digits; others are refused with an error
// that is ErrInvalidUnlock, so that one unlock has one text.
func ParseUnlockID(text string) (UnlockID, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(UnlockID{}) || hex.EncodeToString(b) != text {
		return UnlockID{}, ErrInvalidUnlock.Wrapf("got %q, want %d lower-case hex digits", text, 2*len(UnlockID{}))
	}
	return UnlockID(b), nil
}

// Bytes returns the 32 bytes.
func (u UnlockID) Bytes() []byte { return u[:] }

// Validate answers ErrInvalidUnlock or ErrInvalidRelease for a request that cannot
// be. Status, epoch and times are the chain's own and not looked at.
func (r Release) Validate() error {
	if _, err := ParseUnlockID(r.Unlock); err != nil {
		return err
	}
	if !r.Kind.IsValid() || !isCount(r.Generation) {
		return ErrInvalidRelease.Wrapf("kind %d, generation %d", r.Kind, r.Generation)
	}
	if n := len(r.Blinded); n < 1 || n > MaxPoints {
		return ErrInvalidRelease.Wrapf("got %d points, want 1 to %d", n, MaxPoints)
	}
	for i, m := range r.Blinded {
		if _, err := lock.ParsePoint(m); err != nil {
			return ErrInvalidRelease.Wrapf("point %d: %v", i+1, err)
		}
	}
	return nil
}

// validateState checks what Validate leaves out, for genesis.
func (r Release) validateState() error {
	released := r.Status == RELEASE_STATUS_RELEASED
	switch r.Status {
	case RELEASE_STATUS_PENDING, RELEASE_STATUS_RELEASED, RELEASE_STATUS_CLOSED:
	default:
		return ErrInvalidRelease.Wrapf("status %d", r.Status)
	}
	if r.RequestedAt < 0 || r.RequestedHeight < 0 || r.ReleasedAt < 0 {
		return ErrInvalidRelease.Wrapf("requested at %d in block %d, released at %d", r.RequestedAt, r.RequestedHeight, r.ReleasedAt)
	}
	// A closed release may have been released before.
	if r.Status == RELEASE_STATUS_PENDING && (r.ShareEpoch != 0 || r.ReleasedAt != 0) || released && !isCount(r.ShareEpoch) {
		return ErrInvalidRelease.Wrapf("status %s with share epoch %d, released at %d", r.Status, r.ShareEpoch, r.ReleasedAt)
	}
	return nil
}
