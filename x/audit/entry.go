package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strings"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
)

const (
	// maxSubjects is as many versions as one unlock may name.
	maxSubjects = 64
	maxRole     = 16
	maxTarget   = 128
	maxPurpose  = 16
	maxReason   = 64
	// unlockSize is the size of an unlock's id in bytes.
	unlockSize = 32
)

// Validate answers ErrInvalidEntry where a value that the handler gave is not plain
// and bounded, or where they contradict each other. Sequence, height and time, which
// the log fills in, are not looked at.
func (e Entry) Validate() error {
	if !isKind(e.Kind) {
		return ErrInvalidEntry.Wrapf("kind %q", e.Kind)
	}
	if err := e.validateActor(); err != nil {
		return err
	}
	if e.Patient != "" {
		if _, err := lock.ParseCanonicalID(e.Patient); err != nil {
			return ErrInvalidEntry.Wrapf("%s: patient: %v", e.Kind, err)
		}
	}
	if len(e.Subjects) > maxSubjects {
		return ErrInvalidEntry.Wrapf("%s: %d subjects, at most %d", e.Kind, len(e.Subjects), maxSubjects)
	}
	for i, s := range e.Subjects {
		if err := s.validate(); err != nil {
			return ErrInvalidEntry.Wrapf("%s: subject %d: %v", e.Kind, i+1, err)
		}
	}
	if len(e.Target) > maxTarget || lock.CheckASCII(e.Target) != nil {
		return ErrInvalidEntry.Wrapf("%s: target %q: want printable ASCII, at most %d characters", e.Kind, e.Target, maxTarget)
	}
	if e.Unlock != "" && !isUnlock(e.Unlock) {
		return ErrInvalidEntry.Wrapf("%s: unlock %q: want 64 lower-case hex digits", e.Kind, e.Unlock)
	}
	if len(e.Purpose) > maxPurpose || !consistsOf(e.Purpose, upper+digits) {
		return ErrInvalidEntry.Wrapf("%s: purpose %q: want capital letters and digits, at most %d", e.Kind, e.Purpose, maxPurpose)
	}
	return e.validateOutcome()
}

const (
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	digits = "0123456789"
)

// validateActor checks who acted. The chain has no account and no hospital; an
// account that the chain does not know has no role.
func (e Entry) validateActor() error {
	if len(e.Role) > maxRole || !consistsOf(e.Role, lower+"_") {
		return ErrInvalidEntry.Wrapf("%s: role %q", e.Kind, e.Role)
	}
	if (e.Actor == "") != (e.Role == RoleChain) {
		return ErrInvalidEntry.Wrapf("%s: actor %q with role %q: the chain alone acts without an account", e.Kind, e.Actor, e.Role)
	}
	if e.Hospital > math.MaxUint32 || (e.Hospital != 0 && (e.Role == "" || e.Role == RoleChain)) {
		return ErrInvalidEntry.Wrapf("%s: hospital %d with role %q", e.Kind, e.Hospital, e.Role)
	}
	if e.Actor == "" {
		return nil
	}
	// An address has one more text, in capitals, which is never written.
	address, err := sdk.AccAddressFromBech32(e.Actor)
	if err != nil || address.String() != e.Actor {
		return ErrInvalidEntry.Wrapf("%s: actor %q: want a bech32 address", e.Kind, e.Actor)
	}
	return nil
}

func (e Entry) validateOutcome() error {
	switch e.Outcome {
	case OUTCOME_OK:
		if e.Reason != "" {
			return ErrInvalidEntry.Wrapf("%s: reason %q without a refusal", e.Kind, e.Reason)
		}
	case OUTCOME_REFUSED:
		if e.Reason == "" || len(e.Reason) > maxReason || !consistsOf(e.Reason, lower+digits+"_./:-") {
			return ErrInvalidEntry.Wrapf("%s: reason %q: want a code of at most %d characters", e.Kind, e.Reason, maxReason)
		}
	default:
		return ErrInvalidEntry.Wrapf("%s: outcome %d", e.Kind, e.Outcome)
	}
	return nil
}

func (s Subject) validate() error {
	if _, err := lock.ParseCanonicalID(s.Record); err != nil {
		return err
	}
	if s.Version > math.MaxInt64 || s.Offset > math.MaxInt64 || s.Length > math.MaxInt64 {
		return fmt.Errorf("version %d, %d bytes from %d", s.Version, s.Length, s.Offset)
	}
	return nil
}

// Leaf is the entry in its canonical form, which is the data of its leaf in the log's tree, and the leaf's hash.
func (e *Entry) Leaf() (canonical []byte, hash [sha256.Size]byte, err error) {
	leaf := make([]byte, 1+e.Size())
	leaf[0] = leafPrefix
	if _, err := e.MarshalToSizedBuffer(leaf[1:]); err != nil {
		return nil, [sha256.Size]byte{}, err
	}
	return leaf[1:], sha256.Sum256(leaf), nil
}

// LeafHash is the hash of the entry's leaf in the log's tree.
func (e Entry) LeafHash() ([sha256.Size]byte, error) {
	_, hash, err := e.Leaf()
	return hash, err
}

func isUnlock(text string) bool {
	b, err := hex.DecodeString(text)
	return err == nil && len(b) == unlockSize && strings.ToLower(text) == text
}

// consistsOf says whether each byte of the text is one of the alphabet.
func consistsOf(text, alphabet string) bool {
	for i := range len(text) {
		if strings.IndexByte(alphabet, text[i]) < 0 {
			return false
		}
	}
	return true
}
