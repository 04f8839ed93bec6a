package scenario_test

import (
	"bytes"
	"testing"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
)

// short and long are the delays of recoveries in stories: one that is over soon, and one that outlasts any story.
const short, long = 5 * time.Second, 60 * 24 * time.Hour

// Alice lost her wallet, her computer and her words. Two of her three guardians know her, the delay passes, and the hospitals release their
// half: by another wallet all her records open as before, and none by the old one.
func TestGuardiansRecoverALostWallet(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.RecoveryDelay(short))
	net.MakeKey(custodyv1.KeyKind_KEY_KIND_GUARDIANS)
	clinic, er := net.Hospital("clinic"), net.Hospital("er")
	alice, carol, dave, erin := net.Patient("alice"), net.Patient("carol"), er.Patient("dave"), net.Patient("erin")
	scan := clinic.Store(alice, "chest.dcm")
	alice.NamesGuardians(short, carol, dave, erin)
	net.Tells(byPatient(alice, audit.KindGuardiansSet))
	for _, guardian := range []*scenario.Patient{carol, dave, erin} {
		guardian.CanGuard(alice)
	}
	first := alice.Guardians()

	// Whoever writes the vault anew names the same people for it: another secret, another slot.
	alice.RotateVault(phr.VaultChange{Site: phr.DefaultSite})
	net.Tells(target(&auditv1.Entry{Kind: audit.KindGuardiansEnded, Role: audit.RoleChain, Patient: alice.Number, Outcome: ok}, "2"))
	again := alice.Guardians()
	if again.GetRevision() != 3 || again.GetSlot() == first.GetSlot() || bytes.Equal(again.GetU(), first.GetU()) ||
		bytes.Equal(again.GetCommitments()[0], first.GetCommitments()[0]) {
		t.Fatalf("the guardians of the vault as it is: %v, and before: %v", again, first)
	}
	erin.CanGuard(alice)

	next := clinic.Newcomer()
	number := next.AsksToRecover(alice)
	carol.SupportsRecovery(number)
	next.CannotFinish(number, alice, phr.ErrNotReady, access.ReasonNotApproved)
	erin.SupportsRecovery(number)
	recovered := next.TakesPlaceOf(number, alice, "")
	unlockOf := clinic.UnlockOf(number)
	net.Tells(ofRecovery(&auditv1.Entry{Kind: audit.KindRecoveryDue, Role: audit.RoleChain, Patient: alice.Number, Outcome: ok}, unlockOf))
	net.Tells(ofRecovery(byPatient(recovered, audit.KindWalletRecovered), unlockOf))
	if named := recovered.Guardians(); named.GetRevision() != 4 || named.GetOwner() != next.Address() || len(named.GetGuardians()) != 3 {
		t.Errorf("after the recovery the guardians are %v", named)
	}
	carol.CanGuard(recovered)

	recovered.Relock(scan)
	unlock := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	alice.CannotSend(alice.Approval(unlock), &accessv1.MsgApproveUnlockResponse{}, access.ReasonNotOwner)
	alice.CannotRecover(alice.Code, phr.ErrNotFound)
	recovered.WithVaultOf(alice).CannotApproveWithVault(unlock, phr.ErrVault)
	recovered.Approve(unlock)
	er.Opens(scan)
	own := recovered.Propose(scan, scenario.Treatment)
	recovered.Approve(own)
	recovered.Opens(scan)
	net.HasWholeLog()
}

// A guardian alone recovers nothing, nor do all of them before the delay is over or after the old wallet has cancelled it: no hospital
// gives a share.
func TestRecoveryIsNoWayAroundItsRules(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.RecoveryDelay(short))
	net.MakeKey(custodyv1.KeyKind_KEY_KIND_GUARDIANS)
	clinic := net.Hospital("clinic")
	alice, carol, dave := net.Patient("alice"), net.Patient("carol"), net.Patient("dave")
	alice.NamesGuardians(long, carol, dave)
	former := alice.ChangeWallet(clinic)
	if named := alice.Guardians(); named.GetOwner() != alice.Address() || named.GetRevision() != 3 || named.GetDelay() != uint64(long.Seconds()) {
		t.Fatalf("with another wallet the guardians are %v", named)
	}

	thief := clinic.Newcomer()
	number := thief.AsksToRecover(alice)
	unlock := clinic.UnlockOf(number)
	net.Tells(ofRecovery(&auditv1.Entry{Kind: audit.KindRecoveryProposed, Actor: thief.Address(), Role: "patient", Patient: alice.Number, Outcome: ok}, unlock))
	carol.SupportsRecovery(number)
	thief.CannotFinish(number, alice, phr.ErrNotReady, access.ReasonNotApproved)
	dave.SupportsRecovery(number)
	thief.RecoveryStands(number, accessv1.RecoveryStatus_RECOVERY_STATUS_DELAYED)
	thief.CannotFinish(number, alice, phr.ErrNotReady, access.ReasonDelayed)
	net.HasNoShares(scenario.Unlock{ID: unlock})

	// Alice has her wallet all along, and sees who asks; the one she had before has no say.
	former.CannotSend(&accessv1.MsgCancelRecovery{Signer: former.Address(), Recovery: number}, &accessv1.MsgCancelRecoveryResponse{}, access.ReasonNotParty)
	alice.CancelsRecovery(number)
	net.Tells(ofRecovery(byPatient(alice, audit.KindRecoveryCancelled), unlock))
	thief.CannotFinish(number, alice, phr.ErrEnded, access.ReasonCancelled)
	net.HasNoShares(scenario.Unlock{ID: unlock})
	thief.CannotSend(&accessv1.MsgProposeRecovery{Account: thief.Address(), Patient: alice.Number, ExpiresAt: time.Now().Add(long).Unix()},
		&accessv1.MsgProposeRecoveryResponse{}, access.ReasonAccountUsed)

	// Nor do hospitals recover who has guardians.
	other := clinic.Newcomer()
	other.CannotSend(&accessv1.MsgProposeRecovery{Account: other.Address(), Patient: alice.Number, ExpiresAt: time.Now().Add(long).Unix()},
		&accessv1.MsgProposeRecoveryResponse{}, access.ReasonWrongWay)
	number = other.AsksToRecover(alice)
	alice.RotateVault(phr.VaultChange{Site: phr.DefaultSite, Guardians: &phr.Guardians{}})
	other.RecoveryStands(number, accessv1.RecoveryStatus_RECOVERY_STATUS_CANCELLED)
	if named := alice.Guardians(); named != nil {
		t.Errorf("after she named none the guardians are %v", named)
	}
	net.HasWholeLog()
}

// Bob has no guardians, and kept his words. Officers of two hospitals see who he is; what opens his vault nobody but he has.
func TestHospitalsRecoverALostWallet(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.RecoveryDelay(short))
	clinic, er := net.Hospital("clinic"), net.Hospital("er")
	bob, carol := net.Patient("bob"), net.Patient("carol")
	scan := clinic.Store(bob, "chest.dcm")
	next := clinic.Newcomer()
	recovery := next.AsksToRecover(bob)
	clinic.SupportsRecovery(recovery)
	next.CannotFinish(recovery, bob, phr.ErrNotReady, access.ReasonNotApproved)
	er.SupportsRecovery(recovery)
	net.Tells(target(entryOfCount(entryOf(er.Officer(), "officer", audit.KindRecoveryApproved), bob.Number, 2), number(recovery)))
	next.AwaitsRecovery(recovery)
	next.CannotOpenVault(recovery, carol.Code, phr.ErrVault)
	recovered := next.TakesPlaceOf(recovery, bob, bob.Code)
	recovered.Relock(scan)
	unlock := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	bob.CannotSend(bob.Approval(unlock), &accessv1.MsgApproveUnlockResponse{}, access.ReasonNotOwner)
	recovered.WithVaultOf(bob).CannotApproveWithVault(unlock, phr.ErrVault)
	recovered.Approve(unlock)
	er.Opens(scan)
	net.HasWholeLog()
}

// ofRecovery is an entry about the first recovery of a network.
func ofRecovery(e *auditv1.Entry, unlock string) *auditv1.Entry {
	e.Unlock = unlock
	return target(e, "1")
}

func entryOfCount(e *auditv1.Entry, patient string, count uint64) *auditv1.Entry {
	e.Patient, e.Count = patient, count
	return e
}
