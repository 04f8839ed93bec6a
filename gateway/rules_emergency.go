package gateway

import (
	"context"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
)

// asksEmergencyTerms lets staff know what a patient agreed to: clerks seal for it, clinicians ask and officers approve by it.
func asksEmergencyTerms(c caller, q *accessv1.QueryEmergencyTermsRequest) error {
	return allow(c.isStaff() || c.isNode() || c.owns(q.GetPatient()))
}

// seesEmergency shows an emergency to the patient, to who asked, and to officers, of whom those of other hospitals approve and review.
func seesEmergency(_ context.Context, _ *scope, c caller, _ *accessv1.QueryEmergencyAccessRequest, a *accessv1.QueryEmergencyAccessResponse) (bool, error) {
	e := a.GetEmergency()
	return c.isNode() || c.auditsAny(e.GetHospital(), e.GetCustodian()) || c.is(roleOfficer) || c.owns(e.GetPatient()) || e.GetRequester() == c.address, nil
}

func asksEmergencies(c caller, q *accessv1.QueryEmergencyAccessesRequest) error {
	return allow(c.isNode() || c.auditsAll() || c.is(roleOfficer) || c.owns(q.GetPatient()) || q.GetRequester() != "" && q.GetRequester() == c.address)
}
