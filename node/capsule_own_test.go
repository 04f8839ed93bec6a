package node_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
	"github.com/phrd/phrd/seal"
)

// ownScan is a version that the er itself owns, and an unlock of it that one of the er's officers endorsed.
type ownScan struct {
	*consentedScan
	endorser, officer string
}

func newOwnScan(t *testing.T) *ownScan {
	t.Helper()
	s := newConsentedScan(t)
	recipient, err := seal.HospitalRecipient(er)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := lock.HospitalOwner(er)
	if err != nil {
		t.Fatal(err)
	}
	s.storeFor(t, owner, er, seal.VaultKey{Recipient: recipient, Epoch: 1, Key: s.vault[1].Public()})
	own := &ownScan{s, s.account(consortiumv1.Role_ROLE_OFFICER, er), s.account(consortiumv1.Role_ROLE_OFFICER, er)}
	u := s.unlock.Unlock
	u.Patient, u.Custodian, u.Approval, u.Versions[0].Record = "", er, nil, s.version.GetRecord()
	u.Endorsements = []*accessv1.Endorsement{{Officer: own.endorser}}
	s.unlock.Status = accessv1.UnlockStatus_UNLOCK_STATUS_ENDORSED
	return own
}

func (s *ownScan) askOwn(capsules *node.Capsules, officer string, hospital uint64) ([]byte, error) {
	return capsules.OwnCapsule(s.t.Context(), s.unlock.GetUnlock().GetId(), officer, hospital, s.block)
}

// An officer who did not endorse gets what the approval is to name: the hospital's half, which the requester alone opens.
func TestOwnCapsule(t *testing.T) {
	s := newOwnScan(t)
	capsule, err := s.askOwn(s.capsules, s.officer, er)
	if err != nil {
		t.Fatal(err)
	}
	asked := []seal.Asked{{Record: s.header.Context.Record, Version: 1, Lock: lock.LockBoth}}
	halves, err := seal.OpenCapsule(s.rk, s.network, [32]byte(mustHex(t, s.unlock.GetUnlock().GetId())), asked, capsule)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.header.CheckHalf(*halves[0]); err != nil {
		t.Error(err)
	}
}

// Each line is one thing for which an officer is handed nothing.
func TestNoOwnCapsule(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(s *ownScan) (officer string, hospital uint64)
	}{
		{"who endorsed", func(s *ownScan) (string, uint64) { return s.endorser, er }},
		{"who asked", func(s *ownScan) (string, uint64) { return s.requester.GetAddress(), er }},
		{"at another hospital", func(s *ownScan) (string, uint64) { return s.officer, clinic }},
		{"at no hospital", func(s *ownScan) (string, uint64) {
			s.unlock.Unlock.Custodian = 0
			return s.officer, 0
		}},
		{"no such unlock", func(s *ownScan) (string, uint64) {
			s.unlock.Unlock.Id = "00"
			return s.officer, er
		}},
		{"a patient's", func(s *ownScan) (string, uint64) {
			s.unlock.Unlock.Patient = s.patient
			return s.officer, er
		}},
		{"an emergency", func(s *ownScan) (string, uint64) {
			s.unlock.Unlock.Emergency = s.unlock.GetUnlock().GetId()
			return s.officer, er
		}},
		{"not endorsed", func(s *ownScan) (string, uint64) {
			s.unlock.Status = accessv1.UnlockStatus_UNLOCK_STATUS_PROPOSED
			return s.officer, er
		}},
		{"approved already", func(s *ownScan) (string, uint64) {
			s.unlock.Status = accessv1.UnlockStatus_UNLOCK_STATUS_APPROVED
			return s.officer, er
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newOwnScan(t)
			officer, hospital := tc.spoil(s)
			if capsule, err := s.askOwn(s.capsules, officer, hospital); len(capsule) != 0 || status.Code(err) != codes.NotFound {
				t.Errorf("%d bytes, %v", len(capsule), err)
			}
		})
	}
}
