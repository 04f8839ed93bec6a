package node

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
)

const (
	// clockEvery is how often the clock is compared, firstClock how long after a start.
	clockEvery, firstClock = 10 * time.Minute, 10 * time.Second
	// clockAsks is how many other hospitals are asked for their time.
	clockAsks = 5
	// ClockTolerance is by how much a clock may be off before the others refuse its blocks.
	ClockTolerance = 60 * time.Second
)

// Clock compares this machine's clock with those of the other hospitals, as their gateways tell
// it. One whose own clock is wrong is outvoted.
type Clock struct {
	chain Chain
	query consortiumv1.QueryClient
	log   *slog.Logger
	turn  int // whom to ask next

	mu    sync.Mutex
	ahead time.Duration
	known bool
}

// NewClock returns a Clock that has asked nobody yet.
func NewClock(chain Chain, log *slog.Logger) *Clock {
	return &Clock{chain: chain, query: consortiumv1.NewQueryClient(chain), log: log}
}

// Ahead is by how much this clock is ahead of the median of the others, and whether that is
// known.
func (c *Clock) Ahead() (ahead time.Duration, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead, c.known
}

// Run compares until ctx ends; then it returns nil.
func (c *Clock) Run(ctx context.Context) error {
	for pause := firstClock; ; pause = clockEvery {
		sleep(ctx, nil, pause)
		select {
		case <-ctx.Done():
			return nil
		default:
		}
		if err := c.Compare(ctx); err != nil {
			c.log.Debug("the clock can't be compared", "reason", err)
		}
	}
}

// Compare asks the gateways of some other active members for their time. Where nobody answers
// what was known stands no longer.
func (c *Clock) Compare(ctx context.Context) error {
	members, err := c.others(ctx)
	if err != nil {
		return err
	}
	offsets := make(chan time.Duration, len(members))
	var group sync.WaitGroup
	for _, m := range members {
		group.Go(func() {
			if told, err := AskGateway(ctx, m.GetGatewayUrl(), m.GetGatewayFingerprint()); err == nil && !told.Time.IsZero() {
				offsets <- told.Ahead
			}
		})
	}
	group.Wait()
	close(offsets)
	var all []time.Duration
	for offset := range offsets {
		all = append(all, offset)
	}
	slices.Sort(all)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known = len(all) > 0; !c.known {
		return nil
	}
	c.ahead = all[len(all)/2]
	if c.ahead.Abs() >= ClockTolerance/2 {
		c.log.Error("the clock of this machine is off; keep it by NTP", "ahead", c.ahead, "hospitals", len(all), "tolerance", ClockTolerance)
	}
	return nil
}

// others are some active members other than the one whose account this is, the next ones at
// each call.
func (c *Clock) others(ctx context.Context) ([]*consortiumv1.Member, error) {
	all, err := takingPart(ctx, c.query)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(m *consortiumv1.Member) bool { return m.GetNodeAccount() == c.chain.Account() })
	if len(all) <= clockAsks {
		return all, nil
	}
	from := c.turn % len(all)
	c.turn += clockAsks
	return slices.Concat(all[from:], all[:from])[:clockAsks], nil
}
