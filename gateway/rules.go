package gateway

import (
	"context"
	"errors"
	"maps"
	"slices"

	authv1 "cosmossdk.io/api/cosmos/auth/v1beta1"
	bankv1 "cosmossdk.io/api/cosmos/bank/v1beta1"
	cmtservice "cosmossdk.io/api/cosmos/base/tendermint/v1beta1"
	txv1 "cosmossdk.io/api/cosmos/tx/v1beta1"
	upgradev1 "cosmossdk.io/api/cosmos/upgrade/v1beta1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
)

const (
	roleAdmin     = consortiumv1.Role_ROLE_ADMIN
	roleClerk     = consortiumv1.Role_ROLE_CLERK
	roleClinician = consortiumv1.Role_ROLE_CLINICIAN
	roleOfficer   = consortiumv1.Role_ROLE_OFFICER
	roleNode      = consortiumv1.Role_ROLE_NODE
)

// scopeTable says for each query method who may call it. It follows "Callers:" in the
// comments of the methods in proto/.
func scopeTable() map[string]rule {
	everybody, loggedIn := rule{public: true}, rule{}
	return map[string]rule{
		accessv1.Query_Params_FullMethodName:  everybody,
		accessv1.Query_Unlock_FullMethodName:  {sees: sees(seesUnlock)},
		accessv1.Query_Unlocks_FullMethodName: {asks: asks(asksUnlocks)},

		accessv1.Query_Consent_FullMethodName:  {sees: sees(seesConsent)},
		accessv1.Query_Consents_FullMethodName: {asks: asks(asksConsents), sees: sees(seesConsents)},
		accessv1.Query_Grantees_FullMethodName: {asks: asks(asksGrantees)},

		accessv1.Query_EmergencyTerms_FullMethodName:    {asks: asks(asksEmergencyTerms)},
		accessv1.Query_EmergencyAccess_FullMethodName:   {sees: sees(seesEmergency)},
		accessv1.Query_EmergencyAccesses_FullMethodName: {asks: asks(asksEmergencies)},
		accessv1.Query_Guardians_FullMethodName:         {sees: sees(seesGuardians)},
		accessv1.Query_Guarded_FullMethodName:           {asks: asks(asksGuarded)},
		accessv1.Query_GuardianKey_FullMethodName:       {asks: asks(asksGuardianKey)},
		accessv1.Query_HandOver_FullMethodName:          {sees: sees(seesHandOver)},
		accessv1.Query_Recovery_FullMethodName:          {sees: sees(seesRecovery)},
		accessv1.Query_Recoveries_FullMethodName:        {asks: asks(asksRecoveries)},

		auditv1.Query_Entry_FullMethodName:       {sees: sees(seesEntry)},
		auditv1.Query_Entries_FullMethodName:     {asks: asks(asksEntries), narrows: narrowsEntries},
		auditv1.Query_Head_FullMethodName:        everybody,
		auditv1.Query_SubjectHead_FullMethodName: {asks: asks(asksSubjectHead)},
		auditv1.Query_IndexStatus_FullMethodName: loggedIn,

		auditv1.Query_InclusionProof_FullMethodName:   loggedIn,
		auditv1.Query_ConsistencyProof_FullMethodName: everybody,

		consortiumv1.Query_Params_FullMethodName:       everybody,
		consortiumv1.Query_Member_FullMethodName:       everybody,
		consortiumv1.Query_Members_FullMethodName:      everybody,
		consortiumv1.Query_Sites_FullMethodName:        loggedIn,
		consortiumv1.Query_StorageNodes_FullMethodName: loggedIn,
		consortiumv1.Query_Staff_FullMethodName:        {asks: asks(asksStaff)},
		consortiumv1.Query_Principal_FullMethodName:    {sees: sees(seesPrincipal)},
		consortiumv1.Query_Invitation_FullMethodName:   {sees: sees(seesInvitation)},
		consortiumv1.Query_Proposal_FullMethodName:     {asks: staffOnly},
		consortiumv1.Query_Proposals_FullMethodName:    {asks: staffOnly},

		consortiumv1.Query_SessionsReported_FullMethodName: {asks: asks(asksSessionsReported)},

		custodyv1.Query_Params_FullMethodName:   everybody,
		custodyv1.Query_Key_FullMethodName:      everybody,
		custodyv1.Query_Keys_FullMethodName:     everybody,
		custodyv1.Query_Rounds_FullMethodName:   everybody,
		custodyv1.Query_Holders_FullMethodName:  loggedIn,
		custodyv1.Query_Release_FullMethodName:  {sees: sees(seesRelease)},
		custodyv1.Query_Releases_FullMethodName: {asks: nodesOnly},
		custodyv1.Query_Shares_FullMethodName:   {sees: sees(seesShares)},

		custodyv1.Query_Received_FullMethodName:   {asks: nodesAndAuditors},
		custodyv1.Query_RoundKeys_FullMethodName:  {asks: nodesAndAuditors},
		custodyv1.Query_Complaints_FullMethodName: {asks: nodesAndAuditors},

		recordsv1.Query_Params_FullMethodName:           everybody,
		recordsv1.Query_Patient_FullMethodName:          {asks: asks(asksPatient)},
		recordsv1.Query_PatientByAddress_FullMethodName: {asks: asks(asksPatientByAddress)},
		recordsv1.Query_Record_FullMethodName:           {sees: sees(seesRecord)},
		recordsv1.Query_Records_FullMethodName:          {asks: asks(asksRecords), sees: sees(seesRecords)},
		recordsv1.Query_Version_FullMethodName:          {sees: sees(seesVersion)},
		recordsv1.Query_Versions_FullMethodName:         {sees: sees(seesVersions)},
		recordsv1.Query_Reported_FullMethodName:         {asks: asks(asksReported)},

		recordsv1.Query_ErasureCertificate_FullMethodName: {sees: sees(seesErasure)},
		recordsv1.Query_ErasureRequests_FullMethodName:    {asks: asks(asksErasureRequests)},
		recordsv1.Query_VersionOf_FullMethodName:          {asks: nodesOnly},
		recordsv1.Query_Locks_FullMethodName:              loggedIn,

		storagev1.Query_Params_FullMethodName:      everybody,
		storagev1.Query_Object_FullMethodName:      {sees: sees(seesObject)},
		storagev1.Query_Assignments_FullMethodName: {asks: nodesOnly},
		storagev1.Query_Holdings_FullMethodName:    {asks: nodesOnly},
		storagev1.Query_Challenges_FullMethodName:  {asks: nodesOnly},
		storagev1.Query_Usage_FullMethodName:       {asks: staffAndNodesOnly},
		storagev1.Query_Health_FullMethodName:      {asks: staffAndNodesOnly},
		storagev1.Query_Erasures_FullMethodName:    {asks: nodesOnly},

		// What a wallet needs, of the chain's own services.
		authv1.Query_Account_FullMethodName:              everybody,
		authv1.Query_AccountInfo_FullMethodName:          everybody,
		bankv1.Query_AllBalances_FullMethodName:          everybody,
		bankv1.Query_Balance_FullMethodName:              everybody,
		txv1.Service_Simulate_FullMethodName:             everybody,
		txv1.Service_BroadcastTx_FullMethodName:          everybody,
		txv1.Service_GetTx_FullMethodName:                everybody,
		cmtservice.Service_GetLatestBlock_FullMethodName: everybody,
		cmtservice.Service_GetNodeInfo_FullMethodName:    everybody,
		cmtservice.Service_GetSyncing_FullMethodName:     everybody,
		// The ends of the log and of a patient's chain, with a proof that they are in the state.
		cmtservice.Service_ABCIQuery_FullMethodName: {open: isEndOfLog, asks: asks(asksState)},

		// Whether the members planned another program.
		upgradev1.Query_CurrentPlan_FullMethodName: everybody,
	}
}

// Methods returns the query methods that the gateway serves, sorted, so that a program can
// check that it serves every one that its chain answers.
func Methods() []string { return slices.Sorted(maps.Keys(scopeTable())) }

// errRole says that the caller's role may not ask this, whatever the answer would be.
var errRole = status.Error(codes.PermissionDenied, "your role may not ask for this")

// asks adapts a judgement of a request of its own type.
func asks[Q proto.Message](f func(c caller, q Q) error) func(caller, proto.Message) error {
	return func(c caller, request proto.Message) error {
		q, ok := request.(Q)
		if !ok {
			return status.Errorf(codes.Internal, "request of type %T", request)
		}
		return f(c, q)
	}
}

// sees adapts a judgement of an answer of its own type.
func sees[Q, A proto.Message](f func(context.Context, *scope, caller, Q, A) (bool, error)) func(context.Context, *scope, caller, proto.Message, proto.Message) (bool, error) {
	return func(ctx context.Context, s *scope, c caller, request, answer proto.Message) (bool, error) {
		q, ok := request.(Q)
		if !ok {
			return false, status.Errorf(codes.Internal, "request of type %T", request)
		}
		a, ok := answer.(A)
		if !ok {
			return false, status.Errorf(codes.Internal, "response of type %T", answer)
		}
		return f(ctx, s, c, q, a)
	}
}

func allow(ok bool) error {
	if ok {
		return nil
	}
	return errRole
}

func staffOnly(c caller, _ proto.Message) error         { return allow(c.isStaff()) }
func nodesAndAuditors(c caller, _ proto.Message) error  { return allow(c.isNode() || c.isAuditor()) }
func nodesOnly(c caller, _ proto.Message) error         { return allow(c.isNode()) }
func staffAndNodesOnly(c caller, _ proto.Message) error { return allow(c.isStaff() || c.isNode()) }

// isParty tells whether an unlock is the caller's business: requester, owner, officers and
// clinicians of the custodian, officers of the requester's hospital.
func isParty(c caller, u *accessv1.Unlock) bool {
	return c.address == u.GetRequester() || c.owns(u.GetPatient()) ||
		c.is(roleOfficer, roleClinician) && c.of(u.GetCustodian()) ||
		c.is(roleOfficer) && c.of(u.GetHospital())
}

// standsIn tells whether an unlock is the caller's business once its custodian has left the
// network: officers of any hospital but the one that asks endorse it then.
func standsIn(c caller, u *accessv1.Unlock) bool {
	return c.is(roleOfficer) && u.GetPatient() != "" && !c.of(u.GetHospital())
}

// hasLeft tells whether a hospital has left the network.
func (s *scope) hasLeft(ctx context.Context, hospital uint64) (bool, error) {
	got, err := consortiumv1.NewQueryClient(s.node).Member(ctx, &consortiumv1.QueryMemberRequest{Number: hospital})
	return got.GetMember().GetStatus() == consortiumv1.MemberStatus_MEMBER_STATUS_LEFT, err
}

func seesUnlock(ctx context.Context, s *scope, c caller, _ *accessv1.QueryUnlockRequest, a *accessv1.QueryUnlockResponse) (bool, error) {
	u := a.GetUnlock()
	if c.isNode() || c.auditsAny(u.GetHospital(), u.GetCustodian()) || isParty(c, u) || u.GetEmergency() != "" && c.is(roleOfficer) {
		return true, nil
	}
	if !standsIn(c, u) {
		return false, nil
	}
	return s.hasLeft(ctx, u.GetCustodian())
}

func asksUnlocks(c caller, q *accessv1.QueryUnlocksRequest) error {
	// Exactly one of the three is allowed, so each rule below stands for the whole list.
	named := 0
	for _, set := range []bool{q.GetPatient() != "", q.GetRequester() != "", q.GetCustodian() != 0} {
		if set {
			named++
		}
	}
	if named != 1 {
		return status.Error(codes.InvalidArgument, "name a patient, a requester or a custodian, and only one of them")
	}
	return allow(c.isNode() || c.auditsAny(q.GetCustodian()) || c.owns(q.GetPatient()) || q.GetRequester() == c.address ||
		c.is(roleOfficer) && c.of(q.GetCustodian()))
}

func asksStaff(c caller, q *consortiumv1.QueryStaffRequest) error {
	return allow(c.auditsAny(q.GetHospital()) || c.is(roleAdmin, roleOfficer, roleNode) && c.of(q.GetHospital()))
}

// seesPrincipal shows staff and nodes to everybody who has logged in, since a patient checks
// who asks; a patient only to the patient.
func seesPrincipal(_ context.Context, _ *scope, c caller, _ *consortiumv1.QueryPrincipalRequest, a *consortiumv1.QueryPrincipalResponse) (bool, error) {
	p := a.GetPrincipal()
	return p.GetAddress() == c.address || p.GetRole() != consortiumv1.Role_ROLE_PATIENT, nil
}

func seesInvitation(_ context.Context, _ *scope, c caller, _ *consortiumv1.QueryInvitationRequest, a *consortiumv1.QueryInvitationResponse) (bool, error) {
	return c.isStaff() && c.of(a.GetInvitation().GetHospital()), nil
}

// unlock reads an unlock for a rule.
func (s *scope) unlock(ctx context.Context, id string) (*accessv1.Unlock, error) {
	got, err := accessv1.NewQueryClient(s.node).Unlock(ctx, &accessv1.QueryUnlockRequest{Id: id})
	if status.Code(err) == codes.NotFound {
		return nil, errUnknown
	}
	return got.GetUnlock(), err
}

func seesRelease(ctx context.Context, s *scope, c caller, q *custodyv1.QueryReleaseRequest, _ *custodyv1.QueryReleaseResponse) (bool, error) {
	return s.seesCustodyOf(ctx, c, q.GetUnlock(), isParty)
}

func seesShares(ctx context.Context, s *scope, c caller, q *custodyv1.QuerySharesRequest, _ *custodyv1.QuerySharesResponse) (bool, error) {
	return s.seesCustodyOf(ctx, c, q.GetUnlock(), func(c caller, u *accessv1.Unlock) bool { return c.address == u.GetRequester() })
}

// seesCustodyOf shows what custody did for an unlock, or for a recovery's, to nodes, to auditors of its hospitals, and to whom the
// rule lets see it; of a recovery, which is no hospital's, to auditors of the whole log and to who proposed it.
func (s *scope) seesCustodyOf(ctx context.Context, c caller, unlock string, mine func(caller, *accessv1.Unlock) bool) (bool, error) {
	if c.isNode() || c.auditsAll() {
		return true, nil
	}
	u, err := s.unlock(ctx, unlock)
	if errors.Is(err, errUnknown) {
		return s.isRecoveryOf(ctx, c, unlock)
	}
	if err != nil {
		return false, err
	}
	return c.auditsAny(u.GetHospital(), u.GetCustodian()) || mine(c, u), nil
}

func asksPatient(c caller, q *recordsv1.QueryPatientRequest) error {
	return allow(c.isStaff() || c.isNode() || c.owns(q.GetId()))
}

func asksPatientByAddress(c caller, q *recordsv1.QueryPatientByAddressRequest) error {
	return allow(q.GetAddress() == c.address)
}

func asksRecords(c caller, q *recordsv1.QueryRecordsRequest) error {
	if (q.GetPatient() == "") == (q.GetCustodian() == 0) {
		return status.Error(codes.InvalidArgument, "name a patient or a custodian, and only one of them")
	}
	return allow(mayList(c, q) || c.is(roleClinician) && q.GetPatient() != "")
}

func mayList(c caller, q *recordsv1.QueryRecordsRequest) bool {
	return c.isNode() || c.auditsAny(q.GetCustodian()) || c.owns(q.GetPatient()) || c.isStaff() && c.of(q.GetCustodian())
}

// seesRecords shows clinicians the records of a patient who agreed to be opened in emergencies: whoever is unconscious tells nobody what
// there is.
func seesRecords(ctx context.Context, s *scope, c caller, q *recordsv1.QueryRecordsRequest, _ *recordsv1.QueryRecordsResponse) (bool, error) {
	if mayList(c, q) {
		return true, nil
	}
	got, err := accessv1.NewQueryClient(s.node).EmergencyTerms(ctx, &accessv1.QueryEmergencyTermsRequest{Patient: q.GetPatient()})
	if err != nil {
		return false, err
	}
	t := got.GetTerms()
	return t.GetPatient() == q.GetPatient() && t.GetEnabledAt() != 0 && t.GetDisabledAt() == 0, nil
}

func asksReported(c caller, q *recordsv1.QueryReportedRequest) error {
	return allow(c.is(roleNode) && c.of(q.GetMember()))
}

func asksSessionsReported(c caller, q *consortiumv1.QuerySessionsReportedRequest) error {
	return allow(c.is(roleNode) && c.of(q.GetMember()))
}

func asksErasureRequests(c caller, q *recordsv1.QueryErasureRequestsRequest) error {
	return allow(c.isNode() || c.auditsAny(q.GetCustodian()) || c.isStaff() && c.of(q.GetCustodian()))
}

// seesErasure shows a certificate to the owner, the custodian's staff, nodes and auditors of the custodian.
func seesErasure(_ context.Context, _ *scope, c caller, _ *recordsv1.QueryErasureCertificateRequest, a *recordsv1.QueryErasureCertificateResponse) (bool, error) {
	h := a.GetCertificate().GetVersion().GetHeader()
	return c.isNode() || c.auditsAny(h.GetCustodian()) || c.owns(h.GetPatient()) || c.isStaff() && c.of(h.GetCustodian()), nil
}

func seesRecord(ctx context.Context, s *scope, c caller, _ *recordsv1.QueryRecordRequest, a *recordsv1.QueryRecordResponse) (bool, error) {
	return s.mayKnow(ctx, c, a.GetRecord())
}

func seesVersion(ctx context.Context, s *scope, c caller, q *recordsv1.QueryVersionRequest, _ *recordsv1.QueryVersionResponse) (bool, error) {
	return s.mayKnowRecord(ctx, c, q.GetRecord())
}

func seesVersions(ctx context.Context, s *scope, c caller, q *recordsv1.QueryVersionsRequest, _ *recordsv1.QueryVersionsResponse) (bool, error) {
	return s.mayKnowRecord(ctx, c, q.GetRecord())
}

func (s *scope) mayKnowRecord(ctx context.Context, c caller, id string) (bool, error) {
	got, err := recordsv1.NewQueryClient(s.node).Record(ctx, &recordsv1.QueryRecordRequest{Id: id})
	if status.Code(err) == codes.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return s.mayKnow(ctx, c, got.GetRecord())
}

// mayKnow tells whether the caller may read what the chain holds about a record: its owner,
// the custodian's staff, nodes, auditors of the custodian, officers of a hospital that asked for it or that
// stand in for a custodian that has left, and any clinician: who can name the 128 random bits was told, and without the lock header nobody
// could ask for an unlock.
func (s *scope) mayKnow(ctx context.Context, c caller, r *recordsv1.Record) (bool, error) {
	if c.isNode() || c.auditsAny(r.GetCustodian()) || c.owns(r.GetPatient()) || c.isStaff() && c.of(r.GetCustodian()) || c.is(roleClinician) {
		return true, nil
	}
	if !c.is(roleOfficer) {
		return false, nil
	}
	list := &accessv1.QueryUnlocksRequest{Patient: r.GetPatient()}
	if r.GetPatient() == "" {
		list.Custodian = r.GetCustodian()
	}
	left, err := s.hasLeft(ctx, r.GetCustodian())
	if err != nil {
		return false, err
	}
	return s.anyUnlock(ctx, list, func(u *accessv1.Unlock) bool {
		return names(u, r.GetId()) && (isParty(c, u) || left && standsIn(c, u))
	})
}

// names tells whether an unlock names a version of a record.
func names(u *accessv1.Unlock, record string) bool {
	for _, v := range u.GetVersions() {
		if v.GetRecord() == record {
			return true
		}
	}
	return false
}

// seesObject shows a patient the objects of the patient's own records, their envelopes where these are kept by themselves, and
// those that wait for their confirmation.
func seesObject(ctx context.Context, s *scope, c caller, q *storagev1.QueryObjectRequest, _ *storagev1.QueryObjectResponse) (bool, error) {
	if c.isStaff() || c.isNode() {
		return true, nil
	}
	if !c.isPatient() || c.patient == "" {
		return false, nil
	}
	return s.anyVersion(ctx, c.patient, func(v *recordsv1.Version) bool {
		return slices.Contains([]string{v.GetObject(), v.GetEnvelope(), v.GetRelock().GetEnvelope()}, q.GetCid())
	})
}
