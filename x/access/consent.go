package access

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
)

const (
	// AllClinicians stands in a grant in place of an address or a ward where every clinician of the hospital may ask.
	AllClinicians = "all clinicians"

	wardWord     = "ward "
	secondsOfDay = 24 * 60 * 60
)

// Consent is what a grant says, without its number and who granted it. It answers
// ErrInvalidConsent, ErrInvalidPurpose or ErrInvalidExpiry where a field is malformed:
// one thing is said in one way, so that a wallet shows what counts.
func (m *MsgGrantConsent) Consent() (Consent, error) {
	c := Consent{Hospital: m.Member, Purpose: m.Purpose, UsesADay: m.UsesADay}
	if m.Member == 0 {
		return c, ErrInvalidConsent.Wrap("it names no hospital")
	}
	if err := c.parseTo(m.To); err != nil {
		return c, err
	}
	if err := c.parseWhat(m.What); err != nil {
		return c, err
	}
	var err error
	if c.Until, err = ParseTime(m.Until); err != nil {
		return c, err
	}
	return c, c.validate()
}

func (c *Consent) parseTo(to string) error {
	if to == AllClinicians {
		return nil
	}
	if digits, ok := strings.CutPrefix(to, wardWord); ok {
		ward, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || ward == 0 || strconv.FormatUint(ward, 10) != digits {
			return ErrInvalidConsent.Wrapf("to %q: want a ward's number of 1 to %d", to, consortium.MaxWard)
		}
		c.Ward = uint32(ward)
		return nil
	}
	if _, err := consortium.ParseAccount(to); err != nil {
		return ErrInvalidConsent.Wrapf("to %q: want a clinician's address, %q and a number, or %q", to, wardWord, AllClinicians)
	}
	c.Staff = to
	return nil
}

// parseWhat reads words of classes or ids of records. No word is an id.
func (c *Consent) parseWhat(what []string) error {
	if n := len(what); n < 1 || n > MaxConsentRecords {
		return ErrInvalidConsent.Wrapf("what: got %d, want 1 to %d", n, MaxConsentRecords)
	}
	if !slices.IsSorted(what) || len(slices.Compact(slices.Clone(what))) != len(what) {
		return ErrInvalidConsent.Wrap("what: want it sorted and distinct")
	}
	for _, word := range what {
		if class, ok := records.ParseClass(word); ok {
			c.Classes = append(c.Classes, class)
			continue
		}
		if _, err := lock.ParseCanonicalID(word); err != nil {
			return ErrInvalidConsent.Wrapf("what %q: want the word of a class or a record's id", word)
		}
		c.Records = append(c.Records, word)
	}
	slices.Sort(c.Classes)
	return nil
}

// validate says what is wrong with whom, what and how long the consent says.
func (c *Consent) validate() error {
	if err := CheckPurpose(c.Purpose); err != nil {
		return err
	}
	switch {
	case c.Hospital == 0 || c.Staff != "" && c.Ward != 0 || c.Ward > consortium.MaxWard:
		return ErrInvalidConsent.Wrapf("hospital %d, ward %d: want one clinician, one ward or all clinicians", c.Hospital, c.Ward)
	case (len(c.Classes) == 0) == (len(c.Records) == 0):
		return ErrInvalidConsent.Wrap("want either classes or records")
	case len(c.Records) > MaxConsentRecords:
		return ErrInvalidConsent.Wrapf("got %d records, want at most %d", len(c.Records), MaxConsentRecords)
	case c.UsesADay < 1 || c.UsesADay > MaxUsesADay:
		return ErrInvalidConsent.Wrapf("uses_a_day: got %d, want 1 to %d", c.UsesADay, MaxUsesADay)
	case c.Until <= 0:
		return ErrInvalidExpiry.Wrapf("until %d", c.Until)
	}
	return nil
}

// To is who of the hospital's clinicians may ask, as a grant says it.
func (c *Consent) To() string {
	switch {
	case c.Staff != "":
		return c.Staff
	case c.Ward != 0:
		return fmt.Sprint(wardWord, c.Ward)
	default:
		return AllClinicians
	}
}

// Status is where the consent stands at a time, unix seconds of block time.
func (c *Consent) Status(now int64) ConsentStatus {
	switch {
	case c.WithdrawnAt != 0:
		return CONSENT_STATUS_WITHDRAWN
	case c.Ended || now >= c.Until:
		return CONSENT_STATUS_ENDED
	default:
		return CONSENT_STATUS_LIVE
	}
}

// Reason is the code with which a use of a consent that stands here is refused.
func (s ConsentStatus) Reason() string {
	switch s {
	case CONSENT_STATUS_WITHDRAWN:
		return ReasonConsentWithdrawn
	case CONSENT_STATUS_ENDED:
		return ReasonConsentEnded
	default:
		return ""
	}
}

// IsGrantedTo says whether the account may ask under the consent: it is an active clinician of
// the hospital, and the one who is named, or of the ward, where one is.
func (c *Consent) IsGrantedTo(p consortium.Principal) bool {
	if !p.Active || p.Role != consortium.ROLE_CLINICIAN || p.Hospital != c.Hospital {
		return false
	}
	if c.Staff != "" {
		return p.Address == c.Staff
	}
	return c.Ward == 0 || slices.Contains(p.Wards, c.Ward)
}

// Covers says whether the record may be opened under the consent.
func (c *Consent) Covers(r records.Record) bool {
	return r.Patient == c.Patient && records.Grantee{Classes: c.Classes, Records: c.Records}.Covers(r.Id, r.Class)
}

// HasUses says whether the consent may stand in once more on the day of that time.
func (c *Consent) HasUses(now int64) bool {
	return c.Day != now/secondsOfDay || c.Used < c.UsesADay
}

// Use counts one use on the day of that time.
func (c *Consent) Use(now int64) {
	if day := now / secondsOfDay; c.Day != day {
		c.Day, c.Used = day, 0
	}
	c.Used++
}

// Kinds of a grantee as a key.
const (
	toClinician byte = iota + 1
	toWard
	toHospital
)

// StaffKey is one clinician as the key under which consents are found.
func StaffKey(staff sdk.AccAddress) []byte { return append([]byte{toClinician}, staff...) }

// HospitalKey is a ward, or for ward 0 all clinicians, of a hospital as the key under which consents are found.
func HospitalKey(hospital uint64, ward uint32) []byte {
	if ward == 0 {
		return binary.BigEndian.AppendUint64([]byte{toHospital}, hospital)
	}
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64([]byte{toWard}, hospital), ward)
}

// GranteeKey is who may ask as the key under which the consent is found.
func (c *Consent) GranteeKey() ([]byte, error) {
	if c.Staff == "" {
		return HospitalKey(c.Hospital, c.Ward), nil
	}
	staff, err := sdk.AccAddressFromBech32(c.Staff)
	if err != nil {
		return nil, ErrInvalidConsent.Wrapf("staff %q: %v", c.Staff, err)
	}
	return StaffKey(staff), nil
}
