package gateway

import (
	"net"
	"net/netip"
	"sync"
)

// limitedListener closes connections beyond what one address, or all together, may have.
type limitedListener struct {
	net.Listener
	slots *slots
	// isProxy tells whose connections are those of many; nil where nobody's are.
	isProxy func(netip.Addr) bool
}

// Accept implements net.Listener.
func (l limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := l.key(conn.RemoteAddr().String())
		if l.slots.take(from) {
			return &limitedConn{Conn: conn, give: sync.OnceFunc(func() { l.slots.give(from) })}, nil
		}
		// Whatever Close says, the connection is of no more use.
		_ = conn.Close()
	}
}

// key is what connections are counted by: each of a proxy for itself.
func (l limitedListener) key(remote string) string {
	if at, err := netip.ParseAddrPort(remote); err == nil && l.isProxy != nil && l.isProxy(at.Addr().Unmap()) {
		return remote
	}
	return addressKey(remote)
}

type limitedConn struct {
	net.Conn
	give func()
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	c.give()
	return c.Conn.Close()
}
