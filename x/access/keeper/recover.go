package keeper

import (
	"context"
	"encoding/hex"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
)

// ProposeRecovery asks to take the place of a lost wallet. Nothing happens to the patient by it; the
// patient's wallet, the guardians and the hospitals learn who asks.
func (s msgServer) ProposeRecovery(ctx context.Context, msg *access.MsgProposeRecovery) (*access.MsgProposeRecoveryResponse, error) {
	if err := msg.Validate(); err != nil {
		return nil, err
	}
	who, entry, err := s.consortium.Actor(ctx, msg.Account)
	if err != nil {
		return nil, err
	}
	r := access.Recovery{
		Patient: msg.Patient, Account: who.Address, Way: msg.Way(), ProposedAt: blockTime(ctx), ExpiresAt: msg.ExpiresAt,
		RequestKey: msg.RequestKey, B: msg.B, M: msg.M, Proof: msg.Proof,
	}
	if r.Until, err = access.ParseUntil(msg.Until); err != nil {
		return nil, err
	}
	reason, err := s.whyNotProposeRecovery(ctx, who, &r)
	if err != nil {
		return nil, err
	}
	entry = aboutRecovery(entry, audit.KindRecoveryProposed, r)
	if reason == access.ReasonUnknownPatient {
		entry.Patient = "" // the log has no number that is nobody's
	}
	if reason != "" {
		return &access.MsgProposeRecoveryResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	last, err := s.recoverySequence.Next(ctx)
	if err != nil {
		return nil, err
	}
	r.Number = last + 1
	if err := s.addRecovery(ctx, r); err != nil {
		return nil, err
	}
	entry.Target = numberText(r.Number)
	return &access.MsgProposeRecoveryResponse{Outcome: audit.OUTCOME_OK, Recovery: r.Number}, s.acceptRecovery(ctx, entry, r)
}

// whyNotProposeRecovery answers the reason to refuse a proposal, or nothing; then the recovery is whole.
func (k *Keeper) whyNotProposeRecovery(ctx context.Context, who consortium.Principal, r *access.Recovery) (string, error) {
	if !who.Active {
		return access.ReasonInactive, nil
	}
	for _, check := range []func() (string, error){
		func() (string, error) { return k.records.WhyNotWallet(ctx, who.Address) },
		func() (string, error) { return k.whyNotThisPatient(ctx, r) },
		func() (string, error) { return k.whyNotOneMore(ctx, r) },
		func() (string, error) { return k.whyNotThisWay(ctx, r) },
		func() (string, error) { return whyNotThen(r), nil },
		func() (string, error) { return k.whyNotThisRequest(ctx, r) },
	} {
		if reason, err := check(); reason != "" || err != nil {
			return reason, err
		}
	}
	var err error
	r.Inviter, err = k.consortium.Inviter(ctx, who.Address)
	return "", err
}

func (k *Keeper) whyNotThisPatient(ctx context.Context, r *access.Recovery) (string, error) {
	p, err := k.records.Patient(ctx, r.Patient)
	if errors.Is(err, records.ErrUnknownPatient) {
		return access.ReasonUnknownPatient, nil
	}
	r.Former, r.Vault, r.Revision = p.Address, p.Vault.Id, p.Vault.Revision
	return "", err
}

// whyNotOneMore allows one recovery of an account ever, so that who was refused can't try again
// without a hospital, and one of a patient at a time.
func (k *Keeper) whyNotOneMore(ctx context.Context, r *access.Recovery) (string, error) {
	account, err := sdk.AccAddressFromBech32(r.Account)
	if err != nil {
		return "", err
	}
	used := false
	if err := k.recoveriesByAccount.Walk(ctx, collections.NewPrefixedPairRange[[]byte, uint64](account), func(recoveryName) (bool, error) {
		used = true
		return true, nil
	}); err != nil {
		return "", err
	}
	if used {
		return access.ReasonAccountUsed, nil
	}
	patient, err := lock.ParseCanonicalID(r.Patient)
	if err != nil {
		return "", err
	}
	open, err := k.openRecoveries.Has(ctx, patient.Bytes())
	if err != nil || !open {
		return "", err
	}
	return access.ReasonRecoveryOpen, nil
}

// whyNotThisWay demands the guardians' way where the patient has some, else the hospitals'. Where
// somebody else has the wallet, who was named with it does not decide who takes it over.
func (k *Keeper) whyNotThisWay(ctx context.Context, r *access.Recovery) (string, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return "", err
	}
	h, err := k.handOverOf(ctx, r.Patient)
	if err != nil {
		return "", err
	}
	way := access.RECOVERY_WAY_GUARDIANS
	g, err := k.Guardians(ctx, r.Patient)
	if errors.Is(err, access.ErrUnknownGuardians) || h.IsForHospitals(r.Until) {
		way, err = access.RECOVERY_WAY_HOSPITALS, nil
	}
	if err != nil {
		return "", err
	}
	if r.Way != way {
		return access.ReasonWrongWay, nil
	}
	if reason := h.WhyNotUntil(r.Until, r.ExpiresAt); reason != "" {
		return reason, nil
	}
	r.Needed, r.Delay = params.Hospitals(), params.LeastDelay()
	if way == access.RECOVERY_WAY_GUARDIANS {
		r.Needed, r.Delay, r.Guardians, r.Generation = g.Threshold, g.Delay, g.Guardians, g.Generation
	}
	return "", nil
}

// whyNotThen demands time for approvals beside the delay, and not too much.
func whyNotThen(r *access.Recovery) string {
	switch end := r.ProposedAt + int64(r.Delay); {
	case r.ExpiresAt <= end:
		return access.ReasonTooLate
	case r.ExpiresAt > end+access.MaxRecoveryTime:
		return access.ReasonLifetimeTooLong
	}
	return ""
}

// whyNotThisRequest demands, of a recovery by guardians, a fresh B and one-time key, and that the
// signer knows b and M is of the guardians' slot. The hash of it is its unlock.
func (k *Keeper) whyNotThisRequest(ctx context.Context, r *access.Recovery) (string, error) {
	if r.Way != access.RECOVERY_WAY_GUARDIANS {
		r.Vault, r.Revision = "", 0
		return "", nil
	}
	known, err := k.points.Has(ctx, r.B)
	if err != nil {
		return "", err
	}
	if known {
		return access.ReasonRepeatedPoint, nil
	}
	requestKey, err := lock.ParseRawCID(r.RequestKey)
	if err != nil {
		return "", err
	}
	if known, err = k.requestKeys.Has(ctx, requestKey.Bytes()); err != nil {
		return "", err
	}
	if known {
		return access.ReasonRepeatedRequestKey, nil
	}
	return k.verifyRecovery(ctx, r)
}

func (k *Keeper) verifyRecovery(ctx context.Context, r *access.Recovery) (string, error) {
	g, err := k.Guardians(ctx, r.Patient)
	if err != nil {
		return "", err
	}
	slot, err := k.guardianSlot(ctx, &g)
	if err != nil {
		return "", err
	}
	network, err := k.consortium.NetworkID(ctx)
	if err != nil {
		return "", err
	}
	p, err := r.Proposal(network, slot)
	if err != nil {
		return "", err
	}
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(gasPerRequest+gasPerRequestVersion, "request proof")
	err = p.Verify(r.Proof)
	if errors.Is(err, lock.ErrProof) {
		return access.ReasonBadProof, nil
	}
	id := p.ID()
	r.Unlock = hex.EncodeToString(id[:])
	return "", err
}

// ApproveRecovery adds a guardian's or an officer's signature. The fields that the wallet showed must
// repeat the proposal. With the last one needed the delay begins.
func (s msgServer) ApproveRecovery(ctx context.Context, msg *access.MsgApproveRecovery) (*access.MsgApproveRecoveryResponse, error) {
	if msg.Capsule != "" {
		if _, err := lock.ParseRawCID(msg.Capsule); err != nil {
			return nil, access.ErrInvalidCID.Wrapf("capsule: %v", err)
		}
	}
	who, entry, err := s.consortium.Actor(ctx, msg.Approver)
	if err != nil {
		return nil, err
	}
	r, err := s.Recovery(ctx, msg.Recovery)
	if err != nil {
		return nil, err
	}
	entry = aboutRecovery(entry, audit.KindRecoveryApproved, r)
	now := blockTime(ctx)
	approval := access.RecoveryApproval{By: who.Address, Guardian: who.Patient, Hospital: who.Hospital, Capsule: msg.Capsule, At: now}
	reason, err := s.whyNotApproveRecovery(ctx, who, &r, msg, approval)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return &access.MsgApproveRecoveryResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	if r.Approvals = append(r.Approvals, approval); len(r.Approvals) >= int(r.Needed) {
		r.Due = now + int64(r.Delay)
	}
	if isAwaited(r) {
		if err := s.recoveryQueue.Set(ctx, collections.Join3(whenDue, r.Due, r.Number)); err != nil {
			return nil, err
		}
	}
	if err := s.recoveries.Set(ctx, r.Number, r); err != nil {
		return nil, err
	}
	entry.Count = uint64(len(r.Approvals))
	return &access.MsgApproveRecoveryResponse{Outcome: audit.OUTCOME_OK}, s.acceptRecovery(ctx, entry, r)
}

// whyNotApproveRecovery answers the reason to refuse an approval, or nothing.
func (k *Keeper) whyNotApproveRecovery(
	ctx context.Context, who consortium.Principal, r *access.Recovery, msg *access.MsgApproveRecovery, a access.RecoveryApproval,
) (string, error) {
	role, byGuardians := consortium.ROLE_OFFICER, r.Way == access.RECOVERY_WAY_GUARDIANS
	if byGuardians {
		role = consortium.ROLE_PATIENT
	}
	status := r.Status(a.At)
	switch {
	case !who.Active:
		return access.ReasonInactive, nil
	case who.Role != role:
		return access.ReasonWrongRole, nil
	case status != access.RECOVERY_STATUS_PROPOSED && status.IsOpen():
		return access.ReasonAlreadyApproved, nil
	case status != access.RECOVERY_STATUS_PROPOSED:
		return status.Reason(), nil
	case r.ExpiresAt <= a.At+int64(r.Delay):
		return access.ReasonTooLate, nil
	}
	if reason := r.WhyNotBy(a); reason != "" {
		return reason, nil
	}
	inviter, err := k.consortium.Member(ctx, r.Inviter)
	if err != nil {
		return "", err
	}
	if reason := r.Differs(msg, inviter.Name); reason != "" {
		return reason, nil
	}
	if byGuardians != (msg.Capsule != "") {
		return access.ReasonCapsuleMissing, nil
	}
	return k.records.WhyNotWallet(ctx, r.Account)
}

// CancelRecovery ends a recovery at any time before it is finished. After it no share counts; where
// shares were given before, the recovery says that the vault may have been opened.
func (s msgServer) CancelRecovery(ctx context.Context, msg *access.MsgCancelRecovery) (*access.MsgCancelRecoveryResponse, error) {
	signer, entry, err := s.consortium.Actor(ctx, msg.Signer)
	if err != nil {
		return nil, err
	}
	r, err := s.Recovery(ctx, msg.Recovery)
	if err != nil {
		return nil, err
	}
	entry = aboutRecovery(entry, audit.KindRecoveryCancelled, r)
	var reason string
	switch status := r.Status(blockTime(ctx)); {
	case !signer.Active:
		reason = access.ReasonInactive
	case signer.Patient != r.Patient && signer.Address != r.Account && !isOfficerOf(signer, r.Inviter):
		reason = access.ReasonNotParty
	case !status.IsOpen():
		reason = status.Reason()
	case signer.Patient == r.Patient:
		barred, err := s.isCancellingBarred(ctx, r)
		if err != nil {
			return nil, err
		}
		if barred {
			reason = access.ReasonRepresentative
		}
	}
	if reason != "" {
		return &access.MsgCancelRecoveryResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	r.CancelledBy = signer.Address
	if err := s.endRecovery(ctx, r); err != nil {
		return nil, err
	}
	return &access.MsgCancelRecoveryResponse{Outcome: audit.OUTCOME_OK}, s.acceptRecovery(ctx, entry, r)
}

// FinishRecovery makes the account that proposed a recovery the patient's wallet, with another key of
// the vault.
func (s msgServer) FinishRecovery(ctx context.Context, msg *access.MsgFinishRecovery) (*access.MsgFinishRecoveryResponse, error) {
	who, entry, err := s.consortium.Actor(ctx, msg.Account)
	if err != nil {
		return nil, err
	}
	r, err := s.Recovery(ctx, msg.Recovery)
	if err != nil {
		return nil, err
	}
	entry = aboutRecovery(entry, audit.KindWalletRecovered, r)
	vault := &records.MsgRotateVault{
		Address: msg.Account, VaultKey: msg.VaultKey, Revision: msg.Revision, VaultBlob: msg.VaultBlob, VaultSize: msg.VaultSize, Hospital: msg.Hospital,
	}
	var reason string
	switch status := r.Status(blockTime(ctx)); {
	case !who.Active:
		reason = access.ReasonInactive
	case who.Address != r.Account:
		reason = access.ReasonNotRequester
	case status != access.RECOVERY_STATUS_READY:
		reason = status.Reason()
	default:
		reason, err = s.whyNotFinish(ctx, r, vault)
	}
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return &access.MsgFinishRecoveryResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	r.FinishedAt = blockTime(ctx)
	if err := s.endRecovery(ctx, r); err != nil {
		return nil, err
	}
	if err := s.records.Recover(ctx, r.Patient, vault, entry); err != nil {
		return nil, err
	}
	if err := s.recovered(ctx, r, entry); err != nil {
		return nil, err
	}
	return &access.MsgFinishRecoveryResponse{Outcome: audit.OUTCOME_OK}, s.tellRecovery(ctx, entry.Kind, r)
}

// whyNotFinish answers the reason why the account can't take the wallet's place with that vault, or nothing.
func (k *Keeper) whyNotFinish(ctx context.Context, r access.Recovery, vault *records.MsgRotateVault) (string, error) {
	h, err := k.handOverOf(ctx, r.Patient)
	if err != nil {
		return "", err
	}
	if reason := h.WhyNotUntil(r.Until, blockTime(ctx)); reason != "" {
		return reason, nil
	}
	return k.records.WhyNotRecover(ctx, r.Patient, vault)
}
