package gateway

import (
	cmtservice "cosmossdk.io/api/cosmos/base/tendermint/v1beta1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/phrd/phrd/lock"
)

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

// asksState lets auditors and the patient read the end of the patient's chain with its proof, and nobody anything else of the state.
func asksState(c caller, q *cmtservice.ABCIQueryRequest) error {
	if q.GetPath() != auditStore {
		return status.Error(codes.PermissionDenied, "of the state only the ends of the log are served, from "+auditStore)
	}
	key := string(q.GetData())
	patient, err := lock.IDFromBytes([]byte(key[min(1, len(key)):]))
	if err != nil || key[:1] != subjectKey {
		return status.Error(codes.PermissionDenied, "no key of an end of the log")
	}
	return allow(c.isAuditor() || c.owns(patient.String()))
}
