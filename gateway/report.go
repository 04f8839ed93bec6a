package gateway

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
)

const (
	// maxOpenReports is how many reads go on at a time that are not reported yet. Beyond it
	// nothing is served, for the chain must be able to follow.
	maxOpenReports = 1 << 14
)

// errReportsFull says that the chain does not take the reports fast enough.
var errReportsFull = errors.New("too many reads wait to be reported")

// A read is who reads what, and what allows it. Reading that goes on is one report.
type read struct {
	reader  string
	record  string
	version uint64
	unlock  string
	refused bool
}

// openReport is a report that still grows, or waits for those before it.
type openReport struct {
	read        read
	report      *recordsv1.AccessReport
	first, last time.Time
	placed      bool // the report's offset is that of a byte of the content
	claims      int  // reads under way
	closed      bool
}

// reports write down every read before it is served, and hand them to the chain.
type reports struct {
	outbox[*recordsv1.AccessReport]
	now   func() time.Time
	quiet time.Duration
	age   time.Duration

	mu       sync.Mutex
	prepared bool
	next     uint64
	open     map[read]*openReport
	queue    []*openReport // by number: open ones, and closed ones that were not taken
}

func newReports(j *journal[*recordsv1.AccessReport], g *Gateway) *reports {
	reported := func(ctx context.Context, member uint64) (uint64, error) {
		got, err := recordsv1.NewQueryClient(g.config.Chain).Reported(ctx, &recordsv1.QueryReportedRequest{Member: member})
		return got.GetNumber(), err
	}
	message := func(account string, batch []*recordsv1.AccessReport) proto.Message {
		return &recordsv1.MsgReportAccess{Node: account, Reports: batch}
	}
	return &reports{
		outbox: newOutbox(g, "access reports", j, reported, message), now: g.config.Now,
		quiet: g.config.Limits.ReportQuiet, age: g.config.Limits.ReportAge, open: map[read]*openReport{},
	}
}

func (r *reports) failed() error { return r.journal.failed() }

// prepare learns, once, from which number on reports are new, and queues what an earlier
// process wrote down and the chain has not taken.
func (r *reports) prepare(ctx context.Context) error {
	r.mu.Lock()
	done := r.prepared
	r.mu.Unlock()
	if done {
		return nil
	}
	left, next, err := r.begin(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.prepared {
		return nil
	}
	for _, report := range left {
		r.queue = append(r.queue, &openReport{report: report, closed: true})
	}
	r.next, r.prepared = next, true
	r.notify()
	return nil
}

// A claim is what was written down for one request.
type claim struct {
	reports *reports
	open    *openReport
	granted uint64
}

// A part of a version is what one request reads of it.
type part struct {
	// content tells whether the bytes are of the object's content, from offset on, and not
	// an envelope or an inner node.
	content bool
	offset  uint64
	length  uint64
}

// claim writes down what will be served, and returns when that is durable. Only then may the
// first byte leave. The claim is settled when the request ends.
func (r *reports) claim(ctx context.Context, what read, p part) (*claim, error) {
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	r.mu.Lock()
	o, err := r.grow(what, p)
	if err != nil {
		r.mu.Unlock()
		return nil, err
	}
	o.claims++
	place, err := r.journal.put(o.report, mark{})
	r.mu.Unlock()
	c := &claim{reports: r, open: o, granted: p.length}
	if err == nil {
		err = r.journal.sync(place)
	}
	if err != nil {
		c.settle(p.length)
		return nil, err
	}
	return c, nil
}

// grow adds to the report of a read that goes on, or begins one. r.mu is held.
func (r *reports) grow(what read, p part) (*openReport, error) {
	now := r.now()
	o := r.open[what]
	if o != nil && (now.Sub(o.first) >= r.age || o.report.GetLength() > math.MaxInt64-p.length) {
		r.close(o)
		o = nil
	}
	if o == nil {
		if len(r.queue) >= maxOpenReports {
			return nil, errReportsFull
		}
		o = &openReport{read: what, first: now, report: &recordsv1.AccessReport{
			Number: r.next, Reader: what.reader, Record: what.record, Version: what.version,
			Unlock: what.unlock, Refused: what.refused, At: now.Unix(),
		}}
		r.next++
		r.open[what] = o
		r.queue = append(r.queue, o)
		r.notify()
	}
	o.last = now
	o.report.Length += p.length
	if what.refused {
		o.report.Refusals++
	}
	if p.content && (!o.placed || p.offset < o.report.GetOffset()) {
		o.placed, o.report.Offset = true, p.offset
	}
	return o, nil
}

// close ends the growth of a report. r.mu is held.
func (r *reports) close(o *openReport) {
	o.closed = true
	if r.open[o.read] == o {
		delete(r.open, o.read)
	}
}

// settle ends a request that served so many of its bytes. What was claimed and not served is
// taken back, unless the report is under way already.
func (c *claim) settle(served uint64) {
	r := c.reports
	r.mu.Lock()
	defer r.mu.Unlock()
	c.open.claims--
	c.open.last = r.now()
	if c.open.closed || served >= c.granted {
		return
	}
	c.open.report.Length -= c.granted - served
	// Not synced: a crash leaves the claim, which says more than was read and never less.
	if _, err := r.journal.put(c.open.report, mark{}); err != nil {
		r.log.Error("what was not read is reported as read", "error", err)
	}
}

// due closes reports whose reads have ended or last too long, and returns the next batch: a
// whole run of numbers from the lowest. wait is when to look again, 0 for never.
func (r *reports) due() (batch []*recordsv1.AccessReport, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	for _, o := range r.open {
		ends := o.first.Add(r.age)
		if o.claims == 0 {
			if quiet := o.last.Add(r.quiet); quiet.Before(ends) {
				ends = quiet
			}
		}
		if !now.Before(ends) {
			r.close(o)
		}
	}
	for _, o := range r.queue {
		if !o.closed || len(batch) == maxBatch {
			break
		}
		batch = append(batch, proto.CloneOf(o.report))
	}
	if len(batch) == 0 && len(r.queue) > 0 {
		wait = r.quiet / 2
	}
	return batch, wait
}

// closeAll ends the growth of every report, so that all are due.
func (r *reports) closeAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.open {
		r.close(o)
	}
}

// done forgets what the chain has taken.
func (r *reports) done(number uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.queue) > 0 && r.queue[0].report.GetNumber() <= number {
		r.close(r.queue[0])
		r.queue = r.queue[1:]
	}
	return r.journal.taken(number)
}

// run hands reports to the chain until ctx ends.
func (r *reports) run(ctx context.Context) { r.outbox.run(ctx, r.round) }

// round sends what is due.
func (r *reports) round(ctx context.Context) (wait time.Duration, err error) {
	if err := r.prepare(ctx); err != nil {
		return 0, err
	}
	return r.empty(ctx, r.due, r.done)
}
