package keeper

import (
	"context"
	"errors"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
)

// GrantConsent lets clinicians open records of the signer for a time without asking again.
func (s msgServer) GrantConsent(ctx context.Context, msg *access.MsgGrantConsent) (*access.MsgGrantConsentResponse, error) {
	c, err := msg.Consent()
	if err != nil {
		return nil, err
	}
	owner, entry, err := s.consortium.Actor(ctx, msg.Owner)
	if err != nil {
		return nil, err
	}
	c.Patient, c.GrantedBy, c.GrantedAt = owner.Patient, owner.Address, blockTime(ctx)
	reason, err := s.whyNotGrant(ctx, owner, c, msg.Hospital)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		entry.Kind, entry.Patient, entry.Purpose = audit.KindConsentGranted, c.Patient, c.Purpose
		return &access.MsgGrantConsentResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	last, err := s.consentSequence.Next(ctx)
	if err != nil {
		return nil, err
	}
	c.Number = last + 1
	if err := s.addConsent(ctx, c); err != nil {
		return nil, err
	}
	return &access.MsgGrantConsentResponse{Outcome: audit.OUTCOME_OK, Consent: c.Number},
		s.acceptConsent(ctx, aboutConsent(entry, audit.KindConsentGranted, c), c)
}

// whyNotGrant answers the reason to refuse a consent, or nothing; hospital is the name that the
// patient's wallet showed.
func (k *Keeper) whyNotGrant(ctx context.Context, owner consortium.Principal, c access.Consent, hospital string) (string, error) {
	switch {
	case !owner.Active:
		return access.ReasonInactive, nil
	case owner.Role != consortium.ROLE_PATIENT || owner.Patient == "":
		return access.ReasonWrongRole, nil
	case c.Until <= c.GrantedAt:
		return access.ReasonExpired, nil
	case c.Until-c.GrantedAt > access.MaxConsentLifetime:
		return access.ReasonLifetimeTooLong, nil
	}
	for _, check := range []func() (string, error){
		func() (string, error) { return k.whyNotTo(ctx, c, hospital) },
		func() (string, error) { return k.whyNotWhat(ctx, c) },
		func() (string, error) { return k.whyNoRoom(ctx, c) },
	} {
		if reason, err := check(); reason != "" || err != nil {
			return reason, err
		}
	}
	return "", nil
}

// whyNotTo demands that the hospital is the one that was shown, and that there is somebody to seal to.
func (k *Keeper) whyNotTo(ctx context.Context, c access.Consent, hospital string) (string, error) {
	member, err := k.consortium.Member(ctx, c.Hospital)
	if err != nil {
		return "", err
	}
	if member.Name != hospital {
		return access.ReasonHospitalDiffers, nil
	}
	if !member.IsActive() {
		return access.ReasonInactive, nil
	}
	if c.Staff == "" {
		return "", nil
	}
	p, err := k.consortium.Principal(ctx, c.Staff)
	if errors.Is(err, consortium.ErrUnknownAccount) {
		return access.ReasonNoSuchClinician, nil
	}
	if err != nil {
		return "", err
	}
	if !c.IsGrantedTo(p) {
		return access.ReasonNoSuchClinician, nil
	}
	if p.VaultEpoch == 0 {
		return access.ReasonNoVault, nil
	}
	return "", nil
}

// whyNotWhat demands that records that are named are the patient's.
func (k *Keeper) whyNotWhat(ctx context.Context, c access.Consent) (string, error) {
	for _, id := range c.Records {
		r, err := k.records.Record(ctx, id)
		if errors.Is(err, records.ErrUnknownRecord) {
			return access.ReasonUnknownRecord, nil
		}
		if err != nil {
			return "", err
		}
		if !c.Covers(r) {
			return access.ReasonUnknownRecord, nil
		}
	}
	return "", nil
}

// whyNoRoom refuses more live consents than a version can be sealed for.
func (k *Keeper) whyNoRoom(ctx context.Context, c access.Consent) (string, error) {
	patient, err := lock.ParseCanonicalID(c.Patient)
	if err != nil {
		return "", err
	}
	live, err := k.liveConsentsOf(ctx, patient)
	if err != nil {
		return "", err
	}
	if len(live) >= access.MaxConsents {
		return access.ReasonTooManyConsents, nil
	}
	return "", nil
}

// WithdrawConsent ends a consent: it stands in for no approval any more, and the unlocks that it
// approved end, the first few of them at once and the rest at the ends of blocks.
func (s msgServer) WithdrawConsent(ctx context.Context, msg *access.MsgWithdrawConsent) (*access.MsgWithdrawConsentResponse, error) {
	owner, entry, err := s.consortium.Actor(ctx, msg.Owner)
	if err != nil {
		return nil, err
	}
	c, err := s.Consent(ctx, msg.Consent)
	if err != nil {
		return nil, err
	}
	entry = aboutConsent(entry, audit.KindConsentWithdrawn, c)
	var reason string
	switch status := c.Status(blockTime(ctx)); {
	case !owner.Active:
		reason = access.ReasonInactive
	case owner.Patient != c.Patient:
		reason = access.ReasonNotOwner
	case status != access.CONSENT_STATUS_LIVE:
		reason = status.Reason()
	}
	if reason != "" {
		return &access.MsgWithdrawConsentResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	if err := s.withdrawConsent(ctx, entry, c); err != nil {
		return nil, err
	}
	return &access.MsgWithdrawConsentResponse{Outcome: audit.OUTCOME_OK}, s.endWithdrawn(ctx, access.MaxVoidAtOnce)
}

// withdrawConsent writes a consent that is withdrawn now, and its entry; the unlocks that it approved end after it.
func (k *Keeper) withdrawConsent(ctx context.Context, entry audit.Entry, c access.Consent) error {
	c.WithdrawnAt = blockTime(ctx)
	if err := k.closeConsent(ctx, c); err != nil {
		return err
	}
	if err := k.acceptConsent(ctx, entry, c); err != nil {
		return err
	}
	return k.withdrawn.Set(ctx, c.Number)
}
