package access

import (
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/phrd/phrd/x/audit"
)

// OwnReading stands in an approval in place of a hospital's name where the patient
// is the requester.
const OwnReading = "own reading"

// ParseUnlockID reads the id of an unlock: 64 lower-case hex digits, and nothing
// else, so that one id has one text. It answers ErrInvalidUnlock.
func ParseUnlockID(text string) ([32]byte, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 32 || hex.EncodeToString(b) != text {
		return [32]byte{}, ErrInvalidUnlock.Wrapf("%q is not 64 lower-case hex digits", text)
	}
	return [32]byte(b), nil
}

// CheckPurpose answers ErrInvalidPurpose unless the text is a code of HL7 v3
// ActReason's form: 1 to 16 of A-Z and digits.
func CheckPurpose(purpose string) error {
	if len(purpose) < 1 || len(purpose) > maxPurpose {
		return ErrInvalidPurpose.Wrapf("got %d characters, want 1 to %d", len(purpose), maxPurpose)
	}
	for _, c := range []byte(purpose) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return ErrInvalidPurpose.Wrapf("%q: want A-Z and digits", purpose)
		}
	}
	return nil
}

// Status is where the unlock stands at a time, unix seconds of block time. An
// ending that somebody signed stands before the end by time: a denied unlock
// stays denied.
func (u Unlock) Status(now int64) UnlockStatus {
	switch {
	case u.DeniedBy != "":
		return UNLOCK_STATUS_DENIED
	case u.WithdrawnBy != "" && u.MayBeOpened:
		return UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED
	case u.WithdrawnBy != "":
		return UNLOCK_STATUS_WITHDRAWN
	case u.Expired || now >= u.ExpiresAt:
		return UNLOCK_STATUS_EXPIRED
	case u.ReleasedAt != 0:
		return UNLOCK_STATUS_RELEASED
	case u.Approval != nil:
		return UNLOCK_STATUS_APPROVED
	case len(u.Endorsements) >= int(u.EndorsementsNeeded):
		return UNLOCK_STATUS_ENDORSED
	default:
		return UNLOCK_STATUS_PROPOSED
	}
}

// HasEnded says whether the unlock was denied, withdrawn, or ended by the chain
// because its time ran out. An unlock whose time ran out a moment ago has the
// status of an expired one and has not ended before the chain came to it.
func (u Unlock) HasEnded() bool { return u.DeniedBy != "" || u.WithdrawnBy != "" || u.Expired }

// IsOpen says whether the unlock can still change by a signature or a share.
func (s UnlockStatus) IsOpen() bool {
	switch s {
	case UNLOCK_STATUS_PROPOSED, UNLOCK_STATUS_ENDORSED, UNLOCK_STATUS_APPROVED, UNLOCK_STATUS_RELEASED:
		return true
	default:
		return false
	}
}

// Reason is the code with which a signature is refused because the unlock stands
// here and not where the signature is due.
func (s UnlockStatus) Reason() string {
	switch s {
	case UNLOCK_STATUS_PROPOSED:
		return ReasonNotEndorsed
	case UNLOCK_STATUS_ENDORSED:
		return ReasonAlreadyEndorsed
	case UNLOCK_STATUS_APPROVED, UNLOCK_STATUS_RELEASED:
		return ReasonAlreadyApproved
	case UNLOCK_STATUS_DENIED:
		return ReasonDenied
	case UNLOCK_STATUS_WITHDRAWN, UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED:
		return ReasonWithdrawn
	case UNLOCK_STATUS_EXPIRED:
		return ReasonExpired
	default:
		return ""
	}
}

// IsOwnersData says whether the requester's hospital owns what is asked for.
func (u Unlock) IsOwnersData() bool { return u.Patient == "" && u.Hospital == u.Custodian }

// IsOwnReading says whether the owner asks for own records, which needs no
// endorsement.
func (u Unlock) IsOwnReading() bool { return u.Hospital == 0 }

// HasEndorsed says whether the officer has endorsed.
func (u Unlock) HasEndorsed(officer string) bool {
	for _, e := range u.Endorsements {
		if e.Officer == officer {
			return true
		}
	}
	return false
}

// Subjects are the versions as the log names them.
func (u Unlock) Subjects() []audit.Subject {
	subjects := make([]audit.Subject, len(u.Versions))
	for i, v := range u.Versions {
		subjects[i] = audit.Subject{Record: v.Record, Version: v.Version}
	}
	return subjects
}

// Shown are the readable fields of an approval: what the owner's wallet shows.
type Shown struct {
	// Hospital is the name of the requester's member, or OwnReading.
	Hospital string
	// Purpose is the purpose's code.
	Purpose string
	// Records are "<record id>/<version>" in the unlock's order.
	Records []string
	// Until is the expiry in RFC 3339, UTC, whole seconds.
	Until string
}

// Shown answers what an approval of this unlock must show; hospital is the name
// of the requester's member, of no meaning for an own reading.
func (u Unlock) Shown(hospital string) Shown {
	if u.IsOwnReading() {
		hospital = OwnReading
	}
	versions := make([]string, len(u.Versions))
	for i, v := range u.Versions {
		versions[i] = fmt.Sprintf("%s/%d", v.Record, v.Version)
	}
	return Shown{
		Hospital: hospital, Purpose: u.Purpose, Records: versions,
		Until: time.Unix(u.ExpiresAt, 0).UTC().Format(time.RFC3339),
	}
}

// Differs answers the reason of the first field in which an approval differs from
// what it must show, or nothing.
func (s Shown) Differs(msg *MsgApproveUnlock) string {
	switch {
	case msg.Hospital != s.Hospital:
		return ReasonHospitalDiffers
	case msg.Purpose != s.Purpose:
		return ReasonPurposeDiffers
	case !slices.Equal(msg.Records, s.Records):
		return ReasonRecordsDiffer
	case msg.Until != s.Until:
		return ReasonUntilDiffers
	default:
		return ""
	}
}
