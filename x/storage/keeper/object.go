package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/storage"
)

// Object answers an object and its copies by node; storage.ErrInvalidCID or
// storage.ErrUnknownObject where there is none.
func (k *Keeper) Object(ctx context.Context, cid string) (storage.Object, []storage.Copy, error) {
	root, err := lock.ParseCID(cid)
	if err != nil {
		return storage.Object{}, nil, storage.ErrInvalidCID.Wrap(err.Error())
	}
	placed, err := k.objects.Get(ctx, root.Bytes())
	if errors.Is(err, collections.ErrNotFound) {
		return storage.Object{}, nil, storage.ErrUnknownObject.Wrapf("%q", cid)
	}
	return placed.Object, placed.Copies, err
}

// change changes what is kept of an object that there is.
func (k *Keeper) change(ctx context.Context, root []byte, how func(*storage.PlacedObject)) error {
	placed, err := k.objects.Get(ctx, root)
	if err != nil {
		return err
	}
	how(&placed)
	return k.objects.Set(ctx, root, placed)
}

// IsSafe says whether as many distinct domains hold the object as its minimum asks for, on
// nodes that are neither lost nor draining; storage.ErrInvalidCID or storage.ErrUnknownObject
// where there is none.
func (k *Keeper) IsSafe(ctx context.Context, cid string) (bool, error) {
	object, copies, err := k.Object(ctx, cid)
	if err != nil {
		return false, err
	}
	placed, err := k.placed(ctx, object, copies)
	return storage.HeldDomains(placed) >= object.Minimum, err
}

// placed are the copies of an object with where their nodes are and how they stand now.
func (k *Keeper) placed(ctx context.Context, object storage.Object, copies []storage.Copy) ([]storage.Placed, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return nil, err
	}
	placed := make([]storage.Placed, len(copies))
	for i, c := range copies {
		node, err := k.consortium.StorageNode(ctx, c.Node)
		if err != nil {
			return nil, err
		}
		p, err := k.pulse(ctx, c.Node)
		if err != nil {
			return nil, err
		}
		awaited := c.Status != storage.COPY_STATUS_HELD && blockTime(ctx)-c.Since >= params.LostAfter
		placed[i] = storage.Placed{
			Copy: c, Domain: domainOf(node), Lost: p.Lost, Draining: p.Draining, Stuck: awaited && p.Free < object.Size_,
		}
	}
	return placed, nil
}

func domainOf(n consortium.StorageNode) storage.Domain {
	return storage.Domain{Member: n.Member, Site: n.Site}
}

// heldCopies counts the copies that are held on nodes that are not lost.
func heldCopies(copies []storage.Placed) uint32 {
	var held uint32
	for _, c := range copies {
		if c.Status == storage.COPY_STATUS_HELD && !c.Lost {
			held++
		}
	}
	return held
}

// addCopy writes a new copy and counts it for its node.
func (k *Keeper) addCopy(ctx context.Context, root lock.CID, size uint64, c storage.Copy) error {
	usage, err := k.usageOf(ctx, c.Node)
	if err != nil {
		return err
	}
	usage.Bytes += size
	usage.Objects++
	if c.Status != storage.COPY_STATUS_HELD {
		usage.PendingBytes += size
		usage.PendingObjects++
	}
	if err := k.usage.Set(ctx, c.Node, usage); err != nil {
		return err
	}
	return k.setCopy(ctx, root, c)
}

// changeStatus writes a copy with another status, and counts anew what its node has
// still to fetch.
func (k *Keeper) changeStatus(ctx context.Context, root lock.CID, size uint64, c storage.Copy, was storage.CopyStatus) error {
	wasHeld, isHeld := was == storage.COPY_STATUS_HELD, c.Status == storage.COPY_STATUS_HELD
	if wasHeld != isHeld {
		usage, err := k.usageOf(ctx, c.Node)
		if err != nil {
			return err
		}
		if isHeld {
			usage.PendingBytes -= size
			usage.PendingObjects--
		} else {
			usage.PendingBytes += size
			usage.PendingObjects++
		}
		if err := k.usage.Set(ctx, c.Node, usage); err != nil {
			return err
		}
	}
	return k.setCopy(ctx, root, c)
}

// dropCopy forgets a copy: its node need not hold the object.
func (k *Keeper) dropCopy(ctx context.Context, root lock.CID, size uint64, c storage.Copy) error {
	usage, err := k.usageOf(ctx, c.Node)
	if err != nil {
		return err
	}
	usage.Bytes -= size
	usage.Objects--
	if c.Status != storage.COPY_STATUS_HELD {
		usage.PendingBytes -= size
		usage.PendingObjects--
	}
	if usage.Objects == 0 {
		err = k.usage.Remove(ctx, c.Node)
	} else {
		err = k.usage.Set(ctx, c.Node, usage)
	}
	if err != nil {
		return err
	}
	if err := k.change(ctx, root.Bytes(), func(p *storage.PlacedObject) { p.DropCopy(c.Node) }); err != nil {
		return err
	}
	if err := k.assignments.Remove(ctx, collections.Join(c.Node, root.Bytes())); err != nil {
		return err
	}
	return k.holdings.Remove(ctx, collections.Join(c.Node, root.Bytes()))
}

// setCopy writes a copy and moves it between the lists of what its node is to
// fetch and what it holds.
func (k *Keeper) setCopy(ctx context.Context, root lock.CID, c storage.Copy) error {
	if err := k.change(ctx, root.Bytes(), func(p *storage.PlacedObject) { p.SetCopy(c) }); err != nil {
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

// standing is how safe an object is: what is not known to fall short is whole.
func (k *Keeper) standing(ctx context.Context, root lock.CID) (storage.Standing, error) {
	standing, err := k.shortfalls.Get(ctx, root.Bytes())
	if errors.Is(err, collections.ErrNotFound) {
		return storage.STANDING_WHOLE, nil
	}
	return storage.Standing(standing), err
}

// settle is called after an object's copies changed. It drops those that are not needed
// any more, notes how safe the object is, and answers the copies that are left.
func (k *Keeper) settle(ctx context.Context, root lock.CID, object storage.Object, copies []storage.Placed) ([]storage.Placed, error) {
	was, err := k.standing(ctx, root)
	if err != nil {
		return nil, err
	}
	isSuperfluous := object.Superfluous(copies)
	left := make([]storage.Placed, 0, len(copies))
	for _, c := range copies {
		if !isSuperfluous(c) {
			left = append(left, c)
			continue
		}
		if err := k.dropCopy(ctx, root, object.Size_, c.Copy); err != nil {
			return nil, err
		}
	}
	switch is := object.Standing(left, was == storage.STANDING_PLACING); is {
	case was:
		return left, nil
	case storage.STANDING_WHOLE:
		return left, k.shortfalls.Remove(ctx, root.Bytes())
	default:
		return left, k.shortfalls.Set(ctx, root.Bytes(), uint32(is))
	}
}
