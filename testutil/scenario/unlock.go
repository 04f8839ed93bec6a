package scenario

import (
	"slices"
	"time"

	"github.com/phrd/phrd/phr"
)

// Treatment is the purpose of most unlocks (HL7 v3 ActReason).
const Treatment = "TREAT"

// lifetime of unlocks whose end no story cares for.
const lifetime = time.Hour

// Unlock is a proposal to open versions.
type Unlock struct {
	// ID in hex.
	ID string
	// Requester who proposed it.
	Requester Person
	// Versions that it names.
	Versions []Version
}

// Propose has the hospital's clinician ask for a version.
func (h *Hospital) Propose(v Version, purpose string) Unlock {
	h.t.Helper()
	return h.Clinician().Propose(v, purpose)
}

// Propose asks for a version.
func (p Person) Propose(v Version, purpose string) Unlock {
	p.t.Helper()
	return p.Ask(lifetime, purpose, v)
}

// Ask asks for versions for a time.
func (p Person) Ask(lifetime time.Duration, purpose string, versions ...Version) Unlock {
	p.t.Helper()
	ctx, cancel := step(p.t)
	defer cancel()
	request := phr.Request{Purpose: purpose, Lifetime: lifetime}
	for _, v := range versions {
		request.Versions = append(request.Versions, v.Ref)
	}
	id, err := p.client.Propose(ctx, request)
	if err != nil {
		p.t.Fatalf("propose to open %s: %v", versions[0].Name, err)
	}
	u := Unlock{ID: id, Requester: p, Versions: versions}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unlocks = append(p.unlocks, u)
	return u
}

// newest is the person's newest unlock that names a version.
func (p Person) newest(v Version) Unlock {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range slices.Backward(p.unlocks) {
		if slices.ContainsFunc(u.Versions, func(named Version) bool { return named.Ref == v.Ref }) {
			return u
		}
	}
	p.t.Fatalf("nobody here has proposed to open %s", v.Name)
	return Unlock{}
}

// Endorse has the hospital's officer support an unlock.
func (h *Hospital) Endorse(u Unlock) { h.t.Helper(); h.Officer().Endorse(u) }

// Endorse supports an unlock.
func (p Person) Endorse(u Unlock) {
	p.t.Helper()
	ctx, cancel := step(p.t)
	defer cancel()
	if _, err := p.client.Endorse(ctx, u.ID); err != nil {
		p.t.Fatalf("endorse: %v", err)
	}
}

// CannotEndorse tries to support an unlock, which the chain refuses for a reason.
func (p Person) CannotEndorse(u Unlock, reason string) {
	p.t.Helper()
	ctx, cancel := step(p.t)
	defer cancel()
	_, err := p.client.Endorse(ctx, u.ID)
	p.mustRefuse("endorse", reason, err)
}

// Approve reviews an unlock at two hospitals and approves it with the patient's vault.
func (p *Patient) Approve(u Unlock) { p.t.Helper(); p.approve(u, p.vault) }

// Approve has a second officer approve to open records that the hospital owns.
func (h *Hospital) Approve(u Unlock) {
	h.t.Helper()
	seeds, err := h.seeds()
	if err != nil {
		h.t.Fatalf("vault of %s: %v", h.name, err)
	}
	vault, err := phr.HospitalVault(h.number, seeds)
	if err != nil {
		h.t.Fatalf("vault of %s: %v", h.name, err)
	}
	h.Director().approve(u, vault)
}

func (p Person) approve(u Unlock, vault *phr.Vault) {
	p.t.Helper()
	ctx, cancel := step(p.t)
	defer cancel()
	review, err := p.client.Review(ctx, u.ID)
	if err != nil {
		p.t.Fatalf("review: %v", err)
	}
	if !review.Independent {
		p.t.Errorf("unlock %s was reviewed at the requester's hospital", u.ID)
	}
	if _, err := review.Approve(ctx, vault); err != nil {
		p.t.Fatalf("approve: %v", err)
	}
}

// CannotApprove tries to review an unlock, which is not due for an approval.
func (p *Patient) CannotApprove(u Unlock, want error) {
	p.t.Helper()
	ctx, cancel := step(p.t)
	defer cancel()
	_, err := p.client.Review(ctx, u.ID)
	mustBe(p.t, "review", err, want)
}

// Deny ends an unlock that was not approved.
func (p Person) Deny(u Unlock) {
	p.t.Helper()
	ctx, cancel := step(p.t)
	defer cancel()
	if _, err := p.client.Deny(ctx, u.ID); err != nil {
		p.t.Fatalf("deny: %v", err)
	}
}

// CannotDeny tries to deny an unlock, which the chain refuses for a reason.
func (p Person) CannotDeny(u Unlock, reason string) {
	p.t.Helper()
	ctx, cancel := step(p.t)
	defer cancel()
	_, err := p.client.Deny(ctx, u.ID)
	p.mustRefuse("deny", reason, err)
}

// Withdraw ends an unlock.
func (p Person) Withdraw(u Unlock) {
	p.t.Helper()
	ctx, cancel := step(p.t)
	defer cancel()
	if _, err := p.client.Withdraw(ctx, u.ID); err != nil {
		p.t.Fatalf("withdraw: %v", err)
	}
}

// CannotWithdraw tries to end an unlock, which the chain refuses for a reason.
func (p Person) CannotWithdraw(u Unlock, reason string) {
	p.t.Helper()
	ctx, cancel := step(p.t)
	defer cancel()
	_, err := p.client.Withdraw(ctx, u.ID)
	p.mustRefuse("withdraw", reason, err)
}
