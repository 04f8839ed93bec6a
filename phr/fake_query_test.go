package phr_test

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"

	authv1 "cosmossdk.io/api/cosmos/auth/v1beta1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/lock"
)

type authServer struct {
	authv1.UnimplementedQueryServer
	net *network
}

// AccountInfo implements authv1.QueryServer.
func (s *authServer) AccountInfo(_ context.Context, r *authv1.QueryAccountInfoRequest) (*authv1.QueryAccountInfoResponse, error) {
	if s.net.principals[r.Address] == nil {
		return nil, status.Error(codes.NotFound, "account")
	}
	return &authv1.QueryAccountInfoResponse{Info: &authv1.BaseAccount{Address: r.Address, AccountNumber: 1<<63 + 7, Sequence: s.net.sequences[r.Address]}}, nil
}

type accessServer struct {
	accessv1.UnimplementedQueryServer
	net *network
}

// Unlock implements accessv1.QueryServer.
func (s *accessServer) Unlock(_ context.Context, r *accessv1.QueryUnlockRequest) (*accessv1.QueryUnlockResponse, error) {
	u := s.net.unlock(r.Id)
	if u == nil || s.net.late.Add(-1) >= 0 {
		return nil, status.Error(codes.NotFound, "unlock")
	}
	return &accessv1.QueryUnlockResponse{Unlock: u, Status: s.net.status(u)}, nil
}

// Unlocks implements accessv1.QueryServer.
func (s *accessServer) Unlocks(_ context.Context, r *accessv1.QueryUnlocksRequest) (*accessv1.QueryUnlocksResponse, error) {
	answer := &accessv1.QueryUnlocksResponse{}
	for _, u := range s.net.unlocks {
		if r.Patient == u.Patient || r.Requester == u.Requester || r.Custodian == u.Custodian {
			answer.Unlocks = append(answer.Unlocks, &accessv1.QueryUnlockResponse{Unlock: u, Status: s.net.status(u)})
		}
	}
	return answer, nil
}

type auditServer struct {
	auditv1.UnimplementedQueryServer
	net *network
}

// Entries implements auditv1.QueryServer with pages of two.
func (s *auditServer) Entries(_ context.Context, r *auditv1.QueryEntriesRequest) (*auditv1.QueryEntriesResponse, error) {
	answer := &auditv1.QueryEntriesResponse{}
	for _, e := range slices.Backward(s.net.entries) {
		if r.Before != 0 && e.Sequence >= r.Before || r.Actor != "" && r.Actor != e.Actor || r.Patient != "" && r.Patient != e.Patient ||
			r.Kind != "" && r.Kind != e.Kind || r.Unlock != "" && r.Unlock != e.Unlock || len(r.Kinds) != 0 && !slices.Contains(r.Kinds, e.Kind) {
			continue
		}
		if len(answer.Entries) == 2 {
			answer.Next = answer.Entries[1].Sequence
			break
		}
		answer.Entries = append(answer.Entries, e)
	}
	return answer, nil
}

// Head implements auditv1.QueryServer.
func (s *auditServer) Head(context.Context, *auditv1.QueryHeadRequest) (*auditv1.QueryHeadResponse, error) {
	return &auditv1.QueryHeadResponse{Size: uint64(len(s.net.entries)), Root: make([]byte, 32)}, nil
}

type consortiumServer struct {
	consortiumv1.UnimplementedQueryServer
	net *network
}

// Params implements consortiumv1.QueryServer.
func (s *consortiumServer) Params(context.Context, *consortiumv1.QueryParamsRequest) (*consortiumv1.QueryParamsResponse, error) {
	return &consortiumv1.QueryParamsResponse{NetworkId: s.net.id[:]}, nil
}

// Members implements consortiumv1.QueryServer.
func (s *consortiumServer) Members(context.Context, *consortiumv1.QueryMembersRequest) (*consortiumv1.QueryMembersResponse, error) {
	return &consortiumv1.QueryMembersResponse{Members: s.net.members}, nil
}

// Member implements consortiumv1.QueryServer.
func (s *consortiumServer) Member(_ context.Context, r *consortiumv1.QueryMemberRequest) (*consortiumv1.QueryMemberResponse, error) {
	if r.Number < 1 || r.Number > hospitals {
		return nil, status.Error(codes.NotFound, "member")
	}
	return &consortiumv1.QueryMemberResponse{Member: s.net.members[r.Number-1]}, nil
}

// Principal implements consortiumv1.QueryServer.
func (s *consortiumServer) Principal(_ context.Context, r *consortiumv1.QueryPrincipalRequest) (*consortiumv1.QueryPrincipalResponse, error) {
	p, known := s.net.principals[r.Address]
	if !known {
		return nil, status.Error(codes.NotFound, "account")
	}
	return &consortiumv1.QueryPrincipalResponse{Principal: p}, nil
}

type custodyServer struct {
	custodyv1.UnimplementedQueryServer
	net *network
}

// Key implements custodyv1.QueryServer.
func (s *custodyServer) Key(_ context.Context, r *custodyv1.QueryKeyRequest) (*custodyv1.QueryKeyResponse, error) {
	return &custodyv1.QueryKeyResponse{Key: &custodyv1.Key{
		Kind: r.Kind, Generation: 1, PublicKey: s.net.dealt.X.Bytes(), Threshold: threshold, ShareEpoch: 1,
	}}, nil
}

// Holders implements custodyv1.QueryServer.
func (s *custodyServer) Holders(context.Context, *custodyv1.QueryHoldersRequest) (*custodyv1.QueryHoldersResponse, error) {
	answer := &custodyv1.QueryHoldersResponse{}
	for _, h := range s.net.dealt.Holders {
		answer.Holders = append(answer.Holders, &custodyv1.Holder{ShareEpoch: 1, Index: h.Index, PublicShare: h.X.Bytes(), Confirmed: true})
	}
	return answer, nil
}

// Shares implements custodyv1.QueryServer: the holders give their shares when somebody asks.
func (s *custodyServer) Shares(_ context.Context, r *custodyv1.QuerySharesRequest) (*custodyv1.QuerySharesResponse, error) {
	p := s.net.locks[r.Unlock]
	key := s.net.generation()
	if s.net.recoveryOf(r.Unlock) != nil {
		key.Kind = lock.KeyGuardians
	}
	gen, err := key.Hash()
	if err != nil {
		return nil, err
	}
	release := lock.Release{Network: s.net.id, Unlock: p.ID(), Generation: gen}
	for _, v := range p.Versions {
		release.M = append(release.M, v.M)
	}
	answer := &custodyv1.QuerySharesResponse{}
	for _, held := range s.net.dealt.Shares {
		if !slices.Contains(s.net.holders, held.Index) {
			continue
		}
		share, err := release.NewShare(1, held.Index, held.Value, rand.Reader)
		if err != nil {
			return nil, err
		}
		given := &custodyv1.Share{Unlock: r.Unlock, ShareEpoch: 1, Index: held.Index, Proof: share.Proof}
		for _, d := range share.D {
			given.Points = append(given.Points, d.Bytes())
		}
		answer.Shares = append(answer.Shares, given)
	}
	return answer, nil
}

type recordsServer struct {
	recordsv1.UnimplementedQueryServer
	net *network
}

// Patient implements recordsv1.QueryServer.
func (s *recordsServer) Patient(_ context.Context, r *recordsv1.QueryPatientRequest) (*recordsv1.QueryPatientResponse, error) {
	p, known := s.net.patients[r.Id]
	if !known {
		return nil, status.Error(codes.NotFound, "patient")
	}
	return &recordsv1.QueryPatientResponse{Patient: p}, nil
}

// Record implements recordsv1.QueryServer.
func (s *recordsServer) Record(_ context.Context, r *recordsv1.QueryRecordRequest) (*recordsv1.QueryRecordResponse, error) {
	record, known := s.net.records[r.Id]
	if !known {
		return nil, status.Error(codes.NotFound, "record")
	}
	return &recordsv1.QueryRecordResponse{Record: record}, nil
}

// Records implements recordsv1.QueryServer.
func (s *recordsServer) Records(_ context.Context, r *recordsv1.QueryRecordsRequest) (*recordsv1.QueryRecordsResponse, error) {
	answer := &recordsv1.QueryRecordsResponse{}
	for _, id := range slices.Sorted(maps.Keys(s.net.records)) {
		if record := s.net.records[id]; record.Patient == r.Patient || record.Custodian == r.Custodian {
			answer.Records = append(answer.Records, record)
		}
	}
	return answer, nil
}

// Version implements recordsv1.QueryServer.
func (s *recordsServer) Version(_ context.Context, r *recordsv1.QueryVersionRequest) (*recordsv1.QueryVersionResponse, error) {
	all := s.net.versions[r.Record]
	if uint64(len(all)) < max(r.Version, 1) || s.net.late.Add(-1) >= 0 {
		return nil, status.Error(codes.NotFound, "version")
	}
	if r.Version == 0 {
		r.Version = uint64(len(all))
	}
	return &recordsv1.QueryVersionResponse{Version: all[r.Version-1]}, nil
}

// Versions implements recordsv1.QueryServer.
func (s *recordsServer) Versions(_ context.Context, r *recordsv1.QueryVersionsRequest) (*recordsv1.QueryVersionsResponse, error) {
	return &recordsv1.QueryVersionsResponse{Versions: s.net.versions[r.Record]}, nil
}

type storageServer struct {
	storagev1.UnimplementedQueryServer
	net *network

	asked uint32
}

// Object implements storagev1.QueryServer: one more copy is held each time that it is asked.
func (s *storageServer) Object(_ context.Context, r *storagev1.QueryObjectRequest) (*storagev1.QueryObjectResponse, error) {
	s.asked++
	return &storagev1.QueryObjectResponse{Object: &storagev1.Object{Cid: r.Cid, Target: 3, Minimum: 2}, Held: min(s.asked, 3)}, nil
}
