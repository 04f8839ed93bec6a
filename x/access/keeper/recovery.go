package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/custody"
)

// Times of the queue of recoveries, as part of its keys.
const (
	whenDue uint64 = iota + 1
	whenExpired
)

// recoveryKey is a time's kind, the time, and a recovery's number.
type recoveryKey = collections.Triple[uint64, int64, uint64]

// recoveryName is a name of recoveries and the number of one.
type recoveryName = collections.Pair[[]byte, uint64]

// Recovery answers the recovery of that number; access.ErrUnknownRecovery where there is none.
func (k *Keeper) Recovery(ctx context.Context, number uint64) (access.Recovery, error) {
	r, err := k.recoveries.Get(ctx, number)
	if errors.Is(err, collections.ErrNotFound) {
		return r, access.ErrUnknownRecovery.Wrapf("%d", number)
	}
	return r, err
}

// recoveryOf answers the recovery of an unlock; access.ErrUnknownRecovery where it is none's.
func (k *Keeper) recoveryOf(ctx context.Context, unlock string) (access.Recovery, error) {
	id, err := access.ParseUnlockID(unlock)
	if err != nil {
		return access.Recovery{}, err
	}
	number, err := k.recoveriesByUnlock.Get(ctx, id[:])
	if errors.Is(err, collections.ErrNotFound) {
		return access.Recovery{}, access.ErrUnknownRecovery.Wrapf("unlock %s", unlock)
	}
	if err != nil {
		return access.Recovery{}, err
	}
	return k.Recovery(ctx, number)
}

// addRecovery writes a new recovery, the ways to find it, and what must never be seen again, and
// watches its time unless it has ended.
func (k *Keeper) addRecovery(ctx context.Context, r access.Recovery) error {
	patient, err := lock.ParseCanonicalID(r.Patient)
	if err != nil {
		return err
	}
	account, err := sdk.AccAddressFromBech32(r.Account)
	if err != nil {
		return err
	}
	if err := k.recoveries.Set(ctx, r.Number, r); err != nil {
		return err
	}
	if err := k.recoveriesByPatient.Set(ctx, collections.Join(patient.Bytes(), r.Number)); err != nil {
		return err
	}
	if err := k.recoveriesByAccount.Set(ctx, collections.Join([]byte(account), r.Number)); err != nil {
		return err
	}
	if r.Way == access.RECOVERY_WAY_GUARDIANS {
		if err := k.nameRequest(ctx, r); err != nil {
			return err
		}
	}
	if r.HasEnded() {
		return nil
	}
	return k.watchRecovery(ctx, r, patient)
}

// nameRequest notes whose guardians are asked, and what no request may have again.
func (k *Keeper) nameRequest(ctx context.Context, r access.Recovery) error {
	for _, text := range r.Guardians {
		guardian, err := lock.ParseCanonicalID(text)
		if err != nil {
			return err
		}
		if err := k.recoveriesByGuardian.Set(ctx, collections.Join(guardian.Bytes(), r.Number)); err != nil {
			return err
		}
	}
	id, err := access.ParseUnlockID(r.Unlock)
	if err != nil {
		return err
	}
	requestKey, err := lock.ParseRawCID(r.RequestKey)
	if err != nil {
		return err
	}
	if err := k.recoveriesByUnlock.Set(ctx, id[:], r.Number); err != nil {
		return err
	}
	if err := k.points.Set(ctx, r.B); err != nil {
		return err
	}
	return k.requestKeys.Set(ctx, requestKey.Bytes())
}

// watchRecovery counts a recovery as its patient's open one, and has the chain look at it in time.
func (k *Keeper) watchRecovery(ctx context.Context, r access.Recovery, patient lock.ID) error {
	if err := k.openRecoveries.Set(ctx, patient.Bytes(), r.Number); err != nil {
		return err
	}
	if isAwaited(r) {
		if err := k.recoveryQueue.Set(ctx, collections.Join3(whenDue, r.Due, r.Number)); err != nil {
			return err
		}
	}
	return k.recoveryQueue.Set(ctx, collections.Join3(whenExpired, r.ExpiresAt, r.Number))
}

// isAwaited says whether the chain is to ask the holders for the shares of a recovery.
func isAwaited(r access.Recovery) bool {
	return r.Way == access.RECOVERY_WAY_GUARDIANS && r.Due != 0 && !r.Requested
}

// endRecovery writes a recovery that has ended, and takes no more shares for it.
func (k *Keeper) endRecovery(ctx context.Context, r access.Recovery) error {
	patient, err := lock.ParseCanonicalID(r.Patient)
	if err != nil {
		return err
	}
	if r.Requested {
		given, err := k.custody.CloseRelease(ctx, r.Unlock)
		if err != nil {
			return err
		}
		r.MayBeOpened = given && r.FinishedAt == 0
	}
	if err := k.openRecoveries.Remove(ctx, patient.Bytes()); err != nil {
		return err
	}
	if isAwaited(r) {
		if err := k.recoveryQueue.Remove(ctx, collections.Join3(whenDue, r.Due, r.Number)); err != nil {
			return err
		}
	}
	if err := k.recoveryQueue.Remove(ctx, collections.Join3(whenExpired, r.ExpiresAt, r.Number)); err != nil {
		return err
	}
	return k.recoveries.Set(ctx, r.Number, r)
}

// cancelOpen cancels the open recovery of a patient, where there is one.
func (k *Keeper) cancelOpen(ctx context.Context, patient string) error {
	number, err := lock.ParseCanonicalID(patient)
	if err != nil {
		return err
	}
	open, err := k.openRecoveries.Get(ctx, number.Bytes())
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r, err := k.Recovery(ctx, open)
	if err != nil {
		return err
	}
	if barred, err := k.isCancellingBarred(ctx, r); err != nil || barred {
		return err
	}
	return k.cancelByChain(ctx, r)
}

// isCancellingBarred says whether who has the patient's wallet can't cancel a recovery.
func (k *Keeper) isCancellingBarred(ctx context.Context, r access.Recovery) (bool, error) {
	h, err := k.handOverOf(ctx, r.Patient)
	return h.BarsCancelling(&r), err
}

// cancelByChain cancels a recovery that can't be finished any more.
func (k *Keeper) cancelByChain(ctx context.Context, r access.Recovery) error {
	r.CancelledBy = k.consortium.Authority()
	if err := k.endRecovery(ctx, r); err != nil {
		return err
	}
	return k.acceptRecovery(ctx, aboutRecovery(byChain(), audit.KindRecoveryCancelled, r), r)
}

// endRecoveries notes the ends of recoveries whose time ran out, then asks the holders for the
// shares of those whose delay is over.
func (k *Keeper) endRecoveries(ctx context.Context, now int64) error {
	expired, err := k.recoveriesAt(ctx, whenExpired, now)
	if err != nil {
		return err
	}
	for _, r := range expired {
		r.Expired = true
		if err := k.endRecovery(ctx, r); err != nil {
			return err
		}
		if err := k.acceptRecovery(ctx, aboutRecovery(byChain(), audit.KindRecoveryExpired, r), r); err != nil {
			return err
		}
	}
	due, err := k.recoveriesAt(ctx, whenDue, now)
	if err != nil {
		return err
	}
	for _, r := range due {
		if err := k.askForShares(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// recoveriesAt are the next recoveries of the queue whose time has come.
func (k *Keeper) recoveriesAt(ctx context.Context, when uint64, now int64) ([]access.Recovery, error) {
	var numbers []uint64
	inOrder := collections.NewPrefixedTripleRange[uint64, int64, uint64](when)
	err := k.recoveryQueue.Walk(ctx, inOrder, func(key recoveryKey) (bool, error) {
		if key.K2() > now {
			return true, nil
		}
		numbers = append(numbers, key.K3())
		return len(numbers) >= access.MaxRecoveriesPerBlock, nil
	})
	if err != nil {
		return nil, err
	}
	list := make([]access.Recovery, len(numbers))
	for i, number := range numbers {
		if list[i], err = k.Recovery(ctx, number); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// askForShares asks the holders for the shares of a recovery whose delay is over. Where the account
// has become somebody's meanwhile, the chain cancels it instead.
func (k *Keeper) askForShares(ctx context.Context, r access.Recovery) error {
	reason, err := k.records.WhyNotWallet(ctx, r.Account)
	if err != nil {
		return err
	}
	if reason != "" {
		return k.cancelByChain(ctx, r)
	}
	if err := k.custody.RequestRelease(ctx, custody.Release{
		Unlock: r.Unlock, Kind: custody.KEY_KIND_GUARDIANS, Generation: r.Generation, Blinded: [][]byte{r.M},
	}); err != nil {
		return err
	}
	if err := k.recoveryQueue.Remove(ctx, collections.Join3(whenDue, r.Due, r.Number)); err != nil {
		return err
	}
	r.Requested = true
	if err := k.recoveries.Set(ctx, r.Number, r); err != nil {
		return err
	}
	return k.acceptRecovery(ctx, aboutRecovery(byChain(), audit.KindRecoveryDue, r), r)
}

// aboutRecovery fills in what an entry tells of a recovery.
func aboutRecovery(entry audit.Entry, kind string, r access.Recovery) audit.Entry {
	entry.Kind, entry.Patient, entry.Unlock = kind, r.Patient, r.Unlock
	if r.Number != 0 {
		entry.Target = numberText(r.Number)
	}
	return entry
}

// acceptRecovery writes the entry of what became of a recovery and tells those who watch: the
// patient, the guardians, who proposed it, and officers.
func (k *Keeper) acceptRecovery(ctx context.Context, entry audit.Entry, r access.Recovery) error {
	entry.Outcome = audit.OUTCOME_OK
	if _, err := k.audit.Append(ctx, entry); err != nil {
		return err
	}
	return k.tellRecovery(ctx, entry.Kind, r)
}

func (k *Keeper) tellRecovery(ctx context.Context, kind string, r access.Recovery) error {
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&access.EventRecoveryChanged{
		Recovery: r.Number, Patient: r.Patient, Account: r.Account, Guardians: r.Guardians, Kind: kind,
	})
}
