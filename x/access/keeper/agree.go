package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
)

var _ records.Agreements = (*Keeper)(nil)

// terms are what a patient agreed to last; found is false where that was never.
func (k *Keeper) terms(ctx context.Context, patient string) (t access.EmergencyTerms, found bool, err error) {
	id, err := lock.ParseCanonicalID(patient)
	if err != nil {
		return t, false, access.ErrInvalidEmergency.Wrapf("patient: %v", err)
	}
	t, err = k.emergencyTerms.Get(ctx, id.Bytes())
	if errors.Is(err, collections.ErrNotFound) {
		return t, false, nil
	}
	return t, err == nil, err
}

func (k *Keeper) setTerms(ctx context.Context, t access.EmergencyTerms) error {
	id, err := lock.ParseCanonicalID(t.Patient)
	if err != nil {
		return err
	}
	return k.emergencyTerms.Set(ctx, id.Bytes(), t)
}

// AgreedToEmergencies implements records.Agreements.
func (k *Keeper) AgreedToEmergencies(ctx context.Context, patient string) (bool, error) {
	t, found, err := k.terms(ctx, patient)
	return found && t.IsInForce(), err
}

// EnableEmergency has records of the signer opened in emergencies, under these terms from now on.
func (s msgServer) EnableEmergency(ctx context.Context, msg *access.MsgEnableEmergency) (*access.MsgEnableEmergencyResponse, error) {
	t, names, err := msg.Terms()
	if err != nil {
		return nil, err
	}
	owner, entry, err := s.consortium.Actor(ctx, msg.Owner)
	if err != nil {
		return nil, err
	}
	t.Patient, t.EnabledAt = owner.Patient, blockTime(ctx)
	entry.Kind, entry.Patient, entry.Target = audit.KindEmergencyEnabled, t.Patient, t.Text()
	reason, err := s.whyNotEnable(ctx, owner, t, names)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return &access.MsgEnableEmergencyResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	if err := s.setTerms(ctx, t); err != nil {
		return nil, err
	}
	return &access.MsgEnableEmergencyResponse{Outcome: audit.OUTCOME_OK}, s.notice(ctx, entry, access.Emergency{Patient: t.Patient})
}

// whyNotEnable answers the reason to refuse terms, or nothing; names are those that the wallet
// showed.
func (k *Keeper) whyNotEnable(ctx context.Context, owner consortium.Principal, t access.EmergencyTerms, names []string) (string, error) {
	switch {
	case !owner.Active:
		return access.ReasonInactive, nil
	case !isPatient(owner):
		return access.ReasonWrongRole, nil
	}
	for i, number := range t.Hospitals {
		member, err := k.consortium.Member(ctx, number)
		if errors.Is(err, consortium.ErrUnknownMember) || err == nil && member.Name != names[i] {
			return access.ReasonHospitalDiffers, nil
		}
		if err != nil {
			return "", err
		}
	}
	vaults, err := k.emergencyVaults(ctx, t)
	if err != nil {
		return "", err
	}
	if len(vaults) < t.LeastVaults() {
		return access.ReasonTooFewVaults, nil
	}
	return "", nil
}

func isPatient(p consortium.Principal) bool {
	return p.Role == consortium.ROLE_PATIENT && p.Patient != ""
}

// emergencyVaults are the vaults to which versions are sealed under the terms, by hospital, at most
// access.MaxEmergencyVaults.
func (k *Keeper) emergencyVaults(ctx context.Context, t access.EmergencyTerms) ([]access.EmergencyVault, error) {
	var vaults []access.EmergencyVault
	for number := uint64(1); number <= consortium.MaxMembers && len(vaults) < access.MaxEmergencyVaults; number++ { // without a gap
		m, err := k.consortium.Member(ctx, number)
		if errors.Is(err, consortium.ErrUnknownMember) {
			break
		}
		if err != nil {
			return nil, err
		}
		if m.IsActive() && m.EmergencyEpoch > 0 && t.Names(number) {
			vaults = append(vaults, access.EmergencyVault{Hospital: number, Epoch: m.EmergencyEpoch, Key: m.EmergencyKey})
		}
	}
	return vaults, nil
}

// DisableEmergency ends what the signer agreed to, and at once the emergencies that wait or are
// open.
func (s msgServer) DisableEmergency(ctx context.Context, msg *access.MsgDisableEmergency) (*access.MsgDisableEmergencyResponse, error) {
	owner, entry, err := s.consortium.Actor(ctx, msg.Owner)
	if err != nil {
		return nil, err
	}
	entry.Kind, entry.Patient = audit.KindEmergencyDisabled, owner.Patient
	var reason string
	var t access.EmergencyTerms
	switch {
	case !owner.Active:
		reason = access.ReasonInactive
	case !isPatient(owner):
		reason = access.ReasonWrongRole
	default:
		if t, _, err = s.terms(ctx, owner.Patient); err != nil {
			return nil, err
		}
		if !t.IsInForce() {
			reason = access.ReasonNotAgreed
		}
	}
	if reason != "" {
		return &access.MsgDisableEmergencyResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	t.DisabledAt = blockTime(ctx)
	if err := s.setTerms(ctx, t); err != nil {
		return nil, err
	}
	if err := s.notice(ctx, entry, access.Emergency{Patient: t.Patient}); err != nil {
		return nil, err
	}
	return &access.MsgDisableEmergencyResponse{Outcome: audit.OUTCOME_OK}, s.endEmergenciesOf(ctx, owner.Patient)
}

// endEmergenciesOf withdraws the emergencies of a patient, of which there are at most
// access.MaxOpenEmergencies.
func (k *Keeper) endEmergenciesOf(ctx context.Context, patient string) error {
	open, err := k.openEmergenciesOf(ctx, patient)
	if err != nil {
		return err
	}
	for _, id := range open {
		u, err := k.unlocks.Get(ctx, id)
		if err != nil {
			return err
		}
		u.WithdrawnBy = k.consortium.Authority()
		if err := k.end(ctx, u); err != nil {
			return err
		}
		if err := k.accept(ctx, about(byChain(), audit.KindWithdrawn, u), u); err != nil {
			return err
		}
	}
	return nil
}

// openEmergenciesOf are the ids of a patient's emergencies that have not ended.
func (k *Keeper) openEmergenciesOf(ctx context.Context, patient string) ([][]byte, error) {
	number, err := lock.ParseCanonicalID(patient)
	if err != nil {
		return nil, err
	}
	var ids [][]byte
	err = k.openEmergencies.Walk(ctx, collections.NewPrefixedPairRange[[]byte, []byte](number.Bytes()),
		func(key collections.Pair[[]byte, []byte]) (bool, error) {
			ids = append(ids, key.K2())
			return false, nil
		})
	return ids, err
}
