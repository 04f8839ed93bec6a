package keeper

import (
	"context"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/x/storage"
)

// Health tells how safe the network's objects are, and where each node stands. It reads
// as much as there are nodes and members, and of the objects only those that are not
// whole, at most storage.MaxShortfalls.
func (q queryServer) Health(ctx context.Context, _ *storage.QueryHealthRequest) (*storage.QueryHealthResponse, error) {
	res := &storage.QueryHealthResponse{}
	for _, read := range []func(context.Context, *storage.QueryHealthResponse) error{
		q.k.readNodes, q.k.readMembers, q.k.readShortfalls, q.k.readSweeps,
	} {
		if err := read(ctx, res); err != nil {
			return nil, asStatus(err)
		}
	}
	return res, nil
}

func (k *Keeper) readNodes(ctx context.Context, into *storage.QueryHealthResponse) error {
	now, params, err := k.now(ctx)
	if err != nil {
		return err
	}
	nodes, err := k.consortium.StorageNodes(ctx)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		pulse, err := k.pulse(ctx, n.Number)
		if err != nil {
			return err
		}
		usage, err := k.usageOf(ctx, n.Number)
		if err != nil {
			return err
		}
		strikes, err := k.strikesOf(ctx, n.Number)
		if err != nil {
			return err
		}
		status := pulse.Status(now, params)
		out, err := k.hasLeft(ctx, n)
		if err != nil {
			return err
		}
		if out && usage.Objects == 0 {
			status = storage.NODE_STATUS_RETIRED
		}
		into.Nodes = append(into.Nodes, storage.NodeHealth{
			Node: n.Number, Member: n.Member, Site: n.Site, Status: status, Since: pulse.Since,
			BeatAt: pulse.BeatAt, Silent: pulse.Silence(now), Capacity: n.Capacity, Free: pulse.Free, Usage: usage, Strikes: strikes,
		})
		into.Copies += usage.Objects
		into.Held += usage.Objects - usage.PendingObjects
	}
	return nil
}

func (k *Keeper) readMembers(ctx context.Context, into *storage.QueryHealthResponse) error {
	return k.brought.Walk(ctx, nil, func(_ uint64, u storage.MemberUsage) (bool, error) {
		into.Members = append(into.Members, u)
		into.Objects += u.Objects
		return false, nil
	})
}

func (k *Keeper) readShortfalls(ctx context.Context, into *storage.QueryHealthResponse) error {
	seen := 0
	return k.shortfalls.Walk(ctx, nil, func(_ []byte, standing uint32) (bool, error) {
		if seen == storage.MaxShortfalls {
			into.More = true
			return true, nil
		}
		seen++
		switch storage.Standing(standing) {
		case storage.STANDING_PLACING:
			into.Placing++
		case storage.STANDING_REPAIRING:
			into.Repairing++
		case storage.STANDING_ENDANGERED:
			into.Endangered++
		case storage.STANDING_UNRECOVERABLE:
			into.Unrecoverable++
		default:
			return true, storage.ErrInvalidPlacement.Wrapf("standing %d", standing)
		}
		return false, nil
	})
}

func (k *Keeper) readSweeps(ctx context.Context, into *storage.QueryHealthResponse) error {
	return k.sweeps.Walk(ctx, nil, func(collections.Pair[uint64, uint64], []byte) (bool, error) {
		into.Sweeping++
		return false, nil
	})
}
