package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/app/join"
)

// joinFlags are the flags of `phrd join`.
type joinFlags struct {
	hash, fingerprint, trustHash string
	trustHeight                  int64
	noHandIn                     bool
}

func joinCommand() *cobra.Command {
	var f joinFlags
	cmd := &cobra.Command{
		Use: "join GATEWAY", Short: "join a network that runs, through the gateway of a member", Args: exactArgs("the URL of a member's gateway"),
		Long: "Take the home that `phrd init` made into a network that runs: fetch the network's first state from a member's gateway, check that it\n" +
			"has the hash that a hospital read to you, and hand member.json in there, for the administrators to propose. Then `phrd start`: the\n" +
			"server waits until the hospitals have voted, and fetches the state of the chain.\n\n" +
			"The hash of the first state is all that you trust: it names the first hospitals and the keys of their gateways. Where the gateway is not\n" +
			"one of these, have its fingerprint read to you as well (`phrd hospital show` there). Where the network is older than a year, also the\n" +
			"height and hash of a newer block.",
		Example: "  phrd join https://phrd.hospital.example:8443 --hash 5f1c…\n  phrd join https://phrd.new.example:8443 --hash 5f1c… --fingerprint 77aa…",
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := homeOptionsOf(cmd)
			if err != nil {
				return err
			}
			joined, err := enterNetwork(cmd.Context(), o, args[0], f)
			if err != nil {
				return err
			}
			return joined.print(newOutput(cmd))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.hash, "hash", "", "hash of the network's first state, as a hospital read it to you")
	flags.StringVar(&f.fingerprint, "fingerprint", "", "fingerprint of the gateway, where it is not that of a first member")
	flags.Int64Var(&f.trustHeight, "trust-height", 0, "height of a newer block, where the network is older than a year")
	flags.StringVar(&f.trustHash, "trust-hash", "", "hash of that block")
	flags.BoolVar(&f.noHandIn, "no-hand-in", false, "do not hand member.json in: it goes to the hospitals by another way")
	return cmd
}

// joinedNetwork is what `phrd join` did.
type joinedNetwork struct {
	ChainID     string      `json:"chain_id"`
	NetworkID   string      `json:"network_id"`
	Hash        string      `json:"hash"`
	Members     int         `json:"first_members"`
	Gateway     string      `json:"gateway"`
	Fingerprint string      `json:"gateway_fingerprint"`
	HandedIn    bool        `json:"handed_in"`
	Declared    fingerprint `json:"fingerprints"`
}

func (j joinedNetwork) print(o *output) error {
	handed := "no"
	if j.HandedIn {
		handed = "yes"
	}
	rows := append([][]string{
		{"chain", j.ChainID}, {"network", j.NetworkID}, {"genesis", j.Hash}, {"first members", strconv.Itoa(j.Members)}, {"through", j.Gateway},
		{"its key", j.Fingerprint}, {"handed in", handed}, {""},
	}, j.Declared.rows()...)
	if err := o.print(j, nil, rows); err != nil {
		return err
	}
	if j.HandedIn {
		o.note("Next: read these fingerprints to an administrator there, who sees you with `phrd hospital candidates` and proposes you; and `phrd start`.")
	} else {
		o.note("Next: give member.json to an administrator of a member, read these fingerprints out, and `phrd start`.")
	}
	return nil
}

// enterNetwork finds out which network a gateway is of, takes the home into it and hands its member.json in.
func enterNetwork(ctx context.Context, o userOptions, url string, f joinFlags) (joinedNetwork, error) {
	fail := func(err error) (joinedNetwork, error) { return joinedNetwork{}, err }
	if err := (initFlags{hash: f.hash}).checkHash(); err != nil {
		return fail(err)
	}
	if _, err := join.ParseTrust(f.trustHeight, f.trustHash); err != nil {
		return fail(usage("--trust-height and --trust-hash: %v", err))
	}
	h, err := home.Open(o.Home)
	if err != nil {
		return fail(err)
	}
	if h.StorageOnly() {
		return fail(usage("%s is the home of a storage node, which needs no admission: `phrd hospital add-node` registers it", h.Dir()))
	}
	_, declared, err := home.ReadMember(h.Member())
	if err != nil {
		return fail(err)
	}
	member, err := os.ReadFile(h.Member())
	if err != nil {
		return fail(err)
	}
	door := join.Door{URL: strings.TrimRight(url, "/"), Fingerprint: strings.ToLower(f.fingerprint)}
	if door.Fingerprint == "" {
		if door.Fingerprint, err = join.Fingerprint(ctx, door.URL); err != nil {
			return fail(err)
		}
	}
	gateway, err := join.Open(door)
	if err != nil {
		return fail(usage("%v", err))
	}
	text, err := gateway.Genesis(ctx)
	if err != nil {
		return fail(errors.Join(err, gateway.Close()))
	}
	genesis, err := h.Join(text, f.hash, home.Joining{
		Gateway: door.URL, Fingerprint: door.Fingerprint, TrustHeight: f.trustHeight, TrustHash: f.trustHash,
	}, func(g *home.Genesis) error { return checkGateway(g, door, f.fingerprint != "") })
	if err == nil && !f.noHandIn {
		err = gateway.HandIn(ctx, member)
	}
	if err := errors.Join(err, gateway.Close()); err != nil {
		return fail(err)
	}
	return joinedNetwork{
		ChainID: genesis.ChainID, NetworkID: hex.EncodeToString(genesis.ID[:]), Hash: home.HashText(genesis.Hash), Members: len(genesis.Consortium.Members),
		Gateway: door.URL, Fingerprint: door.Fingerprint, HandedIn: !f.noHandIn, Declared: fingerprintOf(declared),
	}, nil
}

// errUnknownGateway says that nobody vouches for the key of a gateway.
var errUnknownGateway = errors.New("this gateway is not that of a first member")

// checkGateway returns errUnknownGateway unless the gateway's key is that of a member of the genesis, or was read out by a hospital.
func checkGateway(g *home.Genesis, door join.Door, readOut bool) error {
	for _, m := range g.Consortium.Members {
		if readOut || hex.EncodeToString(m.GatewayFingerprint) == door.Fingerprint {
			return nil
		}
	}
	return fmt.Errorf("%w: its key is %s", errUnknownGateway, door.Fingerprint)
}
