package gateway

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
)

// ScopeWithout makes the scope of a program whose table lacks a method.
func ScopeWithout(node grpc.ClientConnInterface, method string) error {
	rules := scopeTable()
	delete(rules, method)
	_, err := newScope(node, rules, time.Second, slog.Default())
	return err
}

// DefaultLimits are those of a gateway whose config names none.
func DefaultLimits() Limits { return Config{}.complete().Limits }

// Sweep forgets uploads that nobody touched for long.
func Sweep(ctx context.Context, g *Gateway) { g.uploads.sweep(ctx) }

// IsWriting tells whether a request writes to an upload.
func IsWriting(g *Gateway, id string) bool {
	for _, x := range g.uploads.all() {
		x.mu.Lock()
		writing := x.id == id && x.writer != nil
		x.mu.Unlock()
		if writing {
			return true
		}
	}
	return false
}

// Journal is the journal of reads.
type Journal struct {
	j    *journal[*recordsv1.AccessReport]
	lock *os.File
}

// OpenJournal opens the journal in a folder.
func OpenJournal(folder string, log *slog.Logger) (*Journal, error) {
	lock, err := lockFolder(folder)
	if err != nil {
		return nil, err
	}
	j, err := openJournal(folder, readsJournal, func() *recordsv1.AccessReport { return &recordsv1.AccessReport{} }, log)
	return &Journal{j, lock}, err
}

// Append writes a report.
func (j *Journal) Append(r *recordsv1.AccessReport) error {
	_, err := j.j.put(r, mark{})
	return err
}

// Write writes a report and returns when it is durable.
func (j *Journal) Write(r *recordsv1.AccessReport) error {
	place, err := j.j.put(r, mark{})
	if err != nil {
		return err
	}
	return j.j.sync(place)
}

// Taken notes what the chain has.
func (j *Journal) Taken(n uint64) error { return j.j.taken(n) }

// Reports are those that the chain may not have.
func (j *Journal) Reports() []*recordsv1.AccessReport { return j.j.reports() }

// Last is the highest number.
func (j *Journal) Last() uint64 { return j.j.last() }

// Close closes the journal.
func (j *Journal) Close() error { return errors.Join(j.j.close(), j.lock.Close()) }

// SessionsJournal is the journal of sessions.
type SessionsJournal struct {
	j    *journal[*consortiumv1.SessionReport]
	lock *os.File
}

// OpenSessionsJournal opens the journal in a folder.
func OpenSessionsJournal(folder string, log *slog.Logger) (*SessionsJournal, error) {
	lock, err := lockFolder(folder)
	if err != nil {
		return nil, err
	}
	j, err := openJournal(folder, sessionsJournal, func() *consortiumv1.SessionReport { return &consortiumv1.SessionReport{} }, log)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &SessionsJournal{j, lock}, nil
}

// Begin writes a report with the beginning of its account's session of a token.
func (j *SessionsJournal) Begin(r *consortiumv1.SessionReport, token string) error {
	_, err := j.j.put(r, began(keyOf(token), r.GetAccount()))
	return err
}

// End writes a report with the end of the sessions of tokens.
func (j *SessionsJournal) End(r *consortiumv1.SessionReport, tokens ...string) error {
	keys := make([]sessionKey, len(tokens))
	for i, token := range tokens {
		keys[i] = keyOf(token)
	}
	_, err := j.j.put(r, ended(keys...))
	return err
}

// Taken notes what the chain has.
func (j *SessionsJournal) Taken(n uint64) error { return j.j.taken(n) }

// Reports are those that the chain may not have.
func (j *SessionsJournal) Reports() []*consortiumv1.SessionReport { return j.j.reports() }

// Open are the accounts of the sessions that have begun and not ended, in order.
func (j *SessionsJournal) Open() []string { return slices.Sorted(maps.Values(j.j.opened())) }

// Close closes the journal.
func (j *SessionsJournal) Close() error { return errors.Join(j.j.close(), j.lock.Close()) }

// MarkedFrame is a whole frame of a kind with any body.
func MarkedFrame(ended bool, body []byte) []byte {
	if ended {
		return appendFrame(nil, frameEnded, body)
	}
	return appendFrame(nil, frameBegan, body)
}

// What bounds how many reports wait for the chain, and how many sessions one frame ends.
const (
	MaxHappenings = maxHappenings
	MaxMarked     = maxMarked
)

// WaitingSessions is how many reports of sessions wait for the chain.
func WaitingSessions(g *Gateway) int {
	g.happenings.mu.Lock()
	defer g.happenings.mu.Unlock()
	return len(g.happenings.queue)
}

// ErrMark says that a frame ends within its mark.
var ErrMark = errMark

// BreakJournal makes a gateway's journal fail as after a failed fsync.
func BreakJournal(g *Gateway) {
	g.reports.journal.mu.Lock()
	defer g.reports.journal.mu.Unlock()
	g.reports.journal.err = errors.New("fsync: input/output error")
}

// BreakSessions makes the journal of sessions fail as after a failed fsync.
func BreakSessions(g *Gateway) {
	g.happenings.journal.mu.Lock()
	defer g.happenings.journal.mu.Unlock()
	g.happenings.journal.err = errors.New("fsync: input/output error")
}

// Asker is who asks.
type Asker struct {
	Address  string
	Role     consortiumv1.Role
	Hospital uint64
	Patient  string
	Audits   *consortiumv1.AuditScope
}

func (a Asker) caller() caller {
	return caller{address: a.Address, role: a.Role, hospital: a.Hospital, patient: a.Patient, audits: a.Audits}
}

// MayAsk tells whether the scope table lets somebody ask.
func MayAsk(a Asker, method string, request proto.Message) bool {
	r := scopeTable()[method]
	return r.public || r.asks == nil || r.asks(a.caller(), request) == nil
}

// Narrowed is what the scope table makes of a request for the log that somebody may make.
func Narrowed(a Asker, q *auditv1.QueryEntriesRequest) (*auditv1.QueryEntriesRequest, error) {
	narrowed := proto.CloneOf(q)
	return narrowed, scopeTable()[auditv1.Query_Entries_FullMethodName].admits(a.caller(), narrowed)
}

// World is what the chain says of unlocks and records.
type World struct {
	// Askers are the hospitals that asked for unlocks, and Custodians those that keep records.
	Askers, Custodians map[string]uint64
}

// Sees tells whether the scope table shows somebody an answer in a world.
func Sees(w World, a Asker, method string, request, answer proto.Message) (bool, error) {
	s := &scope{}
	for id, hospital := range w.Askers {
		s.parties.keep(id, &accessv1.Unlock{Hospital: hospital})
	}
	for id, hospital := range w.Custodians {
		s.custodians.keep(id, hospital)
	}
	return scopeTable()[method].sees(context.Background(), s, a.caller(), request, answer)
}
