package gateway

import (
	"context"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/lock"
)

// isOfRecovery tells whether a block is one that the caller needs for an open recovery: a guardian the one-time key; who proposed it the
// shares that guardians sealed to that, and once it is ready the patient's vault. A vault opens by its slots alone, and what
// opens the guardians' is in no block.
func (g *Gateway) isOfRecovery(ctx context.Context, c caller, number string, id lock.CID) (bool, error) {
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || n == 0 {
		return false, nil // what names no recovery is as good as unknown
	}
	ctx, cancel := context.WithTimeout(ctx, g.config.Limits.QueryTime)
	defer cancel()
	got, err := accessv1.NewQueryClient(g.config.Chain).Recovery(ctx, &accessv1.QueryRecoveryRequest{Number: n})
	if status.Code(err) == codes.NotFound {
		return false, nil
	}
	if err != nil {
		return false, unavailable(err, "the node does not answer")
	}
	r := got.GetRecovery()
	if s := got.GetStatus(); s < accessv1.RecoveryStatus_RECOVERY_STATUS_PROPOSED || s > accessv1.RecoveryStatus_RECOVERY_STATUS_READY {
		return false, nil
	}
	if r.GetRequestKey() == id.String() {
		return c.guards(r.GetGuardians()) || c.address == r.GetAccount(), nil
	}
	if c.address != r.GetAccount() {
		return false, nil
	}
	for _, a := range r.GetApprovals() {
		if a.GetCapsule() == id.String() {
			return true, nil
		}
	}
	return got.GetVault().GetBlob() == id.String(), nil
}

// isShares tells whether a block is that with the shares of a patient's guardians, and the caller one of them or the patient.
func (g *Gateway) isShares(ctx context.Context, c caller, patient string, id lock.CID) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, g.config.Limits.QueryTime)
	defer cancel()
	got, err := accessv1.NewQueryClient(g.config.Chain).Guardians(ctx, &accessv1.QueryGuardiansRequest{Patient: patient})
	if status.Code(err) == codes.NotFound {
		return false, nil
	}
	if err != nil {
		return false, unavailable(err, "the node does not answer")
	}
	named := got.GetGuardians()
	return named.GetShares() == id.String() && (c.owns(named.GetPatient()) || c.guards(named.GetGuardians())), nil
}
