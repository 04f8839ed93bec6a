package gateway_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/gateway"
)

// eventStream is a stream of server-sent events as a client reads it.
type eventStream struct {
	d        *door
	response *http.Response
	lines    *bufio.Scanner
	last     string // id
}

// notices opens a stream, from an id on unless that is empty, and waits until it says from where on it tells.
func (d *door) notices(who, last string) *eventStream {
	d.t.Helper()
	h := headers{"Accept": "text/event-stream"}
	if last != "" {
		h["Last-Event-ID"] = last
	}
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.url+"/notices", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	for name, value := range h {
		request.Header.Set(name, value)
	}
	request.Header.Set("Authorization", "Bearer "+d.token(who))
	response, err := d.client.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		d.t.Fatalf("status %d, %s", response.StatusCode, response.Header.Get("Content-Type"))
	}
	s := &eventStream{d: d, response: response, lines: bufio.NewScanner(response.Body)}
	d.t.Cleanup(func() { _ = response.Body.Close() }) // the gateway may have ended it
	if last == "" {
		s.begin()
	}
	return s
}

// begin reads up to the first id.
func (s *eventStream) begin() {
	s.d.t.Helper()
	for s.last == "" {
		if _, ok := s.block(); !ok {
			s.d.t.Fatalf("the stream ended before it began: %v", s.lines.Err())
		}
	}
}

// block reads to the next empty line and returns the data.
func (s *eventStream) block() (data string, ok bool) {
	for s.lines.Scan() {
		line := s.lines.Text()
		switch {
		case line == "":
			return data, true
		case strings.HasPrefix(line, "id: "):
			s.last = line[4:]
		case strings.HasPrefix(line, "data: "):
			data = line[6:]
		}
	}
	return "", false
}

// next is the next notice; ok is false at the end of the stream.
func (s *eventStream) next() (n gateway.Notice, ok bool) {
	s.d.t.Helper()
	for {
		data, more := s.block()
		if !more {
			return n, false
		}
		if data == "" {
			continue
		}
		if err := json.Unmarshal([]byte(data), &n); err != nil {
			s.d.t.Fatalf("%s: %v", data, err)
		}
		return n, true
	}
}

// kinds reads so many notices.
func (s *eventStream) kinds(count int) []string {
	s.d.t.Helper()
	var kinds []string
	for range count {
		n, ok := s.next()
		if !ok {
			s.d.t.Fatalf("the stream ended after %v: %v", kinds, s.lines.Err())
		}
		kinds = append(kinds, n.Kind)
	}
	return kinds
}

// unlockSteps are the entries of an unlock, as those who act write them.
func (d *door) unlockSteps() []*auditv1.Entry {
	subjects := []*auditv1.Subject{{Record: d.record, Version: 1}}
	entry := func(kind, actor, role string, hospital uint64) *auditv1.Entry {
		return &auditv1.Entry{
			Kind: kind, Actor: actor, Role: role, Hospital: hospital, Patient: d.alice, Subjects: subjects, Unlock: d.unlock,
			Purpose: "TREAT", Target: "secret", Outcome: auditv1.Outcome_OUTCOME_OK,
		}
	}
	return []*auditv1.Entry{
		entry("proposed", d.people["er"].address(), "clinician", 4),
		entry("approved", d.people["alice"].address(), "patient", 0),
		entry("released", "", "chain", 0),
	}
}

// Everybody is told of what is their business, and of nothing else.
func TestNoticesReachWhomTheyConcern(t *testing.T) {
	d := newDoor(t)
	d.node.append(&auditv1.Entry{Kind: "stored"}, &auditv1.Entry{Kind: "stored"})
	streams := map[string]*eventStream{}
	for _, who := range everyone {
		streams[who] = d.notices(who, "")
	}
	emergency := &auditv1.Entry{Kind: "emergency_requested", Actor: d.people["er"].address(), Role: "clinician", Hospital: 4, Patient: d.alice, Unlock: hexOf(0x55)}
	d.node.append(append(d.unlockSteps(), emergency)...)
	all := []string{"proposed", "approved", "released", "emergency_requested"}
	want := map[string][]string{
		"alice": all, "er": all, "officer1": all, "officer4": all, "auditor": all, "auditor4": all,
		"auditor1": {"proposed", "approved", "released"},
		"doctor1":  {"proposed", "approved", "released"},
		"officer3": {"emergency_requested"},
		"bob":      {"emergency_requested"}, // who guards alice
	}
	// The last entry is everybody's own, so that who is told nothing of the others is seen to be.
	for _, who := range everyone {
		d.node.append(&auditv1.Entry{Kind: "staff_updated", Target: d.people[who].address()})
	}
	for _, who := range everyone {
		var got []string
		for {
			n, ok := streams[who].next()
			if !ok {
				t.Fatalf("%s: the stream ended after %v", who, got)
			}
			if n.Kind == "staff_updated" {
				break
			}
			got = append(got, n.Kind)
		}
		if !slices.Equal(got, want[who]) {
			t.Errorf("%s was told of %v, want %v", who, got, want[who])
		}
	}
}

// A notice says what happened, and neither why nor to whom.
func TestNoticesSayNothingOfHealth(t *testing.T) {
	d := newDoor(t)
	s := d.notices("officer1", "")
	last := d.node.append(d.unlockSteps()[:1]...)
	data := ""
	for data == "" {
		var ok bool
		if data, ok = s.block(); !ok {
			t.Fatal("the stream ended")
		}
	}
	for _, secret := range []string{"TREAT", "secret", d.alice, d.people["er"].address()} {
		if strings.Contains(data, secret) {
			t.Errorf("the notice %s says %q", data, secret)
		}
	}
	var n gateway.Notice
	if err := json.Unmarshal([]byte(data), &n); err != nil {
		t.Fatal(err)
	}
	if n.Sequence != last || n.Unlock != d.unlock || !slices.Equal(n.Records, []string{d.record}) || n.Outcome != "ok" || s.last != strconv.FormatUint(last, 10) {
		t.Errorf("notice %+v with id %s", n, s.last)
	}
}

// Who comes back with the last id misses nothing and hears nothing twice, also at a gateway that was restarted and when more happened
// meanwhile than is kept in memory.
func TestNoticesAreResumed(t *testing.T) {
	d := newDoor(t)
	s := d.notices("alice", "")
	d.node.append(d.unlockSteps()[:1]...)
	if got := s.kinds(1); got[0] != "proposed" {
		t.Fatalf("told of %v", got)
	}
	d.stop()
	if _, ok := s.next(); ok {
		t.Fatal("a gateway that stopped still tells")
	}
	d.node.append(d.unlockSteps()[1:2]...)
	others := make([]*auditv1.Entry, 300)
	for i := range others {
		others[i] = &auditv1.Entry{Kind: "replicated", Hospital: 2}
	}
	d.node.append(others...)
	d.people["alice"].token = ""
	d.start()
	again := d.notices("alice", s.last)
	d.node.append(d.unlockSteps()[2:]...)
	if got := again.kinds(2); !slices.Equal(got, []string{"approved", "released"}) {
		t.Fatalf("told of %v after the restart", got)
	}
}

// A stream ends with the session, and nothing is told afterwards.
func TestNoticesEndWithTheSession(t *testing.T) {
	d := newDoor(t)
	s := d.notices("alice", "")
	token := d.token("alice")
	d.want(d.do("alice", http.MethodPost, "/logout", nil, nil), http.StatusNoContent)
	d.node.append(d.unlockSteps()...)
	if n, ok := s.next(); ok {
		t.Fatalf("told of %+v after the logout", n)
	}
	d.people["alice"].token = token
	d.want(d.do("alice", http.MethodGet, "/notices", headers{"Accept": "text/event-stream"}, nil), http.StatusUnauthorized)
	d.want(d.do("", http.MethodGet, "/notices", headers{"Accept": "text/event-stream"}, nil), http.StatusUnauthorized)
	d.want(d.do("bob", http.MethodGet, "/notices", nil, nil), http.StatusNotAcceptable)
	d.want(d.do("bob", http.MethodGet, "/notices", headers{"Accept": "text/event-stream", "Last-Event-ID": "-1"}, nil), http.StatusBadRequest)
}

// A role that ended hears nothing more.
func TestNoticesEndWithTheRole(t *testing.T) {
	d := newDoor(t)
	s := d.notices("er", "")
	d.node.change(func() { d.node.principals[d.people["er"].address()].Active = false })
	d.node.append(d.unlockSteps()...)
	if n, ok := s.next(); ok {
		t.Fatalf("told of %+v after the role ended", n)
	}
}

func TestNoticesAreBounded(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) { c.Limits.Followers, c.Limits.AllFollowers = 1, 2 })
	s := d.notices("alice", "")
	d.want(d.do("alice", http.MethodGet, "/notices", headers{"Accept": "text/event-stream"}, nil), http.StatusTooManyRequests)
	d.notices("er", "")
	d.want(d.do("bob", http.MethodGet, "/notices", headers{"Accept": "text/event-stream"}, nil), http.StatusTooManyRequests)
	if err := s.response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+"/notices", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", "text/event-stream")
		request.Header.Set("Authorization", "Bearer "+d.token("bob"))
		response, err := d.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode == http.StatusOK && response.Body.Close() == nil
	})
}

// eventually asks again and again for what comes without a word.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for !done() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-timeout:
			t.Fatal("it did not come")
		}
	}
}

// socket opens a WebSocket of notices.
func (d *door) socket(h http.Header, query string, protocols ...string) (*websocket.Conn, int) {
	d.t.Helper()
	pem, err := os.ReadFile(d.config.CertificateFile)
	if err != nil {
		d.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, Subprotocols: protocols}
	//nolint:bodyclose // a WebSocket's answer has no body to close
	conn, response, err := dialer.DialContext(d.t.Context(), "wss"+strings.TrimPrefix(d.url, "https")+"/notices/websocket"+query, h)
	if response == nil {
		d.t.Fatal(err)
	}
	if err != nil {
		return nil, response.StatusCode
	}
	d.t.Cleanup(func() { _ = conn.Close() }) // the gateway may have ended it
	return conn, response.StatusCode
}

// The token travels in a header or as a subprotocol, pages of other origins are turned away, and the end of the session is that of the
// socket.
func TestNoticesOverAWebSocket(t *testing.T) {
	d := newDoor(t)
	token := d.token("alice")
	page := http.Header{"Origin": {"https://page.clinic.example"}}
	for _, c := range []struct {
		name      string
		header    http.Header
		query     string
		protocols []string
		status    int
	}{
		{"nobody", nil, "", nil, http.StatusUnauthorized},
		{"a token in the URL", nil, "?access_token=" + token, nil, http.StatusUnauthorized},
		{"another token", nil, "", []string{"phrd.notices.v1", "phrd.token." + strings.Repeat("A", 43)}, http.StatusUnauthorized},
		{"a foreign page", http.Header{"Origin": {"https://evil.example"}}, "", []string{"phrd.notices.v1", "phrd.token." + token}, http.StatusForbidden},
		{"a cursor that is none", page, "?after=x", []string{"phrd.notices.v1", "phrd.token." + token}, http.StatusBadRequest},
	} {
		if _, status := d.socket(c.header, c.query, c.protocols...); status != c.status {
			t.Errorf("%s: status %d, want %d", c.name, status, c.status)
		}
	}
	fromPage, _ := d.socket(page, "?after=1", "phrd.notices.v1", "phrd.token."+token)
	fromProgram, _ := d.socket(http.Header{"Authorization": {"Bearer " + token}}, "?after=1")
	if got := fromPage.Subprotocol(); got != "phrd.notices.v1" {
		t.Errorf("subprotocol %q", got)
	}
	d.node.append(d.unlockSteps()...)
	for _, conn := range []*websocket.Conn{fromPage, fromProgram} {
		var kinds []string
		for len(kinds) < 3 {
			var n gateway.Notice
			if err := conn.ReadJSON(&n); err != nil {
				t.Fatal(err)
			}
			if n.Kind != "" {
				kinds = append(kinds, n.Kind)
			}
		}
		if !slices.Equal(kinds, []string{"proposed", "approved", "released"}) {
			t.Errorf("told of %v", kinds)
		}
	}
	d.want(d.do("alice", http.MethodPost, "/logout", nil, nil), http.StatusNoContent)
	for _, conn := range []*websocket.Conn{fromPage, fromProgram} {
		if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
			t.Errorf("after the logout: %v", err)
		}
	}
}

// Guardians who were named a moment ago are told, and those who are none any more are not.
func TestNoticesOfNewGuardians(t *testing.T) {
	d := newDoor(t)
	s := d.notices("bob", "")
	recovery := func() *auditv1.Entry { return &auditv1.Entry{Kind: "recovery_proposed", Patient: d.carol} }
	own := func(kind string) *auditv1.Entry { return &auditv1.Entry{Kind: kind, Patient: d.bob} }
	d.node.append(recovery(), own("stored"))
	if got := s.kinds(1); got[0] != "stored" {
		t.Fatalf("told of %v", got)
	}
	d.node.change(func() { d.node.guardians[d.carol] = &accessv1.Guardians{Patient: d.carol, Guardians: []string{d.bob}} })
	d.node.append(&auditv1.Entry{Kind: "guardians_set", Patient: d.carol}, recovery(), own("opened"))
	if got := s.kinds(2); !slices.Equal(got, []string{"recovery_proposed", "opened"}) {
		t.Fatalf("told of %v", got)
	}
	d.node.change(func() { delete(d.node.guardians, d.carol) })
	d.node.append(&auditv1.Entry{Kind: "guardians_ended", Patient: d.carol}, recovery(), own("stored"))
	if got := s.kinds(1); got[0] != "stored" {
		t.Fatalf("told of %v", got)
	}
}
