package app

import (
	"context"
	"fmt"

	cometproto "github.com/cometbft/cometbft/proto/tendermint/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// latest is a context to read the latest committed state, which there must be. Its header has a height and no time. Unlike a
// query it works right after a restart, before the next block, and what it reads is bounded by the reader, not by gas.
func (app *App) latest() (sdk.Context, error) {
	height := app.LastBlockHeight()
	store, err := app.CommitMultiStore().CacheMultiStoreWithVersion(height)
	if err != nil {
		return sdk.Context{}, fmt.Errorf("state at height %d: %w", height, err)
	}
	return sdk.NewContext(store, cometproto.Header{ChainID: app.ChainID(), Height: height}, false, app.Logger()), nil
}

// Members lists the members of the latest committed state by number.
func (app *App) Members() ([]consortium.Member, error) {
	ctx, err := app.latest()
	if err != nil {
		return nil, err
	}
	return app.members(ctx)
}

// Log reads the log of the latest committed state. It is empty before the first block.
type Log struct{ app *App }

// Log returns the log.
func (app *App) Log() Log { return Log{app: app} }

// Frontier is the right edge of the tree over all entries.
func (l Log) Frontier(context.Context) (audit.Frontier, error) {
	if l.app.LastBlockHeight() == 0 {
		return audit.Frontier{}, nil
	}
	ctx, err := l.app.latest()
	if err != nil {
		return audit.Frontier{}, err
	}
	return l.app.Audit.Frontier(ctx)
}

// Entries answers the entries from a sequence on in their order, at most limit of them.
func (l Log) Entries(_ context.Context, from uint64, limit int) ([]audit.Entry, error) {
	if l.app.LastBlockHeight() == 0 {
		return nil, nil
	}
	ctx, err := l.app.latest()
	if err != nil {
		return nil, err
	}
	return l.app.Audit.Entries(ctx, from, limit)
}
