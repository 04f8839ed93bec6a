package records

import (
	"math"

	"github.com/phrd/phrd/lock"
)

// Validate says what is malformed in a message that replaces envelopes: an error that is
// ErrInvalidVersions, ErrInvalidEnvelopes, ErrInvalidCID, ErrInvalidSize or ErrInvalidHeader.
func (m *MsgReplaceEnvelopes) Validate() error {
	refs, err := ParseRefs(m.Versions)
	if err != nil {
		return err
	}
	if err := checkCounts(len(refs), len(m.U), len(m.Envelopes), len(m.EnvelopeSizes)); err != nil {
		return err
	}
	if err := OwnKeys(m.OwnKeys).Validate(); err != nil {
		return err
	}
	return checkEnvelopes(m.Envelopes, m.EnvelopeSizes)
}

// Validate is [MsgReplaceEnvelopes.Validate]; what a lock has beside its envelope is checked
// with the version that it is for, see [MsgRelockVersions.Locked].
func (m *MsgRelockVersions) Validate() error {
	refs, err := ParseRefs(m.Versions)
	if err != nil {
		return err
	}
	if err := checkCounts(len(refs), len(m.U), len(m.UBar), len(m.C), len(m.Pc), len(m.Proofs), len(m.Envelopes), len(m.EnvelopeSizes)); err != nil {
		return err
	}
	if m.Generation < 1 || m.Generation > math.MaxInt64 {
		return ErrInvalidHeader.Wrapf("generation %d", m.Generation)
	}
	if err := OwnKeys(m.OwnKeys).Validate(); err != nil {
		return err
	}
	return checkEnvelopes(m.Envelopes, m.EnvelopeSizes)
}

// Validate says what is malformed: an error that is ErrInvalidVersions or ErrInvalidEnvelopes.
func (m *MsgConfirmRelock) Validate() error {
	refs, err := ParseRefs(m.Versions)
	if err != nil {
		return err
	}
	return checkCounts(len(refs), len(m.U))
}

// checkCounts demands as many of everything as there are versions.
func checkCounts(versions int, counts ...int) error {
	for _, n := range counts {
		if n != versions {
			return ErrInvalidEnvelopes.Wrapf("got %v of what belongs to %d versions", counts, versions)
		}
	}
	return nil
}

func checkEnvelopes(envelopes []string, sizes []uint32) error {
	seen := make(map[string]bool, len(envelopes))
	for i, text := range envelopes {
		if _, err := lock.ParseRawCID(text); err != nil {
			return ErrInvalidCID.Wrapf("envelope %d: %v", i+1, err)
		}
		if seen[text] {
			return ErrInvalidEnvelopes.Wrapf("envelope %q is named twice", text)
		}
		seen[text] = true
		if sizes[i] < 1 || sizes[i] > MaxEnvelopeSize {
			return ErrInvalidSize.Wrapf("envelope %d: got %d bytes, want 1 to %d", i+1, sizes[i], MaxEnvelopeSize)
		}
	}
	return nil
}

// Locked is a version of the record as it would be stored anew under the i-th lock of the
// message: the same ciphertext and commitment to its key, the record's owner and custodian. It
// is valid, or the error says what is malformed, as that of [NewVersion.Validate].
func (m *MsgRelockVersions) Locked(i int, r Record, v Version) (NewVersion, error) {
	n := NewVersion{
		Record: v.Record, Version: v.Version, Class: r.Class,
		Header: Header{
			Suite: suite, Lock: LOCK_OWNER_AND_NETWORK, OwnerKind: r.OwnerKind, Patient: r.Patient, Custodian: r.Custodian,
			Generation: m.Generation, U: m.U[i], C: m.C[i], Pc: m.Pc[i], Dc: v.Header.Dc,
		},
		UBar: m.UBar[i], Proof: m.Proofs[i], OwnKeys: m.OwnKeys, Envelope: m.Envelopes[i], EnvelopeSize: m.EnvelopeSizes[i],
		Object: v.Object, Size_: v.Size_,
	}
	return n, n.Validate()
}
