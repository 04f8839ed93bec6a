package gateway

import (
	"context"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
)

// seesConsent shows a consent to the patient who granted it, to those to whom it was granted, and to auditors of their hospital.
func seesConsent(ctx context.Context, s *scope, c caller, _ *accessv1.QueryConsentRequest, a *accessv1.QueryConsentResponse) (bool, error) {
	consent := a.GetConsent()
	if c.isNode() || c.auditsAny(consent.GetHospital()) || c.owns(consent.GetPatient()) {
		return true, nil
	}
	if !c.is(roleClinician) || !c.of(consent.GetHospital()) {
		return false, nil
	}
	if consent.GetStaff() != "" {
		return consent.GetStaff() == c.address, nil
	}
	return s.worksAt(ctx, c, consent.GetWard())
}

func asksConsents(c caller, q *accessv1.QueryConsentsRequest) error {
	// Exactly one of the three is allowed, so each rule below stands for the whole list.
	named := 0
	for _, set := range []bool{q.GetPatient() != "", q.GetStaff() != "", q.GetHospital() != 0} {
		if set {
			named++
		}
	}
	if named != 1 {
		return status.Error(codes.InvalidArgument, "name a patient, a clinician or a hospital, and only one of them")
	}
	return allow(c.isNode() || c.auditsAny(q.GetHospital()) || c.owns(q.GetPatient()) || q.GetStaff() == c.address ||
		c.is(roleClinician) && q.GetHospital() != 0 && c.of(q.GetHospital()))
}

// seesConsents keeps consents to a ward from those who do not work there.
func seesConsents(ctx context.Context, s *scope, c caller, q *accessv1.QueryConsentsRequest, _ *accessv1.QueryConsentsResponse) (bool, error) {
	if q.GetHospital() == 0 || c.isNode() || c.auditsAny(q.GetHospital()) {
		return true, nil
	}
	return s.worksAt(ctx, c, q.GetWard())
}

// worksAt tells whether a clinician works at a ward of the own hospital; ward 0 is all of it.
func (s *scope) worksAt(ctx context.Context, c caller, ward uint32) (bool, error) {
	if ward == 0 {
		return true, nil
	}
	got, err := consortiumv1.NewQueryClient(s.node).Principal(ctx, &consortiumv1.QueryPrincipalRequest{Address: c.address})
	return slices.Contains(got.GetPrincipal().GetWards(), ward), err
}

// asksGrantees lets those ask who seal: the clerks, and the patient whose records they are.
func asksGrantees(c caller, q *accessv1.QueryGranteesRequest) error {
	return allow(c.is(roleClerk) || c.isNode() || c.owns(q.GetPatient()))
}
