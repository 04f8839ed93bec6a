package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
)

// endingRetry is the pause after the end of a session could not be written down.
const endingRetry = 10 * time.Second

// An ending is the end of a session that its account did not end.
type ending struct {
	key     sessionKey
	address string
	way     string
}

// inherit takes over the sessions that an earlier process began, by their accounts, which ended with it.
func (s *sessions) inherit(left map[sessionKey]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, address := range left {
		s.over = append(s.over, ending{key: key, address: address, way: endedRestart})
	}
	// Those of an account are one report.
	slices.SortFunc(s.over, func(a, b ending) int { return strings.Compare(a.address, b.address) })
	s.changed.Ring()
}

// finish ends a session that its account did not end, which is to be written down. s.mu is held.
func (s *sessions) finish(key sessionKey) {
	if x := s.by[key]; x != nil {
		s.over = append(s.over, ending{key: key, address: x.address})
		s.drop(key)
		s.changed.Ring()
	}
}

// expire ends the sessions whose time is over, and returns after what time the next one's is, 0 for none.
func (s *sessions) expire() (wait time.Duration) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, x := range s.by {
		left := x.end().Sub(now)
		if left <= 0 {
			s.over = append(s.over, ending{key: key, address: x.address})
			s.drop(key)
		} else if wait == 0 || left < wait {
			wait = left
		}
	}
	return wait
}

// nextOver returns ends that are to be written down: the first, and those that follow of the same account in the same way.
func (s *sessions) nextOver() (run []ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.over {
		if len(run) == maxMarked || len(run) > 0 && (e.address != run[0].address || e.way != run[0].way) {
			break
		}
		run = append(run, e)
	}
	return run
}

// wroteOver forgets as many as nextOver returned.
func (s *sessions) wroteOver(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = s.over[n:]
}

// followSessions writes down which sessions end without their account ending them, until ctx ends.
func (g *Gateway) followSessions(ctx context.Context) {
	for ctx.Err() == nil {
		changed := g.sessions.changed.Rung()
		wait := g.sessions.expire()
		if err := g.writeEndings(ctx); err != nil {
			g.config.Log.Warn("the end of sessions is not written down yet", "error", err)
			wait = endingRetry
		}
		await(ctx, changed, wait)
	}
}

// await returns when something changed, after a while where it is not 0, or when ctx ends.
func await(ctx context.Context, changed <-chan struct{}, wait time.Duration) {
	var due <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-changed:
	case <-due:
	case <-ctx.Done():
	}
}

// writeEndings writes down every end that is not. One fsync serves all: an end that a crash takes away before it is found again, for its
// session is then still in the journal.
func (g *Gateway) writeEndings(ctx context.Context) error {
	var last uint64
	for run := g.sessions.nextOver(); len(run) > 0; run = g.sessions.nextOver() {
		place, err := g.writeEnding(ctx, run)
		if err != nil {
			return errors.Join(err, g.happenings.journal.sync(last))
		}
		g.sessions.wroteOver(len(run))
		last = place
	}
	return g.happenings.journal.sync(last)
}

// writeEnding writes down the ends of sessions of one account in one way.
func (g *Gateway) writeEnding(ctx context.Context, run []ending) (place uint64, err error) {
	keys := make([]sessionKey, len(run))
	for i, e := range run {
		keys[i] = e.key
	}
	what := happening{kind: consortiumv1.SessionKind_SESSION_KIND_SESSION_ENDED, account: run[0].address, way: run[0].way}
	return g.happenings.put(ctx, what, uint64(len(run)), ended(keys...))
}
