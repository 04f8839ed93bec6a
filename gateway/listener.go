package gateway

import (
	"net"
	"sync"
)

// limitedListener closes connections beyond what one address, or all together, may have.
type limitedListener struct {
	net.Listener
	slots *slots
}

// Accept implements net.Listener.
func (l limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := addressKey(conn.RemoteAddr().String())
		if l.slots.take(from) {
			return &limitedConn{Conn: conn, give: sync.OnceFunc(func() { l.slots.give(from) })}, nil
		}
		// Whatever Close says, the connection is of no more use.
		_ = conn.Close()
	}
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
