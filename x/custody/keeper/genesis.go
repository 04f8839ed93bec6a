package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/x/custody"
)

// InitGenesis writes the state of the first block. The genesis was validated; a
// holder of an active epoch that is no member is refused here.
func (k *Keeper) InitGenesis(ctx context.Context, g *custody.GenesisState) error {
	if err := k.setParams(ctx, g.Params); err != nil {
		return err
	}
	for _, key := range g.Keys {
		if err := k.keys.Set(ctx, collections.Join(uint64(key.Kind), key.Generation), key); err != nil {
			return err
		}
	}
	for _, h := range g.Holders {
		key, err := k.Key(ctx, h.Kind, h.Generation)
		if err != nil {
			return err
		}
		if h.ShareEpoch == key.ShareEpoch {
			if _, err := k.consortium.Member(ctx, h.Index); err != nil {
				return fmt.Errorf("holder %d: %w", h.Index, err)
			}
		}
		if err := k.setHolder(ctx, h); err != nil {
			return err
		}
	}
	for _, s := range g.Shares {
		if err := k.setShare(ctx, s); err != nil {
			return fmt.Errorf("share of %d for unlock %q: %w", s.Index, s.Unlock, err)
		}
	}
	for _, r := range g.Releases {
		if err := k.initRelease(ctx, r); err != nil {
			return fmt.Errorf("release %q: %w", r.Unlock, err)
		}
	}
	for _, key := range g.RoundKeys {
		if err := k.roundKeys.Set(ctx, collections.Join3(uint64(key.Kind), key.Generation, key.Member), key.Key); err != nil {
			return err
		}
	}
	for _, r := range g.Rounds {
		if err := k.initRound(ctx, r); err != nil {
			return fmt.Errorf("round for %s/%d: %w", r.Kind, r.Generation, err)
		}
	}
	return nil
}

// initRelease writes a release, and that it waits for shares.
func (k *Keeper) initRelease(ctx context.Context, r custody.Release) error {
	id, err := custody.ParseUnlockID(r.Unlock)
	if err != nil {
		return err
	}
	if err := k.releases.Set(ctx, id.Bytes(), r); err != nil {
		return err
	}
	if r.Status != custody.RELEASE_STATUS_PENDING {
		return nil
	}
	return k.pending.Set(ctx, id.Bytes())
}

// initRound writes a round that has begun. Its receivers are members.
func (k *Keeper) initRound(ctx context.Context, r custody.Round) error {
	for _, number := range r.Receivers {
		if _, err := k.consortium.Member(ctx, number); err != nil {
			return err
		}
	}
	return k.setRound(ctx, r)
}

// ExportGenesis reads the whole state, each part in the order of its keys. A round
// that runs is exported as its next attempt, and what it had made is left out: what
// was sealed to its round keys must not be opened by the keys of another chain.
func (k *Keeper) ExportGenesis(ctx context.Context) (*custody.GenesisState, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return nil, err
	}
	g := &custody.GenesisState{Params: params}
	if err := k.keys.Walk(ctx, nil, func(_ keyKey, key custody.Key) (bool, error) {
		g.Keys = append(g.Keys, key)
		return false, nil
	}); err != nil {
		return nil, err
	}
	if err := k.exportRounds(ctx, g); err != nil {
		return nil, err
	}
	if err := k.exportHolders(ctx, g); err != nil {
		return nil, err
	}
	if err := k.releases.Walk(ctx, nil, func(_ []byte, r custody.Release) (bool, error) {
		g.Releases = append(g.Releases, r)
		return false, nil
	}); err != nil {
		return nil, err
	}
	if err := k.shares.Walk(ctx, nil, func(_ shareKey, s custody.Share) (bool, error) {
		g.Shares = append(g.Shares, s)
		return false, nil
	}); err != nil {
		return nil, err
	}
	return g, nil
}

// exportRounds reads the rounds that run.
func (k *Keeper) exportRounds(ctx context.Context, g *custody.GenesisState) error {
	return k.running.Walk(ctx, nil, func(id keyKey) (bool, error) {
		r, err := k.rounds.Get(ctx, id)
		if err != nil {
			return true, err
		}
		next := custody.Round{
			Kind: r.Kind, Generation: r.Generation, ShareEpoch: r.ShareEpoch, Attempt: r.Attempt, Phase: custody.ROUND_PHASE_KEYS,
			OldThreshold: r.OldThreshold, StartedAt: r.StartedAt, Awaited: r.Awaited,
		}
		if r.Phase != custody.ROUND_PHASE_KEYS || r.Received != 0 {
			if next.Awaited, err = k.countServing(ctx); err != nil {
				return true, err
			}
			next.Attempt++
		}
		g.Rounds = append(g.Rounds, next)
		return false, nil
	})
}

// exportHolders reads the holders of the epochs that are or were in force.
func (k *Keeper) exportHolders(ctx context.Context, g *custody.GenesisState) error {
	active := map[keyID]uint64{}
	for _, key := range g.Keys {
		active[keyID{key.Kind, key.Generation}] = key.ShareEpoch
	}
	return k.holders.Walk(ctx, nil, func(_ holderKey, h custody.Holder) (bool, error) {
		if h.ShareEpoch <= active[keyID{h.Kind, h.Generation}] {
			g.Holders = append(g.Holders, h)
		}
		return false, nil
	})
}
