package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/x/custody"
)

// InitGenesis writes the state of the first block. The genesis was validated; a
// holder of an active epoch that is no member is refused here. What holders wait
// for follows from releases and shares.
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
	return nil
}

// initRelease writes a release and lets the holders without a share wait for it.
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
	key, err := k.Key(ctx, r.Kind, r.Generation)
	if err != nil {
		return err
	}
	holders, err := k.Holders(ctx, key, key.ShareEpoch)
	if err != nil {
		return err
	}
	for _, h := range holders {
		given, err := k.shares.Has(ctx, collections.Join3(id.Bytes(), h.ShareEpoch, h.Index))
		if err != nil {
			return err
		}
		if given || !h.Confirmed {
			continue
		}
		if err := k.waiting.Set(ctx, collections.Join(h.Index, id.Bytes())); err != nil {
			return err
		}
	}
	return nil
}

// ExportGenesis reads the whole state, each part in the order of its keys.
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
	if err := k.holders.Walk(ctx, nil, func(_ holderKey, h custody.Holder) (bool, error) {
		g.Holders = append(g.Holders, h)
		return false, nil
	}); err != nil {
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
