package keeper

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
)

// Unlock answers the unlock of that hex id; access.ErrInvalidUnlock for a text
// that is no id, access.ErrUnknownUnlock where there is none.
func (k *Keeper) Unlock(ctx context.Context, id string) (access.Unlock, error) {
	key, err := access.ParseUnlockID(id)
	if err != nil {
		return access.Unlock{}, err
	}
	u, err := k.unlocks.Get(ctx, key[:])
	if errors.Is(err, collections.ErrNotFound) {
		return access.Unlock{}, access.ErrUnknownUnlock.Wrapf("%q", id)
	}
	return u, err
}

// save writes an unlock that is there already.
func (k *Keeper) save(ctx context.Context, u access.Unlock) error {
	id, err := access.ParseUnlockID(u.Id)
	if err != nil {
		return err
	}
	return k.unlocks.Set(ctx, id[:], u)
}

// add writes a new unlock, the ways to find it, and what must never be seen again.
func (k *Keeper) add(ctx context.Context, u access.Unlock) error {
	keys, err := keysOf(u)
	if err != nil {
		return err
	}
	sequence, err := k.sequence.Next(ctx)
	if err != nil {
		return err
	}
	if err := k.unlocks.Set(ctx, keys.id, u); err != nil {
		return err
	}
	if err := k.unlocksBySequence.Set(ctx, sequence, keys.id); err != nil {
		return err
	}
	if keys.patient != nil {
		if err := k.unlocksByPatient.Set(ctx, collections.Join(keys.patient, sequence), keys.id); err != nil {
			return err
		}
	}
	if err := k.unlocksByRequester.Set(ctx, collections.Join(keys.requester, sequence), keys.id); err != nil {
		return err
	}
	if err := k.unlocksByCustodian.Set(ctx, collections.Join(u.Custodian, sequence), keys.id); err != nil {
		return err
	}
	if err := k.points.Set(ctx, u.B); err != nil {
		return err
	}
	return k.requestKeys.Set(ctx, keys.requestKey)
}

// start counts an unlock as open and watches its time. The second part of an emergency ends with
// the first.
func (k *Keeper) start(ctx context.Context, u access.Unlock) error {
	if u.Box {
		return nil
	}
	keys, err := keysOf(u)
	if err != nil {
		return err
	}
	if err := k.open.Set(ctx, collections.Join3(keys.requester, keys.owner, keys.id), u.ExpiresAt); err != nil {
		return err
	}
	if err := k.watch(ctx, u, keys.id); err != nil {
		return err
	}
	return k.expiryQueue.Set(ctx, collections.Join(u.ExpiresAt, keys.id))
}

// end writes an unlock that has ended, stops its release where one was requested,
// and takes it out of all queues.
func (k *Keeper) end(ctx context.Context, u access.Unlock) error {
	keys, err := keysOf(u)
	if err != nil {
		return err
	}
	if u.Approval != nil {
		if u.Approval.Consent != 0 {
			if err := k.openByConsent.Remove(ctx, collections.Join(u.Approval.Consent, keys.id)); err != nil {
				return err
			}
		}
		waiting, err := k.releaseQueue.Has(ctx, collections.Join(u.Approval.Height, keys.id))
		if err != nil {
			return err
		}
		if waiting {
			err = k.releaseQueue.Remove(ctx, collections.Join(u.Approval.Height, keys.id))
		} else {
			u.MayBeOpened, err = k.custody.CloseRelease(ctx, u.Id)
		}
		if err != nil {
			return err
		}
	}
	if err := k.open.Remove(ctx, collections.Join3(keys.requester, keys.owner, keys.id)); err != nil {
		return err
	}
	if err := k.expiryQueue.Remove(ctx, collections.Join(u.ExpiresAt, keys.id)); err != nil {
		return err
	}
	if err := k.unwatch(ctx, u, keys.id); err != nil {
		return err
	}
	if err := k.unlocks.Set(ctx, keys.id, u); err != nil || u.Emergency == "" {
		return err
	}
	return k.endEmergency(ctx, u)
}

// countOpen counts the unlocks of a requester and an owner that have not ended by
// now, up to the limit.
func (k *Keeper) countOpen(ctx context.Context, requester, owner []byte, now int64, limit uint32) (uint32, error) {
	var count uint32
	err := k.open.Walk(ctx, collections.NewSuperPrefixedTripleRange[[]byte, []byte, []byte](requester, owner),
		func(_ collections.Triple[[]byte, []byte, []byte], expiry int64) (bool, error) {
			if expiry > now {
				count++
			}
			return count >= limit, nil
		})
	return count, err
}

// unlockKeys are the binary forms under which an unlock is kept.
type unlockKeys struct {
	id, requester, owner, patient, requestKey []byte
}

func keysOf(u access.Unlock) (unlockKeys, error) {
	id, err := access.ParseUnlockID(u.Id)
	if err != nil {
		return unlockKeys{}, err
	}
	requestKey, err := lock.ParseRawCID(u.RequestKey)
	if err != nil {
		return unlockKeys{}, fmt.Errorf("request key of unlock %s: %w", u.Id, err)
	}
	keys := unlockKeys{id: id[:], requestKey: requestKey.Bytes()}
	if keys.requester, keys.owner, err = partiesOf(u); err != nil {
		return unlockKeys{}, fmt.Errorf("unlock %s: %w", u.Id, err)
	}
	if u.Patient != "" {
		keys.patient = keys.owner[1:]
	}
	return keys, nil
}

// partiesOf answers requester and owner of an unlock as keys: an account's
// address; kind 1 and a patient's id, or kind 2 and a hospital's number.
func partiesOf(u access.Unlock) (requester, owner []byte, err error) {
	account, err := sdk.AccAddressFromBech32(u.Requester)
	if err != nil {
		return nil, nil, fmt.Errorf("requester: %w", err)
	}
	if u.Patient == "" {
		return account, binary.BigEndian.AppendUint64([]byte{2}, u.Custodian), nil
	}
	patient, err := lock.ParseCanonicalID(u.Patient)
	if err != nil {
		return nil, nil, fmt.Errorf("patient: %w", err)
	}
	return account, append([]byte{1}, patient[:]...), nil
}
