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
// brought in as much as it may, and storage.ErrNoRoom where no node has room; [Keeper.Room]
// tells the last two beforehand.
func (k *Keeper) Place(ctx context.Context, p storage.Placement) ([]uint64, error) {
	placed, err := k.placeAll(ctx, []storage.Placement{p})
	if err != nil {
		return nil, err
	}
	return placed[0], nil
}

// PlaceAll places the objects of one message, at least one and all of one member, one after another as [Keeper.Place]
// does; on an error nothing of the message may be kept. What all of them are chosen by is read and
// counted once.
func (k *Keeper) PlaceAll(ctx context.Context, placements []storage.Placement) error {
	_, err := k.placeAll(ctx, placements)
	return err
}

func (k *Keeper) placeAll(ctx context.Context, placements []storage.Placement) ([][]uint64, error) {
	for _, p := range placements {
		if err := p.Validate(); err != nil {
			return nil, err
		}
		if p.Member != placements[0].Member {
			return nil, storage.ErrInvalidPlacement.Wrapf("objects of members %d and %d", placements[0].Member, p.Member)
		}
	}
	b, err := k.newPlacing(ctx, placements[0].Member)
	if err != nil {
		return nil, err
	}
	placed := make([][]uint64, len(placements))
	for i, p := range placements {
		if placed[i], err = b.place(ctx, p); err != nil {
			return nil, err
		}
	}
	return placed, b.save(ctx)
}

// placing is what the objects of one message are placed by.
type placing struct {
	*Keeper
	member     uint64
	origin     uint64
	params     storage.Params
	candidates []storage.Candidate
	brought    storage.MemberUsage
	added      map[uint64]storage.NodeUsage // by node, what this message adds
}

// newPlacing reads what a member's objects are placed by.
func (k *Keeper) newPlacing(ctx context.Context, member uint64) (*placing, error) {
	b := &placing{Keeper: k, member: member, added: map[uint64]storage.NodeUsage{}}
	var err error
	if b.params, err = k.Params(ctx); err != nil {
		return nil, err
	}
	origin, err := k.consortium.MemberNode(ctx, member)
	if err != nil {
		return nil, err
	}
	b.origin = origin.Number
	if b.brought, err = k.broughtBy(ctx, member); err != nil {
		return nil, err
	}
	b.candidates, err = k.candidates(ctx)
	return b, err
}

// place places one object and counts it in what is saved at the end.
func (b *placing) place(ctx context.Context, p storage.Placement) ([]uint64, error) {
	for _, text := range append([]string{p.CID}, p.Attached...) {
		known, err := b.isKnown(ctx, text)
		if err != nil {
			return nil, err
		}
		if known {
			return nil, storage.ErrKnown.Wrapf("%q", text)
		}
	}
	rule, err := b.params.Rule(p.Class)
	if err != nil {
		return nil, err
	}
	if storage.IsOverQuota(b.params.Quota, b.brought.Bytes, p.Size) {
		return nil, storage.ErrQuota.Wrapf("member %d, %d bytes", p.Member, p.Size)
	}
	root, err := lock.ParseCID(p.CID)
	if err != nil {
		return nil, storage.ErrInvalidCID.Wrap(err.Error())
	}
	object := storage.Object{
		Cid: p.CID, Size_: p.Size, Attached: slices.Clone(p.Attached), Target: rule.Target, Minimum: rule.Minimum,
		Origin: b.origin, PlacedAt: blockTime(ctx), Key: p.Key,
	}
	key, err := object.PlacementKey()
	if err != nil {
		return nil, err
	}
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(gasPerCandidate*uint64(len(b.candidates)), "order of storage nodes")
	nodes := storage.Choose(key, b.candidates, p.Size, rule.Target, b.origin)
	if len(nodes) == 0 {
		return nil, storage.ErrNoRoom.Wrapf("%d bytes, %d nodes", p.Size, len(b.candidates))
	}
	if rule.Target == 0 {
		object.Target, object.Everywhere = max(rule.Minimum, domains(b.candidates)), true
	}
	if err := b.noteCrowded(ctx, uint32(len(nodes)), domains(b.candidates), object.Target); err != nil {
		return nil, err
	}
	placed := storage.PlacedObject{Object: object}
	for _, node := range nodes {
		placed.SetCopy(storage.Copy{Node: node, Status: storage.COPY_STATUS_ASSIGNED, Since: object.PlacedAt})
		if err := b.assign(ctx, root, p.Size, node); err != nil {
			return nil, err
		}
	}
	if err := b.addObject(ctx, root, placed); err != nil {
		return nil, err
	}
	b.brought.Bytes += p.Size
	b.brought.Objects++
	if err := b.shortfalls.Set(ctx, root.Bytes(), uint32(storage.STANDING_PLACING)); err != nil {
		return nil, err
	}
	err = sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&storage.EventObjectPlaced{Cid: p.CID, Nodes: nodes})
	return nodes, err
}

// assign has a node fetch a new object. The object is new, so it is in no list yet.
func (b *placing) assign(ctx context.Context, root lock.CID, size, node uint64) error {
	at := slices.IndexFunc(b.candidates, func(n storage.Candidate) bool { return n.Node == node })
	b.candidates[at].Used += size
	added := b.added[node]
	added.Bytes += size
	added.Objects++
	b.added[node] = added
	return b.assignments.Set(ctx, collections.Join(node, root.Bytes()))
}

// save writes what was counted, by node.
func (b *placing) save(ctx context.Context) error {
	for _, c := range b.candidates {
		added, some := b.added[c.Node]
		if !some {
			continue
		}
		usage, err := b.usageOf(ctx, c.Node)
		if err != nil {
			return err
		}
		usage.Bytes += added.Bytes
		usage.Objects += added.Objects
		usage.PendingBytes += added.Bytes
		usage.PendingObjects += added.Objects
		if err := b.usage.Set(ctx, c.Node, usage); err != nil {
			return err
		}
	}
	return b.Keeper.brought.Set(ctx, b.member, b.brought)
}

// Room is what a member may bring in, and what the nodes have room for.
func (k *Keeper) Room(ctx context.Context, member uint64) (storage.Room, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return storage.Room{}, err
	}
	brought, err := k.broughtBy(ctx, member)
	if err != nil {
		return storage.Room{}, err
	}
	candidates, err := k.candidates(ctx)
	return storage.NewRoom(params.Quota, brought.Bytes, candidates), err
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

// add writes an object with its copies and all indexes.
func (k *Keeper) add(ctx context.Context, p storage.PlacedObject) error {
	root, err := lock.ParseCID(p.Object.Cid)
	if err != nil {
		return storage.ErrInvalidCID.Wrap(err.Error())
	}
	if err := k.addObject(ctx, root, storage.PlacedObject{Object: p.Object}); err != nil {
		return err
	}
	for _, c := range p.Copies {
		if err := k.addCopy(ctx, root, p.Object.Size_, c); err != nil {
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

// addObject writes an object with its copies and the ways to find it, without the lists of its nodes.
func (k *Keeper) addObject(ctx context.Context, root lock.CID, placed storage.PlacedObject) error {
	if err := k.objects.Set(ctx, root.Bytes(), placed); err != nil {
		return err
	}
	for _, text := range placed.Object.Attached {
		block, err := lock.ParseRawCID(text)
		if err != nil {
			return storage.ErrInvalidCID.Wrap(err.Error())
		}
		if err := k.attached.Set(ctx, block.Bytes(), root.Bytes()); err != nil {
			return err
		}
	}
	if !placed.Object.Everywhere {
		return nil
	}
	return k.everywhere.Set(ctx, root.Bytes())
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
