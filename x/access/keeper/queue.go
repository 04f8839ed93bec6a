package keeper

import (
	"context"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/custody"
)

// queueKey is a number to order by and an unlock's id.
type queueKey = collections.Pair[int64, []byte]

// EndBlock ends the unlocks that name erased versions, the wallets that others have for a patient
// and whose time has come, the unlocks whose consent was withdrawn and those whose time ran out,
// and consents and recoveries whose time ran out, then asks the holders
// for the shares of unlocks that were approved and not withdrawn since, and of recoveries whose
// delay is over. All is bounded; the rest waits for the next block. A block with nothing due
// writes nothing.
func (k *Keeper) EndBlock(ctx context.Context) error {
	if err := k.withdrawVoid(ctx, access.MaxExpiriesPerBlock); err != nil {
		return err
	}
	now := blockTime(ctx)
	if err := k.handOver(ctx, now); err != nil {
		return err
	}
	if err := k.endWithdrawn(ctx, access.MaxExpiriesPerBlock); err != nil {
		return err
	}
	if err := k.endConsents(ctx, now); err != nil {
		return err
	}
	if err := k.endRecoveries(ctx, now); err != nil {
		return err
	}
	due, err := k.head(ctx, k.expiryQueue, collections.NewPrefixUntilPairRange[int64, []byte](now), access.MaxExpiriesPerBlock)
	if err != nil {
		return err
	}
	for _, u := range due {
		if err := k.expire(ctx, u); err != nil {
			return err
		}
	}
	if err := k.askDue(ctx, now); err != nil {
		return err
	}
	approved, err := k.head(ctx, k.releaseQueue, nil, access.MaxReleasesPerBlock)
	if err != nil {
		return err
	}
	for _, u := range approved {
		if u.Emergency != "" { // the other part may have ended in this block, and this one with it
			if u, err = k.Unlock(ctx, u.Id); err != nil {
				return err
			}
			if u.HasEnded() {
				continue
			}
		}
		if err := k.release(ctx, u, now); err != nil {
			return err
		}
	}
	return nil
}

// head reads the first unlocks of a queue.
func (k *Keeper) head(ctx context.Context, queue collections.KeySet[queueKey], until collections.Ranger[queueKey], limit int) ([]access.Unlock, error) {
	var ids [][]byte
	err := queue.Walk(ctx, until, func(key queueKey) (bool, error) {
		ids = append(ids, key.K2())
		return len(ids) >= limit, nil
	})
	if err != nil {
		return nil, err
	}
	unlocks := make([]access.Unlock, len(ids))
	for i, id := range ids {
		if unlocks[i], err = k.unlocks.Get(ctx, id); err != nil {
			return nil, err
		}
	}
	return unlocks, nil
}

// expire ends an unlock whose time ran out.
func (k *Keeper) expire(ctx context.Context, u access.Unlock) error {
	u.Expired = true
	if err := k.end(ctx, u); err != nil {
		return err
	}
	return k.accept(ctx, about(byChain(), audit.KindExpired, u), u)
}

// release asks the holders for the shares of an approved unlock. Where the
// requester is not active any more, the chain withdraws it instead.
func (k *Keeper) release(ctx context.Context, u access.Unlock, now int64) error {
	if u.Status(now) == access.UNLOCK_STATUS_EXPIRED {
		return k.expire(ctx, u)
	}
	ref, reason, err := k.voidReason(ctx, u)
	if err != nil {
		return err
	}
	if reason != "" {
		return k.withdrawFor(ctx, u, ref)
	}
	if withdrawn, err := k.isConsentWithdrawn(ctx, u); err != nil {
		return err
	} else if withdrawn {
		return k.withdrawConsented(ctx, u)
	}
	if replaced, err := k.isBoxReplaced(ctx, u); err != nil {
		return err
	} else if replaced {
		return k.withdrawReplaced(ctx, u)
	}
	active, err := k.isRequesterActive(ctx, u)
	if err != nil {
		return err
	}
	if !active {
		u.WithdrawnBy = k.consortium.Authority()
		if err := k.end(ctx, u); err != nil {
			return err
		}
		if err := k.refuse(ctx, about(byChain(), audit.KindReleased, u), access.ReasonRequesterInactive); err != nil {
			return err
		}
		return k.accept(ctx, about(byChain(), audit.KindWithdrawn, u), u)
	}
	v, err := k.records.Version(ctx, u.Versions[0].Record, u.Versions[0].Version)
	if err != nil {
		return err
	}
	r := custody.Release{Unlock: u.Id, Kind: custody.KEY_KIND_RECORDS, Generation: v.Header.Generation}
	if u.Box {
		r.Kind, r.Generation = custody.KEY_KIND_EMERGENCY, v.Box.Generation
	}
	for _, v := range u.Versions {
		r.Blinded = append(r.Blinded, v.M)
	}
	if err := k.custody.RequestRelease(ctx, r); err != nil {
		return err
	}
	id, err := access.ParseUnlockID(u.Id)
	if err != nil {
		return err
	}
	return k.releaseQueue.Remove(ctx, collections.Join(u.Approval.Height, id[:]))
}
