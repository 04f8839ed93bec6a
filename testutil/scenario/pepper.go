package scenario

import "github.com/phrd/phrd/phr"

// DepositPepper leaves the pepper of the patient's vault with the hospital whose gateway the patient goes through.
func (p *Patient) DepositPepper() {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	if _, err := p.client.DepositPepper(ctx, p.File); err != nil {
		p.t.Fatalf("deposit the pepper: %v", err)
	}
}

// CollectPepper gets the pepper with the recovery code.
func (p *Patient) CollectPepper(code string) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	if _, err := p.client.CollectPepper(ctx, p.File, code); err != nil {
		p.t.Fatalf("collect the pepper: %v", err)
	}
}

// CannotCollectPepper tries to get the pepper with a code.
func (p *Patient) CannotCollectPepper(code string, want error) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	_, err := p.client.CollectPepper(ctx, p.File, code)
	mustBe(p.t, "collect the pepper", err, want)
}

// Hospital is the one whose gateway the patient goes through.
func (p *Patient) Hospital() *Hospital { return &Hospital{t: p.t, hospital: p.at} }

// AdmitPepper has the hospital's clerk, who has seen the patient's papers, admit one collection of the pepper, and answers its word.
func (h *Hospital) AdmitPepper(p *Patient) phr.PepperAdmission {
	h.t.Helper()
	clerk := h.Clerk()
	ctx, cancel := clerk.step()
	defer cancel()
	a, err := clerk.client.AdmitPepper(ctx, p.Number)
	if err != nil {
		h.t.Fatalf("admit %s: %v", p.Name, err)
	}
	return a
}

// RecoversInPerson is the patient on a new device with the wallet and the word of an admission, and nothing else.
func (p *Patient) RecoversInPerson(a phr.PepperAdmission) *Patient {
	p.t.Helper()
	other := p.newDevice()
	ctx, cancel := other.step()
	defer cancel()
	var err error
	if other.File, err = other.client.RecoverVaultInPerson(ctx, a.Word); err != nil {
		p.t.Fatalf("recover the vault in person: %v", err)
	}
	if other.vault, err = other.client.OpenVault(other.File); err != nil {
		p.t.Fatalf("open the vault: %v", err)
	}
	return other
}
