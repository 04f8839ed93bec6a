package home

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	cometconfig "github.com/cometbft/cometbft/config"
	"github.com/cosmos/cosmos-sdk/client/flags"
	serverconfig "github.com/cosmos/cosmos-sdk/server/config"
	"github.com/spf13/viper"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/app/telemetry"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/gateway"
)

// Default ports. The first three listen for other hospitals and people, the others on loopback only.
const (
	PortComet   = 26656
	PortLibp2p  = 4001
	PortGateway = 8443
	PortRPC     = 26657
	PortGRPC    = 9090
	PortREST    = 1317
)

const (
	loopback = "127.0.0.1"
	// MaxTxBytes is the longest transaction that a node takes; blobs never ride in transactions.
	MaxTxBytes = 64 << 10
	// queryGasLimit bounds what one query may read: some 15 MB.
	queryGasLimit = 50_000_000
	// IAVLCacheSize is how many nodes of the trees of the state are kept in memory, for each of the ten modules with a state, where an operator
	// says nothing else. With the default of the SDK, 781,250, ten thousand objects took a server more than a gigabyte.
	IAVLCacheSize = 150_000
	// SnapshotInterval is how many blocks lie between two snapshots of the state where an operator says nothing else.
	SnapshotInterval = 1000
	// logLevel tells what the server does itself, and what goes wrong in the libraries it stands on.
	logLevel = "phrd:info,gateway:info,peers:info,replicate:info,collect:info,mirror:info,erase:info,heartbeat:info,prove:info,release:info,chain:info,*:error"
	// MaxBackupDays is how long backups may be kept.
	MaxBackupDays = 36_500
	// backupDays is how long backups are kept where an operator says nothing else.
	backupDays = 30
	// emptyBlocks is the time between two blocks that nobody asked for: they carry the clock on.
	emptyBlocks = 5 * time.Second
	// collectAfter is the default of Services.CollectAfter. The least is as long as an upload may rest, the most a year.
	collectAfter      = 48
	leastCollectAfter = 24
	mostCollectAfter  = 366 * 24
	// cacheShare is the part of the capacity that the cache takes where an operator says nothing else: a twentieth.
	cacheShare = 20
)

// Services is the section [phrd] of app.toml: what runs around the chain.
type Services struct {
	// GatewayListen is the host:port on which the gateway listens; empty on a further storage node, which has none.
	GatewayListen string `mapstructure:"gateway_listen"`
	// PlainListen is the host:port on loopback on which a proxy on this machine reaches the gateway without TLS; empty for none.
	PlainListen string `mapstructure:"gateway_plain_listen"`
	// TrustedProxies are the addresses and networks of proxies that say for whom they ask, such as "127.0.0.1".
	TrustedProxies []string `mapstructure:"trusted_proxies"`
	// Libp2pListen is the multiaddr on which the blob node listens.
	Libp2pListen string `mapstructure:"libp2p_listen"`
	// CORSOrigins are the origins of pages on other hosts that may call the gateway.
	CORSOrigins []string `mapstructure:"cors_origins"`
	// WebhookHosts are the host:port at which applications of the hospital may be told.
	WebhookHosts []string `mapstructure:"webhook_hosts"`
	// Capacity is how many bytes of blobs the server stores at most.
	Capacity uint64 `mapstructure:"capacity"`
	// RepairRate is how many bytes a second the server fetches, on average, of objects that other servers lost; 0 is no limit.
	RepairRate int64 `mapstructure:"repair_rate"`
	// SendRate and FetchRate are how many bytes of blobs a second the server sends to others and fetches from them at most; 0 is no
	// limit.
	SendRate  int `mapstructure:"send_rate"`
	FetchRate int `mapstructure:"fetch_rate"`
	// CacheSize is how much the server keeps at most of what it fetched to be read once, a size such as "20GiB"; empty is a share of
	// Capacity, "0" keeps nothing.
	CacheSize string `mapstructure:"cache_size"`
	// Mirror are the classes of records of which the server keeps every object, such as "imaging", or "all"; MirrorSize is how much
	// these take at most, a size such as "2TiB", which is then not promised to the network.
	Mirror     []string `mapstructure:"mirror"`
	MirrorSize string   `mapstructure:"mirror_size"`
	// CollectAfter is after how many hours without use a blob goes that nobody names; 0 keeps everything.
	CollectAfter int `mapstructure:"collect_after"`
	// OTLPEndpoint is the URL of the OpenTelemetry collector to which the server sends its metrics; empty for none.
	OTLPEndpoint string `mapstructure:"otlp_endpoint"`
	// BackupDays is for how many days backups of the blobs are kept, 0 for none; the server says so in each attestation of an erasure.
	BackupDays uint32 `mapstructure:"backup_days"`
}

// Validate returns an error where a setting is missing or not of its form.
func (s Services) Validate() error {
	if s.GatewayListen != "" {
		if _, _, err := net.SplitHostPort(s.GatewayListen); err != nil {
			return fmt.Errorf("[phrd] gateway_listen: %w", err)
		}
	}
	if _, err := gateway.ParseProxies(s.TrustedProxies); err != nil {
		return fmt.Errorf("[phrd] trusted_proxies: %w", err)
	}
	if s.PlainListen != "" {
		if err := gateway.CheckPlain(s.PlainListen); err != nil {
			return fmt.Errorf("[phrd] gateway_plain_listen: %w", err)
		}
		if len(s.TrustedProxies) == 0 {
			return errors.New("[phrd] gateway_plain_listen is for a proxy, and trusted_proxies names none")
		}
	}
	for _, host := range s.WebhookHosts {
		if err := gateway.CheckWebhookHost(host); err != nil {
			return fmt.Errorf("[phrd] webhook_hosts: %w", err)
		}
	}
	if s.OTLPEndpoint != "" {
		if err := telemetry.CheckEndpoint(s.OTLPEndpoint); err != nil {
			return fmt.Errorf("[phrd] otlp_endpoint: %w", err)
		}
	}
	if s.Libp2pListen == "" {
		return errors.New("[phrd] libp2p_listen is missing")
	}
	if s.Capacity == 0 {
		return errors.New("[phrd] capacity is missing")
	}
	if s.BackupDays > MaxBackupDays {
		return fmt.Errorf("[phrd] backup_days is %d, want at most %d", s.BackupDays, MaxBackupDays)
	}
	if s.RepairRate < 0 {
		return fmt.Errorf("[phrd] repair_rate is %d, want 0 or more", s.RepairRate)
	}
	if low := min(s.SendRate, s.FetchRate); low < 0 || s.SendRate > 0 && s.SendRate < ipfs.MinRate || s.FetchRate > 0 && s.FetchRate < ipfs.MinRate {
		return fmt.Errorf("[phrd] send_rate is %d and fetch_rate %d, want 0 or at least %d", s.SendRate, s.FetchRate, ipfs.MinRate)
	}
	if s.CollectAfter != 0 && (s.CollectAfter < leastCollectAfter || s.CollectAfter > mostCollectAfter) {
		return fmt.Errorf("[phrd] collect_after is %d, want %d to %d, or 0", s.CollectAfter, leastCollectAfter, mostCollectAfter)
	}
	if _, err := s.CacheBytes(); err != nil {
		return fmt.Errorf("[phrd] cache_size: %w", err)
	}
	if _, err := s.MirrorClasses(); err != nil {
		return fmt.Errorf("[phrd] mirror: %w", err)
	}
	if _, err := s.MirrorBytes(); err != nil {
		return fmt.Errorf("[phrd] mirror_size: %w", err)
	}
	return nil
}

// MirrorClasses are the classes that Mirror names, in order.
func (s Services) MirrorClasses() ([]recordsv1.Class, error) {
	known := map[string]recordsv1.Class{}
	for number, name := range recordsv1.Class_name {
		if class := recordsv1.Class(number); class != recordsv1.Class_CLASS_UNSPECIFIED {
			known[strings.ToLower(strings.TrimPrefix(name, "CLASS_"))] = class
		}
	}
	var classes []recordsv1.Class
	for _, text := range s.Mirror {
		class, ok := known[text]
		switch {
		case text == "all":
			classes = append(classes, slices.Collect(maps.Values(known))...)
		case !ok:
			return nil, fmt.Errorf("%q is no class: want %s, or all", text, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		default:
			classes = append(classes, class)
		}
	}
	slices.Sort(classes)
	return slices.Compact(classes), nil
}

// MirrorBytes is MirrorSize in bytes, 0 where nothing is mirrored.
func (s Services) MirrorBytes() (uint64, error) {
	if len(s.Mirror) == 0 {
		return 0, nil
	}
	size, err := ParseSize(s.MirrorSize)
	if err == nil && size == 0 {
		err = fmt.Errorf("is 0, which leaves no room for what is to be mirrored: %w", ErrSize)
	}
	return size, err
}

// CacheBytes is CacheSize in bytes.
func (s Services) CacheBytes() (uint64, error) {
	if s.CacheSize == "" {
		return s.Capacity / cacheShare, nil
	}
	return ParseSize(s.CacheSize)
}

const servicesTemplate = `
###############################################################################
###                          What runs around the chain                     ###
###############################################################################

[phrd]
{{ if .Phrd.GatewayListen }}
# Address on which the gateway listens, the only port for people and applications.
gateway_listen = "{{ .Phrd.GatewayListen }}"

# Origins of pages on other hosts that may call the gateway, such as ["https://portal.hospital.example"].
cors_origins = [{{ range .Phrd.CORSOrigins }}{{ printf "%q, " . }}{{ end }}]

# Hosts at which this server may tell applications of the hospital by webhooks, with the port, such as ["portal.hospital.example:443"].
# It tells nobody at another host, whatever an administrator registers.
webhook_hosts = [{{ range .Phrd.WebhookHosts }}{{ printf "%q, " . }}{{ end }}]

# Proxies whose X-Forwarded-For says who asks, such as ["127.0.0.1"]; it counts for limits only. gateway_plain_listen is an address on
# loopback on which a proxy on this machine is served without TLS, such as "127.0.0.1:8080".
trusted_proxies = [{{ range .Phrd.TrustedProxies }}{{ printf "%q, " . }}{{ end }}]
gateway_plain_listen = "{{ .Phrd.PlainListen }}"
{{ end }}
# Multiaddr on which the blob node listens for the blob nodes of other hospitals.
libp2p_listen = "{{ .Phrd.Libp2pListen }}"

# Bytes of blobs that this server stores at most.
capacity = {{ .Phrd.Capacity }}

# Bytes per second that this server fetches, on average, of what other servers lost; 0 is no limit. New files never wait.
repair_rate = {{ .Phrd.RepairRate }}

# Bytes of blobs per second that this server sends to other hospitals at most, and fetches from them; 0 is no limit, else at least 262144.
send_rate = {{ .Phrd.SendRate }}
fetch_rate = {{ .Phrd.FetchRate }}

# How much of what was fetched from other hospitals to be read here is kept, so that it is here when it is read again: a size such
# as "20GiB", "0" for nothing, "" for a twentieth of capacity. It lies in cache/, needs no backup, and gives way when the disk fills.
cache_size = "{{ .Phrd.CacheSize }}"

# Classes of records of which this server keeps every object, whoever else holds it: imaging, document, recording, result, other, or
# all, such as ["imaging"]. The network does not count on these copies. mirror_size is how much they take at most, such as "2TiB";
# that much of the disk is not promised to the network.
mirror = [{{ range .Phrd.Mirror }}{{ printf "%q, " . }}{{ end }}]
mirror_size = "{{ .Phrd.MirrorSize }}"

# Hours without use after which a blob is removed that nobody names: what abandoned uploads left, copies that other
# hospitals keep now. At least 24; 0 keeps everything.
collect_after = {{ .Phrd.CollectAfter }}

# Days for which backups of blobs/ are kept, 0 where there are none. The server names them when it attests that something was erased.
backup_days = {{ .Phrd.BackupDays }}

# URL of an OpenTelemetry collector to which the server sends its metrics each minute, such as "https://collector.hospital.example:4318";
# "" for none. They are what Prometheus would scrape, and tell of no person and no record.
otlp_endpoint = "{{ .Phrd.OTLPEndpoint }}"
`

// appConfig is app.toml.
type appConfig struct {
	serverconfig.Config `mapstructure:",squash"`
	Phrd                Services `mapstructure:"phrd"`
}

// Config is what the files in config/ say.
type Config struct {
	Comet    *cometconfig.Config
	App      serverconfig.Config
	Services Services
	// Options are the settings of both files by name, as the application reads them.
	Options *viper.Viper
}

// Config reads config.toml and app.toml. The error tells the file and what is wrong in it.
func (h Home) Config() (Config, error) {
	options := viper.New()
	for _, path := range []string{h.CometConfig(), h.AppConfig()} {
		file := viper.New()
		file.SetConfigFile(path)
		if err := file.ReadInConfig(); err != nil {
			return Config{}, fmt.Errorf("%s: %w", path, err)
		}
		if err := options.MergeConfigMap(file.AllSettings()); err != nil {
			return Config{}, fmt.Errorf("%s: %w", path, err)
		}
	}
	options.Set(flags.FlagHome, h.dir)

	c := Config{Comet: cometconfig.DefaultConfig(), Options: options}
	if err := options.Unmarshal(c.Comet); err != nil {
		return Config{}, fmt.Errorf("%s: %w", h.CometConfig(), err)
	}
	c.Comet.SetRoot(h.dir)
	if err := c.Comet.ValidateBasic(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", h.CometConfig(), err)
	}
	var err error
	if c.App, err = serverconfig.GetConfig(options); err != nil {
		return Config{}, fmt.Errorf("%s: %w", h.AppConfig(), err)
	}
	if err := c.App.ValidateBasic(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", h.AppConfig(), err)
	}
	c.Services.CollectAfter, c.Services.BackupDays = collectAfter, backupDays // of homes that are older than the settings
	if err := options.UnmarshalKey("phrd", &c.Services); err != nil {
		return Config{}, fmt.Errorf("%s: %w", h.AppConfig(), err)
	}
	if err := c.Services.Validate(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", h.AppConfig(), err)
	}
	if h.storage != (c.Services.GatewayListen == "") {
		return Config{}, fmt.Errorf("%s: [phrd] gateway_listen: a hospital's server has a gateway, a further storage node has none", h.AppConfig())
	}
	return c, nil
}

// newConfig is what a new home's files say: only the ports of other hospitals and people are open, and only for those whom the
// chain's state names.
func newConfig(o Options) (*cometconfig.Config, appConfig) {
	comet := cometconfig.DefaultConfig()
	comet.Moniker = o.Hospital
	comet.LogLevel = logLevel
	comet.FilterPeers = true
	comet.P2P.ListenAddress = "tcp://" + net.JoinHostPort(o.Listen, o.port(PortComet))
	comet.P2P.ExternalAddress = net.JoinHostPort(o.Host, o.port(PortComet))
	comet.P2P.PexReactor = false
	// Who may connect is decided by identity, not by address: members may share one, or have one that is not routed.
	comet.P2P.AddrBookStrict = false
	comet.P2P.AllowDuplicateIP = true
	comet.P2P.MaxNumInboundPeers = 512
	comet.RPC.ListenAddress = "tcp://" + net.JoinHostPort(loopback, o.port(PortRPC))
	comet.RPC.PprofListenAddress = ""
	comet.Mempool.MaxTxBytes = MaxTxBytes
	comet.Consensus.CreateEmptyBlocks = false
	comet.Consensus.CreateEmptyBlocksInterval = emptyBlocks
	comet.Consensus.TimeoutCommit = time.Second
	if o.Fast {
		comet.Consensus.TimeoutCommit = 100 * time.Millisecond
		comet.Consensus.TimeoutPropose = 500 * time.Millisecond
	}

	app := appConfig{Config: *serverconfig.DefaultConfig()}
	app.MinGasPrices = "0uphrd"
	app.QueryGasLimit = queryGasLimit
	app.IAVLCacheSize = IAVLCacheSize
	app.IAVLDisableFastNode = true // The application keeps none, whatever the file says.
	app.API.Enable = true
	app.API.Address = "tcp://" + net.JoinHostPort(loopback, o.port(PortREST))
	app.API.MaxOpenConnections = 256
	app.GRPC.Address = net.JoinHostPort(loopback, o.port(PortGRPC))
	app.GRPCWeb.Enable = false
	app.StateSync.SnapshotInterval = SnapshotInterval
	app.StateSync.SnapshotKeepRecent = 2
	app.Phrd = Services{
		GatewayListen: net.JoinHostPort(o.Listen, o.port(PortGateway)),
		Libp2pListen:  multiaddr(o.Listen, o.port(PortLibp2p)),
		Capacity:      o.Capacity,
		CollectAfter:  collectAfter,
		BackupDays:    backupDays,
	}
	return comet, app
}

// encode returns the text of app.toml.
func (c appConfig) encode() ([]byte, error) {
	text, err := template.New("app.toml").Parse(serverconfig.DefaultConfigTemplate + servicesTemplate)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = text.Execute(&out, c)
	return out.Bytes(), err
}

func (o Options) port(base int) string { return strconv.Itoa(base + o.PortOffset) }

// multiaddr is the TCP multiaddr of a host, which is an IP address or a name.
func multiaddr(host, port string) string {
	kind := "dns"
	if ip := net.ParseIP(host); ip != nil && ip.To4() != nil {
		kind = "ip4"
	} else if ip != nil {
		kind = "ip6"
	}
	return "/" + kind + "/" + host + "/tcp/" + port
}
