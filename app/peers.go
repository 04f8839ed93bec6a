package app

import (
	"context"
	"maps"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/consortium"
)

// introduced are CometBFT ids that may connect until the state has come to a height.
type introduced struct {
	height int64
	ids    map[string]bool
}

// AdmitPeers names the members and storage nodes of a height, whose nodes may connect as long as the chain's own state has not come so far: before the
// first block, at height 0 those of the genesis, and while a node fetches a snapshot or reads the blocks of the past, in which others were members.
func (app *App) AdmitPeers(height int64, members []consortium.Member, nodes []consortium.StorageNode) {
	if app.LastBlockHeight() > 0 && app.LastBlockHeight() >= height {
		return
	}
	ids := admissible(members, nodes)
	app.introduced.Store(&introduced{height: height, ids: ids})
	own := app.Peers()
	if own == nil {
		own = map[string]bool{}
	}
	maps.Copy(own, ids)
	app.peers.Store(&own)
}

// Peers are the CometBFT ids that may connect now.
func (app *App) Peers() map[string]bool {
	if peers := app.peers.Load(); peers != nil {
		return maps.Clone(*peers)
	}
	return nil
}

// RefusePeers admits nobody from now on. A node that stops would take the connections of peers that call again at once, and keep them
// without a word.
func (app *App) RefusePeers() { app.refusing.Store(true) }

// filterPeer answers whether a peer with this id may connect; CometBFT asks for each connection, in either direction.
func (app *App) filterPeer(id string) *abci.ResponseQuery {
	if app.refusing.Load() {
		return &abci.ResponseQuery{Code: 1, Log: "the node is stopping"}
	}
	if peers := app.peers.Load(); peers != nil && (*peers)[id] {
		return &abci.ResponseQuery{}
	}
	return &abci.ResponseQuery{Code: 1, Log: "peer " + id + " is no member of the network"}
}

// refreshPeers takes the list of peers from the latest committed state. Where that can't be read the list stays: the node reads it
// at every block.
func (app *App) refreshPeers() {
	if app.LastBlockHeight() == 0 {
		return
	}
	ctx, err := app.latest()
	if err == nil {
		err = app.admitFrom(ctx)
	}
	if err != nil {
		app.Logger().Error("read the list of peers", "err", err)
	}
}

// admitFrom takes the list of peers from a state.
func (app *App) admitFrom(ctx sdk.Context) error {
	members, err := app.members(ctx)
	if err != nil {
		return err
	}
	all, err := app.Consortium.StorageNodes(ctx)
	if err != nil {
		return err
	}
	var nodes []consortium.StorageNode
	for _, n := range all {
		out, err := app.Storage.IsOut(ctx, n)
		if err != nil {
			return err
		}
		if !out {
			nodes = append(nodes, n)
		}
	}
	ids := admissible(members, nodes)
	if err := app.admitFormer(ctx, members, ids); err != nil {
		return err
	}
	if other := app.introduced.Load(); other != nil && ctx.BlockHeight() < other.height {
		maps.Copy(ids, other.ids)
	}
	app.peers.Store(&ids)
	return nil
}

// admitFormer adds the ids of servers whose keys were replaced a short while ago. It goes by this machine's clock: who connects is no matter
// of the state.
func (app *App) admitFormer(ctx sdk.Context, members []consortium.Member, ids map[string]bool) error {
	now := time.Now().Unix()
	for _, m := range members {
		if m.Status == consortium.MEMBER_STATUS_LEFT {
			continue
		}
		former, err := app.Consortium.LastFormerKeys(ctx, m.Number)
		if err != nil {
			return err
		}
		if former.MayConnect(now) {
			ids[former.CometId] = true
		}
	}
	return nil
}

// admissible are the own servers of the members that have not left, and of the storage nodes, which are not shut out, those
// of active members: a suspended member's own server follows the chain, to be there when it is reinstated, and nothing else of its
// does.
func admissible(members []consortium.Member, nodes []consortium.StorageNode) map[string]bool {
	ids, active := make(map[string]bool, len(nodes)), make(map[uint64]bool, len(members))
	for _, m := range members {
		active[m.Number] = m.IsActive()
		if m.Status != consortium.MEMBER_STATUS_LEFT {
			ids[m.CometId] = true
		}
	}
	for _, n := range nodes {
		if active[n.Member] {
			ids[n.CometId] = true
		}
	}
	return ids
}

// listener hears of each block that was committed.
type listener struct {
	app       *App
	committed func()
}

var _ storetypes.ABCIListener = listener{}

// ListenFinalizeBlock does nothing: what matters is read from the committed state.
func (listener) ListenFinalizeBlock(context.Context, abci.RequestFinalizeBlock, abci.ResponseFinalizeBlock) error {
	return nil
}

// ListenCommit wakes those who wait for a block.
func (l listener) ListenCommit(context.Context, abci.ResponseCommit, []*storetypes.StoreKVPair) error {
	l.app.awake.Store(true)
	l.app.refreshPeers()
	if l.committed != nil {
		l.committed()
	}
	return nil
}
