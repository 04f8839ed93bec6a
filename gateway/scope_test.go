package gateway_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	authv1 "cosmossdk.io/api/cosmos/auth/v1beta1"
	bankv1 "cosmossdk.io/api/cosmos/bank/v1beta1"
	cmtservice "cosmossdk.io/api/cosmos/base/tendermint/v1beta1"
	txv1 "cosmossdk.io/api/cosmos/tx/v1beta1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/lock"
)

// rpc is a gRPC connection to the door.
func (d *door) rpc() *grpc.ClientConn {
	d.t.Helper()
	pem, err := os.ReadFile(d.config.CertificateFile)
	if err != nil {
		d.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	conn, err := grpc.NewClient(d.gateway.Addr(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			d.t.Error(err)
		}
	})
	return conn
}

// as is a context of a person who has logged in, or of nobody.
func (d *door) as(who string) context.Context {
	if who == "" {
		return d.t.Context()
	}
	return metadata.AppendToOutgoingContext(d.t.Context(), "authorization", "Bearer "+d.token(who))
}

// everyone who has logged in, by the names of the fixture. doctor3 and officer3 belong to a
// hospital that has nothing to do with the record. The auditor sees the whole log, auditor1 and
// auditor3 what concerns their hospitals, and auditor4 what concerns hospitals 2 and 4, of which 4
// asked.
var everyone = []string{
	"alice", "bob", "newcomer", "clerk1", "clerk2", "doctor1", "doctor3", "er", "officer1", "officer3", "officer4", "admin2", "auditor", "auditor1", "auditor3", "auditor4", "node1", "node2",
}

var (
	allStaff = []string{"clerk1", "clerk2", "doctor1", "doctor3", "er", "officer1", "officer3", "officer4", "admin2", "auditor", "auditor1", "auditor3", "auditor4"}
	allNodes = []string{"node1", "node2"}
	anybody  = append([]string{""}, everyone...)
)

func and(lists ...[]string) []string { return slices.Concat(lists...) }

// stateOf asks for a value of the log's store.
func stateOf(key []byte) *cmtservice.ABCIQueryRequest {
	return &cmtservice.ABCIQueryRequest{Path: "/store/audit/key", Data: key, Prove: true}
}

// subjectKey is the key of the end of a patient's chain.
func subjectKey(t *testing.T, patient string) []byte {
	t.Helper()
	id, err := lock.ParseCanonicalID(patient)
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{2}, id.Bytes()...)
}

// scopeCase is a query and who may make it.
type scopeCase struct {
	method  string
	request proto.Message
	allowed []string
	// unknown is the same query about something that does not exist: who may not see the one
	// must get the same answer for both.
	unknown proto.Message
}

func scopeCases(d *door) []scopeCase {
	address := func(who string) string { return d.people[who].address() }
	nowhere, noUnlock := newID(d.t), hexOf(0xee)
	strangerAddress := address("stranger")
	whoKnowRecord := and([]string{"alice", "clerk1", "doctor1", "officer1", "doctor3", "er", "officer4", "auditor", "auditor1"}, allNodes)
	parties := []string{"alice", "er", "doctor1", "officer1", "officer4"}
	return []scopeCase{
		{accessv1.Query_Params_FullMethodName, &accessv1.QueryParamsRequest{}, anybody, nil},
		{accessv1.Query_Unlock_FullMethodName, &accessv1.QueryUnlockRequest{Id: d.unlock}, and(parties, []string{"auditor", "auditor1", "auditor4"}, allNodes), &accessv1.QueryUnlockRequest{Id: noUnlock}},
		{accessv1.Query_Unlocks_FullMethodName, &accessv1.QueryUnlocksRequest{Patient: d.alice}, and([]string{"alice", "auditor"}, allNodes), &accessv1.QueryUnlocksRequest{Patient: nowhere}},
		{accessv1.Query_Unlocks_FullMethodName, &accessv1.QueryUnlocksRequest{Requester: address("er")}, and([]string{"er", "auditor"}, allNodes), &accessv1.QueryUnlocksRequest{Requester: strangerAddress}},
		{accessv1.Query_Unlocks_FullMethodName, &accessv1.QueryUnlocksRequest{Custodian: 1}, and([]string{"officer1", "auditor", "auditor1"}, allNodes), nil},
		{accessv1.Query_Unlocks_FullMethodName, &accessv1.QueryUnlocksRequest{}, nil, nil},
		{accessv1.Query_Unlocks_FullMethodName, &accessv1.QueryUnlocksRequest{Requester: address("er"), Patient: d.alice}, nil, nil},

		{accessv1.Query_Consent_FullMethodName, &accessv1.QueryConsentRequest{Number: 1}, and([]string{"alice", "er", "auditor", "auditor4"}, allNodes), &accessv1.QueryConsentRequest{Number: 99}},
		{accessv1.Query_Consent_FullMethodName, &accessv1.QueryConsentRequest{Number: 2}, and([]string{"alice", "doctor1", "auditor", "auditor1"}, allNodes), &accessv1.QueryConsentRequest{Number: 99}},
		{accessv1.Query_Consent_FullMethodName, &accessv1.QueryConsentRequest{Number: 3}, and([]string{"alice", "auditor", "auditor1"}, allNodes), &accessv1.QueryConsentRequest{Number: 99}},
		{accessv1.Query_Consent_FullMethodName, &accessv1.QueryConsentRequest{Number: 4}, and([]string{"alice", "doctor1", "auditor", "auditor1"}, allNodes), &accessv1.QueryConsentRequest{Number: 99}},
		{accessv1.Query_Consents_FullMethodName, &accessv1.QueryConsentsRequest{Patient: d.alice}, and([]string{"alice", "auditor"}, allNodes), &accessv1.QueryConsentsRequest{Patient: nowhere}},
		{accessv1.Query_Consents_FullMethodName, &accessv1.QueryConsentsRequest{Staff: address("er")}, and([]string{"er", "auditor"}, allNodes), &accessv1.QueryConsentsRequest{Staff: strangerAddress}},
		{accessv1.Query_Consents_FullMethodName, &accessv1.QueryConsentsRequest{Hospital: 1}, and([]string{"doctor1", "auditor", "auditor1"}, allNodes), nil},
		{accessv1.Query_Consents_FullMethodName, &accessv1.QueryConsentsRequest{Hospital: 1, Ward: 7}, and([]string{"doctor1", "auditor", "auditor1"}, allNodes), nil},
		{accessv1.Query_Consents_FullMethodName, &accessv1.QueryConsentsRequest{Hospital: 1, Ward: 8}, and([]string{"auditor", "auditor1"}, allNodes), nil},
		{accessv1.Query_Consents_FullMethodName, &accessv1.QueryConsentsRequest{}, nil, nil},
		{accessv1.Query_EmergencyTerms_FullMethodName, &accessv1.QueryEmergencyTermsRequest{Patient: d.alice}, and([]string{"alice"}, allStaff, allNodes), nil},
		{accessv1.Query_EmergencyAccess_FullMethodName, &accessv1.QueryEmergencyAccessRequest{Id: hexOf(0x55)}, and([]string{"alice", "er", "officer1", "officer3", "officer4", "auditor", "auditor1", "auditor4"}, allNodes), &accessv1.QueryEmergencyAccessRequest{Id: hexOf(0x56)}},
		{accessv1.Query_EmergencyAccesses_FullMethodName, &accessv1.QueryEmergencyAccessesRequest{}, and([]string{"officer1", "officer3", "officer4", "auditor"}, allNodes), nil},
		{accessv1.Query_EmergencyAccesses_FullMethodName, &accessv1.QueryEmergencyAccessesRequest{Patient: d.alice}, and([]string{"alice", "officer1", "officer3", "officer4", "auditor"}, allNodes), nil},
		{accessv1.Query_EmergencyAccesses_FullMethodName, &accessv1.QueryEmergencyAccessesRequest{Requester: address("er")}, and([]string{"er", "officer1", "officer3", "officer4", "auditor"}, allNodes), nil},
		{accessv1.Query_Grantees_FullMethodName, &accessv1.QueryGranteesRequest{Patient: d.alice}, and([]string{"alice", "clerk1", "clerk2"}, allNodes), nil},

		{accessv1.Query_Guardians_FullMethodName, &accessv1.QueryGuardiansRequest{Patient: d.alice}, and([]string{"alice", "bob", "newcomer", "auditor"}, allNodes), &accessv1.QueryGuardiansRequest{Patient: nowhere}},
		{accessv1.Query_Guardians_FullMethodName, &accessv1.QueryGuardiansRequest{Patient: d.carol}, and([]string{"newcomer", "auditor"}, allNodes), &accessv1.QueryGuardiansRequest{Patient: nowhere}},
		{accessv1.Query_HandOver_FullMethodName, &accessv1.QueryHandOverRequest{Patient: d.alice}, and([]string{"alice", "newcomer", "officer1", "officer3", "officer4", "auditor"}, allNodes), &accessv1.QueryHandOverRequest{Patient: nowhere}},
		{accessv1.Query_Guarded_FullMethodName, &accessv1.QueryGuardedRequest{Guardian: d.bob}, and([]string{"bob", "auditor"}, allNodes), &accessv1.QueryGuardedRequest{Guardian: nowhere}},
		{accessv1.Query_GuardianKey_FullMethodName, &accessv1.QueryGuardianKeyRequest{Guardian: d.bob}, and([]string{"alice", "bob", "newcomer"}, allNodes), nil},
		{accessv1.Query_Recovery_FullMethodName, &accessv1.QueryRecoveryRequest{Number: 1}, and([]string{"alice", "bob", "newcomer", "officer1", "officer3", "officer4", "auditor"}, allNodes), &accessv1.QueryRecoveryRequest{Number: 99}},
		{accessv1.Query_Recovery_FullMethodName, &accessv1.QueryRecoveryRequest{Number: 2}, and([]string{"officer1", "officer3", "officer4", "auditor"}, allNodes), &accessv1.QueryRecoveryRequest{Number: 99}},
		{accessv1.Query_Recoveries_FullMethodName, &accessv1.QueryRecoveriesRequest{Patient: d.alice}, and([]string{"alice", "auditor"}, allNodes), &accessv1.QueryRecoveriesRequest{Patient: nowhere}},
		{accessv1.Query_Recoveries_FullMethodName, &accessv1.QueryRecoveriesRequest{Guardian: d.bob}, and([]string{"bob", "auditor"}, allNodes), &accessv1.QueryRecoveriesRequest{Guardian: nowhere}},
		{accessv1.Query_Recoveries_FullMethodName, &accessv1.QueryRecoveriesRequest{Account: address("newcomer")}, and([]string{"newcomer", "auditor"}, allNodes), &accessv1.QueryRecoveriesRequest{Account: strangerAddress}},
		{accessv1.Query_Recoveries_FullMethodName, &accessv1.QueryRecoveriesRequest{Open: true}, and([]string{"officer1", "officer3", "officer4", "auditor"}, allNodes), nil},
		{accessv1.Query_Recoveries_FullMethodName, &accessv1.QueryRecoveriesRequest{}, nil, nil},
		{accessv1.Query_Recoveries_FullMethodName, &accessv1.QueryRecoveriesRequest{Open: true, Patient: d.alice}, nil, nil},
		{custodyv1.Query_Release_FullMethodName, &custodyv1.QueryReleaseRequest{Unlock: hexOf(0x44)}, and([]string{"newcomer", "auditor"}, allNodes), &custodyv1.QueryReleaseRequest{Unlock: noUnlock}},
		{custodyv1.Query_Shares_FullMethodName, &custodyv1.QuerySharesRequest{Unlock: hexOf(0x44)}, and([]string{"newcomer", "auditor"}, allNodes), &custodyv1.QuerySharesRequest{Unlock: noUnlock}},

		{auditv1.Query_Entry_FullMethodName, &auditv1.QueryEntryRequest{Sequence: 1}, []string{"alice", "clerk1", "doctor1", "officer1", "node1", "auditor", "auditor1"}, &auditv1.QueryEntryRequest{Sequence: 99}},
		{auditv1.Query_Entries_FullMethodName, &auditv1.QueryEntriesRequest{}, []string{"auditor", "auditor1", "auditor3", "auditor4"}, nil},
		{auditv1.Query_Entries_FullMethodName, &auditv1.QueryEntriesRequest{Patient: d.alice, Record: d.record}, []string{"alice", "auditor", "auditor1", "auditor3", "auditor4"}, &auditv1.QueryEntriesRequest{Patient: nowhere}},
		{auditv1.Query_Entries_FullMethodName, &auditv1.QueryEntriesRequest{Actor: address("er")}, []string{"er", "auditor", "auditor1", "auditor3", "auditor4"}, nil},
		{auditv1.Query_Entries_FullMethodName, &auditv1.QueryEntriesRequest{Hospital: 1}, []string{"clerk1", "doctor1", "officer1", "node1", "auditor", "auditor1", "auditor3", "auditor4"}, nil},
		{auditv1.Query_Entries_FullMethodName, &auditv1.QueryEntriesRequest{Record: d.record}, []string{"auditor", "auditor1", "auditor3", "auditor4"}, &auditv1.QueryEntriesRequest{Record: nowhere}},
		{auditv1.Query_Head_FullMethodName, &auditv1.QueryHeadRequest{}, anybody, nil},
		{auditv1.Query_SubjectHead_FullMethodName, &auditv1.QuerySubjectHeadRequest{Patient: d.alice}, []string{"alice", "auditor"}, &auditv1.QuerySubjectHeadRequest{Patient: nowhere}},
		{auditv1.Query_IndexStatus_FullMethodName, &auditv1.QueryIndexStatusRequest{}, everyone, nil},
		{auditv1.Query_InclusionProof_FullMethodName, &auditv1.QueryInclusionProofRequest{Sequence: 1}, everyone, nil},
		{auditv1.Query_ConsistencyProof_FullMethodName, &auditv1.QueryConsistencyProofRequest{First: 1}, anybody, nil},
		{cmtservice.Service_ABCIQuery_FullMethodName, stateOf([]byte{1}), anybody, nil},
		{cmtservice.Service_ABCIQuery_FullMethodName, stateOf(subjectKey(d.t, d.alice)), []string{"alice", "auditor"}, stateOf(subjectKey(d.t, nowhere))},
		{cmtservice.Service_ABCIQuery_FullMethodName, stateOf(nil), nil, nil},
		{cmtservice.Service_ABCIQuery_FullMethodName, stateOf([]byte{2}), nil, nil},
		{cmtservice.Service_ABCIQuery_FullMethodName, stateOf([]byte{0, 0, 0, 0, 0, 0, 0, 0, 1}), nil, nil},
		{cmtservice.Service_ABCIQuery_FullMethodName, stateOf(append([]byte{3}, subjectKey(d.t, d.alice)[1:]...)), nil, nil},
		{cmtservice.Service_ABCIQuery_FullMethodName, &cmtservice.ABCIQueryRequest{Path: "/store/records/key", Data: []byte{1}}, nil, nil},

		{consortiumv1.Query_Params_FullMethodName, &consortiumv1.QueryParamsRequest{}, anybody, nil},
		{consortiumv1.Query_Member_FullMethodName, &consortiumv1.QueryMemberRequest{Number: 1}, anybody, nil},
		{consortiumv1.Query_Members_FullMethodName, &consortiumv1.QueryMembersRequest{}, anybody, nil},
		{consortiumv1.Query_Sites_FullMethodName, &consortiumv1.QuerySitesRequest{}, everyone, nil},
		{consortiumv1.Query_StorageNodes_FullMethodName, &consortiumv1.QueryStorageNodesRequest{}, everyone, nil},
		{consortiumv1.Query_Staff_FullMethodName, &consortiumv1.QueryStaffRequest{Hospital: 1}, []string{"officer1", "node1", "auditor", "auditor1"}, nil},
		{consortiumv1.Query_Staff_FullMethodName, &consortiumv1.QueryStaffRequest{Hospital: 2}, []string{"admin2", "node2", "auditor", "auditor4"}, nil},
		{consortiumv1.Query_Staff_FullMethodName, &consortiumv1.QueryStaffRequest{}, []string{"auditor"}, nil},
		{consortiumv1.Query_Principal_FullMethodName, &consortiumv1.QueryPrincipalRequest{Address: address("er")}, everyone, nil},
		{consortiumv1.Query_Principal_FullMethodName, &consortiumv1.QueryPrincipalRequest{Address: address("alice")}, []string{"alice"}, &consortiumv1.QueryPrincipalRequest{Address: strangerAddress}},
		{consortiumv1.Query_Invitation_FullMethodName, &consortiumv1.QueryInvitationRequest{Key: hexOf(0x33)}, []string{"clerk1", "doctor1", "officer1", "auditor1"}, &consortiumv1.QueryInvitationRequest{Key: hexOf(0x34)}},
		{consortiumv1.Query_Proposal_FullMethodName, &consortiumv1.QueryProposalRequest{Number: 1}, allStaff, nil},
		{consortiumv1.Query_Proposals_FullMethodName, &consortiumv1.QueryProposalsRequest{}, allStaff, nil},

		{custodyv1.Query_Params_FullMethodName, &custodyv1.QueryParamsRequest{}, anybody, nil},
		{custodyv1.Query_Key_FullMethodName, &custodyv1.QueryKeyRequest{Kind: custodyv1.KeyKind_KEY_KIND_RECORDS}, anybody, nil},
		{custodyv1.Query_Keys_FullMethodName, &custodyv1.QueryKeysRequest{}, anybody, nil},
		{custodyv1.Query_Holders_FullMethodName, &custodyv1.QueryHoldersRequest{Kind: custodyv1.KeyKind_KEY_KIND_RECORDS}, everyone, nil},
		{custodyv1.Query_Release_FullMethodName, &custodyv1.QueryReleaseRequest{Unlock: d.unlock}, and(parties, []string{"auditor", "auditor1", "auditor4"}, allNodes), &custodyv1.QueryReleaseRequest{Unlock: noUnlock}},
		{custodyv1.Query_Releases_FullMethodName, &custodyv1.QueryReleasesRequest{Index: 1}, allNodes, nil},
		{custodyv1.Query_Rounds_FullMethodName, &custodyv1.QueryRoundsRequest{}, anybody, nil},
		{custodyv1.Query_Received_FullMethodName, &custodyv1.QueryReceivedRequest{Receiver: 1}, and([]string{"auditor", "auditor1", "auditor3", "auditor4"}, allNodes), nil},
		{custodyv1.Query_RoundKeys_FullMethodName, &custodyv1.QueryRoundKeysRequest{}, and([]string{"auditor", "auditor1", "auditor3", "auditor4"}, allNodes), nil},
		{custodyv1.Query_Complaints_FullMethodName, &custodyv1.QueryComplaintsRequest{Dealer: 1}, and([]string{"auditor", "auditor1", "auditor3", "auditor4"}, allNodes), nil},
		{custodyv1.Query_Shares_FullMethodName, &custodyv1.QuerySharesRequest{Unlock: d.unlock}, and([]string{"er", "auditor", "auditor1", "auditor4"}, allNodes), &custodyv1.QuerySharesRequest{Unlock: noUnlock}},

		{recordsv1.Query_Params_FullMethodName, &recordsv1.QueryParamsRequest{}, anybody, nil},
		{recordsv1.Query_Patient_FullMethodName, &recordsv1.QueryPatientRequest{Id: d.alice}, and([]string{"alice"}, allStaff, allNodes), &recordsv1.QueryPatientRequest{Id: nowhere}},
		{recordsv1.Query_PatientByAddress_FullMethodName, &recordsv1.QueryPatientByAddressRequest{Address: address("alice")}, []string{"alice"}, &recordsv1.QueryPatientByAddressRequest{Address: strangerAddress}},
		{recordsv1.Query_Record_FullMethodName, &recordsv1.QueryRecordRequest{Id: d.record}, whoKnowRecord, &recordsv1.QueryRecordRequest{Id: nowhere}},
		{recordsv1.Query_Records_FullMethodName, &recordsv1.QueryRecordsRequest{Patient: d.alice}, and([]string{"alice", "auditor"}, allNodes), &recordsv1.QueryRecordsRequest{Patient: nowhere}},
		{recordsv1.Query_Records_FullMethodName, &recordsv1.QueryRecordsRequest{Custodian: 1}, and([]string{"clerk1", "doctor1", "officer1", "auditor", "auditor1"}, allNodes), nil},
		{recordsv1.Query_Records_FullMethodName, &recordsv1.QueryRecordsRequest{Custodian: 1, Patient: d.alice}, nil, nil},
		{recordsv1.Query_Version_FullMethodName, &recordsv1.QueryVersionRequest{Record: d.record, Version: 1}, whoKnowRecord, &recordsv1.QueryVersionRequest{Record: nowhere, Version: 1}},
		{recordsv1.Query_Versions_FullMethodName, &recordsv1.QueryVersionsRequest{Record: d.record}, whoKnowRecord, &recordsv1.QueryVersionsRequest{Record: nowhere}},
		{consortiumv1.Query_SessionsReported_FullMethodName, &consortiumv1.QuerySessionsReportedRequest{Member: 1}, []string{"node1"}, nil},
		{recordsv1.Query_Reported_FullMethodName, &recordsv1.QueryReportedRequest{Member: 1}, []string{"node1"}, nil},

		{recordsv1.Query_ErasureCertificate_FullMethodName, &recordsv1.QueryErasureCertificateRequest{Record: d.record, Version: 1},
			and([]string{"alice", "clerk1", "doctor1", "officer1", "auditor", "auditor1"}, allNodes), &recordsv1.QueryErasureCertificateRequest{Record: nowhere, Version: 1}},
		{recordsv1.Query_ErasureRequests_FullMethodName, &recordsv1.QueryErasureRequestsRequest{Custodian: 1},
			and([]string{"clerk1", "doctor1", "officer1", "auditor", "auditor1"}, allNodes), nil},
		{recordsv1.Query_VersionOf_FullMethodName, &recordsv1.QueryVersionOfRequest{Object: d.object.Root.String()}, allNodes, nil},
		{recordsv1.Query_Locks_FullMethodName, &recordsv1.QueryLocksRequest{}, everyone, nil},
		{storagev1.Query_Erasures_FullMethodName, &storagev1.QueryErasuresRequest{}, allNodes, nil},

		{storagev1.Query_Params_FullMethodName, &storagev1.QueryParamsRequest{}, anybody, nil},
		{storagev1.Query_Object_FullMethodName, &storagev1.QueryObjectRequest{Cid: d.object.Root.String()}, and([]string{"alice"}, allStaff, allNodes), &storagev1.QueryObjectRequest{Cid: d.rk.String()}},
		{storagev1.Query_Assignments_FullMethodName, &storagev1.QueryAssignmentsRequest{Node: 1}, allNodes, nil},
		{storagev1.Query_Challenges_FullMethodName, &storagev1.QueryChallengesRequest{}, allNodes, nil},
		{storagev1.Query_Holdings_FullMethodName, &storagev1.QueryHoldingsRequest{Node: 1}, allNodes, nil},
		{storagev1.Query_Usage_FullMethodName, &storagev1.QueryUsageRequest{}, and(allStaff, allNodes), nil},
		{storagev1.Query_Health_FullMethodName, &storagev1.QueryHealthRequest{}, and(allStaff, allNodes), nil},
	}
}

// newResponse makes the response message of a method.
func newResponse(t *testing.T, method string) proto.Message {
	t.Helper()
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(method[1:], "/", ".")))
	if err != nil {
		t.Fatal(err)
	}
	m, ok := found.(protoreflect.MethodDescriptor)
	if !ok {
		t.Fatalf("%s is not a method", method)
	}
	response, err := protoregistry.GlobalTypes.FindMessageByName(m.Output().FullName())
	if err != nil {
		t.Fatal(err)
	}
	return response.New().Interface()
}

// Officers who have nothing to do with a record endorse for a custodian that has left, but for those of the hospital that asks.
func TestScopeAfterTheCustodianHasLeft(t *testing.T) {
	d := newDoor(t)
	conn := d.rpc()
	sees := func(who string) (unlock, version error) {
		unlock = conn.Invoke(d.as(who), accessv1.Query_Unlock_FullMethodName, &accessv1.QueryUnlockRequest{Id: d.unlock}, &accessv1.QueryUnlockResponse{})
		version = conn.Invoke(d.as(who), recordsv1.Query_Version_FullMethodName, &recordsv1.QueryVersionRequest{Record: d.record, Version: 1}, &recordsv1.QueryVersionResponse{})
		return unlock, version
	}
	unlock, version := sees("officer3")
	checkRefused(t, "officer3", unlock)
	checkRefused(t, "officer3", version)
	d.node.mu.Lock()
	d.node.member.Status = consortiumv1.MemberStatus_MEMBER_STATUS_LEFT
	d.node.mu.Unlock()
	if unlock, version := sees("officer3"); unlock != nil || version != nil {
		t.Errorf("an officer of another hospital sees %v and %v", unlock, version)
	}
	for _, who := range []string{"clerk2", "admin2", "bob"} {
		unlock, version := sees(who)
		checkRefused(t, who, unlock)
		checkRefused(t, who, version)
	}
}

// Every query method of the six modules, asked by everybody.
func TestScope(t *testing.T) {
	d := newDoor(t)
	conn := d.rpc()
	asked := map[string]bool{}
	for i, c := range scopeCases(d) {
		asked[c.method] = true
		t.Run(fmt.Sprintf("%d%s", i, c.method), func(t *testing.T) {
			for _, who := range anybody {
				err := conn.Invoke(d.as(who), c.method, c.request, newResponse(t, c.method))
				if slices.Contains(c.allowed, who) {
					if err != nil {
						t.Errorf("%q: %v, want an answer", who, err)
					}
					continue
				}
				checkRefused(t, who, err)
				if c.unknown == nil {
					continue
				}
				unknown := conn.Invoke(d.as(who), c.method, c.unknown, newResponse(t, c.method))
				if got, want := status.Convert(err), status.Convert(unknown); got.Code() != want.Code() || got.Message() != want.Message() {
					t.Errorf("%q: %v for what is foreign, %v for what does not exist", who, err, unknown)
				}
			}
		})
	}
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			if !strings.HasPrefix(string(s.FullName()), "phrd.") || s.Name() != "Query" {
				continue
			}
			for j := range s.Methods().Len() {
				if method := fmt.Sprintf("/%s/%s", s.FullName(), s.Methods().Get(j).Name()); !asked[method] {
					t.Errorf("%s is not asked by this test", method)
				}
			}
		}
		return true
	})
	if len(asked) < 30 {
		t.Errorf("only %d methods were asked", len(asked))
	}
}

func checkRefused(t *testing.T, who string, err error) {
	t.Helper()
	code := status.Code(err)
	if who == "" && code != codes.Unauthenticated {
		t.Errorf("nobody: %v, want a login", err)
	}
	if who != "" && code != codes.PermissionDenied && code != codes.NotFound && code != codes.InvalidArgument {
		t.Errorf("%q: %v, want a refusal", who, err)
	}
	if strings.Contains(err.Error(), "must not get out") {
		t.Errorf("%q: the node's text got out: %v", who, err)
	}
}

// The answer that is refused after the node gave it does not travel.
func TestScopeOverREST(t *testing.T) {
	d := newDoor(t)
	path := "/phrd/records/v1/records/" + d.record + "/versions/1"
	var body struct {
		Version struct {
			Object string
			Size   string
			Header any
		}
	}
	d.want(d.do("alice", http.MethodGet, path, nil, nil), http.StatusOK).json(t, &body)
	if body.Version.Object != d.object.Root.String() || body.Version.Size != "2102152" {
		t.Errorf("version %+v", body)
	}
	foreign := d.want(d.do("bob", http.MethodGet, path, nil, nil), http.StatusNotFound)
	unknown := d.want(d.do("bob", http.MethodGet, "/phrd/records/v1/records/"+newID(t)+"/versions/1", nil, nil), http.StatusNotFound)
	if string(foreign.body) != string(unknown.body) || strings.Contains(string(foreign.body), d.object.Root.String()) {
		t.Errorf("foreign %s, unknown %s", foreign.body, unknown.body)
	}
	d.want(d.do("", http.MethodGet, path, nil, nil), http.StatusUnauthorized)
	d.want(d.do("bob", http.MethodGet, "/phrd/audit/v1/entries", nil, nil), http.StatusForbidden)
	d.want(d.do("", http.MethodGet, "/phrd/consortium/v1/members/1", nil, nil), http.StatusOK)
	d.want(d.do("alice", http.MethodGet, "/phrd/records/v1/nothing", nil, nil), http.StatusNotFound)
	d.want(d.do("alice", http.MethodPost, "/phrd/records/v1/params", nil, nil), http.StatusMethodNotAllowed)
}

func TestHeights(t *testing.T) {
	d := newDoor(t)
	const path = "/phrd/consortium/v1/members/1"
	for _, bad := range []string{"0", "-1", "abc", "1.5", "01", "99999999999999999999", "0x7"} {
		d.want(d.do("er", http.MethodGet, path, headers{"x-cosmos-block-height": bad}, nil), http.StatusBadRequest)
	}
	r := d.want(d.do("er", http.MethodGet, path, headers{"x-cosmos-block-height": "5"}, nil), http.StatusOK)
	if got := r.Header.Get("X-Cosmos-Block-Height"); got != "5" {
		t.Errorf("the answer is of height %q, want 5", got)
	}
	var header metadata.MD
	ctx := metadata.AppendToOutgoingContext(d.as("er"), "x-cosmos-block-height", "6")
	if _, err := consortiumv1.NewQueryClient(d.rpc()).Member(ctx, &consortiumv1.QueryMemberRequest{Number: 1}, grpc.Header(&header)); err != nil {
		t.Fatal(err)
	}
	if got := header.Get("x-cosmos-block-height"); !slices.Equal(got, []string{"6"}) {
		t.Errorf("the answer is of height %v, want 6", got)
	}
	// A rule is judged by the newest state, whatever the query reads.
	d.want(d.do("alice", http.MethodGet, "/phrd/records/v1/records/"+d.record+"/versions/1", headers{"x-cosmos-block-height": "4"}, nil), http.StatusOK)
	d.node.mu.Lock()
	defer d.node.mu.Unlock()
	if !slices.Equal(d.node.heights, []string{"5", "6", "4"}) {
		t.Errorf("the node was asked for heights %v", d.node.heights)
	}
}

func TestChainServices(t *testing.T) {
	d := newDoor(t)
	alice := d.people["alice"].address()
	var body struct {
		Account struct {
			Type     string `json:"@type"`
			Sequence string
		}
	}
	d.want(d.do("", http.MethodGet, "/cosmos/auth/v1beta1/accounts/"+alice, nil, nil), http.StatusOK).json(t, &body)
	if body.Account.Type != "/cosmos.auth.v1beta1.BaseAccount" || body.Account.Sequence != "3" {
		t.Errorf("account %+v", body)
	}
	d.want(d.do("", http.MethodPost, "/cosmos/tx/v1beta1/txs", nil, []byte(`{"tx_bytes":"AQID","mode":"BROADCAST_MODE_SYNC"}`)), http.StatusOK)
	if len(d.node.broadcast) != 1 || string(d.node.broadcast[0]) != "\x01\x02\x03" {
		t.Errorf("broadcast %v", d.node.broadcast)
	}
	d.want(d.do("", http.MethodPost, "/cosmos/tx/v1beta1/txs", nil, []byte(`{"tx_bytes":7}`)), http.StatusBadRequest)
	d.want(d.do("", http.MethodPost, "/cosmos/tx/v1beta1/txs", nil, make([]byte, 200<<10)), http.StatusRequestEntityTooLarge)
	d.want(d.do("er", http.MethodGet, "/cosmos/auth/v1beta1/accounts", nil, nil), http.StatusNotFound)
	d.want(d.do("er", http.MethodGet, "/cosmos/base/tendermint/v1beta1/blocks/1", nil, nil), http.StatusNotFound)
	d.want(d.do("er", http.MethodGet, "/cosmos/base/tendermint/v1beta1/abci_query", nil, nil), http.StatusForbidden)

	conn := d.rpc()
	for method, refused := range map[string]proto.Message{
		authv1.Query_Accounts_FullMethodName:               &authv1.QueryAccountsRequest{},
		bankv1.Query_TotalSupply_FullMethodName:            &bankv1.QueryTotalSupplyRequest{},
		txv1.Service_GetTxsEvent_FullMethodName:            &txv1.GetTxsEventRequest{},
		cmtservice.Service_GetBlockByHeight_FullMethodName: &cmtservice.GetBlockByHeightRequest{},
	} {
		if err := conn.Invoke(d.as("auditor"), method, refused, newResponse(t, method)); status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v, want that it is not served", method, err)
		}
	}
	if _, err := authv1.NewQueryClient(conn).Account(d.as(""), &authv1.QueryAccountRequest{Address: alice}); err != nil {
		t.Error(err)
	}
	health, err := healthv1.NewHealthClient(conn).Check(d.as(""), &healthv1.HealthCheckRequest{})
	if err != nil || health.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("health %v, %v", health, err)
	}
}

func TestReflectionNeedsLogin(t *testing.T) {
	d := newDoor(t)
	conn := d.rpc()
	list := func(who string) (int, error) {
		stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(d.as(who))
		if err != nil {
			t.Fatal(err)
		}
		request := &reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}
		// A stream that was refused meanwhile ends; Recv says why.
		if err := stream.Send(request); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		answer, err := stream.Recv()
		return len(answer.GetListServicesResponse().GetService()), err
	}
	if _, err := list(""); status.Code(err) != codes.Unauthenticated {
		t.Errorf("nobody: %v, want a login", err)
	}
	if n, err := list("er"); err != nil || n < 10 {
		t.Errorf("er: %d services, %v", n, err)
	}
}

func TestNodeIsDown(t *testing.T) {
	d := newDoor(t)
	conn := d.rpc()
	d.token("er")
	d.node.change(func() { d.node.down = true })
	d.want(d.do("er", http.MethodGet, "/phrd/audit/v1/head", nil, nil), http.StatusServiceUnavailable)
	d.want(d.do("", http.MethodGet, "/phrd/consortium/v1/members/1", nil, nil), http.StatusServiceUnavailable)
	if _, err := auditv1.NewQueryClient(conn).Head(d.as("er"), &auditv1.QueryHeadRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("%v, want that it is unavailable", err)
	}
	d.node.change(func() { d.node.down = false })
	// The session survives what was the node's fault.
	d.want(d.do("er", http.MethodGet, "/phrd/audit/v1/head", nil, nil), http.StatusOK)
}

// A node that hangs keeps nobody waiting for ever.
func TestNodeIsSilent(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) { c.Limits.QueryTime = time.Second })
	conn := d.rpc()
	d.token("er")
	d.node.change(func() { d.node.silent = true })
	d.want(d.do("er", http.MethodGet, "/phrd/audit/v1/head", nil, nil), http.StatusServiceUnavailable)
	d.want(d.do("", http.MethodGet, "/chain", nil, nil), http.StatusServiceUnavailable)
	if _, err := auditv1.NewQueryClient(conn).Head(d.as("er"), &auditv1.QueryHeadRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("%v, want that it is unavailable", err)
	}
	d.node.change(func() { d.node.silent = false })
	d.want(d.do("er", http.MethodGet, "/phrd/audit/v1/head", nil, nil), http.StatusOK)
}

func TestQueriesAreLimited(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) { c.Limits.AccountRequests = gateway.Rate{Burst: 5, Count: 1, Per: 1e9} })
	for range 5 {
		d.want(d.do("er", http.MethodGet, "/phrd/audit/v1/head", nil, nil), http.StatusOK)
	}
	d.want(d.do("er", http.MethodGet, "/phrd/audit/v1/head", nil, nil), http.StatusTooManyRequests)
	d.want(d.do("alice", http.MethodGet, "/phrd/audit/v1/head", nil, nil), http.StatusOK)
	if _, err := auditv1.NewQueryClient(d.rpc()).Head(d.as("er"), &auditv1.QueryHeadRequest{}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("%v, want too many", err)
	}
}
