package ipfs

import (
	"fmt"
	"sync/atomic"

	"github.com/phrd/phrd/blob"
	"golang.org/x/time/rate"
)

// MinRate is the lowest bound in bytes a second that a node may be given: with less, peers
// that wait for their turn would lose their patience.
const MinRate = 256 << 10

// newRate returns a bound in bytes a second, none if 0. A whole block fits at once.
func newRate(what string, bytes int) (*rate.Limiter, error) {
	if bytes == 0 {
		return rate.NewLimiter(rate.Inf, blob.MaxBlock), nil
	}
	if bytes < MinRate {
		return nil, fmt.Errorf("%s rate of %d bytes a second, want at least %d or 0 for no bound", what, bytes, MinRate)
	}
	return rate.NewLimiter(rate.Limit(bytes), blob.MaxBlock), nil
}

// Traffic is what a node has moved since it started.
type Traffic struct {
	// Sent and Fetched are the bytes of blocks sent to and received from peers.
	Sent, Fetched uint64
	// Wrong is how often a peer sent what is not the block that was asked for; each time it
	// was asked no more by the fetch that saw it.
	Wrong uint64
}

type traffic struct{ sent, fetched, wrong atomic.Uint64 }

// Traffic returns what the node has moved so far.
func (n *Node) Traffic() Traffic {
	return Traffic{Sent: n.traffic.sent.Load(), Fetched: n.traffic.fetched.Load(), Wrong: n.traffic.wrong.Load()}
}
