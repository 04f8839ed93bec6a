package records

import (
	"encoding/hex"
	"math"
	"strings"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
)

// Validate answers ErrInvalidReport for a report that no gateway writes.
func (r AccessReport) Validate() error {
	if r.Number == 0 {
		return ErrInvalidReport.Wrap("number is 0")
	}
	// An address has one more text, in capitals, which the log does not take.
	if reader, err := sdk.AccAddressFromBech32(r.Reader); err != nil || reader.String() != r.Reader {
		return ErrInvalidReport.Wrapf("report %d: reader %q is no address", r.Number, r.Reader)
	}
	if _, err := lock.ParseCanonicalID(r.Record); err != nil {
		return ErrInvalidReport.Wrapf("report %d: record: %v", r.Number, err)
	}
	if r.Version == 0 || r.Version > math.MaxInt64 {
		return ErrInvalidReport.Wrapf("report %d: version %d", r.Number, r.Version)
	}
	if r.Offset > limitMaxSize || r.Length > math.MaxInt64 {
		return ErrInvalidReport.Wrapf("report %d: %d bytes from %d", r.Number, r.Length, r.Offset)
	}
	if r.Refusals > 0 && !r.Refused || r.Refusals > math.MaxInt64 {
		return ErrInvalidReport.Wrapf("report %d: %d refusals, refused %t", r.Number, r.Refusals, r.Refused)
	}
	if r.Unlock != "" && !isUnlock(r.Unlock) {
		return ErrInvalidReport.Wrapf("report %d: unlock %q is not 64 lower-case hex digits", r.Number, r.Unlock)
	}
	return nil
}

// isUnlock says whether the text has the form of an unlock's id. Which unlocks
// exist is not known here.
func isUnlock(text string) bool {
	b, err := hex.DecodeString(text)
	return err == nil && len(b) == 32 && strings.ToLower(text) == text
}
