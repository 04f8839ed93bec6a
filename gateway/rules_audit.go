package gateway

import (
	cmtservice "cosmossdk.io/api/cosmos/base/tendermint/v1beta1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/lock"
)

const (
	// auditStore is the path of a query of the log's store for a value and its proof.
	auditStore = "/store/audit/key"
	// frontierKey is the key of the log's end in that store, and subjectKey begins that of the end of a patient's chain: the 16
	// bytes of the patient's number follow. They are those of x/audit/keys.go.
	frontierKey, subjectKey = "\x01", "\x02"
)

// asksState lets everybody who has logged in read the log's end with its proof, and auditors and the patient that of the patient's
// chain; nothing else of the state.
func asksState(c caller, q *cmtservice.ABCIQueryRequest) error {
	if q.GetPath() != auditStore {
		return status.Error(codes.PermissionDenied, "of the state only the ends of the log are served, from "+auditStore)
	}
	key := string(q.GetData())
	if key == frontierKey {
		return nil
	}
	patient, err := lock.IDFromBytes([]byte(key[min(1, len(key)):]))
	if err != nil || key[:1] != subjectKey {
		return status.Error(codes.PermissionDenied, "no key of an end of the log")
	}
	return allow(c.isAuditor() || c.owns(patient.String()))
}
