package keeper

import (
	"context"
	"errors"
	"slices"

	"cosmossdk.io/collections"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/storage"
)

// gasPerCandidate pays for one node's place in the order of an object: a hash and
// some sixty multiplications.
const gasPerCandidate storetypes.Gas = 20

// Place chooses the nodes that keep a new object and answers their numbers,
// ascending. It places fewer copies than wanted where fewer failure domains have
// room; the object still names its target. It answers storage.ErrKnown for a
// CID that is known as root or attached block, storage.ErrQuota where the member has
// brought in as much as it may, and storage.ErrNoRoom where no node has room; [Keeper.Admits]
// tells the last two beforehand.
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
	over, err := k.isOverQuota(ctx, p.Member, p.Size)
	if err != nil {
		return nil, err
	}
	if over {
		return nil, storage.ErrQuota.Wrapf("member %d, %d bytes", p.Member, p.Size)
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
		placed.Object.Target, placed.Object.Everywhere = max(rule.Minimum, domains(candidates)), true
	}
	var used []storage.Domain
	for _, c := range candidates {
		if slices.Contains(nodes, c.Node) {
			placed.Copies = append(placed.Copies, storage.Copy{Node: c.Node, Status: storage.COPY_STATUS_ASSIGNED, Since: now})
			used = append(used, c.Domain())
		}
	}
	if err := k.noteCrowded(ctx, used, placed.Object.Target, candidates); err != nil {
		return nil, err
	}
	if err := k.add(ctx, placed); err != nil {
		return nil, err
	}
	if err := k.shortfalls.Set(ctx, root.Bytes(), uint32(storage.STANDING_PLACING)); err != nil {
		return nil, err
	}
	err = sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&storage.EventObjectPlaced{Cid: p.CID, Nodes: nodes})
	return nodes, err
}

// Admits answers why a member may not bring in size more bytes, of which each object
// has at most largest, or nothing where it may.
func (k *Keeper) Admits(ctx context.Context, member, size, largest uint64) (reason string, err error) {
	over, err := k.isOverQuota(ctx, member, size)
	if err != nil {
		return "", err
	}
	if over {
		return storage.ReasonOverQuota, nil
	}
	candidates, err := k.candidates(ctx)
	if err != nil {
		return "", err
	}
	for _, c := range candidates {
		if c.Capacity > 0 && c.HasRoom(largest) {
			return "", nil
		}
	}
	return storage.ReasonNoRoom, nil
}

// isOverQuota says whether the member may not bring in so many bytes more.
func (k *Keeper) isOverQuota(ctx context.Context, member, size uint64) (bool, error) {
	params, err := k.Params(ctx)
	if err != nil || params.Quota == 0 {
		return false, err
	}
	brought, err := k.broughtBy(ctx, member)
	return brought.Bytes > params.Quota || size > params.Quota-brought.Bytes, err
}

// broughtBy is what a member brought in.
func (k *Keeper) broughtBy(ctx context.Context, member uint64) (storage.MemberUsage, error) {
	brought, err := k.brought.Get(ctx, member)
	if errors.Is(err, collections.ErrNotFound) {
		return storage.MemberUsage{Member: member}, nil
	}
	return brought, err
}

// candidates are the nodes that take copies, with what is placed on them. What the disk
// of one has no room for counts as used.
func (k *Keeper) candidates(ctx context.Context) ([]storage.Candidate, error) {
	nodes, err := k.consortium.PlaceableNodes(ctx)
	if err != nil {
		return nil, err
	}
	candidates := make([]storage.Candidate, 0, len(nodes))
	for _, n := range nodes {
		pulse, err := k.pulse(ctx, n.Number)
		if err != nil {
			return nil, err
		}
		if !pulse.TakesCopies() {
			continue
		}
		usage, err := k.usageOf(ctx, n.Number)
		if err != nil {
			return nil, err
		}
		candidates = append(candidates, storage.Candidate{
			Node: n.Number, Member: n.Member, Site: n.Site, Capacity: n.Capacity, Used: n.Capacity - pulse.Room(n.Capacity, usage),
		})
	}
	return candidates, nil
}

// domains counts the failure domains of nodes.
func domains(candidates []storage.Candidate) uint32 {
	list := make([]storage.Domain, len(candidates))
	for i, c := range candidates {
		list[i] = c.Domain()
	}
	return count(list)
}

// count counts distinct failure domains.
func count(list []storage.Domain) uint32 {
	seen := map[storage.Domain]bool{}
	for _, d := range list {
		seen[d] = true
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
		if err := k.addCopy(ctx, root, p.Object.Size_, c); err != nil {
			return err
		}
	}
	if p.Object.Everywhere {
		if err := k.everywhere.Set(ctx, root.Bytes()); err != nil {
			return err
		}
	}
	origin, err := k.consortium.StorageNode(ctx, p.Object.Origin)
	if err != nil {
		return err
	}
	brought, err := k.broughtBy(ctx, origin.Member)
	if err != nil {
		return err
	}
	brought.Bytes += p.Object.Size_
	brought.Objects++
	return k.brought.Set(ctx, origin.Member, brought)
}

// isKnown says whether a CID is or was an object's root or an attached block.
func (k *Keeper) isKnown(ctx context.Context, text string) (bool, error) {
	cid, err := lock.ParseCID(text)
	if err != nil {
		return false, storage.ErrInvalidCID.Wrap(err.Error())
	}
	for _, has := range []func(context.Context, []byte) (bool, error){k.objects.Has, k.attached.Has, k.erased.Has} {
		if known, err := has(ctx, cid.Bytes()); known || err != nil {
			return known, err
		}
	}
	return false, nil
}
