package gateway_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/gateway"
)

var testPages = fstest.MapFS{
	"index.html":         {Data: []byte("<!doctype html><title>phrd</title>")},
	"assets/index-1f.js": {Data: []byte("export {}")},
	"licences.txt":       {Data: []byte("MIT")},
}

// Browsers get the pages with a policy that lets nothing else run, and the gateway says which pages they are.
func TestPages(t *testing.T) {
	d := newDoor(t)
	r := d.want(d.do("", http.MethodGet, "/", nil, nil), http.StatusOK)
	if string(r.body) != string(testPages["index.html"].Data) || r.Header.Get("Content-Type") != "text/html; charset=utf-8" || r.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("index: %v", r.Header)
	}
	policy := r.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "require-trusted-types-for 'script'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q lacks %q", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	script := d.want(d.do("", http.MethodGet, "/assets/index-1f.js", nil, nil), http.StatusOK)
	if !strings.HasPrefix(script.Header.Get("Content-Type"), "text/javascript") || !strings.Contains(script.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("script: %v", script.Header)
	}
	licences := d.want(d.do("", http.MethodGet, "/licences.txt", nil, nil), http.StatusOK)
	if licences.Header.Get("Content-Type") != "text/plain; charset=utf-8" || licences.Header.Get("Cache-Control") != "no-cache" || licences.Header.Get("Content-Security-Policy") != policy {
		t.Errorf("licences: %v", licences.Header)
	}
	d.want(d.do("", http.MethodGet, "/", headers{"If-None-Match": r.Header.Get("ETag")}, nil), http.StatusNotModified)
	d.want(d.do("", http.MethodGet, "/assets/index-2f.js", nil, nil), http.StatusNotFound)
	d.want(d.do("", http.MethodPost, "/", nil, nil), http.StatusMethodNotAllowed)
	// What is no page keeps its own policy.
	if got := d.want(d.do("", http.MethodGet, "/chain", nil, nil), http.StatusOK).Header.Get("Content-Security-Policy"); strings.Contains(got, "script-src") {
		t.Errorf("policy of an answer: %q", got)
	}

	lines := ""
	for _, name := range []string{"assets/index-1f.js", "index.html", "licences.txt"} {
		lines += fmt.Sprintf("%x  %s\n", sha256.Sum256(testPages[name].Data), name)
	}
	want := sha256.Sum256([]byte(lines))
	var chain struct{ Pages string }
	d.want(d.do("", http.MethodGet, "/chain", nil, nil), http.StatusOK).json(t, &chain)
	if chain.Pages != hex.EncodeToString(want[:]) {
		t.Errorf("pages %s, want %x", chain.Pages, want)
	}

	without := newDoor(t, func(c *gateway.Config) { c.Pages = nil })
	without.want(without.do("", http.MethodGet, "/", nil, nil), http.StatusNotFound)
}

// The pages of one hospital ask the gateways of the others; pages of hosts that are none of theirs get no answer.
func TestPagesOfOtherHospitals(t *testing.T) {
	d := newDoor(t)
	d.node.change(func() {
		d.node.others = []*consortiumv1.Member{
			{Number: 2, GatewayUrl: "https://er.example:8443", Status: consortiumv1.MemberStatus_MEMBER_STATUS_ACTIVE},
			{Number: 3, GatewayUrl: "https://gone.example", Status: consortiumv1.MemberStatus_MEMBER_STATUS_LEFT},
		}
	})
	d.clock.move(time.Minute)
	for origin, allowed := range map[string]bool{
		"https://er.example:8443": true, "https://er.example": false, "http://er.example:8443": false, "https://gone.example": false, "https://evil.example": false,
	} {
		r := d.want(d.do("", http.MethodGet, "/chain", headers{"Origin": origin}, nil), http.StatusOK)
		if got := r.Header.Get("Access-Control-Allow-Origin") == origin; got != allowed {
			t.Errorf("%s: allowed is %t", origin, got)
		}
	}
}
