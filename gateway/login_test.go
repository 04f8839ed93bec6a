package gateway_test

import (
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/phrd/phrd/gateway"
)

var loopback = []net.IP{net.IPv4(127, 0, 0, 1)}

func TestLogin(t *testing.T) {
	d := newDoor(t)
	er := d.people["er"]
	c := d.challenge(er.address())
	want := strings.Join([]string{
		"phrd login", "network: ab000000 phrd-1", "account: " + er.address(), "host: " + gatewayHost, "nonce: " + c.Nonce,
		"expires: 2026-11-24T12:02:00Z",
	}, "\n")
	if c.Text != want || len(c.Nonce) != 32 || !c.ExpiresAt.Equal(d.clock.now().Add(2*time.Minute)) {
		t.Fatalf("challenge %+v, want text\n%s", c, want)
	}
	var body struct {
		Token     string
		ExpiresAt time.Time `json:"expires_at"`
		Principal struct {
			Address, Role, Patient string
			Hospital               uint64
		}
	}
	d.want(d.login(er.key, c), http.StatusOK).json(t, &body)
	p := body.Principal
	if p.Address != er.address() || p.Role != "clinician" || p.Hospital != 4 || p.Patient != "" || !body.ExpiresAt.Equal(d.clock.now().Add(15*time.Minute)) {
		t.Errorf("login %+v", body)
	}
	er.token = body.Token
	d.want(d.do("er", http.MethodGet, "/phrd/audit/v1/head", nil, nil), http.StatusOK)
	d.want(d.do("er", http.MethodPost, "/logout", nil, nil), http.StatusNoContent)
	d.want(d.do("er", http.MethodGet, "/phrd/audit/v1/head", nil, nil), http.StatusUnauthorized)
}

func TestLoginIsRefused(t *testing.T) {
	d := newDoor(t)
	er, alice := d.people["er"], d.people["alice"]
	fresh := func() challenge { return d.challenge(er.address()) }

	used := fresh()
	d.want(d.login(er.key, used), http.StatusOK)
	d.want(d.login(er.key, used), http.StatusUnauthorized)

	// A wrong signature uses the challenge up too.
	tried := fresh()
	wrong := loginFields(er.key, tried)
	wrong["signature"] = base64.StdEncoding.EncodeToString(er.key.SignArbitrary([]byte(tried.Text + " ")))
	d.want(d.postJSON("/login", wrong), http.StatusUnauthorized)
	d.want(d.login(er.key, tried), http.StatusUnauthorized)

	// What another host's page got signed is of no use here.
	phished := fresh()
	other := phished
	other.Text = strings.Replace(phished.Text, gatewayHost, "evil.example:443", 1)
	d.want(d.login(er.key, other), http.StatusUnauthorized)

	foreign := fresh()
	d.want(d.login(alice.key, foreign), http.StatusUnauthorized)
	swapped := loginFields(alice.key, fresh())
	swapped["address"] = er.address()
	d.want(d.postJSON("/login", swapped), http.StatusUnauthorized)

	late := fresh()
	d.clock.move(2 * time.Minute)
	d.want(d.login(er.key, late), http.StatusUnauthorized)

	// A signature over the plain text is none of ADR-36.
	plain := fresh()
	fields := loginFields(er.key, plain)
	fields["signature"] = base64.StdEncoding.EncodeToString(er.key.Sign([]byte(plain.Text)))
	d.want(d.postJSON("/login", fields), http.StatusUnauthorized)

	stranger := d.people["stranger"]
	d.want(d.login(stranger.key, d.challenge(stranger.address())), http.StatusForbidden)
	d.node.change(func() { d.node.principals[er.address()].Active = false })
	d.want(d.login(er.key, fresh()), http.StatusForbidden)
}

func TestSessionEnds(t *testing.T) {
	const path = "/phrd/audit/v1/head"
	t.Run("with the role", func(t *testing.T) {
		d := newDoor(t)
		d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusOK)
		er := d.node.principals[d.people["er"].address()]
		d.node.change(func() { er.Active = false })
		d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusUnauthorized)
		// The session is gone also when the role comes back.
		d.node.change(func() { er.Active = true })
		d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusUnauthorized)
	})
	t.Run("when idle", func(t *testing.T) {
		d := newDoor(t)
		for range 3 {
			d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusOK)
			d.clock.move(14 * time.Minute)
		}
		d.clock.move(time.Minute)
		d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusUnauthorized)
	})
	t.Run("after half a day", func(t *testing.T) {
		d := newDoor(t)
		d.token("er")
		for range 12*6 - 1 {
			d.clock.move(10 * time.Minute)
			d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusOK)
		}
		d.clock.move(10 * time.Minute)
		d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusUnauthorized)
	})
	t.Run("when there are too many", func(t *testing.T) {
		d := newDoor(t, func(c *gateway.Config) { c.Limits.Sessions = 2 })
		er := d.people["er"]
		first := d.token("er")
		for range 2 {
			er.token = ""
			d.clock.move(time.Second)
			d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusOK)
		}
		er.token = first
		d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusUnauthorized)
	})
	t.Run("with the process", func(t *testing.T) {
		d := newDoor(t)
		d.token("er")
		d.stop()
		d.start()
		d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusUnauthorized)
	})
}

// A patient who just registered need not log in again.
func TestSessionLearnsThePatientNumber(t *testing.T) {
	d := newDoor(t)
	newcomer := d.people["newcomer"]
	number := newID(t)
	path := "/phrd/audit/v1/subjects/" + number
	d.want(d.do("newcomer", http.MethodGet, path, nil, nil), http.StatusForbidden)
	d.node.change(func() { d.node.principals[newcomer.address()].Patient = number })
	d.want(d.do("newcomer", http.MethodGet, path, nil, nil), http.StatusOK)
}

func TestLoginBodies(t *testing.T) {
	d := newDoor(t)
	address := d.people["er"].address()
	json := headers{"Content-Type": "application/json"}
	for name, c := range map[string]struct {
		header headers
		body   string
		status int
	}{
		"empty":            {json, "", http.StatusBadRequest},
		"no JSON":          {json, "address", http.StatusBadRequest},
		"an array":         {json, `["address"]`, http.StatusBadRequest},
		"unknown field":    {json, `{"address":"` + address + `","x":"y"}`, http.StatusBadRequest},
		"repeated field":   {json, `{"address":"` + address + `","address":"` + address + `"}`, http.StatusBadRequest},
		"other case":       {json, `{"Address":"` + address + `"}`, http.StatusBadRequest},
		"missing field":    {json, `{}`, http.StatusBadRequest},
		"number":           {json, `{"address":7}`, http.StatusBadRequest},
		"nested":           {json, `{"address":` + strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000) + `}`, http.StatusBadRequest},
		"trailing":         {json, `{"address":"` + address + `"}{}`, http.StatusBadRequest},
		"other prefix":     {json, `{"address":"cosmos1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqnrql8a"}`, http.StatusBadRequest},
		"too long":         {json, `{"address":"` + strings.Repeat("a", 20<<10) + `"}`, http.StatusRequestEntityTooLarge},
		"other media type": {headers{"Content-Type": "text/plain"}, `{"address":"` + address + `"}`, http.StatusUnsupportedMediaType},
		"no media type":    {nil, `{"address":"` + address + `"}`, http.StatusUnsupportedMediaType},
		"right":            {json, `{"address":"` + address + `"}`, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			d.t = t
			d.want(d.do("", http.MethodPost, "/login/challenge", c.header, []byte(c.body)), c.status)
		})
	}
}

func TestLoginsAreLimited(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) { c.Limits.Logins = gateway.Rate{Burst: 3, Count: 1, Per: time.Minute} })
	address := d.people["er"].address()
	for range 3 {
		d.challenge(address)
	}
	r := d.want(d.postJSON("/login/challenge", headers{"address": address}), http.StatusTooManyRequests)
	if r.Header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After is %q, want 60", r.Header.Get("Retry-After"))
	}
	d.clock.move(time.Minute)
	d.challenge(address)
}

func TestBadTokens(t *testing.T) {
	d := newDoor(t)
	good := d.token("er")
	for _, value := range []string{"Bearer", "Bearer ", "Bearer " + good + "x", "Basic " + good, good, "Bearer " + strings.Repeat("A", 43)} {
		for _, path := range []string{"/phrd/audit/v1/head", "/chain", "/phrd/consortium/v1/members"} {
			d.want(d.do("", http.MethodGet, path, headers{"Authorization": value}, nil), http.StatusUnauthorized)
		}
	}
	d.want(d.do("", http.MethodGet, "/phrd/audit/v1/head", headers{"Authorization": "bearer " + good}, nil), http.StatusOK)
}
