package access

import (
	"math"

	"github.com/phrd/phrd/lock"
)

const proofSize = 64

// Validate says what is malformed in a proposal: an error that is
// ErrInvalidPurpose, ErrInvalidExpiry, ErrInvalidCID, ErrInvalidPoint,
// ErrInvalidProof or ErrInvalidVersions. What it does not find is a matter of the
// state.
func (m *MsgProposeUnlock) Validate() error {
	if err := CheckPurpose(m.Purpose); err != nil {
		return err
	}
	if m.Purpose == purposeGuardian {
		return ErrInvalidPurpose.Wrapf("%q opens no records", m.Purpose)
	}
	if m.ExpiresAt <= 0 {
		return ErrInvalidExpiry.Wrapf("%d", m.ExpiresAt)
	}
	if _, err := lock.ParseRawCID(m.RequestKey); err != nil {
		return ErrInvalidCID.Wrapf("request key: %v", err)
	}
	if _, err := lock.ParseEncapsulation(m.B); err != nil {
		return ErrInvalidPoint.Wrapf("B: %v", err)
	}
	if len(m.Proof) != proofSize {
		return ErrInvalidProof.Wrapf("got %d bytes, want %d", len(m.Proof), proofSize)
	}
	n := len(m.Records)
	if n < 1 || n > MaxVersions {
		return ErrInvalidVersions.Wrapf("got %d, want 1 to %d", n, MaxVersions)
	}
	if len(m.Versions) != n || len(m.M) != n {
		return ErrInvalidVersions.Wrapf("got %d records, %d versions and %d points, want as many of each", n, len(m.Versions), len(m.M))
	}
	var last lock.ID
	for i, record := range m.Records {
		id, err := lock.ParseCanonicalID(record)
		if err != nil {
			return ErrInvalidVersions.Wrapf("record %d: %v", i+1, err)
		}
		if m.Versions[i] < 1 || m.Versions[i] > math.MaxInt64 {
			return ErrInvalidVersions.Wrapf("record %d: version %d", i+1, m.Versions[i])
		}
		if _, err := lock.ParsePoint(m.M[i]); err != nil {
			return ErrInvalidPoint.Wrapf("M of record %d: %v", i+1, err)
		}
		if i > 0 && !before(last, m.Versions[i-1], id, m.Versions[i]) {
			return ErrInvalidVersions.Wrapf("record %d: versions are not sorted and distinct", i+1)
		}
		last = id
	}
	return nil
}
