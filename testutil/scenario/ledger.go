package scenario

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/x/audit"
)

// line is what an entry must say of an operation.
type line struct {
	height              int64
	kind, actor, reason string
}

func (l line) String() string { return fmt.Sprintf("%d %s %s %s", l.height, l.kind, l.actor, l.reason) }

// ledger counts from outside what the log must hold: it knows the messages in the blocks, the answers to them, and nothing of the
// chain's state.
type ledger struct {
	threshold  int
	lines      []line
	attested   map[string]bool // erasures that are attested, by node account and number
	shares     map[string]int  // shares that the chain took, by unlock
	boxes      map[string]bool // unlocks for the emergency key
	hospitals  int
	recoveries map[string]bool // unlocks that are recoveries'
	forOthers  map[uint64]bool // recoveries after which the account acts for the patient
	types      map[string]int  // messages by full name
}

func newLedger(hospitals int) *ledger {
	return &ledger{
		threshold: 2*hospitals/3 + 1, hospitals: hospitals, attested: map[string]bool{}, shares: map[string]int{}, boxes: map[string]bool{}, recoveries: map[string]bool{},
		forOthers: map[uint64]bool{}, types: map[string]int{},
	}
}

// thresholdOf is how many shares release an unlock.
func (l *ledger) thresholdOf(unlock string) int {
	if l.boxes[unlock] {
		return max(l.threshold+1, (5*l.hospitals+5)/6)
	}
	return l.threshold
}

func (l *ledger) add(o Operation, kind, actor, reason string) {
	l.lines = append(l.lines, line{o.Height, kind, actor, reason})
}

// count adds the lines that an operation must have left.
func (l *ledger) count(o Operation) error {
	l.types[string(o.Message.ProtoReflect().Descriptor().FullName())]++
	switch m := o.Message.(type) {
	case *consortiumv1.MsgSubmitProposal:
		l.add(o, audit.KindProposalSubmitted, m.GetProposer(), "")
	case *consortiumv1.MsgVote:
		l.add(o, audit.KindProposalVoted, m.GetVoter(), reasonOf(o.Answer))
	case *consortiumv1.MsgWithdrawProposal:
		l.add(o, audit.KindProposalWithdrawn, m.GetProposer(), "")
	case *consortiumv1.MsgUpdateMember:
		l.add(o, audit.KindMemberUpdated, m.GetAdmin(), "")
	case *consortiumv1.MsgRotateMemberKeys:
		l.add(o, audit.KindMemberKeysRotated, m.GetAdmin(), "")
		if len(m.GetAdminKey()) > 0 {
			l.add(o, audit.KindStaffRevoked, m.GetAdmin(), "")
			l.add(o, audit.KindStaffRegistered, m.GetAdmin(), "")
		}
	case *consortiumv1.MsgRotateMemberVault:
		l.add(o, audit.KindMemberVaultRotated, m.GetAdmin(), "")
	case *consortiumv1.MsgRotateEmergencyVault:
		l.add(o, audit.KindEmergencyVaultRotated, m.GetAdmin(), "")
	case *consortiumv1.MsgRequestLeave:
		l.add(o, audit.KindMemberLeaving, m.GetAdmin(), "")
	case *consortiumv1.MsgUpdateStorageNode:
		l.add(o, audit.KindStorageNodeUpdated, m.GetAdmin(), "")
	case *consortiumv1.MsgAddSite:
		l.add(o, audit.KindSiteAdded, m.GetAdmin(), "")
	case *consortiumv1.MsgUpdateSite:
		l.add(o, audit.KindSiteUpdated, m.GetAdmin(), "")
	case *consortiumv1.MsgRemoveSite:
		l.add(o, audit.KindSiteRemoved, m.GetAdmin(), "")
	case *consortiumv1.MsgRegisterStorageNode:
		l.add(o, audit.KindStorageNodeRegistered, m.GetAdmin(), "")
	case *consortiumv1.MsgRetireStorageNode:
		l.add(o, audit.KindStorageNodeRetired, m.GetAdmin(), "")
	case *consortiumv1.MsgRegisterStaff:
		l.add(o, audit.KindStaffRegistered, m.GetAdmin(), "")
	case *consortiumv1.MsgRevokeStaff:
		l.add(o, audit.KindStaffRevoked, m.GetAdmin(), "")
	case *consortiumv1.MsgCreateInvitation:
		l.add(o, audit.KindInvitationCreated, m.GetInviter(), "")
	case *consortiumv1.MsgRevokeInvitation:
		l.add(o, audit.KindInvitationRevoked, m.GetInviter(), "")
	case *consortiumv1.MsgOpenAccount:
		l.add(o, audit.KindAccountOpened, m.GetNode(), reasonOf(o.Answer))
	case *consortiumv1.MsgReportSessions:
		return l.countSessions(o, m)
	default:
		return l.countRecords(o)
	}
	return nil
}

// sessionKinds are the kinds of entries that session reports become.
var sessionKinds = map[consortiumv1.SessionKind]string{
	consortiumv1.SessionKind_SESSION_KIND_LOGGED_IN:       audit.KindLoggedIn,
	consortiumv1.SessionKind_SESSION_KIND_LOGIN_FAILED:    audit.KindLoginFailed,
	consortiumv1.SessionKind_SESSION_KIND_LOGGED_OUT:      audit.KindLoggedOut,
	consortiumv1.SessionKind_SESSION_KIND_SESSION_ENDED:   audit.KindSessionEnded,
	consortiumv1.SessionKind_SESSION_KIND_WEBHOOK_ADDED:   audit.KindWebhookAdded,
	consortiumv1.SessionKind_SESSION_KIND_WEBHOOK_REMOVED: audit.KindWebhookRemoved,
	consortiumv1.SessionKind_SESSION_KIND_LOG_READ:        audit.KindLogRead,

	consortiumv1.SessionKind_SESSION_KIND_PEPPER_DEPOSITED: audit.KindPepperDeposited,
	consortiumv1.SessionKind_SESSION_KIND_PEPPER_COLLECTED: audit.KindPepperCollected,
	consortiumv1.SessionKind_SESSION_KIND_PEPPER_REFUSED:   audit.KindPepperRefused,
	consortiumv1.SessionKind_SESSION_KIND_PEPPER_ADMITTED:  audit.KindPepperAdmitted,
	consortiumv1.SessionKind_SESSION_KIND_PEPPER_DELETED:   audit.KindPepperDeleted,
}

func (l *ledger) countSessions(o Operation, m *consortiumv1.MsgReportSessions) error {
	answer, ok := o.Answer.(*consortiumv1.MsgReportSessionsResponse)
	if !ok {
		return fmt.Errorf("answer of type %T", o.Answer)
	}
	// What was reported before is skipped, and numbers rise: the new ones are the last.
	for _, r := range m.GetReports()[len(m.GetReports())-int(answer.GetWritten()):] {
		actor, reason := r.GetAccount(), r.GetReason()
		if actor == "" {
			actor = m.GetNode()
		}
		if r.GetRefused() {
			reason = "refused_by_gateway"
		}
		l.add(o, sessionKinds[r.GetKind()], actor, reason)
	}
	return nil
}

func (l *ledger) countRecords(o Operation) error {
	switch m := o.Message.(type) {
	case *recordsv1.MsgRegisterPatient:
		l.add(o, audit.KindPatientRegistered, m.GetAddress(), "")
	case *recordsv1.MsgStoreVersions:
		if refused(o.Answer) {
			l.add(o, audit.KindStored, m.GetClerk(), reasonOf(o.Answer))
			return nil
		}
		for range m.GetVersions() {
			l.add(o, audit.KindStored, m.GetClerk(), "")
		}
	case *recordsv1.MsgReportAccess:
		answer, ok := o.Answer.(*recordsv1.MsgReportAccessResponse)
		if !ok {
			return fmt.Errorf("answer of type %T", o.Answer)
		}
		// What was reported before is skipped, and numbers rise: the new ones are the last.
		for _, r := range m.GetReports()[len(m.GetReports())-int(answer.GetWritten()):] {
			reason := ""
			if r.GetRefused() {
				reason = "refused_by_gateway"
			}
			l.add(o, audit.KindOpened, r.GetReader(), reason)
		}
	case *storagev1.MsgConfirmCopies:
		answer, ok := o.Answer.(*storagev1.MsgConfirmCopiesResponse)
		if !ok {
			return fmt.Errorf("answer of type %T", o.Answer)
		}
		l.countCopies(o, audit.KindReplicated, m.GetNode(), answer.GetResults())
	case *storagev1.MsgReportLostCopies:
		answer, ok := o.Answer.(*storagev1.MsgReportLostCopiesResponse)
		if !ok {
			return fmt.Errorf("answer of type %T", o.Answer)
		}
		l.countCopies(o, audit.KindCopyLost, m.GetNode(), answer.GetResults())
	case *storagev1.MsgDisputeProofs:
		answer, ok := o.Answer.(*storagev1.MsgDisputeProofsResponse)
		if !ok {
			return fmt.Errorf("answer of type %T", o.Answer)
		}
		for _, r := range answer.GetResults() {
			l.add(o, audit.KindProofDisputed, m.GetNode(), r.GetReason())
		}
	case *storagev1.MsgHeartbeat, *storagev1.MsgSubmitProofs:
		// That a node is there, and has what it holds, is no entry. Where one was lost, its own story tells that it returned.
	default:
		return l.countErasures(o)
	}
	return nil
}

func (l *ledger) countErasures(o Operation) error {
	switch m := o.Message.(type) {
	case *recordsv1.MsgEraseVersions:
		answer, ok := o.Answer.(*recordsv1.MsgEraseVersionsResponse)
		if !ok {
			return fmt.Errorf("answer of type %T", o.Answer)
		}
		kind := audit.KindErased
		if refused(o.Answer) || answer.GetRequest() != 0 {
			kind = audit.KindErasureAsked
		}
		l.add(o, kind, m.GetOwner(), reasonOf(o.Answer))
	case *recordsv1.MsgApproveErasure:
		l.add(o, audit.KindErased, m.GetOfficer(), reasonOf(o.Answer))
	case *recordsv1.MsgReplaceEnvelopes:
		l.add(o, audit.KindResealed, m.GetOwner(), reasonOf(o.Answer))
	case *recordsv1.MsgRelockVersions:
		l.add(o, audit.KindRelocked, m.GetOwner(), reasonOf(o.Answer))
	case *recordsv1.MsgConfirmRelock:
		l.add(o, audit.KindRelockConfirmed, m.GetOwner(), reasonOf(o.Answer))
	case *recordsv1.MsgRotateWallet:
		l.add(o, audit.KindWalletChanged, m.GetAddress(), reasonOf(o.Answer))
	case *recordsv1.MsgRotateVault:
		kind := audit.KindVaultWritten
		if len(m.GetVaultKey()) > 0 {
			kind = audit.KindVaultRotated
		}
		l.add(o, kind, m.GetAddress(), reasonOf(o.Answer))
	case *storagev1.MsgAttestErasures:
		answer, ok := o.Answer.(*storagev1.MsgAttestErasuresResponse)
		if !ok {
			return fmt.Errorf("answer of type %T", o.Answer)
		}
		for _, r := range answer.GetResults() {
			place := fmt.Sprintf("%s %d", m.GetNode(), r.GetNumber())
			if !l.attested[place] || r.GetOutcome() == auditv1.Outcome_OUTCOME_REFUSED {
				l.add(o, audit.KindErasureAttested, m.GetNode(), r.GetReason())
			}
			l.attested[place] = true
		}
	default:
		return l.countUnlocks(o)
	}
	return nil
}

// countCopies adds a line for each copy that changed, and for each refusal. Only the answer says whether one changed, for the chain takes
// copies from nodes by itself.
func (l *ledger) countCopies(o Operation, kind, node string, results []*storagev1.CopyResult) {
	for _, r := range results {
		if r.GetChanged() || r.GetOutcome() == auditv1.Outcome_OUTCOME_REFUSED {
			l.add(o, kind, node, r.GetReason())
		}
	}
}

func (l *ledger) countUnlocks(o Operation) error {
	switch m := o.Message.(type) {
	case *accessv1.MsgProposeUnlock:
		l.add(o, audit.KindProposed, m.GetRequester(), reasonOf(o.Answer))
	case *accessv1.MsgEndorseUnlock:
		l.add(o, audit.KindEndorsed, m.GetOfficer(), reasonOf(o.Answer))
	case *accessv1.MsgApproveUnlock:
		l.add(o, audit.KindApproved, m.GetOwner(), reasonOf(o.Answer))
	case *accessv1.MsgDenyUnlock:
		l.add(o, audit.KindDenied, m.GetSigner(), reasonOf(o.Answer))
	case *accessv1.MsgWithdrawUnlock:
		l.add(o, audit.KindWithdrawn, m.GetSigner(), reasonOf(o.Answer))
	case *custodyv1.MsgSubmitShares:
		answer, ok := o.Answer.(*custodyv1.MsgSubmitSharesResponse)
		if !ok {
			return fmt.Errorf("answer of type %T", o.Answer)
		}
		for _, r := range answer.GetResults() {
			if r.GetOutcome() == auditv1.Outcome_OUTCOME_REFUSED {
				l.add(o, audit.KindShareGiven, m.GetNode(), r.GetReason())
				continue
			}
			// A share beyond the threshold is kept and tells nothing new.
			if l.shares[r.GetUnlock()]++; l.shares[r.GetUnlock()] > l.thresholdOf(r.GetUnlock()) {
				continue
			}
			l.add(o, audit.KindShareGiven, m.GetNode(), "")
			// What was released for a recovery has an entry of its own.
			if l.shares[r.GetUnlock()] == l.thresholdOf(r.GetUnlock()) && !l.recoveries[r.GetUnlock()] {
				l.add(o, audit.KindReleased, "", "")
			}
		}
	default:
		return l.countConsents(o)
	}
	return nil
}

func (l *ledger) countConsents(o Operation) error {
	switch m := o.Message.(type) {
	case *accessv1.MsgGrantConsent:
		l.add(o, audit.KindConsentGranted, m.GetOwner(), reasonOf(o.Answer))
	case *accessv1.MsgWithdrawConsent:
		l.add(o, audit.KindConsentWithdrawn, m.GetOwner(), reasonOf(o.Answer))
	case *accessv1.MsgUseConsent:
		l.add(o, audit.KindConsentUsed, m.GetRequester(), reasonOf(o.Answer))
	case *consortiumv1.MsgUpdateStaff:
		l.add(o, audit.KindStaffUpdated, m.GetAdmin(), "")
	case *consortiumv1.MsgPublishStaffVault:
		l.add(o, audit.KindStaffVaultPublished, m.GetStaff(), "")
	default:
		return l.countEmergencies(o)
	}
	return nil
}

func (l *ledger) countEmergencies(o Operation) error {
	switch m := o.Message.(type) {
	case *accessv1.MsgEnableEmergency:
		l.add(o, audit.KindEmergencyEnabled, m.GetOwner(), reasonOf(o.Answer))
	case *accessv1.MsgDisableEmergency:
		l.add(o, audit.KindEmergencyDisabled, m.GetOwner(), reasonOf(o.Answer))
	case *accessv1.MsgRequestEmergency:
		answer, ok := o.Answer.(*accessv1.MsgRequestEmergencyResponse)
		if !ok {
			return fmt.Errorf("answer of type %T", o.Answer)
		}
		l.boxes[answer.GetBoxUnlock()] = true
		l.add(o, audit.KindEmergencyRequested, m.GetRequester(), reasonOf(o.Answer))
	case *accessv1.MsgApproveEmergency:
		l.add(o, audit.KindEmergencyApproved, m.GetOfficer(), reasonOf(o.Answer))
	case *accessv1.MsgReviewEmergency:
		l.add(o, audit.KindEmergencyReviewed, m.GetOfficer(), reasonOf(o.Answer))
	default:
		return l.countRecoveries(o)
	}
	return nil
}

func (l *ledger) countRecoveries(o Operation) error {
	switch m := o.Message.(type) {
	case *accessv1.MsgSetGuardians:
		l.add(o, audit.KindGuardiansSet, m.GetOwner(), reasonOf(o.Answer))
	case *accessv1.MsgProposeRecovery:
		l.add(o, audit.KindRecoveryProposed, m.GetAccount(), reasonOf(o.Answer))
		if answer, ok := o.Answer.(*accessv1.MsgProposeRecoveryResponse); ok && m.GetUntil() != "" {
			l.forOthers[answer.GetRecovery()] = true
		}
	case *accessv1.MsgApproveRecovery:
		l.recoveries[m.GetUnlock()] = true
		l.add(o, audit.KindRecoveryApproved, m.GetApprover(), reasonOf(o.Answer))
	case *accessv1.MsgCancelRecovery:
		l.add(o, audit.KindRecoveryCancelled, m.GetSigner(), reasonOf(o.Answer))
	case *accessv1.MsgFinishRecovery:
		l.add(o, audit.KindWalletRecovered, m.GetAccount(), reasonOf(o.Answer))
		if l.forOthers[m.GetRecovery()] && !refused(o.Answer) {
			l.add(o, audit.KindHandOverSet, m.GetAccount(), "")
		}
	case *accessv1.MsgSetHandOver:
		l.add(o, audit.KindHandOverSet, m.GetOwner(), reasonOf(o.Answer))
	default:
		return l.countRounds(o)
	}
	return nil
}

func (l *ledger) countRounds(o Operation) error {
	switch m := o.Message.(type) {
	case *custodyv1.MsgPublishRoundKey:
		l.add(o, audit.KindRoundKeyPublished, m.GetNode(), reasonOf(o.Answer))
	case *custodyv1.MsgSubmitDeal:
		l.add(o, audit.KindDealt, m.GetNode(), reasonOf(o.Answer))
	case *custodyv1.MsgSubmitComplaint:
		kind := audit.KindDealsChecked
		if len(m.GetDealers()) > 0 {
			kind = audit.KindDealsDisputed
		}
		l.add(o, kind, m.GetNode(), reasonOf(o.Answer))
	case *custodyv1.MsgSubmitJustification:
		l.add(o, audit.KindDealJustified, m.GetNode(), reasonOf(o.Answer))
	case *custodyv1.MsgConfirmShare:
		l.add(o, audit.KindShareConfirmed, m.GetNode(), reasonOf(o.Answer))
	default:
		return fmt.Errorf("message %s is not counted", o.Message.ProtoReflect().Descriptor().FullName())
	}
	return nil
}

// Executed are the messages that were carried out up to now, by full name, and how often: in transactions and by votes.
func (n *Network) Executed() map[string]int {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	l, err := n.ledger(ctx, n.Height())
	if err != nil {
		n.t.Fatalf("count the operations: %v", err)
	}
	proposals, err := n.Hospital(names[0]).Admin().client.Proposals(ctx)
	if err != nil {
		n.t.Fatalf("list the proposals: %v", err)
	}
	for _, p := range proposals {
		if p.GetStatus() != consortiumv1.ProposalStatus_PROPOSAL_STATUS_EXECUTED {
			continue
		}
		for _, m := range p.GetMessages() {
			l.types[string(m.MessageName())]++
		}
	}
	return l.types
}

func (n *network) ledger(ctx context.Context, upTo int64) (*ledger, error) {
	operations, err := n.hospitals[0].operations(ctx, upTo)
	if err != nil {
		return nil, err
	}
	l := newLedger(len(n.hospitals))
	for _, o := range operations {
		if err := l.count(o); err != nil {
			return nil, fmt.Errorf("block %d: %w", o.Height, err)
		}
	}
	return l, nil
}

// HasWholeLog compares the log with the operations that stand in the blocks: as many entries, in their order, of the same actors and
// with the same outcomes; and the entries of what the chain did by itself with the votes and unlocks that explain them. Nothing is
// missing and nothing too much.
func (n *Network) HasWholeLog() {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	auditor := n.Hospital(names[0]).Auditor()
	upTo := n.Height()
	entries, err := auditor.log(ctx)
	if err != nil {
		n.t.Fatalf("read the log: %v", err)
	}
	l, err := n.ledger(ctx, upTo)
	if err != nil {
		n.t.Fatalf("count the operations: %v", err)
	}
	var got []line
	byChain := map[string]int{}
	for i, e := range entries {
		if e.GetSequence() != uint64(i)+1 {
			n.t.Fatalf("entry %d follows %d others", e.GetSequence(), i)
		}
		if e.GetHeight() > upTo || e.GetHeight() <= 1 && e.GetRole() == audit.RoleChain {
			continue // what happened since, and the first state
		}
		if e.GetRole() == audit.RoleChain && (e.GetKind() != audit.KindReleased || e.GetReason() != "") {
			byChain[e.GetKind()]++
			continue
		}
		got = append(got, line{e.GetHeight(), e.GetKind(), e.GetActor(), e.GetReason()})
	}
	if !slices.Equal(got, l.lines) {
		n.t.Fatalf("the log differs from what was done:\n%s", firstDifference(got, l.lines))
	}
	want, err := n.chainEntries(ctx, auditor)
	if err != nil {
		n.t.Fatalf("what the chain did by itself: %v", err)
	}
	for _, kind := range []string{
		audit.KindProposalExecuted, audit.KindProposalFailed, audit.KindProposalRejected, audit.KindParamsChanged, audit.KindMemberAdmitted,
		audit.KindMemberRemoved, audit.KindMemberSuspended, audit.KindMemberReinstated, audit.KindAdminReplaced, audit.KindAuditorAppointed, audit.KindAuditorDismissed,
		audit.KindExpired, audit.KindWithdrawn,
	} {
		if byChain[kind] != want[kind] {
			n.t.Errorf("the log has %d entries %q of the chain itself, want %d", byChain[kind], kind, want[kind])
		}
	}
}

// chainEntries counts what the chain must have written by itself, from what became of proposals and unlocks.
func (n *Network) chainEntries(ctx context.Context, auditor Staff) (map[string]int, error) {
	want := map[string]int{}
	proposals, err := auditor.client.Proposals(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range proposals {
		switch p.GetStatus() {
		case consortiumv1.ProposalStatus_PROPOSAL_STATUS_REJECTED:
			want[audit.KindProposalRejected]++
		case consortiumv1.ProposalStatus_PROPOSAL_STATUS_FAILED:
			want[audit.KindProposalFailed]++
		case consortiumv1.ProposalStatus_PROPOSAL_STATUS_EXECUTED:
			want[audit.KindProposalExecuted]++
			for _, packed := range p.GetMessages() {
				m, err := packed.UnmarshalNew()
				if err != nil {
					return nil, err
				}
				want[kindOfVote(m)]++
			}
		default:
		}
	}
	for _, h := range n.hospitals {
		for u, err := range auditor.client.Unlocks(ctx, phr.UnlockFilter{Custodian: h.number}) {
			if err != nil {
				return nil, err
			}
			if u.GetBox() {
				continue // it ends with the other part of its emergency, and is no entry
			}
			if u.GetExpired() {
				want[audit.KindExpired]++
			}
			if u.GetWithdrawnBy() == phr.Authority() {
				want[audit.KindWithdrawn]++
			}
		}
	}
	return want, nil
}

// kindOfVote is the kind of entry that a message leaves which a vote carries out.
func kindOfVote(m proto.Message) string {
	switch m.(type) {
	case *consortiumv1.MsgAdmitMember:
		return audit.KindMemberAdmitted
	case *consortiumv1.MsgSuspendMember:
		return audit.KindMemberSuspended
	case *consortiumv1.MsgRemoveMember:
		return audit.KindMemberRemoved
	case *consortiumv1.MsgReinstateMember:
		return audit.KindMemberReinstated
	case *consortiumv1.MsgReplaceAdmin:
		return audit.KindAdminReplaced
	case *consortiumv1.MsgAppointAuditor:
		return audit.KindAuditorAppointed
	case *consortiumv1.MsgDismissAuditor:
		return audit.KindAuditorDismissed
	case *custodyv1.MsgStartReshare, *custodyv1.MsgStartGeneration:
		return audit.KindRoundStarted
	default:
		return audit.KindParamsChanged
	}
}

func firstDifference(got, want []line) string {
	for i := range max(len(got), len(want)) {
		if i < len(got) && i < len(want) && got[i] == want[i] {
			continue
		}
		around := func(lines []line) []line { return lines[min(max(0, i-2), len(lines)):min(i+4, len(lines))] }
		return fmt.Sprintf("from entry %d on\n got %v\nwant %v", i+1, around(got), around(want))
	}
	return "none"
}

// Height is the newest block that the first hospital that runs has carried out.
func (n *Network) Height() int64 {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	for _, h := range n.hospitals {
		if h.server == nil {
			continue
		}
		client, err := h.rpc()
		if err != nil {
			n.t.Fatalf("height: %v", err)
		}
		// The newest block that CometBFT has may not have been carried out yet.
		info, err := client.ABCIInfo(ctx)
		if err != nil {
			n.t.Fatalf("height: %v", err)
		}
		return info.Response.LastBlockHeight
	}
	n.t.Fatal("height: no hospital runs")
	return 0
}
