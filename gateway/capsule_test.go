package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/lock"
)

// fakeCapsules answers as it is told, and remembers who asked.
type fakeCapsules struct {
	wants lock.CID // asked of the gateway
	err   error
	asked []string
}

func (f *fakeCapsules) Capsule(
	ctx context.Context, unlock, requester string, hospital uint64, block func(context.Context, lock.CID) ([]byte, error),
) ([]byte, error) {
	f.asked = append(f.asked, fmt.Sprint(unlock, " ", requester, " ", hospital))
	if f.err != nil {
		return nil, f.err
	}
	return block(ctx, f.wants)
}

// Clinicians of the hospital get what is theirs, and nobody else even asks for it.
func TestCapsules(t *testing.T) {
	capsules := &fakeCapsules{}
	d := newDoor(t, func(c *gateway.Config) { c.Capsules = capsules })
	capsules.wants = d.capsule
	path := "/unlocks/" + d.unlock + "/capsule"
	for _, who := range everyone {
		if who == "doctor1" {
			continue
		}
		d.want(d.do(who, http.MethodPost, path, nil, nil), http.StatusNotFound)
	}
	d.want(d.do("", http.MethodPost, path, nil, nil), http.StatusUnauthorized)
	if len(capsules.asked) != 0 {
		t.Fatalf("asked for %v", capsules.asked)
	}
	r := d.want(d.do("doctor1", http.MethodPost, path, nil, nil), http.StatusOK)
	if string(r.body) != "capsule" || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%q, %v", r.body, r.Header)
	}
	if want := fmt.Sprint(d.unlock, " ", d.people["doctor1"].address(), " ", 1); len(capsules.asked) != 1 || capsules.asked[0] != want {
		t.Errorf("asked for %v, want %s", capsules.asked, want)
	}
	for _, c := range []struct {
		name string
		err  error
		want int
	}{
		{"nothing is due", status.Error(codes.NotFound, "x"), http.StatusNotFound},
		{"not sealed for it", status.Error(codes.FailedPrecondition, "100% before"), http.StatusConflict},
		{"the node is away", status.Error(codes.Unavailable, "x"), http.StatusServiceUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			capsules.err = c.err
			d.want(d.do("doctor1", http.MethodPost, path, nil, nil), c.want)
		})
	}
	capsules.err = nil
	capsules.wants, _ = rawBlock("a block that nobody has")
	d.want(d.do("doctor1", http.MethodPost, path, nil, nil), http.StatusServiceUnavailable)
}

// A gateway without a vault has no such route.
func TestNoCapsules(t *testing.T) {
	d := newDoor(t)
	d.want(d.do("doctor1", http.MethodPost, "/unlocks/"+d.unlock+"/capsule", nil, nil), http.StatusNotFound)
}
