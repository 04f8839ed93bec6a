package scenario_test

import (
	"testing"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/access"
)

// A patient consents once to a clinician: from then on that one opens with an officer's endorsement, and nobody else does; nor does
// the consent stand in for anything that it does not say.
func TestConsentToAClinician(t *testing.T) {
	t.Parallel()
	net := scenario.New(t)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	doctor, colleague := er.Clinician().PublishesVault(), er.Staff(consortiumv1.Role_ROLE_CLINICIAN, "colleague").PublishesVault()
	consent := alice.ConsentsTo(doctor)
	scan := clinic.Store(alice, "chest.dcm")
	clinic.Endorse(doctor.Propose(scan, scenario.Treatment))
	doctor.Opens(scan)
	net.History(scan, "stored", "proposed", "endorsed", "consent_used", "released", "opened")

	theirs := colleague.Propose(scan, scenario.Treatment)
	clinic.Endorse(theirs)
	colleague.CannotUse(theirs, consent, access.ReasonNotGranted)
	doctor.CannotUse(theirs, consent, access.ReasonNotRequester)
	colleague.CannotOpenWith(theirs, scan, phr.ErrNotApproved)
	for _, c := range []struct {
		reason   string
		consent  uint64
		purpose  string
		lifetime time.Duration
	}{
		{access.ReasonOtherPurpose, consent, "HRESCH", time.Hour},
		{access.ReasonOutlivesConsent, alice.Grants(phr.Grant{Hospital: er.Number(), Staff: doctor.Address(), Until: time.Now().Add(time.Hour)}), scenario.Treatment, 2 * time.Hour},
		{
			access.ReasonNotCovered, alice.Grants(phr.Grant{Hospital: er.Number(), Staff: doctor.Address(), Classes: []recordsv1.Class{recordsv1.Class_CLASS_RESULT}}),
			scenario.Treatment, time.Hour,
		},
	} {
		unlock := doctor.Ask(c.lifetime, c.purpose, scan)
		clinic.Endorse(unlock)
		doctor.CannotUse(unlock, c.consent, c.reason)
		net.HasNoShares(unlock)
	}

	second := doctor.Propose(scan, scenario.Treatment)
	clinic.Endorse(second)
	alice.WithdrawsConsent(consent)
	doctor.CannotUse(second, consent, access.ReasonConsentWithdrawn)
	doctor.CannotOpenWith(second, scan, phr.ErrNotApproved)
	net.HasNoShares(second)
	alice.HasToRelock() // another consent to the doctor lives
	alice.Approve(second)
	doctor.Opens(scan)
	net.HasWholeLog()
}

// A withdrawal ends what the consent approved; what shares were given for may have been opened.
func TestConsentIsWithdrawn(t *testing.T) {
	t.Parallel()
	net := scenario.New(t)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	doctor := er.Clinician().PublishesVault()
	consent := alice.ConsentsTo(doctor)
	scan := clinic.Store(alice, "chest.dcm")
	unlock := doctor.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	doctor.Opens(scan)
	alice.HasToRelock()
	alice.WithdrawsConsent(consent)
	alice.HasToRelock(scan)
	net.Stands(unlock, accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED)
	doctor.CannotOpenWith(unlock, scan, phr.ErrEnded)
	net.HasWholeLog()
}

// A ward is a number at a hospital: whoever works there opens, by what is sealed to the hospital's vault, which alone opens nothing.
func TestConsentToAWard(t *testing.T) {
	t.Parallel()
	net := scenario.New(t)
	alice, clinic, er, north := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er"), net.Hospital("north")
	const oncology, surgery = 4711, 4712
	doctor, surgeon := er.Clinician().WorksAt(oncology), er.Staff(consortiumv1.Role_ROLE_CLINICIAN, "surgeon").WorksAt(surgery)
	consent := alice.Grants(phr.Grant{Hospital: er.Number(), Ward: oncology})
	scan := clinic.Store(alice, "chest.dcm")
	unlock := doctor.Propose(scan, scenario.Treatment)
	doctor.CannotGetCapsule(unlock)
	clinic.Endorse(unlock)
	doctor.Opens(scan)
	for _, p := range []scenario.Person{surgeon.Person, er.Officer().Person, clinic.Clinician().Person, alice.Person} {
		p.CannotGetCapsule(unlock)
	}

	theirs := surgeon.Propose(scan, scenario.Treatment)
	clinic.Endorse(theirs)
	surgeon.CannotUse(theirs, consent, access.ReasonNotGranted)
	surgeon.CannotOpenWith(theirs, scan, phr.ErrNotApproved)
	other := north.Propose(scan, scenario.Treatment)
	clinic.Endorse(other)
	north.Clinician().CannotUse(other, consent, access.ReasonNotGranted)
	surgeon.WorksAt(oncology, surgery)
	surgeon.Opens(scan)

	again := doctor.Propose(scan, scenario.Treatment)
	clinic.Endorse(again)
	doctor.WorksAt()
	doctor.CannotUse(again, consent, access.ReasonNotGranted)
	alice.WithdrawsConsent(consent)
	surgeon.CannotGetCapsule(theirs)
	alice.HasToRelock(scan)
	net.HasWholeLog()
}

// What is there already is sealed once for who may open it now, and the patient's own keys open it as before.
func TestConsentToWhatIsThere(t *testing.T) {
	t.Parallel()
	net := scenario.New(t)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	doctor := er.Clinician().PublishesVault()
	scan, private := clinic.Store(alice, "chest.dcm"), clinic.Store(alice, "private.dcm")
	alice.Grants(phr.Grant{Hospital: er.Number(), Staff: doctor.Address(), Records: []lock.ID{scan.Record}})
	before := doctor.Propose(scan, scenario.Treatment)
	clinic.Endorse(before)
	doctor.CannotOpenWith(before, scan, phr.ErrNotApproved)
	alice.SealsConsented(1)
	alice.SealsConsented(0)
	clinic.HasCopies(scan, 3)
	doctor.Opens(scan)
	unlock := doctor.Propose(private, scenario.Treatment)
	clinic.Endorse(unlock)
	doctor.CannotOpenWith(unlock, private, phr.ErrNotApproved)
	alice.Approve(unlock)
	doctor.Opens(private)
	net.HasWholeLog()
}
