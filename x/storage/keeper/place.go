package keeper

import (
	"context"
	"errors"
	"slices"

	"cosmossdk.io/collections"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/storage"
)

// gasPerCandidate pays for one node's place in the order of an object: a hash and
// some sixty multiplications.
const gasPerCandidate storetypes.Gas = 20

// Place chooses the nodes that keep a new object and answers their numbers,
// ascending. It places fewer copies than wanted where fewer failure domains have
// room; the object still names its target. It answers storage.ErrKnown for a
// CID that is known as root or attached block, and storage.ErrNoRoom where no node
// has room.
func (k *Keeper) Place(ctx context.Context, p storage.Placement) ([]uint64, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	for _, text := range append([]string{p.CID}, p.Attached...) {
		known, err := k.isKnown(ctx, text)
		if err != nil {
			return nil, err
		}
		if known {
			return nil, storage.ErrKnown.Wrapf("%q", text)
		}
	}
	params, err := k.Params(ctx)
	if err != nil {
		return nil, err
	}
	rule, err := params.Rule(p.Class)
	if err != nil {
		return nil, err
	}
	origin, err := k.consortium.MemberNode(ctx, p.Member)
	if err != nil {
		return nil, err
	}
	candidates, err := k.candidates(ctx)
	if err != nil {
		return nil, err
	}
	root, err := lock.ParseCID(p.CID)
	if err != nil {
		return nil, storage.ErrInvalidCID.Wrap(err.Error())
	}
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(gasPerCandidate*uint64(len(candidates)), "order of storage nodes")
	nodes := storage.Choose(root, candidates, p.Size, rule.Target, origin.Number)
	if len(nodes) == 0 {
		return nil, storage.ErrNoRoom.Wrapf("%d bytes, %d nodes", p.Size, len(candidates))
	}

	now := blockTime(ctx)
	placed := storage.PlacedObject{Object: storage.Object{
		Cid: p.CID, Size_: p.Size, Attached: slices.Clone(p.Attached), Target: rule.Target, Minimum: rule.Minimum,
		Origin: origin.Number, PlacedAt: now,
	}}
	if rule.Target == 0 {
		placed.Object.Target = max(rule.Minimum, domains(candidates))
	}
	for _, node := range nodes {
		placed.Copies = append(placed.Copies, storage.Copy{Node: node, Status: storage.COPY_STATUS_ASSIGNED, Since: now})
	}
	if err := k.add(ctx, placed); err != nil {
		return nil, err
	}
	err = sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&storage.EventObjectPlaced{Cid: p.CID, Nodes: nodes})
	return nodes, err
}

// candidates are the nodes that take copies, with what is placed on them.
func (k *Keeper) candidates(ctx context.Context) ([]storage.Candidate, error) {
	nodes, err := k.consortium.PlaceableNodes(ctx)
	if err != nil {
		return nil, err
	}
	candidates := make([]storage.Candidate, len(nodes))
	for i, n := range nodes {
		usage, err := k.usageOf(ctx, n.Number)
		if err != nil {
			return nil, err
		}
		candidates[i] = candidateOf(n, usage.Bytes)
	}
	return candidates, nil
}

func candidateOf(n consortium.StorageNode, used uint64) storage.Candidate {
	return storage.Candidate{Node: n.Number, Member: n.Member, Site: n.Site, Capacity: n.Capacity, Used: used}
}

// domains counts failure domains.
func domains(candidates []storage.Candidate) uint32 {
	seen := map[storage.Domain]bool{}
	for _, c := range candidates {
		seen[c.Domain()] = true
	}
	return uint32(len(seen))
}

// add writes a new object, its copies and all indexes.
func (k *Keeper) add(ctx context.Context, p storage.PlacedObject) error {
	root, err := lock.ParseCID(p.Object.Cid)
	if err != nil {
		return storage.ErrInvalidCID.Wrap(err.Error())
	}
	if err := k.objects.Set(ctx, root.Bytes(), p.Object); err != nil {
		return err
	}
	for _, text := range p.Object.Attached {
		block, err := lock.ParseRawCID(text)
		if err != nil {
			return storage.ErrInvalidCID.Wrap(err.Error())
		}
		if err := k.attached.Set(ctx, block.Bytes(), root.Bytes()); err != nil {
			return err
		}
	}
	for _, c := range p.Copies {
		if err := k.setCopy(ctx, root, c); err != nil {
			return err
		}
		usage, err := k.usageOf(ctx, c.Node)
		if err != nil {
			return err
		}
		usage.Bytes += p.Object.Size_
		usage.Objects++
		if err := k.usage.Set(ctx, c.Node, usage); err != nil {
			return err
		}
	}
	return nil
}

// setCopy writes a copy and moves it between the lists of what its node is to
// fetch and what it holds.
func (k *Keeper) setCopy(ctx context.Context, root lock.CID, c storage.Copy) error {
	if err := k.copies.Set(ctx, collections.Join(root.Bytes(), c.Node), c); err != nil {
		return err
	}
	in, out := k.assignments, k.holdings
	if c.Status == storage.COPY_STATUS_HELD {
		in, out = out, in
	}
	key := collections.Join(c.Node, root.Bytes())
	if err := in.Set(ctx, key); err != nil {
		return err
	}
	return out.Remove(ctx, key)
}

// usageOf is what is placed on a node, nothing for one that has none.
func (k *Keeper) usageOf(ctx context.Context, node uint64) (storage.NodeUsage, error) {
	usage, err := k.usage.Get(ctx, node)
	if errors.Is(err, collections.ErrNotFound) {
		return storage.NodeUsage{Node: node}, nil
	}
	return usage, err
}

// isKnown says whether a CID is an object's root or an attached block.
func (k *Keeper) isKnown(ctx context.Context, text string) (bool, error) {
	cid, err := lock.ParseCID(text)
	if err != nil {
		return false, storage.ErrInvalidCID.Wrap(err.Error())
	}
	known, err := k.objects.Has(ctx, cid.Bytes())
	if err != nil || known {
		return known, err
	}
	return k.attached.Has(ctx, cid.Bytes())
}
