package scenario_test

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	cmtservice "cosmossdk.io/api/cosmos/base/tendermint/v1beta1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
)

// queryMethods lists every query of the network's own modules.
func queryMethods() []string {
	var methods []string
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			service := f.Services().Get(i)
			if !strings.HasPrefix(string(service.FullName()), "phrd.") || service.Name() != "Query" {
				continue
			}
			for j := range service.Methods().Len() {
				methods = append(methods, "/"+string(service.FullName())+"/"+string(service.Methods().Get(j).Name()))
			}
		}
		return true
	})
	slices.Sort(methods)
	return methods
}

const (
	everybody = "owner patient requester officer clerk admin foreigner auditor revisor node stranger"
	loggedIn  = "owner patient requester officer clerk admin foreigner auditor revisor node"
	staff     = "requester officer clerk admin foreigner auditor revisor"
	custodian = "officer clerk admin revisor"
)

// Alice's scan is in the custody of the clinic, whose clerk, officer, admin and node are asked here; a clinician of the er has opened
// it; the foreigner is a clerk of a third hospital, the auditor sees the whole log, and the revisor is the clinic's own; the patient is another one; the stranger is nobody.
func TestEveryQueryAnswersWhomItMay(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
	scan := clinic.Store(alice, "chest.dcm")
	unlock := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	er.Opens(scan)
	invitation, err := clinic.Clerk().Client().Invite(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	proposal, err := clinic.Admin().Client().ProposeSuspension(t.Context(), er.Number())
	if err != nil {
		t.Fatal(err)
	}
	if err := clinic.Admin().Client().WithdrawProposal(t.Context(), proposal); err != nil {
		t.Fatal(err)
	}
	var endorsed uint64 // entry of the clinic about alice
	for e, err := range alice.Client().Log(t.Context(), phr.LogFilter{Patient: alice.Number, Kind: "endorsed"}) {
		if err != nil {
			t.Fatal(err)
		}
		endorsed = e.GetSequence()
	}

	people := map[string]scenario.Person{
		"owner": alice.Person, "patient": net.Patient("bob").Person, "requester": er.Clinician().Person, "officer": clinic.Officer().Person,
		"clerk": clinic.Clerk().Person, "admin": clinic.Admin().Person, "foreigner": net.Hospital("north").Clerk().Person,
		"auditor": net.Hospital("south").Auditor().Person, "revisor": clinic.Revisor().Person, "node": clinic.Node().Person, "stranger": net.Stranger(),
	}
	consent := alice.ConsentsTo(er.Clinician().PublishesVault())
	gone := clinic.Store(alice, "gone.dcm")
	alice.Erase(gone)
	recovery := clinic.Newcomer().AsksToRecover(alice)
	alice.HandsOver(time.Now().Add(time.Hour))
	records := custodyv1.KeyKind_KEY_KIND_RECORDS
	record, number := scan.Record.String(), clinic.Number()
	cases := []struct {
		method            string
		request, response proto.Message
		allowed           string
	}{
		{accessv1.Query_Params_FullMethodName, &accessv1.QueryParamsRequest{}, &accessv1.QueryParamsResponse{}, everybody},
		{accessv1.Query_Unlock_FullMethodName, &accessv1.QueryUnlockRequest{Id: unlock.ID}, &accessv1.QueryUnlockResponse{}, "owner requester officer auditor revisor node"},
		{accessv1.Query_Unlocks_FullMethodName, &accessv1.QueryUnlocksRequest{Patient: alice.Number}, &accessv1.QueryUnlocksResponse{}, "owner auditor node"},
		{accessv1.Query_Unlocks_FullMethodName, &accessv1.QueryUnlocksRequest{Custodian: number}, &accessv1.QueryUnlocksResponse{}, "officer auditor revisor node"},
		{accessv1.Query_Unlocks_FullMethodName, &accessv1.QueryUnlocksRequest{Requester: er.Clinician().Address()}, &accessv1.QueryUnlocksResponse{}, "requester auditor node"},
		{accessv1.Query_Consent_FullMethodName, &accessv1.QueryConsentRequest{Number: consent}, &accessv1.QueryConsentResponse{}, "owner requester auditor node"},
		{accessv1.Query_Consents_FullMethodName, &accessv1.QueryConsentsRequest{Patient: alice.Number}, &accessv1.QueryConsentsResponse{}, "owner auditor node"},
		{accessv1.Query_Consents_FullMethodName, &accessv1.QueryConsentsRequest{Staff: er.Clinician().Address()}, &accessv1.QueryConsentsResponse{}, "requester auditor node"},
		{accessv1.Query_Consents_FullMethodName, &accessv1.QueryConsentsRequest{Hospital: er.Number()}, &accessv1.QueryConsentsResponse{}, "requester auditor node"},
		{accessv1.Query_EmergencyTerms_FullMethodName, &accessv1.QueryEmergencyTermsRequest{Patient: alice.Number}, &accessv1.QueryEmergencyTermsResponse{}, "owner node " + staff},
		{accessv1.Query_EmergencyAccess_FullMethodName, &accessv1.QueryEmergencyAccessRequest{Id: unlock.ID}, &accessv1.QueryEmergencyAccessResponse{}, ""}, // no emergency
		{accessv1.Query_EmergencyAccesses_FullMethodName, &accessv1.QueryEmergencyAccessesRequest{Patient: alice.Number}, &accessv1.QueryEmergencyAccessesResponse{}, "owner officer auditor node"},
		{accessv1.Query_EmergencyAccesses_FullMethodName, &accessv1.QueryEmergencyAccessesRequest{Requester: er.Clinician().Address()}, &accessv1.QueryEmergencyAccessesResponse{}, "requester officer auditor node"},
		{accessv1.Query_Grantees_FullMethodName, &accessv1.QueryGranteesRequest{Patient: alice.Number}, &accessv1.QueryGranteesResponse{}, "owner clerk foreigner node"},
		{accessv1.Query_HandOver_FullMethodName, &accessv1.QueryHandOverRequest{Patient: alice.Number}, &accessv1.QueryHandOverResponse{}, "owner officer auditor node"},
		{accessv1.Query_Guardians_FullMethodName, &accessv1.QueryGuardiansRequest{Patient: alice.Number}, &accessv1.QueryGuardiansResponse{}, ""},
		{accessv1.Query_Guarded_FullMethodName, &accessv1.QueryGuardedRequest{Guardian: alice.Number}, &accessv1.QueryGuardedResponse{}, "owner auditor node"},
		{accessv1.Query_GuardianKey_FullMethodName, &accessv1.QueryGuardianKeyRequest{Guardian: alice.Number}, &accessv1.QueryGuardianKeyResponse{}, "owner patient node"},
		{accessv1.Query_Recovery_FullMethodName, &accessv1.QueryRecoveryRequest{Number: recovery}, &accessv1.QueryRecoveryResponse{}, "owner officer auditor node"},
		{accessv1.Query_Recoveries_FullMethodName, &accessv1.QueryRecoveriesRequest{Patient: alice.Number}, &accessv1.QueryRecoveriesResponse{}, "owner auditor node"},
		{accessv1.Query_Recoveries_FullMethodName, &accessv1.QueryRecoveriesRequest{Open: true}, &accessv1.QueryRecoveriesResponse{}, "officer auditor node"},

		{auditv1.Query_Entry_FullMethodName, &auditv1.QueryEntryRequest{Sequence: endorsed}, &auditv1.QueryEntryResponse{}, "owner auditor node " + custodian},
		{auditv1.Query_Entries_FullMethodName, &auditv1.QueryEntriesRequest{Patient: alice.Number}, &auditv1.QueryEntriesResponse{}, "owner auditor revisor"},
		{auditv1.Query_Entries_FullMethodName, &auditv1.QueryEntriesRequest{Hospital: number}, &auditv1.QueryEntriesResponse{}, "auditor node " + custodian},
		{auditv1.Query_Entries_FullMethodName, &auditv1.QueryEntriesRequest{}, &auditv1.QueryEntriesResponse{}, "auditor revisor"},
		{auditv1.Query_Head_FullMethodName, &auditv1.QueryHeadRequest{}, &auditv1.QueryHeadResponse{}, everybody},
		{auditv1.Query_SubjectHead_FullMethodName, &auditv1.QuerySubjectHeadRequest{Patient: alice.Number}, &auditv1.QuerySubjectHeadResponse{}, "owner auditor"},
		{auditv1.Query_IndexStatus_FullMethodName, &auditv1.QueryIndexStatusRequest{}, &auditv1.QueryIndexStatusResponse{}, loggedIn},
		{auditv1.Query_InclusionProof_FullMethodName, &auditv1.QueryInclusionProofRequest{Sequence: endorsed}, &auditv1.QueryInclusionProofResponse{}, loggedIn},
		{auditv1.Query_ConsistencyProof_FullMethodName, &auditv1.QueryConsistencyProofRequest{First: endorsed}, &auditv1.QueryConsistencyProofResponse{}, everybody},
		{cmtservice.Service_ABCIQuery_FullMethodName, &cmtservice.ABCIQueryRequest{Path: "/store/audit/key", Data: []byte{1}, Prove: true}, &cmtservice.ABCIQueryResponse{}, everybody},

		{consortiumv1.Query_Params_FullMethodName, &consortiumv1.QueryParamsRequest{}, &consortiumv1.QueryParamsResponse{}, everybody},
		{consortiumv1.Query_Member_FullMethodName, &consortiumv1.QueryMemberRequest{Number: number}, &consortiumv1.QueryMemberResponse{}, everybody},
		{consortiumv1.Query_Members_FullMethodName, &consortiumv1.QueryMembersRequest{}, &consortiumv1.QueryMembersResponse{}, everybody},
		{consortiumv1.Query_Sites_FullMethodName, &consortiumv1.QuerySitesRequest{}, &consortiumv1.QuerySitesResponse{}, loggedIn},
		{consortiumv1.Query_StorageNodes_FullMethodName, &consortiumv1.QueryStorageNodesRequest{}, &consortiumv1.QueryStorageNodesResponse{}, loggedIn},
		{consortiumv1.Query_Staff_FullMethodName, &consortiumv1.QueryStaffRequest{Hospital: number}, &consortiumv1.QueryStaffResponse{}, "officer admin auditor revisor node"},
		{consortiumv1.Query_Principal_FullMethodName, &consortiumv1.QueryPrincipalRequest{Address: alice.Address()}, &consortiumv1.QueryPrincipalResponse{}, "owner"},
		{consortiumv1.Query_Principal_FullMethodName, &consortiumv1.QueryPrincipalRequest{Address: er.Clinician().Address()}, &consortiumv1.QueryPrincipalResponse{}, loggedIn},
		{consortiumv1.Query_Invitation_FullMethodName, &consortiumv1.QueryInvitationRequest{Key: hex.EncodeToString(invitation.Key())}, &consortiumv1.QueryInvitationResponse{}, custodian},
		{consortiumv1.Query_Proposal_FullMethodName, &consortiumv1.QueryProposalRequest{Number: proposal}, &consortiumv1.QueryProposalResponse{}, staff},
		{consortiumv1.Query_Proposals_FullMethodName, &consortiumv1.QueryProposalsRequest{}, &consortiumv1.QueryProposalsResponse{}, staff},

		{custodyv1.Query_Params_FullMethodName, &custodyv1.QueryParamsRequest{}, &custodyv1.QueryParamsResponse{}, everybody},
		{custodyv1.Query_Key_FullMethodName, &custodyv1.QueryKeyRequest{Kind: records}, &custodyv1.QueryKeyResponse{}, everybody},
		{custodyv1.Query_Keys_FullMethodName, &custodyv1.QueryKeysRequest{}, &custodyv1.QueryKeysResponse{}, everybody},
		{custodyv1.Query_Holders_FullMethodName, &custodyv1.QueryHoldersRequest{Kind: records, Generation: 1}, &custodyv1.QueryHoldersResponse{}, loggedIn},
		{custodyv1.Query_Release_FullMethodName, &custodyv1.QueryReleaseRequest{Unlock: unlock.ID}, &custodyv1.QueryReleaseResponse{}, "owner requester officer auditor revisor node"},
		{custodyv1.Query_Releases_FullMethodName, &custodyv1.QueryReleasesRequest{Index: number}, &custodyv1.QueryReleasesResponse{}, "node"},
		{custodyv1.Query_Rounds_FullMethodName, &custodyv1.QueryRoundsRequest{}, &custodyv1.QueryRoundsResponse{}, everybody},
		{custodyv1.Query_Received_FullMethodName, &custodyv1.QueryReceivedRequest{Kind: records, Generation: 1, Receiver: number}, &custodyv1.QueryReceivedResponse{}, "auditor revisor node"},
		{custodyv1.Query_RoundKeys_FullMethodName, &custodyv1.QueryRoundKeysRequest{Kind: records, Generation: 1}, &custodyv1.QueryRoundKeysResponse{}, "auditor revisor node"},
		{custodyv1.Query_Complaints_FullMethodName, &custodyv1.QueryComplaintsRequest{Kind: records, Generation: 1, Dealer: number}, &custodyv1.QueryComplaintsResponse{}, "auditor revisor node"},
		{custodyv1.Query_Shares_FullMethodName, &custodyv1.QuerySharesRequest{Unlock: unlock.ID}, &custodyv1.QuerySharesResponse{}, "requester auditor revisor node"},

		{consortiumv1.Query_SessionsReported_FullMethodName, &consortiumv1.QuerySessionsReportedRequest{Member: number}, &consortiumv1.QuerySessionsReportedResponse{}, "node"},

		{recordsv1.Query_Params_FullMethodName, &recordsv1.QueryParamsRequest{}, &recordsv1.QueryParamsResponse{}, everybody},
		{recordsv1.Query_Patient_FullMethodName, &recordsv1.QueryPatientRequest{Id: alice.Number}, &recordsv1.QueryPatientResponse{}, "owner node " + staff},
		{recordsv1.Query_PatientByAddress_FullMethodName, &recordsv1.QueryPatientByAddressRequest{Address: alice.Address()}, &recordsv1.QueryPatientByAddressResponse{}, "owner"},
		{recordsv1.Query_Record_FullMethodName, &recordsv1.QueryRecordRequest{Id: record}, &recordsv1.QueryRecordResponse{}, "owner requester auditor node " + custodian},
		{recordsv1.Query_Records_FullMethodName, &recordsv1.QueryRecordsRequest{Patient: alice.Number}, &recordsv1.QueryRecordsResponse{}, "owner auditor node"},
		{recordsv1.Query_Records_FullMethodName, &recordsv1.QueryRecordsRequest{Custodian: number}, &recordsv1.QueryRecordsResponse{}, "auditor node " + custodian},
		{recordsv1.Query_Version_FullMethodName, &recordsv1.QueryVersionRequest{Record: record}, &recordsv1.QueryVersionResponse{}, "owner requester auditor node " + custodian},
		{recordsv1.Query_Versions_FullMethodName, &recordsv1.QueryVersionsRequest{Record: record}, &recordsv1.QueryVersionsResponse{}, "owner requester auditor node " + custodian},
		{recordsv1.Query_Reported_FullMethodName, &recordsv1.QueryReportedRequest{Member: number}, &recordsv1.QueryReportedResponse{}, "node"},
		{recordsv1.Query_ErasureCertificate_FullMethodName, &recordsv1.QueryErasureCertificateRequest{Record: gone.Record.String(), Version: 1}, &recordsv1.QueryErasureCertificateResponse{}, "owner auditor node " + custodian},
		{recordsv1.Query_ErasureRequests_FullMethodName, &recordsv1.QueryErasureRequestsRequest{Custodian: number}, &recordsv1.QueryErasureRequestsResponse{}, "auditor node " + custodian},
		{recordsv1.Query_Locks_FullMethodName, &recordsv1.QueryLocksRequest{}, &recordsv1.QueryLocksResponse{}, loggedIn},
		{recordsv1.Query_VersionOf_FullMethodName, &recordsv1.QueryVersionOfRequest{Object: gone.Object.String()}, &recordsv1.QueryVersionOfResponse{}, "node"},

		{storagev1.Query_Params_FullMethodName, &storagev1.QueryParamsRequest{}, &storagev1.QueryParamsResponse{}, everybody},
		{storagev1.Query_Object_FullMethodName, &storagev1.QueryObjectRequest{Cid: scan.Object.String()}, &storagev1.QueryObjectResponse{}, "owner node " + staff},
		{storagev1.Query_Assignments_FullMethodName, &storagev1.QueryAssignmentsRequest{Node: 1}, &storagev1.QueryAssignmentsResponse{}, "node"},
		{storagev1.Query_Holdings_FullMethodName, &storagev1.QueryHoldingsRequest{Node: 1}, &storagev1.QueryHoldingsResponse{}, "node"},
		{storagev1.Query_Challenges_FullMethodName, &storagev1.QueryChallengesRequest{}, &storagev1.QueryChallengesResponse{}, "node"},
		{storagev1.Query_Erasures_FullMethodName, &storagev1.QueryErasuresRequest{}, &storagev1.QueryErasuresResponse{}, "node"},
		{storagev1.Query_Usage_FullMethodName, &storagev1.QueryUsageRequest{}, &storagev1.QueryUsageResponse{}, "node " + staff},
		{storagev1.Query_Health_FullMethodName, &storagev1.QueryHealthRequest{}, &storagev1.QueryHealthResponse{}, "node " + staff},
	}
	missing := queryMethods()
	if len(missing) == 0 {
		t.Fatal("the registry names no queries")
	}
	for _, c := range cases {
		missing = slices.DeleteFunc(missing, func(method string) bool { return method == c.method })
		for name, p := range people {
			want := slices.Contains(strings.Fields(c.allowed), name)
			err := p.Client().Invoke(t.Context(), c.method, c.request, c.response)
			switch {
			case want && err != nil:
				t.Errorf("%s by the %s: %v", c.method, name, err)
			case !want && !errors.Is(err, phr.ErrNotFound) && !errors.Is(err, phr.ErrForbidden) && !errors.Is(err, phr.ErrLogin):
				t.Errorf("%s by the %s: got %v, want a refusal", c.method, name, err)
			}
		}
	}
	for _, method := range missing {
		t.Errorf("%s is not asked", method)
	}
}
