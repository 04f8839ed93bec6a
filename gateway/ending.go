package gateway

import (
	"context"
	"time"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
)

// endingRetry is the pause after the end of a session could not be written down.
const endingRetry = 10 * time.Second

// finish ends a session that its account did not end, which is to be written down. s.mu is held.
func (s *sessions) finish(key sessionKey) {
	if x := s.by[key]; x != nil {
		s.over = append(s.over, x.address)
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
			s.over = append(s.over, x.address)
			s.drop(key)
		} else if wait == 0 || left < wait {
			wait = left
		}
	}
	return wait
}

// nextOver returns the account of a session whose end is to be written down.
func (s *sessions) nextOver() (address string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.over) == 0 {
		return "", false
	}
	return s.over[0], true
}

// wroteOver forgets what nextOver returned.
func (s *sessions) wroteOver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = s.over[1:]
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

// writeEndings writes down every end that is not.
func (g *Gateway) writeEndings(ctx context.Context) error {
	for {
		address, ok := g.sessions.nextOver()
		if !ok {
			return nil
		}
		if err := g.happenings.note(ctx, happening{kind: consortiumv1.SessionKind_SESSION_KIND_SESSION_ENDED, account: address}, 1); err != nil {
			return err
		}
		g.sessions.wroteOver()
	}
}
