package scenario_test

import (
	"fmt"
	"testing"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/records"
)

// byPatient is an entry of what a patient did.
func byPatient(p *scenario.Patient, kind string) *auditv1.Entry {
	return &auditv1.Entry{Kind: kind, Actor: p.Address(), Role: "patient", Patient: p.Number, Outcome: ok}
}

// Alice changes the key of her vault and has her records sealed to the new one. The former code, the former vault and the former envelopes
// are of no use to anybody then, and on no disk. On a new device her wallet and the new code are enough, and everything opens as before.
func TestVaultGetsAnotherKey(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Hospitals(4))
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	scan, letter := clinic.Store(alice, "chest.dcm"), er.Store(alice, "letter.pdf")
	former := [][]byte{clinic.EnvelopeOf(scan), er.EnvelopeOf(letter), alice.File.Blob}

	lost := alice.RotateVault(phr.VaultChange{NewKey: true, Site: phr.DefaultSite})
	net.Tells(target(byPatient(alice, audit.KindVaultRotated), "2"))
	alice.CannotRecover(lost, phr.ErrVault)
	result := clinic.Store(alice, "blood.pdf")
	alice.Sealed(func(s phr.Sealing) bool {
		return s.Epoch == 1 && s.Ref != result.Ref || s.Epoch == 2 && s.Ref == result.Ref
	}, scan, letter, result)

	alice.Reseal(scan, letter)
	for _, v := range []scenario.Version{scan, letter} {
		net.Told(about(byPatient(alice, audit.KindResealed), v, scenario.Unlock{}), phr.LogFilter{Record: v.Record.String(), Kind: audit.KindResealed})
	}
	alice.Sealed(func(s phr.Sealing) bool { return s.Epoch == 2 }, scan, letter, result)
	net.NobodyHolds(former...)

	// Nothing is sealed to the first key any more, so it goes. The wallet alone opens nothing on a new device.
	alice.RotateVault(phr.VaultChange{Site: phr.DefaultSite, Retire: []uint64{1}})
	net.Tells(target(byPatient(alice, audit.KindVaultWritten), "3"))
	phone := alice.OnNewDevice(alice.Code)
	if _, err := phone.Client().OpenVaultByWallet(phone.File); err == nil {
		t.Error("the wallet opens the vault without its pepper")
	}
	phone.CannotCollectPepper(alice.Code, phr.ErrNotFound)
	alice.DepositPepper()
	phone.CannotCollectPepper(lost, phr.ErrVault)
	phone.CollectPepper(alice.Code)
	if _, err := phone.Client().OpenVaultByWallet(phone.File); err != nil {
		t.Errorf("the wallet with the pepper that came back: %v", err)
	}
	// Who has the wallet alone may not have it: the clinic sees who she is, and she comes back without the words.
	tablet := alice.RecoversInPerson(alice.Hospital().AdmitPepper(alice))
	if _, err := tablet.Client().OpenVaultByWallet(tablet.File); err != nil {
		t.Errorf("the wallet with the pepper that was given in person: %v", err)
	}
	for _, v := range []scenario.Version{scan, letter, result} {
		reader := net.Hospital("north")
		unlock := reader.Propose(v, scenario.Treatment)
		keeper := clinic
		if v.Ref == letter.Ref {
			keeper = er
		}
		keeper.Endorse(unlock)
		phone.Approve(unlock)
		reader.Opens(v)
	}
	net.HasWholeLog()
}

// The network gets another generation of its key, and Alice and the clinic lock what is theirs anew. What was approved before is void, and
// the former locks open nothing more: their envelopes are on no disk. New requests open everything.
func TestRecordsAreLockedAnew(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Hospitals(4))
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	scan, letter, roster := clinic.Store(alice, "chest.dcm"), er.Store(alice, "letter.pdf"), clinic.StoreOwn("roster.xlsx")
	former := [][]byte{clinic.EnvelopeOf(scan), er.EnvelopeOf(letter), clinic.EnvelopeOf(roster)}
	asked := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(asked)
	alice.Approve(asked)
	net.Stands(asked, accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED)
	waiting := er.Propose(letter, scenario.Treatment)

	net.NewGeneration()
	auditor := clinic.Auditor()
	if got := auditor.Locks(); len(got) != 1 || got[1] != 3 {
		t.Errorf("locks by generation: %v, want three of the first", got)
	}
	thief := alice.OnNewDevice(alice.Code) // who has the code has the vault's key
	alice.RotateVault(phr.VaultChange{NewKey: true, Site: phr.DefaultSite})
	alice.Relock(scan, letter)
	for _, v := range []scenario.Version{scan, letter} {
		for _, kind := range []string{audit.KindRelocked, audit.KindRelockConfirmed} {
			net.Told(about(byPatient(alice, kind), v, scenario.Unlock{}), phr.LogFilter{Record: v.Record.String(), Kind: kind})
		}
	}
	for _, s := range alice.Sealed(func(s phr.Sealing) bool { return !s.Relocking }, scan, letter) {
		if s.Epoch != 2 || s.Generation != 2 {
			t.Errorf("%s is sealed to epoch %d and locked by generation %d, want 2 and 2", s.Ref, s.Epoch, s.Generation)
		}
	}
	net.Stands(asked, accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED)
	net.Stands(waiting, accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN)
	er.Clinician().CannotOpenWith(asked, scan, phr.ErrEnded)

	// The clinic's own: an officer asks, another one endorses, the director approves.
	registrar := clinic.Staff(consortiumv1.Role_ROLE_OFFICER, "registrar")
	own := registrar.Propose(roster, scenario.Treatment)
	clinic.Endorse(own)
	clinic.Approve(own)
	clinic.RelockOwn(own)
	if got := auditor.Locks(); len(got) != 1 || got[2] != 3 {
		t.Errorf("locks by generation: %v, want all three of the second", got)
	}
	net.NobodyHolds(former...)

	for _, v := range []scenario.Version{scan, letter} {
		reader := net.Hospital("north")
		unlock := reader.Propose(v, scenario.Treatment)
		keeper := clinic
		if v.Ref == letter.Ref {
			keeper = er
		}
		keeper.Endorse(unlock)
		// The vault's former key has nothing to give.
		thief.CannotApproveWithVault(unlock, phr.ErrVault)
		alice.Approve(unlock)
		reader.Opens(v)
	}
	clinic.RotateVault(2)
	net.Tells(target(entryOf(clinic.Admin(), "admin", audit.KindMemberVaultRotated), "2"))
	clinic.ResealOwn(roster)
	clinic.Director().Sealed(func(s phr.Sealing) bool { return s.Epoch == 2 && s.Generation == 2 }, roster)
	again := clinic.Propose(roster, scenario.Treatment)
	clinic.Endorse(again)
	clinic.Approve(again)
	clinic.Opens(roster)
	net.HasWholeLog()
}

// Alice takes another wallet. She stays who she is, and all her records open by it; the former one may do nothing any more, and what it
// asked for or could open is void.
func TestWalletIsChanged(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Hospitals(4))
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	scan := clinic.Store(alice, "chest.dcm")
	reading := alice.Propose(scan, scenario.Treatment)
	asked := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(asked)

	former := alice.ChangeWallet(clinic)
	net.Tells(target(byPatient(former, audit.KindWalletChanged), alice.Address()))
	former.CannotSend(former.Approval(asked), &accessv1.MsgApproveUnlockResponse{}, access.ReasonNotOwner)
	former.CannotErase(records.ReasonNotOwner, scan)
	former.CannotRecover(former.Code, phr.ErrNotFound)
	alice.CannotSend(alice.Approval(reading), &accessv1.MsgApproveUnlockResponse{}, access.ReasonRequesterInactive)
	alice.Approve(asked)
	er.Opens(scan)

	// Who has the former vault still has its key: until the records are locked anew.
	alice.Relock(scan)
	unlock := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	er.Opens(scan)
	own := alice.Propose(scan, scenario.Treatment)
	alice.Approve(own)
	alice.Opens(scan)
	net.HasWholeLog()
}

// As many versions as one message may name are sealed and locked anew at once.
func TestManyVersionsAreSealedAnewAtOnce(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Hospitals(4))
	alice, clinic := net.Patient("alice"), net.Hospital("clinic")
	files := make([]scenario.NewFile, phr.MaxOwned)
	for i := range files {
		files[i] = scenario.NewFile{Name: fmt.Sprintf("%d.txt", i), Content: []byte{byte(i)}}
	}
	versions := clinic.StoreAll(alice, files...)
	alice.RotateVault(phr.VaultChange{NewKey: true})
	alice.Reseal(versions...)
	alice.Sealed(func(s phr.Sealing) bool { return s.Epoch == 2 }, versions...)
	alice.Relock(versions...)
	alice.Sealed(func(s phr.Sealing) bool { return !s.Relocking }, versions...)
	own := alice.Ask(time.Hour, scenario.Treatment, versions...)
	alice.Approve(own)
	alice.Opens(versions[0])
	alice.Opens(versions[len(versions)-1])
	net.HasWholeLog()
}
