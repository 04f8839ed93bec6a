package main

import (
	"context"
	"encoding/hex"
	"strconv"

	"github.com/spf13/cobra"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/phr"
)

// addresses are the flags of `hospital update`.
type addresses struct {
	comet, libp2p, gateway, fingerprint, capacity string
	node                                          uint64
}

func hospitalUpdateCommand() *cobra.Command {
	var a addresses
	cmd := &cobra.Command{
		Use: "update", Short: "tell the network where your hospital's servers are reached from now on", Args: exactArgs(),
		Long: "Change the addresses of your hospital's server, the fingerprint of its gateway's key, and how much it stores for the network; what\n" +
			"is not given stays. --libp2p-address and --capacity are of the storage node that --node names, which is the hospital's own server\n" +
			"where it is not given. The other hospitals' servers follow without a restart. What your server itself listens on stands in its\n" +
			"config.toml and app.toml.",
		Example: "  phrd hospital update --comet-address phrd.new.example:26656 --libp2p-address /dns/phrd.new.example/tcp/4001 --gateway-url https://phrd.new.example:8443\n" +
			"  phrd hospital update --node 7 --capacity 2TiB",
		RunE: func(cmd *cobra.Command, _ []string) error {
			member, capacity, err := a.parse()
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if a.comet+a.gateway+a.fingerprint != "" {
					if err := u.client.UpdateMember(ctx, member); err != nil {
						return err
					}
				}
				if a.libp2p != "" || capacity != 0 {
					if err := updateNode(ctx, u.client, a, capacity); err != nil {
						return err
					}
				}
				return o.line("done; `phrd hospital show` shows what the network says")
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&a.comet, "comet-address", "", "host:port of the chain node")
	flags.StringVar(&a.libp2p, "libp2p-address", "", "multiaddr of the blob node, without the peer id")
	flags.StringVar(&a.gateway, "gateway-url", "", "https URL of the gateway")
	flags.StringVar(&a.fingerprint, "gateway-fingerprint", "", "SHA-256 of the public key of the gateway's certificate, 64 hex digits")
	flags.StringVar(&a.capacity, "capacity", "", "how much the storage node stores for the network at most")
	flags.Uint64Var(&a.node, "node", 0, "number of the storage node (default: the hospital's own server)")
	userFlags(cmd)
	return cmd
}

// parse checks the flags.
func (a addresses) parse() (*consortiumv1.MsgUpdateMember, uint64, error) {
	if a.comet+a.libp2p+a.gateway+a.fingerprint+a.capacity == "" {
		return nil, 0, usage("nothing changes: give at least one of --comet-address, --libp2p-address, --gateway-url, --gateway-fingerprint, --capacity")
	}
	member := &consortiumv1.MsgUpdateMember{CometAddress: a.comet, GatewayUrl: a.gateway}
	if a.fingerprint != "" {
		fingerprint, err := hex.DecodeString(a.fingerprint)
		if err != nil || len(fingerprint) != 32 {
			return nil, 0, usage("--gateway-fingerprint: want 64 hex digits")
		}
		member.GatewayFingerprint = fingerprint
	}
	if a.capacity == "" {
		return member, 0, nil
	}
	capacity, err := parseBytes(a.capacity)
	return member, capacity, err
}

// updateNode changes a storage node of the admin's hospital.
func updateNode(ctx context.Context, c *phr.Client, a addresses, capacity uint64) error {
	if a.node == 0 {
		who, err := c.Principal(ctx)
		if err != nil {
			return err
		}
		nodes, err := c.StorageNodes(ctx, who.Hospital)
		if err != nil {
			return err
		}
		if len(nodes) == 0 {
			return usage("hospital %s has no storage node", strconv.FormatUint(who.Hospital, 10))
		}
		a.node = nodes[0].GetNumber()
	}
	return c.UpdateStorageNode(ctx, a.node, a.libp2p, capacity)
}
