package scenario

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"

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
	key, err := wallet.NewKey(rand.Reader)
	if err != nil {
		n.t.Fatalf("a stranger's key: %v", err)
	}
	p, err := n.hospitals[0].dial(n.t.Context(), key)
	if err != nil {
		n.t.Fatalf("a stranger calls: %v", err)
	}
	return Person{n.t, p}
}

// step is a context for one step of a story.
func step(t testing.TB) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeoutCause(t.Context(), StepTime, fmt.Errorf("a step of the story took over %s", StepTime))
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
