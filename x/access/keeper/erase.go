package keeper

import (
	"context"
	"encoding/binary"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/records"
)

var _ records.ErasureHooks = (*Keeper)(nil)

// versionKey is a version as a key: the record's id and the version's number.
func versionKey(r records.Ref) []byte {
	return binary.BigEndian.AppendUint64(r.Record.Bytes(), r.Version)
}

// refOf reads a version's key.
func refOf(key []byte) (records.Ref, error) {
	if len(key) < 8 {
		return records.Ref{}, access.ErrInvalidVersions.Wrapf("key of %d bytes", len(key))
	}
	id, err := lock.IDFromBytes(key[:len(key)-8])
	return records.Ref{Record: id, Version: binary.BigEndian.Uint64(key[len(key)-8:])}, err
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

// VersionsErased implements records.ErasureHooks: every open unlock that names one of the
// versions is withdrawn, the first few of them at once and the rest at the ends of blocks.
// Until then it can't be endorsed, approved or released, for all these ask for tombstones.
func (k *Keeper) VersionsErased(ctx context.Context, refs []records.Ref) error {
	for _, r := range refs {
		if err := k.erased.Set(ctx, versionKey(r)); err != nil {
			return err
		}
	}
	return k.endErased(ctx, access.MaxErasedAtOnce)
}

// endErased withdraws the next open unlocks that name an erased version, at most so many.
func (k *Keeper) endErased(ctx context.Context, limit int) error {
	for limit > 0 {
		var first []byte
		if err := k.erased.Walk(ctx, nil, func(key []byte) (bool, error) {
			first = key
			return true, nil
		}); err != nil || first == nil {
			return err
		}
		ref, err := refOf(first)
		if err != nil {
			return err
		}
		var ids [][]byte
		if err := k.openByVersion.Walk(ctx, collections.NewPrefixedPairRange[[]byte, []byte](first),
			func(key collections.Pair[[]byte, []byte]) (bool, error) {
				ids = append(ids, key.K2())
				return len(ids) >= limit, nil
			}); err != nil {
			return err
		}
		for _, id := range ids {
			u, err := k.unlocks.Get(ctx, id)
			if err != nil {
				return err
			}
			if err := k.withdrawErased(ctx, u, ref); err != nil {
				return err
			}
		}
		if len(ids) < limit {
			if err := k.erased.Remove(ctx, first); err != nil {
				return err
			}
		}
		limit -= max(1, len(ids))
	}
	return nil
}

// withdrawErased ends an unlock because a version that it names was erased.
func (k *Keeper) withdrawErased(ctx context.Context, u access.Unlock, erased records.Ref) error {
	u.WithdrawnBy = k.consortium.Authority()
	if err := k.end(ctx, u); err != nil {
		return err
	}
	entry := about(byChain(), audit.KindWithdrawn, u)
	entry.Target = erased.String()
	return k.accept(ctx, entry, u)
}

// erasedOf answers the first erased version that an unlock names, and whether there is one.
func (k *Keeper) erasedOf(ctx context.Context, u access.Unlock) (records.Ref, bool, error) {
	refs, err := refsOf(u)
	if err != nil {
		return records.Ref{}, false, err
	}
	for _, r := range refs {
		v, err := k.records.Version(ctx, r.Record.String(), r.Version)
		if err != nil {
			return records.Ref{}, false, err
		}
		if v.Tombstone != nil {
			return r, true, nil
		}
	}
	return records.Ref{}, false, nil
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

// resume has an open unlock of the first state ended where it names an erased version.
func (k *Keeper) resume(ctx context.Context, u access.Unlock) error {
	ref, erased, err := k.erasedOf(ctx, u)
	if err != nil || !erased {
		return err
	}
	return k.erased.Set(ctx, versionKey(ref))
}
