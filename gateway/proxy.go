package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// forwardedHeader is where a proxy writes whom it asks for.
const forwardedHeader = "X-Forwarded-For"

// ParseProxies reads addresses and networks of proxies, such as 127.0.0.1 and 10.1.0.0/16.
func ParseProxies(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		if addr, err := netip.ParseAddr(text); err == nil {
			all = append(all, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is no address and no network", text)
		}
		if prefix.Bits() == 0 {
			return nil, fmt.Errorf("%q is everybody", text)
		}
		all = append(all, prefix.Masked())
	}
	return all, nil
}

// CheckPlain refuses an address to serve plain HTTP on that others than this machine reach.
func CheckPlain(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return err
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return fmt.Errorf("%s: plain HTTP is served on a loopback address only", listen)
	}
	return nil
}

// errNoProxy says that plain HTTP is to be served to nobody who is known.
var errNoProxy = errors.New("plain HTTP is for a proxy on this machine, and no proxy is trusted")

// isProxy tells whether an address is that of a trusted proxy.
func (c Config) isProxy(addr netip.Addr) bool {
	for _, p := range c.Proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// from is the key of the address that a request comes from, by which callers without a login
// are told apart. A trusted proxy says in a header for whom it asks, and what comes before in
// that header anybody may have written. Nobody else is believed.
func (g *Gateway) from(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return addressKey(r.RemoteAddr)
	}
	client := at.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values(forwardedHeader), ","), ",")
	for i := len(hops) - 1; i >= 0 && g.config.isProxy(client); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		client = hop.Unmap()
	}
	return clientKey(client)
}
