package scenario_test

import (
	"testing"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
)

// A mother has the wallet of her daughter until that is of age. Then it signs nothing any more, and the daughter, whom two hospitals have seen and who
// was given the words, has every record alone.
func TestChildComesOfAge(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.RecoveryDelay(short))
	clinic, er := net.Hospital("clinic"), net.Hospital("er")
	mother := net.Patient("daughter")
	scan := clinic.Store(mother, "chest.dcm")
	mother.HandsOver(time.Now().Add(time.Hour))
	unlock := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	mother.Approve(unlock)
	er.Opens(scan)

	ofAge := time.Now().Add(2 * time.Second).Truncate(time.Second).UTC()
	mother.HandsOver(ofAge)
	net.Tells(target(byPatient(mother, audit.KindHandOverSet), ofAge.Format(time.RFC3339)))
	clinic.HandOverIs(mother, &accessv1.HandOver{Due: ofAge.Unix(), Closed: true})
	net.Tells(target(&auditv1.Entry{Kind: audit.KindWalletClosed, Role: audit.RoleChain, Patient: mother.Number, Outcome: ok}, mother.Address()))
	mother.IsShutOut()
	daughter := clinic.Newcomer()
	recovery := daughter.AsksToRecover(mother)
	clinic.SupportsRecovery(recovery)
	er.SupportsRecovery(recovery)
	alone := daughter.TakesPlaceOf(recovery, mother, mother.Code)
	alone.Relock(scan)
	unlock = er.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	alone.WithVaultOf(mother).CannotApproveWithVault(unlock, phr.ErrVault)
	alone.Approve(unlock)
	er.Opens(scan)
	net.HasWholeLog()
}

// Two hospitals have a daughter act for her father, who can't decide any more: she has his words. He comes round, and she can't keep him from
// taking his account back; without the words that are hers now, what is stored from then on is his.
func TestAdultIsRepresented(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.RecoveryDelay(short))
	clinic, er := net.Hospital("clinic"), net.Hospital("er")
	father := net.Patient("father")
	scan := clinic.Store(father, "chest.dcm")
	until := time.Now().Add(300 * 24 * time.Hour).Truncate(time.Second).UTC()
	daughter := clinic.Newcomer()
	recovery := daughter.AsksToActFor(father, until)
	clinic.SupportsRecovery(recovery)
	er.SupportsRecovery(recovery)
	acting := daughter.TakesPlaceOf(recovery, father, father.Code)
	clinic.HandOverIs(father, &accessv1.HandOver{Due: until.Unix(), Representative: true})
	unlock := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	acting.Approve(unlock)
	er.Opens(scan)
	acting.VaultOpens(scan)

	well := clinic.Newcomer()
	recovery = well.AsksToRecover(father)
	daughter.CannotSend(&accessv1.MsgCancelRecovery{Signer: daughter.Address(), Recovery: recovery}, &accessv1.MsgCancelRecoveryResponse{}, access.ReasonRepresentative)
	clinic.SupportsRecovery(recovery)
	er.SupportsRecovery(recovery)
	well.AwaitsRecovery(recovery)
	well.CannotOpenVault(recovery, father.Code, phr.ErrVault)
	again := well.TakesPlaceWithoutWords(recovery, father)
	later := clinic.Store(again, "knee.dcm")
	unlock = er.Propose(later, scenario.Treatment)
	clinic.Endorse(unlock)
	again.Approve(unlock)
	er.Opens(later)
	again.VaultOpens(later)
	unlock = er.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	again.CannotApproveWithVault(unlock, phr.ErrVault)
	net.HasWholeLog()
}
