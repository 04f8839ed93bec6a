package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/phrd/phrd/node"
)

const (
	// maxBatch is how many reports one message carries.
	maxBatch   = 100
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// outbox hands the reports of a journal to the chain. Their numbers rise from what the chain has, and only whole runs of
// them are sent, so that the chain skips none and repeats none.
type outbox[R report] struct {
	what    string // the reports, for people
	journal *journal[R]
	chain   node.Chain
	// member is this hospital's number.
	member func(ctx context.Context) (uint64, error)
	// reported asks the chain for the last report of a member that it took, 0 for none.
	reported func(ctx context.Context, member uint64) (uint64, error)
	// message carries a batch of the node's account.
	message func(account string, batch []R) proto.Message
	log     *slog.Logger
	wake    chan struct{}
}

func newOutbox[R report](
	g *Gateway, what string, j *journal[R],
	reported func(ctx context.Context, member uint64) (uint64, error), message func(account string, batch []R) proto.Message,
) outbox[R] {
	return outbox[R]{
		what: what, journal: j, chain: g.config.Chain, reported: reported, message: message, log: g.config.Log, wake: make(chan struct{}, 1),
		member: func(ctx context.Context) (uint64, error) {
			h, err := g.home(ctx)
			return h.number, err
		},
	}
}

// notify wakes the sender.
func (o *outbox[R]) notify() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// last asks the chain for the last report that it took.
func (o *outbox[R]) last(ctx context.Context) (uint64, error) {
	member, err := o.member(ctx)
	if err != nil {
		return 0, err
	}
	number, err := o.reported(ctx, member)
	if err != nil {
		return 0, fmt.Errorf("ask for the last of the %s: %w", o.what, err)
	}
	return number, nil
}

// begin returns what an earlier process wrote down and the chain has not taken, by number, and the number of the next report.
func (o *outbox[R]) begin(ctx context.Context) (left []R, next uint64, err error) {
	if o.journal.last() == 0 {
		// A journal that was lost leaves the chain's word alone, which must not be an old one.
		if _, err := o.chain.Ready(ctx); err != nil {
			return nil, 0, err
		}
	}
	reported, err := o.last(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, r := range o.journal.reports() {
		if r.GetNumber() > reported {
			left = append(left, r)
		}
	}
	return left, max(reported, o.journal.last()) + 1, nil
}

// send hands one batch to the chain, and returns up to which number the chain has taken reports. A batch that an earlier
// try brought in is not sent again, and where it is the chain skips it.
func (o *outbox[R]) send(ctx context.Context, batch []R) (taken uint64, err error) {
	last := batch[len(batch)-1].GetNumber()
	reported, err := o.last(ctx)
	if err != nil || reported >= last {
		return reported, err
	}
	if _, err := o.chain.Submit(ctx, o.message(o.chain.Account(), batch)); err != nil {
		return 0, fmt.Errorf("hand in %s %d to %d: %w", o.what, batch[0].GetNumber(), last, err)
	}
	return last, nil
}

// empty sends what is due, a batch at a time, and tells done of each that was taken. wait is when to look again, 0 for never.
func (o *outbox[R]) empty(ctx context.Context, due func() ([]R, time.Duration), done func(number uint64) error) (wait time.Duration, err error) {
	for {
		batch, wait := due()
		if len(batch) == 0 {
			return wait, nil
		}
		taken, err := o.send(ctx, batch)
		if err == nil {
			err = done(taken)
		}
		if err != nil {
			return 0, err
		}
	}
}

// run calls round, which sends what is due and returns when to look again, 0 for never; after an error again and again,
// until ctx ends. A wake-up makes it look at once.
func (o *outbox[R]) run(ctx context.Context, round func(context.Context) (time.Duration, error)) {
	retry := firstRetry
	for ctx.Err() == nil {
		wait, err := round(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			level := slog.LevelWarn
			if errors.Is(err, node.ErrNotReady) || o.journal.waiting() == 0 {
				level = slog.LevelDebug
			}
			o.log.Log(ctx, level, o.what+" wait", "reports", o.journal.waiting(), "error", err)
			wait, retry = retry, min(2*retry, lastRetry)
		} else {
			retry = firstRetry
		}
		pause(ctx, o.wake, wait)
	}
}

// pause waits for a wake-up, or for a time if it is above 0.
func pause(ctx context.Context, wake <-chan struct{}, wait time.Duration) {
	var timeout <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-wake:
	case <-timeout:
	case <-ctx.Done():
	}
}
