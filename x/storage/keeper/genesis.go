package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/storage"
)

// InitGenesis writes the state of the first block. The genesis was validated; a
// node that the consortium does not know is refused here. Usage and indexes follow
// from the objects and their copies.
func (k *Keeper) InitGenesis(ctx context.Context, g *storage.GenesisState) error {
	if err := k.setParams(ctx, g.Params); err != nil {
		return err
	}
	for _, p := range g.Objects {
		for _, c := range p.Copies {
			if _, err := k.consortium.StorageNode(ctx, c.Node); err != nil {
				return fmt.Errorf("object %q: node %d: %w", p.Object.Cid, c.Node, err)
			}
		}
		if err := k.add(ctx, p); err != nil {
			return fmt.Errorf("object %q: %w", p.Object.Cid, err)
		}
	}
	if err := k.initErasures(ctx, g); err != nil {
		return err
	}
	if err := k.initPulses(ctx, g); err != nil {
		return err
	}
	if err := k.initProofs(ctx, g); err != nil {
		return err
	}
	for _, s := range g.Shortfalls {
		root, err := lock.ParseCID(s.Cid)
		if err != nil {
			return storage.ErrInvalidCID.Wrap(err.Error())
		}
		if err := k.shortfalls.Set(ctx, root.Bytes(), uint32(s.Standing)); err != nil {
			return err
		}
	}
	if len(g.Shortfalls) > 0 {
		// Which of them lack room is not in the genesis; to look at all of them once is enough.
		if err := k.crowded.Set(ctx, true); err != nil {
			return err
		}
	}
	for _, s := range g.Sweeps {
		if err := k.sweeps.Set(ctx, collections.Join(s.List, s.Node), append([]byte{}, s.After...)); err != nil {
			return err
		}
	}
	return nil
}

// initPulses starts the clock. A node of which the genesis says nothing counts as heard
// of now, with as much room as its member registered.
func (k *Keeper) initPulses(ctx context.Context, g *storage.GenesisState) error {
	now := blockTime(ctx)
	clock := g.Clock
	if clock == (storage.Clock{}) {
		clock.At = now
	}
	if err := k.clock.Set(ctx, clock); err != nil {
		return err
	}
	known := make(map[uint64]storage.Pulse, len(g.Pulses))
	for _, p := range g.Pulses {
		if _, err := k.consortium.StorageNode(ctx, p.Node); err != nil {
			return fmt.Errorf("pulse of node %d: %w", p.Node, err)
		}
		known[p.Node] = p
	}
	nodes, err := k.consortium.StorageNodes(ctx)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		m, err := k.consortium.Member(ctx, n.Member)
		if err != nil {
			return err
		}
		p, isKnown := known[n.Number]
		if !isKnown {
			p = storage.Pulse{Node: n.Number, BeatAt: now, Running: clock.Running, Free: n.Capacity, Since: now, Draining: n.Retired || !m.Stays()}
		}
		if err := k.pulses.Set(ctx, n.Number, p); err != nil {
			return err
		}
		if m.IsActive() && !p.Lost && p.BeatAt != 0 {
			if err := k.beats.Set(ctx, collections.Join(p.Running, n.Number)); err != nil {
				return err
			}
		}
	}
	return nil
}

// initProofs begins with an epoch in which nothing is asked.
func (k *Keeper) initProofs(ctx context.Context, g *storage.GenesisState) error {
	epoch := g.Epoch
	if len(epoch.Seed) == 0 {
		epoch = storage.FirstEpoch(sdk.UnwrapSDKContext(ctx).ChainID())
	}
	epoch.Mix, epoch.Step, epoch.Since = make([]byte, 32), storage.EPOCH_STEP_OPEN, blockTime(ctx)
	if err := k.epoch.Set(ctx, epoch); err != nil {
		return err
	}
	for _, s := range g.Strikes {
		if _, err := k.consortium.StorageNode(ctx, s.Node); err != nil {
			return fmt.Errorf("strikes against node %d: %w", s.Node, err)
		}
		if err := k.strikes.Set(ctx, s.Node, s.Count); err != nil {
			return err
		}
	}
	return nil
}

// ExportGenesis reads the state: objects by CID, the copies of each by node. Of the epoch of
// proofs it reads the number and the seed alone, so that no reveal is used twice.
func (k *Keeper) ExportGenesis(ctx context.Context) (*storage.GenesisState, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return nil, err
	}
	g := &storage.GenesisState{Params: params}
	if err := k.objects.Walk(ctx, nil, func(_ []byte, p storage.PlacedObject) (bool, error) {
		g.Objects = append(g.Objects, p)
		return false, nil
	}); err != nil {
		return nil, err
	}
	if err := k.exportRepairs(ctx, g); err != nil {
		return nil, err
	}
	if err := k.exportErasures(ctx, g); err != nil {
		return nil, err
	}
	return g, k.exportProofs(ctx, g)
}

func (k *Keeper) exportProofs(ctx context.Context, g *storage.GenesisState) error {
	epoch, err := k.epoch.Get(ctx)
	if err != nil {
		return err
	}
	g.Epoch = storage.Epoch{Number: epoch.Number, Seed: epoch.Seed}
	return k.strikes.Walk(ctx, nil, func(node, count uint64) (bool, error) {
		g.Strikes = append(g.Strikes, storage.Strikes{Node: node, Count: count})
		return false, nil
	})
}

// exportRepairs reads what is known of nodes, and what is left to do.
func (k *Keeper) exportRepairs(ctx context.Context, g *storage.GenesisState) error {
	var err error
	if g.Clock, err = k.clock.Get(ctx); err != nil {
		return err
	}
	if err := k.pulses.Walk(ctx, nil, func(_ uint64, p storage.Pulse) (bool, error) {
		g.Pulses = append(g.Pulses, p)
		return false, nil
	}); err != nil {
		return err
	}
	if err := k.shortfalls.Walk(ctx, nil, func(key []byte, standing uint32) (bool, error) {
		root, err := lock.CIDFromBytes(key)
		g.Shortfalls = append(g.Shortfalls, storage.Shortfall{Cid: root.String(), Standing: storage.Standing(standing)})
		return false, err
	}); err != nil {
		return err
	}
	return k.sweeps.Walk(ctx, nil, func(key sweepKey, after []byte) (bool, error) {
		g.Sweeps = append(g.Sweeps, storage.Sweep{List: key.K1(), Node: key.K2(), After: after})
		return false, nil
	})
}
