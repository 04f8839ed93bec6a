package scenario_test

import (
	"testing"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/access"
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
	doctor := er.Clinician()
	alice.AgreesToEmergencies()
	scan := clinic.Store(alice, "chest.dcm")
	doctor.CannotCallEmergency(phr.ErrNoBox, before)
	alice.SealsForEmergencies(1)
	alice.SealsForEmergencies(0)
	doctor.CannotCallEmergency(phr.ErrNoBox, others)

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
	net.HasWholeLog()
}
