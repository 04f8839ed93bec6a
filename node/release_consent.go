package node

import (
	"context"
	"fmt"
	"slices"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
)

// checkConsent makes sure, where a consent approved an unlock in its owner's stead, that it is one
// of the owner's, was not withdrawn, and covers the requester, the purpose, the time and every
// version. A withdrawal of a moment ago is no fault.
func (r *round) checkConsent(ctx context.Context, u *accessv1.Unlock, requester *consortiumv1.Principal) error {
	number := u.GetApproval().GetConsent()
	if number == 0 {
		return nil
	}
	got, err := r.access.Consent(ctx, &accessv1.QueryConsentRequest{Number: number})
	if err != nil {
		return fmt.Errorf("ask for consent %d: %w", number, err)
	}
	c := got.GetConsent()
	if got.GetStatus() != accessv1.ConsentStatus_CONSENT_STATUS_LIVE || c.GetWithdrawnAt() != 0 {
		return fmt.Errorf("consent %d is %s: %w", number, got.GetStatus(), errNotDue)
	}
	var fault string
	switch {
	case c.GetNumber() != number || c.GetPatient() == "" || c.GetPatient() != u.GetPatient() || c.GetGrantedBy() != u.GetApproval().GetBy():
		fault = "is not the owner's"
	case !isGrantedTo(c, requester):
		fault = "is not granted to the requester"
	case c.GetPurpose() != u.GetPurpose():
		fault = "is for another purpose"
	case c.GetUntil() < u.GetExpiresAt() || c.GetGrantedAt() > u.GetApproval().GetAt():
		fault = "is for another time"
	}
	if fault != "" {
		return fmt.Errorf("consent %d %s: %w", number, fault, errNotVerified)
	}
	return r.checkCovered(ctx, u, c)
}

// isGrantedTo says whether a consent lets a clinician ask: by name, by ward or by hospital.
func isGrantedTo(c *accessv1.Consent, p *consortiumv1.Principal) bool {
	switch {
	case !p.GetActive() || p.GetRole() != consortiumv1.Role_ROLE_CLINICIAN || c.GetHospital() == 0 || c.GetHospital() != p.GetHospital():
		return false
	case c.GetStaff() != "":
		return c.GetStaff() == p.GetAddress()
	default:
		return c.GetWard() == 0 || slices.Contains(p.GetWards(), c.GetWard())
	}
}

// checkCovered makes sure that a consent covers every version of an unlock.
func (r *round) checkCovered(ctx context.Context, u *accessv1.Unlock, c *accessv1.Consent) error {
	for _, v := range u.GetVersions() {
		got, err := r.records.Record(ctx, &recordsv1.QueryRecordRequest{Id: v.GetRecord()})
		if err != nil {
			return fmt.Errorf("ask for record %q: %w", v.GetRecord(), err)
		}
		record := got.GetRecord()
		covered := slices.Contains(c.GetRecords(), v.GetRecord())
		if len(c.GetClasses()) > 0 {
			covered = slices.Contains(c.GetClasses(), record.GetClass())
		}
		if !covered || record.GetId() != v.GetRecord() || record.GetPatient() != c.GetPatient() {
			return fmt.Errorf("consent %d does not cover record %q: %w", c.GetNumber(), v.GetRecord(), errNotVerified)
		}
	}
	return nil
}
