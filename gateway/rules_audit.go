package gateway

import (
	"context"
	"slices"

	cmtservice "cosmossdk.io/api/cosmos/base/tendermint/v1beta1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/internal/concern"
	"github.com/phrd/phrd/lock"
)

// seesEntry shows an entry to whom it concerns, and to an auditor of a hospital that it concerns.
func seesEntry(ctx context.Context, s *scope, c caller, _ *auditv1.QueryEntryRequest, a *auditv1.QueryEntryResponse) (bool, error) {
	return s.readsEntry(ctx, c, a.GetEntry())
}

// readsEntry tells who may read an entry: auditors of the whole log, the patient whom it is about, who made it or is its target, whose
// hospital did, and auditors of a hospital that it concerns.
func (s *scope) readsEntry(ctx context.Context, c caller, e *auditv1.Entry) (bool, error) {
	if c.auditsAll() || c.owns(e.GetPatient()) || !c.isNobody() && (e.GetActor() == c.address || e.GetTarget() == c.address) ||
		!c.isPatient() && c.of(e.GetHospital()) {
		return true, nil
	}
	return s.concernsAudited(ctx, c, e)
}

// concernsAudited tells whether an entry concerns a hospital of which the caller is an auditor. What it does not say itself is asked of the
// chain: who asked for the unlock, and in whose custody the records are.
func (s *scope) concernsAudited(ctx context.Context, c caller, e *auditv1.Entry) (bool, error) {
	if !c.isAuditor() {
		return false, nil
	}
	if c.auditsAny(e.GetHospital(), concern.Member(e.GetKind(), e.GetTarget())) {
		return true, nil
	}
	if e.GetUnlock() != "" {
		u, err := s.partiesOf(ctx, e.GetUnlock())
		if err != nil || c.auditsAny(u.GetHospital()) {
			return err == nil, err
		}
	}
	for _, subject := range e.GetSubjects() {
		custodian, err := s.custodianOf(ctx, subject.GetRecord())
		if err != nil || c.auditsAny(custodian) {
			return err == nil, err
		}
	}
	return false, nil
}

func asksEntries(c caller, q *auditv1.QueryEntriesRequest) error {
	// Every filter must match, so one that is the caller's own covers the whole list; an auditor's is narrowed.
	if c.isAuditor() || c.owns(q.GetPatient()) || q.GetActor() == c.address || !c.isPatient() && c.of(q.GetHospital()) {
		return nil
	}
	return status.Error(codes.PermissionDenied, "only auditors read the whole log: filter by your own patient number, account or hospital")
}

// narrowsEntries has an auditor of some hospitals ask for what concerns them, or those of them that the request names.
func narrowsEntries(c caller, request proto.Message) error {
	q, ok := request.(*auditv1.QueryEntriesRequest)
	if !ok {
		return status.Errorf(codes.Internal, "request of type %T", request)
	}
	if !c.isAuditor() || c.auditsAll() || q.GetActor() == c.address {
		return nil
	}
	if len(q.GetConcerns()) == 0 {
		q.Concerns = slices.Clone(c.audits.GetHospitals())
	}
	for _, hospital := range q.GetConcerns() {
		if !c.auditsAny(hospital) {
			return status.Errorf(codes.PermissionDenied, "you are no auditor of hospital %d", hospital)
		}
	}
	if len(q.GetConcerns()) == 0 {
		return errRole
	}
	return nil
}

func asksSubjectHead(c caller, q *auditv1.QuerySubjectHeadRequest) error {
	return allow(c.auditsAll() || c.owns(q.GetPatient()))
}

const (
	// auditStore is the path of a query of the log's store for a value and its proof.
	auditStore = "/store/audit/key"
	// frontierKey is the key of the log's end in that store, and subjectKey begins that of the end of a patient's chain: the 16
	// bytes of the patient's number follow. They are those of x/audit/keys.go.
	frontierKey, subjectKey = "\x01", "\x02"
)

// isEndOfLog lets everybody read the log's end with its proof: a size and hashes, which witnesses follow who have no account.
func isEndOfLog(request proto.Message) bool {
	q, ok := request.(*cmtservice.ABCIQueryRequest)
	return ok && q.GetPath() == auditStore && string(q.GetData()) == frontierKey
}

// asksState lets auditors of the whole log and the patient read the end of the patient's chain with its proof, and nobody anything else of the state.
func asksState(c caller, q *cmtservice.ABCIQueryRequest) error {
	if q.GetPath() != auditStore {
		return status.Error(codes.PermissionDenied, "of the state only the ends of the log are served, from "+auditStore)
	}
	key := string(q.GetData())
	patient, err := lock.IDFromBytes([]byte(key[min(1, len(key)):]))
	if err != nil || key[:1] != subjectKey {
		return status.Error(codes.PermissionDenied, "no key of an end of the log")
	}
	return allow(c.auditsAll() || c.owns(patient.String()))
}
