package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/node"
)

const (
	tokenSize = 32
	// maxSessions is how many sessions there are at a time; a further login ends the one
	// that was used longest ago.
	maxSessions = 1 << 16
)

// A caller is the principal behind a request. The zero caller has not logged in.
type caller struct {
	address  string
	role     consortiumv1.Role
	hospital uint64
	patient  string
	audits   *consortiumv1.AuditScope // of an auditor
}

func (c caller) isNobody() bool  { return c.address == "" }
func (c caller) isPatient() bool { return c.role == consortiumv1.Role_ROLE_PATIENT }
func (c caller) isAuditor() bool { return c.role == consortiumv1.Role_ROLE_AUDITOR }

// auditsAll tells whether the caller is an auditor of the whole log.
func (c caller) auditsAll() bool { return c.isAuditor() && c.audits.GetAll() }

// auditsAny tells whether the caller is an auditor of one of the hospitals; nobody audits hospital 0 alone.
func (c caller) auditsAny(hospitals ...uint64) bool {
	return c.auditsAll() || c.isAuditor() && slices.ContainsFunc(hospitals, func(h uint64) bool { return slices.Contains(c.audits.GetHospitals(), h) })
}

// isNode tells whether the caller is a server of a member.
func (c caller) isNode() bool {
	return c.role == consortiumv1.Role_ROLE_NODE || c.role == consortiumv1.Role_ROLE_STORAGE
}

// isStaff tells whether the caller is a person whom a hospital's admin registered, or whom the members appointed.
func (c caller) isStaff() bool {
	return c.role >= consortiumv1.Role_ROLE_ADMIN && c.role <= consortiumv1.Role_ROLE_AUDITOR
}

// is tells whether the caller has one of the roles.
func (c caller) is(roles ...consortiumv1.Role) bool {
	for _, r := range roles {
		if c.role == r {
			return true
		}
	}
	return false
}

// of tells whether the caller belongs to a hospital; nobody belongs to hospital 0.
func (c caller) of(hospital uint64) bool { return hospital != 0 && c.hospital == hospital }

// owns tells whether the caller is the patient of that number.
func (c caller) owns(patient string) bool {
	return c.isPatient() && patient != "" && c.patient == patient
}

type callerKey struct{}

func withCaller(ctx context.Context, c caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

func callerOf(ctx context.Context) caller {
	c, ok := ctx.Value(callerKey{}).(caller)
	if !ok {
		return caller{}
	}
	return c
}

// roleWord is a role as people and the log write it.
func roleWord(r consortiumv1.Role) string {
	return strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_"))
}

// sessionKey is the hash of a session's token, of which nothing else is kept.
type sessionKey [sha256.Size]byte

func keyOf(token string) sessionKey { return sha256.Sum256([]byte(token)) }

// newToken draws the token of a session.
func newToken() (string, error) {
	var b [tokenSize]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("draw token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// session is one login.
type session struct {
	address       string
	began, used   time.Time
	idle, maximum time.Duration
	ended         chan struct{} // closed with the session
}

func (s *session) end() time.Time {
	end := s.used.Add(s.idle)
	if last := s.began.Add(s.maximum); last.Before(end) {
		return last
	}
	return end
}

// sessions are all logins. A restart ends them, and what the journal knows of them is how their ends are written down.
type sessions struct {
	limits Limits
	now    func() time.Time

	changed node.Bell // rung when a session began, and when there is an end to write down

	mu   sync.Mutex
	by   map[sessionKey]*session
	over []ending // to be written down
}

func newSessions(l Limits, now func() time.Time) *sessions {
	return &sessions{limits: l, now: now, by: map[sessionKey]*session{}}
}

// begin begins a session and returns when it ends if it is not used.
func (s *sessions) begin(token, address string) (end time.Time) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom(address, now)
	added := &session{address: address, began: now, used: now, idle: s.limits.SessionIdle, maximum: s.limits.SessionAge, ended: make(chan struct{})}
	s.by[keyOf(token)] = added
	s.changed.Ring()
	return added.end()
}

// makeRoom forgets sessions that have ended, and the oldest of an account or of all that
// have too many.
func (s *sessions) makeRoom(address string, now time.Time) {
	own := 0
	var oldest, oldestOwn sessionKey
	for key, x := range s.by {
		if !now.Before(x.end()) {
			s.finish(key)
			continue
		}
		if o := s.by[oldest]; o == nil || x.used.Before(o.used) {
			oldest = key
		}
		if x.address != address {
			continue
		}
		own++
		if o := s.by[oldestOwn]; o == nil || x.used.Before(o.used) {
			oldestOwn = key
		}
	}
	if own >= s.limits.Sessions {
		s.finish(oldestOwn)
	}
	if len(s.by) >= maxSessions {
		s.finish(oldest)
	}
}

// count is how many logins have not ended.
func (s *sessions) count() int {
	now, n := s.now(), 0
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.by {
		if now.Before(x.end()) {
			n++
		}
	}
	return n
}

// use returns the account behind a token and counts the session as used now.
func (s *sessions) use(token string) (address string, ok bool) {
	key, now := keyOf(token), s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.live(key, now)
	if found == nil {
		return "", false
	}
	found.used = now
	return found.address, true
}

// live returns a session that has not ended, nil where there is none. One that has run out is finished. s.mu is held.
func (s *sessions) live(key sessionKey, now time.Time) *session {
	found := s.by[key]
	if found != nil && !now.Before(found.end()) {
		s.finish(key)
		return nil
	}
	return found
}

// end ends the session of a token, and returns the account behind it unless it has ended by itself.
func (s *sessions) end(token string) (address string, ok bool) {
	key, now := keyOf(token), s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.live(key, now)
	if found == nil {
		return "", false
	}
	s.drop(key)
	return found.address, true
}

// endAll ends all sessions of an account whose role is over.
func (s *sessions) endAll(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, x := range s.by {
		if x.address == address {
			s.finish(key)
		}
	}
}

// drop forgets a session and tells who follows notices in it. s.mu is held.
func (s *sessions) drop(key sessionKey) {
	if x := s.by[key]; x != nil {
		close(x.ended)
		delete(s.by, key)
	}
}

// holder returns the account behind a token without counting the session as used.
func (s *sessions) holder(token string) (address string, ok bool) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.by[keyOf(token)]
	if found == nil || !now.Before(found.end()) {
		return "", false
	}
	return found.address, true
}

// ended returns a channel that is closed when the session of a token is dropped.
func (s *sessions) ended(token string) (ended <-chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.by[keyOf(token)]
	if found == nil {
		return nil, false
	}
	return found.ended, true
}

// errNobody says that an account is no principal, or may not act now.
var errNobody = errors.New("account has no role that may act now")

// principal reads who an account is now.
func (g *Gateway) principal(ctx context.Context, address string) (caller, error) {
	ctx, cancel := context.WithTimeout(ctx, g.config.Limits.QueryTime)
	defer cancel()
	got, err := consortiumv1.NewQueryClient(g.config.Chain).Principal(ctx, &consortiumv1.QueryPrincipalRequest{Address: address})
	if status.Code(err) == codes.NotFound {
		return caller{}, errNobody
	}
	if err != nil {
		return caller{}, unavailable(err, "the node does not answer")
	}
	p := got.GetPrincipal()
	if !p.GetActive() || p.GetAddress() != address || p.GetRole() == consortiumv1.Role_ROLE_UNSPECIFIED {
		return caller{}, errNobody
	}
	return caller{address: address, role: p.GetRole(), hospital: p.GetHospital(), patient: p.GetPatient(), audits: p.GetAudits()}, nil
}

func loginNeeded() *fault {
	return &fault{status: http.StatusUnauthorized, detail: "log in first, or again", hint: "POST /login/challenge"}
}

// authenticate returns who asks, from the value of an Authorization header: nobody where it
// is empty. The principal is read anew each time, so that a session ends with the role.
func (g *Gateway) authenticate(ctx context.Context, authorization string) (caller, error) {
	if authorization == "" {
		return caller{}, nil
	}
	token, ok := bearer(authorization)
	if !ok {
		return caller{}, loginNeeded()
	}
	address, ok := g.sessions.use(token)
	if !ok {
		return caller{}, loginNeeded()
	}
	c, err := g.principal(ctx, address)
	if errors.Is(err, errNobody) {
		g.sessions.endAll(address)
		return caller{}, loginNeeded()
	}
	if err != nil {
		return caller{}, err
	}
	if wait := g.accountRequests.take(address, 1); wait > 0 {
		return caller{}, tooMany(wait)
	}
	return c, nil
}

// bearer returns the token of an Authorization header.
func bearer(authorization string) (string, bool) {
	scheme, token, ok := strings.Cut(authorization, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || len(token) != base64.RawURLEncoding.EncodedLen(tokenSize) {
		return "", false
	}
	return token, true
}

func tooMany(wait time.Duration) *fault {
	return &fault{status: http.StatusTooManyRequests, detail: "too many requests", retry: wait}
}
