package gateway_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/gateway"
)

// openMember reads member.json files of the tests, which are signed where they say so.
func openMember(text []byte) (gateway.Candidate, error) {
	var m struct {
		Name   string
		Signed bool
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return gateway.Candidate{}, err
	}
	if !m.Signed {
		return gateway.Candidate{}, errors.New("bad signature: consensus_key")
	}
	return gateway.Candidate{Name: m.Name, ConsensusKey: keyOf(m.Name)}, nil
}

func keyOf(name string) []byte {
	key := sha256.Sum256([]byte(strings.ToLower(name)))
	return key[:]
}

func memberOf(name string) []byte { return []byte(`{"name":"` + name + `","signed":true}`) }

// newReception is a door with an administrator, at which two hospitals may wait.
func newReception(t *testing.T) *door {
	t.Helper()
	d := prepareDoor(t, func(c *gateway.Config) {
		c.OpenMember, c.Limits.Candidates = openMember, 2
		c.Limits.HandIns = gateway.Rate{Burst: 100, Count: 100, Per: time.Second}
	})
	d.newPerson("admin1", consortiumv1.Role_ROLE_ADMIN, 1, "")
	d.start()
	return d
}

func (d *door) handsIn(member []byte) reply {
	d.t.Helper()
	return d.do("", http.MethodPost, "/members", headers{"Content-Type": "application/json"}, member)
}

// waiting are the hospitals that ask to be admitted, as the administrator sees them.
func (d *door) waiting() (names []string) {
	d.t.Helper()
	var list struct {
		Candidates []struct {
			ID, Name string
			Member   json.RawMessage
		}
	}
	d.want(d.do("admin1", http.MethodGet, "/members", nil, nil), http.StatusOK).json(d.t, &list)
	for _, c := range list.Candidates {
		var text bytes.Buffer
		if err := json.Compact(&text, c.Member); err != nil || text.String() != string(memberOf(c.Name)) || c.ID != hex.EncodeToString(keyOf(c.Name)) {
			d.t.Errorf("%s with id %s handed in %s", c.Name, c.ID, c.Member)
		}
		names = append(names, c.Name)
	}
	return names
}

func TestHospitalsHandTheirDeclarationIn(t *testing.T) {
	d := newReception(t)
	var in struct{ ID string }
	d.want(d.handsIn(memberOf("south")), http.StatusAccepted).json(t, &in)
	if in.ID != hex.EncodeToString(keyOf("south")) {
		t.Errorf("id %s", in.ID)
	}
	d.want(d.handsIn(memberOf("west")), http.StatusAccepted)
	// Who asks again is there once.
	d.want(d.handsIn(memberOf("south")), http.StatusAccepted)
	if got := d.waiting(); len(got) != 2 {
		t.Errorf("%q wait", got)
	}
	// No further one pushes them out.
	if r := d.want(d.handsIn(memberOf("east")), http.StatusInsufficientStorage); !strings.Contains(string(r.body), "2 hospitals ask") {
		t.Errorf("%s", r.body)
	}
	// They are there after a restart, until an administrator takes one away, which makes room.
	d.stop()
	d.start()
	d.people["admin1"].token = ""
	d.want(d.do("admin1", http.MethodDelete, "/members/"+in.ID, nil, nil), http.StatusNoContent)
	d.want(d.do("admin1", http.MethodDelete, "/members/"+in.ID, nil, nil), http.StatusNotFound)
	d.want(d.handsIn(memberOf("east")), http.StatusAccepted)

	// A hospital that was admitted does not wait any more.
	d.node.change(func() { d.node.member.ConsensusKey = keyOf("east") })
	if got := d.waiting(); len(got) != 1 || got[0] != "west" {
		t.Errorf("%q wait", got)
	}
}

func TestWhatIsNoDeclarationOfANewHospitalIsNotTaken(t *testing.T) {
	d := newReception(t)
	d.node.change(func() { d.node.member.ConsensusKey = keyOf("of the clinic") })
	for name, test := range map[string]struct {
		body   []byte
		status int
	}{
		"not signed":     {[]byte(`{"name":"south"}`), http.StatusBadRequest},
		"no JSON":        {[]byte(`south`), http.StatusBadRequest},
		"a member":       {memberOf("of the clinic"), http.StatusConflict},
		"a name":         {memberOf("Clinic"), http.StatusConflict},
		"more than fits": {append(memberOf("south"), bytes.Repeat([]byte(" "), 16<<10)...), http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) { d.want(d.handsIn(test.body), test.status) })
	}
	d.want(d.do("", http.MethodPost, "/members", headers{"Content-Type": "text/plain"}, memberOf("south")), http.StatusUnsupportedMediaType)
	if got := d.waiting(); len(got) != 0 {
		t.Errorf("%q wait", got)
	}
	// The twin.
	d.want(d.handsIn(memberOf("south")), http.StatusAccepted)
	// What rots on the disk is not shown.
	path := filepath.Join(d.config.Folder, "candidates", hex.EncodeToString(keyOf("south"))+".json")
	if err := os.WriteFile(path, []byte(`{"name":"south"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := d.waiting(); len(got) != 0 {
		t.Errorf("%q wait", got)
	}
}

func TestWhoSeesCandidates(t *testing.T) {
	d := newReception(t)
	d.want(d.handsIn(memberOf("south")), http.StatusAccepted)
	for _, who := range everyone {
		d.want(d.do(who, http.MethodGet, "/members", nil, nil), http.StatusForbidden)
		d.want(d.do(who, http.MethodDelete, "/members/"+hex.EncodeToString(keyOf("south")), nil, nil), http.StatusForbidden)
	}
	d.want(d.do("", http.MethodGet, "/members", nil, nil), http.StatusUnauthorized)
	d.want(d.do("admin1", http.MethodDelete, "/members/..%2Fjournal", nil, nil), http.StatusNotFound)
	if got := d.waiting(); len(got) != 1 {
		t.Errorf("%q wait", got)
	}
}

func TestHandInsAreLimited(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) {
		c.OpenMember, c.Limits.HandIns = openMember, gateway.Rate{Burst: 2, Count: 1, Per: time.Hour}
	})
	d.want(d.handsIn(memberOf("south")), http.StatusAccepted)
	d.want(d.handsIn([]byte("rubbish")), http.StatusBadRequest)
	d.want(d.handsIn(memberOf("west")), http.StatusTooManyRequests)
	d.clock.move(time.Hour)
	d.want(d.handsIn(memberOf("west")), http.StatusAccepted)
}

func TestLobby(t *testing.T) {
	d := prepareDoor(t)
	l, err := gateway.NewLobby(t.Context(), gateway.LobbyConfig{
		Listen: "127.0.0.1:0", CertificateFile: d.config.CertificateFile, KeyFile: d.config.KeyFile, Log: d.config.Log,
		Waits: func() string { return "waits to be admitted" },
	})
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr()
	d.url, d.client = "https://"+at, trusting(t, d.config.CertificateFile)
	d.want(d.do("", http.MethodGet, "/healthz", nil, nil), http.StatusOK)
	d.want(d.do("", http.MethodPost, "/login", nil, nil), http.StatusServiceUnavailable)
	r := d.do("", http.MethodGet, "/readyz", nil, nil)
	var state struct {
		Ready   bool
		Reasons []string
	}
	if r.json(t, &state); r.StatusCode != http.StatusServiceUnavailable || state.Ready || len(state.Reasons) != 1 || state.Reasons[0] != "waits to be admitted" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	// Its port is the gateway's when it has gone.
	d.client.CloseIdleConnections()
	if err := l.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	d.config.Listen = at
	d.start()
	d.want(d.do("", http.MethodGet, "/chain", nil, nil), http.StatusOK)
}
