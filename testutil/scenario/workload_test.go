package scenario_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
)

// workloadSteps is how many operations the random workload does.
const workloadSteps = 120

// workload does random operations and counts them from outside, by who did them, what and whether it was refused.
type workload struct {
	t       *testing.T
	net     *scenario.Network
	random  *rand.Rand
	entries map[counted]int    // of messages: one entry each
	sums    map[counted]uint64 // of what a gateway reports: what the entries stand for together

	clinic, er     *scenario.Hospital
	alice, bob     *scenario.Patient
	doctor         scenario.Staff
	reader, other  scenario.Staff // who log in and read the log over HTTP alone
	scan           scenario.Version
	open, endorsed []scenario.Unlock
	released       []scenario.Unlock
}

type counted struct {
	by      string
	kind    string
	refused bool
}

func (w *workload) did(p scenario.Person, kind string, refused bool) {
	w.entries[counted{p.Address(), kind, refused}]++
}

func (w *workload) reported(p scenario.Person, kind string, refused bool, n uint64) {
	w.sums[counted{p.Address(), kind, refused}] += n
}

// Some hundred random operations, allowed and refused ones, with a gateway that restarts in the middle: the log holds exactly what was
// done. PHRD_SEED repeats a run.
func TestRandomWorkloadIsInTheLog(t *testing.T) {
	t.Parallel()
	seed := uint64(20261130)
	if text := os.Getenv("PHRD_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("PHRD_SEED=%d", seed)
	net := scenario.New(t)
	w := &workload{
		t: t, net: net, random: rand.New(rand.NewPCG(seed, 0)), entries: map[counted]int{}, sums: map[counted]uint64{},
		clinic: net.Hospital("clinic"), er: net.Hospital("er"),
	}
	w.alice, w.bob = net.Patient("alice"), net.Patient("bob")
	w.scan = w.clinic.Store(w.alice, "chest.dcm")
	w.doctor = w.er.Clinician()
	w.reader, w.other = w.clinic.Staff(consortiumv1.Role_ROLE_AUDITOR, "reader"), w.clinic.Staff(consortiumv1.Role_ROLE_CLERK, "other")
	w.logIn()
	for step := range workloadSteps {
		if step == workloadSteps/2 {
			w.clinic.Stop()
			w.clinic.Start()
			for _, p := range []scenario.Staff{w.reader, w.other} {
				w.reported(p.Person, audit.KindSessionEnded, false, 1)
			}
			w.logIn()
		}
		w.step()
	}
	w.check()
	net.HasWholeLog()
}

// logIn begins the sessions that end when a gateway restarts. What the programs of the patients do by themselves is not counted.
func (w *workload) logIn() {
	w.alice.LogsIn()
	w.bob.LogsIn()
	for _, p := range []scenario.Staff{w.reader, w.other} {
		p.LogsIn()
		w.reported(p.Person, audit.KindLoggedIn, false, 1)
	}
}

func (w *workload) step() {
	steps := []func(){
		w.propose, w.propose, w.proposeWrongly, w.endorse, w.endorseWrongly, w.approve, w.approveWrongly, w.deny, w.withdraw,
		w.read, w.readWrongly, w.session, w.failLogin, w.readLog, w.readLogWrongly, w.invite,
	}
	steps[w.random.IntN(len(steps))]()
}

// take takes a random one out of a list.
func (w *workload) take(from *[]scenario.Unlock) (u scenario.Unlock, ok bool) {
	if len(*from) == 0 {
		return u, false
	}
	i := w.random.IntN(len(*from))
	u = (*from)[i]
	*from = append((*from)[:i], (*from)[i+1:]...)
	return u, true
}

func (w *workload) propose() {
	w.open = append(w.open, w.doctor.Propose(w.scan, scenario.Treatment))
	w.did(w.doctor.Person, audit.KindProposed, false)
}

func (w *workload) proposeWrongly() {
	officer := w.clinic.Officer()
	_, err := officer.Client().Propose(w.t.Context(), phr.Request{
		Versions: []phr.Ref{w.scan.Ref}, Purpose: scenario.Treatment, Lifetime: time.Hour,
	})
	if scenario.Reason(err) != access.ReasonWrongRole {
		w.t.Fatalf("an officer proposes: %v", err)
	}
	w.did(officer.Person, audit.KindProposed, true)
}

func (w *workload) endorse() {
	if u, ok := w.take(&w.open); ok {
		w.clinic.Endorse(u)
		w.did(w.clinic.Officer().Person, audit.KindEndorsed, false)
		w.endorsed = append(w.endorsed, u)
	}
}

func (w *workload) endorseWrongly() {
	if u, ok := w.take(&w.open); ok {
		w.er.Officer().CannotEndorse(u, access.ReasonWrongHospital)
		w.did(w.er.Officer().Person, audit.KindEndorsed, true)
		w.open = append(w.open, u)
	}
}

func (w *workload) approve() {
	if u, ok := w.take(&w.endorsed); ok {
		w.alice.Approve(u)
		w.did(w.alice.Person, audit.KindApproved, false)
		w.released = append(w.released, u)
	}
}

func (w *workload) approveWrongly() {
	if u, ok := w.take(&w.endorsed); ok {
		w.bob.CannotDeny(u, access.ReasonNotParty)
		w.did(w.bob.Person, audit.KindDenied, true)
		w.endorsed = append(w.endorsed, u)
	}
}

func (w *workload) deny() {
	if u, ok := w.take(&w.open); ok {
		w.alice.Deny(u)
		w.did(w.alice.Person, audit.KindDenied, false)
	}
}

func (w *workload) withdraw() {
	if u, ok := w.take(&w.endorsed); ok {
		w.doctor.Withdraw(u)
		w.did(w.doctor.Person, audit.KindWithdrawn, false)
	}
}

func (w *workload) read() {
	_, body := w.alice.Call("GET", fmt.Sprintf("/records/%s/versions/%d/content", w.scan.Record, w.scan.Ref.Version), nil)
	w.reported(w.alice.Person, audit.KindOpened, false, uint64(len(body)))
}

func (w *workload) readWrongly() {
	w.bob.CannotRead(w.scan, scenario.Unlock{})
	w.reported(w.bob.Person, audit.KindOpened, true, 1)
}

func (w *workload) session() {
	w.other.LogsOut()
	w.reported(w.other.Person, audit.KindLoggedOut, false, 1)
	w.other.LogsIn()
	w.reported(w.other.Person, audit.KindLoggedIn, false, 1)
}

func (w *workload) failLogin() {
	w.reader.CannotBe(w.other.Person)
	w.reported(w.reader.Person, audit.KindLoginFailed, true, 1)
}

func (w *workload) readLog() {
	query := "record=" + w.scan.Record.String()
	if w.random.IntN(2) == 0 {
		query = "patient=" + w.alice.Number
	}
	w.reported(w.reader.Person, audit.KindLogRead, false, uint64(w.reader.ReadsLog(query)))
}

func (w *workload) readLogWrongly() {
	w.other.CannotReadLog("patient=" + w.alice.Number)
	w.reported(w.other.Person, audit.KindLogRead, true, 1)
}

func (w *workload) invite() {
	if _, err := w.er.Clerk().Client().Invite(w.t.Context(), time.Hour); err != nil {
		w.t.Fatal(err)
	}
	w.did(w.er.Clerk().Person, audit.KindInvitationCreated, false)
}

// check compares what was counted with the log, once the gateways have handed in what they wrote down.
func (w *workload) check() {
	people := map[string]scenario.Person{}
	for _, p := range []scenario.Person{
		w.doctor.Person, w.clinic.Officer().Person, w.er.Officer().Person, w.alice.Person, w.bob.Person, w.er.Clerk().Person, w.reader.Person, w.other.Person,
	} {
		people[p.Address()] = p
	}
	for c, want := range w.entries {
		w.await(func() string {
			if got, _ := w.net.Count(people[c.by], c.kind, c.refused); got != want {
				return fmt.Sprintf("%s by %s, refused %t: %d entries, want %d", c.kind, c.by, c.refused, got, want)
			}
			return ""
		})
	}
	for c, want := range w.sums {
		w.await(func() string {
			if _, got := w.net.Count(people[c.by], c.kind, c.refused); got != want {
				return fmt.Sprintf("%s by %s, refused %t: entries of %d, want %d", c.kind, c.by, c.refused, got, want)
			}
			return ""
		})
	}
}

// await asks until nothing is wrong.
func (w *workload) await(wrong func() string) {
	w.t.Helper()
	timeout := time.After(time.Minute)
	for {
		said := wrong()
		if said == "" {
			return
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-timeout:
			w.t.Fatal(said)
		}
	}
}
