package node

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/time/rate"

	"github.com/phrd/phrd/blob"
)

// scrubAgain checks all that the mirror holds, at the start and then from time to time, until ctx ends or the store is closed.
func (m *Mirror) scrubAgain(ctx context.Context) {
	report := reporter{log: m.config.Log}
	for ctx.Err() == nil {
		committed := m.config.Chain.Committed()
		pause := m.config.ScrubEvery
		_, err := m.config.Chain.Ready(ctx)
		if err == nil {
			err = m.Scrub(ctx)
		}
		if errors.Is(err, blob.ErrClosed) {
			return // Run learns of it by itself
		} else if err != nil {
			pause = min(scrubRetry, pause)
		} else {
			committed = nil
		}
		report.changed(ctx, "what is mirrored can't be checked", err)
		sleep(ctx, committed, pause)
	}
}

// Scrub reads back every mirrored object that is here, at the configured rate. A store that finds a block damaged does not have it any
// more, so the next look fetches it again; the chain is told nothing, since it does not count on these copies. Errors are those of the
// chain, and [blob.ErrClosed].
func (m *Mirror) Scrub(ctx context.Context) error {
	slow := throttled{store: m.config.Store, limit: rate.NewLimiter(rate.Limit(m.config.ScrubRate), blob.MaxBlock)}
	if reader, ok := m.config.Store.(blob.ColdReader); ok {
		slow.store = reader.Cold()
	}
	return m.each(ctx, func(o object, cid string) error {
		here, err := m.isHere(ctx, o)
		if err != nil || !here {
			return err
		}
		err = o.readAll(ctx, slow, func(error) {})
		switch {
		case err == nil:
			m.count(func(s *MirrorStats) { s.Checked++ })
		case isLost(err):
			m.config.Log.Warn("a mirrored object is damaged and will be fetched again", "object", cid, "reason", err)
			m.count(func(s *MirrorStats) { s.Checked, s.Damaged = s.Checked+1, s.Damaged+1 })
		case ctx.Err() != nil, errors.Is(err, blob.ErrClosed):
			return fmt.Errorf("check mirrored object %s: %w", cid, err)
		default:
			// The disk did not answer; that says nothing about the object.
			m.config.Log.Warn("a mirrored object was not checked", "object", cid, "reason", err)
		}
		return nil
	})
}
