package gateway

import (
	"context"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
)

// isFree tells whether the caller has an account that a patient's invitation opened and that is nobody's yet.
func (c caller) isFree() bool { return c.isPatient() && c.patient == "" }

// guards tells whether the caller is one of these guardians.
func (c caller) guards(guardians []string) bool {
	return c.isPatient() && c.patient != "" && slices.Contains(guardians, c.patient)
}

// seesGuardians shows guardians also to who has an account that is nobody's yet and can name the 128 random bits of the patient's
// number: without them, who lost the wallet could not ask for a recovery.
func seesGuardians(_ context.Context, _ *scope, c caller, _ *accessv1.QueryGuardiansRequest, a *accessv1.QueryGuardiansResponse) (bool, error) {
	g := a.GetGuardians()
	return c.isNode() || c.auditsAll() || c.owns(g.GetPatient()) || c.guards(g.GetGuardians()) || c.isFree(), nil
}

// seesHandOver shows a hand-over to those who ask for a recovery, too, as seesGuardians does.
func seesHandOver(_ context.Context, _ *scope, c caller, _ *accessv1.QueryHandOverRequest, a *accessv1.QueryHandOverResponse) (bool, error) {
	return c.isNode() || c.auditsAll() || c.is(roleOfficer) || c.owns(a.GetHandOver().GetPatient()) || c.isFree(), nil
}

func asksGuarded(c caller, q *accessv1.QueryGuardedRequest) error {
	return allow(c.isNode() || c.auditsAll() || c.owns(q.GetGuardian()))
}

// asksGuardianKey lets patients ask who seal a share to a guardian, and those who are about to be one again.
func asksGuardianKey(c caller, _ *accessv1.QueryGuardianKeyRequest) error {
	return allow(c.isNode() || c.isPatient())
}

// seesRecovery shows a recovery to those whom it concerns, and to officers of every hospital.
func seesRecovery(_ context.Context, _ *scope, c caller, _ *accessv1.QueryRecoveryRequest, a *accessv1.QueryRecoveryResponse) (bool, error) {
	r := a.GetRecovery()
	if c.address != r.GetAccount() {
		a.Vault = nil // it is for who is to open it
	}
	return c.isNode() || c.auditsAll() || c.is(roleOfficer) || c.owns(r.GetPatient()) || c.address == r.GetAccount() || c.guards(r.GetGuardians()), nil
}

func asksRecoveries(c caller, q *accessv1.QueryRecoveriesRequest) error {
	// Exactly one of the four is allowed, so each rule below stands for the whole list.
	named := 0
	for _, set := range []bool{q.GetPatient() != "", q.GetAccount() != "", q.GetGuardian() != "", q.GetOpen()} {
		if set {
			named++
		}
	}
	if named != 1 {
		return status.Error(codes.InvalidArgument, "name a patient, an account or a guardian, or ask for those that are open, and only one of them")
	}
	return allow(c.isNode() || c.auditsAll() || c.owns(q.GetPatient()) || c.owns(q.GetGuardian()) || q.GetAccount() == c.address ||
		c.is(roleOfficer) && q.GetOpen())
}

// isRecoveryOf tells whether an unlock is that of a recovery which the caller proposed.
func (s *scope) isRecoveryOf(ctx context.Context, c caller, unlock string) (bool, error) {
	got, err := accessv1.NewQueryClient(s.node).Recovery(ctx, &accessv1.QueryRecoveryRequest{Unlock: unlock})
	if code := status.Code(err); code == codes.NotFound || code == codes.InvalidArgument {
		return false, nil
	}
	return err == nil && got.GetRecovery().GetAccount() == c.address, err
}
