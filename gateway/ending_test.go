package gateway_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/gateway"
)

func openSessions(t *testing.T, folder string) *gateway.SessionsJournal {
	t.Helper()
	j, err := gateway.OpenSessionsJournal(folder, slog.New(slog.NewTextHandler(testWriter{t}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func (d *door) journal() string { return filepath.Join(d.config.Folder, "sessions.journal") }

// restart ends the gateway's process as it stands and begins another one.
func (d *door) restart() {
	d.t.Helper()
	d.stop()
	for _, p := range d.people {
		p.token = ""
	}
	d.start()
}

// ends are the ends of sessions that the chain has, as "account way: how many", once they are so many; whatever else it took is counted with them.
func (d *door) ends(count uint64) []string {
	d.t.Helper()
	var got []string
	for _, r := range d.sessions(sessionEnded, count) {
		got = append(got, fmt.Sprintf("%s %s: %d", d.nameOf(r.GetAccount()), r.GetWay(), r.GetCount()))
	}
	slices.Sort(got)
	return got
}

func (d *door) nameOf(address string) string {
	for name, p := range d.people {
		if p.address() == address {
			return name
		}
	}
	return address
}

// Sessions that end with the process are reported by the next one, once, and those that had ended before are not.
func TestSessionsEndWithTheProcess(t *testing.T) {
	d := newDoor(t, soon)
	d.token("alice")
	d.people["alice"].token = ""
	d.token("alice")
	d.token("bob")
	d.token("clerk1")
	d.want(d.do("clerk1", http.MethodPost, "/logout", nil, nil), http.StatusNoContent)
	d.sessions(loggedIn, 4)
	d.restart()
	if got, want := d.ends(3), []string{"alice server_restarted: 2", "bob server_restarted: 1"}; !slices.Equal(got, want) {
		t.Errorf("ends %q, want %q", got, want)
	}
	// The next process has nothing more to say of them, and says what ended with this one.
	d.token("er")
	d.sessions(loggedIn, 5)
	d.restart()
	if got, want := d.ends(4), []string{"alice server_restarted: 2", "bob server_restarted: 1", "er server_restarted: 1"}; !slices.Equal(got, want) {
		t.Errorf("ends %q, want %q", got, want)
	}
	if r := d.do("er", http.MethodPost, "/logout", nil, nil); r.StatusCode != http.StatusNoContent {
		t.Errorf("logout: %s", r.body)
	}
	d.stop()
	j := openSessions(t, d.config.Folder)
	if open := j.Open(); len(open) != 0 {
		t.Errorf("sessions of %q are open", open)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// A process that is killed leaves what the disk has at that moment: after a login, and after the end was written down and not handed in.
func TestSessionsEndWithACrash(t *testing.T) {
	d := newDoor(t, soon)
	d.token("alice")
	afterLogin, err := os.ReadFile(d.journal())
	if err != nil {
		t.Fatal(err)
	}
	d.node.change(func() { d.node.down = true })
	d.stop()
	if err := os.WriteFile(d.journal(), afterLogin, 0o600); err != nil {
		t.Fatal(err)
	}
	d.node.change(func() { d.node.down = false })
	d.people["alice"].token = ""
	d.start()
	if got, want := d.ends(1), []string{"alice server_restarted: 1"}; !slices.Equal(got, want) {
		t.Errorf("ends %q, want %q", got, want)
	}
	// This time the chain takes the end and the answer is lost.
	d.token("bob")
	d.sessions(loggedIn, 2)
	d.node.change(func() { d.node.loseReply = 1 })
	d.restart()
	if got, want := d.ends(2), []string{"alice server_restarted: 1", "bob server_restarted: 1"}; !slices.Equal(got, want) {
		t.Errorf("ends %q, want %q", got, want)
	}
	d.token("er")
	d.sessions(loggedIn, 3)
	if got := d.ends(2); len(got) != 2 {
		t.Errorf("ends %q", got)
	}
}

// A session whose time was over before its account logged out has ended by itself.
func TestLateLogoutIsAnEnd(t *testing.T) {
	d := newDoor(t, soon)
	d.token("alice")
	d.clock.move(time.Hour)
	d.want(d.do("alice", http.MethodPost, "/logout", nil, nil), http.StatusUnauthorized)
	if got, want := d.ends(1), []string{"alice : 1"}; !slices.Equal(got, want) {
		t.Errorf("ends %q, want %q", got, want)
	}
	d.node.mu.Lock()
	defer d.node.mu.Unlock()
	for _, r := range d.node.sessions {
		if r.GetKind() == loggedOut {
			t.Errorf("a logout is reported too: %v", r)
		}
	}
}

// Wherever a crash cuts the journal off, a session is open if and only if its beginning is reported and its end is not.
func TestMarksAndReportsAreOne(t *testing.T) {
	source := t.TempDir()
	j := openSessions(t, source)
	in := func(n, count uint64) *consortiumv1.SessionReport {
		return &consortiumv1.SessionReport{Number: n, Kind: loggedIn, Account: "alice", Count: count}
	}
	out := func(n uint64, kind consortiumv1.SessionKind, count uint64) *consortiumv1.SessionReport {
		return &consortiumv1.SessionReport{Number: n, Kind: kind, Account: "alice", Count: count}
	}
	for _, step := range []func() error{
		func() error { return j.Begin(in(1, 1), "a") },
		func() error { return j.Begin(in(1, 2), "b") },
		func() error { return j.Begin(in(1, 3), "c") },
		func() error { return j.End(out(2, loggedOut, 1), "b") },
		func() error { return j.Begin(in(3, 1), "d") },
		func() error { return j.End(out(4, sessionEnded, 2), "a", "d") },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(source, "sessions.journal"))
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for cut := 0; cut <= len(whole); cut++ {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "sessions.journal"), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		// Twice, since the first opening writes the file anew.
		for range 2 {
			j := openSessions(t, folder)
			began, over := 0, 0
			for _, r := range j.Reports() {
				if r.GetKind() == loggedIn {
					began += int(r.GetCount())
				} else {
					over += int(r.GetCount())
				}
			}
			if open := len(j.Open()); open != began-over {
				t.Errorf("cut at %d of %d: %d began, %d ended and %d are open", cut, len(whole), began, over, open)
			}
			most = max(most, len(j.Open()))
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if most != 3 {
		t.Errorf("%d sessions were open at most, want 3", most)
	}
}

func TestDamagedMarks(t *testing.T) {
	key := strings.Repeat("k", 32)
	for name, test := range map[string]struct {
		ended bool
		body  string
		err   error
		open  int
	}{
		"a beginning":                  {false, key + "\x05alice", nil, 1},
		"a beginning without a key":    {false, key[1:], gateway.ErrMark, 0},
		"a beginning of nobody":        {false, key, gateway.ErrMark, 0},
		"an account that is too short": {false, key + "\x06alice", gateway.ErrMark, 0},
		"an end":                       {true, "\x01" + key, nil, 0},
		"an end of nothing":            {true, "", gateway.ErrMark, 0},
		"an end with a key too few":    {true, "\x02" + key, gateway.ErrMark, 0},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "sessions.journal"), gateway.MarkedFrame(test.ended, []byte(test.body)), 0o600); err != nil {
				t.Fatal(err)
			}
			j, err := gateway.OpenSessionsJournal(folder, slog.New(slog.NewTextHandler(testWriter{t}, nil)))
			if !errors.Is(err, test.err) {
				t.Fatalf("got %v, want %v", err, test.err)
			}
			if err != nil {
				return
			}
			if open := j.Open(); len(open) != test.open {
				t.Errorf("open %q, want %d", open, test.open)
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The file stays in proportion to the sessions that are open, however many began and ended.
func TestSessionsJournalStaysSmall(t *testing.T) {
	folder := t.TempDir()
	j := openSessions(t, folder)
	number := uint64(0)
	next := func(kind consortiumv1.SessionKind) *consortiumv1.SessionReport {
		number++
		return &consortiumv1.SessionReport{Number: number, Kind: kind, Account: strings.Repeat("a", 43), Count: 1}
	}
	for n := range 30_000 {
		if err := j.Begin(next(loggedIn), fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
		if n >= 100 {
			if err := j.End(next(loggedOut), fmt.Sprint(n-100)); err != nil {
				t.Fatal(err)
			}
		}
		if n%100 == 0 {
			if err := j.Taken(number); err != nil {
				t.Fatal(err)
			}
		}
	}
	info, err := os.Stat(filepath.Join(folder, "sessions.journal"))
	if err != nil || info.Size() > 5<<18 {
		t.Errorf("the journal has %d bytes, %v", info.Size(), err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openSessions(t, folder)
	if open := j.Open(); len(open) != 100 {
		t.Errorf("%d sessions are open", len(open))
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// However many sessions a process leaves, people get in while the chain takes their ends.
func TestManyLeftSessions(t *testing.T) {
	d := prepareDoor(t, soon)
	if err := os.MkdirAll(d.config.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	j := openSessions(t, d.config.Folder)
	const left = gateway.MaxHappenings/2 + 100
	for n := range left {
		account := d.people["alice"].address()
		if n > gateway.MaxMarked { // the first ones are alice's, more than a frame holds
			account = fmt.Sprintf("phrd1left%d", n)
		}
		if err := j.Begin(&consortiumv1.SessionReport{Number: 1, Kind: loggedIn, Account: account, Count: 1}, fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	d.node.change(func() { d.node.full = true })
	d.start()
	eventually(t, func() bool { return gateway.WaitingSessions(d.gateway) >= gateway.MaxHappenings/2 })
	d.token("er")
	if got := gateway.WaitingSessions(d.gateway); got != gateway.MaxHappenings/2+1 {
		t.Errorf("%d reports wait", got)
	}
	d.node.change(func() { d.node.full = false })
	d.token("bob") // wakes who hands in
	eventually(t, func() bool { d.clock.move(time.Second); return gateway.WaitingSessions(d.gateway) == 0 })
	d.token("clerk1") // and whoever gets in has the rest looked at
	var alice uint64
	for _, r := range d.sessions(sessionEnded, left) {
		if r.GetAccount() == d.people["alice"].address() {
			alice += r.GetCount()
		}
	}
	if alice != gateway.MaxMarked+1 {
		t.Errorf("%d of alice's sessions ended, want %d", alice, gateway.MaxMarked+1)
	}
}
