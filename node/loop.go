package node

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// loop calls a round at the start, after each block, and after the pause that the last
// round asked for, if any. It ends with ctx, which is no error, or with a round's error.
func loop(ctx context.Context, chain Chain, round func(context.Context) (pause time.Duration, err error)) error {
	for {
		committed := chain.Committed()
		pause, err := round(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // whatever the round says now, it was told to end
		}
		if err != nil {
			return err
		}
		if pause == 0 {
			select {
			case <-committed:
			case <-ctx.Done():
			}
			continue
		}
		sleep(ctx, committed, pause)
	}
}

// sleep waits for a while, or for a channel to close, or for ctx to end.
func sleep(ctx context.Context, until <-chan struct{}, longest time.Duration) {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-until:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// reporter logs what a worker can't do once, not at every try.
type reporter struct {
	log  *slog.Logger
	last string
}

// changed logs an error that is not the one before it, and that the trouble is over. What
// fails because ctx has ended is no trouble, and what waits for the node itself, as at each
// start and while it catches up, or for it to be registered, is no warning.
func (r *reporter) changed(ctx context.Context, what string, err error) {
	text := ""
	waits := errors.Is(err, ErrNotReady) || errors.Is(err, errNotStorage) || status.Code(err) == codes.Unavailable
	switch {
	case errors.Is(err, ErrNotReady):
		text = ErrNotReady.Error() // the rest names each block
	case err != nil:
		text = err.Error()
	}
	if ctx.Err() != nil || text == r.last {
		return
	}
	switch r.last = text; {
	case err == nil:
		r.log.Info("no longer: " + what)
	case waits:
		r.log.Info(what+" yet", "reason", err)
	default:
		r.log.Warn(what, "reason", err)
	}
}
