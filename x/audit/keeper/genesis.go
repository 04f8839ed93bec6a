package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/audit"
)

// InitGenesis writes a log that was validated. A log that ends after the chain
// begins is refused, for the times of entries never go back.
func (k *Keeper) InitGenesis(ctx context.Context, g *audit.GenesisState) error {
	n := len(g.Entries)
	if n == 0 {
		return nil
	}
	if last, now := g.Entries[n-1].Time, sdk.UnwrapSDKContext(ctx).BlockTime().Unix(); last > now {
		return audit.ErrInvalidGenesis.Wrapf("entry %d: time %d is after the first block's %d", n, last, now)
	}
	var f audit.Frontier
	for _, e := range g.Entries {
		if err := k.write(ctx, e, &f); err != nil {
			return err
		}
	}
	return k.frontier.Set(ctx, f)
}

// ExportGenesis reads the whole log.
func (k *Keeper) ExportGenesis(ctx context.Context) (*audit.GenesisState, error) {
	g := audit.DefaultGenesis()
	err := k.entries.Walk(ctx, nil, func(_ uint64, e audit.Entry) (bool, error) {
		g.Entries = append(g.Entries, e)
		return false, nil
	})
	return g, err
}
