package gateway

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxBuckets is how many callers a set of buckets tells apart at a time.
const maxBuckets = 1 << 16

// buckets hold a token bucket for each caller.
type buckets struct {
	rate Rate
	now  func() time.Time

	mu    sync.Mutex
	by    map[string]*rate.Limiter
	rest  *rate.Limiter // shared by who finds no room
	swept time.Time
}

func newBuckets(r Rate, now func() time.Time) *buckets {
	b := &buckets{rate: r, now: now, by: map[string]*rate.Limiter{}}
	b.rest = b.fresh()
	return b
}

func (b *buckets) fresh() *rate.Limiter {
	return rate.NewLimiter(rate.Limit(float64(b.rate.Count)/b.rate.Per.Seconds()), b.rate.Burst)
}

// take takes n tokens from the caller's bucket. Where there are not enough it takes none and
// returns after what time there will be.
func (b *buckets) take(caller string, n int) (wait time.Duration) {
	now := b.now()
	l := b.limiter(caller, now)
	if l.AllowN(now, n) {
		return 0
	}
	r := l.ReserveN(now, n)
	if !r.OK() {
		return b.rate.Per
	}
	wait = r.DelayFrom(now)
	r.CancelAt(now)
	return max(wait, time.Second)
}

func (b *buckets) limiter(caller string, now time.Time) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	if found := b.by[caller]; found != nil {
		return found
	}
	if len(b.by) >= maxBuckets && now.Sub(b.swept) > time.Second {
		b.sweep(now)
	}
	if len(b.by) >= maxBuckets {
		return b.rest
	}
	l := b.fresh()
	b.by[caller] = l
	return l
}

// sweep forgets buckets that are full again.
func (b *buckets) sweep(now time.Time) {
	b.swept = now
	for caller, x := range b.by {
		if x.TokensAt(now) >= float64(b.rate.Burst) {
			delete(b.by, caller)
		}
	}
}

// addressKey is what tells callers without a login apart: an IPv4 address, or the /64 of an
// IPv6 address, which is what one subscriber has.
func addressKey(remote string) string {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	return clientKey(at.Addr().Unmap())
}

func clientKey(addr netip.Addr) string {
	if addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return addr.String()
	}
	return prefix.String()
}

// slots bound how much a caller, and all together, do at the same time.
type slots struct {
	each, all int

	mu    sync.Mutex
	by    map[string]int
	total int
}

func newSlots(each, all int) *slots { return &slots{each: each, all: all, by: map[string]int{}} }

// take takes a slot, or returns false. What was taken is given back.
func (s *slots) take(caller string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= s.all || s.by[caller] >= s.each {
		return false
	}
	s.total++
	s.by[caller]++
	return true
}

func (s *slots) give(caller string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.by[caller]--; s.by[caller] == 0 {
		delete(s.by, caller)
	}
}

// count is how many are taken.
func (s *slots) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}
