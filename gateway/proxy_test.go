package gateway_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/gateway"
)

// behind is the address of a client as a proxy writes it.
func behind(client string) headers { return headers{"X-Forwarded-For": client} }

// Limits count the client whom a trusted proxy names, and nobody else believes a header.
func TestForwardedAddresses(t *testing.T) {
	limited := func(proxies ...string) *door {
		return newDoor(t, func(c *gateway.Config) {
			var err error
			if c.Proxies, err = gateway.ParseProxies(proxies); err != nil {
				t.Fatal(err)
			}
			c.Limits.Requests = gateway.Rate{Burst: 1, Count: 1, Per: time.Hour}
		})
	}
	ask := func(d *door, h headers) int { return d.do("", http.MethodGet, "/healthz", h, nil).StatusCode }
	for name, c := range map[string]struct {
		proxies       []string
		first, second string
		want          int
	}{
		"two clients of a proxy":                  {[]string{"127.0.0.1"}, "192.0.2.1", "192.0.2.2", http.StatusOK},
		"one client of a proxy":                   {[]string{"127.0.0.0/8"}, "192.0.2.1", "192.0.2.1", http.StatusTooManyRequests},
		"one client that makes up hops":           {[]string{"127.0.0.1"}, "198.51.100.1, 192.0.2.1", "198.51.100.2, 192.0.2.1", http.StatusTooManyRequests},
		"two clients behind two proxies":          {[]string{"127.0.0.1", "10.0.0.0/8"}, "192.0.2.1, 10.1.1.1", "192.0.2.2, 10.1.1.1", http.StatusOK},
		"two of one IPv6 network":                 {[]string{"127.0.0.1"}, "2001:db8::1", "2001:db8::2", http.StatusTooManyRequests},
		"two IPv6 networks":                       {[]string{"127.0.0.1"}, "2001:db8::1", "2001:db8:0:1::2", http.StatusOK},
		"a header of nonsense counts for a proxy": {[]string{"127.0.0.1"}, "unknown", "nobody", http.StatusTooManyRequests},
		"no proxy is trusted":                     {nil, "192.0.2.1", "192.0.2.2", http.StatusTooManyRequests},
		"another proxy is trusted":                {[]string{"10.0.0.0/8"}, "192.0.2.1", "192.0.2.2", http.StatusTooManyRequests},
	} {
		d := limited(c.proxies...)
		if got := ask(d, behind(c.first)); got != http.StatusOK {
			t.Errorf("%s: the first got %d", name, got)
		}
		if got := ask(d, behind(c.second)); got != c.want {
			t.Errorf("%s: the second got %d, want %d", name, got, c.want)
		}
	}
	for _, bad := range []string{"", "everybody", "0.0.0.0/0", "::/0", "10.0.0.0/33"} {
		if _, err := gateway.ParseProxies([]string{bad}); err == nil {
			t.Errorf("%q was taken for a proxy", bad)
		}
	}
}

// A proxy that ends TLS reaches the gateway over plain HTTP on loopback, with every way to call it.
func TestBehindAProxy(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) {
		c.PlainListen, c.Proxies = "127.0.0.1:0", []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		c.Limits.ConnectionsPerAddress = 1
	})
	target, err := url.Parse("http://" + d.gateway.PlainAddr())
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("X-Forwarded-For")
			r.SetXForwarded()
		},
		FlushInterval: -1,
	})
	front.EnableHTTP2 = true
	front.StartTLS()
	t.Cleanup(front.Close)

	own, client := d.url, d.client
	d.client.CloseIdleConnections()
	d.url, d.client = front.URL, front.Client()
	d.want(d.do("", http.MethodGet, "/healthz", nil, nil), http.StatusOK)
	d.want(d.do("er", http.MethodGet, "/phrd/consortium/v1/principals/"+d.people["er"].address(), nil, nil), http.StatusOK)
	r := d.want(d.do("er", http.MethodGet, "/records/"+d.record+"/versions/1/content?unlock="+d.unlock, headers{"Range": "bytes=0-99"}, nil), http.StatusPartialContent)
	if len(r.body) != 100 {
		t.Errorf("%d bytes through the proxy", len(r.body))
	}
	// The proxy has as many connections as it needs, also with a limit of one for each address.
	idle := make([]net.Conn, 3)
	for i := range idle {
		if idle[i], err = net.Dial("tcp", d.gateway.PlainAddr()); err != nil {
			t.Fatal(err)
		}
		defer idle[i].Close()
	}
	for _, conn := range idle {
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 200") {
			t.Errorf("%s, %v", text, err)
		}
	}
	// gRPC goes the same way, without TLS.
	conn, err := grpc.NewClient(d.gateway.PlainAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := consortiumv1.NewQueryClient(conn).Params(t.Context(), &consortiumv1.QueryParamsRequest{}); err != nil {
		t.Errorf("gRPC: %v", err)
	}
	d.url, d.client = own, client
}

func TestPlainHTTP(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	for name, c := range map[string]struct {
		listen  string
		proxies []netip.Prefix
		good    bool
	}{
		"on loopback":       {"127.0.0.1:8080", proxies, true},
		"on IPv6 loopback":  {"[::1]:8080", proxies, true},
		"everywhere":        {"0.0.0.0:8080", proxies, false},
		"no address":        {":8080", proxies, false},
		"on a name":         {"localhost:8080", proxies, false},
		"without a proxy":   {"127.0.0.1:8080", nil, false},
		"not where it says": {"127.0.0.1", proxies, false},
	} {
		d := prepareDoor(t, func(config *gateway.Config) { config.PlainListen, config.Proxies = c.listen, c.proxies })
		if err := d.config.Validate(); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Without the setting nothing is served without TLS.
	d := newDoor(t)
	if at := d.gateway.PlainAddr(); at != "" {
		t.Errorf("plain HTTP at %s", at)
	}
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", d.gateway.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 64)
	if n, _ := conn.Read(answer); strings.Contains(string(answer[:n]), "200 OK") {
		t.Errorf("%s", answer[:n])
	}
}

// A reload shows a new certificate at once, and keeps the old one while the files are no good.
func TestCertificateReloadsOnDemand(t *testing.T) {
	d := newDoor(t)
	shown := func() string {
		conn, err := tls.Dial("tcp", d.gateway.Addr(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // only the certificate is looked at
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return string(conn.ConnectionState().PeerCertificates[0].Raw)
	}
	before := shown()
	if err := d.gateway.Reload(); err != nil || shown() != before {
		t.Errorf("the same files: %v", err)
	}
	if err := os.WriteFile(d.config.KeyFile, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.gateway.Reload(); err == nil || shown() != before {
		t.Errorf("a broken file: %v", err)
	}
	writeCertificate(t, filepath.Dir(d.config.CertificateFile))
	if err := d.gateway.Reload(); err != nil || shown() == before {
		t.Errorf("a new certificate: %v", err)
	}
}
