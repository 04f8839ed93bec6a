package keeper

import (
	"bytes"
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/records"
)

// RelockVersions has other locks of versions wait for their confirmation. Until then the
// versions open by the locks that they have.
func (s msgServer) RelockVersions(ctx context.Context, msg *records.MsgRelockVersions) (*records.MsgRelockVersionsResponse, error) {
	if err := msg.Validate(); err != nil {
		return nil, err
	}
	boxes, err := msg.Boxes()
	if err != nil {
		return nil, err
	}
	o, err := s.ofOwner(ctx, msg.Owner, audit.KindRelocked, msg.Versions)
	if err != nil {
		return nil, err
	}
	e := newEnvelopes{hospital: msg.Hospital, cids: msg.Envelopes, sizes: msg.EnvelopeSizes, ownKeys: msg.OwnKeys}
	var locked []records.NewVersion
	var epoch uint64
	if o.reason == "" {
		if locked, o.reason, err = s.checkLocks(ctx, msg, o.versions); err != nil {
			return nil, err
		}
	}
	if o.reason == "" {
		if o.reason, epoch, err = s.whyNotTake(ctx, o.versions, e); err != nil {
			return nil, err
		}
	}
	if o.reason == "" {
		headers := make([]records.Header, len(locked))
		for i, n := range locked {
			headers[i] = n.Header
		}
		if o.reason, err = s.whyNotBoxes(ctx, msg.Owner, o.versions, headers, boxes); err != nil {
			return nil, err
		}
	}
	if o.reason != "" {
		return &records.MsgRelockVersionsResponse{Outcome: audit.OUTCOME_REFUSED, Reason: o.reason}, s.refuse(ctx, o.entry, o.reason)
	}
	for i, v := range o.versions {
		if v.Relock == nil {
			continue
		}
		if o.versions[i], err = s.giveUpRelock(ctx, v); err != nil {
			return nil, err
		}
	}
	if err := s.take(ctx, o.versions, e); err != nil {
		return nil, err
	}
	until := blockTime(ctx) + records.RelockTime
	for i, v := range o.versions {
		v.Relock = &records.Relock{Header: locked[i].Header, Envelope: locked[i].Envelope, SealedEpoch: epoch, Until: until}
		if v.Relock.Box, err = s.useBox(ctx, boxes, i, nil, v.Header.Patient); err != nil {
			return nil, err
		}
		if err := s.points.Set(ctx, v.Relock.Header.U); err != nil {
			return nil, err
		}
		if err := s.setRelock(ctx, v); err != nil {
			return nil, err
		}
	}
	return &records.MsgRelockVersionsResponse{Outcome: audit.OUTCOME_OK}, s.accept(ctx, o.entry)
}

// checkLocks checks the new locks of versions as those of new versions are, and answers the
// versions as they would be stored under them, or the reason why not.
func (k *Keeper) checkLocks(ctx context.Context, msg *records.MsgRelockVersions, versions []records.Version) ([]records.NewVersion, string, error) {
	key, err := k.custody.Key(ctx, custody.KEY_KIND_RECORDS, 0)
	if err != nil {
		return nil, "", err
	}
	if msg.Generation != key.Generation {
		return nil, records.ReasonStaleGeneration, nil
	}
	network, err := k.consortium.NetworkID(ctx)
	if err != nil {
		return nil, "", err
	}
	signer, err := sdk.AccAddressFromBech32(msg.Owner)
	if err != nil {
		return nil, "", err
	}
	locked := make([]records.NewVersion, len(versions))
	fresh := map[string]bool{}
	for i, v := range versions {
		r, err := k.Record(ctx, v.Record)
		if err != nil {
			return nil, "", err
		}
		if locked[i], err = msg.Locked(i, r, v); err != nil {
			return nil, "", err
		}
		u := locked[i].Header.U
		known, err := k.points.Has(ctx, u)
		if err != nil {
			return nil, "", err
		}
		if known || fresh[string(u)] {
			return nil, records.ReasonRepeatedPoint, nil
		}
		fresh[string(u)] = true
	}
	for _, n := range locked {
		sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(gasPerEncapsulation, "encapsulation proof")
		statement, err := n.Encapsulation(network, key.PublicKey, signer)
		if err != nil {
			return nil, "", err
		}
		err = statement.Verify(n.Proof)
		if errors.Is(err, lock.ErrProof) {
			return nil, records.ReasonBadProof, nil
		}
		if err != nil {
			return nil, "", err
		}
	}
	return locked, "", nil
}

// setRelock writes a version whose other lock waits.
func (k *Keeper) setRelock(ctx context.Context, v records.Version) error {
	key, err := keyOf(v)
	if err != nil {
		return err
	}
	if err := k.relockQueue.Set(ctx, collections.Join3(v.Relock.Until, key.K1(), key.K2())); err != nil {
		return err
	}
	return k.versions.Set(ctx, key, v)
}

// unsetRelock takes the lock that waits from a version, which the caller writes.
func (k *Keeper) unsetRelock(ctx context.Context, v records.Version) (records.Version, error) {
	key, err := keyOf(v)
	if err != nil {
		return v, err
	}
	if err := k.relockQueue.Remove(ctx, collections.Join3(v.Relock.Until, key.K1(), key.K2())); err != nil {
		return v, err
	}
	v.Relock = nil
	return v, nil
}

// giveUpRelock takes the lock that waits from a version, which the caller writes, and has its
// envelope erased.
func (k *Keeper) giveUpRelock(ctx context.Context, v records.Version) (records.Version, error) {
	gone, err := k.dismiss(ctx, v.Relock.Envelope)
	if err != nil {
		return v, err
	}
	if _, err := k.storage.Erase(ctx, gone); err != nil {
		return v, err
	}
	return k.unsetRelock(ctx, v)
}

// ConfirmRelock puts the locks that wait in the place of those that versions have, for the owner
// has opened the new envelopes. Unlocks that name the versions are void, and the former
// envelopes are erased.
func (s msgServer) ConfirmRelock(ctx context.Context, msg *records.MsgConfirmRelock) (*records.MsgConfirmRelockResponse, error) {
	if err := msg.Validate(); err != nil {
		return nil, err
	}
	o, err := s.ofOwner(ctx, msg.Owner, audit.KindRelockConfirmed, msg.Versions)
	if err != nil {
		return nil, err
	}
	if o.reason == "" {
		if o.reason, err = s.whyNotConfirm(ctx, o.versions, msg.U); err != nil {
			return nil, err
		}
	}
	if o.reason != "" {
		return &records.MsgConfirmRelockResponse{Outcome: audit.OUTCOME_REFUSED, Reason: o.reason}, s.refuse(ctx, o.entry, o.reason)
	}
	if err := s.accept(ctx, o.entry); err != nil {
		return nil, err
	}
	things := make([][]string, len(o.versions))
	for i, v := range o.versions {
		if things[i], err = s.putRelock(ctx, v); err != nil {
			return nil, err
		}
	}
	if _, err := s.storage.Erase(ctx, things...); err != nil {
		return nil, err
	}
	res := &records.MsgConfirmRelockResponse{Outcome: audit.OUTCOME_OK}
	if s.hooks == nil {
		return res, nil
	}
	return res, s.hooks.VersionsRelocked(ctx, o.refs)
}

// whyNotConfirm demands that these very locks wait, and that enough hospitals hold their
// envelopes.
func (k *Keeper) whyNotConfirm(ctx context.Context, versions []records.Version, points [][]byte) (string, error) {
	for i, v := range versions {
		if v.Relock == nil || !bytes.Equal(v.Relock.Header.U, points[i]) {
			return records.ReasonNoRelock, nil
		}
	}
	for _, v := range versions {
		safe, err := k.storage.IsSafe(ctx, v.Relock.Envelope)
		if err != nil {
			return "", err
		}
		if !safe {
			return records.ReasonNotCopied, nil
		}
	}
	return "", nil
}

// putRelock gives a version the lock that waits, and answers what is to be erased.
func (k *Keeper) putRelock(ctx context.Context, v records.Version) ([]string, error) {
	gone, err := k.dismiss(ctx, v.Envelope)
	if err != nil {
		return nil, err
	}
	if err := k.setBlock(ctx, envelopeBlock(v, v.Envelope)); err != nil {
		return nil, err
	}
	if err := k.countLock(ctx, v.Header, -1); err != nil {
		return nil, err
	}
	relock := *v.Relock
	if v, err = k.unsetRelock(ctx, v); err != nil {
		return nil, err
	}
	v.Header, v.Envelope, v.SealedEpoch, v.RelockedAt = relock.Header, relock.Envelope, relock.SealedEpoch, blockTime(ctx)
	v.Box = relock.Box
	if err := k.countLock(ctx, v.Header, 1); err != nil {
		return nil, err
	}
	key, err := keyOf(v)
	if err != nil {
		return nil, err
	}
	return gone, k.versions.Set(ctx, key, v)
}

// expireRelocks gives up locks that have waited for too long, at most so many.
func (k *Keeper) expireRelocks(ctx context.Context, limit int) error {
	if limit <= 0 {
		return nil
	}
	now := blockTime(ctx)
	var due []versionKey
	if err := k.relockQueue.Walk(ctx, nil, func(key collections.Triple[int64, []byte, uint64]) (bool, error) {
		if key.K1() > now {
			return true, nil
		}
		due = append(due, collections.Join(key.K2(), key.K3()))
		return len(due) >= limit, nil
	}); err != nil {
		return err
	}
	for _, key := range due {
		v, err := k.versions.Get(ctx, key)
		if err != nil {
			return err
		}
		if v, err = k.giveUpRelock(ctx, v); err != nil {
			return err
		}
		if err := k.versions.Set(ctx, key, v); err != nil {
			return err
		}
		entry := audit.Entry{
			Kind: audit.KindRelockExpired, Role: audit.RoleChain, Patient: v.Header.Patient, Subjects: []audit.Subject{{Record: v.Record, Version: v.Version}},
		}
		if err := k.accept(ctx, entry); err != nil {
			return err
		}
	}
	return nil
}

// EndBlock erases what was replaced and is not needed any more, and gives up locks that have
// waited for too long, at most records.MaxEnded of both together.
func (k *Keeper) EndBlock(ctx context.Context) error {
	done, err := k.eraseCopied(ctx, records.MaxEnded)
	if err != nil {
		return err
	}
	return k.expireRelocks(ctx, records.MaxEnded-done)
}
