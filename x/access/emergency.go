package access

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
)

// Why a clinician asks in an emergency.
const (
	CauseUnconscious   = "unconscious"
	CauseIncapacitated = "incapacitated"
	CauseLifeThreat    = "life_threat"
	CauseUnreachable   = "unreachable"
)

// What an officer finds who looks at an emergency.
const (
	FindingJustified    = "justified"
	FindingNotJustified = "not_justified"
)

var (
	emergencyPurposes = []string{"ETREAT", "BTG"}
	emergencyCauses   = []string{CauseUnconscious, CauseIncapacitated, CauseLifeThreat, CauseUnreachable}
	findings          = []string{FindingJustified, FindingNotJustified}
)

// Terms is what the message agrees to, without the patient and the time, and the names of its
// hospitals as the wallet showed them. It answers ErrInvalidEmergency where a field is malformed.
func (m *MsgEnableEmergency) Terms() (t EmergencyTerms, names []string, err error) {
	t = EmergencyTerms{EnabledBy: m.Owner, Approvals: m.Approvals, Delay: m.Delay}
	if len(m.Hospitals) > MaxEmergencyVaults {
		return t, nil, ErrInvalidEmergency.Wrapf("got %d hospitals, want at most %d", len(m.Hospitals), MaxEmergencyVaults)
	}
	for _, text := range m.Hospitals {
		digits, name, _ := strings.Cut(text, " ")
		number, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || strconv.FormatUint(number, 10) != digits || name == "" {
			return t, nil, ErrInvalidEmergency.Wrapf("hospital %q: want its number and name", text)
		}
		t.Hospitals, names = append(t.Hospitals, number), append(names, name)
	}
	return t, names, t.validate()
}

// validate says what is wrong with approvals, delay and hospitals.
func (t *EmergencyTerms) validate() error {
	if t.Approvals < MinEmergencyApprovals || t.Approvals > maxEmergencyApprovals {
		return ErrInvalidEmergency.Wrapf("approvals: got %d, want %d to %d", t.Approvals, MinEmergencyApprovals, maxEmergencyApprovals)
	}
	if t.Delay < MinEmergencyDelay || t.Delay > MaxEmergencyDelay {
		return ErrInvalidEmergency.Wrapf("delay: got %d seconds, want %d to %d", t.Delay, MinEmergencyDelay, MaxEmergencyDelay)
	}
	for i, n := range t.Hospitals {
		if n == 0 || i > 0 && n <= t.Hospitals[i-1] {
			return ErrInvalidEmergency.Wrapf("hospital %d: want them by number and distinct", n)
		}
	}
	if len(t.Hospitals) > MaxEmergencyVaults {
		return ErrInvalidEmergency.Wrapf("%d hospitals", len(t.Hospitals))
	}
	return nil
}

// IsInForce says whether records of the patient may be opened in emergencies.
func (t *EmergencyTerms) IsInForce() bool { return t.Patient != "" && t.DisabledAt == 0 }

// Names says whether a hospital may approve.
func (t *EmergencyTerms) Names(hospital uint64) bool {
	return len(t.Hospitals) == 0 || slices.Contains(t.Hospitals, hospital)
}

// Text is what the log names the terms by: hospitals and seconds.
func (t *EmergencyTerms) Text() string { return fmt.Sprintf("%d/%d", t.Approvals, t.Delay) }

// LeastVaults is how many hospitals need an emergency vault for the terms to be of use: as many
// as must approve whichever of them asks, and one more.
func (t *EmergencyTerms) LeastVaults() int { return int(t.Approvals) + 2 }

// Proposals are the two proposals of the message as those of unlocks. It answers what is malformed
// in them, or ErrInvalidEmergency.
func (m *MsgRequestEmergency) Proposals() (locks, boxes *MsgProposeUnlock, err error) {
	if !slices.Contains(emergencyPurposes, m.Purpose) {
		return nil, nil, ErrInvalidPurpose.Wrapf("%q: want one of %v", m.Purpose, emergencyPurposes)
	}
	if !slices.Contains(emergencyCauses, m.Reason) {
		return nil, nil, ErrInvalidEmergency.Wrapf("reason %q: want one of %v", m.Reason, emergencyCauses)
	}
	if bytes.Equal(m.B, m.BoxB) || m.RequestKey == m.BoxRequestKey {
		return nil, nil, ErrInvalidEmergency.Wrap("both proposals have the same point or one-time key")
	}
	locks = &MsgProposeUnlock{
		Requester: m.Requester, Purpose: m.Purpose, ExpiresAt: m.ExpiresAt, RequestKey: m.RequestKey, B: m.B, Proof: m.Proof,
		Records: m.Records, Versions: m.Versions, M: m.M,
	}
	boxes = &MsgProposeUnlock{
		Requester: m.Requester, Purpose: m.Purpose, ExpiresAt: m.ExpiresAt, RequestKey: m.BoxRequestKey, B: m.BoxB, Proof: m.BoxProof,
		Records: m.Records, Versions: m.Versions, M: m.BoxM,
	}
	if err := locks.Validate(); err != nil {
		return nil, nil, err
	}
	return locks, boxes, boxes.Validate()
}

// CheckFinding answers ErrInvalidEmergency for a word that is no finding.
func CheckFinding(finding string) error {
	if !slices.Contains(findings, finding) {
		return ErrInvalidEmergency.Wrapf("finding %q: want one of %v", finding, findings)
	}
	return nil
}

// Status is where the emergency stands at a time, unix seconds of block time.
func (e *Emergency) Status(now int64) EmergencyStatus {
	switch {
	case e.EndedAt != 0 || now >= e.ExpiresAt:
		return EMERGENCY_STATUS_ENDED
	case e.Releases >= parts:
		return EMERGENCY_STATUS_RELEASED
	case e.ApprovedAt != 0:
		return EMERGENCY_STATUS_APPROVED
	default:
		return EMERGENCY_STATUS_REQUESTED
	}
}

// parts is how many unlocks an emergency consists of.
const parts = 2

// ReleaseAt is when the holders are asked, unix seconds; 0 as long as approvals are missing.
func (e *Emergency) ReleaseAt() int64 {
	if e.ApprovedAt == 0 {
		return 0
	}
	return e.ApprovedAt + int64(e.Delay) // #nosec G115 -- at most MaxEmergencyDelay
}

// ReviewDue is until when its use is to be reviewed, unix seconds; 0 where there is nothing to
// review.
func (e *Emergency) ReviewDue() int64 {
	if e.UsedAt == 0 || e.Review != nil {
		return 0
	}
	return e.UsedAt + EmergencyReviewTime
}

// HasApproved says whether an officer of the hospital has approved.
func (e *Emergency) HasApproved(hospital uint64) bool {
	return slices.ContainsFunc(e.Approvals, func(a EmergencyApproval) bool { return a.Hospital == hospital })
}

// Reviews says whether officers of a hospital may review the emergency: of the custodian, or of a
// hospital that approved, and never of the requester's.
func (e *Emergency) Reviews(hospital uint64) bool {
	return hospital != e.Hospital && (hospital == e.Custodian || e.HasApproved(hospital))
}

// validate says what is wrong with the form of an emergency.
func (e *Emergency) validate() error {
	if _, err := ParseUnlockID(e.Id); err != nil {
		return err
	}
	if _, err := ParseUnlockID(e.BoxUnlock); err != nil {
		return err
	}
	if _, err := lock.ParseCanonicalID(e.Patient); err != nil {
		return err
	}
	if _, err := sdk.AccAddressFromBech32(e.Requester); err != nil {
		return err
	}
	if !slices.Contains(emergencyCauses, e.Reason) || e.Hospital == 0 || e.Custodian == 0 || e.ExpiresAt <= e.RequestedAt || e.Releases > parts {
		return ErrInvalidEmergency.Wrapf("reason %q, hospital %d, custodian %d", e.Reason, e.Hospital, e.Custodian)
	}
	return nil
}
