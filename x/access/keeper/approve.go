package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// ApproveUnlock adds the owner's signature. The fields that the owner's wallet
// showed must repeat the proposal, and the unlock goes to the holders at the end
// of the block unless it is withdrawn before.
func (s msgServer) ApproveUnlock(ctx context.Context, msg *access.MsgApproveUnlock) (*access.MsgApproveUnlockResponse, error) {
	if n := len(msg.Records); n < 1 || n > access.MaxVersions {
		return nil, access.ErrInvalidApproval.Wrapf("got %d records, want 1 to %d", n, access.MaxVersions)
	}
	if msg.Capsule != "" {
		if _, err := lock.ParseRawCID(msg.Capsule); err != nil {
			return nil, access.ErrInvalidCID.Wrapf("capsule: %v", err)
		}
	}
	owner, entry, err := s.consortium.Actor(ctx, msg.Owner)
	if err != nil {
		return nil, err
	}
	u, err := s.Unlock(ctx, msg.Unlock)
	if err != nil {
		return nil, err
	}
	entry = about(entry, audit.KindApproved, u)
	now := blockTime(ctx)
	reason, err := s.whyNotApprove(ctx, owner, u, msg, now)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return &access.MsgApproveUnlockResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	if u, err = s.approve(ctx, u, access.Approval{By: owner.Address, Capsule: msg.Capsule}); err != nil {
		return nil, err
	}
	return &access.MsgApproveUnlockResponse{Outcome: audit.OUTCOME_OK}, s.accept(ctx, entry, u)
}

// approve writes an approval of this block and has the unlock wait for its release. It answers
// the unlock as it is then.
func (k *Keeper) approve(ctx context.Context, u access.Unlock, by access.Approval) (access.Unlock, error) {
	by.At, by.Height = blockTime(ctx), sdk.UnwrapSDKContext(ctx).BlockHeight()
	u.Approval = &by
	if err := k.save(ctx, u); err != nil {
		return u, err
	}
	id, err := access.ParseUnlockID(u.Id)
	if err != nil {
		return u, err
	}
	return u, k.releaseQueue.Set(ctx, collections.Join(by.Height, id[:]))
}

// whyNotApprove answers the reason to refuse an approval, or nothing.
func (k *Keeper) whyNotApprove(ctx context.Context, owner consortium.Principal, u access.Unlock, msg *access.MsgApproveUnlock, now int64) (string, error) {
	if !owner.Active {
		return access.ReasonInactive, nil
	}
	owns, err := k.isOwner(ctx, owner, u)
	if err != nil {
		return "", err
	}
	if !owns {
		return access.ReasonNotOwner, nil
	}
	if u.HasEndorsed(owner.Address) || (owner.Address == u.Requester && !u.IsOwnReading()) {
		return access.ReasonSamePerson, nil
	}
	if status := u.Status(now); status != access.UNLOCK_STATUS_ENDORSED {
		return status.Reason(), nil
	}
	if _, reason, err := k.voidReason(ctx, u); reason != "" || err != nil {
		return reason, err
	}
	active, err := k.isRequesterActive(ctx, u)
	if err != nil {
		return "", err
	}
	if !active {
		return access.ReasonRequesterInactive, nil
	}
	var hospital string
	if !u.IsOwnReading() {
		member, err := k.consortium.Member(ctx, u.Hospital)
		if err != nil {
			return "", err
		}
		// A hospital of this name must not pass for the patient.
		if hospital = member.Name; hospital == access.OwnReading {
			return access.ReasonHospitalDiffers, nil
		}
	}
	if reason := u.Shown(hospital).Differs(msg); reason != "" {
		return reason, nil
	}
	// Every version is under a lock that needs the owner's half.
	if msg.Capsule == "" {
		return access.ReasonCapsuleMissing, nil
	}
	return "", nil
}

// isOwner says whether the account may approve and deny for the owner: the
// patient's wallet account, or an officer of the hospital that owns the records.
func (k *Keeper) isOwner(ctx context.Context, p consortium.Principal, u access.Unlock) (bool, error) {
	if u.Patient == "" {
		return isOfficerOf(p, u.Custodian), nil
	}
	patient, err := k.records.Patient(ctx, u.Patient)
	if err != nil {
		return false, err
	}
	return patient.Address == p.Address, nil
}

// isRequesterActive says whether the requester still is who proposed the unlock:
// active staff of the same hospital, or the patient.
func (k *Keeper) isRequesterActive(ctx context.Context, u access.Unlock) (bool, error) {
	p, err := k.consortium.Principal(ctx, u.Requester)
	if errors.Is(err, consortium.ErrUnknownAccount) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if u.IsOwnReading() {
		return p.Active && p.Role == consortium.ROLE_PATIENT && p.Patient == u.Patient, nil
	}
	mayAsk := p.Role == consortium.ROLE_CLINICIAN || p.Role == consortium.ROLE_OFFICER && u.IsOwnersData()
	return p.Active && mayAsk && p.Hospital == u.Hospital, nil
}

func isOfficerOf(p consortium.Principal, hospital uint64) bool {
	return p.Role == consortium.ROLE_OFFICER && p.Hospital == hospital
}
