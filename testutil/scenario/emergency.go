package scenario

import (
	"crypto/rand"
	"fmt"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
)

// delay is what patients of this package leave between the last approval of an emergency and the release: the shortest that may be.
const delay = 10 * time.Second

// RotateEmergencyVault gives the hospital's emergency vault the key of an epoch.
func (h *Hospital) RotateEmergencyVault(epoch uint64) {
	h.t.Helper()
	admin := h.Admin()
	key, err := lock.GeneratePrivateKey(rand.Reader)
	if err != nil {
		h.t.Fatalf("draw a vault key: %v", err)
	}
	if err := h.keys.Put(fmt.Sprintf("%s%d", keys.EmergencyVaultPrefix, epoch), key.Seed()); err != nil {
		h.t.Fatalf("keep a vault key: %v", err)
	}
	ctx, cancel := admin.step()
	defer cancel()
	if err := admin.client.RotateEmergencyVault(ctx, epoch, key.Public()); err != nil {
		h.t.Fatalf("rotate the emergency vault of %s: %v", h.name, err)
	}
}

// AgreesToEmergencies has the patient agree to be opened in emergencies that two other hospitals approve.
func (p *Patient) AgreesToEmergencies() {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	if _, err := p.client.EnableEmergency(ctx, phr.EmergencyAgreement{Approvals: 2, Delay: delay}); err != nil {
		p.t.Fatalf("agree to emergencies: %v", err)
	}
}

// DisagreesToEmergencies takes that back.
func (p *Patient) DisagreesToEmergencies() {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	if _, err := p.client.DisableEmergency(ctx); err != nil {
		p.t.Fatalf("disagree to emergencies: %v", err)
	}
}

// SealsForEmergencies has the patient's program bring the boxes of what is there in line with what the patient agreed to, and checks how many
// versions that were.
func (p *Patient) SealsForEmergencies(want int) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	done, err := p.client.SealEmergency(ctx, p.vault, false, nil)
	if err != nil {
		p.t.Fatalf("seal for emergencies: %v", err)
	}
	if done != want {
		p.t.Fatalf("%d versions were sealed anew, want %d", done, want)
	}
}

func (p Person) emergencyRequest(versions []Version) phr.EmergencyRequest {
	request := phr.EmergencyRequest{Purpose: "ETREAT", Reason: "unconscious", Lifetime: lifetime}
	for _, v := range versions {
		request.Versions = append(request.Versions, v.Ref)
	}
	return request
}

// Emergency asks to open versions of a patient who is unconscious.
func (p Person) Emergency(versions ...Version) Unlock {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	id, err := p.client.RequestEmergency(ctx, p.emergencyRequest(versions))
	if err != nil {
		p.t.Fatalf("ask in an emergency: %v", err)
	}
	u := Unlock{ID: id, Requester: p, Versions: versions}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unlocks = append(p.unlocks, u)
	return u
}

// CannotCallEmergency tries to ask in an emergency, which the person's program refuses.
func (p Person) CannotCallEmergency(want error, versions ...Version) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	_, err := p.client.RequestEmergency(ctx, p.emergencyRequest(versions))
	mustBe(p.t, "ask in an emergency", err, want)
}

// MayNotCallEmergency tries to ask in an emergency, which the chain refuses for a reason.
func (p Person) MayNotCallEmergency(reason string, versions ...Version) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	_, err := p.client.RequestEmergency(ctx, p.emergencyRequest(versions))
	p.mustRefuse("ask in an emergency", reason, err)
}

// Supports has the hospital's officer approve an emergency.
func (h *Hospital) Supports(u Unlock) {
	h.t.Helper()
	officer := h.Officer()
	ctx, cancel := officer.step()
	defer cancel()
	if _, err := officer.client.ApproveEmergency(ctx, u.ID); err != nil {
		h.t.Fatalf("approve an emergency: %v", err)
	}
}

// MayNotSupport has the hospital's officer try to approve an emergency, which the chain refuses for a reason.
func (h *Hospital) MayNotSupport(u Unlock, reason string) {
	h.t.Helper()
	officer := h.Officer()
	ctx, cancel := officer.step()
	defer cancel()
	_, err := officer.client.ApproveEmergency(ctx, u.ID)
	officer.mustRefuse("approve an emergency", reason, err)
}

// ReviewsEmergency has the hospital's officer say what came of looking at an emergency.
func (h *Hospital) ReviewsEmergency(u Unlock, finding string) {
	h.t.Helper()
	officer := h.Officer()
	ctx, cancel := officer.step()
	defer cancel()
	if _, err := officer.client.ReviewEmergency(ctx, u.ID, finding); err != nil {
		h.t.Fatalf("review an emergency: %v", err)
	}
}

// EmergencyOf is an emergency as the person is shown it.
func (p Person) EmergencyOf(u Unlock) phr.Emergency {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	e, err := p.client.Emergency(ctx, u.ID)
	if err != nil {
		p.t.Fatalf("emergency: %v", err)
	}
	return e
}

// Unreviewed counts the emergencies that the hospital's officers are to look at.
func (h *Hospital) Unreviewed() int {
	h.t.Helper()
	officer := h.Officer()
	ctx, cancel := officer.step()
	defer cancel()
	n := 0
	for _, err := range officer.client.Emergencies(ctx, phr.EmergencyFilter{Unreviewed: true, Status: accessv1.EmergencyStatus_EMERGENCY_STATUS_UNSPECIFIED}) {
		if err != nil {
			h.t.Fatalf("emergencies: %v", err)
		}
		n++
	}
	return n
}
