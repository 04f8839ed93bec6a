package scenario_test

import (
	"testing"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/access"
)

func TestUnlockNeedsBothKeys(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	scan := clinic.Store(alice, "chest.dcm")
	unlock := er.Propose(scan, scenario.Treatment)

	er.CannotOpen(scan, phr.ErrNotApproved)
	alice.CannotApprove(unlock, phr.ErrNotApproved)
	clinic.Endorse(unlock)
	er.CannotOpen(scan, phr.ErrNotApproved)
	alice.Approve(unlock)
	er.Opens(scan)
	net.History(scan, "stored", "proposed", "endorsed", "approved", "released", "opened")
}

func TestUnlockOpensWhatItNames(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	first, second, other := clinic.Store(alice, "before.dcm"), clinic.Store(alice, "after.dcm"), clinic.Store(alice, "private.dcm")
	doctor := er.Clinician()
	unlock := doctor.Ask(time.Hour, scenario.Treatment, second, first)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	doctor.Opens(first)
	doctor.Opens(second)
	doctor.CannotOpenWith(unlock, other, phr.ErrRef)
	for _, v := range []scenario.Version{first, second} {
		net.History(v, "stored", "proposed", "endorsed", "approved", "released", "opened")
	}
	net.History(other, "stored")
}

func TestUnlockIsForTheRequesterAlone(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	alice, clinic, er, north := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er"), net.Hospital("north")
	scan := clinic.Store(alice, "chest.dcm")
	unlock := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	er.Opens(scan)
	for _, p := range []scenario.Person{north.Clinician().Person, clinic.Clinician().Person, er.Officer().Person, alice.Person} {
		p.CannotOpenWith(unlock, scan, phr.ErrSession)
		p.CannotRead(scan, unlock)
	}
	const refusal = "opened: refused_by_gateway"
	opened := []string{"stored", "proposed", "endorsed", "approved", "released", "opened", refusal, refusal, refusal, refusal}
	net.History(scan, opened...)
	er.Clinician().Reads(scan, unlock)
	net.History(scan, append(opened, "opened")...)
}

func TestDeniedStaysDenied(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	scan := clinic.Store(alice, "chest.dcm")

	byPatient := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(byPatient)
	alice.Deny(byPatient)
	alice.CannotApprove(byPatient, phr.ErrEnded)
	alice.CannotDeny(byPatient, access.ReasonDenied)
	er.CannotOpen(scan, phr.ErrEnded)

	byOfficer := er.Propose(scan, scenario.Treatment)
	clinic.Officer().Deny(byOfficer)
	clinic.Officer().CannotEndorse(byOfficer, access.ReasonDenied)
	er.CannotOpen(scan, phr.ErrEnded)
	net.History(scan, "stored", "proposed", "endorsed", "denied", "denied: denied", "proposed", "denied", "endorsed: denied")

	// The twin: what is asked for anew and approved opens.
	again := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(again)
	alice.Approve(again)
	er.Opens(scan)
}

func TestWithdrawnOpensNoMore(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	scan := clinic.Store(alice, "chest.dcm")

	unlock := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	er.Opens(scan)
	told := []string{"stored", "proposed", "endorsed", "approved", "released", "opened"}
	net.History(scan, told...)
	alice.Withdraw(unlock)
	er.CannotOpen(scan, phr.ErrEnded)
	er.Clinician().CannotRead(scan, unlock)
	net.Stands(unlock, accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED)
	told = append(told, "withdrawn", "opened: refused_by_gateway")
	net.History(scan, told...)
	alice.CannotWithdraw(unlock, access.ReasonWithdrawn)

	// Its requester closes an unlock so; the seed goes with it.
	closed := er.Propose(scan, scenario.Treatment)
	er.Clinician().Withdraw(closed)
	er.CannotOpen(scan, phr.ErrSession)
	net.Stands(closed, accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN)
	clinic.Officer().CannotEndorse(closed, access.ReasonWithdrawn)
	net.History(scan, append(told, "withdrawn: withdrawn", "proposed", "withdrawn", "endorsed: withdrawn")...)
}

func TestWithdrawalInTheBlockOfTheApprovalWins(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	scan := clinic.Store(alice, "chest.dcm")
	// Two transactions that are sent together come into one block sooner or later.
	for range 10 {
		unlock := er.Propose(scan, scenario.Treatment)
		clinic.Endorse(unlock)
		if !net.ApproveAndWithdraw(unlock, alice, clinic.Officer().Person) {
			continue
		}
		er.CannotOpen(scan, phr.ErrEnded)
		net.Stands(unlock, accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN)
		net.HasNoShares(unlock)
		net.EndsWith(scan, "proposed", "endorsed", "approved", "withdrawn")
		return
	}
	t.Fatal("approval and withdrawal never came into one block")
}

func TestUnlockEndsWithItsTime(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	doctor := er.Clinician()
	unsigned, opened := clinic.Store(alice, "chest.dcm"), clinic.Store(alice, "head.dcm")
	proposed := doctor.Ask(15*time.Second, scenario.Treatment, unsigned)
	released := doctor.Ask(45*time.Second, scenario.Treatment, opened)

	clinic.Endorse(released)
	alice.Approve(released)
	doctor.Opens(opened)
	net.History(opened, "stored", "proposed", "endorsed", "approved", "released", "opened")

	// Nobody signs anything: time alone ends it.
	net.Stands(proposed, accessv1.UnlockStatus_UNLOCK_STATUS_EXPIRED)
	clinic.Officer().CannotEndorse(proposed, access.ReasonExpired)
	alice.CannotApprove(proposed, phr.ErrEnded)
	doctor.CannotOpen(unsigned, phr.ErrEnded)
	net.History(unsigned, "stored", "proposed", "expired", "endorsed: expired")

	// What it opened once it opens no more.
	net.Stands(released, accessv1.UnlockStatus_UNLOCK_STATUS_EXPIRED)
	doctor.CannotOpen(opened, phr.ErrEnded)
	doctor.CannotRead(opened, released)
	net.History(opened, "stored", "proposed", "endorsed", "approved", "released", "opened", "expired", "opened: refused_by_gateway")
}

func TestHospitalOwnsItsRecords(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	clinic, er := net.Hospital("clinic"), net.Hospital("er")
	plan := clinic.StoreOwn("roster.pdf")
	unlock := er.Propose(plan, scenario.Treatment)
	clinic.Endorse(unlock)
	clinic.Officer().CannotSend(clinic.Officer().Approval(unlock), &accessv1.MsgApproveUnlockResponse{}, access.ReasonSamePerson)
	er.Officer().CannotSend(er.Officer().Approval(unlock), &accessv1.MsgApproveUnlockResponse{}, access.ReasonNotOwner)
	er.CannotOpen(plan, phr.ErrNotApproved)
	clinic.Approve(unlock)
	er.Opens(plan)
	net.History(plan, "stored", "proposed", "endorsed", "approved: same_person", "approved: not_owner", "approved", "released", "opened")
}

func TestVersionsOpenOneByOne(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	first := clinic.Store(alice, "report-1.pdf")
	second := clinic.StoreNext(first, "report-2.pdf")
	if second.Ref.Record != first.Ref.Record || second.Ref.Version != 2 {
		t.Fatalf("the second version is %s, the first %s", second.Ref, first.Ref)
	}
	doctor := er.Clinician()
	unlock := doctor.Propose(second, scenario.Treatment)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	doctor.Opens(second)
	doctor.CannotOpenWith(unlock, first, phr.ErrRef)
	doctor.CannotRead(first, unlock)

	old := doctor.Propose(first, scenario.Treatment)
	clinic.Endorse(old)
	alice.Approve(old)
	doctor.Opens(first)
	net.History(second, "stored", "proposed", "endorsed", "approved", "released", "opened")
}

func TestPatientReadsAlone(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	alice, bob, clinic := net.Patient("alice"), net.Patient("bob"), net.Hospital("clinic")
	scan := clinic.Store(alice, "chest.dcm")
	unlock := alice.Propose(scan, "PATRQT")
	alice.Approve(unlock)
	alice.Opens(scan)
	net.History(scan, "stored", "proposed", "approved", "released", "opened")

	bob.CannotPropose(scan, phr.ErrNotFound)
	bob.CannotRead(scan, unlock)
}

func TestSameFileTwiceGivesDifferentObjects(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	alice, clinic := net.Patient("alice"), net.Hospital("clinic")
	first := clinic.Store(alice, "chest.dcm")
	second := clinic.StoreContent(alice, "chest.dcm", first.Content)
	if first.Object == second.Object || first.Envelope == second.Envelope {
		t.Fatalf("the same file gives object %s and envelope %s twice", first.Object, first.Envelope)
	}
	for _, leaf := range clinic.Leaves(second) {
		if clinic.Has(first, leaf) {
			t.Errorf("both have block %s", leaf)
		}
	}
}
