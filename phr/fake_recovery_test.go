package phr_test

import (
	"context"
	"encoding/hex"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/wallet"
)

// recovery carries out what is about vaults that are written anew, guardians and recoveries; nil where a message is about something
// else. The caller holds mu.
func (n *network) recovery(signer string, msg proto.Message) (proto.Message, error) {
	switch m := msg.(type) {
	case *recordsv1.MsgRotateVault:
		n.writeVault(n.patients[n.principals[signer].Patient], m.VaultKey, m.Revision, m.VaultBlob)
		return &recordsv1.MsgRotateVaultResponse{Outcome: ok}, nil
	case *accessv1.MsgSetGuardians:
		p := n.patients[n.principals[signer].Patient]
		n.guardians[p.Id] = &accessv1.Guardians{
			Patient: p.Id, Owner: signer, Vault: p.Vault.Id, Slot: m.Slot, Revision: m.Revision, Generation: m.Generation, Threshold: m.Threshold,
			Guardians: m.Guardians, Commitments: m.Commitments, U: m.U, UBar: m.UBar, Proof: m.Proof, Shares: m.Shares, Delay: 5,
		}
		return &accessv1.MsgSetGuardiansResponse{Outcome: ok}, nil
	case *accessv1.MsgProposeRecovery:
		return n.proposeRecovery(m)
	case *accessv1.MsgApproveRecovery:
		r := n.recoveries[m.Recovery-1]
		r.Approvals = append(r.Approvals, &accessv1.RecoveryApproval{By: signer, Guardian: n.principals[signer].Patient, Capsule: m.Capsule})
		return &accessv1.MsgApproveRecoveryResponse{Outcome: ok}, nil
	case *accessv1.MsgCancelRecovery:
		n.recoveries[m.Recovery-1].CancelledBy = signer
		return &accessv1.MsgCancelRecoveryResponse{Outcome: ok}, nil
	case *accessv1.MsgFinishRecovery:
		r := n.recoveries[m.Recovery-1]
		p := n.patients[r.Patient]
		p.Address, n.principals[signer].Patient, r.FinishedAt = signer, p.Id, time.Now().Unix()
		n.writeVault(p, m.VaultKey, m.Revision, m.VaultBlob)
		return &accessv1.MsgFinishRecoveryResponse{Outcome: ok}, nil
	}
	return nil, nil
}

func (n *network) writeVault(p *recordsv1.Patient, key [][]byte, revision uint64, blob string) {
	p.Vault.Revision, p.Vault.Blob = revision, blob
	if len(key) > 0 {
		p.Vault.Epoch++
		p.Vault.Key = slices.Concat(key...)
	}
	delete(n.guardians, p.Id)
}

func (n *network) proposeRecovery(m *accessv1.MsgProposeRecovery) (proto.Message, error) {
	p, g := n.patients[m.Patient], n.guardians[m.Patient]
	r := &accessv1.Recovery{
		Number: uint64(len(n.recoveries) + 1), Patient: m.Patient, Account: m.Account, Former: p.Address, Inviter: 1, ExpiresAt: m.ExpiresAt,
		Way: accessv1.RecoveryWay_RECOVERY_WAY_GUARDIANS, Needed: g.Threshold, Guardians: g.Guardians, Vault: p.Vault.Id, Revision: g.Revision,
		RequestKey: m.RequestKey, B: m.B, M: m.M, Proof: m.Proof,
	}
	proposal, err := n.recoveryProposal(r, g)
	if err != nil {
		return nil, err
	}
	if proven := proposal.Verify(m.Proof) == nil; !proven {
		return &accessv1.MsgProposeRecoveryResponse{Outcome: refused, Reason: "bad_proof"}, nil
	}
	id := proposal.ID()
	r.Unlock = hex.EncodeToString(id[:])
	n.recoveries, n.locks[r.Unlock] = append(n.recoveries, r), proposal
	return &accessv1.MsgProposeRecoveryResponse{Outcome: ok, Recovery: r.Number}, nil
}

// recoveryProposal is what the hash of a recovery covers, made without the code under test.
func (n *network) recoveryProposal(r *accessv1.Recovery, g *accessv1.Guardians) (p lock.Proposal, err error) {
	key := n.generation()
	key.Kind = lock.KeyGuardians
	gen, err := key.Hash()
	if err != nil {
		return p, err
	}
	vault, err := lock.ParseID(g.Vault)
	if err != nil {
		return p, err
	}
	slot, err := lock.ParseID(g.Slot)
	if err != nil {
		return p, err
	}
	account, err := wallet.ParseAddress(r.Account)
	if err != nil {
		return p, err
	}
	p = lock.Proposal{Network: n.id, Requester: [20]byte(account), Purpose: "GUARDIAN", Expiry: uint64(r.ExpiresAt)}
	v := lock.ProposedVersion{Record: vault, Number: g.Revision}
	if v.Context, err = lock.GuardianContext(n.id, vault, slot, g.Revision, gen); err != nil {
		return p, err
	}
	if v.U, err = lock.ParsePoint(g.U); err != nil {
		return p, err
	}
	if v.M, err = lock.ParsePoint(r.M); err != nil {
		return p, err
	}
	if p.B, err = lock.ParsePoint(r.B); err != nil {
		return p, err
	}
	p.RequestKeyCID, err = lock.ParseRawCID(r.RequestKey)
	p.Versions = []lock.ProposedVersion{v}
	return p, err
}

func (n *network) recoveryOf(unlock string) *accessv1.Recovery {
	for _, r := range n.recoveries {
		if r.Unlock == unlock {
			return r
		}
	}
	return nil
}

// Guardians implements accessv1.QueryServer.
func (s *accessServer) Guardians(_ context.Context, r *accessv1.QueryGuardiansRequest) (*accessv1.QueryGuardiansResponse, error) {
	g := s.net.guardians[r.Patient]
	if g == nil {
		return nil, status.Error(codes.NotFound, "guardians")
	}
	return &accessv1.QueryGuardiansResponse{Guardians: g}, nil
}

// HandOver implements accessv1.QueryServer.
func (s *accessServer) HandOver(context.Context, *accessv1.QueryHandOverRequest) (*accessv1.QueryHandOverResponse, error) {
	return nil, status.Error(codes.NotFound, "hand-over")
}

// Guarded implements accessv1.QueryServer.
func (s *accessServer) Guarded(_ context.Context, r *accessv1.QueryGuardedRequest) (*accessv1.QueryGuardedResponse, error) {
	answer := &accessv1.QueryGuardedResponse{}
	for _, g := range s.net.guardians {
		if slices.Contains(g.Guardians, r.Guardian) {
			answer.Guarded = append(answer.Guarded, g)
		}
	}
	return answer, nil
}

// GuardianKey implements accessv1.QueryServer.
func (s *accessServer) GuardianKey(_ context.Context, r *accessv1.QueryGuardianKeyRequest) (*accessv1.QueryGuardianKeyResponse, error) {
	p := s.net.patients[r.Guardian]
	if p == nil {
		return nil, status.Error(codes.NotFound, "patient")
	}
	return &accessv1.QueryGuardianKeyResponse{Epoch: p.Vault.Epoch, Key: p.Vault.Key}, nil
}

// Recovery implements accessv1.QueryServer. The holders give their shares as soon as guardians have approved.
func (s *accessServer) Recovery(_ context.Context, r *accessv1.QueryRecoveryRequest) (*accessv1.QueryRecoveryResponse, error) {
	if r.Number < 1 || r.Number > uint64(len(s.net.recoveries)) {
		return nil, status.Error(codes.NotFound, "recovery")
	}
	found := s.net.recoveries[r.Number-1]
	answer := &accessv1.QueryRecoveryResponse{Recovery: found, Status: accessv1.RecoveryStatus_RECOVERY_STATUS_PROPOSED}
	switch {
	case found.FinishedAt != 0:
		answer.Status = accessv1.RecoveryStatus_RECOVERY_STATUS_FINISHED
	case found.CancelledBy != "":
		answer.Status = accessv1.RecoveryStatus_RECOVERY_STATUS_CANCELLED
	case len(found.Approvals) >= int(found.Needed):
		answer.Status, answer.Vault = accessv1.RecoveryStatus_RECOVERY_STATUS_READY, s.net.patients[found.Patient].Vault
	}
	return answer, nil
}

// PatientByAddress implements recordsv1.QueryServer.
func (s *recordsServer) PatientByAddress(_ context.Context, r *recordsv1.QueryPatientByAddressRequest) (*recordsv1.QueryPatientByAddressResponse, error) {
	for _, p := range s.net.patients {
		if p.Address == r.Address {
			return &recordsv1.QueryPatientByAddressResponse{Patient: p}, nil
		}
	}
	return nil, status.Error(codes.NotFound, "patient")
}
