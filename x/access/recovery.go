package access

import (
	"math"
	"slices"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
)

// isNumber says whether n is a number that counts from 1.
func isNumber(n uint64) bool { return n >= 1 && n <= math.MaxInt64 }

// Way is who is to approve: the patient's guardians where the proposal asks for the release of
// their slot, else hospitals.
func (m *MsgProposeRecovery) Way() RecoveryWay {
	if m.RequestKey == "" && len(m.B) == 0 && len(m.M) == 0 && len(m.Proof) == 0 {
		return RECOVERY_WAY_HOSPITALS
	}
	return RECOVERY_WAY_GUARDIANS
}

// Validate says what is malformed in a proposal: an error that is ErrInvalidRecovery,
// ErrInvalidExpiry, ErrInvalidCID, ErrInvalidPoint or ErrInvalidProof.
func (m *MsgProposeRecovery) Validate() error {
	if _, err := lock.ParseCanonicalID(m.Patient); err != nil {
		return ErrInvalidRecovery.Wrapf("patient: %v", err)
	}
	if m.ExpiresAt <= 0 {
		return ErrInvalidExpiry.Wrapf("%d", m.ExpiresAt)
	}
	if _, err := ParseUntil(m.Until); err != nil {
		return err
	}
	if m.Way() == RECOVERY_WAY_HOSPITALS {
		return nil
	}
	return checkRequest(m.RequestKey, m.B, m.M, m.Proof)
}

// checkRequest says what is malformed of a request for the release of a guardian slot.
func checkRequest(requestKey string, b, m, proof []byte) error {
	if _, err := lock.ParseRawCID(requestKey); err != nil {
		return ErrInvalidCID.Wrapf("request key: %v", err)
	}
	if _, err := lock.ParseEncapsulation(b); err != nil {
		return ErrInvalidPoint.Wrapf("B: %v", err)
	}
	if _, err := lock.ParsePoint(m); err != nil {
		return ErrInvalidPoint.Wrapf("M: %v", err)
	}
	if len(proof) != proofSize {
		return ErrInvalidProof.Wrapf("got %d bytes, want %d", len(proof), proofSize)
	}
	return nil
}

// Proposal is a recovery by guardians in the form that its hash covers (docs/custody.md, appendix A,
// guardians), whose ID in hex is the recovery's unlock; slot is what the guardians' slot
// is. It answers ErrInvalidRecovery where a field can't be read.
func (r *Recovery) Proposal(network lock.Network, slot lock.GuardianSlot) (lock.Proposal, error) {
	account, err := sdk.AccAddressFromBech32(r.Account)
	if err != nil || len(account) != len(lock.Proposal{}.Requester) {
		return lock.Proposal{}, ErrInvalidRecovery.Wrapf("account %q is none of 20 bytes", r.Account)
	}
	p := lock.Proposal{Network: network, Requester: [20]byte(account), Purpose: purposeGuardian, Expiry: uint64(r.ExpiresAt)}
	v := lock.ProposedVersion{Number: r.Revision, Context: slot.Context, U: slot.U}
	for _, read := range []func() error{
		func() (err error) { v.Record, err = lock.ParseCanonicalID(r.Vault); return err },
		func() (err error) { v.M, err = lock.ParsePoint(r.M); return err },
		func() (err error) { p.B, err = lock.ParseEncapsulation(r.B); return err },
		func() (err error) { p.RequestKeyCID, err = lock.ParseRawCID(r.RequestKey); return err },
	} {
		if err := read(); err != nil {
			return lock.Proposal{}, ErrInvalidRecovery.Wrap(err.Error())
		}
	}
	p.Versions = []lock.ProposedVersion{v}
	return p, nil
}

// Status is where the recovery stands at a time, unix seconds of block time.
func (r *Recovery) Status(now int64) RecoveryStatus {
	switch {
	case r.FinishedAt != 0:
		return RECOVERY_STATUS_FINISHED
	case r.CancelledBy != "":
		return RECOVERY_STATUS_CANCELLED
	case r.Expired || now >= r.ExpiresAt:
		return RECOVERY_STATUS_EXPIRED
	case r.Due == 0:
		return RECOVERY_STATUS_PROPOSED
	case now < r.Due:
		return RECOVERY_STATUS_DELAYED
	case r.Way == RECOVERY_WAY_GUARDIANS && r.ReleasedAt == 0:
		return RECOVERY_STATUS_DUE
	default:
		return RECOVERY_STATUS_READY
	}
}

// HasEnded says whether the recovery was finished, cancelled, or ended by the chain because its time ran out.
func (r *Recovery) HasEnded() bool { return r.FinishedAt != 0 || r.CancelledBy != "" || r.Expired }

// IsOpen says whether the recovery can still be finished.
func (s RecoveryStatus) IsOpen() bool {
	return s >= RECOVERY_STATUS_PROPOSED && s <= RECOVERY_STATUS_READY
}

// Reason is the code with which a signature is refused because the recovery stands here and not
// where the signature is due.
func (s RecoveryStatus) Reason() string {
	switch s {
	case RECOVERY_STATUS_PROPOSED:
		return ReasonNotApproved
	case RECOVERY_STATUS_DELAYED:
		return ReasonDelayed
	case RECOVERY_STATUS_DUE:
		return ReasonNotReleased
	case RECOVERY_STATUS_READY:
		return ReasonAlreadyApproved
	case RECOVERY_STATUS_FINISHED:
		return ReasonFinished
	case RECOVERY_STATUS_CANCELLED:
		return ReasonCancelled
	case RECOVERY_STATUS_EXPIRED:
		return ReasonExpired
	default:
		return ""
	}
}

// Differs answers the reason of the first field in which an approval differs from what it must
// show, or nothing; inviter is the name of the hospital that invited the account.
func (r *Recovery) Differs(msg *MsgApproveRecovery, inviter string) string {
	switch {
	case msg.Patient != r.Patient:
		return ReasonPatientDiffers
	case msg.Account != r.Account:
		return ReasonAccountDiffers
	case msg.InvitedBy != inviter:
		return ReasonHospitalDiffers
	case msg.Unlock != r.Unlock:
		return ReasonUnlockDiffers
	case msg.Until != untilText(r.Until):
		return ReasonUntilDiffers
	default:
		return ""
	}
}

// WhyNotBy answers the reason why an approval by a guardian, or by an officer of a hospital, does not
// count, or nothing.
func (r *Recovery) WhyNotBy(a RecoveryApproval) string {
	if r.Way == RECOVERY_WAY_GUARDIANS && !slices.Contains(r.Guardians, a.Guardian) {
		return ReasonNotGuardian
	}
	for _, given := range r.Approvals {
		if given.Guardian == a.Guardian && given.Hospital == a.Hospital {
			return ReasonRepeatedApproval
		}
	}
	return ""
}

// validate says what is wrong with the form of a recovery of the first state. Its unlock can't be
// recomputed here: it binds the network and the slot.
func (r *Recovery) validate() error {
	if _, err := lock.ParseCanonicalID(r.Patient); err != nil {
		return err
	}
	for _, address := range []string{r.Account, r.Former} {
		if _, err := sdk.AccAddressFromBech32(address); err != nil {
			return err
		}
	}
	if r.Needed < 1 || r.Delay < 1 || r.Delay > MaxRecoveryDelay || r.ExpiresAt <= r.ProposedAt || r.ProposedAt < 0 {
		return ErrInvalidRecovery.Wrapf("needs %d, delay %d, from %d to %d", r.Needed, r.Delay, r.ProposedAt, r.ExpiresAt)
	}
	if enough := len(r.Approvals) >= int(r.Needed); enough != (r.Due > 0) || len(r.Approvals) > int(r.Needed) {
		return ErrInvalidRecovery.Wrapf("%d of %d approvals, due at %d", len(r.Approvals), r.Needed, r.Due)
	}
	if r.Until != 0 && r.Until <= r.ProposedAt {
		return ErrInvalidRecovery.Wrapf("acts until %d, proposed at %d", r.Until, r.ProposedAt)
	}
	if r.Requested && r.Due == 0 || r.ReleasedAt != 0 && !r.Requested {
		return ErrInvalidRecovery.Wrap("asked for before it was approved, or released before it was asked for")
	}
	switch r.Way {
	case RECOVERY_WAY_HOSPITALS:
		if r.Unlock != "" || r.Requested {
			return ErrInvalidRecovery.Wrap("what hospitals approve releases nothing")
		}
		return nil
	case RECOVERY_WAY_GUARDIANS:
		if _, err := ParseUnlockID(r.Unlock); err != nil {
			return err
		}
		if !isNumber(r.Generation) || !isNumber(r.Revision) {
			return ErrInvalidRecovery.Wrapf("generation %d, revision %d", r.Generation, r.Revision)
		}
		return checkRequest(r.RequestKey, r.B, r.M, r.Proof)
	default:
		return ErrInvalidRecovery.Wrapf("way %d", r.Way)
	}
}
