package keeper

import (
	"context"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// UseConsent approves an endorsed unlock by a consent. The unlock goes to the holders at the end
// of the block unless it, or the consent, is withdrawn before.
func (s msgServer) UseConsent(ctx context.Context, msg *access.MsgUseConsent) (*access.MsgUseConsentResponse, error) {
	requester, entry, err := s.consortium.Actor(ctx, msg.Requester)
	if err != nil {
		return nil, err
	}
	u, err := s.Unlock(ctx, msg.Unlock)
	if err != nil {
		return nil, err
	}
	c, err := s.Consent(ctx, msg.Consent)
	if err != nil {
		return nil, err
	}
	entry = about(entry, audit.KindConsentUsed, u)
	entry.Target = numberText(c.Number)
	reason, err := s.whyNotUse(ctx, requester, u, c)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return &access.MsgUseConsentResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	c.Use(blockTime(ctx))
	if err := s.consents.Set(ctx, c.Number, c); err != nil {
		return nil, err
	}
	if u, err = s.approve(ctx, u, access.Approval{By: c.GrantedBy, Consent: c.Number}); err != nil {
		return nil, err
	}
	id, err := access.ParseUnlockID(u.Id)
	if err != nil {
		return nil, err
	}
	if err := s.openByConsent.Set(ctx, collections.Join(c.Number, id[:])); err != nil {
		return nil, err
	}
	return &access.MsgUseConsentResponse{Outcome: audit.OUTCOME_OK}, s.accept(ctx, entry, u)
}

// whyNotUse answers the reason for which a consent does not stand in for the approval of an unlock,
// or nothing.
func (k *Keeper) whyNotUse(ctx context.Context, requester consortium.Principal, u access.Unlock, c access.Consent) (string, error) {
	now := blockTime(ctx)
	consent, unlock := c.Status(now), u.Status(now)
	switch {
	case !requester.Active:
		return access.ReasonInactive, nil
	case requester.Address != u.Requester || requester.Hospital != u.Hospital:
		return access.ReasonNotRequester, nil
	case consent != access.CONSENT_STATUS_LIVE:
		return consent.Reason(), nil
	case !c.IsGrantedTo(requester):
		return access.ReasonNotGranted, nil
	case c.Purpose != u.Purpose:
		return access.ReasonOtherPurpose, nil
	case u.ExpiresAt > c.Until:
		return access.ReasonOutlivesConsent, nil
	}
	for _, v := range u.Versions {
		r, err := k.records.Record(ctx, v.Record)
		if err != nil {
			return "", err
		}
		if !c.Covers(r) {
			return access.ReasonNotCovered, nil
		}
	}
	if unlock != access.UNLOCK_STATUS_ENDORSED {
		return unlock.Reason(), nil
	}
	if _, reason, err := k.voidReason(ctx, u); reason != "" || err != nil {
		return reason, err
	}
	if !c.HasUses(now) {
		return access.ReasonConsentUsedUp, nil
	}
	return "", nil
}
