package server

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"

	"cosmossdk.io/log/v2"
)

// slogHandler writes records of log/slog to the chain's logger, so that a server has one log.
type slogHandler struct {
	to     log.Logger
	prefix string // of the names of attributes
}

// NewSlog is a structured logger over the chain's logger.
func NewSlog(to log.Logger) *slog.Logger { return slog.New(slogHandler{to: to}) }

// Enabled leaves it to the chain's logger to drop levels.
func (slogHandler) Enabled(context.Context, slog.Level) bool { return true }

// Handle writes a record.
func (h slogHandler) Handle(_ context.Context, r slog.Record) error {
	var pairs []any
	r.Attrs(func(a slog.Attr) bool {
		pairs = h.append(pairs, a)
		return true
	})
	switch {
	case r.Level >= slog.LevelError:
		h.to.Error(r.Message, pairs...)
	case r.Level >= slog.LevelWarn:
		h.to.Warn(r.Message, pairs...)
	case r.Level >= slog.LevelInfo:
		h.to.Info(r.Message, pairs...)
	default:
		h.to.Debug(r.Message, pairs...)
	}
	return nil
}

func (h slogHandler) append(pairs []any, a slog.Attr) []any {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		inner := slogHandler{to: h.to, prefix: h.prefix + a.Key + "."}
		if a.Key == "" {
			inner.prefix = h.prefix
		}
		for _, b := range value.Group() {
			pairs = inner.append(pairs, b)
		}
		return pairs
	}
	if err, ok := value.Any().(error); ok {
		return append(pairs, h.prefix+a.Key, err.Error())
	}
	return append(pairs, h.prefix+a.Key, value.String())
}

// WithAttrs adds attributes to every record.
func (h slogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var pairs []any
	for _, a := range attrs {
		pairs = h.append(pairs, a)
	}
	return slogHandler{to: h.to.With(slices.Clip(pairs)...), prefix: h.prefix}
}

// WithGroup puts a name before the names of later attributes.
func (h slogHandler) WithGroup(name string) slog.Handler {
	return slogHandler{to: h.to, prefix: h.prefix + name + "."}
}

// harmless are what CometBFT calls errors when it is told to stop, or when nobody admits the node.
var harmless = []string{
	"Error stopping pool", "Stopped accept routine, as transport is closed", "Error serving server", "Stopping peer for error", "Error dialing peer",
	"Error starting peer",
}

// stoppable is the chain's logger. While the server stops, or nobody admits it yet, it tells of what is harmless then as of other
// details, and always so of votes that a restored validator does not give yet.
type stoppable struct {
	log.Logger
	stopping, unadmitted *atomic.Bool
}

// With adds names and values to what is told.
func (l stoppable) With(pairs ...any) log.Logger {
	return stoppable{Logger: l.Logger.With(pairs...), stopping: l.stopping, unadmitted: l.unadmitted}
}

// Error tells of an error.
func (l stoppable) Error(message string, pairs ...any) {
	if (l.stopping.Load() || l.unadmitted.Load()) && slices.Contains(harmless, message) || slices.ContainsFunc(pairs, isQuiet) {
		l.Debug(message, pairs...)
		return
	}
	l.Logger.Error(message, pairs...)
}

// isQuiet tells whether something that is logged is the error of a validator that does not sign yet.
func isQuiet(logged any) bool {
	err, ok := logged.(error)
	return ok && errors.Is(err, errQuiet)
}
