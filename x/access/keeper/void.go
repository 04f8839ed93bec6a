package keeper

import (
	"bytes"
	"context"
	"encoding/binary"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/records"
)

var _ records.LockHooks = (*Keeper)(nil)

// versionKey is a version as a key: the record's id and the version's number.
func versionKey(r records.Ref) []byte {
	return binary.BigEndian.AppendUint64(r.Record.Bytes(), r.Version)
}

// refsOf are the versions that an unlock names.
func refsOf(u access.Unlock) ([]records.Ref, error) {
	refs := make([]records.Ref, len(u.Versions))
	for i, v := range u.Versions {
		id, err := lock.ParseCanonicalID(v.Record)
		if err != nil {
			return nil, err
		}
		refs[i] = records.Ref{Record: id, Version: v.Version}
	}
	return refs, nil
}

// VersionsErased implements records.LockHooks: every open unlock that names one of the
// versions is withdrawn, the first few of them at once and the rest at the ends of blocks.
// Until then it can't be endorsed, approved or released, for all these ask whether it is void.
func (k *Keeper) VersionsErased(ctx context.Context, refs []records.Ref) error {
	return k.endVoid(ctx, refs)
}

// VersionsRelocked implements records.LockHooks, as VersionsErased does: what was proposed is
// about locks that are gone.
func (k *Keeper) VersionsRelocked(ctx context.Context, refs []records.Ref) error {
	return k.endVoid(ctx, refs)
}

// endVoid has the unlocks withdrawn that name these versions.
func (k *Keeper) endVoid(ctx context.Context, refs []records.Ref) error {
	for _, r := range refs {
		if err := k.void.Set(ctx, versionKey(r)); err != nil {
			return err
		}
	}
	return k.withdrawVoid(ctx, access.MaxVoidAtOnce)
}

// withdrawVoid withdraws the next open unlocks that are void, at most so many.
func (k *Keeper) withdrawVoid(ctx context.Context, limit int) error {
	for limit > 0 {
		var first []byte
		if err := k.void.Walk(ctx, nil, func(key []byte) (bool, error) {
			first = key
			return true, nil
		}); err != nil || first == nil {
			return err
		}
		list, err := k.voidOf(ctx, first, limit)
		if err != nil {
			return err
		}
		for _, v := range list {
			if err := k.withdrawFor(ctx, v.unlock, v.ref); err != nil {
				return err
			}
		}
		if len(list) < limit {
			if err := k.void.Remove(ctx, first); err != nil {
				return err
			}
		}
		limit -= max(1, len(list))
	}
	return nil
}

// voidUnlock is an unlock that is void because of a version.
type voidUnlock struct {
	unlock access.Unlock
	ref    records.Ref
}

// voidOf are the open unlocks that name a version and are void, at most so many.
func (k *Keeper) voidOf(ctx context.Context, version []byte, limit int) ([]voidUnlock, error) {
	var list []voidUnlock
	err := k.openByVersion.Walk(ctx, collections.NewPrefixedPairRange[[]byte, []byte](version),
		func(key collections.Pair[[]byte, []byte]) (bool, error) {
			u, err := k.unlocks.Get(ctx, key.K2())
			if err != nil {
				return true, err
			}
			ref, reason, err := k.voidReason(ctx, u)
			if err == nil && reason != "" {
				list = append(list, voidUnlock{u, ref})
			}
			return len(list) >= limit, err
		})
	return list, err
}

// withdrawFor ends an unlock that is void because of a version.
func (k *Keeper) withdrawFor(ctx context.Context, u access.Unlock, ref records.Ref) error {
	u.WithdrawnBy = k.consortium.Authority()
	if err := k.end(ctx, u); err != nil {
		return err
	}
	entry := about(byChain(), audit.KindWithdrawn, u)
	entry.Target = ref.String()
	return k.accept(ctx, entry, u)
}

// voidReason answers why an unlock is void, or nothing: a version that it names was erased, or got
// another lock since it was proposed; that version is the first answer.
func (k *Keeper) voidReason(ctx context.Context, u access.Unlock) (records.Ref, string, error) {
	refs, err := refsOf(u)
	if err != nil {
		return records.Ref{}, "", err
	}
	for i, r := range refs {
		v, err := k.records.Version(ctx, r.Record.String(), r.Version)
		if err != nil {
			return records.Ref{}, "", err
		}
		if v.Tombstone != nil {
			return r, access.ReasonErased, nil
		}
		if hasAnotherLock(v, u.Versions[i], u.ProposedAt) {
			return r, access.ReasonRelocked, nil
		}
	}
	return records.Ref{}, "", nil
}

// hasAnotherLock tells whether a version was locked anew since an unlock named it. An unlock of a network that did not keep the lock's point
// goes by whole seconds.
func hasAnotherLock(v records.Version, named access.UnlockVersion, proposedAt int64) bool {
	if len(named.U) == 0 {
		return v.RelockedAt != 0 && v.RelockedAt >= proposedAt
	}
	return !bytes.Equal(v.Header.U, named.U)
}

// watch counts an unlock among the open ones of its versions.
func (k *Keeper) watch(ctx context.Context, u access.Unlock, id []byte) error {
	refs, err := refsOf(u)
	if err != nil {
		return err
	}
	for _, r := range refs {
		if err := k.openByVersion.Set(ctx, collections.Join(versionKey(r), id)); err != nil {
			return err
		}
	}
	return nil
}

// unwatch takes an unlock out of the open ones of its versions.
func (k *Keeper) unwatch(ctx context.Context, u access.Unlock, id []byte) error {
	refs, err := refsOf(u)
	if err != nil {
		return err
	}
	for _, r := range refs {
		if err := k.openByVersion.Remove(ctx, collections.Join(versionKey(r), id)); err != nil {
			return err
		}
	}
	return nil
}

// resume has an open unlock of the first state ended where it is void.
func (k *Keeper) resume(ctx context.Context, u access.Unlock) error {
	ref, reason, err := k.voidReason(ctx, u)
	if err != nil || reason == "" {
		return err
	}
	return k.void.Set(ctx, versionKey(ref))
}
