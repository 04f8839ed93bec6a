package node_test

import (
	"context"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
)

// erased is what a ledger knows of erasures.
type erased struct {
	list     []*storagev1.Erasure
	attested map[uint64][]uint64 // nodes by erasure
	days     []uint32            // that attestations named
	patient  string
	unlocks  []*accessv1.Unlock // all of the patient's version 1 of the record of that name
}

// erase gives an object up; all nodes are to attest.
func (l *ledger) erase(o *storagev1.Object) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.objects, o.GetCid())
	x := &storagev1.Erasure{Number: uint64(len(l.erased.list)) + 1, Object: o.GetCid(), Attached: o.GetAttached()}
	for _, n := range l.nodes {
		x.Nodes = append(x.Nodes, n.GetNumber())
	}
	l.erased.list = append(l.erased.list, x)
}

// attest carries out a message. The caller holds l.mu.
func (l *ledger) attest(account string, m *storagev1.MsgAttestErasures) proto.Message {
	response := &storagev1.MsgAttestErasuresResponse{}
	if account != m.GetNode() || !slices.IsSorted(m.GetNumbers()) || len(m.GetNumbers()) > 100 {
		l.t.Errorf("%s signed for %s, %v", account, m.GetNode(), m.GetNumbers())
		return response
	}
	l.erased.days = append(l.erased.days, m.GetBackupDays())
	for _, number := range m.GetNumbers() {
		for _, n := range l.nodes {
			if n.GetAccount() == account {
				l.erased.attested[number] = append(l.erased.attested[number], n.GetNumber())
			}
		}
		response.Results = append(response.Results, &storagev1.AttestResult{Number: number, Outcome: auditv1.Outcome_OUTCOME_OK})
	}
	return response
}

// attestations are the nodes that attested an erasure.
func (l *ledger) attestations(number uint64) []uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.erased.attested[number])
}

// Erasures answers at most two at a time, so that readers have to page.
func (s storageServer) Erasures(_ context.Context, req *storagev1.QueryErasuresRequest) (*storagev1.QueryErasuresResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	answer := &storagev1.QueryErasuresResponse{}
	for i, x := range s.l.erased.list[min(req.GetAfter(), uint64(len(s.l.erased.list))):] {
		if i == 2 {
			answer.Next = x.GetNumber() - 1
			break
		}
		if n := req.GetNode(); n == 0 || slices.Contains(x.GetNodes(), n) && !slices.Contains(s.l.erased.attested[x.GetNumber()], n) {
			answer.Erasures = append(answer.Erasures, x)
		}
	}
	return answer, nil
}

type erasedRecords struct {
	recordsv1.UnimplementedQueryServer
	l *ledger
}

// VersionOf takes each object that is in no record for version 1 of one of the same name.
func (s erasedRecords) VersionOf(_ context.Context, req *recordsv1.QueryVersionOfRequest) (*recordsv1.QueryVersionOfResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	for _, versions := range s.l.archive.versions {
		for _, v := range versions {
			if v.GetObject() == req.GetObject() {
				return &recordsv1.QueryVersionOfResponse{Version: v}, nil
			}
		}
	}
	if s.l.erased.patient == "" {
		return nil, status.Error(codes.NotFound, "no such object")
	}
	return &recordsv1.QueryVersionOfResponse{Version: &recordsv1.Version{
		Record: req.GetObject(), Version: 1, Header: &recordsv1.Header{Patient: s.l.erased.patient},
	}}, nil
}

func (s erasedRecords) Versions(_ context.Context, req *recordsv1.QueryVersionsRequest) (*recordsv1.QueryVersionsResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	rows, next := pageOf(s.l.archive.versions[req.GetRecord()], req.GetPagination())
	return &recordsv1.QueryVersionsResponse{Versions: rows, Pagination: next}, nil
}

type erasedAccess struct {
	accessv1.UnimplementedQueryServer
	l *ledger
}

func (s erasedAccess) Recoveries(ctx context.Context, req *accessv1.QueryRecoveriesRequest) (*accessv1.QueryRecoveriesResponse, error) {
	return unlockServer{l: s.l}.Recoveries(ctx, req)
}

func (s erasedAccess) Unlocks(ctx context.Context, req *accessv1.QueryUnlocksRequest) (*accessv1.QueryUnlocksResponse, error) {
	if req.GetCustodian() != 0 {
		return unlockServer{l: s.l}.Unlocks(ctx, req)
	}
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if req.GetPatient() != s.l.erased.patient {
		return nil, status.Errorf(codes.InvalidArgument, "asked for patient %q", req.GetPatient())
	}
	rows, next := pageOf(s.l.erased.unlocks, req.GetPagination())
	answer := &accessv1.QueryUnlocksResponse{Pagination: next}
	for _, u := range rows {
		answer.Unlocks = append(answer.Unlocks, &accessv1.QueryUnlockResponse{Unlock: u})
	}
	return answer, nil
}
