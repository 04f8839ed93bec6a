package gateway_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/gateway"
)

// application is one of the hospital's, which is told by a webhook.
type application struct {
	t      *testing.T
	server *httptest.Server

	mu      sync.Mutex
	answers []int // to the next deliveries; 200 when there are none
	took    []delivery
	refused []delivery
}

type delivery struct {
	id, at, signature string
	body              []byte
	notice            gateway.Notice
}

func newApplication(t *testing.T) *application {
	t.Helper()
	a := &application{t: t}
	a.server = httptest.NewTLSServer(a)
	t.Cleanup(a.server.Close)
	return a
}

// ServeHTTP implements http.Handler.
func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	d := delivery{id: r.Header.Get("Webhook-Id"), at: r.Header.Get("Webhook-Timestamp"), signature: r.Header.Get("Webhook-Signature"), body: body}
	var event struct{ Data gateway.Notice }
	if err := json.Unmarshal(body, &event); err != nil {
		a.t.Error(err)
	}
	d.notice = event.Data
	a.mu.Lock()
	defer a.mu.Unlock()
	status := http.StatusOK
	if len(a.answers) > 0 {
		status, a.answers = a.answers[0], a.answers[1:]
	}
	if status == http.StatusFound {
		w.Header().Set("Location", "/elsewhere")
	}
	w.WriteHeader(status)
	if status == http.StatusOK {
		a.took = append(a.took, d)
		return
	}
	a.refused = append(a.refused, d)
}

func (a *application) host() string { return strings.TrimPrefix(a.server.URL, "https://") }

// allowed lets the gateway tell the application.
func (a *application) allowed(c *gateway.Config) {
	c.WebhookHosts = []string{a.host()}
	c.WebhookRoots = x509.NewCertPool()
	c.WebhookRoots.AddCert(a.server.Certificate())
	c.Limits.WebhookRetry = time.Millisecond
}

// taken waits for so many deliveries and returns all.
func (a *application) taken(count int) []delivery {
	a.t.Helper()
	var got []delivery
	eventually(a.t, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		got = slices.Clone(a.took)
		return len(got) >= count
	})
	return got
}

func (a *application) answering(status ...int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers = append(a.answers, status...)
}

// register has hospital 1's administrator register the application, and returns the secret.
func (d *door) register(name, url, kinds string) string {
	d.t.Helper()
	var body struct{ Secret string }
	d.want(d.do("admin1", http.MethodPut, "/webhooks/"+name, headers{"Content-Type": "application/json"},
		[]byte(`{"url":"`+url+`","kinds":"`+kinds+`"}`)), http.StatusCreated).json(d.t, &body)
	return body.Secret
}

func newWebhookDoor(t *testing.T, a *application) *door {
	t.Helper()
	d := prepareDoor(t, a.allowed, soon)
	d.newPerson("admin1", consortiumv1.Role_ROLE_ADMIN, 1, "")
	d.start()
	return d
}

// signed checks a delivery as the application does.
func signed(t *testing.T, secret string, d delivery) bool {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) != 32 {
		t.Fatalf("secret %q: %v", secret, err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(d.id + "." + d.at + "." + string(d.body)))
	return hmac.Equal([]byte("v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil))), []byte(d.signature))
}

// An application hears what concerns its hospital, signed, in order, and again until it takes it.
func TestWebhookIsTold(t *testing.T) {
	a := newApplication(t)
	d := newWebhookDoor(t, a)
	secret := d.register("portal", a.server.URL+"/notices", "")
	a.answering(http.StatusInternalServerError, http.StatusFound, http.StatusTooManyRequests)
	d.node.append(d.unlockSteps()...)
	got := a.taken(3)
	var kinds []string
	for _, x := range got {
		kinds = append(kinds, x.notice.Kind)
		if !signed(t, secret, x) {
			t.Errorf("%s is not signed", x.id)
		}
		altered := x
		altered.body = append([]byte(" "), x.body...)
		if signed(t, secret, altered) {
			t.Errorf("%s is signed with another body", x.id)
		}
		if strings.Contains(string(x.body), d.alice) || strings.Contains(string(x.body), "TREAT") {
			t.Errorf("the notice says %s", x.body)
		}
	}
	if !slices.Equal(kinds, []string{"proposed", "approved", "released"}) {
		t.Errorf("told of %v", kinds)
	}
	for _, x := range a.refused {
		if x.id != got[0].id {
			t.Errorf("tried with id %s, and %s was taken", x.id, got[0].id)
		}
	}
	if len(a.refused) != 3 {
		t.Errorf("%d deliveries were refused, want 3: a redirect is none that was taken", len(a.refused))
	}
}

// Restarts on both ends lose nothing and repeat nothing, but under the same id.
func TestWebhookAfterRestarts(t *testing.T) {
	a := newApplication(t)
	d := newWebhookDoor(t, a)
	d.register("portal", a.server.URL, "proposed released")
	d.node.append(d.unlockSteps()...)
	a.taken(2)
	d.stop()
	d.node.append(d.unlockSteps()...)
	d.people["admin1"].token = ""
	a.answering(http.StatusServiceUnavailable)
	d.start()
	d.node.append(d.unlockSteps()...)
	seen := map[string]uint64{}
	var sequences []uint64
	eventually(t, func() bool {
		clear(seen)
		sequences = nil
		for _, x := range a.taken(0) {
			if _, twice := seen[x.id]; !twice {
				sequences = append(sequences, x.notice.Sequence)
			}
			seen[x.id] = x.notice.Sequence
		}
		return len(seen) >= 6
	})
	if want := []uint64{2, 4, 5, 7, 8, 10}; !slices.Equal(sequences, want) {
		t.Errorf("told of entries %v, want %v", sequences, want)
	}
	file := filepath.Join(d.config.Folder, "webhooks", "portal.json")
	stat, err := os.Stat(file)
	if err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", file, stat.Mode(), err)
	}
}

// Only this hospital's administrators say who is told, and only at hosts that the server's configuration names.
func TestWebhookRegistration(t *testing.T) {
	a := newApplication(t)
	d := newWebhookDoor(t, a)
	put := func(who, name, body string) reply {
		return d.do(who, http.MethodPut, "/webhooks/"+name, headers{"Content-Type": "application/json"}, []byte(body))
	}
	good := `{"url":"` + a.server.URL + `/x","kinds":""}`
	for _, who := range []string{"alice", "officer1", "admin2", "auditor", "node1"} {
		d.want(put(who, "portal", good), http.StatusForbidden)
		d.want(d.do(who, http.MethodGet, "/webhooks", nil, nil), http.StatusForbidden)
		d.want(d.do(who, http.MethodDelete, "/webhooks/portal", nil, nil), http.StatusForbidden)
	}
	d.want(put("", "portal", good), http.StatusUnauthorized)
	for _, c := range []struct {
		name, body string
		status     int
	}{
		{"portal", `{"url":"https://127.0.0.1:1/x","kinds":""}`, http.StatusForbidden},
		{"portal", `{"url":"https://` + strings.ToUpper("localhost") + `/x","kinds":""}`, http.StatusForbidden},
		{"portal", `{"url":"http://` + a.host() + `/x","kinds":""}`, http.StatusBadRequest},
		{"portal", `{"url":"https://user@` + a.host() + `/x","kinds":""}`, http.StatusBadRequest},
		{"portal", `{"url":"` + a.server.URL + `","kinds":"Proposed"}`, http.StatusBadRequest},
		{"Portal", good, http.StatusBadRequest},
		{"..%2fx", good, http.StatusBadRequest},
	} {
		d.want(put("admin1", c.name, c.body), c.status)
	}
	d.want(put("admin1", "portal", good), http.StatusCreated)
	d.want(put("admin1", "portal", good), http.StatusConflict)
	list := d.want(d.do("admin1", http.MethodGet, "/webhooks", nil, nil), http.StatusOK)
	if !strings.Contains(string(list.body), `"name":"portal"`) || strings.Contains(string(list.body), "whsec_") {
		t.Errorf("listed %s", list.body)
	}
	d.want(d.do("admin1", http.MethodDelete, "/webhooks/portal", nil, nil), http.StatusNoContent)
	d.want(d.do("admin1", http.MethodDelete, "/webhooks/portal", nil, nil), http.StatusNotFound)
	d.node.append(d.unlockSteps()...)
	d.register("other", a.server.URL, "")
	d.node.append(d.unlockSteps()[:1]...)
	if got := a.taken(1); got[0].notice.Sequence != 5 {
		t.Errorf("told of entry %d, want 5: what was before the registration, or for one that is gone", got[0].notice.Sequence)
	}
	// Who was let register and remove is in the log, and nobody else.
	for kind, count := range map[consortiumv1.SessionKind]uint64{webhookAdded: 2, webhookRemoved: 1} {
		for _, r := range d.sessions(kind, count) {
			if r.GetAccount() != d.people["admin1"].address() {
				t.Errorf("%s by %s", kind, r.GetAccount())
			}
		}
	}
}

// An application that answers Gone is told no more, and a host that was taken out of the configuration neither.
func TestWebhookEnds(t *testing.T) {
	a := newApplication(t)
	d := newWebhookDoor(t, a)
	d.register("portal", a.server.URL, "")
	a.answering(http.StatusGone)
	d.node.append(d.unlockSteps()...)
	body := func() string { return string(d.do("admin1", http.MethodGet, "/webhooks", nil, nil).body) }
	eventually(t, func() bool { return strings.Contains(body(), `"gone":true`) })
	if got := a.taken(0); len(got) > 0 {
		t.Errorf("told of %d", len(got))
	}
	d.want(d.do("admin1", http.MethodDelete, "/webhooks/portal", nil, nil), http.StatusNoContent)
	d.register("portal", a.server.URL, "")
	d.stop()
	d.people["admin1"].token = ""
	d.config.WebhookHosts = nil
	d.start()
	d.node.append(d.unlockSteps()...)
	eventually(t, func() bool { return strings.Contains(body(), "is not allowed for webhooks") })
	if got := a.taken(0); len(got) > 0 {
		t.Errorf("told of %d", len(got))
	}
}
