package keeper

import (
	"context"
	"errors"
	"strconv"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/storage"
)

var (
	_ consortium.NodeHooks       = (*Keeper)(nil)
	_ consortium.MembershipHooks = (*Keeper)(nil)
)

// pulse is what is known of a node's life: nothing, for one that was never heard of.
func (k *Keeper) pulse(ctx context.Context, node uint64) (storage.Pulse, error) {
	p, err := k.pulses.Get(ctx, node)
	if errors.Is(err, collections.ErrNotFound) {
		return storage.Pulse{Node: node}, nil
	}
	return p, err
}

// IsOut says whether a node is shut out of the network: it was retired, nothing is placed
// on it any more, and it has attested each erasure that it was asked to attest, or was
// lost. Nothing is placed on it nor asked of it again, so that it stays so; only one that
// was lost and beats again is let in, to attest. A member's own server never is shut out,
// for it does more than store.
func (k *Keeper) IsOut(ctx context.Context, n consortium.StorageNode) (bool, error) {
	if !n.Retired {
		return false, nil
	}
	own, err := k.consortium.MemberNode(ctx, n.Member)
	if err != nil || own.Number == n.Number {
		return false, err
	}
	usage, err := k.usageOf(ctx, n.Number)
	if err != nil || usage.Objects > 0 {
		return false, err
	}
	owes, err := k.stillOwes(ctx, n.Number)
	return !owes && err == nil, err
}

// now is what the network's clock shows in this block, and the rules by which it goes.
func (k *Keeper) now(ctx context.Context) (int64, storage.Params, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return 0, params, err
	}
	clock, err := k.clock.Get(ctx)
	return clock.Now(blockTime(ctx), params.HeartbeatInterval), params, err
}

// Heartbeat notes that a node is there and how much room it has. It is an entry of the
// log only when the node was lost.
func (s msgServer) Heartbeat(ctx context.Context, msg *storage.MsgHeartbeat) (*storage.MsgHeartbeatResponse, error) {
	who, entry, err := s.consortium.Actor(ctx, msg.Node)
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
	was, err := s.pulse(ctx, node.Number)
	if err != nil {
		return nil, err
	}
	now, _, err := s.now(ctx)
	if err != nil {
		return nil, err
	}
	is := was
	is.BeatAt, is.Running, is.Free, is.Lost = blockTime(ctx), now, msg.Free, false
	if was.Lost || was.BeatAt == 0 {
		is.Since = blockTime(ctx)
	}
	if err := s.beat(ctx, was, is); err != nil {
		return nil, err
	}
	if err := s.clock.Set(ctx, storage.Clock{Running: now, At: blockTime(ctx)}); err != nil {
		return nil, err
	}
	if was.Lost {
		if err := s.returned(ctx, is, entry); err != nil {
			return nil, err
		}
	}
	if is.TakesCopies() && (!was.TakesCopies() || hasMoreRoom(was.Free, is.Free)) {
		if err := s.grow(ctx); err != nil {
			return nil, err
		}
	}
	return &storage.MsgHeartbeatResponse{}, s.unstick(ctx, is)
}

// unstick has looked at what a node is to fetch where its disk has no room for all of it.
func (k *Keeper) unstick(ctx context.Context, p storage.Pulse) error {
	usage, err := k.usageOf(ctx, p.Node)
	if err != nil || usage.PendingBytes <= p.Free {
		return err
	}
	return k.begin(ctx, collections.Join(sweepAssignments, p.Node))
}

// hasMoreRoom says whether room has risen so far that it is worth a look at what found
// none: by more than a twentieth.
func hasMoreRoom(was, is uint64) bool { return is > was && is-was > was/20 }

// beat writes what is known of a node and when it will be missed.
func (k *Keeper) beat(ctx context.Context, was, is storage.Pulse) error {
	if err := k.beats.Remove(ctx, collections.Join(was.Running, was.Node)); err != nil {
		return err
	}
	if err := k.beats.Set(ctx, collections.Join(is.Running, is.Node)); err != nil {
		return err
	}
	return k.pulses.Set(ctx, is.Node, is)
}

// returned stops the search for others to hold what a node held, and writes that it is
// back. What it was found to have lost by then it has among its assignments, as long as
// others have not taken over.
func (k *Keeper) returned(ctx context.Context, p storage.Pulse, entry audit.Entry) error {
	if !p.Draining {
		if err := k.stopSweeps(ctx, p.Node); err != nil {
			return err
		}
	}
	entry.Kind, entry.Target, entry.Outcome = audit.KindNodeReturned, strconv.FormatUint(p.Node, 10), audit.OUTCOME_OK
	if _, err := k.audit.Append(ctx, entry); err != nil {
		return err
	}
	return tellNode(ctx, p.Node, storage.NODE_STATUS_ALIVE)
}

// loseSilent declares the nodes lost that were silent for too long, at most
// storage.MaxLossesPerBlock in a block.
func (k *Keeper) loseSilent(ctx context.Context) error {
	now, params, err := k.now(ctx)
	if err != nil {
		return err
	}
	var silent []uint64
	due := collections.NewPrefixUntilPairRange[int64, uint64](now - params.LostAfter)
	if err := k.beats.Walk(ctx, due, func(key beatKey) (bool, error) {
		silent = append(silent, key.K2())
		return len(silent) >= storage.MaxLossesPerBlock, nil
	}); err != nil {
		return err
	}
	for _, node := range silent {
		if err := k.lose(ctx, node); err != nil {
			return err
		}
	}
	return nil
}

// lose declares a node lost. What it held is looked through block by block. One that is
// shut out is silent because of that, and nobody is to look for it.
func (k *Keeper) lose(ctx context.Context, node uint64) error {
	p, err := k.pulses.Get(ctx, node)
	if err != nil {
		return err
	}
	if err := k.beats.Remove(ctx, collections.Join(p.Running, node)); err != nil {
		return err
	}
	n, err := k.consortium.StorageNode(ctx, node)
	if err != nil {
		return err
	}
	if out, err := k.IsOut(ctx, n); err != nil || out {
		return err
	}
	p.Lost, p.Since = true, blockTime(ctx)
	if err := k.pulses.Set(ctx, node, p); err != nil {
		return err
	}
	if err := k.startSweeps(ctx, node); err != nil {
		return err
	}
	entry := audit.Entry{Kind: audit.KindNodeLost, Role: audit.RoleChain, Target: strconv.FormatUint(node, 10), Outcome: audit.OUTCOME_OK}
	if _, err := k.audit.Append(ctx, entry); err != nil {
		return err
	}
	return tellNode(ctx, node, storage.NODE_STATUS_LOST)
}

// NodesChanged implements consortium.NodeHooks: the nodes of a member that may not get
// copies any more are drained, and those that may again are not.
func (k *Keeper) NodesChanged(ctx context.Context, member uint64) error {
	m, err := k.consortium.Member(ctx, member)
	if err != nil {
		return err
	}
	nodes, err := k.consortium.NodesOf(ctx, member)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if err := k.drain(ctx, n.Number, n.Retired || !m.Stays(), m.IsActive()); err != nil {
			return err
		}
	}
	return nil
}

// drain begins or ends to move a node's copies elsewhere. A node whose member may not
// write sends no heartbeats, and is not missed for it.
func (k *Keeper) drain(ctx context.Context, node uint64, draining, mayWrite bool) error {
	p, err := k.pulses.Get(ctx, node)
	if errors.Is(err, collections.ErrNotFound) {
		return k.pulses.Set(ctx, node, storage.Pulse{Node: node, Since: blockTime(ctx), Draining: draining})
	}
	if err != nil {
		return err
	}
	if err := k.watch(ctx, &p, mayWrite); err != nil {
		return err
	}
	if p.Draining == draining {
		return nil
	}
	p.Draining, p.Since = draining, blockTime(ctx)
	if err := k.pulses.Set(ctx, node, p); err != nil {
		return err
	}
	if draining {
		if err := k.startSweeps(ctx, node); err != nil {
			return err
		}
		return tellNode(ctx, node, storage.NODE_STATUS_DRAINING)
	}
	if !p.TakesCopies() {
		return nil
	}
	if err := k.stopSweeps(ctx, node); err != nil {
		return err
	}
	return k.grow(ctx)
}

// watch has a node missed when it falls silent, or not. Who begins to be watched counts
// as heard of when the last heartbeat of anybody was.
func (k *Keeper) watch(ctx context.Context, p *storage.Pulse, mayWrite bool) error {
	watched, err := k.beats.Has(ctx, collections.Join(p.Running, p.Node))
	if err != nil || watched == mayWrite {
		return err
	}
	if !mayWrite {
		return k.beats.Remove(ctx, collections.Join(p.Running, p.Node))
	}
	if p.Lost || p.BeatAt == 0 {
		return nil
	}
	clock, err := k.clock.Get(ctx)
	if err != nil {
		return err
	}
	was := *p
	p.Running = clock.Running
	return k.beat(ctx, was, *p)
}

// Admitted implements consortium.MembershipHooks: a new member's nodes get copies from
// their first heartbeat on.
func (k *Keeper) Admitted(ctx context.Context, member uint64) error {
	return k.NodesChanged(ctx, member)
}

// Leaving implements consortium.MembershipHooks: all nodes of the member are drained.
func (k *Keeper) Leaving(ctx context.Context, member uint64) (copies uint64, err error) {
	nodes, err := k.consortium.NodesOf(ctx, member)
	if err != nil {
		return 0, err
	}
	for _, n := range nodes {
		usage, err := k.usageOf(ctx, n.Number)
		if err != nil {
			return 0, err
		}
		copies += usage.Objects
		if err := k.drain(ctx, n.Number, true, true); err != nil {
			return 0, err
		}
	}
	return copies, nil
}

// ReadyToLeave implements consortium.MembershipHooks: a member may leave when no object
// needs a copy on a node of its any more, and each node has attested what it was asked
// to attest, or was lost.
func (k *Keeper) ReadyToLeave(ctx context.Context, member uint64) (bool, error) {
	nodes, err := k.consortium.NodesOf(ctx, member)
	if err != nil {
		return false, err
	}
	for _, n := range nodes {
		usage, err := k.usageOf(ctx, n.Number)
		if err != nil || usage.Objects > 0 {
			return false, err
		}
		if owes, err := k.stillOwes(ctx, n.Number); err != nil || owes {
			return false, err
		}
	}
	return true, nil
}

// stillOwes says whether a node that may be heard of again has an erasure to attest.
func (k *Keeper) stillOwes(ctx context.Context, node uint64) (bool, error) {
	owed, err := k.owes(ctx, node)
	if err != nil || owed == 0 {
		return false, err
	}
	pulse, err := k.pulse(ctx, node)
	return !pulse.Lost, err
}

// Left implements consortium.MembershipHooks: what is still placed on the member's nodes
// is lost, for nobody talks to them any more.
func (k *Keeper) Left(ctx context.Context, member uint64) error {
	nodes, err := k.consortium.NodesOf(ctx, member)
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
		if pulse.Lost || usage.Objects == 0 {
			continue
		}
		if err := k.lose(ctx, n.Number); err != nil {
			return err
		}
	}
	return nil
}

// tellNode wakes those who follow the nodes.
func tellNode(ctx context.Context, node uint64, status storage.NodeStatus) error {
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&storage.EventNodeChanged{Node: node, Status: status})
}
