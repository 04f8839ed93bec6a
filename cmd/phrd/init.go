package main

import (
	"encoding/hex"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/x/consortium"
)

// initFlags are the flags of `phrd init`.
type initFlags struct {
	home.Options
	capacity             string
	genesis, hash        string
	storageOnly          bool
	gateway, fingerprint string // of a member, by which a storage node finds members that joined later
}

func initCommand() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use: "init", Short: "make a hospital's home or a storage node's, or accept the network's first state",
		Long: "Make the home of a hospital's server: all its keys, its configuration, and member.json, which tells the other hospitals\n" +
			"of it and is signed by every key.\n\n" +
			"When all hospitals have exchanged their member.json and `phrd network assemble` was run, accept the genesis it made:\n" +
			"compare its hash with the other hospitals by another way than you got the file, such as the telephone.\n\n" +
			"With --storage-only: make the home of a further server or workstation of a hospital that only stores blobs, and node.json, which\n" +
			"an admin of the hospital registers with `phrd hospital add-node`. It needs the network's genesis and its hash.",
		Example: "  phrd init --hospital \"General Hospital\" --site Vienna --time-zone Europe/Vienna --host phrd.hospital.example\n" +
			"  phrd init --genesis genesis.json --hash 5f1c…\n" +
			"  phrd init --storage-only --genesis genesis.json --hash 5f1c… --hospital \"General Hospital\" --site 2 --host store.hospital.example",
		Args: exactArgs(),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Hospital, "hospital", "", "name of the hospital; with --storage-only also its number")
	flags.StringVar(&f.Site, "site", "", "name of its first site, such as the city; with --storage-only the number of the site")
	flags.BoolVar(&f.storageOnly, "storage-only", false, "make the home of a further server that only stores blobs")
	flags.StringVar(&f.TimeZone, "time-zone", "", "IANA time zone of the site, such as Europe/Vienna")
	flags.StringVar(&f.Host, "host", "", "name or address at which others reach this server (default: that of --listen)")
	flags.StringVar(&f.Listen, "listen", "0.0.0.0", "address to listen on")
	flags.IntVar(&f.PortOffset, "port-offset", 0, "number added to every port, for several homes on one machine")
	flags.StringVar(&f.capacity, "capacity", "256GiB", "how much this server stores for the network at most")
	flags.BoolVar(&f.Fast, "fast", false, "make blocks as fast as one machine can, for demonstrations")
	flags.StringVar(&f.genesis, "genesis", "", "accept this genesis.json")
	flags.StringVar(&f.hash, "hash", "", "hash of the genesis on which the hospitals agreed")
	flags.StringVar(&f.gateway, "gateway", "", "with --storage-only: URL of the gateway of a hospital that is not in the genesis")
	flags.StringVar(&f.fingerprint, "fingerprint", "", "with --gateway: its fingerprint, which `phrd hospital show` prints")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o, err := homeOptionsOf(cmd)
		if err != nil {
			return err
		}
		if f.storageOnly {
			return makeNodeHome(cmd.Context(), o, f, newOutput(cmd))
		}
		if f.gateway != "" {
			return usage("--gateway is for --storage-only; a hospital joins a network that runs with `phrd join`")
		}
		if f.genesis != "" {
			return acceptGenesis(o, f, newOutput(cmd))
		}
		return makeHome(o, f, newOutput(cmd))
	}
	return cmd
}

// madeHome is what `phrd init` made.
type madeHome struct {
	Home        string      `json:"home"`
	Member      string      `json:"member"`
	Fingerprint fingerprint `json:"fingerprints"`
}

// fingerprint is what hospitals compare of each other's keys.
type fingerprint struct {
	Hospital  string `json:"hospital"`
	Consensus string `json:"consensus_key"`
	Comet     string `json:"comet_id"`
	Peer      string `json:"peer_id"`
	Node      string `json:"node_account"`
	Admin     string `json:"admin_account"`
	Gateway   string `json:"gateway_fingerprint"`
	URL       string `json:"gateway_url"`
}

func fingerprintOf(d consortium.Declaration) fingerprint {
	return fingerprint{
		Hospital: d.Name, Consensus: hex.EncodeToString(d.ConsensusKey), Comet: consortium.CometID(d.CometKey),
		Peer: consortium.PeerID(d.Libp2PKey), Node: consortium.AccountOf(d.NodeKey).String(), Admin: consortium.AccountOf(d.AdminKey).String(),
		Gateway: hex.EncodeToString(d.GatewayFingerprint), URL: d.GatewayUrl,
	}
}

func (f fingerprint) rows() [][]string {
	return [][]string{
		{"hospital", f.Hospital}, {"consensus key", f.Consensus}, {"comet id", f.Comet}, {"peer id", f.Peer},
		{"node account", f.Node}, {"admin account", f.Admin}, {"gateway", f.URL}, {"gateway key", f.Gateway},
	}
}

// options checks the flags and completes the options.
func (f initFlags) options() (home.Options, error) {
	o := f.Options
	for flag, value := range map[string]string{"--hospital": o.Hospital, "--site": o.Site, "--time-zone": o.TimeZone} {
		if value == "" {
			return o, usage("%s is missing", flag)
		}
	}
	var err error
	if o.Host, err = f.host(); err != nil {
		return o, err
	}
	o.Capacity, err = parseBytes(f.capacity)
	return o, err
}

// host is where others reach the server.
func (f initFlags) host() (string, error) {
	if f.Host != "" {
		return f.Host, nil
	}
	ip := net.ParseIP(f.Listen)
	if ip == nil || ip.IsUnspecified() {
		return "", usage("--host is missing: at which name or address do the other hospitals reach this server?")
	}
	return f.Listen, nil
}

func makeHome(u userOptions, f initFlags, out *output) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	if o.Passphrase, err = u.passphrase(true); err != nil {
		return err
	}
	defer clear(o.Passphrase)
	made, err := home.Create(u.Home, o)
	if err != nil {
		return err
	}
	result := madeHome{Home: made.Home.Dir(), Member: made.Home.Member(), Fingerprint: fingerprintOf(made.Declaration)}
	if err := out.print(result, nil, append([][]string{{"home", result.Home}, {"member.json", result.Member}}, result.Fingerprint.rows()...)); err != nil {
		return err
	}
	out.note("Next: give member.json to the hospital that runs `phrd network assemble`, and read it these fingerprints; or `phrd join` a network that runs.")
	return nil
}

// acceptedGenesis is what `phrd init --genesis` accepted.
type acceptedGenesis struct {
	ChainID   string `json:"chain_id"`
	NetworkID string `json:"network_id"`
	Hash      string `json:"hash"`
	Hospital  uint64 `json:"hospital"`
	Name      string `json:"name"`
	Members   int    `json:"members"`
}

func acceptGenesis(u userOptions, f initFlags, out *output) error {
	if f.Hospital != "" {
		return usage("--genesis is for a home that is made already; leave --hospital out")
	}
	if err := f.checkHash(); err != nil {
		return err
	}
	h, err := home.Open(u.Home)
	if err != nil {
		return err
	}
	if h.StorageOnly() {
		return usage("%s is the home of a storage node, which was made with its genesis", h.Dir())
	}
	store, err := openKeys(u)
	if err != nil {
		return err
	}
	genesis, member, err := h.Accept(store, f.genesis, f.hash)
	if err != nil {
		return err
	}
	a := acceptedGenesis{
		ChainID: genesis.ChainID, NetworkID: hex.EncodeToString(genesis.ID[:]), Hash: home.HashText(genesis.Hash),
		Hospital: member.Number, Name: member.Name, Members: len(genesis.Consortium.Members),
	}
	if err := out.print(a, nil, [][]string{
		{"chain", a.ChainID}, {"network", a.NetworkID}, {"genesis", a.Hash},
		{"this is", fmt.Sprintf("hospital %d, %s, of %d", a.Hospital, a.Name, a.Members)},
	}); err != nil {
		return err
	}
	out.note("Next: `phrd start`. The hospitals make the network's key together when enough of their servers run.")
	return nil
}

func (f initFlags) checkHash() error {
	if len(f.hash) != 64 {
		return usage("--hash is missing or not 64 hex digits: on which hash did the hospitals agree?")
	}
	return nil
}

// parseBytes reads a size such as 500GB or 2TiB, above 0.
func parseBytes(text string) (uint64, error) {
	if n, err := home.ParseSize(text); err == nil && n > 0 {
		return n, nil
	}
	return 0, usage("%q is no size: want one like 500GB or 2TiB", text)
}
