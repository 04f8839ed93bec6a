package keeper

import (
	"bytes"
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/storage"
)

// proofKey is an epoch's number and a storage node's.
type proofKey = collections.Pair[uint64, uint64]

// prove goes on with the epoch of proofs: opens the next one when it is time, and then
// forgets, judges and draws, at most storage.MaxProofsPerBlock nodes in a block.
func (k *Keeper) prove(ctx context.Context) error {
	epoch, err := k.epoch.Get(ctx)
	if err != nil {
		return err
	}
	if epoch.Step == storage.EPOCH_STEP_OPEN {
		due, err := k.isEpochDue(ctx, epoch)
		if err != nil || !due {
			return err
		}
		if err := k.lastEpoch.Set(ctx, epoch); err != nil {
			return err
		}
		epoch = epoch.Next()
	}
	for left := storage.MaxProofsPerBlock; left > 0 && epoch.Step != storage.EPOCH_STEP_OPEN; {
		step := k.forget
		switch epoch.Step {
		case storage.EPOCH_STEP_JUDGING:
			step = k.judge
		case storage.EPOCH_STEP_DRAWING:
			step = k.draw
		}
		done, err := step(ctx, &epoch, left)
		if err != nil {
			return err
		}
		if left -= done; left > 0 {
			epoch.Step, epoch.After = epoch.Step+1, 0
		}
	}
	if epoch.Step == storage.EPOCH_STEP_OPEN {
		epoch.Since = blockTime(ctx)
		event := &storage.EventEpochOpened{Epoch: epoch.Number}
		if err := sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(event); err != nil {
			return err
		}
		if err := k.retryCrowded(ctx); err != nil {
			return err
		}
	}
	return k.epoch.Set(ctx, epoch)
}

// isEpochDue says whether the open epoch is over and there is something to be proven.
func (k *Keeper) isEpochDue(ctx context.Context, epoch storage.Epoch) (bool, error) {
	params, err := k.Params(ctx)
	if err != nil || params.ChallengeInterval == 0 || blockTime(ctx)-epoch.Since < params.ChallengeInterval {
		return false, err
	}
	held, err := k.holdings.Iterate(ctx, nil)
	if err != nil {
		return false, err
	}
	due := held.Valid()
	return due, held.Close()
}

// forget removes what was asked before the last epoch, and answers of how many nodes.
func (k *Keeper) forget(ctx context.Context, epoch *storage.Epoch, limit int) (int, error) {
	if epoch.Number < 3 {
		return 0, nil
	}
	var old []proofKey
	ranger := collections.NewPrefixUntilPairRange[uint64, uint64](epoch.Number - 2)
	if err := k.proofs.Walk(ctx, ranger, func(key proofKey, _ storage.Proof) (bool, error) {
		old = append(old, key)
		return len(old) >= limit, nil
	}); err != nil {
		return 0, err
	}
	for _, key := range old {
		if err := k.proofs.Remove(ctx, key); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}

// judge looks which nodes gave no proof in the last epoch, and answers at how many it
// looked. In an epoch that is void nobody is judged.
func (k *Keeper) judge(ctx context.Context, epoch *storage.Epoch, limit int) (int, error) {
	last, err := k.lastEpoch.Get(ctx)
	if err != nil || last.IsVoid() {
		return 0, err
	}
	proofs, err := k.proofsOf(ctx, last.Number, epoch.After, limit)
	if err != nil {
		return 0, err
	}
	var candidates []storage.Candidate
	for _, p := range proofs {
		epoch.After = p.Node
		if p.Given {
			continue
		}
		pulse, err := k.pulse(ctx, p.Node)
		if err != nil {
			return 0, err
		}
		if !pulse.IsDue(last.Since) {
			continue
		}
		if candidates == nil {
			if candidates, err = k.candidates(ctx); err != nil {
				return 0, err
			}
		}
		for i := range p.Challenges {
			if err := k.fail(ctx, p.Node, &p.Challenges[i], audit.KindProofMissed, candidates); err != nil {
				return 0, err
			}
		}
		if err := k.proofs.Set(ctx, collections.Join(p.Epoch, p.Node), p); err != nil {
			return 0, err
		}
	}
	return len(proofs), nil
}

// proofsOf are the next proofs of an epoch behind a node.
func (k *Keeper) proofsOf(ctx context.Context, epoch, after uint64, limit int) ([]storage.Proof, error) {
	var proofs []storage.Proof
	ranger := collections.NewPrefixedPairRange[uint64, uint64](epoch).StartExclusive(after)
	err := k.proofs.Walk(ctx, ranger, func(_ proofKey, p storage.Proof) (bool, error) {
		proofs = append(proofs, p)
		return len(proofs) >= limit, nil
	})
	return proofs, err
}

// draw draws the challenges of the next nodes, and answers at how many it looked.
func (k *Keeper) draw(ctx context.Context, epoch *storage.Epoch, limit int) (int, error) {
	now, params, err := k.now(ctx)
	if err != nil {
		return 0, err
	}
	nodes, err := k.consortium.StorageNodes(ctx)
	if err != nil {
		return 0, err
	}
	seen := 0
	for _, n := range nodes {
		if n.Number <= epoch.After {
			continue
		}
		if seen == limit {
			break
		}
		seen++
		epoch.After = n.Number
		pulse, err := k.pulse(ctx, n.Number)
		if err != nil {
			return 0, err
		}
		if !pulse.TakesCopies() {
			continue
		}
		proof, err := k.challenge(ctx, *epoch, n.Number, params.ChallengeLeaves)
		if err != nil {
			return 0, err
		}
		if len(proof.Challenges) == 0 {
			continue
		}
		if pulse.Status(now, params) == storage.NODE_STATUS_ALIVE {
			epoch.Challenged++
		}
		if err := k.proofs.Set(ctx, collections.Join(epoch.Number, n.Number), proof); err != nil {
			return 0, err
		}
	}
	return seen, nil
}

// challenge picks leaves of what a node holds, fewer where the same is picked twice.
func (k *Keeper) challenge(ctx context.Context, epoch storage.Epoch, node uint64, leaves uint32) (storage.Proof, error) {
	proof := storage.Proof{Epoch: epoch.Number, Node: node}
	for n := range leaves {
		point, number := epoch.Pick(node, n)
		root, err := k.heldBehind(ctx, node, point)
		if errors.Is(err, collections.ErrNotFound) {
			return proof, nil
		}
		if err != nil {
			return proof, err
		}
		placed, err := k.objects.Get(ctx, root.Bytes())
		if err != nil {
			return proof, err
		}
		object := placed.Object
		if leaf := number % object.Leaves(); !proof.Asks(object.Cid, leaf) {
			proof.Challenges = append(proof.Challenges, storage.Challenge{Object: object.Cid, Leaf: leaf})
		}
	}
	return proof, nil
}

// heldBehind is the object of a node whose digest comes first at or behind a point on the
// circle of all digests; collections.ErrNotFound where it holds nothing.
func (k *Keeper) heldBehind(ctx context.Context, node uint64, point [32]byte) (lock.CID, error) {
	var nearest lock.CID
	var distance [32]byte
	for _, form := range []func([32]byte) lock.CID{lock.RawCID, lock.DagCID} {
		root, err := k.firstHeld(ctx, node, form(point), form(highest))
		if errors.Is(err, collections.ErrNotFound) {
			root, err = k.firstHeld(ctx, node, form([32]byte{}), form(point))
		}
		if errors.Is(err, collections.ErrNotFound) {
			continue
		}
		if err != nil {
			return lock.CID{}, err
		}
		if d := storage.Distance(point, root.Digest()); nearest.IsZero() || bytes.Compare(d[:], distance[:]) < 0 {
			nearest, distance = root, d
		}
	}
	if nearest.IsZero() {
		return nearest, collections.ErrNotFound
	}
	return nearest, nil
}

// highest is the last of all digests.
var highest = [32]byte(bytes.Repeat([]byte{0xff}, 32))

// firstHeld is the first object of a node between two CIDs.
func (k *Keeper) firstHeld(ctx context.Context, node uint64, from, to lock.CID) (lock.CID, error) {
	ranger := collections.NewPrefixedPairRange[uint64, []byte](node).StartInclusive(from.Bytes()).EndInclusive(to.Bytes())
	var first []byte
	if err := k.holdings.Walk(ctx, ranger, func(key nodeKey) (bool, error) {
		first = key.K2()
		return true, nil
	}); err != nil {
		return lock.CID{}, err
	}
	if first == nil {
		return lock.CID{}, collections.ErrNotFound
	}
	return lock.CIDFromBytes(first)
}
