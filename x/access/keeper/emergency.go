package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
)

// usesKey is the requester's account, the patient and an emergency's id.
type usesKey = collections.Triple[[]byte, []byte, []byte]

// Emergency answers the emergency of that hex id; access.ErrInvalidUnlock for a text that is no
// id, access.ErrUnknownEmergency where there is none.
func (k *Keeper) Emergency(ctx context.Context, id string) (access.Emergency, error) {
	key, err := access.ParseUnlockID(id)
	if err != nil {
		return access.Emergency{}, err
	}
	e, err := k.emergencies.Get(ctx, key[:])
	if errors.Is(err, collections.ErrNotFound) {
		return e, access.ErrUnknownEmergency.Wrapf("%q", id)
	}
	return e, err
}

// emergencyKeys are the binary forms under which an emergency is kept.
type emergencyKeys struct {
	id   []byte
	open collections.Pair[[]byte, []byte]
	use  usesKey
}

func keysOfEmergency(e access.Emergency) (emergencyKeys, error) {
	id, err := access.ParseUnlockID(e.Id)
	if err != nil {
		return emergencyKeys{}, err
	}
	patient, err := lock.ParseCanonicalID(e.Patient)
	if err != nil {
		return emergencyKeys{}, err
	}
	requester, err := sdk.AccAddressFromBech32(e.Requester)
	if err != nil {
		return emergencyKeys{}, err
	}
	return emergencyKeys{
		id: id[:], open: collections.Join(patient.Bytes(), id[:]), use: collections.Join3([]byte(requester), patient.Bytes(), id[:]),
	}, nil
}

// addEmergency writes a new emergency and the ways to find it, and watches it where it has not
// ended or is to be reviewed.
func (k *Keeper) addEmergency(ctx context.Context, e access.Emergency) error {
	keys, err := keysOfEmergency(e)
	if err != nil {
		return err
	}
	sequence, err := k.emergencySequence.Next(ctx)
	if err != nil {
		return err
	}
	if err := k.emergenciesBySequence.Set(ctx, sequence, keys.id); err != nil {
		return err
	}
	if err := k.emergencies.Set(ctx, keys.id, e); err != nil {
		return err
	}
	if e.EndedAt == 0 {
		if err := k.openEmergencies.Set(ctx, keys.open); err != nil {
			return err
		}
	}
	if e.EndedAt == 0 || e.ReviewDue() != 0 {
		return k.emergencyUses.Set(ctx, keys.use)
	}
	return nil
}

// saveEmergency writes an emergency that is there already.
func (k *Keeper) saveEmergency(ctx context.Context, e access.Emergency) error {
	id, err := access.ParseUnlockID(e.Id)
	if err != nil {
		return err
	}
	return k.emergencies.Set(ctx, id[:], e)
}

// otherPart answers the other of the two unlocks of an emergency.
func (k *Keeper) otherPart(ctx context.Context, u access.Unlock, e access.Emergency) (access.Unlock, error) {
	if u.Box {
		return k.Unlock(ctx, e.Id)
	}
	return k.Unlock(ctx, e.BoxUnlock)
}

// endEmergency ends an emergency of which one part has ended: the other part ends likewise.
func (k *Keeper) endEmergency(ctx context.Context, u access.Unlock) error {
	e, err := k.Emergency(ctx, u.Emergency)
	if err != nil {
		return err
	}
	other, err := k.otherPart(ctx, u, e)
	if err != nil {
		return err
	}
	if !other.HasEnded() {
		other.DeniedBy, other.WithdrawnBy, other.Expired = u.DeniedBy, u.WithdrawnBy, u.Expired
		return k.end(ctx, other)
	}
	e.EndedAt = blockTime(ctx)
	if (u.MayBeOpened || other.MayBeOpened) && e.UsedAt == 0 {
		e.UsedAt = e.EndedAt
	}
	keys, err := keysOfEmergency(e)
	if err != nil {
		return err
	}
	if err := k.openEmergencies.Remove(ctx, keys.open); err != nil {
		return err
	}
	if at := e.ReleaseAt(); at != 0 {
		if err := k.emergencyQueue.Remove(ctx, collections.Join(at, keys.id)); err != nil {
			return err
		}
	}
	if e.ReviewDue() == 0 {
		if err := k.emergencyUses.Remove(ctx, keys.use); err != nil {
			return err
		}
	}
	return k.emergencies.Set(ctx, keys.id, e)
}

// used notes that shares were given for a part of an emergency, so that its use is to be
// reviewed.
func (k *Keeper) used(ctx context.Context, u access.Unlock, released bool) error {
	if u.Emergency == "" {
		return nil
	}
	e, err := k.Emergency(ctx, u.Emergency)
	if err != nil {
		return err
	}
	if released {
		e.Releases++
	}
	if e.UsedAt == 0 {
		e.UsedAt = blockTime(ctx)
	}
	keys, err := keysOfEmergency(e)
	if err != nil {
		return err
	}
	if e.Review == nil {
		if err := k.emergencyUses.Set(ctx, keys.use); err != nil {
			return err
		}
	}
	return k.emergencies.Set(ctx, keys.id, e)
}

// askDue has the holders asked for the shares of emergencies that were approved and whose delay
// is over.
func (k *Keeper) askDue(ctx context.Context, now int64) error {
	var due [][]byte
	err := k.emergencyQueue.Walk(ctx, collections.NewPrefixUntilPairRange[int64, []byte](now), func(key queueKey) (bool, error) {
		due = append(due, key.K2())
		return len(due) >= access.MaxEmergenciesPerBlock, nil
	})
	if err != nil {
		return err
	}
	for _, id := range due {
		e, err := k.emergencies.Get(ctx, id)
		if err != nil {
			return err
		}
		if err := k.ask(ctx, e, id); err != nil {
			return err
		}
	}
	return nil
}

// ask approves both parts of an emergency by the patient's terms. One that is about a box which
// was replaced since opens nothing, and ends.
func (k *Keeper) ask(ctx context.Context, e access.Emergency, id []byte) error {
	if err := k.emergencyQueue.Remove(ctx, collections.Join(e.ReleaseAt(), id)); err != nil {
		return err
	}
	box, err := k.Unlock(ctx, e.BoxUnlock)
	if err != nil {
		return err
	}
	if replaced, err := k.isBoxReplaced(ctx, box); err != nil {
		return err
	} else if replaced {
		return k.withdrawReplaced(ctx, box)
	}
	t, _, err := k.terms(ctx, e.Patient)
	if err != nil {
		return err
	}
	first := access.Unlock{}
	for _, text := range []string{e.BoxUnlock, e.Id} {
		u, err := k.Unlock(ctx, text)
		if err != nil {
			return err
		}
		if first, err = k.approve(ctx, u, access.Approval{By: t.EnabledBy}); err != nil {
			return err
		}
	}
	return k.notice(ctx, about(byChain(), audit.KindEmergencyDue, first), e)
}

// withdrawReplaced ends an emergency whose boxes were replaced.
func (k *Keeper) withdrawReplaced(ctx context.Context, box access.Unlock) error {
	refs, err := refsOf(box)
	if err != nil {
		return err
	}
	return k.withdrawFor(ctx, box, refs[0])
}

// notice writes the entry of something that was done about an emergency, or about a patient's
// terms, and tells those who watch: the patient, who can stop it, first of all, and the guardians.
func (k *Keeper) notice(ctx context.Context, entry audit.Entry, e access.Emergency) error {
	entry.Outcome = audit.OUTCOME_OK
	if _, err := k.audit.Append(ctx, entry); err != nil {
		return err
	}
	events := sdk.UnwrapSDKContext(ctx).EventManager()
	if e.Id != "" {
		changed := &access.EventUnlockChanged{Unlock: e.Id, Patient: e.Patient, Requester: e.Requester, Kind: entry.Kind}
		if err := events.EmitTypedEvent(changed); err != nil {
			return err
		}
	}
	guardians, err := k.Guardians(ctx, e.Patient)
	if err != nil && !errors.Is(err, access.ErrUnknownGuardians) {
		return err
	}
	return events.EmitTypedEvent(&access.EventEmergencyChanged{
		Emergency: e.Id, Patient: e.Patient, Requester: e.Requester, Kind: entry.Kind, Guardians: guardians.Guardians,
	})
}

// initEmergencies writes terms and emergencies of the first state, whose unlocks are there.
func (k *Keeper) initEmergencies(ctx context.Context, g *access.GenesisState) error {
	for _, t := range g.EmergencyTerms {
		if err := k.setTerms(ctx, t); err != nil {
			return err
		}
	}
	for _, e := range g.Emergencies {
		if err := k.addEmergency(ctx, e); err != nil {
			return err
		}
		u, err := k.Unlock(ctx, e.Id)
		if err != nil {
			return err
		}
		if e.EndedAt != 0 || e.ApprovedAt == 0 || u.Approval != nil {
			continue
		}
		id, err := access.ParseUnlockID(e.Id)
		if err != nil {
			return err
		}
		if err := k.emergencyQueue.Set(ctx, collections.Join(e.ReleaseAt(), id[:])); err != nil {
			return err
		}
	}
	return nil
}

// exportEmergencies reads terms by patient, and emergencies in the order of their requests.
func (k *Keeper) exportEmergencies(ctx context.Context, g *access.GenesisState) error {
	if err := k.emergencyTerms.Walk(ctx, nil, func(_ []byte, t access.EmergencyTerms) (bool, error) {
		g.EmergencyTerms = append(g.EmergencyTerms, t)
		return false, nil
	}); err != nil {
		return err
	}
	return k.emergenciesBySequence.Walk(ctx, nil, func(_ uint64, id []byte) (bool, error) {
		e, err := k.emergencies.Get(ctx, id)
		g.Emergencies = append(g.Emergencies, e)
		return false, err
	})
}
