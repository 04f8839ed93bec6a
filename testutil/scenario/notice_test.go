package scenario_test

import (
	"testing"

	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/audit"
)

// A request, its approval, the release, the opening and an emergency reach those whom they concern within two blocks, also when the
// gateway was away meanwhile.
func TestPeopleAreTold(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Hospitals(5))
	clinic, er := net.Hospital("clinic"), net.Hospital("er")
	alice := net.Patient("alice")
	scan := clinic.Store(alice, "chest.dcm")
	doctor := er.Clinician()
	patient, officer, asker := alice.Follows(), clinic.Officer().Follows(), doctor.Follows()

	unlock := doctor.Propose(scan, scenario.Treatment)
	if n := officer.Hears(audit.KindProposed); n.Unlock != unlock.ID || len(n.Records) != 1 || n.Records[0] != scan.Record.String() {
		t.Errorf("the officer heard %+v", n)
	}
	patient.Hears(audit.KindProposed)
	clinic.Endorse(unlock)
	asker.Hears(audit.KindEndorsed)
	alice.Approve(unlock)
	officer.Hears(audit.KindApproved)
	asker.Hears(audit.KindReleased)
	er.Opens(scan)
	patient.Hears(audit.KindOpened)

	net.MakeKey(custodyv1.KeyKind_KEY_KIND_EMERGENCY)
	for _, h := range net.Hospitals() {
		h.RotateEmergencyVault(1)
	}
	alice.AgreesToEmergencies()
	boxed := clinic.Store(alice, "abdomen.dcm")
	alice.SealsForEmergencies(1)
	clinic.Stop()
	clinic.Start()
	doctor.Emergency(boxed)
	patient.Hears(audit.KindEmergencyRequested)
	officer.Hears(audit.KindEmergencyRequested)
}
