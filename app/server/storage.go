package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"cosmossdk.io/log/v2"
	"github.com/cometbft/cometbft/crypto"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/p2p"
	cometproto "github.com/cometbft/cometbft/proto/tendermint/types"
)

const (
	// firstCall and lastCall bound the pauses between two calls of a storage node to the hospitals' nodes to which it has no connection:
	// the first where some admit it, longer and longer ones where none does.
	firstCall, lastCall = 2 * time.Second, time.Minute
	// steady is how long a connection lasts before it counts: a node that does not admit another one hangs up at once.
	steady = 2 * time.Second
	// remindEvery is how often the log says again that nobody admits the node.
	remindEvery = 10 * time.Minute
)

// errNoValidator says that a node is asked to sign which does not.
var errNoValidator = errors.New("this node is no validator")

// spectator is the validator that a storage node is not, nor a node that fetches a state: CometBFT wants the key of one to compare it with
// those of the validators. It is drawn anew at each start, and signs nothing.
type spectator struct{ key crypto.PubKey }

func newSpectator() spectator { return spectator{key: ed25519.GenPrivKey().PubKey()} }

// GetPubKey implements comettypes.PrivValidator.
func (s spectator) GetPubKey() (crypto.PubKey, error) { return s.key, nil }

// SignVote implements comettypes.PrivValidator: it does not.
func (spectator) SignVote(string, *cometproto.Vote) error { return errNoValidator }

// SignProposal implements comettypes.PrivValidator: it does not.
func (spectator) SignProposal(string, *cometproto.Proposal) error { return errNoValidator }

// call keeps a storage node connected to the hospitals' nodes. To CometBFT they are no persistent peers: it calls a persistent peer
// that hangs up again at once, as each does before an admin has registered this node, and gives up on one that is away for a day. The
// log says what the node waits for.
func (ch *chain) call(ctx context.Context, logger log.Logger) {
	var reminded time.Time // when the log said that it waits; zero while it does not
	for pause := firstCall; ; {
		err := ch.callMissing(ctx)
		if !sleep(ctx, steady) {
			return
		}
		if ch.isAdmitted() {
			if ch.unadmitted.Swap(false) {
				logger.Info("hospitals' nodes admit this storage node")
			}
			pause, reminded = firstCall, time.Time{}
		} else {
			ch.unadmitted.Store(true)
			pause = min(2*pause, lastCall)
			if time.Since(reminded) >= remindEvery {
				reminded = time.Now()
				logger.Warn("no hospital's node admits this storage node; is it registered (phrd hospital add-node), not retired, and can it reach them?",
					"comet_id", ch.node.NodeInfo().ID(), "err", err)
			}
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

// callMissing calls the members' nodes to which there is no connection, and returns what went wrong. One that does not admit this node
// answers first. When ctx ends it does not wait for those that have not answered.
func (ch *chain) callMissing(ctx context.Context) error {
	members, err := ch.members()
	if err != nil {
		return err
	}
	calls, others := ch.node.Switch(), addresses(members, string(ch.node.NodeInfo().ID()))
	answers := make(chan error, len(others))
	for _, text := range others {
		go func() {
			address, err := p2p.NewNetAddressString(text) // looks a name up
			if err == nil && !calls.Peers().Has(address.ID) {
				err = calls.DialPeerWithAddress(address)
			}
			answers <- err
		}()
	}
	var errs []error
	for range others {
		select {
		case err := <-answers:
			errs = append(errs, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(errs...)
}

// isAdmitted tells whether a connection to another node lasts.
func (ch *chain) isAdmitted() bool {
	return slices.ContainsFunc(ch.node.Switch().Peers().Copy(), func(p p2p.Peer) bool { return p.Status().Duration >= steady })
}

// sleep waits, and tells whether ctx has not ended meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
