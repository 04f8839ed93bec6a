package phr_test

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
)

// EmergencyTerms implements accessv1.QueryServer.
func (s *accessServer) EmergencyTerms(_ context.Context, r *accessv1.QueryEmergencyTermsRequest) (*accessv1.QueryEmergencyTermsResponse, error) {
	if agreed := s.net.agreed[r.Patient]; agreed != nil {
		return agreed, nil
	}
	return &accessv1.QueryEmergencyTermsResponse{}, nil
}

// agrees has a patient agree to emergencies, which this many hospitals' vaults open.
func (n *network) agrees(patient string, vaults int) {
	n.t.Helper()
	agreed := &accessv1.QueryEmergencyTermsResponse{Terms: &accessv1.EmergencyTerms{Patient: patient, Approvals: 2, Delay: 60, EnabledAt: 1}}
	for i := range vaults {
		key, err := lock.GeneratePrivateKey(rand.Reader)
		require.NoError(n.t, err)
		agreed.Vaults = append(agreed.Vaults, &accessv1.EmergencyVault{Hospital: uint64(i) + 1, Epoch: 1, Key: key.Public().Bytes()})
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.agreed[patient] = agreed
}

// A clerk's program seals versions of a patient who agreed to it for emergencies, and those of nobody else; a clinician can't ask in an
// emergency for what has no box.
func TestStoreForEmergencies(t *testing.T) {
	c := newCast(t)
	plain := c.store([]byte("before"))
	require.Nil(t, c.stores[0].GetVersions()[0].GetBox())
	_, err := c.doctor.RequestEmergency(t.Context(), phr.EmergencyRequest{
		Versions: []phr.Ref{plain.Ref}, Purpose: "ETREAT", Reason: "unconscious", Lifetime: day,
	})
	require.ErrorIs(t, err, phr.ErrNoBox)

	c.agrees(c.number, 4)
	c.store([]byte("after"))
	v := c.stores[1].GetVersions()[0]
	require.EqualValues(t, 1, v.GetBox().GetGeneration())
	require.Len(t, v.GetBoxProof(), 64)
	c.agrees(c.number, 0) // no longer, or without vaults
	c.store([]byte("no more"))
	require.Nil(t, c.stores[2].GetVersions()[0].GetBox())
}
