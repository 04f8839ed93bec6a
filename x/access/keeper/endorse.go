package keeper

import (
	"context"

	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// EndorseUnlock adds the signature of an officer of the custodian, or of another
// hospital where the custodian has left. Once enough officers have signed, the owner may
// approve.
func (s msgServer) EndorseUnlock(ctx context.Context, msg *access.MsgEndorseUnlock) (*access.MsgEndorseUnlockResponse, error) {
	officer, entry, err := s.consortium.Actor(ctx, msg.Officer)
	if err != nil {
		return nil, err
	}
	u, err := s.Unlock(ctx, msg.Unlock)
	if err != nil {
		return nil, err
	}
	entry = about(entry, audit.KindEndorsed, u)
	now := blockTime(ctx)
	reason, err := s.whyNotEndorse(ctx, officer, u, now)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return &access.MsgEndorseUnlockResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	u.Endorsements = append(u.Endorsements, access.Endorsement{Officer: officer.Address, At: now})
	if err := s.save(ctx, u); err != nil {
		return nil, err
	}
	return &access.MsgEndorseUnlockResponse{Outcome: audit.OUTCOME_OK}, s.accept(ctx, entry, u)
}

// whyNotEndorse answers the reason to refuse an endorsement, or nothing.
func (k *Keeper) whyNotEndorse(ctx context.Context, officer consortium.Principal, u access.Unlock, now int64) (string, error) {
	endorses, err := k.endorses(ctx, officer.Hospital, u)
	if err != nil {
		return "", err
	}
	switch {
	case !officer.Active:
		return access.ReasonInactive, nil
	case officer.Role != consortium.ROLE_OFFICER:
		return access.ReasonWrongRole, nil
	case !endorses:
		return access.ReasonWrongHospital, nil
	case officer.Address == u.Requester:
		return access.ReasonSamePerson, nil
	}
	if u.Patient != "" {
		patient, err := k.records.Patient(ctx, u.Patient)
		if err != nil {
			return "", err
		}
		if patient.Address == officer.Address {
			return access.ReasonSamePerson, nil
		}
	}
	if u.Emergency != "" {
		return access.ReasonEmergency, nil
	}
	if u.HasEndorsed(officer.Address) {
		return access.ReasonRepeatedEndorsement, nil
	}
	if status := u.Status(now); status != access.UNLOCK_STATUS_PROPOSED {
		return status.Reason(), nil
	}
	if _, reason, err := k.voidReason(ctx, u); reason != "" || err != nil {
		return reason, err
	}
	return "", nil
}

// endorses says whether officers of a hospital may endorse an unlock: those of the
// custodian, and where it has left the network, so that a patient's records don't stay
// shut with it, those of any hospital but the one that asks.
func (k *Keeper) endorses(ctx context.Context, hospital uint64, u access.Unlock) (bool, error) {
	if hospital == u.Custodian {
		return true, nil
	}
	custodian, err := k.consortium.Member(ctx, u.Custodian)
	return custodian.Status == consortium.MEMBER_STATUS_LEFT && u.Patient != "" && hospital != u.Hospital, err
}
