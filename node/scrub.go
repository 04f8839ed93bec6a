package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

// scrubRetry is the longest pause after a check that could not be done: a block ends it, for
// a server that has just started waits for one.
const scrubRetry = 10 * time.Second

// scrubAgain checks all that the node holds, at the start and then from time to time.
func (r *Replicator) scrubAgain(ctx context.Context, stop context.CancelCauseFunc) {
	report := reporter{log: r.config.Log}
	for ctx.Err() == nil {
		pause, committed := r.config.ScrubEvery, r.config.Chain.Committed()
		err := r.Scrub(ctx)
		if errors.Is(err, blob.ErrClosed) {
			stop(fmt.Errorf("%w: %w", errStore, err))
			return
		} else if err != nil {
			pause = min(scrubRetry, pause)
		} else {
			committed = nil
		}
		report.changed(ctx, "what is held can't be checked", err)
		sleep(ctx, committed, pause)
	}
}

// Scrub reads back every object that the chain says this node holds, at the configured
// rate, and reports to the chain what is missing or damaged; the chain then assigns it
// again. Errors are those of the chain, and [blob.ErrClosed].
func (r *Replicator) Scrub(ctx context.Context) error {
	node, err := r.self.number(ctx)
	if err != nil {
		return err
	}
	slow := throttled{store: r.config.Store, limit: rate.NewLimiter(rate.Limit(r.config.ScrubRate), blob.MaxBlock)}
	if reader, ok := r.config.Store.(blob.ColdReader); ok {
		slow.store = reader.Cold()
	}
	for after := ""; ; {
		page, err := r.query.Holdings(ctx, &storagev1.QueryHoldingsRequest{Node: node, After: after, Limit: maxBatch})
		if err != nil {
			return fmt.Errorf("list the holdings of node %d: %w", node, err)
		}
		var lost []string
		for _, held := range page.GetObjects() {
			err := verifyHeld(ctx, slow, held)
			switch {
			case err == nil:
			case isLost(err):
				r.config.Log.Warn("object is lost and will be fetched again", "object", held.GetCid(), "reason", err)
				lost = append(lost, held.GetCid())
			case ctx.Err() != nil, errors.Is(err, blob.ErrClosed):
				return err
			default:
				// The disk did not answer; that says nothing about the object.
				r.config.Log.Warn("object was not checked", "object", held.GetCid(), "reason", err)
			}
		}
		if err := r.reportLost(ctx, lost); err != nil {
			return err
		}
		if after = page.GetNext(); after == "" {
			return nil
		}
	}
}

func verifyHeld(ctx context.Context, store blob.Getter, held *storagev1.Object) error {
	o, err := parseObject(held)
	if err != nil {
		return err
	}
	return o.verify(ctx, store)
}

// isLost tells whether an error of reading back says that an object is not there as it was
// stored.
func isLost(err error) bool {
	return errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrCorrupt) ||
		errors.Is(err, blob.ErrShape) || errors.Is(err, blob.ErrBudget)
}

// reportLost tells the chain which objects are lost.
func (r *Replicator) reportLost(ctx context.Context, lost []string) error {
	if len(lost) == 0 {
		return nil
	}
	var response storagev1.MsgReportLostCopiesResponse
	message := &storagev1.MsgReportLostCopies{Node: r.config.Chain.Account(), Objects: lost}
	err := r.send(ctx, message, &response)
	if isTooMuch(err) && len(lost) > 1 {
		if err := r.reportLost(ctx, lost[:len(lost)/2]); err != nil {
			return err
		}
		return r.reportLost(ctx, lost[len(lost)/2:])
	}
	if err != nil {
		return fmt.Errorf("report %d lost copies: %w", len(lost), err)
	}
	r.outcomes("report of a loss", response.GetResults())
	return nil
}

// throttled reads no faster than its limit, whose burst is a full block.
type throttled struct {
	store blob.Getter
	limit *rate.Limiter
}

// Get implements [blob.Getter].
func (t throttled) Get(ctx context.Context, c lock.CID) ([]byte, error) {
	block, err := t.store.Get(ctx, c)
	if err != nil {
		return nil, err
	}
	return block, t.limit.WaitN(ctx, len(block))
}
