package keeper

import (
	"context"
	"encoding/hex"
	"errors"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
)

// Gas of a request proof: two multiplications on the curve for the proof, and four
// more for each version in it.
const (
	gasPerRequest        storetypes.Gas = 3_000
	gasPerRequestVersion storetypes.Gas = 3_000
)

// ProposeUnlock asks for versions of one owner in one custody. The unlock's id is
// the hash of all that was proposed.
func (s msgServer) ProposeUnlock(ctx context.Context, msg *access.MsgProposeUnlock) (*access.MsgProposeUnlockResponse, error) {
	if err := msg.Validate(); err != nil {
		return nil, err
	}
	requester, entry, err := s.consortium.Actor(ctx, msg.Requester)
	if err != nil {
		return nil, err
	}
	d, err := s.newDraft(ctx, requester, msg)
	if err != nil {
		return nil, err
	}
	reason, err := s.whyNotPropose(ctx, d)
	if err != nil {
		return nil, err
	}
	entry = about(entry, audit.KindProposed, d.unlock)
	if reason != "" {
		return &access.MsgProposeUnlockResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason, Unlock: d.unlock.Id}, s.refuse(ctx, entry, reason)
	}
	if err := s.add(ctx, d.unlock); err != nil {
		return nil, err
	}
	if err := s.start(ctx, d.unlock); err != nil {
		return nil, err
	}
	return &access.MsgProposeUnlockResponse{Outcome: audit.OUTCOME_OK, Unlock: d.unlock.Id}, s.accept(ctx, entry, d.unlock)
}

// draft is an unlock that is being checked.
type draft struct {
	requester consortium.Principal
	params    access.Params
	unlock    access.Unlock
	versions  []records.Version
	// missing says that a version does not exist; owner and custodian are unknown then
	missing bool
}

// newDraft reads what a proposal names. Versions of several owners, custodians or
// generations are an error: they need several unlocks.
func (k *Keeper) newDraft(ctx context.Context, requester consortium.Principal, msg *access.MsgProposeUnlock) (*draft, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return nil, err
	}
	d := &draft{requester: requester, params: params, unlock: access.Unlock{
		Requester: requester.Address, Hospital: requester.Hospital, Purpose: msg.Purpose, ExpiresAt: msg.ExpiresAt,
		RequestKey: msg.RequestKey, B: msg.B, Proof: msg.Proof, ProposedAt: blockTime(ctx),
	}}
	for i, record := range msg.Records {
		d.unlock.Versions = append(d.unlock.Versions, access.UnlockVersion{Record: record, Version: msg.Versions[i], M: msg.M[i]})
	}
	for i, record := range msg.Records {
		v, err := k.records.Version(ctx, record, msg.Versions[i])
		if errors.Is(err, records.ErrUnknownRecord) || errors.Is(err, records.ErrUnknownVersion) {
			d.missing = true
			return d, nil
		}
		if err != nil {
			return nil, err
		}
		d.versions = append(d.versions, v)
		d.unlock.Versions[i].U = v.Header.U
	}
	first := d.versions[0].Header
	for _, v := range d.versions {
		h := v.Header
		if h.OwnerKind != first.OwnerKind || h.Patient != first.Patient || h.Custodian != first.Custodian || h.Generation != first.Generation {
			return nil, access.ErrMixedVersions.Wrapf("%s/%d and %s/%d", d.versions[0].Record, d.versions[0].Version, v.Record, v.Version)
		}
	}
	d.unlock.Patient, d.unlock.Custodian = first.Patient, first.Custodian
	if !d.unlock.IsOwnReading() {
		d.unlock.EndorsementsNeeded = params.Endorsements
	}
	return d, nil
}

// whyNotPropose answers the reason to refuse a proposal, or nothing; then the
// draft has its id.
func (k *Keeper) whyNotPropose(ctx context.Context, d *draft) (string, error) {
	u := d.unlock
	isPatient := d.requester.Role == consortium.ROLE_PATIENT
	switch {
	case !d.requester.Active:
		return access.ReasonInactive, nil
	case !isPatient && (!isStaffWhoAsks(d.requester.Role) || u.Hospital == 0):
		return access.ReasonWrongRole, nil
	case u.ExpiresAt <= u.ProposedAt:
		return access.ReasonExpired, nil
	case uint64(u.ExpiresAt-u.ProposedAt) > d.params.MaxLifetime:
		return access.ReasonLifetimeTooLong, nil
	case d.missing:
		return access.ReasonUnknownVersion, nil
	case isPatient && (u.Patient == "" || u.Patient != d.requester.Patient || u.Hospital != 0):
		return access.ReasonNotOwner, nil
	case d.requester.Role == consortium.ROLE_OFFICER && !u.IsOwnersData():
		return access.ReasonWrongRole, nil
	}
	for _, v := range d.versions {
		if v.Tombstone != nil {
			return access.ReasonErased, nil
		}
		if v.Header.Lock != records.LOCK_OWNER_AND_NETWORK {
			return access.ReasonLockNotAllowed, nil
		}
	}
	if reason, err := k.whyNotNew(ctx, d); reason != "" || err != nil {
		return reason, err
	}
	return k.verify(ctx, d)
}

// isStaffWhoAsks says whether staff of a role may ask for versions: clinicians, and officers of a
// hospital that owns them, who lock them anew.
func isStaffWhoAsks(r consortium.Role) bool {
	return r == consortium.ROLE_CLINICIAN || r == consortium.ROLE_OFFICER
}

// whyNotNew demands a fresh B and one-time key, and room for one more open unlock.
func (k *Keeper) whyNotNew(ctx context.Context, d *draft) (string, error) {
	known, err := k.points.Has(ctx, d.unlock.B)
	if err != nil {
		return "", err
	}
	if known {
		return access.ReasonRepeatedPoint, nil
	}
	requestKey, err := lock.ParseRawCID(d.unlock.RequestKey)
	if err != nil {
		return "", err
	}
	known, err = k.requestKeys.Has(ctx, requestKey.Bytes())
	if err != nil {
		return "", err
	}
	if known {
		return access.ReasonRepeatedRequestKey, nil
	}
	requester, owner, err := partiesOf(d.unlock)
	if err != nil {
		return "", err
	}
	open, err := k.countOpen(ctx, requester, owner, d.unlock.ProposedAt, d.params.MaxOpen)
	if err != nil {
		return "", err
	}
	if open >= d.params.MaxOpen {
		return access.ReasonTooManyOpen, nil
	}
	return "", nil
}

// verify recomputes the proposal hash, which becomes the unlock's id, and checks
// that the M belong to exactly these versions and that the requester knows b.
func (k *Keeper) verify(ctx context.Context, d *draft) (string, error) {
	n := storetypes.Gas(len(d.versions))
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(gasPerRequest+n*gasPerRequestVersion, "request proof")
	p, err := k.proposal(ctx, d)
	if err != nil {
		return "", err
	}
	id := p.ID()
	d.unlock.Id = hex.EncodeToString(id[:])
	err = p.Verify(d.unlock.Proof)
	if errors.Is(err, lock.ErrProof) {
		return access.ReasonBadProof, nil
	}
	return "", err
}

// proposal is the draft with everything that its hash covers.
func (k *Keeper) proposal(ctx context.Context, d *draft) (lock.Proposal, error) {
	network, err := k.consortium.NetworkID(ctx)
	if err != nil {
		return lock.Proposal{}, err
	}
	if d.unlock.Box {
		locks, err := k.boxLocks(ctx, network, d.versions)
		if err != nil {
			return lock.Proposal{}, err
		}
		return d.unlock.Proposal(network, locks)
	}
	locks := make([]access.Lock, len(d.versions))
	for i, v := range d.versions {
		lockContext, _, err := k.records.LockContext(ctx, v)
		if err != nil {
			return lock.Proposal{}, err
		}
		locks[i] = access.Lock{Context: lockContext, U: v.Header.U, C: v.Header.C}
	}
	return d.unlock.Proposal(network, locks)
}
