package scenario_test

import (
	"testing"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
)

// A patient agreed to it and is brought in unconscious: two other hospitals approve, the patient's delay passes, and the clinician opens, by the
// shares of both keys and the emergency vault of a hospital that approved. Afterwards an officer looks at it, before which nothing is opened again.
// When the patient can say no, that ends it; and who never agreed has no box that could be opened.
func TestUnconsciousPatient(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Hospitals(5))
	clinic, er, north, south := net.Hospital("clinic"), net.Hospital("er"), net.Hospital("north"), net.Hospital("south")
	alice, bob := net.Patient("alice"), net.Patient("bob")
	before, others := clinic.Store(alice, "before.dcm"), clinic.Store(bob, "bob.dcm")
	net.MakeKey(custodyv1.KeyKind_KEY_KIND_EMERGENCY)
	for _, h := range net.Hospitals() {
		h.RotateEmergencyVault(1)
	}
	net.Tells(target(entryOf(south.Admin(), "admin", audit.KindEmergencyVaultRotated), "1"))
	doctor := er.Clinician()
	alice.AgreesToEmergencies()
	byPatient := func(kind, target string) *auditv1.Entry {
		return &auditv1.Entry{Kind: kind, Actor: alice.Address(), Role: "patient", Patient: alice.Number, Target: target, Outcome: ok}
	}
	net.Tells(byPatient(audit.KindEmergencyEnabled, "2/10"))
	scan := clinic.Store(alice, "chest.dcm")
	doctor.CannotCallEmergency(phr.ErrNoBox, before)
	alice.SealsForEmergencies(1)
	alice.SealsForEmergencies(0)
	doctor.CannotCallEmergency(phr.ErrNoBox, others)

	single := doctor.Emergency(scan)
	about := func(e *auditv1.Entry, target string) *auditv1.Entry {
		e = about(e, scan, single)
		e.Purpose, e.Target = "ETREAT", target
		return e
	}
	net.Tells(about(entryOf(doctor, "clinician", audit.KindEmergencyRequested), access.CauseUnconscious))
	north.Supports(single)
	net.Tells(about(entryOf(north.Officer(), "officer", audit.KindEmergencyApproved), ""))
	er.MayNotSupport(single, access.ReasonWrongHospital)
	net.Tells(because(about(entryOf(er.Officer(), "officer", audit.KindEmergencyApproved), ""), access.ReasonWrongHospital))
	doctor.Withdraw(single)

	emergency := doctor.Emergency(before, scan)
	doctor.CannotOpenWith(emergency, scan, phr.ErrNotApproved)
	north.Supports(emergency)
	doctor.CannotOpenWith(emergency, scan, phr.ErrNotApproved)
	net.HasNoShares(emergency)
	south.Supports(emergency)
	doctor.Opens(scan)
	doctor.Opens(before)
	net.Stands(emergency, accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED)
	if n := north.Unreviewed(); n != 1 {
		t.Fatalf("%d emergencies are to be reviewed", n)
	}
	doctor.MayNotCallEmergency(access.ReasonUnreviewed, scan)
	doctor.Withdraw(emergency)
	doctor.MayNotCallEmergency(access.ReasonUnreviewed, scan)
	south.ReviewsEmergency(emergency, access.FindingJustified)
	if e := alice.EmergencyOf(emergency); e.GetReview().GetHospital() != south.Number() || !e.ReviewDue.IsZero() || e.Status != accessv1.EmergencyStatus_EMERGENCY_STATUS_ENDED {
		t.Fatalf("the patient sees %v", e)
	}

	again := doctor.Emergency(scan)
	north.Supports(again)
	south.Supports(again)
	alice.Withdraw(again)
	doctor.CannotOpenWith(again, scan, phr.ErrEnded)
	net.HasNoShares(again)

	waiting := doctor.Emergency(scan)
	alice.DisagreesToEmergencies()
	doctor.CannotOpenWith(waiting, scan, phr.ErrEnded)
	doctor.MayNotCallEmergency(access.ReasonNotAgreed, scan)
	alice.SealsForEmergencies(2)
	doctor.CannotCallEmergency(phr.ErrNoBox, scan)
	unlock := doctor.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	doctor.Opens(scan)
	net.Tells(byPatient(audit.KindEmergencyDisabled, ""))
	executed := net.Executed()
	for _, name := range ofEmergencies {
		if executed[name] == 0 {
			t.Errorf("message %s was never carried out", name)
		}
	}
	net.HasWholeLog()
}
