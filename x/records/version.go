package records

import (
	"bytes"
	"math"

	"github.com/phrd/phrd/lock"
)

const (
	suite          = 1
	commitmentSize = 32
	proofSize      = 64
)

// Validate answers ErrInvalidHeader for a header that no version can have, under
// either lock; whether its lock is allowed is not said.
func (h Header) Validate() error {
	if h.Suite != suite {
		return ErrInvalidHeader.Wrapf("suite: got %d, want %d", h.Suite, suite)
	}
	switch h.OwnerKind {
	case OWNER_KIND_PATIENT:
		if _, err := lock.ParseCanonicalID(h.Patient); err != nil {
			return ErrInvalidHeader.Wrapf("patient: %v", err)
		}
	case OWNER_KIND_HOSPITAL:
		if h.Patient != "" {
			return ErrInvalidHeader.Wrap("a hospital's own version names a patient")
		}
	default:
		return ErrInvalidHeader.Wrapf("owner kind %d", h.OwnerKind)
	}
	if h.Custodian < 1 || h.Custodian > math.MaxInt64 || h.Generation < 1 || h.Generation > math.MaxInt64 {
		return ErrInvalidHeader.Wrapf("custodian %d, generation %d", h.Custodian, h.Generation)
	}
	if _, err := lock.ParseEncapsulation(h.U); err != nil {
		return ErrInvalidHeader.Wrapf("U: %v", err)
	}
	if len(h.C) != commitmentSize || len(h.Dc) != commitmentSize {
		return ErrInvalidHeader.Wrapf("C has %d bytes, Dc has %d, want %d", len(h.C), len(h.Dc), commitmentSize)
	}
	var pc int
	switch h.Lock {
	case LOCK_OWNER_AND_NETWORK:
		pc = commitmentSize
	case LOCK_NETWORK:
	default:
		return ErrInvalidHeader.Wrapf("lock %d", h.Lock)
	}
	if len(h.Pc) != pc {
		return ErrInvalidHeader.Wrapf("Pc has %d bytes, want %d", len(h.Pc), pc)
	}
	return nil
}

// IsOf says whether owner and custodian are those of the record.
func (h Header) IsOf(r Record) bool {
	return h.OwnerKind == r.OwnerKind && h.Patient == r.Patient && h.Custodian == r.Custodian
}

// Validate says what is malformed in a version that is to be stored: an error that
// is ErrInvalidID, ErrInvalidHeader, ErrInvalidProof, ErrInvalidCID or
// ErrInvalidSize. What it does not find is a matter of the state.
func (n NewVersion) Validate() error {
	if _, err := lock.ParseCanonicalID(n.Record); err != nil {
		return ErrInvalidID.Wrapf("record: %v", err)
	}
	if n.Version < 1 || n.Version > math.MaxInt64 {
		return ErrInvalidHeader.Wrapf("version %d", n.Version)
	}
	if n.SharesWith >= n.Version {
		return ErrInvalidHeader.Wrapf("version %d shares leaves with %d, want an earlier one", n.Version, n.SharesWith)
	}
	if n.Class.Text() == "" {
		return ErrInvalidHeader.Wrapf("class %d", n.Class)
	}
	if err := n.Header.Validate(); err != nil {
		return err
	}
	if _, err := lock.ParsePoint(n.UBar); err != nil {
		return ErrInvalidProof.Wrapf("U-bar: %v", err)
	}
	if len(n.Proof) != proofSize {
		return ErrInvalidProof.Wrapf("got %d bytes, want %d", len(n.Proof), proofSize)
	}
	if err := OwnKeys(n.OwnKeys).Validate(); err != nil {
		return err
	}
	if _, err := lock.ParseRawCID(n.Envelope); err != nil {
		return ErrInvalidCID.Wrapf("envelope: %v", err)
	}
	if _, err := lock.ParseDagCID(n.Object); err != nil {
		return ErrInvalidCID.Wrapf("object: %v", err)
	}
	if n.EnvelopeSize < 1 || n.EnvelopeSize > MaxEnvelopeSize {
		return ErrInvalidSize.Wrapf("envelope: got %d bytes, want 1 to %d", n.EnvelopeSize, MaxEnvelopeSize)
	}
	if !IsPaddedSize(n.Size_) {
		return ErrInvalidSize.Wrapf("%d bytes is no padded size", n.Size_)
	}
	return n.validateBox()
}

// validateBox says what is malformed in the box, where there is one.
func (n NewVersion) validateBox() error {
	switch {
	case n.Box == nil && len(n.BoxProof) != 0:
		return ErrInvalidBox.Wrap("a proof without a box")
	case n.Box == nil:
		return nil
	case len(n.BoxProof) != proofSize:
		return ErrInvalidProof.Wrapf("box: got %d bytes, want %d", len(n.BoxProof), proofSize)
	case len(n.Header.Pc) == 0:
		return ErrInvalidBox.Wrap("a lock without the owner's half has no box")
	}
	return n.Box.Validate()
}

// OwnKeys are the SHA-256 hashes of the vault keys that an envelope is sealed to.
type OwnKeys [][]byte

// Validate answers ErrInvalidHeader for more than MaxOwnKeys, for one of another length, and for
// one that comes twice.
func (k OwnKeys) Validate() error {
	if len(k) > MaxOwnKeys {
		return ErrInvalidHeader.Wrapf("got %d recipients, want at most %d", len(k), MaxOwnKeys)
	}
	for i, key := range k {
		if len(key) != commitmentSize {
			return ErrInvalidHeader.Wrapf("hash of recipient %d has %d bytes, want %d", i+1, len(key), commitmentSize)
		}
		if k[:i].Has([32]byte(key)) {
			return ErrInvalidHeader.Wrapf("recipient %d is named twice", i+1)
		}
	}
	return nil
}

// Has says whether a vault key with this hash is one of them.
func (k OwnKeys) Has(hash [32]byte) bool {
	for _, key := range k {
		if bytes.Equal(key, hash[:]) {
			return true
		}
	}
	return false
}
