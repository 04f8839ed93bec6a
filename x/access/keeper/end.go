package keeper

import (
	"context"

	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
)

// DenyUnlock ends an unlock that was not approved.
func (s msgServer) DenyUnlock(ctx context.Context, msg *access.MsgDenyUnlock) (*access.MsgDenyUnlockResponse, error) {
	signer, entry, err := s.consortium.Actor(ctx, msg.Signer)
	if err != nil {
		return nil, err
	}
	u, err := s.Unlock(ctx, msg.Unlock)
	if err != nil {
		return nil, err
	}
	entry = about(entry, audit.KindDenied, u)
	owns, err := s.isOwner(ctx, signer, u)
	if err != nil {
		return nil, err
	}
	var reason string
	status := u.Status(blockTime(ctx))
	switch {
	case !signer.Active:
		reason = access.ReasonInactive
	case !owns && !isOfficerOf(signer, u.Custodian):
		reason = access.ReasonNotParty
	case status != access.UNLOCK_STATUS_PROPOSED && status != access.UNLOCK_STATUS_ENDORSED:
		reason = status.Reason()
	}
	if reason != "" {
		return &access.MsgDenyUnlockResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	u.DeniedBy = signer.Address
	if err := s.end(ctx, u); err != nil {
		return nil, err
	}
	return &access.MsgDenyUnlockResponse{Outcome: audit.OUTCOME_OK}, s.accept(ctx, entry, u)
}

// WithdrawUnlock ends an unlock at any time before its expiry. After it, no share
// counts; where shares were given before, the unlock says that it may have been
// opened.
func (s msgServer) WithdrawUnlock(ctx context.Context, msg *access.MsgWithdrawUnlock) (*access.MsgWithdrawUnlockResponse, error) {
	signer, entry, err := s.consortium.Actor(ctx, msg.Signer)
	if err != nil {
		return nil, err
	}
	u, err := s.Unlock(ctx, msg.Unlock)
	if err != nil {
		return nil, err
	}
	entry = about(entry, audit.KindWithdrawn, u)
	owns, err := s.isOwner(ctx, signer, u)
	if err != nil {
		return nil, err
	}
	var reason string
	status := u.Status(blockTime(ctx))
	switch {
	case !signer.Active:
		reason = access.ReasonInactive
	case signer.Address != u.Requester && !owns && !isOfficerOf(signer, u.Custodian):
		reason = access.ReasonNotParty
	case !status.IsOpen():
		reason = status.Reason()
	}
	if reason != "" {
		return &access.MsgWithdrawUnlockResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	u.WithdrawnBy = signer.Address
	if err := s.end(ctx, u); err != nil {
		return nil, err
	}
	return &access.MsgWithdrawUnlockResponse{Outcome: audit.OUTCOME_OK}, s.accept(ctx, entry, u)
}
