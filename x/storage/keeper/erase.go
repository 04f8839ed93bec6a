package keeper

import (
	"context"
	"errors"
	"slices"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/storage"
)

// attestationKey is an erasure's number and a storage node's.
type attestationKey = collections.Pair[uint64, uint64]

// Erase gives things up for good and answers the numbers of the erasures, in their order:
// no node is to hold them any more, each is to delete what it has of them and to attest it,
// and none of their CIDs is ever placed again. Each thing is the CIDs that are erased
// and attested together: an object or a block, and beside it at most storage.MaxAttached single
// blocks, counting those that travel with the object. A block that travels with an object which
// stays is taken from it. It answers storage.ErrInvalidCID or storage.ErrUnknownObject where there is
// no such object or block; then nothing of the message may be kept.
func (k *Keeper) Erase(ctx context.Context, things ...[]string) ([]uint64, error) {
	nodes, err := k.attesters(ctx)
	if err != nil {
		return nil, err
	}
	numbers := make([]uint64, len(things))
	for i, cids := range things {
		if numbers[i], err = k.erase(ctx, cids, nodes); err != nil {
			return nil, err
		}
	}
	for _, node := range nodes {
		if err := k.owe(ctx, node, uint64(len(things))); err != nil {
			return nil, err
		}
	}
	return numbers, nil
}

// owes is how many erasures a node is to attest and has not.
func (k *Keeper) owes(ctx context.Context, node uint64) (uint64, error) {
	owed, err := k.owed.Get(ctx, node)
	if errors.Is(err, collections.ErrNotFound) {
		return 0, nil
	}
	return owed, err
}

// owe asks so many more attestations of a node.
func (k *Keeper) owe(ctx context.Context, node, more uint64) error {
	owed, err := k.owes(ctx, node)
	if err != nil || more == 0 {
		return err
	}
	return k.owed.Set(ctx, node, owed+more)
}

// addAttestation writes an attestation that the node owed.
func (k *Keeper) addAttestation(ctx context.Context, number uint64, a storage.Attestation) error {
	if err := k.attestations.Set(ctx, collections.Join(number, a.Node), a); err != nil {
		return err
	}
	owed, err := k.owed.Get(ctx, a.Node)
	if err != nil {
		return err
	}
	if owed == 1 {
		return k.owed.Remove(ctx, a.Node)
	}
	return k.owed.Set(ctx, a.Node, owed-1)
}

// attesters are the nodes that may have what was ever stored, by number: all that were
// ever heard of, save those of members that have left and those that are shut out. Copies
// move, and uploads and backups leave bytes behind, so that it is not enough to ask those
// that are to hold one.
func (k *Keeper) attesters(ctx context.Context) ([]uint64, error) {
	all, err := k.consortium.StorageNodes(ctx)
	if err != nil {
		return nil, err
	}
	var nodes []uint64
	for _, n := range all {
		left, err := k.hasLeft(ctx, n)
		if err != nil {
			return nil, err
		}
		if left {
			continue
		}
		pulse, err := k.pulse(ctx, n.Number)
		if err != nil {
			return nil, err
		}
		if pulse.BeatAt != 0 {
			nodes = append(nodes, n.Number)
		}
	}
	return nodes, nil
}

// hasLeft says whether a node will never be heard of again: its member has left the
// network, or it is shut out.
func (k *Keeper) hasLeft(ctx context.Context, n consortium.StorageNode) (bool, error) {
	m, err := k.consortium.Member(ctx, n.Member)
	if err != nil || m.Status == consortium.MEMBER_STATUS_LEFT {
		return true, err
	}
	return k.IsOut(ctx, n)
}

// erase gives up what is erased together.
func (k *Keeper) erase(ctx context.Context, cids []string, nodes []uint64) (uint64, error) {
	if len(cids) == 0 {
		return 0, storage.ErrUnknownObject.Wrap("nothing to erase")
	}
	e := storage.Erasure{Object: cids[0], At: blockTime(ctx), Nodes: nodes}
	gone := map[string]bool{}
	for _, cid := range cids {
		if gone[cid] {
			continue
		}
		blocks, err := k.giveUp(ctx, cid)
		if err != nil {
			return 0, err
		}
		for _, block := range blocks {
			gone[block] = true
			if block != e.Object {
				e.Attached = append(e.Attached, block)
			}
		}
	}
	var err error
	if e.Number, err = k.erasureSequence.Next(ctx); err != nil {
		return 0, err
	}
	if err := k.addErasure(ctx, e); err != nil {
		return 0, err
	}
	return e.Number, sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&storage.EventObjectErased{Cid: e.Object, Number: e.Number})
}

// giveUp takes an object, or a block that travels with one, out of the books and answers all
// the CIDs that are gone with it.
func (k *Keeper) giveUp(ctx context.Context, cid string) ([]string, error) {
	root, err := lock.ParseCID(cid)
	if err != nil {
		return nil, storage.ErrInvalidCID.Wrap(err.Error())
	}
	object, copies, err := k.Object(ctx, cid)
	if err == nil {
		return append([]string{cid}, object.Attached...), k.dropObject(ctx, root, object, copies)
	}
	if !errors.Is(err, storage.ErrUnknownObject) {
		return nil, err
	}
	carrier, err := k.attached.Get(ctx, root.Bytes())
	if errors.Is(err, collections.ErrNotFound) {
		return nil, storage.ErrUnknownObject.Wrapf("%q", cid)
	}
	if err != nil {
		return nil, err
	}
	placed, err := k.objects.Get(ctx, carrier)
	if errors.Is(err, collections.ErrNotFound) || err == nil && !slices.Contains(placed.Object.Attached, cid) {
		return nil, storage.ErrUnknownObject.Wrapf("%q is erased", cid)
	}
	if err != nil {
		return nil, err
	}
	epoch, err := k.epoch.Get(ctx)
	if err != nil {
		return nil, err
	}
	placed.Object.ChangedIn = epoch.Number
	placed.Object.Attached = slices.DeleteFunc(placed.Object.Attached, func(block string) bool { return block == cid })
	return []string{cid}, k.objects.Set(ctx, carrier, placed)
}

// dropObject takes an object, its copies and all that is counted of them out of the books.
// Its CIDs stay known.
func (k *Keeper) dropObject(ctx context.Context, root lock.CID, object storage.Object, copies []storage.Copy) error {
	for _, c := range copies {
		if err := k.dropCopy(ctx, root, object.Size_, c); err != nil {
			return err
		}
	}
	if err := k.shortfalls.Remove(ctx, root.Bytes()); err != nil {
		return err
	}
	if err := k.everywhere.Remove(ctx, root.Bytes()); err != nil {
		return err
	}
	origin, err := k.consortium.StorageNode(ctx, object.Origin)
	if err != nil {
		return err
	}
	brought, err := k.broughtBy(ctx, origin.Member)
	if err != nil {
		return err
	}
	brought.Bytes -= object.Size_
	brought.Objects--
	if brought.Objects == 0 {
		err = k.brought.Remove(ctx, origin.Member)
	} else {
		err = k.brought.Set(ctx, origin.Member, brought)
	}
	if err != nil {
		return err
	}
	return k.objects.Remove(ctx, root.Bytes())
}

// addErasure writes an erasure and the CIDs that must never be placed again.
func (k *Keeper) addErasure(ctx context.Context, e storage.Erasure) error {
	root, err := lock.ParseCID(e.Object)
	if err != nil {
		return storage.ErrInvalidCID.Wrap(err.Error())
	}
	for _, text := range e.Attached {
		block, err := lock.ParseRawCID(text)
		if err != nil {
			return storage.ErrInvalidCID.Wrap(err.Error())
		}
		if err := k.attached.Set(ctx, block.Bytes(), root.Bytes()); err != nil {
			return err
		}
	}
	if err := k.erased.Set(ctx, root.Bytes(), e.Number); err != nil {
		return err
	}
	return k.erasures.Set(ctx, e.Number, e)
}

// NodeErasures answers where each node stands with an erasure, by number;
// storage.ErrUnknownErasure where there is none.
func (k *Keeper) NodeErasures(ctx context.Context, number uint64) ([]storage.NodeErasure, error) {
	e, err := k.erasure(ctx, number)
	if err != nil {
		return nil, err
	}
	attestations, err := k.attestationsOf(ctx, number)
	if err != nil {
		return nil, err
	}
	list := make([]storage.NodeErasure, len(e.Nodes))
	for i, node := range e.Nodes {
		n, err := k.consortium.StorageNode(ctx, node)
		if err != nil {
			return nil, err
		}
		list[i] = storage.NodeErasure{Node: node, Member: n.Member}
		if list[i].Left, err = k.hasLeft(ctx, n); err != nil {
			return nil, err
		}
		if len(attestations) > 0 && attestations[0].Node == node {
			list[i].Attestation = &attestations[0]
			attestations = attestations[1:]
		}
	}
	return list, nil
}

// erasure is the erasure of that number.
func (k *Keeper) erasure(ctx context.Context, number uint64) (storage.Erasure, error) {
	e, err := k.erasures.Get(ctx, number)
	if errors.Is(err, collections.ErrNotFound) {
		return e, storage.ErrUnknownErasure.Wrapf("%d", number)
	}
	return e, err
}

// attestationsOf are the attestations of an erasure, by node.
func (k *Keeper) attestationsOf(ctx context.Context, number uint64) ([]storage.Attestation, error) {
	var list []storage.Attestation
	err := k.attestations.Walk(ctx, collections.NewPrefixedPairRange[uint64, uint64](number),
		func(_ attestationKey, a storage.Attestation) (bool, error) {
			list = append(list, a)
			return false, nil
		})
	return list, err
}

// AttestErasures notes that a node has deleted what it had of erased objects. Each
// erasure stands for itself: a refused one leaves the others alone. To attest once more,
// as after a restored backup, is fine and changes nothing.
func (s msgServer) AttestErasures(ctx context.Context, msg *storage.MsgAttestErasures) (*storage.MsgAttestErasuresResponse, error) {
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
	entry.Kind = audit.KindErasureAttested
	attestation := storage.Attestation{Node: node.Number, At: blockTime(ctx), BackupDays: msg.BackupDays}
	res := &storage.MsgAttestErasuresResponse{Results: make([]storage.AttestResult, len(msg.Numbers))}
	for i, number := range msg.Numbers {
		reason := refusal
		if reason == "" {
			if reason, err = s.attest(ctx, number, attestation, entry); err != nil {
				return nil, err
			}
		}
		res.Results[i] = storage.AttestResult{Number: number, Outcome: audit.OUTCOME_OK, Reason: reason}
		if reason == "" {
			continue
		}
		res.Results[i].Outcome = audit.OUTCOME_REFUSED
		entry := entry
		entry.Outcome, entry.Reason = audit.OUTCOME_REFUSED, reason
		if err := s.appendErasure(ctx, entry, number); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// attest notes one attestation, or answers why not.
func (k *Keeper) attest(ctx context.Context, number uint64, a storage.Attestation, entry audit.Entry) (string, error) {
	e, err := k.erasure(ctx, number)
	if errors.Is(err, storage.ErrUnknownErasure) {
		return storage.ReasonUnknownErasure, nil
	}
	if err != nil {
		return "", err
	}
	if !e.Asks(a.Node) {
		return storage.ReasonNotAsked, nil
	}
	known, err := k.attestations.Has(ctx, collections.Join(number, a.Node))
	if err != nil || known {
		return "", err
	}
	if err := k.addAttestation(ctx, number, a); err != nil {
		return "", err
	}
	entry.Outcome, entry.Count = audit.OUTCOME_OK, uint64(a.BackupDays)
	return "", k.appendErasure(ctx, entry, number)
}

// appendErasure writes an entry with the object that the erasure is of and what that
// was about, where there is such an erasure.
func (k *Keeper) appendErasure(ctx context.Context, entry audit.Entry, number uint64) error {
	e, err := k.erasure(ctx, number)
	switch {
	case errors.Is(err, storage.ErrUnknownErasure):
	case err != nil:
		return err
	default:
		entry.Target = e.Object
		if k.hooks != nil {
			if entry.Patient, entry.Subjects, err = k.hooks.Subject(ctx, e.Object); err != nil {
				return err
			}
		}
	}
	_, err = k.audit.Append(ctx, entry)
	return err
}

// Erasures lists what was erased. With a node it looks at as many erasures as a page has,
// and shows of them those that the node has still to attest.
func (q queryServer) Erasures(ctx context.Context, req *storage.QueryErasuresRequest) (*storage.QueryErasuresResponse, error) {
	limit := req.GetLimit()
	if limit == 0 {
		limit = defaultPageSize
	}
	if limit > storage.MaxPageSize {
		return nil, status.Errorf(codes.InvalidArgument, "limit: got %d, want at most %d", limit, storage.MaxPageSize)
	}
	res := &storage.QueryErasuresResponse{}
	var seen uint32
	var last uint64
	err := q.k.erasures.Walk(ctx, new(collections.Range[uint64]).StartExclusive(req.GetAfter()), func(number uint64, e storage.Erasure) (bool, error) {
		if seen == limit {
			res.Next = last
			return true, nil
		}
		seen, last = seen+1, number
		if node := req.GetNode(); node != 0 {
			known, err := q.k.attestations.Has(ctx, collections.Join(number, node))
			if err != nil {
				return true, err
			}
			if known || !e.Asks(node) {
				return false, nil
			}
		}
		res.Erasures = append(res.Erasures, e)
		return false, nil
	})
	if err != nil {
		return nil, asStatus(err)
	}
	return res, nil
}

// initErasures writes the erasures of the first state. It was validated.
func (k *Keeper) initErasures(ctx context.Context, g *storage.GenesisState) error {
	for _, a := range g.Erasures {
		for _, node := range a.Erasure.Nodes {
			if _, err := k.consortium.StorageNode(ctx, node); err != nil {
				return err
			}
		}
		if err := k.addErasure(ctx, a.Erasure); err != nil {
			return err
		}
		for _, node := range a.Erasure.Nodes {
			if err := k.owe(ctx, node, 1); err != nil {
				return err
			}
		}
		for _, attestation := range a.Attestations {
			if err := k.addAttestation(ctx, a.Erasure.Number, attestation); err != nil {
				return err
			}
		}
	}
	return k.erasureSequence.Set(ctx, uint64(len(g.Erasures))+1)
}

// exportErasures reads all erasures.
func (k *Keeper) exportErasures(ctx context.Context, g *storage.GenesisState) error {
	return k.erasures.Walk(ctx, nil, func(number uint64, e storage.Erasure) (bool, error) {
		attestations, err := k.attestationsOf(ctx, number)
		g.Erasures = append(g.Erasures, storage.AttestedErasure{Erasure: e, Attestations: attestations})
		return err != nil, err
	})
}
