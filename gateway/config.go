package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"time"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/cache"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
)

// Config says what a gateway is made of.
type Config struct {
	// Listen is the host:port to listen on; port 0 takes any, see [Gateway.Addr].
	Listen string
	// PlainListen is the host:port, on loopback, on which a proxy on this machine is served over
	// HTTP without TLS; empty serves nobody so.
	PlainListen string
	// Proxies are the trusted ones: what they say of the address of a client counts for limits.
	Proxies []netip.Prefix
	// Host is the host:port that people sign when they log in. Empty takes it from the
	// gateway URL that stands on the chain for this hospital.
	Host string
	// CertificateFile and KeyFile hold the TLS certificate and its key as PEM. A changed
	// file is taken over without a restart.
	CertificateFile, KeyFile string
	// Folder holds the gateway's own state: the journal of reads and the uploads under way.
	Folder string
	// GenesisFile is what /genesis serves.
	GenesisFile string
	// RPC is the URL of the node's own CometBFT RPC; empty serves no /rpc.
	RPC string
	// Origins are the web origins that may call from a browser, such as
	// https://phrd.example.org. Others get no CORS header.
	Origins []string
	// WebhookHosts are the host:port that applications of the hospital may be told at; none allows no webhook.
	WebhookHosts []string
	// WebhookRoots are the authorities whose certificates these hosts have; the system's if nil.
	WebhookRoots *x509.CertPool
	// Pages are what browsers load from /, with index.html at the root; nil serves none.
	Pages fs.FS
	// Version of the program, for /chain.
	Version string
	// Chain is the chain as the hospital's node account sees it.
	Chain node.Chain
	// Entries reads from the newest committed state so many entries of the log as follow a sequence; nil has Chain asked for each.
	Entries func(ctx context.Context, after, count uint64) ([]*auditv1.Entry, error)
	// Store holds the hospital's blocks. The gateway does not close it.
	Store blob.Store
	// Fetcher gets blocks from other hospitals; nil serves only what the store holds.
	Fetcher Fetcher
	// Reacher calls the servers of members; nil serves no /reach.
	Reacher Reacher
	// Cache keeps what the Fetcher got of versions; nil keeps nothing.
	Cache *cache.Cache
	// Brought is told of each object that an administrator brought into the store; nil tells nobody.
	Brought func(object lock.CID)
	// OpenMember reads a member.json and checks every signature in it; nil takes none in.
	OpenMember func(text []byte) (Candidate, error)
	// Ready are further things that /readyz asks; each returns why the hospital's server is
	// not ready.
	Ready []func(ctx context.Context) error
	// Capsules opens what patients consented that clinicians of this hospital may open; without it, consents to wards and hospitals open nothing here.
	Capsules Capsules
	// Peppers keeps peppers of patients' wallet slots; nil keeps none.
	Peppers Peppers
	// Log is told what goes wrong; slog.Default() if nil.
	Log *slog.Logger
	// Limits bound what callers may ask; zero fields take their defaults.
	Limits Limits
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// A Fetcher gets blocks that this hospital does not hold.
type Fetcher interface {
	// Block returns a block of at most maxSize bytes from another hospital. Any error says
	// that nobody within reach had it. It may be called at the same time from many
	// goroutines. The gateway hashes what it gets.
	Block(ctx context.Context, c lock.CID, maxSize int) ([]byte, error)
	// Blocks gets blocks from other hospitals and hands over each, hashed, as it comes; the
	// bytes are valid during the call only. The first ones are wanted first. An error of take
	// ends it; any other says that not all came. It may be called as Block may.
	Blocks(ctx context.Context, cids []lock.CID, take func(c lock.CID, block []byte) error) error
}

// Limits bound what callers may ask of a gateway. A field that is 0 takes its default.
type Limits struct {
	// HeaderBytes is the size of a request's header; 16 KiB.
	HeaderBytes int
	// QueryTime is how long one query of the chain may take; 10 s.
	QueryTime time.Duration
	// FetchTime is how long a block may take to come from another hospital; 30 s.
	FetchTime time.Duration
	// WriteTime is how long opening an account waits for its block; 1 min.
	WriteTime time.Duration
	// Stall is how long a body may pause in either direction; 30 s.
	Stall time.Duration

	// Connections at the same time, 4096, and of one address, 256.
	Connections, ConnectionsPerAddress int
	// Requests without a login from one address, 100 a second.
	Requests Rate
	// Logins from one address, 300 a minute: challenges and logins each count.
	Logins Rate
	// Openings of accounts from one address, 20 an hour.
	Openings Rate
	// Reaches of one hospital's own servers, 30 an hour.
	Reaches Rate
	// HandIns of a member.json from one address, 10 an hour.
	HandIns Rate
	// Candidates are kept at most that ask to be admitted; 64.
	Candidates int
	// AccountRequests of one account, 200 a second.
	AccountRequests Rate
	// AccountRefusals of one account: reads that were refused and reported, 30 a minute.
	AccountRefusals Rate
	// AccountBlocks of one account: bytes put with PUT /blocks, 16 MiB an hour.
	AccountBlocks Rate
	// AccountPeppers of one account: requests about a pepper, 60 an hour.
	AccountPeppers Rate
	// PepperFailures are after how many failures to collect a pepper nobody collects it for a while; 5.
	PepperFailures int
	// Transfers of one account at the same time, 16, and of all, 256: uploads and downloads.
	Transfers, AllTransfers int

	// Followers of notices of one account at the same time, 8, and of all, 1024.
	Followers, AllFollowers int
	// Heartbeat is how long a stream of notices stays silent at most; 15 s.
	Heartbeat time.Duration
	// WebhookRetry is the first pause after a webhook did not take a notice; each further one is twice as long, up to 5 min; 5 s.
	WebhookRetry time.Duration

	// Challenge is how long a login may take from the challenge to its signature; 2 min.
	Challenge time.Duration
	// PepperLock is how long nobody collects a pepper after too many failures, unless staff admit it; 24 h.
	PepperLock time.Duration
	// PepperAdmission is how long staff admit a collection for; 15 min.
	PepperAdmission time.Duration
	// SessionIdle ends a session that was not used; 15 min.
	SessionIdle time.Duration
	// SessionAge ends every session; 12 h.
	SessionAge time.Duration
	// Sessions of one account at the same time; 16. A further login ends the oldest.
	Sessions int

	// UploadBytes is the size of one upload; 64 GiB.
	UploadBytes uint64
	// CommitBytes of an upload are stored between two acknowledgements, which is what a cut
	// makes the client send again; 64 MiB.
	CommitBytes uint64
	// Uploads of one account that are not complete; 8.
	Uploads int
	// UploadIdle forgets an upload that nobody touched; 24 h.
	UploadIdle time.Duration

	// ExportBytes of an export of the log of which a report is made, some 200,000 entries; 128 MiB.
	ExportBytes int64

	// Ranges of one request for content; 16.
	Ranges int
	// ReportQuiet is how long nothing must be read before a read counts as ended; 1 s.
	ReportQuiet time.Duration
	// SessionReports is how long one report takes up what happens again in sessions; 30 s.
	SessionReports time.Duration
	// ReportAge is how long one report takes up further reading; 30 s.
	ReportAge time.Duration
}

// A Rate is a token bucket: so many at once, and so many in a period.
type Rate struct {
	Burst int
	Count int
	Per   time.Duration
}

func defaults() Limits {
	return Limits{
		HeaderBytes: 16 << 10,
		QueryTime:   10 * time.Second,
		FetchTime:   30 * time.Second,
		WriteTime:   time.Minute,
		Stall:       30 * time.Second,

		Connections:           4096,
		ConnectionsPerAddress: 256,
		Requests:              Rate{Burst: 500, Count: 100, Per: time.Second},
		Logins:                Rate{Burst: 300, Count: 300, Per: time.Minute},
		Openings:              Rate{Burst: 20, Count: 20, Per: time.Hour},
		Reaches:               Rate{Burst: 10, Count: 30, Per: time.Hour},
		HandIns:               Rate{Burst: 10, Count: 10, Per: time.Hour},
		Candidates:            64,
		AccountRequests:       Rate{Burst: 1000, Count: 200, Per: time.Second},
		AccountRefusals:       Rate{Burst: 30, Count: 30, Per: time.Minute},
		AccountBlocks:         Rate{Burst: 4 << 20, Count: 16 << 20, Per: time.Hour},
		AccountPeppers:        Rate{Burst: 60, Count: 60, Per: time.Hour},
		PepperFailures:        5,
		Transfers:             16,
		AllTransfers:          256,
		Followers:             8,
		AllFollowers:          1024,
		Heartbeat:             15 * time.Second,
		WebhookRetry:          5 * time.Second,

		Challenge:       2 * time.Minute,
		PepperLock:      24 * time.Hour,
		PepperAdmission: 15 * time.Minute,

		SessionIdle: 15 * time.Minute,
		SessionAge:  12 * time.Hour,
		Sessions:    16,

		UploadBytes: 64 << 30,
		ExportBytes: 128 << 20,
		CommitBytes: 64 << 20,
		Uploads:     8,
		UploadIdle:  24 * time.Hour,

		Ranges:      16,
		ReportQuiet: time.Second,
		ReportAge:   30 * time.Second,

		SessionReports: 30 * time.Second,
	}
}

// Validate returns an error that names what is missing or out of bounds.
func (c Config) Validate() error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New(what))
		}
	}
	need(c.Chain != nil, "no chain")
	need(c.Store != nil, "no store")
	need(c.Folder != "", "no folder")
	need(c.GenesisFile != "", "no genesis file")
	need(c.CertificateFile != "" && c.KeyFile != "", "no certificate")
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		errs = append(errs, fmt.Errorf("listen: %w", err))
	}
	if c.PlainListen != "" {
		if err := CheckPlain(c.PlainListen); err != nil {
			errs = append(errs, err)
		}
		if len(c.Proxies) == 0 {
			errs = append(errs, errNoProxy)
		}
	}
	if c.Host != "" {
		need(lock.CheckASCII(c.Host) == nil && hostOf("https://"+c.Host) == c.Host, "host is not host:port")
	}
	if c.RPC != "" {
		u, err := url.Parse(c.RPC)
		need(err == nil && u.Scheme == "http" && u.Host != "" && u.Path == "", "RPC is not an http URL without a path")
	}
	for _, origin := range c.Origins {
		u, err := url.Parse(origin)
		need(err == nil && u.Host != "" && origin == u.Scheme+"://"+u.Host, fmt.Sprintf("origin %q is not scheme://host[:port]", origin))
	}
	for _, host := range c.WebhookHosts {
		if err := CheckWebhookHost(host); err != nil {
			errs = append(errs, err)
		}
	}
	if err := c.Limits.validate(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return fmt.Errorf("gateway: %w", errors.Join(errs...))
	}
	return nil
}

func (l Limits) validate() error {
	for _, r := range []Rate{l.Requests, l.Logins, l.Openings, l.Reaches, l.HandIns, l.AccountRequests, l.AccountRefusals, l.AccountBlocks, l.AccountPeppers} {
		if r != (Rate{}) && (r.Burst < 1 || r.Count < 1 || r.Per < 1) {
			return fmt.Errorf("rate of %d at once and %d in %s: every part must be above 0", r.Burst, r.Count, r.Per)
		}
	}
	for _, n := range []int{
		l.HeaderBytes, l.Connections, l.ConnectionsPerAddress, l.Transfers, l.AllTransfers, l.Sessions, l.Uploads, l.Ranges, l.Candidates, l.Followers, l.AllFollowers, l.PepperFailures,
	} {
		if n < 0 {
			return fmt.Errorf("a limit is %d", n)
		}
	}
	for _, d := range []time.Duration{
		l.QueryTime, l.FetchTime, l.WriteTime, l.Stall, l.Challenge, l.SessionIdle, l.SessionAge, l.UploadIdle, l.ReportQuiet, l.ReportAge, l.Heartbeat, l.WebhookRetry, l.SessionReports, l.PepperLock, l.PepperAdmission,
	} {
		if d < 0 {
			return fmt.Errorf("a time limit is %s", d)
		}
	}
	return nil
}

// complete fills in what was left out.
func (c Config) complete() Config {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Entries == nil {
		c.Entries = entriesOf(c.Chain)
	}
	if c.Cache == nil {
		c.Cache = &cache.Cache{}
	}
	if c.Brought == nil {
		c.Brought = func(lock.CID) {}
	}
	d, l := defaults(), &c.Limits
	orInt := func(p *int, d int) {
		if *p == 0 {
			*p = d
		}
	}
	orTime := func(p *time.Duration, d time.Duration) {
		if *p == 0 {
			*p = d
		}
	}
	orRate := func(p *Rate, d Rate) {
		if *p == (Rate{}) {
			*p = d
		}
	}
	orInt(&l.HeaderBytes, d.HeaderBytes)
	orTime(&l.QueryTime, d.QueryTime)
	orTime(&l.FetchTime, d.FetchTime)
	orTime(&l.WriteTime, d.WriteTime)
	orTime(&l.Stall, d.Stall)
	orInt(&l.Connections, d.Connections)
	orInt(&l.ConnectionsPerAddress, d.ConnectionsPerAddress)
	orRate(&l.Requests, d.Requests)
	orRate(&l.Logins, d.Logins)
	orRate(&l.Openings, d.Openings)
	orRate(&l.Reaches, d.Reaches)
	orRate(&l.HandIns, d.HandIns)
	orInt(&l.Candidates, d.Candidates)
	orRate(&l.AccountRequests, d.AccountRequests)
	orRate(&l.AccountRefusals, d.AccountRefusals)
	orRate(&l.AccountBlocks, d.AccountBlocks)
	orRate(&l.AccountPeppers, d.AccountPeppers)
	orInt(&l.PepperFailures, d.PepperFailures)
	orInt(&l.Transfers, d.Transfers)
	orInt(&l.AllTransfers, d.AllTransfers)
	orInt(&l.Followers, d.Followers)
	orInt(&l.AllFollowers, d.AllFollowers)
	orTime(&l.Heartbeat, d.Heartbeat)
	orTime(&l.WebhookRetry, d.WebhookRetry)
	orTime(&l.Challenge, d.Challenge)
	orTime(&l.PepperLock, d.PepperLock)
	orTime(&l.PepperAdmission, d.PepperAdmission)
	orTime(&l.SessionIdle, d.SessionIdle)
	orTime(&l.SessionAge, d.SessionAge)
	orInt(&l.Sessions, d.Sessions)
	if l.UploadBytes == 0 {
		l.UploadBytes = d.UploadBytes
	}
	if l.ExportBytes == 0 {
		l.ExportBytes = d.ExportBytes
	}
	if l.CommitBytes == 0 {
		l.CommitBytes = d.CommitBytes
	}
	orInt(&l.Uploads, d.Uploads)
	orTime(&l.UploadIdle, d.UploadIdle)
	orInt(&l.Ranges, d.Ranges)
	orTime(&l.ReportQuiet, d.ReportQuiet)
	orTime(&l.ReportAge, d.ReportAge)
	orTime(&l.SessionReports, d.SessionReports)
	return c
}

// hostOf returns host:port of an https URL, with the port written out; empty for any other.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return ""
	}
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "443")
	}
	return u.Host
}
