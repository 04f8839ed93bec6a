package gateway_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"crypto/rand"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/wallet"
)

// sessions waits until the chain has reports that stand for so many happenings of a kind, and returns them.
func (d *door) sessions(kind consortiumv1.SessionKind, count uint64) []*consortiumv1.SessionReport {
	d.t.Helper()
	var got []*consortiumv1.SessionReport
	eventually(d.t, func() bool {
		d.clock.move(time.Second)
		d.node.mu.Lock()
		defer d.node.mu.Unlock()
		got = nil
		var sum uint64
		for _, r := range d.node.sessions {
			if r.GetKind() == kind {
				got = append(got, r)
				sum += max(r.GetCount(), 1)
			}
		}
		return sum >= count
	})
	return got
}

// soon makes reports of sessions due after a second of the gateway's clock, and those of a moment one report.
func soon(c *gateway.Config) { c.Limits.SessionReports = time.Second }

const (
	loggedIn    = consortiumv1.SessionKind_SESSION_KIND_LOGGED_IN
	loginFailed = consortiumv1.SessionKind_SESSION_KIND_LOGIN_FAILED
	loggedOut   = consortiumv1.SessionKind_SESSION_KIND_LOGGED_OUT
	logRead     = consortiumv1.SessionKind_SESSION_KIND_LOG_READ

	sessionEnded   = consortiumv1.SessionKind_SESSION_KIND_SESSION_ENDED
	webhookAdded   = consortiumv1.SessionKind_SESSION_KIND_WEBHOOK_ADDED
	webhookRemoved = consortiumv1.SessionKind_SESSION_KIND_WEBHOOK_REMOVED
)

func TestSessionsAreReported(t *testing.T) {
	d := newDoor(t, soon)
	alice := d.people["alice"].address()
	d.token("alice")
	d.want(d.do("alice", http.MethodPost, "/logout", nil, nil), http.StatusNoContent)
	// Nothing ends with a token that is none.
	d.want(d.do("", http.MethodPost, "/logout", nil, nil), http.StatusNoContent)
	if got := d.sessions(loggedIn, 1); len(got) != 1 || got[0].GetAccount() != alice || got[0].GetCount() != 1 {
		t.Errorf("logins %v", got)
	}
	if got := d.sessions(loggedOut, 1); len(got) != 1 || got[0].GetAccount() != alice || got[0].GetCount() != 1 {
		t.Errorf("logouts %v", got)
	}
}

// A session that its account does not end is reported when it ends: because nobody used it, or because the account's role is over. One that
// its account ended has not ended twice.
func TestEndsOfSessionsAreReported(t *testing.T) {
	d := newDoor(t, soon)
	alice, bob := d.people["alice"].address(), d.people["bob"].address()
	d.token("clerk1")
	d.want(d.do("clerk1", http.MethodPost, "/logout", nil, nil), http.StatusNoContent)
	d.token("alice")
	d.clock.move(time.Hour)
	d.token("bob")
	if got := d.sessions(sessionEnded, 1); len(got) != 1 || got[0].GetAccount() != alice || got[0].GetCount() != 1 {
		t.Errorf("ended for want of use: %v", got)
	}
	d.node.change(func() { d.node.principals[bob].Active = false })
	d.want(d.do("bob", http.MethodGet, "/phrd/consortium/v1/sites", nil, nil), http.StatusUnauthorized)
	if got := d.sessions(sessionEnded, 2); len(got) != 2 || got[1].GetAccount() != bob {
		t.Errorf("ended with the role: %v", got)
	}
}

// Failed logins of an account are one report with a count, and those of accounts that nobody knows are one for each reason, whatever
// they are called.
func TestFailedLoginsAreReported(t *testing.T) {
	d := newDoor(t, soon)
	er := d.people["er"]
	forged, err := wallet.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c := d.challenge(er.address())
		fields := loginFields(er.key, c)
		fields["signature"] = loginFields(forged, c)["signature"]
		d.want(d.postJSON("/login", fields), http.StatusUnauthorized)
	}
	used := d.challenge(er.address())
	d.want(d.login(er.key, used), http.StatusOK)
	d.want(d.login(er.key, used), http.StatusUnauthorized)
	for range 5 {
		nobody, err := wallet.NewKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		d.want(d.login(nobody, d.challenge(nobody.Address())), http.StatusForbidden)
	}
	d.node.change(func() { d.node.principals[d.people["bob"].address()].Active = false })
	bob := d.people["bob"]
	d.want(d.login(bob.key, d.challenge(bob.address())), http.StatusForbidden)
	d.clock.move(time.Minute)
	got := map[string]uint64{}
	for _, r := range d.sessions(loginFailed, 10) {
		got[r.GetAccount()+" "+r.GetReason()] += r.GetCount()
	}
	want := map[string]uint64{er.address() + " signature": 3, er.address() + " challenge": 1, " no_role": 5, bob.address() + " no_role": 1}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("failed logins %v, want %v", got, want)
	}
}

// Who of the staff read what of the log is reported, with how much was shown; what patients read of their own is not. Who was not let is
// reported without what was asked for.
func TestReadsOfTheLogAreReported(t *testing.T) {
	d := newDoor(t, soon)
	auditor := d.people["auditor"].address()
	d.node.append(&auditv1.Entry{Kind: "stored", Patient: d.bob})
	for range 3 {
		d.want(d.do("auditor", http.MethodGet, "/phrd/audit/v1/entries/1", nil, nil), http.StatusOK)
	}
	d.want(d.do("auditor", http.MethodGet, "/phrd/audit/v1/entries?patient="+d.bob, nil, nil), http.StatusOK)
	d.want(d.do("alice", http.MethodGet, "/phrd/audit/v1/entries/1", nil, nil), http.StatusOK)
	d.want(d.do("alice", http.MethodGet, "/phrd/audit/v1/entries?patient="+d.bob, nil, nil), http.StatusForbidden)
	d.want(d.do("alice", http.MethodGet, "/phrd/audit/v1/entries/2", nil, nil), http.StatusNotFound)
	s := d.notices("auditor", "")
	d.node.append(d.unlockSteps()...)
	s.kinds(3)
	var got []string
	names := map[string]string{auditor: "auditor", d.people["alice"].address(): "alice", d.alice: "alice", d.bob: "bob"}
	totals := map[string]uint64{}
	for _, r := range d.sessions(logRead, 9) {
		key := fmt.Sprintf("%s %s about %s, refused %t", names[r.GetAccount()], r.GetRead(), names[r.GetPatient()], r.GetRefused())
		totals[key] += r.GetCount()
	}
	for key, n := range totals {
		got = append(got, fmt.Sprintf("%s: %d", key, n))
	}
	slices.Sort(got)
	want := []string{
		"alice entries about , refused true: 1",
		"alice entry about , refused true: 1",
		"auditor entries about bob, refused false: 0",
		"auditor entry about alice, refused false: 3",
		"auditor notices about , refused false: 3",
	}
	if !slices.Equal(got, want) {
		t.Errorf("reads\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// That the log was read is told to those whom it concerns, and is no reading that is reported again.
func TestNoticesOfReadingComeToAnEnd(t *testing.T) {
	d := newDoor(t, soon)
	s := d.notices("auditor", "")
	d.sessions(logRead, 1)
	d.node.append(&auditv1.Entry{Kind: "log_read"}, &auditv1.Entry{Kind: "stored"})
	s.kinds(2)
	var shown uint64
	for _, r := range d.sessions(logRead, 2) {
		shown += r.GetCount()
	}
	if shown != 1 {
		t.Errorf("%d notices count as read, want that of the storing alone", shown)
	}
}

// What happened before a crash, and the chain has not taken, is handed in after the next start; what it took in a message whose answer
// was lost is not there twice.
func TestSessionsSurviveRestarts(t *testing.T) {
	d := newDoor(t, soon)
	d.node.change(func() { d.node.loseReply = 1 })
	d.token("alice")
	d.sessions(loggedIn, 1)
	d.node.change(func() { d.node.notReady = fmt.Errorf("not now") })
	d.node.change(func() { d.node.down = false })
	d.token("er")
	d.stop()
	d.people["er"].token = ""
	d.node.change(func() { d.node.notReady = nil })
	d.start()
	d.token("er")
	got := map[string]uint64{}
	for _, r := range d.sessions(loggedIn, 3) {
		got[r.GetAccount()] += r.GetCount()
	}
	if got[d.people["alice"].address()] != 1 || got[d.people["er"].address()] != 2 {
		t.Errorf("logins %v", got)
	}
	for i, r := range d.node.sessions {
		if r.GetNumber() != uint64(i)+1 {
			t.Errorf("report %d has number %d", i+1, r.GetNumber())
		}
	}
}

// A gateway that can't write down who gets in lets nobody in, and shows no log.
func TestNobodyGetsInUnnoticed(t *testing.T) {
	d := newDoor(t)
	d.token("auditor")
	d.want(d.do("auditor", http.MethodGet, "/phrd/audit/v1/entries/1", nil, nil), http.StatusOK)
	gateway.BreakSessions(d.gateway)
	alice := d.people["alice"]
	d.want(d.login(alice.key, d.challenge(alice.address())), http.StatusServiceUnavailable)
	d.want(d.do("auditor", http.MethodGet, "/phrd/audit/v1/entries/1", nil, nil), http.StatusServiceUnavailable)
	if r := d.do("", http.MethodGet, "/readyz", nil, nil); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("ready: %s", r.body)
	}
}
