package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
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
	report, started := reporter{log: r.config.Log}, time.Now()
	for ctx.Err() == nil {
		pause, committed := r.config.ScrubEvery, r.config.Chain.Committed()
		err := r.isCurrent(ctx, started)
		if err == nil {
			err = r.Scrub(ctx)
		}
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

// isCurrent returns an error, ErrNotReady among others, unless the chain's state is newer than a time. An older one may be from before
// this node confirmed what it held: a server that was restored from a backup starts with nothing.
func (r *Replicator) isCurrent(ctx context.Context, at time.Time) error {
	head, err := r.config.Chain.Ready(ctx)
	if err == nil && head.Time.Before(at) {
		err = fmt.Errorf("no block was made since the start: %w", ErrNotReady)
	}
	return err
}

// ScrubStats are what a Replicator found in what its node holds, since it was made.
type ScrubStats struct {
	// Objects are those that were read back whole or in part, Blocks are theirs.
	Objects, Blocks uint64
	// Rotten blocks did not match their CID or were cut off, Missing ones were not there.
	Rotten, Missing uint64
	// Lost objects were reported to the chain, and Healed ones of these are held again.
	Lost, Healed uint64
}

// scrubbed are the counters behind ScrubStats, and the objects that are to be healed.
type scrubbed struct {
	objects, blocks, rotten, missing, lost, healed atomic.Uint64

	mu   sync.Mutex
	open map[string]bool // reported, by CID
}

// saw counts a block that was read, or not.
func (s *scrubbed) saw(err error) {
	s.blocks.Add(1)
	switch {
	case errors.Is(err, blob.ErrNotFound):
		s.missing.Add(1)
	case isLost(err):
		s.rotten.Add(1)
	}
}

// report notes that objects are reported lost.
func (s *scrubbed) report(objects []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string]bool{}
	}
	for _, cid := range objects {
		s.open[cid] = true
	}
}

// held notes that an object was confirmed.
func (s *scrubbed) held(cid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[cid] {
		delete(s.open, cid)
		s.healed.Add(1)
	}
}

// ScrubStats returns the counters.
func (r *Replicator) ScrubStats() ScrubStats {
	s := &r.scrubbed
	return ScrubStats{
		Objects: s.objects.Load(), Blocks: s.blocks.Load(), Rotten: s.rotten.Load(), Missing: s.missing.Load(),
		Lost: s.lost.Load(), Healed: s.healed.Load(),
	}
}

// Scrub reads back every object that the chain says this node holds, at the configured
// rate, and reports to the chain what is missing or damaged; the chain then assigns it
// again. It reads all blocks of such an object, so that the store knows what is to be fetched.
// Errors are those of the chain, and [blob.ErrClosed].
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
			err := r.scrubObject(ctx, slow, held)
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

func (r *Replicator) scrubObject(ctx context.Context, store blob.Getter, held *storagev1.Object) error {
	o, err := parseObject(held)
	if err != nil {
		return err
	}
	r.scrubbed.objects.Add(1)
	return o.readAll(ctx, store, r.scrubbed.saw)
}

// readAll reads every block of an object, also behind those that are lost, so that the store
// learns of all damage, and returns the first loss. saw is told of each block. Any other error
// ends it.
func (o object) readAll(ctx context.Context, store blob.Getter, saw func(error)) error {
	all := observed{store: store, saw: saw}
	var lost error
	keep := func(err error) error {
		if isLost(err) {
			lost = cmp.Or(lost, err)
			return nil
		}
		return err
	}
	if o.root.IsDag() {
		tree, err := blob.ReadTree(ctx, all, o.root, o.budget)
		if err := keep(err); err != nil {
			return err
		}
		for _, l := range tree.Leaves {
			if err := keep(all.check(ctx, l.CID, int(l.Size), int(l.Size))); err != nil {
				return err
			}
		}
	} else if err := keep(all.check(ctx, o.root, 1, o.single)); err != nil {
		return err
	}
	for _, c := range o.attached {
		if err := keep(all.check(ctx, c, 1, blob.MaxBlock)); err != nil {
			return err
		}
	}
	return lost
}

// observed tells of each block that is read.
type observed struct {
	store blob.Getter
	saw   func(error)
}

// Get implements [blob.Getter].
func (g observed) Get(ctx context.Context, c lock.CID) ([]byte, error) {
	block, err := g.store.Get(ctx, c)
	if err == nil || isLost(err) {
		g.saw(err)
	}
	return block, err
}

// check reads a block whose length must lie within bounds.
func (g observed) check(ctx context.Context, c lock.CID, least, most int) error {
	block, err := g.Get(ctx, c)
	if n := len(block); err == nil && (n < least || n > most) {
		return fmt.Errorf("block %s has %d bytes, want %d to %d: %w", c, n, least, most, blob.ErrShape)
	}
	return err
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
	r.scrubbed.report(lost)
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
	r.scrubbed.lost.Add(uint64(len(r.outcomes("report of a loss", response.GetResults()))))
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
