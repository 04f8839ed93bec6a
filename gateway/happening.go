package gateway

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
)

const (
	// maxHappenings is how many reports of sessions may wait for the chain. Beyond it nobody gets in, for the chain must be able to follow.
	maxHappenings = 1 << 14
	// maxFailing is of how many accounts failed logins are told apart; those of others are nobody's.
	maxFailing = 256
	// maxQuestions is how many different questions of the log one account asks within a short time.
	maxQuestions = 256
)

// What of the log was read, and why somebody did not get in; the words are those of x/consortium.
const (
	readEntries = "entries"
	readEntry   = "entry"
	readSubject = "subject"
	readNotices = "notices"

	failedChallenge = "challenge"
	failedSignature = "signature"
	failedNoRole    = "no_role"

	endedRestart = "server_restarted"
)

var (
	errHappeningsFull = errors.New("too many sessions wait to be reported")
	errQuestions      = status.Error(codes.ResourceExhausted, "too many different questions of the log at a time")
)

// A happening is who did what in a session, or tried to. What happens again within a short time, and until it is handed in, is one report.
type happening struct {
	kind                  consortiumv1.SessionKind
	account, reason       string
	read                  string
	patient, record, lock string // lock is the unlock's id
	way                   string // in which a pepper was collected, or a session ended
	refused               bool
}

// openHappening is a report that still grows, or is under way.
type openHappening struct {
	what   happening
	report *consortiumv1.SessionReport
	first  time.Time
	sent   bool
}

// happenings write down what happens in sessions before it is answered, and hand it to the chain, as reports do with reads.
type happenings struct {
	outbox[*consortiumv1.SessionReport]
	now func() time.Time
	age time.Duration

	mu       sync.Mutex
	prepared bool
	next     uint64
	open     map[happening]*openHappening
	queue    []*openHappening // by number
	failing  int              // open ones that are failed logins
	asked    map[string]int   // open ones that are reads of the log, by account
}

func newHappenings(j *journal[*consortiumv1.SessionReport], g *Gateway) *happenings {
	reported := func(ctx context.Context, member uint64) (uint64, error) {
		got, err := consortiumv1.NewQueryClient(g.config.Chain).SessionsReported(ctx, &consortiumv1.QuerySessionsReportedRequest{Member: member})
		return got.GetNumber(), err
	}
	message := func(account string, batch []*consortiumv1.SessionReport) proto.Message {
		return &consortiumv1.MsgReportSessions{Node: account, Reports: batch}
	}
	return &happenings{
		outbox: newOutbox(g, "session reports", j, reported, message), now: g.config.Now, age: g.config.Limits.SessionReports,
		open: map[happening]*openHappening{}, asked: map[string]int{},
	}
}

// note writes down, durably, that something happened so often.
func (h *happenings) note(ctx context.Context, what happening, count uint64) error {
	return h.noteMarked(ctx, what, count, mark{})
}

// noteMarked is note, with what that does to sessions.
func (h *happenings) noteMarked(ctx context.Context, what happening, count uint64, m mark) error {
	place, err := h.put(ctx, what, count, m)
	if err != nil {
		return err
	}
	return h.journal.sync(place)
}

// put writes down that something happened so often, which is durable only after the journal's sync of the place.
func (h *happenings) put(ctx context.Context, what happening, count uint64, m mark) (place uint64, err error) {
	if err := h.prepare(ctx); err != nil {
		return 0, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	o, err := h.grow(what)
	if err != nil {
		return 0, err
	}
	o.report.Count += min(count, math.MaxInt64-o.report.GetCount())
	return h.journal.put(o.report, m)
}

// grow returns the report of what happened, a new one where none grows. h.mu is held.
func (h *happenings) grow(what happening) (*openHappening, error) {
	if o := h.open[what]; o != nil {
		return o, nil
	}
	failed := what.kind == consortiumv1.SessionKind_SESSION_KIND_LOGIN_FAILED
	if failed && what.account != "" && h.failing >= maxFailing {
		what.account = ""
		if o := h.open[what]; o != nil {
			return o, nil
		}
	}
	if what.read != "" && h.asked[what.account] >= maxQuestions {
		return nil, errQuestions
	}
	// What was left over by the process before leaves half of the room to who logs in now.
	if waiting := len(h.queue); waiting >= maxHappenings || what.way == endedRestart && waiting >= maxHappenings/2 {
		return nil, errHappeningsFull
	}
	o := &openHappening{what: what, first: h.now(), report: &consortiumv1.SessionReport{
		Number: h.next, Kind: what.kind, Account: what.account, Reason: what.reason, Read: what.read, Patient: what.patient,
		Record: what.record, Unlock: what.lock, Refused: what.refused, Way: what.way, At: h.now().Unix(),
	}}
	h.next++
	h.open[what] = o
	h.queue = append(h.queue, o)
	h.count(what, 1)
	h.notify()
	return o, nil
}

// count keeps what bounds open reports. h.mu is held.
func (h *happenings) count(what happening, n int) {
	if what.kind == consortiumv1.SessionKind_SESSION_KIND_LOGIN_FAILED {
		h.failing += n
	}
	if what.read != "" {
		if h.asked[what.account] += n; h.asked[what.account] == 0 {
			delete(h.asked, what.account)
		}
	}
}

// prepare learns, once, from which number on reports are new, and queues what an earlier process wrote down.
func (h *happenings) prepare(ctx context.Context) error {
	h.mu.Lock()
	done := h.prepared
	h.mu.Unlock()
	if done {
		return nil
	}
	left, next, err := h.begin(ctx)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.prepared {
		return nil
	}
	for _, report := range left {
		h.queue = append(h.queue, &openHappening{report: report, sent: true})
	}
	h.next, h.prepared = next, true
	h.notify()
	return nil
}

// due ends the growth of what began long enough ago, and returns the next batch. wait is when to look again, 0 for never.
func (h *happenings) due(all bool) (batch []*consortiumv1.SessionReport, wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.queue {
		if left := o.first.Add(h.age).Sub(h.now()); !o.sent && !all && left > 0 {
			wait = left
			break
		}
		if len(batch) == maxBatch {
			break
		}
		if !o.sent {
			o.sent = true
			delete(h.open, o.what)
			h.count(o.what, -1)
		}
		batch = append(batch, proto.CloneOf(o.report))
	}
	return batch, wait
}

// done forgets what the chain has taken.
func (h *happenings) done(number uint64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.queue) > 0 && h.queue[0].report.GetNumber() <= number {
		if o := h.queue[0]; !o.sent {
			o.sent = true
			delete(h.open, o.what)
			h.count(o.what, -1)
		}
		h.queue = h.queue[1:]
	}
	return h.journal.taken(number)
}

// round sends what is due, or all.
func (h *happenings) round(ctx context.Context, all bool) (wait time.Duration, err error) {
	if err := h.prepare(ctx); err != nil {
		return 0, err
	}
	return h.empty(ctx, func() ([]*consortiumv1.SessionReport, time.Duration) { return h.due(all) }, h.done)
}

// run hands reports to the chain until ctx ends.
func (h *happenings) run(ctx context.Context) {
	h.outbox.run(ctx, func(ctx context.Context) (time.Duration, error) { return h.round(ctx, false) })
}

// noteRead writes down that staff read the log, and that somebody was not let. What patients read of their own log is their business.
func (h *happenings) noteRead(ctx context.Context, c caller, what happening, count uint64) error {
	if !c.isStaff() && !what.refused {
		return nil
	}
	what.kind, what.account = consortiumv1.SessionKind_SESSION_KIND_LOG_READ, c.address
	return h.note(ctx, what, count)
}

// readOf says what of the log a query reads, and how many entries its answer shows; ok is false for queries of other things.
func readOf(request, answer proto.Message) (what happening, count uint64, ok bool) {
	switch q := request.(type) {
	case *auditv1.QueryEntriesRequest:
		a, _ := answer.(*auditv1.QueryEntriesResponse)
		return happening{read: readEntries, patient: q.GetPatient(), record: q.GetRecord(), lock: q.GetUnlock()}, uint64(len(a.GetEntries())), true
	case *auditv1.QueryEntryRequest:
		a, _ := answer.(*auditv1.QueryEntryResponse)
		return happening{read: readEntry, patient: a.GetEntry().GetPatient()}, 1, true
	case *auditv1.QuerySubjectHeadRequest:
		return happening{read: readSubject, patient: q.GetPatient()}, 0, true
	}
	return happening{}, 0, false
}

// refusedRead is a read that was refused, without what was asked for: anybody can ask for anything.
func refusedRead(what happening) happening { return happening{read: what.read, refused: true} }
