package consortium_test

import (
	"encoding/hex"
	"strings"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/consortium"
)

func TestRoleTexts(t *testing.T) {
	words := map[consortium.Role]string{
		consortium.ROLE_ADMIN: "admin", consortium.ROLE_CLERK: "clerk", consortium.ROLE_CLINICIAN: "clinician",
		consortium.ROLE_OFFICER: "officer", consortium.ROLE_AUDITOR: "auditor", consortium.ROLE_PATIENT: "patient",
		consortium.ROLE_NODE: "node", consortium.ROLE_STORAGE: "storage",
	}
	require.Len(t, consortium.Role_name, len(words)+1)
	for role, word := range words {
		require.Equal(t, word, role.Text())
		parsed, err := consortium.ParseRole(word)
		require.NoError(t, err)
		require.Equal(t, role, parsed)
		require.Equal(t, role <= consortium.ROLE_AUDITOR, role.IsStaff())
	}
	for _, text := range []string{"", "Admin", "chain", "ROLE_ADMIN"} {
		_, err := consortium.ParseRole(text)
		require.ErrorIs(t, err, consortium.ErrInvalidRole)
	}
	require.Empty(t, consortium.ROLE_UNSPECIFIED.Text())
	require.Empty(t, consortium.Role(9).Text())
	require.False(t, consortium.ROLE_UNSPECIFIED.IsStaff())
}

func TestFormats(t *testing.T) {
	long := strings.Repeat("a", 130)
	for _, c := range []struct {
		name      string
		check     func(string) error
		err       error
		good, bad []string
	}{
		{
			"name", consortium.CheckName, consortium.ErrInvalidName,
			[]string{"A", "St. Mary-on-the-Hill 2", strings.Repeat("a", 40)},
			[]string{"", " A", "A ", "A  B", strings.Repeat("a", 41), "Ä", "a_b", "a\x00", "a\nb", "a\n", "<script>"},
		},
		{
			"zone", consortium.CheckZone, consortium.ErrInvalidZone,
			[]string{"UTC", "Europe/Vienna", "America/Argentina/Buenos_Aires", "America/Port-au-Prince", "Etc/GMT-1"},
			[]string{"", "europe", "../etc/passwd", "/UTC", "UTC/", "A/B/C/D", "Europe/Vienna\n", "Europe/" + strings.Repeat("a", 40), "UTC+1"},
		},
		{
			"host:port", consortium.CheckHostPort, consortium.ErrInvalidEndpoint,
			[]string{"localhost:1", "192.0.2.1:26656", "[2001:db8::1]:65535", "a-b.example.org:80"},
			[]string{
				"", "host", ":80", "host:", "host:0", "host:65536", "host:080", "host:+80", "256.0.0.1:80", "1.2.3:80", "2001:db8::1:80",
				"[2001:DB8::1]:80", "[::1%eth0]:80", "[::1:80", "Host:80", "-a:80", "a-:80", "a..b:80", "a_b:80", "user@host:80", "host:80/", long + ":80", "a b:80",
			},
		},
		{
			"multiaddr", consortium.CheckMultiaddr, consortium.ErrInvalidEndpoint,
			[]string{"/ip4/192.0.2.1/tcp/4001", "/ip6/2001:db8::1/tcp/4001", "/dns/node.example.org/tcp/1", "/dns4/a/tcp/1", "/dns6/a/tcp/1"},
			[]string{
				"", "/", "ip4/192.0.2.1/tcp/4001", "/ip4/192.0.2.1/tcp/4001/", "/ip4/192.0.2.1/udp/4001", "/ip4/192.0.2.1/tcp/0", "/ip4/::1/tcp/1",
				"/ip6/192.0.2.1/tcp/1", "/ip6/::ffff:1.2.3.4%a/tcp/1", "/dns/192.0.2.1/tcp/1", "/dns//tcp/1", "/unix/a/tcp/1", "/dns/" + long + "/tcp/1",
				"/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq",
			},
		},
		{
			"gateway", consortium.CheckGatewayURL, consortium.ErrInvalidEndpoint,
			[]string{"https://a.example.org", "https://a.example.org:8443", "https://192.0.2.1", "https://[2001:db8::1]:8443", "https://[2001:db8::1]"},
			[]string{
				"", "https://", "http://a", "HTTPS://a", "https://a/", "https://a/b", "https://a?b", "https://a#b", "https://u@a", "https://a:0", "https://a b",
				"javascript:alert(1)", "https://" + long, "https://a\\b",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, s := range c.good {
				require.NoError(t, c.check(s), "%q", s)
			}
			for _, s := range c.bad {
				require.ErrorIs(t, c.check(s), c.err, "%q", s)
			}
		})
	}
}

// The first key is one of the test vectors of the libp2p specification of peer ids;
// the ids are what go-libp2p and CometBFT make of the keys.
func TestPeerIDs(t *testing.T) {
	for _, c := range []struct{ key, peer, comet string }{
		{
			"1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e",
			"12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq", "9721e4d91af5f19ca75ecd49f5596d95d6964f0f",
		},
		{strings.Repeat("00", 32), "12D3KooW9pNAk8aiBuGVQtWRdbkLmo5qVL3e2h5UxbN2Nz9ttwiw", "66687aadf862bd776c8fc18b8e9f8e2008971485"},
		{strings.Repeat("ff", 32), "12D3KooWT3gYEvLJyx1FyyHqrmvdy1tMjpgxmu9aSeKMEuafQtyC", "af9613760f72635fbdb44a5a0a63c39f12af30f9"},
	} {
		key, err := hex.DecodeString(c.key)
		require.NoError(t, err)
		require.Equal(t, c.peer, consortium.PeerID(key))
		require.Equal(t, c.comet, consortium.CometID(key))
		require.Equal(t, c.comet, hex.EncodeToString(consortium.ConsensusAddress(key)))
		parsed, err := consortium.ParsePeerID(c.peer)
		require.NoError(t, err)
		require.Equal(t, key, parsed)
	}
	for _, text := range []string{
		"", "12D3KooW", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3p0",
		"12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq1", "112D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3p",
		"22D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq", strings.Repeat("z", 52), strings.Repeat("1", 52),
	} {
		_, err := consortium.ParsePeerID(text)
		require.ErrorIs(t, err, consortium.ErrInvalidKey, "%q", text)
	}
}

func FuzzParsePeerID(f *testing.F) {
	f.Add("12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq")
	f.Add(strings.Repeat("1", 52))
	f.Fuzz(func(t *testing.T, text string) {
		key, err := consortium.ParsePeerID(text)
		if err != nil {
			require.ErrorIs(t, err, consortium.ErrInvalidKey)
			return
		}
		require.Equal(t, text, consortium.PeerID(key))
	})
}

// pagesOf are hashes of so many bundles.
func pagesOf(n int) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		list[i] = append(make([]byte, 31), byte(i))
	}
	return list
}

func TestParams(t *testing.T) {
	require.NoError(t, consortium.DefaultParams().Validate())
	for role := consortium.ROLE_ADMIN; role <= consortium.ROLE_STORAGE; role++ {
		_, found := consortium.DefaultParams().Bucket(role.Text())
		require.True(t, found, role.Text())
	}
	_, found := consortium.DefaultParams().Bucket("chain")
	require.False(t, found)
	for _, c := range []struct {
		name   string
		change func(*consortium.Params)
		err    error
	}{
		{"shortest", func(p *consortium.Params) { p.VotingPeriod, p.InvitationLifetime = 60, 60 }, nil},
		{"longest", func(p *consortium.Params) { p.VotingPeriod, p.InvitationLifetime = 30*86400, 90*86400 }, nil},
		{"admins alone", func(p *consortium.Params) { p.Buckets = p.Buckets[:1] }, nil},
		{"largest bucket", func(p *consortium.Params) { p.Buckets[0].PerMinute, p.Buckets[0].Burst = 100_000, 100_000 }, nil},
		{"a short vote", func(p *consortium.Params) { p.VotingPeriod = 59 }, consortium.ErrInvalidParams},
		{"a vote for ever", func(p *consortium.Params) { p.VotingPeriod = 30*86400 + 1 }, consortium.ErrInvalidParams},
		{"a short invitation", func(p *consortium.Params) { p.InvitationLifetime = 59 }, consortium.ErrInvalidParams},
		{"an invitation for ever", func(p *consortium.Params) { p.InvitationLifetime = 90*86400 + 1 }, consortium.ErrInvalidParams},
		{"no admins", func(p *consortium.Params) { p.Buckets = p.Buckets[1:] }, consortium.ErrInvalidParams},
		{"no buckets", func(p *consortium.Params) { p.Buckets = nil }, consortium.ErrInvalidParams},
		{"a role twice", func(p *consortium.Params) { p.Buckets = append(p.Buckets, p.Buckets[3]) }, consortium.ErrInvalidParams},
		{"no such role", func(p *consortium.Params) { p.Buckets[2].Role = "chain" }, consortium.ErrInvalidParams},
		{"no refill", func(p *consortium.Params) { p.Buckets[0].PerMinute = 0 }, consortium.ErrInvalidParams},
		{"no burst", func(p *consortium.Params) { p.Buckets[0].Burst = 0 }, consortium.ErrInvalidParams},
		{"pages", func(p *consortium.Params) { p.Pages = pagesOf(8) }, nil},
		{"too many pages", func(p *consortium.Params) { p.Pages = pagesOf(9) }, consortium.ErrInvalidParams},
		{"pages twice", func(p *consortium.Params) { p.Pages = append(pagesOf(2), pagesOf(1)...) }, consortium.ErrInvalidParams},
		{"pages by no hash", func(p *consortium.Params) { p.Pages = [][]byte{make([]byte, 31)} }, consortium.ErrInvalidParams},
		{"a flood", func(p *consortium.Params) { p.Buckets[0].PerMinute = 100_001 }, consortium.ErrInvalidParams},
		{"a flood at once", func(p *consortium.Params) { p.Buckets[0].Burst = 100_001 }, consortium.ErrInvalidParams},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := consortium.DefaultParams()
			c.change(&p)
			require.ErrorIs(t, p.Validate(), c.err)
		})
	}
}

func TestBucket(t *testing.T) {
	b := consortium.Bucket{Role: "patient", PerMinute: 20, Burst: 40}
	for _, c := range []struct {
		name    string
		held    uint64
		seconds int64
		take    uint64
		left    uint64
		enough  bool
	}{
		{"one of a full bucket", b.Full(), 0, 1, 39 * 60, true},
		{"all of a full bucket", b.Full(), 0, 40, 0, true},
		{"more than a bucket holds", b.Full(), 1_000_000, 41, b.Full(), false},
		{"one of an empty bucket", 0, 0, 1, 0, false},
		{"two seconds are too few", 0, 2, 1, 40, false},
		{"three seconds give one", 0, 3, 1, 0, true},
		{"a minute gives twenty", 0, 60, 20, 0, true},
		{"a minute does not give more", 0, 60, 21, 1200, false},
		{"a year fills it up, no more", 0, 365 * 86400, 40, 0, true},
		{"the end of time", 0, 1<<63 - 1, 1, 39 * 60, true},
		{"time that goes back", 60, -5, 1, 0, true},
		{"held more than fits now", 1 << 40, 0, 40, 0, true},
		{"nothing", 30, 0, 0, 30, true},
		{"a number that wraps round", b.Full(), 0, 1 << 63, b.Full(), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			left, enough := b.Take(c.held, c.seconds, c.take)
			require.Equal(t, c.enough, enough)
			require.Equal(t, c.left, left)
		})
	}
}

func TestTally(t *testing.T) {
	for _, c := range []struct{ active, accepts, rejects uint64 }{
		{1, 1, 1}, {2, 2, 1}, {3, 3, 1}, {4, 3, 2}, {5, 4, 2}, {6, 5, 2}, {7, 5, 3}, {10, 7, 4}, {128, 86, 43},
	} {
		require.False(t, consortium.Tally{Active: c.active, Accept: c.accepts - 1}.Accepted(), "%d", c.active)
		require.True(t, consortium.Tally{Active: c.active, Accept: c.accepts}.Accepted(), "%d", c.active)
		require.False(t, consortium.Tally{Active: c.active, Reject: c.rejects - 1}.Rejected(), "%d", c.active)
		require.True(t, consortium.Tally{Active: c.active, Reject: c.rejects}.Rejected(), "%d", c.active)
	}
}

func TestParseAccount(t *testing.T) {
	address := sdk.AccAddress(make([]byte, 20)).String()
	account, err := consortium.ParseAccount(address)
	require.NoError(t, err)
	require.Equal(t, address, account.String())
	for _, text := range []string{
		"", "x", strings.ToUpper(address), consortium.Account().String(), sdk.AccAddress(make([]byte, 32)).String(),
		sdk.AccAddress(make([]byte, 255)).String(), sdk.ValAddress(make([]byte, 20)).String(), address + " ",
	} {
		_, err := consortium.ParseAccount(text)
		require.ErrorIs(t, err, consortium.ErrInvalidAddress, "%q", text)
	}
}

func TestInvitationDigest(t *testing.T) {
	network, key, address := lock.Network{1}, make([]byte, 32), sdk.AccAddress(make([]byte, 20))
	want := lock.H("phrd/v1/open-account", network[:], key, address)
	require.Equal(t, want[:], consortium.InvitationDigest(network, key, address))
}
