package gateway_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/wallet"
)

func TestConfig(t *testing.T) {
	good := prepareDoor(t).config
	if err := good.Validate(); err != nil {
		t.Errorf("a whole config: %v", err)
	}
	for name, spoil := range map[string]option{
		"no chain":          func(c *gateway.Config) { c.Chain = nil },
		"no store":          func(c *gateway.Config) { c.Store = nil },
		"no folder":         func(c *gateway.Config) { c.Folder = "" },
		"no certificate":    func(c *gateway.Config) { c.KeyFile = "" },
		"no port":           func(c *gateway.Config) { c.Listen = "127.0.0.1" },
		"host without port": func(c *gateway.Config) { c.Host = "door.example" },
		"host with path":    func(c *gateway.Config) { c.Host = "door.example:1/x" },
		"any origin":        func(c *gateway.Config) { c.Origins = []string{"*"} },
		"origin with path":  func(c *gateway.Config) { c.Origins = []string{"https://a.example/"} },
		"RPC with path":     func(c *gateway.Config) { c.RPC = "http://127.0.0.1:26657/x" },
		"negative limit":    func(c *gateway.Config) { c.Limits.Ranges = -1 },
		"rate without time": func(c *gateway.Config) { c.Limits.Logins = gateway.Rate{Burst: 1, Count: 1} },
		"missing key file":  func(c *gateway.Config) { c.KeyFile += ".none" },
	} {
		bad := good
		spoil(&bad)
		if g, err := gateway.New(bad); err == nil {
			t.Errorf("%s: no error, %v", name, g)
		}
	}
}

// Whatever is left out is bounded all the same.
func TestNothingIsUnboundedByDefault(t *testing.T) {
	limits := reflect.ValueOf(gateway.DefaultLimits())
	for i := range limits.NumField() {
		field := limits.Field(i)
		if rate, ok := field.Interface().(gateway.Rate); ok && (rate.Burst < 1 || rate.Count < 1 || rate.Per < 1) || field.IsZero() {
			t.Errorf("%s is %v", limits.Type().Field(i).Name, field)
		}
	}
}

func TestPortInUse(t *testing.T) {
	d := newDoor(t)
	second := d.config
	second.Listen, second.Folder = d.gateway.Addr(), t.TempDir()
	g, err := gateway.New(second)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("%v, want that the port is in use", err)
	}
	if err := g.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	third := d.config
	if _, err := gateway.New(third); !errors.Is(err, gateway.ErrJournalLocked) {
		t.Errorf("%v, want ErrJournalLocked", err)
	}
}

func TestPublicRoutes(t *testing.T) {
	d := newDoor(t)
	d.want(d.do("", http.MethodGet, "/healthz", nil, nil), http.StatusOK)
	r := d.want(d.do("", http.MethodGet, "/genesis", nil, nil), http.StatusOK)
	if string(r.body) != `{"chain_id":"phrd-1"}` {
		t.Errorf("genesis %s", r.body)
	}
	var chain struct {
		ChainID   string `json:"chain_id"`
		NetworkID string `json:"network_id"`
		Hospital  struct {
			Number uint64
			Name   string
		}
		Height      int64
		Version     string
		Fingerprint string
		BlockTime   time.Time `json:"block_time"`
		Time        time.Time
	}
	d.want(d.do("", http.MethodGet, "/chain", nil, nil), http.StatusOK).json(t, &chain)
	sum := sha256.Sum256(d.serverKey())
	if chain.ChainID != "phrd-1" || chain.NetworkID != hex.EncodeToString(d.node.networkID) || chain.Hospital.Number != 1 ||
		chain.Hospital.Name != "clinic" || chain.Height != 7 || chain.Version != "test" || chain.Fingerprint != hex.EncodeToString(sum[:]) ||
		!chain.Time.Equal(d.clock.now()) || !chain.BlockTime.Equal(d.clock.now()) {
		t.Errorf("chain %+v", chain)
	}
}

// Whoever reads the height from /chain can query at it.
func TestChainShowsTheHeightOfQueries(t *testing.T) {
	d := newDoor(t)
	d.node.change(func() { d.node.newest = 8 })
	var chain struct{ Height int64 }
	d.want(d.do("", http.MethodGet, "/chain", nil, nil), http.StatusOK).json(t, &chain)
	if chain.Height != 7 {
		t.Errorf("height %d, want 7: block 8 is not carried out yet", chain.Height)
	}
}

// serverKey is the SPKI of the certificate that the gateway shows.
func (d *door) serverKey() []byte {
	d.t.Helper()
	conn, err := tls.Dial("tcp", d.gateway.Addr(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the test reads the certificate
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo
}

func TestReadiness(t *testing.T) {
	var own error
	d := newDoor(t, func(c *gateway.Config) {
		c.Ready = append(c.Ready, func(context.Context) error { return own })
	})
	check := func(status int, reason string) {
		t.Helper()
		d.clock.move(20 * time.Second) // behind what is remembered
		var state struct {
			Ready   bool
			Reasons []string
			Height  int64
		}
		r := d.do("", http.MethodGet, "/readyz", nil, nil)
		r.json(t, &state)
		if r.StatusCode != status || state.Ready != (reason == "") || !strings.Contains(strings.Join(state.Reasons, "|"), reason) {
			t.Errorf("status %d, %+v, want %d because of %q", r.StatusCode, state, status, reason)
		}
	}
	check(http.StatusOK, "")
	d.node.change(func() { d.node.notReady = errors.New("catching up at height 7") })
	check(http.StatusServiceUnavailable, "catching up at height 7")
	d.node.change(func() { d.node.notReady = nil })
	own = errors.New("the index is at 5 of 9")
	check(http.StatusServiceUnavailable, "the index is at 5 of 9")
	own = nil
	d.node.change(func() { d.node.principals[d.node.account].Active = false })
	check(http.StatusServiceUnavailable, "may not take part")
	// A suspended hospital lets nobody in, since it could not report reads.
	d.want(d.login(d.people["er"].key, d.challenge(d.people["er"].address())), http.StatusServiceUnavailable)
	d.node.change(func() { d.node.principals[d.node.account].Active = true })
	d.node.change(func() { d.node.down = true })
	check(http.StatusServiceUnavailable, "does not answer")
}

func TestBeforeTheHospitalIsAMember(t *testing.T) {
	d := prepareDoor(t)
	own := d.node.principals[d.node.account]
	delete(d.node.principals, d.node.account)
	d.start()
	d.want(d.do("", http.MethodGet, "/healthz", nil, nil), http.StatusOK)
	d.want(d.do("", http.MethodGet, "/chain", nil, nil), http.StatusServiceUnavailable)
	r := d.want(d.postJSON("/login/challenge", headers{"address": d.people["er"].address()}), http.StatusServiceUnavailable)
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	d.node.change(func() { d.node.principals[d.node.account] = own })
	d.clock.move(time.Second)
	d.challenge(d.people["er"].address())
}

func TestOpeningAnAccount(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) { c.Limits.WriteTime = time.Second })
	public, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	address := d.people["stranger"].address()
	raw, err := wallet.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	digest := lock.H("phrd/v1/open-account", d.node.networkID, public, raw)
	right := headers{
		"invitation": hex.EncodeToString(public), "address": address,
		"signature": base64.StdEncoding.EncodeToString(ed25519.Sign(secret, digest[:])),
	}
	// A key that nobody made an invitation of is not even sent to the chain.
	d.want(d.postJSON("/accounts", right), http.StatusForbidden)
	d.node.change(func() {
		d.node.invitations[hex.EncodeToString(public)] = &consortiumv1.Invitation{Key: public, Hospital: 2}
	})

	otherAddress := with(right, "address", d.people["er"].address())
	d.want(d.postJSON("/accounts", otherAddress), http.StatusForbidden)
	otherNetwork := lock.H("phrd/v1/open-account", make([]byte, 32), public, raw)
	d.want(d.postJSON("/accounts", with(right, "signature", base64.StdEncoding.EncodeToString(ed25519.Sign(secret, otherNetwork[:])))), http.StatusForbidden)
	for name, value := range map[string]string{"invitation": "ab", "address": "phrd1", "signature": "AAAA"} {
		d.want(d.postJSON("/accounts", with(right, name, value)), http.StatusBadRequest)
	}
	d.want(d.postJSON("/accounts", with(right, "invitation", strings.ToUpper(right["invitation"]))), http.StatusBadRequest)
	if len(d.node.opened) != 0 {
		t.Fatalf("the chain got %v", d.node.opened)
	}

	var body struct {
		Outcome, Reason, Hash string
		Height                int64
	}
	d.want(d.postJSON("/accounts", right), http.StatusOK).json(t, &body)
	if body.Outcome != "OUTCOME_OK" || body.Height != 12 || body.Hash != "ABCD" || body.Reason != "" {
		t.Errorf("opening %+v", body)
	}
	d.node.change(func() { d.node.stuck = true })
	d.want(d.postJSON("/accounts", right), http.StatusServiceUnavailable)
	if m := d.node.opened[0]; m.GetNode() != d.node.account || m.GetAddress() != address || string(m.GetInvitation()) != string(public) {
		t.Errorf("message %v", m)
	}
	limited := newDoor(t, func(c *gateway.Config) { c.Limits.Openings = gateway.Rate{Burst: 1, Count: 1, Per: time.Hour} })
	limited.want(limited.postJSON("/accounts", right), http.StatusForbidden)
	limited.want(limited.postJSON("/accounts", right), http.StatusTooManyRequests)
}

func TestCORS(t *testing.T) {
	d := newDoor(t)
	ask := func(origin string) http.Header {
		preflight := d.want(d.do("", http.MethodOptions, "/uploads", headers{"Origin": origin, "Access-Control-Request-Method": "PATCH"}, nil), http.StatusNoContent)
		plain := d.want(d.do("", http.MethodGet, "/chain", headers{"Origin": origin}, nil), http.StatusOK)
		for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"} {
			if preflight.Header.Get(name) != plain.Header.Get(name) {
				t.Errorf("%s is %q and %q", name, preflight.Header.Get(name), plain.Header.Get(name))
			}
		}
		if !strings.Contains(plain.Header.Get("Vary"), "Origin") {
			t.Error("the answer does not vary by origin")
		}
		return preflight.Header
	}
	const page = "https://page.clinic.example"
	h := ask(page)
	if h.Get("Access-Control-Allow-Origin") != page || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "PATCH") ||
		!strings.Contains(h.Get("Access-Control-Allow-Headers"), "Upload-Offset") || h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("allowed origin: %v", h)
	}
	for _, origin := range []string{
		"https://evil.example", "http://page.clinic.example", "https://page.clinic.example.evil.example", "https://page.clinic.example:444", "null", "*",
	} {
		if h := ask(origin); h.Get("Access-Control-Allow-Origin") != "" || h.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("%s: %v", origin, h)
		}
	}
	// An error can be read by the page too.
	r := d.want(d.do("", http.MethodGet, "/records/x/versions/1/content", headers{"Origin": page}, nil), http.StatusUnauthorized)
	if r.Header.Get("Access-Control-Allow-Origin") != page {
		t.Error("the page can't read the error")
	}
}

func TestHostileRequests(t *testing.T) {
	d := newDoor(t)
	d.want(d.do("er", http.MethodGet, "/phrd/audit/v1/entries?"+strings.Repeat("x=1&", 3000), nil, nil), http.StatusRequestURITooLong)
	d.want(d.do("er", http.MethodGet, "/phrd/audit/v1/entries?"+strings.Repeat("x&", 100), nil, nil), http.StatusBadRequest)
	d.want(d.do("er", http.MethodGet, "/phrd/audit/v1/head?a;b", nil, nil), http.StatusBadRequest)
	d.want(d.do("er", http.MethodGet, "/phrd/records/v1/records/%252e%252e", nil, nil), http.StatusNotFound)
	d.want(d.do("er", http.MethodGet, "/phrd/records/v1/records/"+d.record+"%2fversions%2f1", nil, nil), http.StatusNotFound)
	d.want(d.do("er", http.MethodGet, "/phrd/records/v1/records?patient=a&patient=b", nil, nil), http.StatusBadRequest)
	d.want(d.do("er", http.MethodGet, "/nothing", nil, nil), http.StatusNotFound)
	r := d.want(d.do("er", http.MethodDelete, "/chain", nil, nil), http.StatusMethodNotAllowed)
	if !strings.Contains(r.Header.Get("Allow"), "GET") {
		t.Errorf("Allow %q", r.Header.Get("Allow"))
	}
	if r := d.do("er", http.MethodGet, "//chain", nil, nil); r.StatusCode/100 != 3 || r.Header.Get("Location") != "/chain" {
		t.Errorf("an unclean path: %d %v", r.StatusCode, r.Header)
	}
	d.http1()
	d.want(d.do("", http.MethodGet, "/healthz", headers{"X-Long": strings.Repeat("x", 8<<10)}, nil), http.StatusOK)
	if r := d.do("", http.MethodGet, "/healthz", headers{"X-Long": strings.Repeat("x", 64<<10)}, nil); r.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("64 KiB of header: %d", r.StatusCode)
	}
	if r := d.do("", http.MethodGet, "/healthz?"+strings.Repeat("x=1&", 10000), nil, nil); r.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("10,000 parameters: %d", r.StatusCode)
	}
}

// raw sends bytes over TLS and returns the first line of the answer.
func (d *door) raw(text string) string {
	d.t.Helper()
	conn, err := tls.Dial("tcp", d.gateway.Addr(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}) //nolint:gosec // the bytes matter, not who gets them
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		d.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		d.t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(line)
}

func TestBadLengths(t *testing.T) {
	d := newDoor(t)
	for _, length := range []string{"-1", "abc", "99999999999999999999", "1, 2", "+5"} {
		text := "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " + length + "\r\n\r\n{}"
		if got := d.raw(text); !strings.HasPrefix(got, "HTTP/1.1 400") {
			t.Errorf("Content-Length %s: %s", length, got)
		}
	}
	both := "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	if got := d.raw(both); !strings.HasPrefix(got, "HTTP/1.1 400") && !strings.HasPrefix(got, "HTTP/1.1 501") {
		t.Errorf("two encodings: %s", got)
	}
	if got := d.raw("GET /healthz HTTP/1.1\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 400") {
		t.Errorf("no host: %s", got)
	}
	if got := d.raw("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); got != "HTTP/1.1 200 OK" {
		t.Errorf("a whole request: %s", got)
	}
}

func TestRequestsAreLimited(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) { c.Limits.Requests = gateway.Rate{Burst: 3, Count: 1, Per: time.Second} })
	for range 3 {
		d.want(d.do("", http.MethodGet, "/healthz", nil, nil), http.StatusOK)
	}
	d.want(d.do("", http.MethodGet, "/healthz", nil, nil), http.StatusTooManyRequests)
	d.want(d.do("", http.MethodGet, "/healthz", headers{"Authorization": "Bearer " + strings.Repeat("A", 43)}, nil), http.StatusTooManyRequests)
	d.clock.move(2 * time.Second)
	d.want(d.do("", http.MethodGet, "/healthz", headers{"Authorization": "Bearer " + strings.Repeat("A", 43)}, nil), http.StatusUnauthorized)
	d.want(d.do("", http.MethodGet, "/healthz", nil, nil), http.StatusOK)
}

func TestConnectionsAreLimited(t *testing.T) {
	for name, limit := range map[string]option{
		"of one address": func(c *gateway.Config) { c.Limits.ConnectionsPerAddress = 2 },
		"of all":         func(c *gateway.Config) { c.Limits.Connections = 2 },
	} {
		t.Run(name, func(t *testing.T) { twoConnections(t, newDoor(t, limit)) })
	}
}

// twoConnections checks that a door takes two connections and a third one when there is room again.
func twoConnections(t *testing.T, d *door) {
	t.Helper()
	var open []net.Conn
	dial := func() (*tls.Conn, error) {
		conn, err := net.Dial("tcp", d.gateway.Addr())
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, conn)
		secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the connection matters, not who it is with
		return secure, secure.HandshakeContext(t.Context())
	}
	for range 2 {
		if _, err := dial(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := dial(); err == nil {
		t.Error("a third connection was taken")
	}
	for _, conn := range open {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	for {
		if _, err := dial(); err == nil {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("no room again")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestCertificateReloads(t *testing.T) {
	d := newDoor(t)
	before := d.serverKey()
	folder := filepath.Dir(d.config.CertificateFile)
	key, err := os.ReadFile(d.config.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	writeCertificate(t, folder)
	newKey, err := os.ReadFile(d.config.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	// While the two files do not fit, the old certificate stays.
	if err := os.WriteFile(d.config.KeyFile, key, 0o600); err != nil {
		t.Fatal(err)
	}
	d.clock.move(time.Minute)
	if string(d.serverKey()) != string(before) {
		t.Error("a certificate without its key is shown")
	}
	if err := os.WriteFile(d.config.KeyFile, newKey, 0o600); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(d.config.KeyFile, later, later); err != nil {
		t.Fatal(err)
	}
	d.clock.move(time.Minute)
	if string(d.serverKey()) == string(before) {
		t.Error("the new certificate is not shown")
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	d := newDoor(t)
	conn, err := tls.Dial("tcp", d.gateway.Addr(), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}) //nolint:gosec // what must not work
	if err == nil {
		t.Errorf("version %x was taken", conn.ConnectionState().Version)
	}
	modern, err := tls.Dial("tcp", d.gateway.Addr(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // only the handshake is looked at
	if err != nil {
		t.Fatal(err)
	}
	defer modern.Close()
	if s := modern.ConnectionState(); s.Version != tls.VersionTLS13 || s.CurveID != tls.X25519MLKEM768 {
		t.Errorf("version %x with %s, want TLS 1.3 with the hybrid key exchange", s.Version, s.CurveID)
	}
}

// fakeComet answers as CometBFT's RPC and remembers the calls.
func fakeComet(t *testing.T) (url string, calls *[]string) {
	t.Helper()
	calls = &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		*calls = append(*calls, string(body))
		if _, err := io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{"ok":true}}`); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, calls
}

func TestRPC(t *testing.T) {
	url, calls := fakeComet(t)
	d := newDoor(t, func(c *gateway.Config) { c.RPC = url })
	post := func(body string) string {
		t.Helper()
		return string(d.want(d.do("", http.MethodPost, "/rpc", nil, []byte(body)), http.StatusOK).body)
	}
	for body, want := range map[string]string{
		`{"jsonrpc":"2.0","id":1,"method":"status","params":{}}`:                                            `{"jsonrpc":"2.0","id":1,"method":"status","params":{}}`,
		`{"jsonrpc":"2.0","id":"a","method":"commit","params":{"height":"5"}}`:                              `{"jsonrpc":"2.0","id":"a","method":"commit","params":{"height":"5"}}`,
		`{"id":2,"METHOD":"validators","params":{"page":"1","page":"2"}}`:                                   `{"jsonrpc":"2.0","id":2,"method":"validators","params":{"page":"2"}}`,
		`{"id":3,"method":"abci_query","params":{"path":"/cosmos.auth.v1beta1.Query/Account","data":"0a"}}`: `{"jsonrpc":"2.0","id":3,"method":"abci_query","params":{"data":"0a","path":"/cosmos.auth.v1beta1.Query/Account"}}`,
	} {
		*calls = nil
		if got := post(body); !strings.Contains(got, `"ok":true`) {
			t.Errorf("%s: %s", body, got)
		}
		if len(*calls) != 1 || (*calls)[0] != want {
			t.Errorf("%s reached the node as %q, want %s", body, *calls, want)
		}
	}
	*calls = nil
	for _, body := range []string{
		`{"id":1,"method":"dump_consensus_state","params":{}}`,
		`{"id":1,"method":"status","method":"unsafe_flush_mempool","params":{}}`,
		`{"id":1,"method":"tx_search","params":{"query":"tx.height>0"}}`,
		`{"id":1,"method":"block","params":{"height":"1"}}`,
		`{"id":1,"method":"subscribe","params":{"query":"tm.event='Tx'"}}`,
		`{"id":1,"method":"abci_query","params":{"path":"/store/records/key","data":"00"}}`,
		`{"id":1,"method":"abci_query","params":{"path":"/phrd.records.v1.Query/Patient","data":"00"}}`,
		`{"id":1,"method":"abci_query","params":{"path":["/store/records/key"]}}`,
		`{"id":1,"method":"abci_query","params":["/store/records/key","00"]}`,
		`{"id":1,"method":"status","params":{"x":"y"}}`,
		`{"id":{"a":1},"method":"status","params":{}}`,
		`[{"id":1,"method":"status","params":{}}]`,
		`{"id":1,"method":"status","params":{}}{}`,
		`{"id":1,"method":"status","params":{},"more":1}`,
		`nonsense`, ``,
	} {
		if got := post(body); !strings.Contains(got, `"error"`) || !json.Valid([]byte(got)) {
			t.Errorf("%s: %s", body, got)
		}
	}
	if len(*calls) != 0 {
		t.Errorf("the node got %q", *calls)
	}
	d.want(d.do("", http.MethodPost, "/rpc", nil, make([]byte, 200<<10)), http.StatusRequestEntityTooLarge)

	d.want(d.do("", http.MethodGet, "/rpc/tx?hash=0x"+strings.Repeat("ab", 32)+"&prove=true", nil, nil), http.StatusOK)
	hash := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\xab", 32)))
	if want := fmt.Sprintf(`{"jsonrpc":"2.0","id":-1,"method":"tx","params":{"hash":%q,"prove":true}}`, hash); len(*calls) != 1 || (*calls)[0] != want {
		t.Errorf("the node got %q, want %s", *calls, want)
	}
	d.want(d.do("", http.MethodGet, "/rpc/header?height=5", nil, nil), http.StatusOK)
	d.want(d.do("", http.MethodGet, "/rpc/header?height=five", nil, nil), http.StatusBadRequest)
	d.want(d.do("", http.MethodGet, "/rpc/header?height=5&height=6", nil, nil), http.StatusBadRequest)
	d.want(d.do("", http.MethodGet, "/rpc/genesis", nil, nil), http.StatusNotFound)
	d.want(d.do("", http.MethodGet, "/rpc/..%2funsafe", nil, nil), http.StatusNotFound)
}

func TestRPCSocket(t *testing.T) {
	url, calls := fakeComet(t)
	d := newDoor(t, func(c *gateway.Config) { c.RPC = url })
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the certificate is not what is tested
	address := "wss://" + d.gateway.Addr() + "/rpc/websocket"
	dial := func(origin string) (*websocket.Conn, int, error) {
		conn, response, err := dialer.DialContext(t.Context(), address, http.Header{"Origin": {origin}})
		if response == nil {
			return conn, 0, err
		}
		return conn, response.StatusCode, errors.Join(err, response.Body.Close())
	}
	if _, status, err := dial("https://evil.example"); err == nil || status != http.StatusForbidden {
		t.Errorf("another origin: %d, %v", status, err)
	}
	conn, _, err := dial("https://page.clinic.example")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ask := func(body string) string {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(body)); err != nil {
			t.Fatal(err)
		}
		_, answer, err := conn.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		return string(answer)
	}
	if got := ask(`{"id":1,"method":"status","params":{}}`); !strings.Contains(got, `"ok":true`) {
		t.Error(got)
	}
	if got := ask(`{"id":1,"method":"subscribe","params":{"query":"tm.event='Tx'"}}`); !strings.Contains(got, `"error"`) || len(*calls) != 1 {
		t.Errorf("%s, the node got %q", got, *calls)
	}
	// The gateway may close the connection before the last byte of it is written.
	if err := conn.WriteMessage(websocket.TextMessage, make([]byte, 200<<10)); err == nil {
		if _, _, err := conn.ReadMessage(); err == nil {
			t.Error("200 KiB were taken")
		}
	}
	if len(*calls) != 1 {
		t.Errorf("the node got %q", *calls)
	}
}

// Nothing of a gateway is left when it has stopped.
func TestStopLeavesNothing(t *testing.T) {
	d := prepareDoor(t)
	before := 0
	for range 3 {
		for _, p := range d.people {
			p.token = ""
		}
		d.start()
		d.want(d.do("alice", http.MethodGet, d.contentPath(), nil, nil), http.StatusOK)
		d.stop()
		if before == 0 {
			before = runtime.NumGoroutine() // with the connection to the node
		}
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before+2; {
		if time.Now().After(end) {
			buffer := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buffer[:runtime.Stack(buffer, true)])
		}
		time.Sleep(5 * time.Millisecond)
	}
	if got := len(d.node.taken()); got != 3 {
		t.Errorf("%d reads were reported, want all 3 before the stop", got)
	}
}
