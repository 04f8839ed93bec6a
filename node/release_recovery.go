package node

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/wallet"
)

// purposeGuardian is the purpose of releasing a guardian slot.
const purposeGuardian = "GUARDIAN"

// verifyRecovery makes sure that a share for a guardian slot is due: in the newest state as many of the patient's guardians as it
// needs have approved the recovery, its delay is over, nobody has cancelled it, and its unlock is the hash of what
// was proposed for the slot of the vault as it is. It returns what is to be answered.
func (r *round) verifyRecovery(ctx context.Context, key *heldKey, release *custodyv1.Release) (lock.Release, error) {
	got, err := r.access.Recovery(ctx, &accessv1.QueryRecoveryRequest{Unlock: release.GetUnlock()})
	if err != nil {
		return lock.Release{}, fmt.Errorf("ask for the recovery: %w", err)
	}
	recovery := got.GetRecovery()
	if err := r.checkDelayOver(recovery, got.GetStatus()); err != nil {
		return lock.Release{}, err
	}
	named, err := r.access.Guardians(ctx, &accessv1.QueryGuardiansRequest{Patient: recovery.GetPatient()})
	if err != nil {
		return lock.Release{}, fmt.Errorf("ask for the guardians: %w", err)
	}
	guardians := named.GetGuardians()
	if err := r.checkApprovedBy(key, recovery, guardians); err != nil {
		return lock.Release{}, err
	}
	if err := r.checkVault(ctx, guardians); err != nil {
		return lock.Release{}, err
	}
	slot, err := guardianSlot(r.network, key.hash, guardians)
	if err != nil {
		return lock.Release{}, fmt.Errorf("slot: %w: %w", errNotVerified, err)
	}
	if err := slot.Verify(guardians.GetProof()); err != nil {
		return lock.Release{}, fmt.Errorf("slot: %w: %w", errNotVerified, err)
	}
	p, err := recoveryProposal(r.network, slot, recovery)
	if err != nil {
		return lock.Release{}, fmt.Errorf("request: %w: %w", errNotVerified, err)
	}
	id := p.ID()
	if recovery.GetUnlock() != release.GetUnlock() || hex.EncodeToString(id[:]) != release.GetUnlock() {
		return lock.Release{}, fmt.Errorf("id is not the hash of the proposal: %w", errNotVerified)
	}
	if err := p.Verify(recovery.GetProof()); err != nil {
		return lock.Release{}, fmt.Errorf("request: %w: %w", errNotVerified, err)
	}
	m := p.Versions[0].M
	if len(release.GetBlinded()) != 1 || !bytes.Equal(release.GetBlinded()[0], m.Bytes()) {
		return lock.Release{}, fmt.Errorf("points are not that of the proposal: %w", errNotVerified)
	}
	return lock.Release{Network: r.network, Unlock: id, Generation: key.hash, M: []lock.Point{m}}, nil
}

// checkDelayOver makes sure that a recovery waits for shares and for nothing else. What ended a moment ago is no fault.
func (r *round) checkDelayOver(recovery *accessv1.Recovery, status accessv1.RecoveryStatus) error {
	now := r.head.Time.Unix()
	if status != accessv1.RecoveryStatus_RECOVERY_STATUS_DUE || recovery.GetCancelledBy() != "" || recovery.GetExpired() || recovery.GetFinishedAt() != 0 ||
		recovery.GetExpiresAt() <= now {
		return fmt.Errorf("recovery is %s, expires at %d: %w", status, recovery.GetExpiresAt(), errNotDue)
	}
	if recovery.GetDue() == 0 || recovery.GetDue() > now {
		return fmt.Errorf("delay is not over before %d: %w", recovery.GetDue(), errNotVerified)
	}
	return nil
}

// checkApprovedBy makes sure that as many of the patient's guardians as open together approved, that the delay is the one which
// the patient set, and that it was kept.
func (r *round) checkApprovedBy(key *heldKey, recovery *accessv1.Recovery, g *accessv1.Guardians) error {
	var fault string
	switch {
	case recovery.GetWay() != accessv1.RecoveryWay_RECOVERY_WAY_GUARDIANS:
		fault = "it is not the guardians'"
	case g.GetPatient() != recovery.GetPatient() || g.GetVault() != recovery.GetVault() || g.GetRevision() != recovery.GetRevision():
		fault = "it is of another vault"
	case g.GetGeneration() != key.name.generation || recovery.GetGeneration() != key.name.generation:
		fault = "it is under another key"
	case g.GetThreshold() < 2 || recovery.GetNeeded() != g.GetThreshold():
		fault = "it needs another number of guardians"
	case recovery.GetDelay() != g.GetDelay():
		fault = "it has another delay"
	}
	if fault != "" {
		return fmt.Errorf("recovery %d: %s: %w", recovery.GetNumber(), fault, errNotVerified)
	}
	var last int64
	approved := map[string]bool{}
	for _, a := range recovery.GetApprovals() {
		if !slices.Contains(g.GetGuardians(), a.GetGuardian()) || approved[a.GetGuardian()] {
			return fmt.Errorf("recovery %d: approved by %q, who is no guardian, or twice: %w", recovery.GetNumber(), a.GetGuardian(), errNotVerified)
		}
		approved[a.GetGuardian()] = true
		last = max(last, a.GetAt())
	}
	if len(approved) < int(g.GetThreshold()) || recovery.GetDue() < last+int64(g.GetDelay()) { // #nosec G115 -- bounded by the chain
		return fmt.Errorf("recovery %d: %d of %d guardians, the last at %d, due at %d: %w",
			recovery.GetNumber(), len(approved), g.GetThreshold(), last, recovery.GetDue(), errNotVerified)
	}
	return nil
}

// checkVault makes sure that the guardians are those of the vault as it is. A vault that was written anew a moment ago is no fault.
func (r *round) checkVault(ctx context.Context, g *accessv1.Guardians) error {
	got, err := r.records.Patient(ctx, &recordsv1.QueryPatientRequest{Id: g.GetPatient()})
	if err != nil {
		return fmt.Errorf("ask for the patient: %w", err)
	}
	p := got.GetPatient()
	if p.GetVault().GetRevision() != g.GetRevision() {
		return fmt.Errorf("vault has revision %d, the guardians are of %d: %w", p.GetVault().GetRevision(), g.GetRevision(), errNotDue)
	}
	if p.GetId() != g.GetPatient() || p.GetVault().GetId() != g.GetVault() || p.GetAddress() != g.GetOwner() {
		return fmt.Errorf("guardians are of another vault or wallet: %w", errNotVerified)
	}
	return nil
}

// guardianSlot is what the proof of a guardian slot speaks for (docs/custody.md, appendix A, guardians).
func guardianSlot(network lock.Network, generation [64]byte, g *accessv1.Guardians) (s lock.GuardianSlot, err error) {
	s.Generation = generation
	vault, err := lock.ParseCanonicalID(g.GetVault())
	if err != nil {
		return s, err
	}
	slot, err := lock.ParseCanonicalID(g.GetSlot())
	if err != nil {
		return s, err
	}
	if s.Context, err = lock.GuardianContext(network, vault, slot, g.GetRevision(), generation); err != nil {
		return s, err
	}
	if s.U, err = lock.ParseEncapsulation(g.GetU()); err != nil {
		return s, err
	}
	if s.UBar, err = lock.ParsePoint(g.GetUBar()); err != nil {
		return s, err
	}
	commitments, err := lock.ParseCommitments(uint64(g.GetThreshold()), g.GetCommitments())
	if err != nil {
		return s, err
	}
	owner, err := wallet.ParseAddress(g.GetOwner())
	if err != nil {
		return s, err
	}
	s.A0, s.Signer = commitments[0], [wallet.AddressSize]byte(owner)
	return s, nil
}

// recoveryProposal is what was proposed for the slot, in the form that its hash covers.
func recoveryProposal(network lock.Network, slot lock.GuardianSlot, r *accessv1.Recovery) (p lock.Proposal, err error) {
	account, err := wallet.ParseAddress(r.GetAccount())
	if err != nil {
		return p, err
	}
	p = lock.Proposal{Network: network, Requester: [wallet.AddressSize]byte(account), Purpose: purposeGuardian, Expiry: uint64(r.GetExpiresAt())} // #nosec G115 -- checked to be in the future
	if p.RequestKeyCID, err = lock.ParseRawCID(r.GetRequestKey()); err != nil {
		return p, err
	}
	if p.B, err = lock.ParseEncapsulation(r.GetB()); err != nil {
		return p, err
	}
	v := lock.ProposedVersion{Number: r.GetRevision(), Context: slot.Context, U: slot.U}
	if v.Record, err = lock.ParseCanonicalID(r.GetVault()); err != nil {
		return p, err
	}
	if v.M, err = lock.ParsePoint(r.GetM()); err != nil {
		return p, err
	}
	p.Versions = []lock.ProposedVersion{v}
	return p, nil
}
