package scenario

import (
	"encoding/json"
	"net/http"

	"github.com/phrd/phrd/phr"
)

// LogsIn begins a session at the gateway of the person's hospital, whatever there was before.
func (p Person) LogsIn() {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	p.forgetsLogin()
	if _, err := p.login(ctx); err != nil {
		p.t.Fatalf("log in at %s: %v", p.at.name, err)
	}
}

// LogsOut ends that session.
func (p Person) LogsOut() {
	p.t.Helper()
	if status, body := p.Call(http.MethodPost, "/logout", nil); status != http.StatusNoContent {
		p.t.Fatalf("log out: %d %s", status, body)
	}
	p.forgetsLogin()
}

func (p Person) forgetsLogin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.token = ""
}

// CannotBe has somebody else try to log in as the person.
func (p Person) CannotBe(other Person) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	status, body, err := p.signIn(ctx, other.key)
	if err != nil || status != http.StatusUnauthorized {
		p.t.Fatalf("log in with another key: %d %s, %v", status, body, err)
	}
}

// ReadsLog reads a page of the log that a query names, and returns how many entries it shows.
func (p Person) ReadsLog(query string) int {
	p.t.Helper()
	status, body := p.Call(http.MethodGet, "/phrd/audit/v1/entries?"+query, nil)
	if status != http.StatusOK {
		p.t.Fatalf("read the log: %d %s", status, body)
	}
	var page struct{ Entries []json.RawMessage }
	if err := json.Unmarshal(body, &page); err != nil {
		p.t.Fatalf("read the log: %v", err)
	}
	return len(page.Entries)
}

// CannotReadLog has the gateway refuse that.
func (p Person) CannotReadLog(query string) {
	p.t.Helper()
	if status, body := p.Call(http.MethodGet, "/phrd/audit/v1/entries?"+query, nil); status != http.StatusForbidden {
		p.t.Fatalf("read the log: %d %s", status, body)
	}
}

// Count sums what entries of a kind by this person stand for, and how many entries there are; refused ones or those that were not.
func (n *Network) Count(by Person, kind string, refused bool) (entries int, sum uint64) {
	n.t.Helper()
	auditor := n.Hospital(names[0]).Auditor()
	ctx, cancel := step(n.t)
	defer cancel()
	found, err := auditor.entries(ctx, phr.LogFilter{Actor: by.Address(), Kind: kind})
	if err != nil {
		n.t.Fatalf("log: %v", err)
	}
	for _, e := range found {
		if (e.GetReason() != "") == refused {
			entries++
			sum += e.GetCount()
		}
	}
	return entries, sum
}
