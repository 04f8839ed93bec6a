package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
)

const (
	// looksPerBeat is how often between two heartbeats the disk is looked at.
	looksPerBeat = 4
	// changePart is the part of the free space whose change is told at once: a twentieth.
	changePart = 20
)

// Disk tells how much room there is; it is a *pack.Store.
type Disk interface {
	// Free returns how many more bytes of blobs fit.
	Free() (uint64, error)
}

// HeartConfig says what a [Heart] works with.
type HeartConfig struct {
	// Chain takes the heartbeats. Its account is the storage node's.
	Chain Chain
	// Disk is where copies are kept.
	Disk Disk
	// Log is told what can't be done; slog.Default() if nil.
	Log *slog.Logger
}

// Heart tells the chain that this node is there and how much room it has: at the start, as
// often as the chain's rules say, and when the room has changed by more than a twentieth.
// A node whose disk does not answer stays silent, for nothing can be promised of it.
type Heart struct {
	config HeartConfig
	query  storagev1.QueryClient
	self   self

	beatAt time.Time // of the last heartbeat that was carried out
	told   uint64    // the room that it told
}

// NewHeart returns a Heart that has not begun.
func NewHeart(config HeartConfig) (*Heart, error) {
	if config.Chain == nil || config.Disk == nil {
		return nil, errors.New("heart needs a chain and a disk")
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	return &Heart{config: config, query: storagev1.NewQueryClient(config.Chain), self: self{chain: config.Chain}}, nil
}

// Run beats until ctx ends; then it returns nil.
func (h *Heart) Run(ctx context.Context) error {
	report := reporter{log: h.config.Log}
	for retry := firstPause; ctx.Err() == nil; {
		var registered <-chan struct{} // may be by the next block
		committed := h.config.Chain.Committed()
		pause, err := h.look(ctx)
		switch {
		case errors.Is(err, errNotStorage):
			registered, pause = committed, lastPause
		case err != nil:
			pause, retry = retry, min(2*retry, lastPause)
		default:
			retry = firstPause
		}
		report.changed(ctx, "no heartbeat can be sent", err)
		sleep(ctx, registered, pause)
	}
	return nil
}

// look beats when it is time to, and returns after what time to look again.
func (h *Heart) look(ctx context.Context) (time.Duration, error) {
	if _, err := h.self.number(ctx); err != nil {
		return 0, err
	}
	rules, err := h.query.Params(ctx, &storagev1.QueryParamsRequest{})
	if err != nil {
		return 0, fmt.Errorf("ask how often to beat: %w", err)
	}
	interval := time.Duration(rules.GetParams().GetHeartbeatInterval()) * time.Second
	if interval <= 0 {
		return 0, fmt.Errorf("the chain wants a heartbeat every %s", interval)
	}
	free, err := h.config.Disk.Free()
	if err != nil {
		return 0, err
	}
	if h.beatAt.IsZero() || time.Since(h.beatAt) >= interval || hasChanged(h.told, free) {
		begun := time.Now()
		if _, err := h.config.Chain.Submit(ctx, &storagev1.MsgHeartbeat{Node: h.config.Chain.Account(), Free: free}); err != nil {
			return 0, err
		}
		h.beatAt, h.told = begun, free
	}
	return max(min(interval/looksPerBeat, interval-time.Since(h.beatAt)), time.Millisecond), nil
}

// hasChanged tells whether the room differs by more than a twentieth of what was told.
func hasChanged(told, free uint64) bool {
	return max(told, free)-min(told, free) > told/changePart
}
