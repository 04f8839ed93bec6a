package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
)

const (
	// maxShares is how many shares one message gives at most.
	maxShares = 32
	// maxSharesSize is from how many bytes on a message takes no further share: one has
	// 2.4 KB at most, and a transaction 64 KiB.
	maxSharesSize = 40 << 10
	// shareSenders is how many messages with shares are on their way at the same time.
	shareSenders = 4
	// sendSharesFor bounds how long shares are sent before all is checked anew. What was
	// verified is then no older than a head may be.
	sendSharesFor = MaxHeadAge
	// lastShareRetry is the longest pause before a release is looked at again.
	lastShareRetry = 30 * time.Second
)

var (
	// errNotDue says that the state does not ask for a share any more, or not yet.
	errNotDue = errors.New("no share is due")
	// errNotVerified says that a release is not what its requester and the records say.
	errNotVerified = errors.New("release does not stand up to the holder's own checks")
	// errNoShare says that this node can't answer with the share that the chain expects.
	errNoShare = errors.New("no usable key share")
)

// Shares are the hospital's shares of the network's keys; it is a *keys.Store.
type Shares interface {
	// Share returns the share of a kind, generation and epoch.
	Share(kind lock.KeyKind, generation, epoch uint64) (keys.Share, error)
}

// HolderConfig says what a [Holder] works with.
type HolderConfig struct {
	// Chain tells which unlocks wait for shares, and takes them. Its account is the node
	// account of a member.
	Chain Chain
	// Shares are the hospital's shares.
	Shares Shares
	// Ask asks another member how it stands; [AskGateway] with what the chain says of it if nil.
	Ask Ask
	// Random is where the nonces of proofs come from; crypto/rand if nil.
	Random io.Reader
	// Now tells the time; time.Now if nil.
	Now func() time.Time
	// Log is told what can't be done; slog.Default() if nil.
	Log *slog.Logger
}

// Holder gives the hospital's shares for approved unlocks.
//
// A share that was given can't be taken back, so a Holder trusts nobody's word that one is
// due: it answers only while its node is at the head of the chain and saw the signatures
// under the newest block, only what is approved in the newest state, and only after it has
// itself recomputed the proposal from the records and verified the requester's proof. And it
// asks the other hospitals whether the newest block of its node is theirs: that one was restored
// from an old backup, with its state and its share, or is cut off, does not show in it.
//
// Holders are ranked for each unlock by hash. As many as the threshold needs answer at once,
// the others after a delay, if it was not released without them.
type Holder struct {
	config     HolderConfig
	custody    custodyv1.QueryClient
	access     accessv1.QueryClient
	records    recordsv1.QueryClient
	consortium consortiumv1.QueryClient
	report     reporter
	senders    chan struct{}
	sending    sync.WaitGroup

	mu    sync.Mutex
	tasks map[string]*task // releases that wait for this holder, by unlock
	stats ShareStats
}

// task is what a Holder knows of a release that waits for its share.
type task struct {
	seen    time.Time // when it was first met
	sending bool      // a share is on its way
	given   uint64    // share epoch of the share that the chain took, 0 for none
	tries   int       // failures
	next    time.Time // not looked at before
}

// NewHolder returns a Holder that has not begun.
func NewHolder(config HolderConfig) (*Holder, error) {
	if config.Chain == nil || config.Shares == nil {
		return nil, errors.New("holder needs a chain and shares")
	}
	if config.Ask == nil {
		config.Ask = askMember
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
	return &Holder{
		config:     config,
		custody:    custodyv1.NewQueryClient(config.Chain),
		access:     accessv1.NewQueryClient(config.Chain),
		records:    recordsv1.NewQueryClient(config.Chain),
		consortium: consortiumv1.NewQueryClient(config.Chain),
		report:     reporter{log: config.Log},
		senders:    make(chan struct{}, shareSenders),
		tasks:      map[string]*task{},
	}, nil
}

// Run gives shares until ctx ends; then it returns nil.
func (h *Holder) Run(ctx context.Context) error {
	defer h.sending.Wait()
	return loop(ctx, h.config.Chain, func(ctx context.Context) (time.Duration, error) {
		pause, err := h.serve(ctx)
		if err != nil {
			pause = firstRetry
		}
		h.report.changed(ctx, "shares can't be given", err)
		return pause, nil
	})
}

// serve answers all releases that are due, and returns after what time another one may be,
// 0 if that takes a block. The error is one that concerns them all.
func (h *Holder) serve(ctx context.Context) (time.Duration, error) {
	index, err := memberOf(ctx, h.consortium, h.config.Chain)
	if err != nil || index == 0 {
		return 0, err
	}
	pending, err := h.pending(ctx, index)
	if err != nil || len(pending) == 0 {
		return 0, err
	}
	// The state that is read from here on is not older than this head.
	head, err := freshHead(ctx, h.config.Chain, h.config.Now())
	if err != nil {
		return 0, err
	}
	r, err := h.newRound(ctx, head, index)
	if err != nil {
		return 0, err
	}
	return h.answer(ctx, r, pending)
}

// pending lists the releases that wait for a holder, and forgets all others.
func (h *Holder) pending(ctx context.Context, index uint64) ([]*custodyv1.Release, error) {
	var list []*custodyv1.Release
	for after := ""; ; {
		page, err := h.custody.Releases(ctx, &custodyv1.QueryReleasesRequest{Index: index, After: after, Limit: pageSize})
		if err != nil {
			return nil, fmt.Errorf("list the releases that wait for holder %d: %w", index, err)
		}
		list = append(list, page.GetReleases()...)
		if after = page.GetNext(); after == "" {
			break
		}
	}
	now := h.config.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	tasks := make(map[string]*task, len(list))
	for _, r := range list {
		t := h.tasks[r.GetUnlock()]
		if t == nil {
			t = &task{seen: now}
		}
		tasks[r.GetUnlock()] = t
	}
	h.tasks = tasks
	return list, nil
}

// answer makes the shares that are due and sends them off in batches.
func (h *Holder) answer(ctx context.Context, r *round, pending []*custodyv1.Release) (time.Duration, error) {
	batch := &custodyv1.MsgSubmitShares{Node: h.config.Chain.Account()}
	var next time.Time
	for _, release := range pending {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if len(batch.GetShares()) == 0 && len(h.senders) == cap(h.senders) {
			return firstRetry, nil // the rest waits until others have arrived
		}
		due, share, err := h.take(ctx, r, release)
		if errors.Is(err, ErrNotReady) {
			return 0, err // so is none of the others
		}
		if err != nil {
			due = h.fail(ctx, release.GetUnlock(), err)
		}
		if !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
		if share == nil {
			continue
		}
		batch.Shares = append(batch.Shares, share)
		if len(batch.GetShares()) == maxShares || proto.Size(batch) > maxSharesSize || gasFor(batch)+largestShareGas > maxGas {
			h.send(ctx, batch)
			batch = &custodyv1.MsgSubmitShares{Node: batch.GetNode()}
		}
	}
	if len(batch.GetShares()) > 0 {
		h.send(ctx, batch)
	}
	if next.IsZero() {
		return 0, nil
	}
	return max(next.Sub(h.config.Now()), time.Millisecond), nil
}

// take makes the share for a release if it is due, else it returns when it will be, the zero
// time if that takes a block.
func (h *Holder) take(ctx context.Context, r *round, release *custodyv1.Release) (time.Time, *custodyv1.Share, error) {
	key, err := r.key(ctx, release)
	if err != nil {
		return time.Time{}, nil, err
	}
	unlock, err := parseUnlock(release.GetUnlock())
	if err != nil {
		return time.Time{}, nil, err
	}
	due, ok := h.due(r, key, release.GetUnlock(), unlock)
	if !ok {
		return due, nil, nil
	}
	if err := r.checkVouched(ctx); err != nil {
		return time.Time{}, nil, err
	}
	request, err := r.verify(ctx, key, release)
	if err != nil {
		return time.Time{}, nil, err
	}
	share, err := request.NewShare(key.epoch, r.index, key.secret, h.config.Random)
	if err != nil {
		return time.Time{}, nil, fmt.Errorf("make the share: %w", err)
	}
	// A wrong share would count against the hospital, and tell of its secret.
	if err := request.Verify(share, key.public); err != nil {
		return time.Time{}, nil, fmt.Errorf("check the share that was made: %w", err)
	}
	made := &custodyv1.Share{Unlock: release.GetUnlock(), ShareEpoch: share.Epoch, Index: share.Index, Proof: share.Proof}
	for _, d := range share.D {
		made.Points = append(made.Points, d.Bytes())
	}
	return time.Time{}, made, nil
}

// due says whether a release is to be answered now, else when, the zero time if not before
// another block. The threshold's first holders by rank answer at once.
func (h *Holder) due(r *round, key *heldKey, name string, unlock [32]byte) (time.Time, bool) {
	now := h.config.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.tasks[name]
	if t == nil || t.sending || t.given == key.epoch {
		return time.Time{}, false
	}
	at := t.next
	rank := slices.Index(lock.Order(r.network, unlock, key.holders), r.index)
	if ranked := t.seen.Add(r.delay); uint64(rank) >= key.threshold && at.Before(ranked) {
		at = ranked
	}
	return at, !now.Before(at)
}

// fail notes that a release can't be answered, and returns when it is looked at again.
func (h *Holder) fail(ctx context.Context, unlock string, err error) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.tasks[unlock]
	if t == nil {
		return time.Time{} // it waits no longer
	}
	t.sending = false
	if errors.Is(err, errNotDue) {
		return time.Time{}
	}
	t.tries++
	h.stats.Failed++
	t.next = h.config.Now().Add(min(firstRetry<<min(t.tries-1, 10), lastShareRetry))
	if ctx.Err() == nil {
		h.config.Log.Warn("share is not given", "unlock", unlock, "tries", t.tries, "reason", err)
	}
	return t.next
}

// send sends shares off and notes what became of them. The caller has seen that there is a
// sender.
func (h *Holder) send(ctx context.Context, batch *custodyv1.MsgSubmitShares) {
	h.mu.Lock()
	for _, s := range batch.GetShares() {
		if t := h.tasks[s.GetUnlock()]; t != nil {
			t.sending = true
		}
	}
	h.mu.Unlock()
	h.senders <- struct{}{}
	h.sending.Go(func() {
		defer func() { <-h.senders }()
		results, err := h.submit(ctx, batch)
		for i, s := range batch.GetShares() {
			if err == nil {
				h.settle(ctx, s, results[i])
			} else {
				h.fail(ctx, s.GetUnlock(), err)
			}
		}
	})
}

// submit brings shares to the chain and returns what it says of each.
func (h *Holder) submit(ctx context.Context, batch *custodyv1.MsgSubmitShares) ([]*custodyv1.ShareResult, error) {
	ctx, cancel := context.WithTimeout(ctx, sendSharesFor)
	defer cancel()
	sent, err := h.config.Chain.Submit(ctx, batch)
	if err != nil {
		return nil, err
	}
	var answer custodyv1.MsgSubmitSharesResponse
	if err := sent.Response(&answer); err != nil {
		return nil, err
	}
	if got, want := len(answer.GetResults()), len(batch.GetShares()); got != want {
		return nil, fmt.Errorf("transaction %s answers for %d shares of %d", sent.Hash, got, want)
	}
	return answer.GetResults(), nil
}

// Reasons for which the chain refuses a share that needs no second try: it has one, or
// wants none any more.
const (
	reasonRepeatedShare = "repeated_share"
	reasonReleaseClosed = "release_closed"
)

// settle notes what the chain said of a share.
func (h *Holder) settle(ctx context.Context, share *custodyv1.Share, result *custodyv1.ShareResult) {
	switch reason := result.GetReason(); reason {
	case "", reasonRepeatedShare, reasonReleaseClosed:
		h.mu.Lock()
		defer h.mu.Unlock()
		if reason == "" {
			h.stats.Given++
		}
		if t := h.tasks[share.GetUnlock()]; t != nil {
			t.sending, t.given = false, share.GetShareEpoch()
		}
	default:
		h.fail(ctx, share.GetUnlock(), fmt.Errorf("the chain refused the share: %s", reason))
	}
}
