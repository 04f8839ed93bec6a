package scenario

import (
	"net/http"
	"slices"
	"time"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/phr"
)

// consentTime is how long consents of this package last, and usesADay how often they stand in on one day.
const (
	consentTime = 30 * 24 * time.Hour
	usesADay    = 20
)

// PublishesVault has a clinician's program publish a vault, and returns the clinician.
func (s Staff) PublishesVault() Staff {
	s.t.Helper()
	ctx, cancel := s.step()
	defer cancel()
	if _, err := s.client.PublishVault(ctx); err != nil {
		s.t.Fatalf("publish a vault: %v", err)
	}
	return s
}

// WorksAt has the hospital's admin say at which wards somebody works.
func (s Staff) WorksAt(wards ...uint32) Staff {
	s.t.Helper()
	admin := s.Hospital().Admin()
	if err := admin.Send(&consortiumv1.MsgUpdateStaff{Admin: admin.Address(), Address: s.Address(), Wards: wards}, &consortiumv1.MsgUpdateStaffResponse{}); err != nil {
		s.t.Fatalf("update staff: %v", err)
	}
	return s
}

// ConsentsTo lets one clinician treat with the patient's pictures without asking again, and returns the consent's number.
func (p *Patient) ConsentsTo(s Staff) uint64 {
	p.t.Helper()
	return p.Grants(phr.Grant{Hospital: s.hospital.number, Staff: s.Address()})
}

// Grants consents: to the treatment with pictures for a month where nothing else is said.
func (p *Patient) Grants(g phr.Grant) uint64 {
	p.t.Helper()
	if g.Purpose == "" {
		g.Purpose = Treatment
	}
	if len(g.Classes)+len(g.Records) == 0 {
		g.Classes = []recordsv1.Class{recordsv1.Class_CLASS_IMAGING}
	}
	if g.Until.IsZero() {
		g.Until = time.Now().Add(consentTime)
	}
	if g.UsesADay == 0 {
		g.UsesADay = usesADay
	}
	ctx, cancel := p.step()
	defer cancel()
	number, err := p.client.GrantConsent(ctx, g)
	if err != nil {
		p.t.Fatalf("consent: %v", err)
	}
	return number
}

// WithdrawsConsent ends a consent.
func (p *Patient) WithdrawsConsent(number uint64) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	if _, err := p.client.WithdrawConsent(ctx, number); err != nil {
		p.t.Fatalf("withdraw consent %d: %v", number, err)
	}
}

// SealsConsented has the patient's program seal what is there already for those to whom the patient consented, and checks how many
// versions that were.
func (p *Patient) SealsConsented(want int) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	done, err := p.client.SealConsented(ctx, p.vault, nil)
	if err != nil {
		p.t.Fatalf("seal for who may open: %v", err)
	}
	if done != want {
		p.t.Fatalf("%d versions were sealed anew, want %d", done, want)
	}
}

// HasToRelock checks which versions of the patient's are sealed to somebody who may open them no more.
func (p *Patient) HasToRelock(want ...Version) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	got, err := p.client.RelocksDue(ctx, p.vault)
	if err != nil {
		p.t.Fatalf("versions to lock anew: %v", err)
	}
	refs := make([]phr.Ref, len(want))
	for i, v := range want {
		refs[i] = v.Ref
	}
	slices.SortFunc(refs, phr.Ref.Compare)
	slices.SortFunc(got, phr.Ref.Compare)
	if !slices.Equal(got, refs) {
		p.t.Fatalf("to be locked anew: %v, want %v", got, refs)
	}
}

// CannotUse tries to approve an unlock by a consent, which the chain refuses for a reason.
func (p Person) CannotUse(u Unlock, consent uint64, reason string) {
	p.t.Helper()
	p.CannotSend(&accessv1.MsgUseConsent{Requester: p.Address(), Unlock: u.ID, Consent: consent}, &accessv1.MsgUseConsentResponse{}, reason)
}

// CannotGetCapsule asks the own hospital for the halves that were sealed to its vault, which it does not give.
func (p Person) CannotGetCapsule(u Unlock) {
	p.t.Helper()
	if code, body := p.Call(http.MethodPost, "/unlocks/"+u.ID+"/capsule", nil); code != http.StatusNotFound {
		p.t.Fatalf("ask for a capsule: %d, %d bytes", code, len(body))
	}
}
