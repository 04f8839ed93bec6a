package server

import (
	"errors"
	"fmt"

	cometconfig "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cometstate "github.com/cometbft/cometbft/state"
	comettypes "github.com/cometbft/cometbft/types"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/x/consortium"
)

// ErrNewKeys says that the network knows new keys of this hospital's server, which takes them when it starts again.
var ErrNewKeys = errors.New("the network knows new keys of this server")

// takeKeys puts the home's new keys in place where the network knows them. The old consensus key stays as long as it validates the next block;
// the server takes the new one when it starts again after that.
func (ch *chain) takeKeys(c Config, files home.Config) error {
	if c.Home.StorageOnly() || ch.fetch != nil {
		return nil
	}
	next, err := c.Home.NextKeys()
	if err != nil || next == nil {
		return err
	}
	known, err := ch.knows(next)
	if err != nil || !known {
		return err
	}
	validators, err := nextValidators(files.Comet)
	if err != nil {
		return err
	}
	own, err := c.Home.ConsensusKeys()
	if err != nil {
		return err
	}
	old := ed25519.PubKey(own[0])
	validates := validators != nil && validators.HasAddress(old.Address()) && !old.Equals(ed25519.PubKey(next.ConsensusKey))
	if err := c.Home.TakeKeys(c.Keys, !validates); err != nil {
		return err
	}
	c.Logger.Info("the server has its new keys", "comet_id", consortium.CometID(next.CometKey), "validator", !validates)
	return nil
}

// knows says whether the latest state names these keys as those of a member.
func (ch *chain) knows(next *consortium.MsgRotateMemberKeys) (bool, error) {
	if ch.app.LastBlockHeight() == 0 {
		return false, nil
	}
	members, err := ch.app.Members()
	if err != nil {
		return false, err
	}
	id := consortium.CometID(next.CometKey)
	for _, m := range members {
		if m.CometId == id {
			return true, nil
		}
	}
	return false, nil
}

// nextValidators are those of the next block by CometBFT's own state; nil before the first one.
func nextValidators(config *cometconfig.Config) (validators *comettypes.ValidatorSet, err error) {
	db, err := cometconfig.DefaultDBProvider(&cometconfig.DBContext{ID: "state", Config: config})
	if err != nil {
		return nil, fmt.Errorf("open the chain's state: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	state, err := cometstate.NewStore(db, cometstate.StoreOptions{}).Load()
	if err != nil {
		return nil, fmt.Errorf("read the chain's state: %w", err)
	}
	return state.Validators, nil
}

// renewal notices that the network knows new keys of the server.
type renewal struct {
	// seen is the height at which it did first.
	seen int64
}

// isDue says whether the server is to start again with new keys: one block after the network knows them, since the old consensus key signs
// that one.
func (r *renewal) isDue(ch *chain, h home.Home) (bool, error) {
	if h.StorageOnly() || ch.fetch != nil {
		return false, nil
	}
	next, err := h.NextKeys()
	if err != nil || next == nil {
		return false, err
	}
	known, err := ch.knows(next)
	if err != nil || !known {
		return false, err
	}
	height := ch.app.LastBlockHeight()
	if r.seen == 0 {
		r.seen = height
	}
	return height > r.seen, nil
}
