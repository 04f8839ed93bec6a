package gateway_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/node"
)

// fakeReacher notes whom it was asked to call.
type fakeReacher struct {
	mu    sync.Mutex
	asked []uint64
}

func (r *fakeReacher) Reach(_ context.Context, member uint64) ([]node.Reached, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, member)
	return []node.Reached{{Port: node.PortComet, Address: "heart.example:26656", Answers: true}}, nil
}

// An admin has the servers of the own hospital called, and nobody has anything else called.
func TestReach(t *testing.T) {
	reacher := &fakeReacher{}
	d := newDoor(t, func(c *gateway.Config) {
		c.Reacher, c.Limits.Reaches = reacher, gateway.Rate{Burst: 2, Count: 1, Per: time.Hour}
	})
	d.want(d.do("", http.MethodPost, "/reach", nil, nil), http.StatusUnauthorized)
	for _, who := range []string{"alice", "clerk1", "doctor1", "officer1", "auditor", "node2"} {
		d.want(d.do(who, http.MethodPost, "/reach", nil, nil), http.StatusForbidden)
	}
	if len(reacher.asked) > 0 {
		t.Fatalf("called %v", reacher.asked)
	}
	var got struct{ Reached []node.Reached }
	// What the body says of whom to call does not matter.
	d.want(d.do("admin2", http.MethodPost, "/reach?member=1", nil, []byte(`{"address":"127.0.0.1:22"}`)), http.StatusOK).json(t, &got)
	if len(got.Reached) != 1 || !got.Reached[0].Answers || got.Reached[0].Known || got.Reached[0].Port != node.PortComet {
		t.Errorf("%+v", got)
	}
	d.want(d.do("admin2", http.MethodPost, "/reach", nil, nil), http.StatusOK)
	d.want(d.do("admin2", http.MethodPost, "/reach", nil, nil), http.StatusTooManyRequests)
	if len(reacher.asked) != 2 || reacher.asked[0] != 2 || reacher.asked[1] != 2 {
		t.Errorf("called %v, want hospital 2 twice", reacher.asked)
	}
	without := newDoor(t)
	without.want(without.do("admin2", http.MethodPost, "/reach", nil, nil), http.StatusNotFound)
}
