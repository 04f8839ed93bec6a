package gateway_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"net/http/httptest"

	"github.com/phrd/phrd/gateway"
)

// scrape is what a gateway measured, as Prometheus reads it.
func (d *door) scrape() string {
	d.t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(d.gateway); err != nil {
		d.t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		d.t.Fatalf("%d: %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

// Requests are counted by the template of their route, which tells nobody's names.
func TestMeasures(t *testing.T) {
	d := newDoor(t)
	d.want(d.do("", http.MethodGet, "/chain", nil, nil), http.StatusOK)
	d.want(d.do("", http.MethodGet, "/nothing", nil, nil), http.StatusNotFound)
	d.want(d.do("er", http.MethodGet, "/records/"+d.record+"/versions/1/content?unlock="+d.unlock, headers{"Range": "bytes=0-99"}, nil), http.StatusPartialContent)
	d.want(d.do("doctor3", http.MethodGet, "/records/"+d.record+"/versions/1/content", nil, nil), http.StatusNotFound)
	if r := d.do("", "BREW", "/chain", nil, nil); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("BREW: %d", r.StatusCode)
	}
	text := d.scrape()
	for _, want := range []string{
		`phrd_gateway_requests_total{code="200",method="GET",route="/chain"} 1`,
		`phrd_gateway_requests_total{code="404",method="GET",route="none"} 1`,
		`phrd_gateway_requests_total{code="206",method="GET",route="/records/{record}/versions/{version}/content"} 1`,
		`phrd_gateway_requests_total{code="405",method="other",route="none"} 1`,
		`phrd_gateway_request_duration_seconds_count{route="/login"} 2`,
		"phrd_gateway_requests_in_flight 0", "phrd_gateway_uploads 0", "phrd_gateway_sessions 2", "phrd_gateway_journal_writable 1",
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s in\n%s", want, regexp.MustCompile(`(?m)^phrd_gateway_(requests|sess|upl|jour).*$`).FindAllString(text, -1))
		}
	}
	for _, secret := range []string{d.record, d.unlock, d.alice, d.people["er"].address()} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the metrics", secret)
		}
	}
}

// A request has a name, in its answer and in the log: the one it came with where that can do no
// harm, else a new one.
func TestRequestsAreNamed(t *testing.T) {
	var log bytes.Buffer
	d := newDoor(t, func(c *gateway.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	own := regexp.MustCompile(`^[0-9a-f]{32}$`)
	for name, taken := range map[string]bool{
		"portal-4711.a_B": true, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false, "": false, "two words": false, `"quoted"`: false, "a\tb": false, "ä": false,
	} {
		h := headers{}
		if name != "" {
			h["X-Request-Id"] = name
		}
		got := d.want(d.do("", http.MethodGet, "/healthz", h, nil), http.StatusOK).Header.Get("X-Request-Id")
		if taken && got != name || !taken && !own.MatchString(got) {
			t.Errorf("%q was named %q", name, got)
		}
	}
	first := d.do("", http.MethodGet, "/healthz", nil, nil).Header.Get("X-Request-Id")
	if again := d.do("", http.MethodGet, "/healthz", nil, nil).Header.Get("X-Request-Id"); first == again {
		t.Error("two requests have one name")
	}
	// An error has it too, and names nobody in the log.
	d.want(d.do("er", http.MethodGet, "/records/"+d.record+"/versions/9/content", headers{"X-Request-Id": "lost"}, nil), http.StatusNotFound)
	d.stop()
	said := log.String()
	if want := fmt.Sprintf("request=%s method=GET route=%s code=404", "lost", "/records/{record}/versions/{version}/content"); !strings.Contains(said, want) {
		t.Errorf("no %s in the log:\n%s", want, said)
	}
	if strings.Contains(said, d.record) || strings.Contains(said, d.people["er"].token) {
		t.Error("the log says what was asked for, or a token")
	}
}
