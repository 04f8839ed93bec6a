package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/app/join"
	"github.com/phrd/phrd/x/consortium"
)

// madeNodeHome is what `phrd init --storage-only` made.
type madeNodeHome struct {
	Home     string     `json:"home"`
	Node     string     `json:"node"`
	ChainID  string     `json:"chain_id"`
	Hospital string     `json:"hospital"`
	Declared nodePrints `json:"fingerprints"`
}

// nodePrints is what the hospital's admin compares of a storage node's declaration.
type nodePrints struct {
	Member   uint64 `json:"member"`
	Site     uint64 `json:"site"`
	Comet    string `json:"comet_id"`
	Peer     string `json:"peer_id"`
	Account  string `json:"account"`
	Address  string `json:"address"`
	Capacity uint64 `json:"capacity"`
}

func nodePrintsOf(d consortium.NodeDeclaration) nodePrints {
	n := d.StorageNode()
	return nodePrints{Member: n.Member, Site: n.Site, Comet: n.CometId, Peer: n.PeerId, Account: n.Account, Address: n.Address, Capacity: n.Capacity}
}

func (p nodePrints) rows() [][]string {
	return [][]string{
		{"hospital", strconv.FormatUint(p.Member, 10)}, {"site", strconv.FormatUint(p.Site, 10)}, {"comet id", p.Comet}, {"peer id", p.Peer},
		{"account", p.Account}, {"address", p.Address}, {"capacity", byteText(p.Capacity)},
	}
}

// nodeOptions checks the flags that a storage node's home is made with.
func (f initFlags) nodeOptions() (home.NodeOptions, error) {
	o := home.NodeOptions{Genesis: f.genesis, Hash: f.hash, Hospital: f.Hospital, Listen: f.Listen, PortOffset: f.PortOffset}
	if f.TimeZone != "" {
		return o, usage("--time-zone is for a hospital's own server; leave it out with --storage-only")
	}
	for flag, value := range map[string]string{"--genesis": f.genesis, "--hospital": f.Hospital, "--site": f.Site} {
		if value == "" {
			return o, usage("%s is missing", flag)
		}
	}
	if err := f.checkHash(); err != nil {
		return o, err
	}
	var err error
	if o.Site, err = parseNumber("a site", f.Site); err != nil {
		return o, err
	}
	if o.Host, err = f.host(); err != nil {
		return o, err
	}
	o.Capacity, err = parseBytes(f.capacity)
	return o, err
}

// learn asks a gateway for the members that joined after the genesis.
func (f initFlags) learn(ctx context.Context, o *home.NodeOptions) error {
	if f.gateway == "" {
		return nil
	}
	genesis, err := home.ReadGenesis(o.Genesis)
	if err != nil {
		return err
	}
	door := join.Door{URL: strings.TrimRight(f.gateway, "/"), Fingerprint: strings.ToLower(f.fingerprint)}
	if door.Fingerprint == "" {
		if door.Fingerprint, err = join.Fingerprint(ctx, door.URL); err != nil {
			return err
		}
	}
	if err := checkGateway(genesis, door, f.fingerprint != ""); err != nil {
		return err
	}
	view, err := join.Look(ctx, genesis, door)
	if err != nil {
		return err
	}
	o.Others, o.Joining = view.Members, home.Joining{Gateway: door.URL, Fingerprint: door.Fingerprint}
	return view.Close()
}

// makeNodeHome makes the home of a further storage node.
func makeNodeHome(ctx context.Context, u userOptions, f initFlags, out *output) error {
	o, err := f.nodeOptions()
	if err != nil {
		return err
	}
	if err := f.learn(ctx, &o); err != nil {
		return err
	}
	if o.Passphrase, err = u.passphrase(true); err != nil {
		return err
	}
	defer clear(o.Passphrase)
	made, err := home.CreateNode(u.Home, o)
	if err != nil {
		return err
	}
	result := madeNodeHome{
		Home: made.Home.Dir(), Node: made.Home.Node(), ChainID: made.Genesis.ChainID,
		Hospital: fmt.Sprintf("%d, %s", made.Member.Number, made.Member.Name), Declared: nodePrintsOf(made.Declaration),
	}
	rows := append([][]string{{"home", result.Home}, {"node.json", result.Node}, {"chain", result.ChainID}}, result.Declared.rows()...)
	rows[3][1] = result.Hospital
	if err := out.print(result, nil, rows); err != nil {
		return err
	}
	out.note("Next: give node.json to an admin of the hospital, for `phrd hospital add-node`, and read out these fingerprints. `phrd start` may run already.")
	return nil
}
