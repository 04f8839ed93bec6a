package server

import (
	"context"
	"errors"
	"time"

	"cosmossdk.io/log/v2"
	"github.com/cometbft/cometbft/crypto"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/p2p"
	cometproto "github.com/cometbft/cometbft/proto/tendermint/types"
	comettypes "github.com/cometbft/cometbft/types"

	"github.com/phrd/phrd/app/home"
)

const (
	// knockEvery is how often a storage node that no hospital's node has admitted calls them.
	knockEvery = 5 * time.Second
	// steady is how long a connection lasts before it counts: a node that does not admit another one hangs up at once.
	steady = 3 * time.Second
	// remindEvery is how often the log says again that nobody admits the node.
	remindEvery = 10 * time.Minute
)

// errNoValidator says that a storage node is asked to sign.
var errNoValidator = errors.New("a storage node is no validator")

// spectator is the validator that a storage node is not: CometBFT wants the key of one to compare it with those of the validators. It
// is drawn anew at each start, and signs nothing.
type spectator struct{ key crypto.PubKey }

// GetPubKey implements comettypes.PrivValidator.
func (s spectator) GetPubKey() (crypto.PubKey, error) { return s.key, nil }

// SignVote implements comettypes.PrivValidator: it does not.
func (spectator) SignVote(string, *cometproto.Vote) error { return errNoValidator }

// SignProposal implements comettypes.PrivValidator: it does not.
func (spectator) SignProposal(string, *cometproto.Proposal) error { return errNoValidator }

// validatorOf is what signs for the node of a home.
func validatorOf(h home.Home) (comettypes.PrivValidator, error) {
	if h.StorageOnly() {
		return spectator{key: ed25519.GenPrivKey().PubKey()}, nil
	}
	return loadValidator(h)
}

// knock calls the hospitals' nodes as long as none has admitted this one: before an admin has registered it, and after CometBFT has
// given up on peers that hung up, which it does within hours. The log says what it waits for.
func (ch *chain) knock(ctx context.Context, genesis *home.Genesis, logger log.Logger) {
	self := string(ch.node.NodeInfo().ID())
	tick := time.NewTicker(knockEvery)
	defer tick.Stop()
	var reminded time.Time // when the log said that it waits; zero while it does not
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if ch.isAdmitted() {
			if ch.unadmitted.Swap(false) {
				logger.Info("hospitals' nodes admit this storage node")
			}
			reminded = time.Time{}
			continue
		}
		ch.unadmitted.Store(true)
		members, err := ch.members(genesis)
		if err == nil {
			err = ch.node.Switch().DialPeersAsync(addresses(members, self))
		}
		if err != nil {
			logger.Error("call the hospitals' nodes", "err", err)
		}
		if time.Since(reminded) >= remindEvery {
			reminded = time.Now()
			logger.Warn("no hospital's node admits this storage node; is it registered (phrd hospital add-node node.json), and can it reach them?",
				"comet_id", self)
		}
	}
}

// isAdmitted tells whether a connection to another node lasts.
func (ch *chain) isAdmitted() bool {
	admitted := false
	ch.node.Switch().Peers().ForEach(func(p p2p.Peer) { admitted = admitted || p.Status().Duration >= steady })
	return admitted
}
