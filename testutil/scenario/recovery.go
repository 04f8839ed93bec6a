package scenario

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
)

// recoveryWait is how long recoveries of this package wait beside their delay.
const recoveryWait = 7 * 24 * time.Hour

// RecoveryDelay sets the least delay of recoveries; seven days without it.
func RecoveryDelay(d time.Duration) Option { return func(s *settings) { s.delay = d } }

// NamesGuardians writes the patient's vault with guardians, two of whom open it together after the delay.
func (p *Patient) NamesGuardians(delay time.Duration, guardians ...*Patient) {
	p.t.Helper()
	named := &phr.Guardians{Threshold: 2, Delay: delay}
	for _, g := range guardians {
		named.Numbers = append(named.Numbers, g.Number)
	}
	p.RotateVault(phr.VaultChange{Site: phr.DefaultSite, Guardians: named})
}

// Guardians are the patient's as the network has them, nil for none.
func (p *Patient) Guardians() *accessv1.Guardians {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	named, err := p.client.PatientGuardians(ctx, p.Number)
	if err != nil && !errors.Is(err, phr.ErrNotFound) {
		p.t.Fatalf("guardians: %v", err)
	}
	return named
}

// CanGuard checks that the patient's program opens the share of another patient's vault.
func (p *Patient) CanGuard(other *Patient) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	if err := p.client.CheckGuardian(ctx, p.vault, other.Number); err != nil {
		p.t.Fatalf("check the share for %s: %v", other.Name, err)
	}
}

// Newcomer is somebody whom the hospital's clerk has invited as a patient and who has registered as none.
func (h *Hospital) Newcomer() Person {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	return h.invited(ctx)
}

// invited is somebody without a role whom the hospital's clerk has invited, at the first hospital's gateway, which hears of the invitation
// with its block.
func (h *Hospital) invited(ctx context.Context) Person {
	h.t.Helper()
	invitation, err := h.Clerk().client.Invite(ctx, invitationTime)
	if err != nil {
		h.t.Fatalf("invite: %v", err)
	}
	p := h.network.stranger(h.t)
	h.network.note(ctx, h.hospital)
	if err := h.network.catchUp(ctx, p.at); err != nil {
		h.t.Fatalf("the gateway of %s does not hear of an invitation: %v", p.at.name, err)
	}
	if err := p.client.OpenAccount(ctx, invitation); err != nil {
		h.t.Fatalf("open an account: %v", err)
	}
	return p
}

// AsksToRecover proposes to take the place of a patient's lost wallet, and answers the recovery's number.
func (p Person) AsksToRecover(lost *Patient) uint64 {
	p.t.Helper()
	return p.AsksToActFor(lost, time.Time{})
}

// AsksToActFor proposes to act for a patient until that time, with another wallet, and answers the recovery's number.
func (p Person) AsksToActFor(patient *Patient, until time.Time) uint64 {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	number, err := p.client.ProposeRecovery(ctx, phr.RecoveryRequest{Patient: patient.Number, Wait: recoveryWait, Until: until})
	if err != nil {
		p.t.Fatalf("propose a recovery: %v", err)
	}
	return number
}

// SupportsRecovery reviews a recovery at two hospitals and approves it as a guardian.
func (p *Patient) SupportsRecovery(number uint64) { p.t.Helper(); p.supportRecovery(number, p.vault) }

// SupportsRecovery has the hospital's officer approve who asks for a recovery.
func (h *Hospital) SupportsRecovery(number uint64) {
	h.t.Helper()
	h.Officer().supportRecovery(number, nil)
}

func (p Person) supportRecovery(number uint64, vault *phr.Vault) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	review, err := past(ctx, func() (*phr.RecoveryReview, error) { return p.client.ReviewRecovery(ctx, number) }, phr.ErrNotFound)
	if err != nil {
		p.t.Fatalf("review recovery %d: %v", number, err)
	}
	if _, err := review.Approve(ctx, vault); err != nil {
		p.t.Fatalf("approve recovery %d: %v", number, err)
	}
}

// CancelsRecovery ends a recovery.
func (p Person) CancelsRecovery(number uint64) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	if _, err := p.client.CancelRecovery(ctx, number); err != nil {
		p.t.Fatalf("cancel recovery %d: %v", number, err)
	}
}

// CannotFinish tries to open the vault of a recovery, which fails, and to take the place of the lost wallet all the same, which the chain refuses for a
// reason.
func (p Person) CannotFinish(number uint64, lost *Patient, want error, reason string) {
	p.t.Helper()
	ctx, cancel := p.step()
	_, err := p.client.ReadyVault(ctx, number, lost.Code)
	cancel()
	mustBe(p.t, "open the lost vault", err, want)
	next := lost.File
	next.Revision++
	p.CannotSend(&accessv1.MsgFinishRecovery{
		Account: p.Address(), Recovery: number, VaultKey: slices.Collect(slices.Chunk(next.Key, 64)),
		Revision: next.Revision, VaultBlob: lock.RawCID(sha256.Sum256(next.Blob)).String(), VaultSize: 4096, Hospital: p.at.number,
	}, &accessv1.MsgFinishRecoveryResponse{}, reason)
}

// TakesPlaceOf waits until a recovery is ready and takes the place of the lost wallet; words are the recovery code where hospitals approved.
func (p Person) TakesPlaceOf(number uint64, lost *Patient, words string) *Patient {
	p.t.Helper()
	p.AwaitsRecovery(number)
	ctx, cancel := p.step()
	defer cancel()
	former, err := p.client.ReadyVault(ctx, number, words)
	if err != nil {
		p.t.Fatalf("open the lost vault: %v", err)
	}
	change := phr.VaultChange{NewKey: true, Site: phr.DefaultSite, Wallet: p.key}
	if words != "" {
		change.Guardians = &phr.Guardians{}
	}
	next, err := p.client.PrepareVault(ctx, former, change)
	if err != nil {
		p.t.Fatalf("prepare the vault: %v", err)
	}
	return p.finishes(number, lost, former, next)
}

// TakesPlaceWithoutWords waits until a recovery is ready and takes the place of the wallet with an empty vault.
func (p Person) TakesPlaceWithoutWords(number uint64, lost *Patient) *Patient {
	p.t.Helper()
	p.AwaitsRecovery(number)
	ctx, cancel := p.step()
	defer cancel()
	former, next, err := p.client.PrepareEmptyVault(ctx, number, phr.DefaultSite)
	if err != nil {
		p.t.Fatalf("prepare an empty vault: %v", err)
	}
	return p.finishes(number, lost, former, next)
}

func (p Person) finishes(number uint64, lost *Patient, former phr.VaultFile, next *phr.PreparedVault) *Patient {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	if _, err := p.client.FinishRecovery(ctx, number, former, next.File); err != nil {
		p.t.Fatalf("finish recovery %d: %v", number, err)
	}
	var err error
	recovered := &Patient{Person: p, Name: lost.Name, Number: lost.Number, File: next.File, Code: next.Code}
	if recovered.vault, err = p.client.OpenVault(next.File); err != nil {
		p.t.Fatalf("open the vault: %v", err)
	}
	return recovered
}

// AwaitsRecovery waits until a recovery can be finished.
func (p Person) AwaitsRecovery(number uint64) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	for {
		r, err := p.client.Recovery(ctx, number)
		if err != nil {
			p.t.Fatalf("recovery %d: %v", number, err)
		}
		if r.Status == accessv1.RecoveryStatus_RECOVERY_STATUS_READY {
			return
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			p.t.Fatalf("recovery %d is %s", number, r.Status)
		}
	}
}

// CannotOpenVault tries to open the vault of a recovery that is ready with words, which fails.
func (p Person) CannotOpenVault(number uint64, words string, want error) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	_, err := p.client.ReadyVault(ctx, number, words)
	mustBe(p.t, "open the lost vault", err, want)
}

// UnlockOf is the unlock under which the hospitals' shares for a recovery are given, as an officer sees it.
func (h *Hospital) UnlockOf(number uint64) string {
	h.t.Helper()
	officer := h.Officer()
	ctx, cancel := officer.step()
	defer cancel()
	r, err := officer.client.Recovery(ctx, number)
	if err != nil {
		h.t.Fatalf("recovery %d: %v", number, err)
	}
	return r.GetUnlock()
}

// RecoveryStands checks where a recovery stands.
func (p Person) RecoveryStands(number uint64, want accessv1.RecoveryStatus) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	r, err := p.client.Recovery(ctx, number)
	if err != nil || r.Status != want {
		p.t.Fatalf("recovery %d is %s, want %s: %v", number, r.Status, want, err)
	}
}

// WithVaultOf is the patient with the vault as somebody else has it: a lost device.
func (p *Patient) WithVaultOf(lost *Patient) *Patient {
	other := *p
	other.vault = lost.vault
	return &other
}
