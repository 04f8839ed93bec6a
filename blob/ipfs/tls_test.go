package ipfs_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"github.com/phrd/phrd/blob/memory"
)

// tap is a TCP relay that keeps what passes.
type tap struct {
	listener net.Listener
	group    sync.WaitGroup

	mu       sync.Mutex
	toServer bytes.Buffer
	toClient bytes.Buffer
}

// newTap starts a relay to a multiaddr.
func newTap(t *testing.T, to multiaddr.Multiaddr) *tap {
	t.Helper()
	port, err := to.ValueForProtocol(multiaddr.P_TCP)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &tap{listener: listener}
	r.group.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
			if err != nil {
				t.Error(errors.Join(err, client.Close()))
				return
			}
			r.group.Go(func() { r.relay(server, client, &r.toServer) })
			r.group.Go(func() { r.relay(client, server, &r.toClient) })
		}
	})
	return r
}

// relay copies until one side ends; then the other side ends too.
func (r *tap) relay(to, from net.Conn, seen *bytes.Buffer) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		r.mu.Lock()
		seen.Write(b[:n])
		r.mu.Unlock()
		if _, werr := to.Write(b[:n]); werr != nil || err != nil {
			return
		}
	}
}

func (r *tap) address(t *testing.T) multiaddr.Multiaddr {
	t.Helper()
	_, port, err := net.SplitHostPort(r.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	address, err := multiaddr.NewMultiaddr("/ip4/127.0.0.1/tcp/" + port)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// serverHello is what a server chose, RFC 8446, section 4.1.3.
type serverHello struct {
	version uint16
	group   tls.CurveID
}

// findServerHello reads the first TLS record that a server sent, behind the negotiation of
// the secure channel.
func findServerHello(t *testing.T, stream []byte) serverHello {
	t.Helper()
	// A handshake record with a ServerHello: type 22, version 3.3, length, type 2.
	at := bytes.Index(stream, []byte{22, 3, 3})
	if at < 0 || len(stream) < at+9 || stream[at+5] != 2 {
		t.Fatalf("no ServerHello in %x", stream[:min(len(stream), 200)])
	}
	length := int(binary.BigEndian.Uint16(stream[at+3:]))
	body := bytes.NewReader(stream[at+9 : at+5+length])
	read := func(n int) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(body, b); err != nil {
			t.Fatalf("ServerHello: %v", err)
		}
		return b
	}
	read(2 + 32)          // legacy version, random
	read(int(read(1)[0])) // session id
	read(2 + 1 + 2)       // cipher suite, compression, length of the extensions
	var hello serverHello
	for body.Len() > 0 {
		kind := binary.BigEndian.Uint16(read(2))
		value := read(int(binary.BigEndian.Uint16(read(2))))
		switch kind {
		case 43: // supported_versions
			hello.version = binary.BigEndian.Uint16(value)
		case 51: // key_share
			hello.group = tls.CurveID(binary.BigEndian.Uint16(value))
		}
	}
	return hello
}

func TestConnectionsUseTheHybridKeyExchange(t *testing.T) {
	o, far := object(t, 1, 3<<20)
	near := memory.New()
	farNode, nearNode := start(t, 1, far, 2), start(t, 2, near, 1)
	relay := newTap(t, farNode.Addrs()[0])
	info := peer.AddrInfo{ID: farNode.PeerID(), Addrs: []multiaddr.Multiaddr{relay.address(t)}}
	if err := nearNode.Fetch(t.Context(), o.Root, []peer.AddrInfo{info}, o.Bytes); err != nil {
		t.Fatal(err)
	}
	nearNode.SetAllowed(nil)
	if err := relay.listener.Close(); err != nil {
		t.Fatal(err)
	}
	relay.group.Wait()
	sent := relay.toClient.Bytes()
	if uint64(len(sent)) < o.Bytes {
		t.Fatalf("%d bytes passed the relay, the object has %d", len(sent), o.Bytes)
	}
	hello := findServerHello(t, sent)
	if hello.version != tls.VersionTLS13 || hello.group != tls.X25519MLKEM768 {
		t.Errorf("negotiated %s with %s, want TLS 1.3 with %s", tls.VersionName(hello.version), hello.group, tls.X25519MLKEM768)
	}
	// Who listens sees no block and no name of one.
	for _, c := range o.CIDs {
		digest := c.Digest()
		for _, seen := range [][]byte{sent, relay.toServer.Bytes()} {
			if bytes.Contains(seen, digest[:]) || bytes.Contains(seen, o.Blocks[c][:64]) {
				t.Errorf("block %s passed in clear", c)
			}
		}
	}
}
