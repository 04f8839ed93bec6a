package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
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

// OwnCapsule does so for officers.
func (f *fakeCapsules) OwnCapsule(
	ctx context.Context, unlock, officer string, hospital uint64, block func(context.Context, lock.CID) ([]byte, error),
) ([]byte, error) {
	return f.Capsule(ctx, unlock, "own "+officer, hospital, block)
}

// EmergencyHalf answers as it is told, and remembers what it was given.
func (f *fakeCapsules) EmergencyHalf(
	ctx context.Context, emergency, requester string, hospital uint64, sealed []byte, now int64, block func(context.Context, lock.CID) ([]byte, error),
) ([]byte, error) {
	f.asked = append(f.asked, fmt.Sprint(emergency, " ", requester, " ", hospital, " ", len(sealed)))
	if f.err != nil {
		return nil, f.err
	}
	if now == 0 {
		return nil, errors.New("no time")
	}
	_, err := block(ctx, f.wants)
	return []byte("half"), err
}

// A hospital that approved an emergency hands the clinician who asked what its emergency vault opens, whatever hospital that one is of, and
// writes it down.
func TestEmergencyHalves(t *testing.T) {
	capsules := &fakeCapsules{}
	d := newDoor(t, func(c *gateway.Config) { c.Capsules = capsules })
	capsules.wants = d.capsule
	path := "/emergencies/" + d.unlock + "/half"
	for _, who := range []string{"alice", "clerk1", "officer1", "node1"} {
		d.want(d.do(who, http.MethodPost, path, nil, []byte("sealed")), http.StatusNotFound)
	}
	d.want(d.do("", http.MethodPost, path, nil, []byte("sealed")), http.StatusUnauthorized)
	if len(capsules.asked) != 0 {
		t.Fatalf("asked for %v", capsules.asked)
	}
	r := d.do("er", http.MethodPost, path, nil, []byte("sealed"))
	d.want(r, http.StatusOK)
	if string(r.body) != "half" || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%q, %v", r.body, r.Header)
	}
	if want := fmt.Sprint(d.unlock, " ", d.people["er"].address(), " ", 1, " ", len("sealed")); len(capsules.asked) != 1 || capsules.asked[0] != want {
		t.Errorf("asked for %v, want %s", capsules.asked, want)
	}
	report := d.reports(1)[0]
	if report.GetReader() != d.people["er"].address() || report.GetRecord() != d.record || report.GetUnlock() != d.unlock || report.GetLength() == 0 {
		t.Errorf("reported %v", report)
	}
	for _, c := range []struct {
		name string
		err  error
		want int
	}{
		{"nothing is due", status.Error(codes.NotFound, "x"), http.StatusNotFound},
		{"entries of others", status.Error(codes.InvalidArgument, "x"), http.StatusUnprocessableEntity},
		{"the node is away", status.Error(codes.Unavailable, "x"), http.StatusServiceUnavailable},
	} {
		capsules.err = c.err
		d.want(d.do("er", http.MethodPost, path, nil, []byte("sealed")), c.want)
	}
	capsules.err = nil
	d.want(d.do("er", http.MethodPost, path, nil, make([]byte, 200<<10)), http.StatusRequestEntityTooLarge)
	capsules.wants, _ = rawBlock("a block that nobody has")
	d.want(d.do("er", http.MethodPost, path, nil, []byte("sealed")), http.StatusServiceUnavailable)
}

// Clinicians of any hospital see which records there are of a patient who agreed to emergencies, as long as that is in force.
func TestRecordsOfAgreedPatients(t *testing.T) {
	d := newDoor(t)
	q := &recordsv1.QueryRecordsRequest{Patient: d.alice}
	ask := func() error {
		_, err := recordsv1.NewQueryClient(d.rpc()).Records(d.as("er"), q)
		return err
	}
	if status.Code(ask()) == codes.OK {
		t.Fatal("records of a patient who agreed to nothing are listed")
	}
	d.node.terms[d.alice] = &accessv1.EmergencyTerms{Patient: d.alice, EnabledAt: 1}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	d.node.terms[d.alice] = &accessv1.EmergencyTerms{Patient: d.alice, EnabledAt: 1, DisabledAt: 2}
	if status.Code(ask()) == codes.OK {
		t.Fatal("records are listed after the agreement ended")
	}
}

// Clinicians of the hospital get what is theirs, officers what the hospital owns, and nobody else even asks for it.
func TestCapsules(t *testing.T) {
	capsules := &fakeCapsules{}
	d := newDoor(t, func(c *gateway.Config) { c.Capsules = capsules })
	capsules.wants = d.capsule
	path := "/unlocks/" + d.unlock + "/capsule"
	for _, who := range everyone {
		if who == "doctor1" || who == "officer1" {
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
	d.want(d.do("officer1", http.MethodPost, path, nil, nil), http.StatusOK)
	if want := fmt.Sprint(d.unlock, " own ", d.people["officer1"].address(), " ", 1); len(capsules.asked) != 2 || capsules.asked[1] != want {
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
