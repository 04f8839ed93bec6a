package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/node"
)

const (
	// maxTail is how many of the newest entries are kept in memory for all who follow the log.
	maxTail = 4096
	// maxPage is how many entries a follower judges at a time.
	maxPage = 100
	// feedRetry is the pause after the node did not answer.
	feedRetry = time.Second
)

// feed follows the log for all who want to be told of it. An entry's sequence is the cursor: who comes back with one goes on behind it,
// whichever gateway it came from, so that nothing is kept for anybody who is away.
type feed struct {
	chain   node.Chain
	entries func(ctx context.Context, after, count uint64) ([]*auditv1.Entry, error)
	log     *slog.Logger
	grown   node.Bell // rung when there are more entries, and when the end is known for the first time

	mu    sync.Mutex
	known bool
	size  uint64           // entries of the log
	tail  []*auditv1.Entry // the newest ones, without a gap up to size
}

// run reads what blocks appended until ctx ends.
func (f *feed) run(ctx context.Context) {
	for ctx.Err() == nil {
		committed := f.chain.Committed()
		var retry <-chan time.Time
		if err := f.round(ctx); err != nil {
			f.log.Debug("the log can't be followed now", "error", err)
			timer := time.NewTimer(feedRetry)
			defer timer.Stop()
			retry = timer.C
		}
		select {
		case <-committed:
		case <-retry:
		case <-ctx.Done():
		}
	}
}

// round reads to the end of the log.
func (f *feed) round(ctx context.Context) error {
	head, err := auditv1.NewQueryClient(f.chain).Head(ctx, &auditv1.QueryHeadRequest{})
	if err != nil {
		return fmt.Errorf("size of the log: %w", err)
	}
	f.mu.Lock()
	if !f.known {
		f.known, f.size = true, head.GetSize()
		f.grown.Ring()
	}
	size := f.size
	f.mu.Unlock()
	for size < head.GetSize() {
		entries, err := f.entries(ctx, size, min(maxPage, head.GetSize()-size))
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return fmt.Errorf("the log ends at %d, of %d entries", size, head.GetSize())
		}
		size += uint64(len(entries))
		f.append(entries)
	}
	return nil
}

func (f *feed) append(entries []*auditv1.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.size += uint64(len(entries))
	f.tail = append(f.tail, entries...)
	if surplus := len(f.tail) - maxTail; surplus > 0 {
		f.tail = append([]*auditv1.Entry(nil), f.tail[surplus:]...)
	}
	f.grown.Ring()
}

// entriesOf asks the chain for each entry.
func entriesOf(chain node.Chain) func(ctx context.Context, after, count uint64) ([]*auditv1.Entry, error) {
	return func(ctx context.Context, after, count uint64) ([]*auditv1.Entry, error) {
		q := auditv1.NewQueryClient(chain)
		entries := make([]*auditv1.Entry, 0, count)
		for sequence := after + 1; sequence <= after+count; sequence++ {
			got, err := q.Entry(ctx, &auditv1.QueryEntryRequest{Sequence: sequence})
			if err != nil {
				return nil, fmt.Errorf("entry %d of the log: %w", sequence, err)
			}
			entries = append(entries, got.GetEntry())
		}
		return entries, nil
	}
}

// end is how many entries there are; ok is false until the node has said so.
func (f *feed) end() (size uint64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size, f.known
}

// after returns at most maxPage entries that follow a sequence, none at the end. recalled says that they were not in memory.
func (f *feed) after(ctx context.Context, sequence uint64) (entries []*auditv1.Entry, recalled bool, err error) {
	f.mu.Lock()
	size, first := f.size, f.size-uint64(len(f.tail))
	if sequence >= size {
		f.mu.Unlock()
		return nil, false, nil
	}
	if sequence >= first {
		from := sequence - first
		page := f.tail[from:min(from+maxPage, uint64(len(f.tail)))]
		f.mu.Unlock()
		return page, false, nil
	}
	f.mu.Unlock()
	entries, err = f.entries(ctx, sequence, min(maxPage, first-sequence))
	return entries, true, err
}
