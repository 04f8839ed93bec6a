package consortium

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

const (
	maxName     = 40
	maxEndpoint = 128
	maxHost     = 100

	// MinCapacity is what a storage node offers at least: one leaf.
	MinCapacity = 1 << 20
	// MaxCapacity is what a storage node offers at most, so that sums of capacities fit.
	MaxCapacity = 1 << 50
)

var (
	namePattern = regexp.MustCompile(`^[A-Za-z0-9.-]+( [A-Za-z0-9.-]+)*$`)
	zonePattern = regexp.MustCompile(`^[A-Z][A-Za-z0-9_-]*(/[A-Z][A-Za-z0-9_-]*){0,2}$`)
	hostPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)
	digits      = regexp.MustCompile(`^[0-9.]+$`)
)

// CheckName answers ErrInvalidName unless a name of a hospital or a site is 1 to 40
// of [A-Za-z0-9 .-], in words with one space between them, so that two names that
// look alike are alike.
func CheckName(s string) error {
	if len(s) > maxName || !namePattern.MatchString(s) {
		return ErrInvalidName.Wrapf("%q: want 1 to %d of letters, digits, dots, dashes and single spaces", s, maxName)
	}
	return nil
}

// foldName is the form in which names are compared.
func foldName(s string) string { return strings.ToLower(s) }

// CheckZone answers ErrInvalidZone unless the text has the form of an IANA time
// zone's name. Whether there is such a zone differs from machine to machine, so the
// chain does not ask.
func CheckZone(s string) error {
	if len(s) > maxName || !zonePattern.MatchString(s) {
		return ErrInvalidZone.Wrapf("%q: want a name like Europe/Vienna", s)
	}
	return nil
}

// CheckCapacity answers ErrInvalidCapacity unless it is 1 MiB to 1 PiB.
func CheckCapacity(n uint64) error {
	if n < MinCapacity || n > MaxCapacity {
		return ErrInvalidCapacity.Wrapf("got %d bytes, want %d to %d", n, uint64(MinCapacity), uint64(MaxCapacity))
	}
	return nil
}

// CheckHostPort answers ErrInvalidEndpoint unless the text is host:port, with an IP
// address (IPv6 in brackets) or a lower-case DNS name.
func CheckHostPort(s string) error {
	i := strings.LastIndexByte(s, ':')
	if len(s) > maxEndpoint || i < 0 || !isHost(s[:i]) || !isPort(s[i+1:]) {
		return ErrInvalidEndpoint.Wrapf("%q: want host:port", s)
	}
	return nil
}

// CheckMultiaddr answers ErrInvalidEndpoint unless the text is a TCP multiaddr
// without a peer id: /ip4/…/tcp/…, /ip6/…/tcp/… or /dns/…/tcp/… (also dns4, dns6).
func CheckMultiaddr(s string) error {
	err := ErrInvalidEndpoint.Wrapf("%q: want a multiaddr like /ip4/192.0.2.1/tcp/4001", s)
	parts := strings.Split(s, "/")
	if len(s) > maxEndpoint || len(parts) != 5 || parts[0] != "" || parts[3] != "tcp" || !isPort(parts[4]) {
		return err
	}
	ok := false
	switch parts[1] {
	case "ip4":
		ip, failed := netip.ParseAddr(parts[2])
		ok = failed == nil && ip.Is4()
	case "ip6":
		ok = isIPv6(parts[2])
	case "dns", "dns4", "dns6":
		ok = isDomain(parts[2])
	}
	if !ok {
		return err
	}
	return nil
}

// CheckGatewayURL answers ErrInvalidEndpoint unless the text is https://host or
// https://host:port, without a path.
func CheckGatewayURL(s string) error {
	rest, https := strings.CutPrefix(s, "https://")
	if !https || len(s) > maxEndpoint || !isHost(rest) && CheckHostPort(rest) != nil {
		return ErrInvalidEndpoint.Wrapf("%q: want https://host or https://host:port", s)
	}
	return nil
}

// isHost takes an IPv4 address, an IPv6 address in brackets or a DNS name.
func isHost(s string) bool {
	if inner, bracket := strings.CutPrefix(s, "["); bracket {
		inner, closed := strings.CutSuffix(inner, "]")
		return closed && isIPv6(inner)
	}
	if digits.MatchString(s) {
		ip, err := netip.ParseAddr(s)
		return err == nil && ip.Is4()
	}
	return isDomain(s)
}

func isIPv6(s string) bool {
	ip, err := netip.ParseAddr(s)
	return err == nil && ip.Is6() && ip.Zone() == "" && ip.String() == s
}

func isDomain(s string) bool {
	return len(s) <= maxHost && hostPattern.MatchString(s) && !digits.MatchString(s)
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == s
}
