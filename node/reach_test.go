package node_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cometconn "github.com/cometbft/cometbft/p2p/conn"

	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/node"
	"github.com/phrd/phrd/phr"
)

// listenComet takes connections as CometBFT's node with a key does, as far as it shows the key.
func listenComet(t *testing.T, key ed25519.PrivKey) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = cometconn.MakeSecretConnection(conn, key) // a caller that hangs up is no fault
			}()
		}
	}()
	return l.Addr().String()
}

// newServer is a hospital whose three ports are open and stand on the chain with their keys.
func newServer(t *testing.T, l *ledger) (h *hospital, gateway *httptest.Server) {
	t.Helper()
	h = newHospital(t, l, memory.New())
	gateway = httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(gateway.Close)
	key := ed25519.GenPrivKey()
	fingerprint := sha256.Sum256(gateway.Certificate().RawSubjectPublicKeyInfo)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.nodes {
		if n.Number != h.number {
			continue
		}
		for _, m := range l.members {
			if m.Number == n.Member {
				m.NodeAccount, m.CometId, m.CometAddress = n.Account, hex.EncodeToString(key.PubKey().Address()), listenComet(t, key)
				m.GatewayUrl, m.GatewayFingerprint = gateway.URL, fingerprint[:]
			}
		}
	}
	return h, gateway
}

func (h *hospital) reached(local bool) []node.Reached {
	h.t.Helper()
	all, err := node.NewReacher(h.chain, local).Reach(h.t.Context(), h.number)
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

func TestReach(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	h, gateway := newServer(t, l)
	for _, r := range h.reached(true) {
		if !r.Answers || !r.Known || r.Address == "" {
			t.Errorf("%+v", r)
		}
	}
	// Nobody has this machine look at its own ports.
	for _, r := range h.reached(false) {
		if r.Answers || r.Known {
			t.Errorf("loopback was called: %+v", r)
		}
	}

	// Something else answers on every port.
	other := ed25519.GenPrivKey()
	l.mu.Lock()
	m, n := l.members[0], l.nodes[0]
	m.CometAddress, m.GatewayFingerprint = listenComet(t, other), make([]byte, 32)
	n.PeerId = peerIDOf(t, 99)
	l.mu.Unlock()
	for _, r := range h.reached(true) {
		if !r.Answers || r.Known {
			t.Errorf("another server: %+v", r)
		}
	}

	// Nothing answers.
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(closed.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	m.CometAddress, m.GatewayUrl, n.Address = closed.Addr().String(), "https://"+closed.Addr().String(), "/ip4/"+host+"/tcp/"+port
	l.mu.Unlock()
	for _, r := range h.reached(true) {
		if r.Answers || r.Known {
			t.Errorf("nothing there: %+v", r)
		}
	}
	gateway.Close()
}

// newGateway is a gateway whose clock is off.
func newGateway(t *testing.T, off time.Duration) *httptest.Server {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		at := time.Now().Add(off).UTC().Format(time.RFC3339Nano)
		if _, err := w.Write([]byte(`{"chain_id":"phrd-1","height":7,"version":"v1","time":"` + at + `"}`)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// The clock is compared with the median of the others, so that one that is wrong does not matter.
func TestClock(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	var gateways []*httptest.Server
	var own *hospital
	for _, off := range []time.Duration{0, -2 * time.Minute, -2*time.Minute - time.Second, 24 * time.Hour} {
		h, _ := newServer(t, l)
		gateway := newGateway(t, off)
		pin := sha256.Sum256(gateway.Certificate().RawSubjectPublicKeyInfo)
		l.mu.Lock()
		m := l.members[len(l.members)-1]
		m.GatewayUrl, m.GatewayFingerprint = gateway.URL, pin[:]
		l.mu.Unlock()
		gateways = append(gateways, gateway)
		if own == nil {
			own = h
		}
	}
	clock := node.NewClock(own.chain, slog.New(slog.DiscardHandler))
	if _, known := clock.Ahead(); known {
		t.Error("known before anybody was asked")
	}
	if err := clock.Compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ahead, known := clock.Ahead(); !known || (ahead-2*time.Minute).Abs() > 10*time.Second {
		t.Errorf("ahead by %s, %t, want two minutes", ahead, known)
	}
	for _, gateway := range gateways {
		gateway.Close()
	}
	if err := clock.Compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, known := clock.Ahead(); known {
		t.Error("known although nobody answers any more")
	}
}

func TestAskGateway(t *testing.T) {
	server := newGateway(t, -time.Minute)
	pin := sha256.Sum256(server.Certificate().RawSubjectPublicKeyInfo)
	told, err := node.AskGateway(t.Context(), server.URL, pin[:])
	if err != nil || told.ChainID != "phrd-1" || told.Height != 7 || told.Version != "v1" {
		t.Fatalf("%+v, %v", told, err)
	}
	if off := told.Ahead - time.Minute; off.Abs() > 10*time.Second {
		t.Errorf("ahead by %s, want a minute", told.Ahead)
	}
	if _, err := node.AskGateway(t.Context(), server.URL, make([]byte, 32)); !errors.Is(err, phr.ErrCertificate) {
		t.Errorf("another key: %v", err)
	}
}
