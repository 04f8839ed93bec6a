package scenario_test

import (
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/storage"
)

const (
	ok      = auditv1.Outcome_OUTCOME_OK
	refused = auditv1.Outcome_OUTCOME_REFUSED
)

// entryOf is an entry of what a member of staff did.
func entryOf(s scenario.Staff, role, kind string) *auditv1.Entry {
	return &auditv1.Entry{Kind: kind, Actor: s.Address(), Role: role, Hospital: s.Hospital().Number(), Outcome: ok}
}

// about is an entry about a version, under an unlock where one is given.
func about(e *auditv1.Entry, v scenario.Version, u scenario.Unlock) *auditv1.Entry {
	if v.Patient != nil {
		e.Patient = v.Patient.Number
	}
	e.Subjects = []*auditv1.Subject{{Record: v.Record.String(), Version: v.Ref.Version}}
	if u.ID != "" {
		e.Unlock, e.Purpose = u.ID, scenario.Treatment
	}
	return e
}

func target(e *auditv1.Entry, target string) *auditv1.Entry {
	e.Target = target
	return e
}

func because(e *auditv1.Entry, reason string) *auditv1.Entry {
	e.Outcome, e.Reason = refused, reason
	return e
}

// byChain is an entry of what the chain did.
func byChain(kind, target string) *auditv1.Entry {
	return &auditv1.Entry{Kind: kind, Role: audit.RoleChain, Target: target, Outcome: ok}
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// messages lists every message of the network's own modules.
func messages() []string {
	var names []string
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if f.Package().Parent() == "" || f.Package().Parent().Parent() != "phrd" {
			return true
		}
		services := f.Services()
		for i := range services.Len() {
			if services.Get(i).Name() != "Msg" {
				continue
			}
			methods := services.Get(i).Methods()
			for j := range methods.Len() {
				names = append(names, string(methods.Get(j).Input().FullName()))
			}
		}
		return true
	})
	slices.Sort(names)
	return names
}

// ofEmergencies are messages that take five hospitals; TestUnconsciousPatient has them carried out.
var ofEmergencies = []string{
	"phrd.access.v1.MsgEnableEmergency", "phrd.access.v1.MsgDisableEmergency", "phrd.access.v1.MsgRequestEmergency", "phrd.access.v1.MsgApproveEmergency",
	"phrd.access.v1.MsgReviewEmergency", "phrd.consortium.v1.MsgRotateEmergencyVault",
}

// Every message of the registry is carried out once, and its entry says who did what to whom and what came of it. The refusals that
// matter are in the log too. In the end the log holds what was done, no more and no less.
func TestEveryMessageLeavesItsEntry(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Silence(5*time.Second, time.Minute, 2*time.Minute), scenario.Epochs(10*time.Second),
		scenario.RecoveryDelay(short))
	s := &messageStory{
		t: t, net: net, clinic: net.Hospital("clinic"), er: net.Hospital("er"), north: net.Hospital("north"), south: net.Hospital("south"),
	}
	s.people()
	s.records()
	s.unlocks()
	s.consents()
	s.nodes()
	s.hospital()
	s.votes()
	s.rounds()
	s.recoveries()
	s.erasures()
	s.membership()

	executed := net.Executed()
	all := messages()
	if len(all) == 0 {
		t.Fatal("the registry names no messages")
	}
	for _, name := range all {
		if executed[name] == 0 && !slices.Contains(ofEmergencies, name) {
			t.Errorf("message %s was never carried out", name)
		}
	}
	net.HasWholeLog()
}

type messageStory struct {
	t                        *testing.T
	net                      *scenario.Network
	clinic, er, north, south *scenario.Hospital

	alice, bob *scenario.Patient
	scan       scenario.Version
}

func (s *messageStory) people() {
	t, net, clinic := s.t, s.net, s.clinic
	clinic.Revisor() // who reads the log is staff too
	admin, clerk := clinic.Admin(), clinic.Clerk()
	net.Tells(target(entryOf(admin, "admin", audit.KindStaffRegistered), clerk.Address()))
	nurse := clinic.Staff(consortiumv1.Role_ROLE_CLINICIAN, "nurse")
	if err := admin.Client().RevokeStaff(t.Context(), nurse.Address()); err != nil {
		t.Fatal(err)
	}
	net.Tells(target(entryOf(admin, "admin", audit.KindStaffRevoked), nurse.Address()))

	s.alice, s.bob = net.Patient("alice"), net.Patient("bob")
	net.Tells(&auditv1.Entry{Kind: audit.KindPatientRegistered, Actor: s.alice.Address(), Role: "patient", Patient: s.alice.Number, Outcome: ok})
	net.Tells(target(entryOf(clinic.Node(), "node", audit.KindAccountOpened), s.bob.Address()))

	invitation, err := clerk.Client().Invite(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	key := hex.EncodeToString(invitation.Key())
	net.Tells(target(entryOf(clerk, "clerk", audit.KindInvitationCreated), key))
	if err := clerk.Client().RevokeInvitation(t.Context(), invitation.Key()); err != nil {
		t.Fatal(err)
	}
	net.Tells(target(entryOf(clerk, "clerk", audit.KindInvitationRevoked), key))
	// A revoked invitation opens nothing, and the attempt is in the log.
	late := net.Stranger()
	if err := late.Client().OpenAccount(t.Context(), invitation); scenario.Reason(err) != consortium.ReasonInvitationRevoked {
		t.Fatalf("open an account with a revoked invitation: %v", err)
	}
	net.Tells(because(target(entryOf(clinic.Node(), "node", audit.KindAccountOpened), late.Address()), consortium.ReasonInvitationRevoked))
}

func (s *messageStory) records() {
	t, net, clinic := s.t, s.net, s.clinic
	s.scan = clinic.Store(s.alice, "chest.dcm")
	net.Tells(about(entryOf(clinic.Clerk(), "clerk", audit.KindStored), s.scan, scenario.Unlock{}))
	// Another hospital's clerk is not the custodian of that record.
	clerk := s.er.Clerk()
	clerk.CannotSend(&recordsv1.MsgStoreVersions{Clerk: clerk.Address(), Versions: []*recordsv1.NewVersion{net.MessageOf(s.scan)}},
		&recordsv1.MsgStoreVersionsResponse{}, records.ReasonWrongCustodian)
	net.Tells(because(about(entryOf(clerk, "clerk", audit.KindStored), s.scan, scenario.Unlock{}), records.ReasonWrongCustodian))
	if got := len(net.Copying(s.scan)); got != 2 {
		t.Fatalf("%d hospitals copy what another one stored, want 2", got)
	}
}

func (s *messageStory) unlocks() {
	net, clinic, er, alice, bob, scan := s.net, s.clinic, s.er, s.alice, s.bob, s.scan
	doctor, officer := er.Clinician(), clinic.Officer()

	unlock := doctor.Propose(scan, scenario.Treatment)
	net.Tells(about(entryOf(doctor, "clinician", audit.KindProposed), scan, unlock))
	// Who may not ask, endorse, approve, deny or withdraw is refused, and the log says so.
	if _, err := officer.Client().Propose(s.t.Context(), phr.Request{
		Versions: []phr.Ref{scan.Ref}, Purpose: scenario.Treatment, Lifetime: time.Hour,
	}); scenario.Reason(err) != access.ReasonWrongRole {
		s.t.Fatalf("an officer proposes: %v", err)
	}
	refusedProposal := about(entryOf(officer, "officer", audit.KindProposed), scan, scenario.Unlock{})
	refusedProposal.Purpose = scenario.Treatment
	net.Tells(because(refusedProposal, access.ReasonWrongRole))

	other := er.Officer()
	other.CannotSend(&accessv1.MsgEndorseUnlock{Officer: other.Address(), Unlock: unlock.ID}, &accessv1.MsgEndorseUnlockResponse{}, access.ReasonWrongHospital)
	net.Tells(because(about(entryOf(other, "officer", audit.KindEndorsed), scan, unlock), access.ReasonWrongHospital))
	officer.Endorse(unlock)
	net.Tells(about(entryOf(officer, "officer", audit.KindEndorsed), scan, unlock))

	byBob := func(kind, reason string) *auditv1.Entry {
		e := &auditv1.Entry{Kind: kind, Actor: bob.Address(), Role: "patient"}
		return because(about(e, scan, unlock), reason)
	}
	bob.CannotSend(bob.Approval(unlock), &accessv1.MsgApproveUnlockResponse{}, access.ReasonNotOwner)
	net.Tells(byBob(audit.KindApproved, access.ReasonNotOwner))
	bob.CannotDeny(unlock, access.ReasonNotParty)
	net.Tells(byBob(audit.KindDenied, access.ReasonNotParty))
	bob.CannotSend(&accessv1.MsgWithdrawUnlock{Signer: bob.Address(), Unlock: unlock.ID}, &accessv1.MsgWithdrawUnlockResponse{}, access.ReasonNotParty)
	net.Tells(byBob(audit.KindWithdrawn, access.ReasonNotParty))

	alice.Approve(unlock)
	byAlice := func(kind string, u scenario.Unlock) *auditv1.Entry {
		return about(&auditv1.Entry{Kind: kind, Actor: alice.Address(), Role: "patient", Outcome: ok}, scan, u)
	}
	net.Tells(byAlice(audit.KindApproved, unlock))
	er.Opens(scan)
	net.Tells(about(byChain(audit.KindReleased, ""), scan, unlock))
	net.History(scan, "stored", "stored: "+records.ReasonWrongCustodian, "proposed", "proposed: wrong_role", "endorsed: wrong_hospital", "endorsed",
		"approved: not_owner", "denied: not_party", "withdrawn: not_party", "approved", "released", "opened")

	// A holder gives its own share and no other's.
	node := clinic.Node()
	answer := &custodyv1.MsgSubmitSharesResponse{}
	if err := node.Send(&custodyv1.MsgSubmitShares{Node: node.Address(), Shares: []*custodyv1.Share{net.ShareOfOthers(unlock, clinic)}}, answer); err != nil {
		s.t.Fatal(err)
	}
	if got := answer.GetResults()[0].GetReason(); got != custody.ReasonForeignHolder {
		s.t.Fatalf("a holder gives another one's share: %q", got)
	}
	foreign := about(entryOf(node, "node", audit.KindShareGiven), scan, unlock)
	foreign.Purpose = ""
	net.ToldOf(because(foreign, custody.ReasonForeignHolder))

	alice.Withdraw(unlock)
	net.Tells(byAlice(audit.KindWithdrawn, unlock))
	clinic.RotateVault(2)
	net.Tells(target(entryOf(clinic.Admin(), "admin", audit.KindMemberVaultRotated), "2"))
	alice.RotateVault(phr.VaultChange{})
	net.Tells(target(byPatient(alice, audit.KindVaultWritten), "2"))
	alice.Reseal(scan)
	alice.Relock(scan)
	for _, kind := range []string{audit.KindResealed, audit.KindRelocked, audit.KindRelockConfirmed} {
		net.Tells(byAlice(kind, scenario.Unlock{}))
	}
	former := bob.ChangeWallet(er)
	net.Tells(target(byPatient(former, audit.KindWalletChanged), bob.Address()))
	denied := doctor.Propose(scan, scenario.Treatment)
	alice.Deny(denied)
	net.Tells(byAlice(audit.KindDenied, denied))
}

// consents are granted to those whose programs have a vault, and used by those to whom they were granted.
func (s *messageStory) consents() {
	net, alice, bob, doctor, officer := s.net, s.alice, s.bob, s.er.Clinician(), s.clinic.Officer()
	admin := s.er.Admin()
	doctor.PublishesVault()
	net.Tells(target(entryOf(doctor, "clinician", audit.KindStaffVaultPublished), doctor.Address()))
	doctor.WorksAt(7)
	net.Tells(target(entryOf(admin, "admin", audit.KindStaffUpdated), doctor.Address()))

	by := func(p *scenario.Patient, kind string, consent uint64) *auditv1.Entry {
		e := &auditv1.Entry{Kind: kind, Actor: p.Address(), Role: "patient", Patient: alice.Number, Purpose: scenario.Treatment, Outcome: ok}
		return target(e, number(consent))
	}
	consent := alice.ConsentsTo(doctor)
	net.Tells(by(alice, audit.KindConsentGranted, consent))
	bob.CannotSend(&accessv1.MsgWithdrawConsent{Owner: bob.Address(), Consent: consent}, &accessv1.MsgWithdrawConsentResponse{}, access.ReasonNotOwner)
	net.Tells(because(by(bob, audit.KindConsentWithdrawn, consent), access.ReasonNotOwner))

	scan := s.clinic.Store(alice, "knee.dcm")
	unlock := doctor.Propose(scan, scenario.Treatment)
	officer.Endorse(unlock)
	officer.CannotUse(unlock, consent, access.ReasonNotRequester)
	net.Tells(because(target(about(entryOf(officer, "officer", audit.KindConsentUsed), scan, unlock), number(consent)), access.ReasonNotRequester))
	doctor.Opens(scan)
	net.Tells(target(about(entryOf(doctor, "clinician", audit.KindConsentUsed), scan, unlock), number(consent)))
	net.History(scan, "stored", "proposed", "endorsed", "consent_used: not_requester", "consent_used", "released", "opened")

	alice.WithdrawsConsent(consent)
	net.Tells(by(alice, audit.KindConsentWithdrawn, consent))
	net.Tells(target(about(byChain(audit.KindWithdrawn, ""), scan, unlock), number(consent)))
}

// recoveries begin with guardians, and end with another wallet; or with a word of who still has the old one.
func (s *messageStory) recoveries() {
	net, clinic, er, alice := s.net, s.clinic, s.er, s.alice
	s.decide(&custodyv1.MsgStartGeneration{Authority: phr.Authority(), Kind: custodyv1.KeyKind_KEY_KIND_GUARDIANS})
	clinic.RecordsKey(isWhole)
	carol, dave := net.Patient("carol"), net.Patient("dave")
	alice.NamesGuardians(short, carol, dave)
	net.Tells(byPatient(alice, audit.KindGuardiansSet))
	ofAge := time.Now().Add(20 * 365 * 24 * time.Hour).UTC()
	carol.HandsOver(ofAge)
	net.Tells(target(byPatient(carol, audit.KindHandOverSet), ofAge.Format(time.RFC3339)))
	about := func(e *auditv1.Entry, unlock string, recovery uint64) *auditv1.Entry {
		e.Patient, e.Unlock = alice.Number, unlock
		return target(e, number(recovery))
	}
	by := func(p scenario.Person, kind string) *auditv1.Entry {
		return &auditv1.Entry{Kind: kind, Actor: p.Address(), Role: "patient", Outcome: ok}
	}
	first := clinic.Newcomer()
	recovery := first.AsksToRecover(alice)
	unlock := clinic.UnlockOf(recovery)
	net.Tells(about(by(first, audit.KindRecoveryProposed), unlock, recovery))
	officer := er.Officer()
	officer.CannotSend(&accessv1.MsgCancelRecovery{Signer: officer.Address(), Recovery: recovery}, &accessv1.MsgCancelRecoveryResponse{}, access.ReasonNotParty)
	net.Tells(because(about(entryOf(officer, "officer", audit.KindRecoveryCancelled), unlock, recovery), access.ReasonNotParty))
	alice.CancelsRecovery(recovery)
	net.Tells(about(by(alice.Person, audit.KindRecoveryCancelled), unlock, recovery))

	next := clinic.Newcomer()
	recovery = next.AsksToRecover(alice)
	unlock = clinic.UnlockOf(recovery)
	carol.SupportsRecovery(recovery)
	dave.SupportsRecovery(recovery)
	approved := about(by(dave.Person, audit.KindRecoveryApproved), unlock, recovery)
	approved.Count = 2
	net.Tells(approved)
	s.alice = next.TakesPlaceOf(recovery, alice, "")
	net.Tells(about(byChain(audit.KindRecoveryReleased, ""), unlock, recovery))
	net.Tells(about(by(next, audit.KindWalletRecovered), unlock, recovery))
}

func (s *messageStory) nodes() {
	net, scan := s.net, s.scan
	holder := net.Copying(scan)[0]
	node := holder.Node()
	if err := node.Send(&storagev1.MsgReportLostCopies{Node: node.Address(), Objects: []string{scan.Object.String()}}, &storagev1.MsgReportLostCopiesResponse{}); err != nil {
		s.t.Fatal(err)
	}
	lost := target(about(entryOf(node, "node", audit.KindCopyLost), scan, scenario.Unlock{}), scan.Object.String())
	lost.Count = 2
	net.ToldOf(lost)
	// The node reads back what it has and confirms it again.
	s.clinic.HasCopies(scan, 3)
	again := target(about(entryOf(node, "node", audit.KindReplicated), scan, scenario.Unlock{}), scan.Object.String())
	again.Count = 3
	net.ToldOf(again) // meanwhile it may have confirmed others

	// That a node is there is for the node to say.
	clerk := s.clinic.Clerk()
	clerk.CannotSend(&storagev1.MsgHeartbeat{Node: clerk.Address(), Free: 1 << 40}, &storagev1.MsgHeartbeatResponse{}, "phrd-ante/8")

	// A node that is to hold no copy confirms none.
	stranger := net.Without(scan).Node()
	answer := &storagev1.MsgConfirmCopiesResponse{}
	if err := stranger.Send(&storagev1.MsgConfirmCopies{Node: stranger.Address(), Objects: []string{scan.Object.String()}}, answer); err != nil {
		s.t.Fatal(err)
	}
	if got := answer.GetResults()[0].GetReason(); got != storage.ReasonNotAssigned {
		s.t.Fatalf("a node confirms a copy that it is not to hold: %q", got)
	}
	net.ToldOf(because(target(about(entryOf(stranger, "node", audit.KindReplicated), scan, scenario.Unlock{}), scan.Object.String()), storage.ReasonNotAssigned))

	// Who holds something proves it. What nobody was asked for nobody disputes.
	asked := net.HaveProven(3, 0)
	disputed := &storagev1.MsgDisputeProofsResponse{}
	if err := node.Send(&storagev1.MsgDisputeProofs{
		Node: node.Address(), Disputes: []*storagev1.Dispute{{Epoch: asked.GetNumber() + 100, Accused: 1}},
	}, disputed); err != nil {
		s.t.Fatal(err)
	}
	if got := disputed.GetResults()[0].GetReason(); got != storage.ReasonUnknownChallenge {
		s.t.Fatalf("a node disputes a proof of an epoch to come: %q", got)
	}
	net.Tells(because(target(entryOf(node, "node", audit.KindProofDisputed), number(1)), storage.ReasonUnknownChallenge))
}

// erasures need an officer's signature once the members have voted for that.
func (s *messageStory) erasures() {
	net, alice, scan := s.net, s.alice, s.scan
	request := alice.Erase(scan)
	asked := about(&auditv1.Entry{Kind: audit.KindErasureAsked, Actor: alice.Address(), Role: "patient", Outcome: ok}, scan, scenario.Unlock{})
	net.Tells(target(asked, number(request)))
	s.er.Officer().CannotSend(&recordsv1.MsgApproveErasure{Officer: s.er.Officer().Address(), Request: request}, &recordsv1.MsgApproveErasureResponse{},
		records.ReasonWrongHospital)
	s.clinic.ApproveErasure(request)
	net.Tells(target(about(entryOf(s.clinic.Officer(), "officer", audit.KindErased), scan, scenario.Unlock{}), number(request)))
	// The machine that beat once and has no server attests nothing.
	if c := alice.Certificate(scan, 1); c.GetVersion().GetTombstone().GetApprovedBy() != s.clinic.Officer().Address() {
		s.t.Errorf("approved by %v", c.GetVersion().GetTombstone())
	}
}

func (s *messageStory) hospital() {
	t, net, clinic := s.t, s.net, s.clinic
	admin := clinic.Admin()
	site := &consortiumv1.MsgAddSiteResponse{}
	if err := admin.Send(&consortiumv1.MsgAddSite{Admin: admin.Address(), Name: "annex", TimeZone: "Europe/Vienna"}, site); err != nil {
		t.Fatal(err)
	}
	net.Tells(target(entryOf(admin, "admin", audit.KindSiteAdded), number(site.GetNumber())))

	peer, machine := scenario.NewPeer(t), net.Stranger()
	node := &consortiumv1.MsgRegisterStorageNodeResponse{}
	if err := admin.Send(clinic.Registration(site.GetNumber(), peer, machine), node); err != nil {
		t.Fatal(err)
	}
	net.Tells(target(entryOf(admin, "admin", audit.KindStorageNodeRegistered), number(node.GetNumber())))
	if err := admin.Send(&consortiumv1.MsgUpdateStorageNode{Admin: admin.Address(), Number: node.GetNumber(), Capacity: 1 << 31}, &consortiumv1.MsgUpdateStorageNodeResponse{}); err != nil {
		t.Fatal(err)
	}
	net.Tells(target(entryOf(admin, "admin", audit.KindStorageNodeUpdated), number(node.GetNumber())))
	// It says that it is there, and nobody else says so for it.
	if err := machine.Send(&storagev1.MsgHeartbeat{Node: machine.Address(), Free: 1 << 29}, &storagev1.MsgHeartbeatResponse{}); err != nil {
		t.Fatal(err)
	}
	beaten := clinic.Health().GetNodes()[node.GetNumber()-1]
	if beaten.GetBeatAt() == 0 || beaten.GetFree() != 1<<29 || beaten.GetStatus() != storagev1.NodeStatus_NODE_STATUS_ALIVE {
		t.Fatalf("after a heartbeat the node is %v", beaten)
	}
	if err := admin.Send(&consortiumv1.MsgRetireStorageNode{Admin: admin.Address(), Number: node.GetNumber()}, &consortiumv1.MsgRetireStorageNodeResponse{}); err != nil {
		t.Fatal(err)
	}
	net.Tells(target(entryOf(admin, "admin", audit.KindStorageNodeRetired), number(node.GetNumber())))
	s.sites(admin, site.GetNumber())

	self, err := admin.Client().Member(t.Context(), clinic.Number())
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.Send(&consortiumv1.MsgUpdateMember{Admin: admin.Address(), GatewayUrl: self.GetGatewayUrl()}, &consortiumv1.MsgUpdateMemberResponse{}); err != nil {
		t.Fatal(err)
	}
	net.Tells(target(entryOf(admin, "admin", audit.KindMemberUpdated), number(clinic.Number())))
}

// sites change, and go when nothing stands there any more.
func (s *messageStory) sites(admin scenario.Staff, number uint64) {
	for _, c := range []struct {
		kind         string
		msg, answers proto.Message
	}{
		{audit.KindSiteUpdated, &consortiumv1.MsgUpdateSite{Admin: admin.Address(), Number: number, Name: "north wing"}, &consortiumv1.MsgUpdateSiteResponse{}},
		{audit.KindSiteRemoved, &consortiumv1.MsgRemoveSite{Admin: admin.Address(), Number: number}, &consortiumv1.MsgRemoveSiteResponse{}},
	} {
		if err := admin.Send(c.msg, c.answers); err != nil {
			s.t.Fatalf("%s: %v", c.kind, err)
		}
		s.net.Tells(target(entryOf(admin, "admin", c.kind), strconv.FormatUint(number, 10)))
	}
}

func (s *messageStory) votes() {
	t, net, clinic := s.t, s.net, s.clinic
	admin := clinic.Admin()
	q := admin.Client()
	accessParams, err := accessv1.NewQueryClient(q).Params(t.Context(), &accessv1.QueryParamsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	custodyParams, err := custodyv1.NewQueryClient(q).Params(t.Context(), &custodyv1.QueryParamsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	recordsParams, err := recordsv1.NewQueryClient(q).Params(t.Context(), &recordsv1.QueryParamsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	recordsParams.Params.ErasureCountersign = true
	storageParams, err := storagev1.NewQueryClient(q).Params(t.Context(), &storagev1.QueryParamsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	consortiumParams, err := consortiumv1.NewQueryClient(q).Params(t.Context(), &consortiumv1.QueryParamsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	// A suspended member can't prove what it holds.
	storageParams.GetParams().ChallengeInterval = 0
	by := phr.Authority()
	// What the members have not decided nobody does.
	for signer, reason := range map[string]string{admin.Address(): "phrd-ante/8", by: "phrd-ante/7"} {
		admin.CannotSend(&accessv1.MsgUpdateParams{Authority: signer, Params: accessParams.GetParams()}, &accessv1.MsgUpdateParamsResponse{}, reason)
	}

	rules := s.decide(
		&accessv1.MsgUpdateParams{Authority: by, Params: accessParams.GetParams()},
		&custodyv1.MsgUpdateParams{Authority: by, Params: custodyParams.GetParams()},
		&recordsv1.MsgUpdateParams{Authority: by, Params: recordsParams.GetParams()},
		&storagev1.MsgUpdateParams{Authority: by, Params: storageParams.GetParams()},
	)
	net.Tells(byChain(audit.KindProposalExecuted, number(rules)))
	net.Tells(byChain(audit.KindParamsChanged, "storage"))

	successor := net.Stranger()
	suspended := s.decide(
		&consortiumv1.MsgUpdateParams{Authority: by, Params: consortiumParams.GetParams()},
		&consortiumv1.MsgReplaceAdmin{Authority: by, Member: s.south.Number(), Admin: successor.Address()},
		&consortiumv1.MsgSuspendMember{Authority: by, Member: s.south.Number()},
	)
	net.Tells(byChain(audit.KindProposalExecuted, number(suspended)))
	net.Tells(byChain(audit.KindParamsChanged, "consortium"))
	net.Tells(byChain(audit.KindAdminReplaced, number(s.south.Number())))
	net.Tells(byChain(audit.KindMemberSuspended, number(s.south.Number())))

	reinstated := s.decide(&consortiumv1.MsgReinstateMember{Authority: by, Member: s.south.Number()})
	net.Tells(byChain(audit.KindProposalExecuted, number(reinstated)))
	net.Tells(byChain(audit.KindMemberReinstated, number(s.south.Number())))
	s.succession(successor)

	s.auditors()

	taken, err := admin.Client().ProposeSuspension(t.Context(), s.south.Number())
	if err != nil {
		t.Fatal(err)
	}
	net.Tells(target(entryOf(admin, "admin", audit.KindProposalSubmitted), number(taken)))
	if err := admin.Client().WithdrawProposal(t.Context(), taken); err != nil {
		t.Fatal(err)
	}
	net.Tells(target(entryOf(admin, "admin", audit.KindProposalWithdrawn), number(taken)))
	if err := s.er.Admin().Client().Vote(t.Context(), taken, true); scenario.Reason(err) != consortium.ReasonClosed {
		t.Fatalf("vote on a proposal that was taken back: %v", err)
	}
	net.Tells(because(target(entryOf(s.er.Admin(), "admin", audit.KindProposalVoted), number(taken)), consortium.ReasonClosed))
}

// auditors are appointed by the members and dismissed by them.
func (s *messageStory) auditors() {
	by, revisor := phr.Authority(), s.net.Stranger()
	appoint := &consortiumv1.MsgAppointAuditor{Authority: by, Auditor: revisor.Address(), Hospitals: []uint64{s.er.Number()}, Until: time.Now().Add(time.Hour).Unix()}
	s.decide(appoint)
	s.net.Tells(byChain(audit.KindAuditorAppointed, revisor.Address()))
	s.net.SeesWhatConcerns(revisor, s.er)
	s.net.SeesWhatConcerns(s.clinic.Revisor().Person, s.clinic)
	s.decide(&consortiumv1.MsgDismissAuditor{Authority: by, Auditor: revisor.Address()})
	s.net.Tells(byChain(audit.KindAuditorDismissed, revisor.Address()))
	if _, err := revisor.Client().Entry(s.t.Context(), 1); !errors.Is(err, phr.ErrForbidden) {
		s.t.Fatalf("who was dismissed reads the log: %v", err)
	}
}

// rounds renew the shares of the records key, in spite of a complaint without need, and make a new key.
func (s *messageStory) rounds() {
	net, clinic, south := s.net, s.clinic, s.south
	by, kind := phr.Authority(), custodyv1.KeyKind_KEY_KIND_RECORDS
	before := clinic.Reshared(0, 4).Key.GetShareEpoch() // it was renewed while south was suspended, and when it was back
	stop := south.Rogue(clinic, func(m proto.Message) proto.Message {
		if c, is := m.(*custodyv1.MsgSubmitComplaint); is {
			c.Dealers = []uint64{clinic.Number()}
		}
		return m
	})
	s.decide(&custodyv1.MsgStartReshare{Authority: by, Kind: kind, Generation: 1})
	clinic.Reshared(before+1, 4)
	stop()
	south.Start()
	round := "1/1/" + number(before+1)
	net.Tells(atFirst(byChain(audit.KindRoundStarted, round)))
	// South, whose rogue kept what it got to itself, asks for another share at once, which comes too soon.
	for _, h := range net.Hospitals() {
		net.ToldOf(atFirst(target(entryOf(h.Node(), "node", audit.KindRoundKeyPublished), round)))
		net.ToldOf(atFirst(target(entryOf(h.Node(), "node", audit.KindDealt), round)))
		checked := audit.KindDealsChecked
		if h.Number() == south.Number() {
			checked = audit.KindDealsDisputed
		}
		net.ToldOf(atFirst(target(entryOf(h.Node(), "node", checked), round)))
		net.ToldOf(atFirst(target(entryOf(h.Node(), "node", audit.KindShareConfirmed), round)))
	}
	net.Tells(atFirst(target(entryOf(clinic.Node(), "node", audit.KindDealJustified), round)))
	net.Tells(atFirst(byChain(audit.KindSharesRenewed, round)))
	node := clinic.Node()
	node.CannotSend(&custodyv1.MsgConfirmShare{Node: node.Address(), Kind: kind, Generation: 1, Round: make([]byte, 64), Possession: make([]byte, 96)},
		&custodyv1.MsgConfirmShareResponse{}, custody.ReasonWrongRound)
	net.Tells(because(target(entryOf(node, "node", audit.KindShareConfirmed), "1/1/0"), custody.ReasonWrongRound))

	s.decide(&custodyv1.MsgStartGeneration{Authority: by, Kind: kind})
	clinic.RecordsKey(isWhole)
	net.Tells(atFirst(byChain(audit.KindKeyMade, "1/2/1")))
}

// succession is an admin's who takes a new key.
func (s *messageStory) succession(admin scenario.Person) {
	next := s.net.Stranger()
	m := &consortium.MsgRotateMemberKeys{AdminKey: next.Key().PublicKey()}
	m.AdminSignature = next.Key().Sign(m.Digest(s.net.ID(), s.south.Number()))
	sent := home.Rotated(m)
	sent.Admin = admin.Address()
	// The account may not ask any more what became of it; the log tells.
	if _, err := admin.Broadcast(admin.Sign(scenario.ChainID, sent), sent); err != nil {
		s.t.Fatal(err)
	}
	entry := func(kind, on string) *auditv1.Entry {
		return &auditv1.Entry{Kind: kind, Actor: admin.Address(), Role: "admin", Hospital: s.south.Number(), Target: on, Outcome: ok}
	}
	s.net.Tells(entry(audit.KindMemberKeysRotated, number(s.south.Number())))
	s.net.Tells(entry(audit.KindStaffRevoked, admin.Address()))
	s.net.Tells(entry(audit.KindStaffRegistered, next.Address()))
}

// membership changes last: no server of the fifth hospital ever runs.
func (s *messageStory) membership() {
	net := s.net
	east := net.NewHospital("east")
	const fifth = 5
	by := phr.Authority()
	changed := s.decide(
		&consortiumv1.MsgAdmitMember{Authority: by, Hospital: east.Declared()},
		&consortiumv1.MsgSuspendMember{Authority: by, Member: fifth},
		&consortiumv1.MsgRemoveMember{Authority: by, Member: fifth},
	)
	net.Tells(byChain(audit.KindProposalExecuted, number(changed)))
	for _, kind := range []string{audit.KindMemberAdmitted, audit.KindMemberSuspended, audit.KindMemberRemoved} {
		net.Tells(byChain(kind, number(fifth)))
	}
	admin := s.north.Admin()
	answer := &consortiumv1.MsgRequestLeaveResponse{}
	if err := admin.Send(&consortiumv1.MsgRequestLeave{Admin: admin.Address()}, answer); err != nil {
		s.t.Fatal(err)
	}
	leaving := target(entryOf(admin, "admin", audit.KindMemberLeaving), number(s.north.Number()))
	leaving.Count = answer.GetCopies()
	net.Tells(leaving)
}

// decide has three of four hospitals accept a proposal, and one of them try to vote twice.
func (s *messageStory) decide(messages ...proto.Message) uint64 {
	s.t.Helper()
	proposal, err := s.clinic.Admin().Client().ProposeToMembers(s.t.Context(), messages...)
	if err != nil {
		s.t.Fatal(err)
	}
	for i, h := range []*scenario.Hospital{s.clinic, s.er, s.north} {
		admin := h.Admin()
		if err := admin.Client().Vote(s.t.Context(), proposal, true); err != nil {
			s.t.Fatal(err)
		}
		s.net.Tells(target(entryOf(admin, "admin", audit.KindProposalVoted), number(proposal)))
		if i > 0 {
			continue
		}
		if err := admin.Client().Vote(s.t.Context(), proposal, false); scenario.Reason(err) != consortium.ReasonAlreadyVoted {
			s.t.Fatalf("a hospital votes twice: %v", err)
		}
		s.net.Tells(because(target(entryOf(admin, "admin", audit.KindProposalVoted), number(proposal)), consortium.ReasonAlreadyVoted))
		// Who is no admin has no vote, and the attempt is in the log.
		clerk := h.Clerk()
		clerk.CannotSend(&consortiumv1.MsgVote{Voter: clerk.Address(), Proposal: proposal, Accept: true}, &consortiumv1.MsgVoteResponse{}, consortium.ReasonWrongRole)
		s.net.Tells(because(target(entryOf(clerk, "clerk", audit.KindProposalVoted), number(proposal)), consortium.ReasonWrongRole))
	}
	return proposal
}
