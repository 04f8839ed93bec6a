package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
)

// ShareStore keeps what a hospital has of the network's keys; it is a *keys.Store.
type ShareStore interface {
	Shares
	// PutShare keeps a share, and ReplaceShare one in place of another of that epoch.
	PutShare(share keys.Share) error
	ReplaceShare(share keys.Share) error
	// RoundSecret returns a secret of a round, or makes and keeps it. KeptRoundSecret makes none.
	RoundSecret(name keys.RoundName, purpose keys.RoundPurpose) ([]byte, error)
	KeptRoundSecret(name keys.RoundName, purpose keys.RoundPurpose) ([]byte, error)
	// ForgetRound erases the secrets of a round.
	ForgetRound(name keys.RoundName) error
	// Rounds lists the rounds of which there are secrets, and ShareNames the shares.
	Rounds() ([]keys.RoundName, error)
	ShareNames() ([]keys.Share, error)
	// Delete erases a key by name.
	Delete(name string) error
}

// KeyMakerConfig says what a [KeyMaker] works with.
type KeyMakerConfig struct {
	// Chain tells what rounds wait for, and takes it. Its account is the node account of a
	// member.
	Chain Chain
	// Store keeps shares and the secrets of rounds.
	Store ShareStore
	// Random is where the nonces of proofs come from; crypto/rand if nil.
	Random io.Reader
	// Now tells the time; time.Now if nil.
	Now func() time.Time
	// Log is told what can't be done; slog.Default() if nil.
	Log *slog.Logger
}

// KeyMaker takes the hospital's part in the rounds that make the network's keys and renew
// their shares (docs/custody.md, "The network's key").
//
// It acts only at the head of the chain, as a [Holder] does. A secret is on the disk before
// anything that depends on it leaves the machine, so that the hospital can go on in the
// middle of a round. What a round needed is erased when the round is over, and a share when
// those of a newer epoch are in force.
type KeyMaker struct {
	config     KeyMakerConfig
	custody    custodyv1.QueryClient
	consortium consortiumv1.QueryClient
	report     reporter
	tries      map[string]try       // contributions, by round and phase
	asked      map[string]time.Time // when a share was asked for, by round
	settled    map[string]bool      // rounds of which the share was found to be of use
}

// try is what became of a contribution.
type try struct {
	err   error     // nil if it was made
	again time.Time // not tried before
}

// NewKeyMaker returns a KeyMaker that has not begun.
func NewKeyMaker(config KeyMakerConfig) (*KeyMaker, error) {
	if config.Chain == nil || config.Store == nil {
		return nil, errors.New("key maker needs a chain and a store")
	}
	if config.Random == nil {
		config.Random = rand.Reader
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	return &KeyMaker{
		config: config, custody: custodyv1.NewQueryClient(config.Chain), consortium: consortiumv1.NewQueryClient(config.Chain),
		report: reporter{log: config.Log}, tries: map[string]try{}, asked: map[string]time.Time{}, settled: map[string]bool{},
	}, nil
}

// Run takes part in rounds until ctx ends; then it returns nil.
func (k *KeyMaker) Run(ctx context.Context) error {
	return loop(ctx, k.config.Chain, func(ctx context.Context) (time.Duration, error) {
		pause, err := time.Duration(0), k.serve(ctx)
		if err != nil {
			pause = firstRetry
		}
		k.report.changed(ctx, "part in the making of keys can't be taken", err)
		return pause, nil
	})
}

// serve does what the rounds wait for, and erases what is of no use any more.
func (k *KeyMaker) serve(ctx context.Context) error {
	self, err := memberOf(ctx, k.consortium, k.config.Chain)
	if err != nil || self == 0 {
		return err
	}
	// The state that is read from here on is not older than this head.
	head, err := freshHead(ctx, k.config.Chain, k.config.Now())
	if err != nil {
		return err
	}
	got, err := k.custody.Rounds(ctx, &custodyv1.QueryRoundsRequest{})
	if err != nil {
		return fmt.Errorf("ask for the rounds: %w", err)
	}
	network, err := networkID(ctx, k.consortium)
	if err != nil {
		return err
	}
	var faults []error
	for _, r := range got.GetRounds() {
		p := &part{KeyMaker: k, round: r, self: self, network: network, name: nameOfRound(r), now: head.Time}
		if err := p.take(ctx); err != nil {
			faults = append(faults, fmt.Errorf("kind %d, generation %d, epoch %d: %w", r.GetKind(), r.GetGeneration(), r.GetShareEpoch(), err))
		}
	}
	return errors.Join(append(faults, k.tidy(ctx, self, got.GetRounds()))...)
}

func nameOfRound(r *custodyv1.Round) keys.RoundName {
	return keys.RoundName{Kind: lock.KeyKind(r.GetKind()), Generation: r.GetGeneration(), Epoch: r.GetShareEpoch(), Attempt: r.GetAttempt()}
}

// tidy erases the secrets of rounds that are over or that this member has no further part
// in, and the shares of epochs that are not in force any more.
func (k *KeyMaker) tidy(ctx context.Context, self uint64, rounds []*custodyv1.Round) error {
	kept, err := k.config.Store.Rounds()
	if err != nil {
		return err
	}
	for _, name := range kept {
		needed, err := k.needs(ctx, self, name, rounds)
		if err != nil {
			return err
		}
		if needed {
			continue
		}
		if err := k.config.Store.ForgetRound(name); err != nil {
			return err
		}
	}
	shares, err := k.config.Store.ShareNames()
	if err != nil || len(shares) == 0 {
		return err
	}
	answer, err := k.custody.Keys(ctx, &custodyv1.QueryKeysRequest{})
	if err != nil {
		return fmt.Errorf("ask for the keys: %w", err)
	}
	for _, s := range shares {
		for _, key := range answer.GetKeys() {
			if lock.KeyKind(key.GetKind()) != s.Kind || key.GetGeneration() != s.Generation || s.Epoch >= key.GetShareEpoch() {
				continue
			}
			if err := k.config.Store.Delete(keys.ShareName(s.Kind, s.Generation, s.Epoch)); err != nil {
				return err
			}
			k.config.Log.Info("share of an epoch that is over was erased", "kind", s.Kind, "generation", s.Generation, "epoch", s.Epoch)
		}
	}
	return nil
}

// needs says whether the secrets of a round are of use still: it runs, or this member has
// yet to confirm a share of it.
func (k *KeyMaker) needs(ctx context.Context, self uint64, name keys.RoundName, rounds []*custodyv1.Round) (bool, error) {
	at := slices.IndexFunc(rounds, func(r *custodyv1.Round) bool { return nameOfRound(r) == name })
	if at < 0 {
		return false, nil
	}
	r := rounds[at]
	if r.GetPhase() != custodyv1.RoundPhase_ROUND_PHASE_DONE {
		return true, nil
	}
	h, err := k.holder(ctx, r, self)
	return h != nil && !h.GetConfirmed(), err
}

// holder is a member among the holders that a round made, nil where it is none.
func (k *KeyMaker) holder(ctx context.Context, r *custodyv1.Round, member uint64) (*custodyv1.Holder, error) {
	answer, err := k.custody.Holders(ctx, &custodyv1.QueryHoldersRequest{Kind: r.GetKind(), Generation: r.GetGeneration(), ShareEpoch: r.GetShareEpoch()})
	if err != nil {
		return nil, fmt.Errorf("ask for the holders of epoch %d: %w", r.GetShareEpoch(), err)
	}
	for _, h := range answer.GetHolders() {
		if h.GetIndex() == member {
			return h, nil
		}
	}
	return nil, nil
}

// once makes a contribution unless it was made, or failed a moment ago; then it returns what
// it failed by.
func (k *KeyMaker) once(what string, contribute func() error) error {
	last, tried := k.tries[what]
	if tried && (last.err == nil || k.config.Now().Before(last.again)) {
		return last.err
	}
	err := contribute()
	k.tries[what] = try{err, k.config.Now().Add(firstRetry)}
	return err
}

// verdict is what the chain answers to a message of a round.
type verdict interface {
	proto.Message
	GetOutcome() auditv1.Outcome
	GetReason() string
}

// send brings a message to the chain. The error is errRefusedPart where it is refused.
func (k *KeyMaker) send(ctx context.Context, message proto.Message, answer verdict) error {
	ctx, cancel := context.WithTimeout(ctx, sendSharesFor)
	defer cancel()
	sent, err := k.config.Chain.Submit(ctx, message)
	if err != nil {
		return err
	}
	if err := sent.Response(answer); err != nil {
		return err
	}
	if answer.GetOutcome() != auditv1.Outcome_OUTCOME_OK && answer.GetReason() != reasonRepeated {
		return fmt.Errorf("%s: %w: %s", message.ProtoReflect().Descriptor().Name(), errRefusedPart, answer.GetReason())
	}
	return nil
}

// reasonRepeated is the chain's word for what it has already.
const reasonRepeated = "repeated"

// errRefusedPart says that the chain takes no part in a round that this node offered.
var errRefusedPart = errors.New("the chain refused it")
