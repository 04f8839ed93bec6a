package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	authv1 "cosmossdk.io/api/cosmos/auth/v1beta1"
	querytypes "cosmossdk.io/api/cosmos/base/query/v1beta1"
	cmtservice "cosmossdk.io/api/cosmos/base/tendermint/v1beta1"
	txv1 "cosmossdk.io/api/cosmos/tx/v1beta1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/node"
)

// fakeNode answers the queries of a node from maps, and takes messages. It is the node.Chain
// of a gateway under test.
type fakeNode struct {
	*grpc.ClientConn
	account string

	bell        node.Bell
	mu          sync.Mutex
	now         func() time.Time
	down        bool
	silent      bool  // takes queries and never answers
	stuck       bool  // takes messages, and no block comes
	full        bool  // takes no messages
	newest      int64 // height of the newest block, which may not be carried out yet
	notReady    error
	networkID   []byte
	principals  map[string]*consortiumv1.Principal
	member      *consortiumv1.Member
	invitations map[string]*consortiumv1.Invitation
	patients    map[string]*recordsv1.Patient
	records     map[string]*recordsv1.Record
	versions    map[string][]*recordsv1.Version
	unlocks     []*accessv1.QueryUnlockResponse // newest first
	consents    map[uint64]*accessv1.Consent
	terms       map[string]*accessv1.EmergencyTerms // by patient
	emergencies map[string]*accessv1.Emergency
	guardians   map[string]*accessv1.Guardians
	handedOver  string                 // patient whose wallet is somebody else's
	others      []*consortiumv1.Member // beside this hospital
	sites       []*consortiumv1.Site
	recoveries  map[uint64]*accessv1.QueryRecoveryResponse
	entries     map[uint64]*auditv1.Entry
	objects     map[string]*storagev1.Object
	accounts    map[string]*authv1.BaseAccount

	sessionsReported uint64
	sessions         []*consortiumv1.SessionReport // as the chain took them

	reported  uint64
	reports   []*recordsv1.AccessReport // as the chain took them
	loseReply int                       // so many messages are carried out and answered with an error
	opened    []*consortiumv1.MsgOpenAccount
	broadcast [][]byte
	heights   []string // as queries named them
	submitted chan struct{}
}

// newFakeNode starts a node without members, people or records.
func newFakeNode(t *testing.T, now func() time.Time) *fakeNode {
	t.Helper()
	n := &fakeNode{
		now: now, newest: 7, networkID: make([]byte, 32),
		principals: map[string]*consortiumv1.Principal{}, invitations: map[string]*consortiumv1.Invitation{},
		patients: map[string]*recordsv1.Patient{}, records: map[string]*recordsv1.Record{}, versions: map[string][]*recordsv1.Version{},
		entries: map[uint64]*auditv1.Entry{}, objects: map[string]*storagev1.Object{}, accounts: map[string]*authv1.BaseAccount{},
		submitted: make(chan struct{}, 1),
	}
	n.networkID[0] = 0xab
	server := grpc.NewServer(grpc.UnaryInterceptor(n.intercept))
	accessv1.RegisterQueryServer(server, fakeAccess{n: n})
	auditv1.RegisterQueryServer(server, fakeAudit{n: n})
	consortiumv1.RegisterQueryServer(server, fakeConsortium{n: n})
	custodyv1.RegisterQueryServer(server, fakeCustody{n: n})
	recordsv1.RegisterQueryServer(server, fakeRecords{n: n})
	storagev1.RegisterQueryServer(server, fakeStorage{n: n})
	authv1.RegisterQueryServer(server, fakeAuth{n: n})
	txv1.RegisterServiceServer(server, fakeTx{n: n})
	cmtservice.RegisterServiceServer(server, fakeBlocks{n: n})
	listener := bufconn.Listen(1 << 20)
	go func() {
		if err := server.Serve(listener); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:///node",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	n.ClientConn = conn
	return n
}

// intercept makes the node unreachable where it is down, and answers with the height that was
// asked for as the SDK does.
func (n *fakeNode) intercept(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	n.mu.Lock()
	down, silent := n.down, n.silent
	n.heights = append(n.heights, md.Get("x-cosmos-block-height")...)
	n.mu.Unlock()
	if len(md.Get("authorization")) > 0 {
		return nil, status.Error(codes.Internal, "a token reached the node")
	}
	if down {
		return nil, status.Error(codes.Unavailable, "the node is down")
	}
	if silent {
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	height := "7"
	if asked := md.Get("x-cosmos-block-height"); len(asked) > 0 {
		height = asked[0]
	}
	if err := grpc.SetHeader(ctx, metadata.Pairs("x-cosmos-block-height", height)); err != nil {
		return nil, err
	}
	return handler(ctx, request)
}

func (n *fakeNode) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

// Account implements node.Chain.
func (n *fakeNode) Account() string { return n.account }

// Ready implements node.Chain.
func (n *fakeNode) Ready(context.Context) (node.Head, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return node.Head{}, errors.New("the node is down")
	}
	return node.Head{ChainID: "phrd-1", Height: 7, Time: n.now(), Signed: true}, n.notReady
}

// Committed implements node.Chain.
func (n *fakeNode) Committed() <-chan struct{} { return n.bell.Rung() }

// Submit implements node.Chain.
func (n *fakeNode) Submit(ctx context.Context, message proto.Message) (node.Result, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stuck {
		<-ctx.Done()
		return node.Result{}, ctx.Err()
	}
	if n.down || n.full {
		return node.Result{}, errors.New("the node takes no message")
	}
	var response proto.Message
	switch m := message.(type) {
	case *recordsv1.MsgReportAccess:
		written, err := n.take(m)
		if err != nil {
			return node.Result{}, err
		}
		response = &recordsv1.MsgReportAccessResponse{Written: written}
	case *consortiumv1.MsgReportSessions:
		written, err := n.takeSessions(m)
		if err != nil {
			return node.Result{}, err
		}
		response = &consortiumv1.MsgReportSessionsResponse{Written: written}
	case *consortiumv1.MsgOpenAccount:
		n.opened = append(n.opened, m)
		response = &consortiumv1.MsgOpenAccountResponse{Outcome: auditv1.Outcome_OUTCOME_OK}
	default:
		return node.Result{}, fmt.Errorf("the node does not know %T", message)
	}
	select {
	case n.submitted <- struct{}{}:
	default:
	}
	if n.loseReply > 0 {
		n.loseReply--
		return node.Result{}, errors.New("the connection was lost")
	}
	return node.NewResult(12, "ABCD", response)
}

// take carries out a report as x/records does: numbers rise, what is not new is skipped.
func (n *fakeNode) take(m *recordsv1.MsgReportAccess) (written uint32, err error) {
	if m.GetNode() != n.account || len(m.GetReports()) == 0 || len(m.GetReports()) > 100 {
		return 0, node.ErrRefused
	}
	before := uint64(0)
	for _, r := range m.GetReports() {
		if r.GetNumber() <= before || r.GetVersion() == 0 || r.GetOffset() > 1<<44 {
			return 0, fmt.Errorf("report %d: %w", r.GetNumber(), node.ErrRefused)
		}
		before = r.GetNumber()
	}
	for _, r := range m.GetReports() {
		if r.GetNumber() > n.reported {
			n.reported = r.GetNumber()
			n.reports = append(n.reports, r)
			written++
		}
	}
	return written, nil
}

func (n *fakeNode) takeSessions(m *consortiumv1.MsgReportSessions) (written uint32, err error) {
	if m.GetNode() != n.account || len(m.GetReports()) == 0 || len(m.GetReports()) > 100 {
		return 0, node.ErrRefused
	}
	before := uint64(0)
	for _, r := range m.GetReports() {
		if r.GetNumber() <= before {
			return 0, fmt.Errorf("report %d: %w", r.GetNumber(), node.ErrRefused)
		}
		before = r.GetNumber()
	}
	for _, r := range m.GetReports() {
		if r.GetNumber() > n.sessionsReported {
			n.sessionsReported = r.GetNumber()
			n.sessions = append(n.sessions, r)
			written++
		}
	}
	return written, nil
}

func (f fakeConsortium) SessionsReported(context.Context, *consortiumv1.QuerySessionsReportedRequest) (*consortiumv1.QuerySessionsReportedResponse, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	return &consortiumv1.QuerySessionsReportedResponse{Number: f.n.sessionsReported}, nil
}

func (n *fakeNode) taken() []*recordsv1.AccessReport {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]*recordsv1.AccessReport(nil), n.reports...)
}

// find answers from a map, or that there is nothing.
func find[K comparable, V any](n *fakeNode, m map[K]V, key K) (V, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v, ok := m[key]
	if !ok {
		return v, status.Errorf(codes.NotFound, "%v: unknown to the chain, and this text must not get out", key)
	}
	return v, nil
}

type fakeAccess struct {
	accessv1.UnimplementedQueryServer
	n *fakeNode
}

func (f fakeAccess) Params(context.Context, *accessv1.QueryParamsRequest) (*accessv1.QueryParamsResponse, error) {
	return &accessv1.QueryParamsResponse{Params: &accessv1.Params{Endorsements: 1}}, nil
}

func (f fakeAccess) Unlock(_ context.Context, q *accessv1.QueryUnlockRequest) (*accessv1.QueryUnlockResponse, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	for _, u := range f.n.unlocks {
		if u.GetUnlock().GetId() == q.GetId() {
			return u, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "unlock %s is unknown, and this text must not get out", q.GetId())
}

func (f fakeAccess) Unlocks(_ context.Context, q *accessv1.QueryUnlocksRequest) (*accessv1.QueryUnlocksResponse, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	var list []*accessv1.QueryUnlockResponse
	for _, u := range f.n.unlocks {
		x := u.GetUnlock()
		if (q.GetPatient() == "" || x.GetPatient() == q.GetPatient()) && (q.GetRequester() == "" || x.GetRequester() == q.GetRequester()) &&
			(q.GetCustodian() == 0 || x.GetCustodian() == q.GetCustodian()) {
			list = append(list, u)
		}
	}
	return &accessv1.QueryUnlocksResponse{Unlocks: list, Pagination: &querytypes.PageResponse{}}, nil
}

func (f fakeAccess) Consent(_ context.Context, q *accessv1.QueryConsentRequest) (*accessv1.QueryConsentResponse, error) {
	c, err := find(f.n, f.n.consents, q.GetNumber())
	return &accessv1.QueryConsentResponse{Consent: c}, err
}

func (f fakeAccess) Consents(context.Context, *accessv1.QueryConsentsRequest) (*accessv1.QueryConsentsResponse, error) {
	return &accessv1.QueryConsentsResponse{Pagination: &querytypes.PageResponse{}}, nil
}

func (f fakeAccess) Grantees(context.Context, *accessv1.QueryGranteesRequest) (*accessv1.QueryGranteesResponse, error) {
	return &accessv1.QueryGranteesResponse{}, nil
}

func (f fakeAccess) EmergencyTerms(_ context.Context, q *accessv1.QueryEmergencyTermsRequest) (*accessv1.QueryEmergencyTermsResponse, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	return &accessv1.QueryEmergencyTermsResponse{Terms: f.n.terms[q.GetPatient()]}, nil
}

func (f fakeAccess) EmergencyAccess(_ context.Context, q *accessv1.QueryEmergencyAccessRequest) (*accessv1.QueryEmergencyAccessResponse, error) {
	e, err := find(f.n, f.n.emergencies, q.GetId())
	return &accessv1.QueryEmergencyAccessResponse{Emergency: e}, err
}

func (f fakeAccess) EmergencyAccesses(context.Context, *accessv1.QueryEmergencyAccessesRequest) (*accessv1.QueryEmergencyAccessesResponse, error) {
	return &accessv1.QueryEmergencyAccessesResponse{Pagination: &querytypes.PageResponse{}}, nil
}

func (f fakeAccess) Guardians(_ context.Context, q *accessv1.QueryGuardiansRequest) (*accessv1.QueryGuardiansResponse, error) {
	g, err := find(f.n, f.n.guardians, q.GetPatient())
	return &accessv1.QueryGuardiansResponse{Guardians: g}, err
}

func (f fakeAccess) HandOver(_ context.Context, q *accessv1.QueryHandOverRequest) (*accessv1.QueryHandOverResponse, error) {
	if q.GetPatient() != f.n.handedOver {
		return nil, status.Error(codes.NotFound, "no hand-over")
	}
	return &accessv1.QueryHandOverResponse{HandOver: &accessv1.HandOver{Patient: q.GetPatient(), Due: 1 << 40}}, nil
}

func (f fakeAccess) Guarded(_ context.Context, q *accessv1.QueryGuardedRequest) (*accessv1.QueryGuardedResponse, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	answer := &accessv1.QueryGuardedResponse{}
	for _, g := range f.n.guardians {
		if slices.Contains(g.GetGuardians(), q.GetGuardian()) {
			answer.Guarded = append(answer.Guarded, g)
		}
	}
	return answer, nil
}

func (f fakeAccess) GuardianKey(context.Context, *accessv1.QueryGuardianKeyRequest) (*accessv1.QueryGuardianKeyResponse, error) {
	return &accessv1.QueryGuardianKeyResponse{}, nil
}

func (f fakeAccess) Recovery(_ context.Context, q *accessv1.QueryRecoveryRequest) (*accessv1.QueryRecoveryResponse, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	for number, r := range f.n.recoveries {
		if number == q.GetNumber() || q.GetUnlock() != "" && q.GetUnlock() == r.GetRecovery().GetUnlock() {
			return r, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "recovery %d is unknown, and this text must not get out", q.GetNumber())
}

func (f fakeAccess) Recoveries(context.Context, *accessv1.QueryRecoveriesRequest) (*accessv1.QueryRecoveriesResponse, error) {
	return &accessv1.QueryRecoveriesResponse{Pagination: &querytypes.PageResponse{}}, nil
}

type fakeAudit struct {
	auditv1.UnimplementedQueryServer
	n *fakeNode
}

func (f fakeAudit) Entry(_ context.Context, q *auditv1.QueryEntryRequest) (*auditv1.QueryEntryResponse, error) {
	e, err := find(f.n, f.n.entries, q.GetSequence())
	return &auditv1.QueryEntryResponse{Entry: e}, err
}

func (f fakeAudit) Entries(context.Context, *auditv1.QueryEntriesRequest) (*auditv1.QueryEntriesResponse, error) {
	return &auditv1.QueryEntriesResponse{}, nil
}

// append writes entries at the end of the log, as a block does, and returns the last sequence.
func (n *fakeNode) append(entries ...*auditv1.Entry) uint64 {
	n.mu.Lock()
	n.newest++
	for _, e := range entries {
		e.Sequence, e.Height, e.Time = uint64(len(n.entries))+1, n.newest, n.now().Unix()
		n.entries[e.Sequence] = e
	}
	last := uint64(len(n.entries))
	n.mu.Unlock()
	n.bell.Ring()
	return last
}

func (f fakeAudit) Head(context.Context, *auditv1.QueryHeadRequest) (*auditv1.QueryHeadResponse, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	return &auditv1.QueryHeadResponse{Size: uint64(len(f.n.entries))}, nil
}

func (f fakeAudit) SubjectHead(context.Context, *auditv1.QuerySubjectHeadRequest) (*auditv1.QuerySubjectHeadResponse, error) {
	return &auditv1.QuerySubjectHeadResponse{Head: &auditv1.SubjectHead{Count: 1}}, nil
}

func (f fakeAudit) InclusionProof(context.Context, *auditv1.QueryInclusionProofRequest) (*auditv1.QueryInclusionProofResponse, error) {
	return &auditv1.QueryInclusionProofResponse{}, nil
}

func (f fakeAudit) ConsistencyProof(context.Context, *auditv1.QueryConsistencyProofRequest) (*auditv1.QueryConsistencyProofResponse, error) {
	return &auditv1.QueryConsistencyProofResponse{}, nil
}

func (f fakeAudit) IndexStatus(context.Context, *auditv1.QueryIndexStatusRequest) (*auditv1.QueryIndexStatusResponse, error) {
	return &auditv1.QueryIndexStatusResponse{}, nil
}

type fakeConsortium struct {
	consortiumv1.UnimplementedQueryServer
	n *fakeNode
}

func (f fakeConsortium) Params(context.Context, *consortiumv1.QueryParamsRequest) (*consortiumv1.QueryParamsResponse, error) {
	return &consortiumv1.QueryParamsResponse{Params: &consortiumv1.Params{}, NetworkId: f.n.networkID}, nil
}

func (f fakeConsortium) Member(_ context.Context, q *consortiumv1.QueryMemberRequest) (*consortiumv1.QueryMemberResponse, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	if f.n.member.GetNumber() != q.GetNumber() {
		return nil, status.Error(codes.NotFound, "no such member")
	}
	return &consortiumv1.QueryMemberResponse{Member: f.n.member}, nil
}

func (f fakeConsortium) Members(context.Context, *consortiumv1.QueryMembersRequest) (*consortiumv1.QueryMembersResponse, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	return &consortiumv1.QueryMembersResponse{Members: append([]*consortiumv1.Member{f.n.member}, f.n.others...)}, nil
}

func (f fakeConsortium) Sites(context.Context, *consortiumv1.QuerySitesRequest) (*consortiumv1.QuerySitesResponse, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	return &consortiumv1.QuerySitesResponse{Sites: f.n.sites}, nil
}

func (f fakeConsortium) StorageNodes(context.Context, *consortiumv1.QueryStorageNodesRequest) (*consortiumv1.QueryStorageNodesResponse, error) {
	return &consortiumv1.QueryStorageNodesResponse{}, nil
}

func (f fakeConsortium) Staff(context.Context, *consortiumv1.QueryStaffRequest) (*consortiumv1.QueryStaffResponse, error) {
	return &consortiumv1.QueryStaffResponse{}, nil
}

func (f fakeConsortium) Principal(_ context.Context, q *consortiumv1.QueryPrincipalRequest) (*consortiumv1.QueryPrincipalResponse, error) {
	p, err := find(f.n, f.n.principals, q.GetAddress())
	return &consortiumv1.QueryPrincipalResponse{Principal: p}, err
}

func (f fakeConsortium) Invitation(_ context.Context, q *consortiumv1.QueryInvitationRequest) (*consortiumv1.QueryInvitationResponse, error) {
	i, err := find(f.n, f.n.invitations, q.GetKey())
	return &consortiumv1.QueryInvitationResponse{Invitation: i}, err
}

func (f fakeConsortium) Proposal(context.Context, *consortiumv1.QueryProposalRequest) (*consortiumv1.QueryProposalResponse, error) {
	return &consortiumv1.QueryProposalResponse{Proposal: &consortiumv1.Proposal{Number: 1}}, nil
}

func (f fakeConsortium) Proposals(context.Context, *consortiumv1.QueryProposalsRequest) (*consortiumv1.QueryProposalsResponse, error) {
	return &consortiumv1.QueryProposalsResponse{}, nil
}

type fakeCustody struct {
	custodyv1.UnimplementedQueryServer
	n *fakeNode
}

func (f fakeCustody) Params(context.Context, *custodyv1.QueryParamsRequest) (*custodyv1.QueryParamsResponse, error) {
	return &custodyv1.QueryParamsResponse{Params: &custodyv1.Params{}}, nil
}

func (f fakeCustody) Key(context.Context, *custodyv1.QueryKeyRequest) (*custodyv1.QueryKeyResponse, error) {
	return &custodyv1.QueryKeyResponse{Key: &custodyv1.Key{Generation: 1}}, nil
}

func (f fakeCustody) Keys(context.Context, *custodyv1.QueryKeysRequest) (*custodyv1.QueryKeysResponse, error) {
	return &custodyv1.QueryKeysResponse{}, nil
}

func (f fakeCustody) Rounds(context.Context, *custodyv1.QueryRoundsRequest) (*custodyv1.QueryRoundsResponse, error) {
	return &custodyv1.QueryRoundsResponse{}, nil
}

func (f fakeCustody) Received(context.Context, *custodyv1.QueryReceivedRequest) (*custodyv1.QueryReceivedResponse, error) {
	return &custodyv1.QueryReceivedResponse{}, nil
}

func (f fakeCustody) RoundKeys(context.Context, *custodyv1.QueryRoundKeysRequest) (*custodyv1.QueryRoundKeysResponse, error) {
	return &custodyv1.QueryRoundKeysResponse{}, nil
}

func (f fakeCustody) Complaints(context.Context, *custodyv1.QueryComplaintsRequest) (*custodyv1.QueryComplaintsResponse, error) {
	return &custodyv1.QueryComplaintsResponse{}, nil
}

func (f fakeCustody) Holders(context.Context, *custodyv1.QueryHoldersRequest) (*custodyv1.QueryHoldersResponse, error) {
	return &custodyv1.QueryHoldersResponse{}, nil
}

func (f fakeCustody) Release(_ context.Context, q *custodyv1.QueryReleaseRequest) (*custodyv1.QueryReleaseResponse, error) {
	if _, err := (fakeAccess{n: f.n}).Recovery(context.Background(), &accessv1.QueryRecoveryRequest{Unlock: q.GetUnlock()}); err == nil {
		return &custodyv1.QueryReleaseResponse{Release: &custodyv1.Release{}}, nil
	}
	if _, err := (fakeAccess{n: f.n}).Unlock(context.Background(), &accessv1.QueryUnlockRequest{Id: q.GetUnlock()}); err != nil {
		return nil, err
	}
	return &custodyv1.QueryReleaseResponse{Release: &custodyv1.Release{}}, nil
}

func (f fakeCustody) Releases(context.Context, *custodyv1.QueryReleasesRequest) (*custodyv1.QueryReleasesResponse, error) {
	return &custodyv1.QueryReleasesResponse{}, nil
}

// Shares answers as the chain does for a release that has none yet: with nothing.
func (f fakeCustody) Shares(context.Context, *custodyv1.QuerySharesRequest) (*custodyv1.QuerySharesResponse, error) {
	return &custodyv1.QuerySharesResponse{}, nil
}

type fakeRecords struct {
	recordsv1.UnimplementedQueryServer
	n *fakeNode
}

func (f fakeRecords) Params(context.Context, *recordsv1.QueryParamsRequest) (*recordsv1.QueryParamsResponse, error) {
	return &recordsv1.QueryParamsResponse{Params: &recordsv1.Params{}}, nil
}

func (f fakeRecords) Patient(_ context.Context, q *recordsv1.QueryPatientRequest) (*recordsv1.QueryPatientResponse, error) {
	p, err := find(f.n, f.n.patients, q.GetId())
	return &recordsv1.QueryPatientResponse{Patient: p}, err
}

func (f fakeRecords) PatientByAddress(_ context.Context, q *recordsv1.QueryPatientByAddressRequest) (*recordsv1.QueryPatientByAddressResponse, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	for _, p := range f.n.patients {
		if p.GetAddress() == q.GetAddress() {
			return &recordsv1.QueryPatientByAddressResponse{Patient: p}, nil
		}
	}
	return nil, status.Error(codes.NotFound, "no such patient, and this text must not get out")
}

func (f fakeRecords) Record(_ context.Context, q *recordsv1.QueryRecordRequest) (*recordsv1.QueryRecordResponse, error) {
	r, err := find(f.n, f.n.records, q.GetId())
	return &recordsv1.QueryRecordResponse{Record: r}, err
}

func (f fakeRecords) Records(_ context.Context, q *recordsv1.QueryRecordsRequest) (*recordsv1.QueryRecordsResponse, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	answer := &recordsv1.QueryRecordsResponse{Pagination: &querytypes.PageResponse{}}
	for _, r := range f.n.records {
		if q.GetPatient() != "" && r.GetPatient() == q.GetPatient() || q.GetCustodian() != 0 && r.GetCustodian() == q.GetCustodian() {
			answer.Records = append(answer.Records, r)
		}
	}
	return answer, nil
}

func (f fakeRecords) Version(_ context.Context, q *recordsv1.QueryVersionRequest) (*recordsv1.QueryVersionResponse, error) {
	list, err := find(f.n, f.n.versions, q.GetRecord())
	if err != nil {
		return nil, err
	}
	version := q.GetVersion()
	if version == 0 {
		version = uint64(len(list))
	}
	if version > uint64(len(list)) {
		return nil, status.Error(codes.NotFound, "no such version, and this text must not get out")
	}
	return &recordsv1.QueryVersionResponse{Version: list[version-1]}, nil
}

func (f fakeRecords) Versions(_ context.Context, q *recordsv1.QueryVersionsRequest) (*recordsv1.QueryVersionsResponse, error) {
	list, err := find(f.n, f.n.versions, q.GetRecord())
	return &recordsv1.QueryVersionsResponse{Versions: list, Pagination: &querytypes.PageResponse{}}, err
}

func (f fakeRecords) Reported(context.Context, *recordsv1.QueryReportedRequest) (*recordsv1.QueryReportedResponse, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	return &recordsv1.QueryReportedResponse{Number: f.n.reported}, nil
}

func (f fakeRecords) ErasureCertificate(_ context.Context, q *recordsv1.QueryErasureCertificateRequest) (*recordsv1.QueryErasureCertificateResponse, error) {
	r, err := find(f.n, f.n.records, q.GetRecord())
	if err != nil {
		return nil, err
	}
	h := &recordsv1.Header{Patient: r.GetPatient(), Custodian: r.GetCustodian()}
	return &recordsv1.QueryErasureCertificateResponse{Certificate: &recordsv1.ErasureCertificate{Version: &recordsv1.Version{Header: h}}}, nil
}

func (f fakeRecords) ErasureRequests(context.Context, *recordsv1.QueryErasureRequestsRequest) (*recordsv1.QueryErasureRequestsResponse, error) {
	return &recordsv1.QueryErasureRequestsResponse{}, nil
}

func (f fakeRecords) Locks(context.Context, *recordsv1.QueryLocksRequest) (*recordsv1.QueryLocksResponse, error) {
	return &recordsv1.QueryLocksResponse{}, nil
}

func (f fakeRecords) VersionOf(_ context.Context, q *recordsv1.QueryVersionOfRequest) (*recordsv1.QueryVersionOfResponse, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	for _, list := range f.n.versions {
		for _, v := range list {
			if v.GetObject() == q.GetObject() {
				return &recordsv1.QueryVersionOfResponse{Version: v}, nil
			}
		}
	}
	return nil, status.Error(codes.NotFound, "no such object, and this text must not get out")
}

type fakeStorage struct {
	storagev1.UnimplementedQueryServer
	n *fakeNode
}

func (f fakeStorage) Params(context.Context, *storagev1.QueryParamsRequest) (*storagev1.QueryParamsResponse, error) {
	return &storagev1.QueryParamsResponse{Params: &storagev1.Params{}}, nil
}

func (f fakeStorage) Object(_ context.Context, q *storagev1.QueryObjectRequest) (*storagev1.QueryObjectResponse, error) {
	o, err := find(f.n, f.n.objects, q.GetCid())
	return &storagev1.QueryObjectResponse{Object: o}, err
}

func (f fakeStorage) Assignments(context.Context, *storagev1.QueryAssignmentsRequest) (*storagev1.QueryAssignmentsResponse, error) {
	return &storagev1.QueryAssignmentsResponse{}, nil
}

func (f fakeStorage) Holdings(context.Context, *storagev1.QueryHoldingsRequest) (*storagev1.QueryHoldingsResponse, error) {
	return &storagev1.QueryHoldingsResponse{}, nil
}

func (f fakeStorage) Challenges(context.Context, *storagev1.QueryChallengesRequest) (*storagev1.QueryChallengesResponse, error) {
	return &storagev1.QueryChallengesResponse{}, nil
}

func (f fakeStorage) Erasures(context.Context, *storagev1.QueryErasuresRequest) (*storagev1.QueryErasuresResponse, error) {
	return &storagev1.QueryErasuresResponse{}, nil
}

func (f fakeStorage) Health(context.Context, *storagev1.QueryHealthRequest) (*storagev1.QueryHealthResponse, error) {
	return &storagev1.QueryHealthResponse{}, nil
}

func (f fakeStorage) Usage(context.Context, *storagev1.QueryUsageRequest) (*storagev1.QueryUsageResponse, error) {
	return &storagev1.QueryUsageResponse{}, nil
}

type fakeAuth struct {
	authv1.UnimplementedQueryServer
	n *fakeNode
}

func (f fakeAuth) Account(_ context.Context, q *authv1.QueryAccountRequest) (*authv1.QueryAccountResponse, error) {
	a, err := find(f.n, f.n.accounts, q.GetAddress())
	if err != nil {
		return nil, err
	}
	value, err := proto.Marshal(a)
	return &authv1.QueryAccountResponse{Account: &anypb.Any{TypeUrl: "/cosmos.auth.v1beta1.BaseAccount", Value: value}}, err
}

type fakeTx struct {
	txv1.UnimplementedServiceServer
	n *fakeNode
}

func (f fakeTx) BroadcastTx(_ context.Context, q *txv1.BroadcastTxRequest) (*txv1.BroadcastTxResponse, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	f.n.broadcast = append(f.n.broadcast, q.GetTxBytes())
	return &txv1.BroadcastTxResponse{}, nil
}

type fakeBlocks struct {
	cmtservice.UnimplementedServiceServer
	n *fakeNode
}

func (f fakeBlocks) ABCIQuery(context.Context, *cmtservice.ABCIQueryRequest) (*cmtservice.ABCIQueryResponse, error) {
	return &cmtservice.ABCIQueryResponse{}, nil
}

func (f fakeBlocks) GetSyncing(context.Context, *cmtservice.GetSyncingRequest) (*cmtservice.GetSyncingResponse, error) {
	return &cmtservice.GetSyncingResponse{}, nil
}

func (f fakeBlocks) GetLatestBlock(context.Context, *cmtservice.GetLatestBlockRequest) (*cmtservice.GetLatestBlockResponse, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	return &cmtservice.GetLatestBlockResponse{SdkBlock: &cmtservice.Block{Header: &cmtservice.Header{
		ChainId: "phrd-1", Height: f.n.newest, Time: timestamppb.New(f.n.now()),
	}}}, nil
}
