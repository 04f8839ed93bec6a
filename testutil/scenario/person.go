package scenario

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/wallet"
)

// person is somebody with an account, and a program that talks to a hospital's gateway.
type person struct {
	key    *wallet.Key
	at     *hospital // whose gateway the program calls first
	client *phr.Client

	mu      sync.Mutex
	unlocks []Unlock // that this person proposed, newest last
	token   string   // of a login that stories make without the program
}

// Person is somebody with an account, bound to the test in which they act.
type Person struct {
	t testing.TB
	*person
}

// Client is the person's program.
func (p Person) Client() *phr.Client { return p.client }

// Address is the person's account.
func (p Person) Address() string { return p.key.Address() }

// Key signs for the person's account.
func (p Person) Key() *wallet.Key { return p.key }

// dial gives a person a program that talks to the hospital's gateway first.
func (h *hospital) dial(ctx context.Context, key *wallet.Key) (*person, error) {
	client, err := phr.Dial(ctx, phr.Config{Gateway: h.url, Fingerprint: h.pin, ChainID: ChainID, Network: h.network.id, Key: key})
	if err != nil {
		return nil, err
	}
	p := &person{key: key, at: h, client: client}
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	h.network.people = append(h.network.people, p)
	return p, nil
}

// Stranger is somebody with a key whom the network does not know.
func (n *Network) Stranger() Person {
	n.t.Helper()
	return n.stranger(n.t)
}

func (n *network) stranger(t testing.TB) Person {
	t.Helper()
	key, err := wallet.NewKey(rand.Reader)
	if err != nil {
		t.Fatalf("a stranger's key: %v", err)
	}
	p, err := n.hospitals[0].dial(t.Context(), key)
	if err != nil {
		t.Fatalf("a stranger calls: %v", err)
	}
	return Person{t, p}
}

// step is a context for one step that the person takes. Nodes come to a new block one after another, within moments; people who hear
// of each other's deeds come later than that. So the step waits until the person's gateway shows what was done in earlier ones.
func (p Person) step() (context.Context, context.CancelFunc) {
	p.t.Helper()
	return p.stepFor(StepTime)
}

func (p Person) stepFor(limit time.Duration) (context.Context, context.CancelFunc) {
	p.t.Helper()
	ctx, cancel := step(p.t)
	n := p.at.network
	if err := n.catchUp(ctx, p.at); err != nil {
		cancel()
		p.t.Fatalf("the gateway of %s does not come to block %d: %v", p.at.name, n.done.Load(), err)
	}
	limited, end := context.WithTimeout(ctx, limit)
	return limited, func() {
		p.t.Helper()
		end()
		n.note(ctx, p.at)
		cancel()
	}
}

// catchUp waits until a hospital's gateway shows the height up to which steps were done. A hospital that is away is not waited for.
func (n *network) catchUp(ctx context.Context, h *hospital) error {
	for {
		if h.server == nil {
			return nil
		}
		height, err := h.height(ctx)
		if err == nil && height >= n.done.Load() {
			return nil
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

// past asks until the answer is no error, or none of some. A step waits for the gateway of its person alone, and what is asked of
// others they may not have yet.
func past[T any](ctx context.Context, ask func() (T, error), passing ...error) (T, error) {
	for {
		answer, err := ask()
		if !slices.ContainsFunc(passing, func(e error) bool { return errors.Is(err, e) }) {
			return answer, err
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			return answer, err
		}
	}
}

// note keeps the height that a hospital's gateway shows, where it shows one.
func (n *network) note(ctx context.Context, h *hospital) {
	if h.server == nil {
		return
	}
	height, err := h.height(ctx)
	if err != nil {
		return // what was done stands at other hospitals, which note it themselves
	}
	for before := n.done.Load(); height > before; before = n.done.Load() {
		if n.done.CompareAndSwap(before, height) {
			return
		}
	}
}

// height is the height at which the hospital's gateway answers.
func (h *hospital) height(ctx context.Context) (int64, error) {
	_, body, err := h.get(ctx, "/chain")
	if err != nil {
		return 0, err
	}
	var chain struct {
		Height int64 `json:"height"`
	}
	err = json.Unmarshal(body, &chain)
	return chain.Height, err
}

// slow is how long a step may take without a word.
const slow = 15 * time.Second

// step is a context for one step of a story.
func step(t testing.TB) (context.Context, context.CancelFunc) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(t.Context(), StepTime, fmt.Errorf("a step of the story took over %s", StepTime))
	return ctx, func() {
		t.Helper()
		cancel()
		if took := time.Since(began); took > slow {
			t.Logf("this step took %s", took.Round(time.Second))
		}
	}
}

// Reason is the code with which the chain refused what led to an error; empty where it was no refusal.
func Reason(err error) string {
	var refused *phr.Refused
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return ""
}

// mustRefuse fails the test unless the chain refused something for a reason.
func (p Person) mustRefuse(what, reason string, err error) {
	p.t.Helper()
	if got := Reason(err); got != reason || got == "" {
		p.t.Fatalf("%s: got %v, want a refusal for %q", what, err, reason)
	}
}
