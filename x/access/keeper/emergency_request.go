package keeper

import (
	"context"
	"encoding/hex"
	"slices"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/records"
)

// RequestEmergency asks for versions of a patient who agreed to it and can't answer. It has two
// parts, of which none is released without the other.
func (s msgServer) RequestEmergency(ctx context.Context, msg *access.MsgRequestEmergency) (*access.MsgRequestEmergencyResponse, error) {
	locks, boxes, err := msg.Proposals()
	if err != nil {
		return nil, err
	}
	requester, entry, err := s.consortium.Actor(ctx, msg.Requester)
	if err != nil {
		return nil, err
	}
	d, err := s.newDraft(ctx, requester, locks)
	if err != nil {
		return nil, err
	}
	box, err := s.newDraft(ctx, requester, boxes)
	if err != nil {
		return nil, err
	}
	box.unlock.Box = true
	t, reason, err := s.whyNotRequest(ctx, d, box)
	if err != nil {
		return nil, err
	}
	entry = about(entry, audit.KindEmergencyRequested, d.unlock)
	entry.Target = msg.Reason
	res := &access.MsgRequestEmergencyResponse{Outcome: audit.OUTCOME_OK, Reason: reason, Emergency: d.unlock.Id, BoxUnlock: box.unlock.Id}
	if reason != "" {
		res.Outcome = audit.OUTCOME_REFUSED
		return res, s.refuse(ctx, entry, reason)
	}
	for _, part := range []*draft{d, box} {
		part.unlock.Emergency, part.unlock.EndorsementsNeeded = d.unlock.Id, t.Approvals
		if err := s.add(ctx, part.unlock); err != nil {
			return nil, err
		}
		if err := s.start(ctx, part.unlock); err != nil {
			return nil, err
		}
	}
	u := d.unlock
	e := access.Emergency{
		Id: u.Id, BoxUnlock: box.unlock.Id, Patient: u.Patient, Requester: u.Requester, Hospital: u.Hospital, Custodian: u.Custodian, Reason: msg.Reason,
		ApprovalsNeeded: t.Approvals, Delay: t.Delay, RequestedAt: u.ProposedAt, ExpiresAt: u.ExpiresAt,
	}
	if err := s.addEmergency(ctx, e); err != nil {
		return nil, err
	}
	return res, s.notice(ctx, entry, e)
}

// whyNotRequest answers the terms under which an emergency may be asked for, or the reason why
// not; then the drafts have their ids.
func (k *Keeper) whyNotRequest(ctx context.Context, d, box *draft) (access.EmergencyTerms, string, error) {
	u := d.unlock
	switch {
	case !d.requester.Active:
		return access.EmergencyTerms{}, access.ReasonInactive, nil
	case d.requester.Role != consortium.ROLE_CLINICIAN:
		return access.EmergencyTerms{}, access.ReasonWrongRole, nil
	case d.missing:
		return access.EmergencyTerms{}, access.ReasonUnknownVersion, nil
	case u.Patient == "":
		return access.EmergencyTerms{}, access.ReasonNotAgreed, nil
	case u.ExpiresAt-u.ProposedAt > access.MaxEmergencyLifetime:
		return access.EmergencyTerms{}, access.ReasonLifetimeTooLong, nil
	}
	t, _, err := k.terms(ctx, u.Patient)
	if err != nil {
		return t, "", err
	}
	if !t.IsInForce() {
		return t, access.ReasonNotAgreed, nil
	}
	if reason := whyNoBoxes(d.versions); reason != "" {
		return t, reason, nil
	}
	if reason, err := k.whyNotAgain(ctx, u); reason != "" || err != nil {
		return t, reason, err
	}
	for _, part := range []*draft{d, box} {
		if reason, err := k.whyNotPropose(ctx, part); reason != "" || err != nil {
			return t, reason, err
		}
	}
	return t, "", nil
}

// whyNoBoxes demands that each version has a box, and all under one key.
func whyNoBoxes(versions []records.Version) string {
	for _, v := range versions {
		if v.Tombstone != nil {
			return access.ReasonErased
		}
		if v.Box == nil || v.Box.Generation != versions[0].Box.Generation {
			return access.ReasonNoBox
		}
	}
	return ""
}

// whyNotAgain refuses a requester who used an emergency that nobody reviewed in time, or one of
// this patient that was not reviewed yet, and more emergencies of a patient than can be. Records of
// several custodians may be asked for side by side.
func (k *Keeper) whyNotAgain(ctx context.Context, u access.Unlock) (string, error) {
	requester, err := sdk.AccAddressFromBech32(u.Requester)
	if err != nil {
		return "", err
	}
	now := blockTime(ctx)
	var reason string
	if err := k.emergencyUses.Walk(ctx, collections.NewPrefixedTripleRange[[]byte, []byte, []byte](requester), func(key usesKey) (bool, error) {
		e, err := k.emergencies.Get(ctx, key.K3())
		if err != nil {
			return true, err
		}
		due, ended := e.ReviewDue(), e.EndedAt != 0
		if due != 0 && due <= now || e.Patient == u.Patient && (ended || e.Custodian == u.Custodian) {
			reason = access.ReasonUnreviewed
		}
		return reason != "", nil
	}); err != nil || reason != "" {
		return reason, err
	}
	open, err := k.openEmergenciesOf(ctx, u.Patient)
	if len(open) >= access.MaxOpenEmergencies {
		reason = access.ReasonTooManyOpen
	}
	return reason, err
}

// boxLocks are what the hash of an emergency's second part covers: E in place of ctx, U_e, and
// the hash of the box in place of C.
func (k *Keeper) boxLocks(ctx context.Context, network lock.Network, versions []records.Version) ([]access.Lock, error) {
	locks := make([]access.Lock, len(versions))
	for i, v := range versions {
		key, err := k.custody.Key(ctx, custody.KEY_KIND_EMERGENCY, v.Box.Generation)
		if err != nil {
			return nil, err
		}
		lockContext, _, err := k.records.LockContext(ctx, v)
		if err != nil {
			return nil, err
		}
		statement, err := v.Box.Statement(network, key.PublicKey, lockContext, v.Header.Pc, nil)
		if err != nil {
			return nil, err
		}
		bound, err := statement.Hash()
		if err != nil {
			return nil, err
		}
		locks[i] = access.Lock{Context: bound, U: v.Box.U, C: v.Box.Hash}
	}
	return locks, nil
}

// isBoxReplaced says whether a version that an emergency names got another box, or none, since it
// was asked for.
func (k *Keeper) isBoxReplaced(ctx context.Context, u access.Unlock) (bool, error) {
	if !u.Box {
		return false, nil
	}
	d := &draft{unlock: u}
	for _, v := range u.Versions {
		version, err := k.records.Version(ctx, v.Record, v.Version)
		if err != nil || version.Box == nil {
			return true, err
		}
		d.versions = append(d.versions, version)
	}
	p, err := k.proposal(ctx, d)
	if err != nil {
		return false, err
	}
	id := p.ID()
	return hex.EncodeToString(id[:]) != u.Id, nil
}

// ApproveEmergency adds the signature of an officer of a hospital. The last that is needed starts
// the patient's delay.
func (s msgServer) ApproveEmergency(ctx context.Context, msg *access.MsgApproveEmergency) (*access.MsgApproveEmergencyResponse, error) {
	officer, entry, err := s.consortium.Actor(ctx, msg.Officer)
	if err != nil {
		return nil, err
	}
	e, err := s.Emergency(ctx, msg.Emergency)
	if err != nil {
		return nil, err
	}
	if entry, err = s.aboutEmergency(ctx, entry, audit.KindEmergencyApproved, e); err != nil {
		return nil, err
	}
	reason, err := s.whyNotSupport(ctx, officer, e)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return &access.MsgApproveEmergencyResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	now := blockTime(ctx)
	e.Approvals = append(e.Approvals, access.EmergencyApproval{Officer: officer.Address, Hospital: officer.Hospital, At: now})
	if len(e.Approvals) >= int(e.ApprovalsNeeded) {
		e.ApprovedAt = now
		id, err := access.ParseUnlockID(e.Id)
		if err != nil {
			return nil, err
		}
		if err := s.emergencyQueue.Set(ctx, collections.Join(e.ReleaseAt(), id[:])); err != nil {
			return nil, err
		}
	}
	if err := s.saveEmergency(ctx, e); err != nil {
		return nil, err
	}
	return &access.MsgApproveEmergencyResponse{Outcome: audit.OUTCOME_OK}, s.notice(ctx, entry, e)
}

// aboutEmergency fills in what an entry tells of an emergency.
func (k *Keeper) aboutEmergency(ctx context.Context, entry audit.Entry, kind string, e access.Emergency) (audit.Entry, error) {
	u, err := k.Unlock(ctx, e.Id)
	return about(entry, kind, u), err
}

// whyNotSupport answers the reason to refuse an approval of an emergency, or nothing.
func (k *Keeper) whyNotSupport(ctx context.Context, officer consortium.Principal, e access.Emergency) (string, error) {
	t, _, err := k.terms(ctx, e.Patient)
	if err != nil {
		return "", err
	}
	patient, err := k.records.Patient(ctx, e.Patient)
	if err != nil {
		return "", err
	}
	status := e.Status(blockTime(ctx))
	switch {
	case !officer.Active:
		return access.ReasonInactive, nil
	case officer.Role != consortium.ROLE_OFFICER:
		return access.ReasonWrongRole, nil
	case officer.Hospital == e.Hospital || !t.Names(officer.Hospital):
		return access.ReasonWrongHospital, nil
	case officer.Address == patient.Address:
		return access.ReasonSamePerson, nil
	case status == access.EMERGENCY_STATUS_ENDED || !t.IsInForce():
		return access.ReasonExpired, nil
	case e.HasApproved(officer.Hospital):
		return access.ReasonRepeatedEndorsement, nil
	case status != access.EMERGENCY_STATUS_REQUESTED:
		return access.ReasonAlreadyApproved, nil
	}
	vaults, err := k.emergencyVaults(ctx, t)
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(vaults, func(v access.EmergencyVault) bool { return v.Hospital == officer.Hospital }) {
		return access.ReasonNoVault, nil
	}
	return "", nil
}

// ReviewEmergency notes what an officer found who looked at the use of an emergency.
func (s msgServer) ReviewEmergency(ctx context.Context, msg *access.MsgReviewEmergency) (*access.MsgReviewEmergencyResponse, error) {
	if err := access.CheckFinding(msg.Finding); err != nil {
		return nil, err
	}
	officer, entry, err := s.consortium.Actor(ctx, msg.Officer)
	if err != nil {
		return nil, err
	}
	e, err := s.Emergency(ctx, msg.Emergency)
	if err != nil {
		return nil, err
	}
	if entry, err = s.aboutEmergency(ctx, entry, audit.KindEmergencyReviewed, e); err != nil {
		return nil, err
	}
	entry.Target = msg.Finding
	if reason := whyNotReview(officer, e); reason != "" {
		return &access.MsgReviewEmergencyResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	e.Review = &access.EmergencyReview{Officer: officer.Address, Hospital: officer.Hospital, Finding: msg.Finding, At: blockTime(ctx)}
	keys, err := keysOfEmergency(e)
	if err != nil {
		return nil, err
	}
	if err := s.emergencyUses.Remove(ctx, keys.use); err != nil {
		return nil, err
	}
	if err := s.emergencies.Set(ctx, keys.id, e); err != nil {
		return nil, err
	}
	return &access.MsgReviewEmergencyResponse{Outcome: audit.OUTCOME_OK}, s.notice(ctx, entry, e)
}

// whyNotReview answers the reason to refuse a review, or nothing.
func whyNotReview(officer consortium.Principal, e access.Emergency) string {
	switch {
	case !officer.Active:
		return access.ReasonInactive
	case officer.Role != consortium.ROLE_OFFICER:
		return access.ReasonWrongRole
	case !e.Reviews(officer.Hospital):
		return access.ReasonWrongHospital
	case e.EndedAt == 0:
		return access.ReasonNotEnded
	case e.Review != nil:
		return access.ReasonReviewed
	case e.UsedAt == 0:
		return access.ReasonNotUsed
	default:
		return ""
	}
}
