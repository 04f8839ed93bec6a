package keeper

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/storage"
)

// SubmitProofs notes a node's answers to its challenges of the open epoch, what it reveals
// for the next epoch's seed, and what it commits itself to for the one after. A copy of
// which it can't read the leaf is taken from it. Answers are no entry of the log: those
// that are missing or disputed are.
func (s msgServer) SubmitProofs(ctx context.Context, msg *storage.MsgSubmitProofs) (*storage.MsgSubmitProofsResponse, error) {
	if err := msg.Validate(); err != nil {
		return nil, err
	}
	who, _, err := s.consortium.Actor(ctx, msg.Node)
	if err != nil {
		return nil, err
	}
	node, refusal, err := s.signingNode(ctx, who)
	if err != nil {
		return nil, err
	}
	if refusal != "" {
		return nil, storage.ErrUnauthorized.Wrapf("%s: %s", who.Address, refusal)
	}
	epoch, err := s.epoch.Get(ctx)
	if err != nil {
		return nil, err
	}
	if msg.Epoch != epoch.Number {
		return nil, storage.ErrEpoch.Wrapf("got %d, want %d", msg.Epoch, epoch.Number)
	}
	key := collections.Join(epoch.Number, node.Number)
	proof, err := s.proofs.Get(ctx, key)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, storage.ErrNotChallenged.Wrapf("node %d in epoch %d", node.Number, epoch.Number)
	}
	if err != nil {
		return nil, err
	}
	if proof.Given {
		return nil, storage.ErrProven.Wrapf("node %d in epoch %d", node.Number, epoch.Number)
	}
	if len(msg.Digests) != len(proof.Challenges) {
		return nil, storage.ErrInvalidProof.Wrapf("got %d digests, want %d", len(msg.Digests), len(proof.Challenges))
	}
	if err := s.checkReveal(ctx, epoch.Number, node.Number, msg.Reveal); err != nil {
		return nil, err
	}

	if err := s.commitments.Set(ctx, node.Number, storage.Commitment{Epoch: epoch.Number + 1, Hash: msg.Commitment}); err != nil {
		return nil, err
	}
	epoch.Proven++
	if len(msg.Reveal) > 0 {
		epoch.Reveal(node.Number, msg.Reveal)
	}
	if err := s.epoch.Set(ctx, epoch); err != nil {
		return nil, err
	}
	if err := s.answer(ctx, &proof, msg.Digests); err != nil {
		return nil, err
	}
	return &storage.MsgSubmitProofsResponse{}, s.proofs.Set(ctx, key, proof)
}

// hasCommitted answers what a node committed itself to reveal in an epoch;
// collections.ErrNotFound where it did not.
func (k *Keeper) hasCommitted(ctx context.Context, epoch, node uint64) (storage.Commitment, error) {
	c, err := k.commitments.Get(ctx, node)
	if err == nil && c.Epoch != epoch {
		err = collections.ErrNotFound
	}
	return c, err
}

// checkReveal answers storage.ErrReveal unless a node reveals what it committed itself to,
// which is nothing for one that did not.
func (k *Keeper) checkReveal(ctx context.Context, epoch, node uint64, reveal []byte) error {
	c, err := k.hasCommitted(ctx, epoch, node)
	if errors.Is(err, collections.ErrNotFound) {
		if len(reveal) > 0 {
			return storage.ErrReveal.Wrapf("node %d is not committed in epoch %d", node, epoch)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if len(reveal) == 0 {
		return storage.ErrReveal.Wrapf("node %d reveals nothing in epoch %d", node, epoch)
	}
	if hash := lock.RevealCommitment(epoch, node, [32]byte(reveal)); !slices.Equal(hash[:], c.Hash) {
		return storage.ErrReveal.Wrapf("node %d in epoch %d", node, epoch)
	}
	return nil
}

// answer notes a node's digests, and takes the copies from it of which it can't read the
// leaf.
func (k *Keeper) answer(ctx context.Context, proof *storage.Proof, digests [][]byte) error {
	proof.Given = true
	var candidates []storage.Candidate
	for i, digest := range digests {
		proof.Challenges[i].Digest = digest
		if len(digest) > 0 {
			continue
		}
		if candidates == nil {
			var err error
			if candidates, err = k.candidates(ctx); err != nil {
				return err
			}
		}
		if err := k.fail(ctx, proof.Node, &proof.Challenges[i], audit.KindProofMissed, candidates); err != nil {
			return err
		}
	}
	return nil
}

// DisputeProofs notes that a node holds the same objects and got other digests. Each
// dispute stands for itself: a refused one leaves the others alone.
func (s msgServer) DisputeProofs(ctx context.Context, msg *storage.MsgDisputeProofs) (*storage.MsgDisputeProofsResponse, error) {
	if err := msg.Validate(); err != nil {
		return nil, err
	}
	who, entry, err := s.consortium.Actor(ctx, msg.Node)
	if err != nil {
		return nil, err
	}
	node, refusal, err := s.signingNode(ctx, who)
	if err != nil {
		return nil, err
	}
	entry.Kind = audit.KindProofDisputed
	results := make([]storage.DisputeResult, len(msg.Disputes))
	for i, d := range msg.Disputes {
		reason := refusal
		if reason == "" {
			if reason, err = s.dispute(ctx, node.Number, d, entry); err != nil {
				return nil, err
			}
		}
		results[i] = storage.DisputeResult{Outcome: audit.OUTCOME_OK, Reason: reason}
		if reason == "" {
			continue
		}
		results[i].Outcome = audit.OUTCOME_REFUSED
		refused := entry
		refused.Target, refused.Outcome, refused.Reason = strconv.FormatUint(d.Accused, 10), audit.OUTCOME_REFUSED, reason
		if _, err := s.audit.Append(ctx, refused); err != nil {
			return nil, err
		}
	}
	return &storage.MsgDisputeProofsResponse{Results: results}, nil
}

// dispute notes one dispute and writes its entry, or answers why not. When most other
// holders dispute the digest, the copy is taken from who gave it.
func (k *Keeper) dispute(ctx context.Context, node uint64, d storage.Dispute, entry audit.Entry) (string, error) {
	key := collections.Join(d.Epoch, d.Accused)
	proof, err := k.disputable(ctx, key)
	if errors.Is(err, collections.ErrNotFound) || err == nil && int(d.Index) >= len(proof.Challenges) {
		return storage.ReasonUnknownChallenge, nil
	}
	if err != nil {
		return "", err
	}
	challenge := &proof.Challenges[d.Index]
	switch {
	case node == d.Accused:
		return storage.ReasonOwnProof, nil
	case len(challenge.Digest) == 0:
		return storage.ReasonNoDigest, nil
	case challenge.DisputedBy(node):
		return storage.ReasonDisputedBefore, nil
	}
	object, list, err := k.Object(ctx, challenge.Object)
	if errors.Is(err, storage.ErrUnknownObject) {
		return storage.ReasonUnknownObject, nil
	}
	if err != nil {
		return "", err
	}
	if object.ChangedIn >= d.Epoch {
		return storage.ReasonObjectChanged, nil
	}
	copies, err := k.placed(ctx, object, list)
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(copies, func(p storage.Placed) bool { return p.Node == node && p.Counts() }) {
		return storage.ReasonNotHeld, nil
	}

	challenge.Disputers = append(challenge.Disputers, node)
	entry.Target, entry.Outcome = strconv.FormatUint(d.Accused, 10), audit.OUTCOME_OK
	if err := k.appendAbout(ctx, entry, challenge.Object); err != nil {
		return "", err
	}
	if !challenge.Failed && challenge.Outvoted(d.Accused, copies) {
		candidates, err := k.candidates(ctx)
		if err != nil {
			return "", err
		}
		if err := k.fail(ctx, d.Accused, challenge, audit.KindProofFailed, candidates); err != nil {
			return "", err
		}
	}
	return "", k.proofs.Set(ctx, key, proof)
}

// disputable is a proof of the open epoch or the one before; collections.ErrNotFound where
// there is none.
func (k *Keeper) disputable(ctx context.Context, key proofKey) (storage.Proof, error) {
	epoch, err := k.epoch.Get(ctx)
	if err != nil {
		return storage.Proof{}, err
	}
	if key.K1() > epoch.Number || key.K1()+1 < epoch.Number {
		return storage.Proof{}, collections.ErrNotFound
	}
	return k.proofs.Get(ctx, key)
}

// fail takes a copy from a node that did not prove it. It is placed elsewhere; where no
// other node has room for it, or nobody else holds the object, the node is to fetch it
// again. What the node does not hold any more is no matter.
func (k *Keeper) fail(ctx context.Context, node uint64, challenge *storage.Challenge, kind string, candidates []storage.Candidate) error {
	object, list, err := k.Object(ctx, challenge.Object)
	if errors.Is(err, storage.ErrUnknownObject) {
		return nil
	}
	if err != nil {
		return err
	}
	copies, err := k.placed(ctx, object, list)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(copies, func(p storage.Placed) bool { return p.Node == node })
	if at < 0 || copies[at].Status != storage.COPY_STATUS_HELD {
		return nil
	}
	root, err := lock.ParseCID(object.Cid)
	if err != nil {
		return err
	}
	challenge.Failed = true
	if err := k.strike(ctx, node); err != nil {
		return err
	}
	copies[at].Status, copies[at].Since = storage.COPY_STATUS_LOST, blockTime(ctx)
	if err := k.changeStatus(ctx, root, object.Size_, copies[at].Copy, storage.COPY_STATUS_HELD); err != nil {
		return err
	}
	var added []storage.Placed
	if others := slices.Delete(slices.Clone(copies), at, at+1); storage.HeldDomains(others) > 0 {
		if added, err = k.replace(ctx, root, object, node, others, candidates); err != nil {
			return err
		}
		if len(added) > 0 {
			if err := k.dropCopy(ctx, root, object.Size_, copies[at].Copy); err != nil {
				return err
			}
			copies = others
		}
	}
	left, err := k.settle(ctx, root, object, append(copies, added...))
	if err != nil {
		return err
	}
	held := heldCopies(left)
	entry := audit.Entry{
		Kind: kind, Role: audit.RoleChain, Target: strconv.FormatUint(node, 10), Count: uint64(held), Outcome: audit.OUTCOME_OK,
	}
	if err := k.appendAbout(ctx, entry, object.Cid); err != nil {
		return err
	}
	if len(added) > 0 {
		if err := k.reassigned(ctx, object.Cid, added); err != nil {
			return err
		}
	}
	event := &storage.EventCopyChanged{Cid: object.Cid, Node: node, Held: held}
	if err := sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(event); err != nil {
		return err
	}
	if k.hooks == nil {
		return nil
	}
	return k.hooks.CopyChanged(ctx, object.Cid, held, object.Target)
}

// replace assigns to others what an object misses without a node, which is not chosen
// itself.
func (k *Keeper) replace(ctx context.Context, root lock.CID, object storage.Object, node uint64, others []storage.Placed, candidates []storage.Candidate) ([]storage.Placed, error) {
	if at := slices.IndexFunc(candidates, func(c storage.Candidate) bool { return c.Node == node }); at >= 0 {
		capacity := candidates[at].Capacity
		candidates[at].Capacity = 0 // who has none is never chosen
		defer func() { candidates[at].Capacity = capacity }()
	}
	return k.complete(ctx, root, object, others, candidates)
}

// strike counts a failed challenge against a node.
func (k *Keeper) strike(ctx context.Context, node uint64) error {
	count, err := k.strikesOf(ctx, node)
	if err != nil {
		return err
	}
	return k.strikes.Set(ctx, node, count+1)
}

// strikesOf is how many challenges a node failed.
func (k *Keeper) strikesOf(ctx context.Context, node uint64) (uint64, error) {
	count, err := k.strikes.Get(ctx, node)
	if errors.Is(err, collections.ErrNotFound) {
		return 0, nil
	}
	return count, err
}

// appendAbout writes an entry with what an object is about, of which it names no CID.
func (k *Keeper) appendAbout(ctx context.Context, entry audit.Entry, cid string) error {
	if k.hooks != nil {
		var err error
		if entry.Patient, entry.Subjects, err = k.hooks.Subject(ctx, cid); err != nil {
			return err
		}
	}
	_, err := k.audit.Append(ctx, entry)
	return err
}
