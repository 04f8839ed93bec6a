package keeper

import (
	"context"
	"errors"
	"slices"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/storage"
)

// sweepKey is a list of objects and the storage node whose list it is.
type sweepKey = collections.Pair[uint64, uint64]

// Lists of objects that are swept, in this order.
const (
	// sweepAssignments are what a node is to fetch. It comes first: what is found lost
	// moves there from the holdings.
	sweepAssignments uint64 = iota + 1
	// sweepHoldings are what a node holds.
	sweepHoldings
	// sweepShortfalls are the objects that are not whole. The number that stands where
	// others have the node is 1 for the sweep that follows the one that is under way.
	sweepShortfalls
	// sweepEverywhere are the objects that every domain is to hold.
	sweepEverywhere
)

// EndBlock declares silent nodes lost, looks through the objects of nodes that came or
// went, and goes on with the epoch of proofs. All of it is bounded; the rest waits for the
// next block. A block in which nothing is due writes nothing.
func (k *Keeper) EndBlock(ctx context.Context) error {
	if err := k.loseSilent(ctx); err != nil {
		return err
	}
	if err := k.sweep(ctx); err != nil {
		return err
	}
	return k.prove(ctx)
}

// startSweeps has all that is placed on a node looked at.
func (k *Keeper) startSweeps(ctx context.Context, node uint64) error {
	usage, err := k.usageOf(ctx, node)
	if err != nil || usage.Objects == 0 {
		return err
	}
	for _, list := range []uint64{sweepAssignments, sweepHoldings} {
		if err := k.sweeps.Set(ctx, collections.Join(list, node), []byte{}); err != nil {
			return err
		}
	}
	return nil
}

// begin has a list looked at, unless that is under way.
func (k *Keeper) begin(ctx context.Context, list sweepKey) error {
	running, err := k.sweeps.Has(ctx, list)
	if err != nil || running {
		return err
	}
	return k.sweeps.Set(ctx, list, []byte{})
}

// stopSweeps leaves what is placed on a node alone.
func (k *Keeper) stopSweeps(ctx context.Context, node uint64) error {
	for _, list := range []uint64{sweepAssignments, sweepHoldings} {
		if err := k.sweeps.Remove(ctx, collections.Join(list, node)); err != nil {
			return err
		}
	}
	return nil
}

// grow has the objects looked at that had to do with fewer copies than they should have,
// and those that every domain is to hold, now that there is more room.
func (k *Keeper) grow(ctx context.Context) error {
	if err := k.retry(ctx); err != nil {
		return err
	}
	everywhere, err := k.everywhere.Iterate(ctx, nil)
	if err != nil {
		return err
	}
	return k.again(ctx, sweepEverywhere, everywhere)
}

// retryCrowded has the objects looked at that are not whole, where room was what they
// lacked. Erasing and trimming make room that no node tells of.
func (k *Keeper) retryCrowded(ctx context.Context) error {
	crowded, err := k.crowded.Has(ctx)
	if err != nil || !crowded {
		return err
	}
	if err := k.crowded.Remove(ctx); err != nil {
		return err
	}
	return k.retry(ctx)
}

// noteCrowded notes that an object is on fewer domains than it should although there are
// further ones: their nodes have no room.
func (k *Keeper) noteCrowded(ctx context.Context, used, domains, target uint32) error {
	if used >= min(domains, target) {
		return nil
	}
	known, err := k.crowded.Has(ctx)
	if err != nil || known {
		return err
	}
	return k.crowded.Set(ctx, true)
}

// retry has the objects looked at that are not whole.
func (k *Keeper) retry(ctx context.Context) error {
	short, err := k.shortfalls.Iterate(ctx, nil)
	if err != nil {
		return err
	}
	return k.again(ctx, sweepShortfalls, short)
}

// again has a list of all nodes looked at unless it is empty. A sweep that is under way
// goes on, and another follows.
func (k *Keeper) again(ctx context.Context, list uint64, objects interface {
	Valid() bool
	Close() error
}) error {
	isEmpty := !objects.Valid()
	if err := objects.Close(); err != nil || isEmpty {
		return err
	}
	key := collections.Join(list, uint64(0))
	running, err := k.sweeps.Has(ctx, key)
	if err != nil {
		return err
	}
	if running {
		key = collections.Join(list, uint64(1))
	}
	return k.sweeps.Set(ctx, key, []byte{})
}

// sweep looks at the next objects of the lists, at most storage.MaxRepairsPerBlock.
func (k *Keeper) sweep(ctx context.Context) error {
	var candidates []storage.Candidate
	for left := storage.MaxRepairsPerBlock; left > 0; {
		key, after, err := k.nextSweep(ctx)
		if errors.Is(err, collections.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if candidates == nil {
			if candidates, err = k.candidates(ctx); err != nil {
				return err
			}
		}
		roots, err := k.listed(ctx, key, after, left)
		if err != nil {
			return err
		}
		for _, root := range roots {
			if err := k.repair(ctx, root, candidates); err != nil {
				return err
			}
		}
		if len(roots) < left {
			err = k.sweeps.Remove(ctx, key)
		} else {
			err = k.sweeps.Set(ctx, key, roots[len(roots)-1].Bytes())
		}
		if err != nil {
			return err
		}
		left -= max(1, len(roots))
	}
	return nil
}

// nextSweep is the first sweep; collections.ErrNotFound where there is none.
func (k *Keeper) nextSweep(ctx context.Context) (sweepKey, []byte, error) {
	var key sweepKey
	var after []byte
	found := false
	err := k.sweeps.Walk(ctx, nil, func(at sweepKey, value []byte) (bool, error) {
		key, after, found = at, value, true
		return true, nil
	})
	if err == nil && !found {
		err = collections.ErrNotFound
	}
	return key, after, err
}

// listed are the next objects of a list.
func (k *Keeper) listed(ctx context.Context, key sweepKey, after []byte, limit int) ([]lock.CID, error) {
	var roots []lock.CID
	add := func(root []byte) (bool, error) {
		cid, err := lock.CIDFromBytes(root)
		roots = append(roots, cid)
		return len(roots) >= limit, err
	}
	var err error
	if key.K1() == sweepAssignments || key.K1() == sweepHoldings {
		set := k.assignments
		if key.K1() == sweepHoldings {
			set = k.holdings
		}
		ranger := collections.NewPrefixedPairRange[uint64, []byte](key.K2())
		if len(after) > 0 {
			ranger = ranger.StartExclusive(after)
		}
		err = set.Walk(ctx, ranger, func(at nodeKey) (bool, error) { return add(at.K2()) })
		return roots, err
	}
	ranger := new(collections.Range[[]byte])
	if len(after) > 0 {
		ranger = ranger.StartExclusive(after)
	}
	if key.K1() == sweepEverywhere {
		err = k.everywhere.Walk(ctx, ranger, add)
	} else {
		err = k.shortfalls.Walk(ctx, ranger, func(root []byte, _ uint32) (bool, error) { return add(root) })
	}
	return roots, err
}

// repair looks at one object: copies on lost nodes are lost, what is missing is placed
// on further domains, and what is not needed is dropped. It counts what it places in the
// candidates.
func (k *Keeper) repair(ctx context.Context, root lock.CID, candidates []storage.Candidate) error {
	object, list, err := k.Object(ctx, root.String())
	if err != nil {
		return err
	}
	copies, err := k.placed(ctx, object, list)
	if err != nil {
		return err
	}
	held := uint32(0)
	for i, c := range copies {
		if c.Status == storage.COPY_STATUS_HELD {
			held++
		}
		if !c.Lost || c.Status != storage.COPY_STATUS_HELD {
			continue
		}
		copies[i].Status, copies[i].Since = storage.COPY_STATUS_LOST, blockTime(ctx)
		if err := k.changeStatus(ctx, root, object.Size_, copies[i].Copy, c.Status); err != nil {
			return err
		}
	}
	if err := k.follow(ctx, root, &object, copies, candidates); err != nil {
		return err
	}
	added, err := k.complete(ctx, root, object, copies, candidates)
	if err != nil {
		return err
	}
	left, err := k.settle(ctx, root, object, append(copies, added...))
	if err != nil {
		return err
	}
	if len(added) > 0 {
		if err := k.reassigned(ctx, object.Cid, added); err != nil {
			return err
		}
	}
	if is := heldCopies(left); is != held && k.hooks != nil {
		return k.hooks.CopyChanged(ctx, object.Cid, is, object.Target)
	}
	return nil
}

// follow has the target of an object that every domain is to hold follow their number.
func (k *Keeper) follow(ctx context.Context, root lock.CID, object *storage.Object, copies []storage.Placed, candidates []storage.Candidate) error {
	if !object.Everywhere {
		return nil
	}
	all := storage.Staying(copies)
	for _, c := range candidates {
		all = append(all, c.Domain())
	}
	target := max(object.Minimum, count(all))
	if target == object.Target {
		return nil
	}
	object.Target = target
	return k.change(ctx, root.Bytes(), func(p *storage.PlacedObject) { p.Object.Target = target })
}

// complete assigns what an object misses, and answers the new copies.
func (k *Keeper) complete(ctx context.Context, root lock.CID, object storage.Object, copies []storage.Placed, candidates []storage.Candidate) ([]storage.Placed, error) {
	key, err := object.PlacementKey()
	if err != nil {
		return nil, err
	}
	var added []storage.Placed
	for _, node := range storage.Complete(key, candidates, storage.Staying(copies), object.Size_, object.Target) {
		at := slices.IndexFunc(candidates, func(c storage.Candidate) bool { return c.Node == node })
		candidates[at].Used += object.Size_
		c := storage.Copy{Node: node, Status: storage.COPY_STATUS_ASSIGNED, Since: blockTime(ctx)}
		if err := k.addCopy(ctx, root, object.Size_, c); err != nil {
			return nil, err
		}
		added = append(added, storage.Placed{Copy: c, Domain: candidates[at].Domain()})
	}
	used := append(storage.Staying(copies), storage.Staying(added)...)
	all := slices.Clone(used)
	for _, c := range candidates {
		all = append(all, c.Domain())
	}
	return added, k.noteCrowded(ctx, count(used), count(all), object.Target)
}

// reassigned writes that further nodes are to keep an object, and tells them.
func (k *Keeper) reassigned(ctx context.Context, cid string, added []storage.Placed) error {
	event := &storage.EventObjectPlaced{Cid: cid}
	for _, c := range added {
		event.Nodes = append(event.Nodes, c.Node)
	}
	entry := audit.Entry{
		Kind: audit.KindCopyReassigned, Role: audit.RoleChain, Target: cid, Count: uint64(len(added)), Outcome: audit.OUTCOME_OK,
	}
	if err := k.append(ctx, entry); err != nil {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(event)
}
