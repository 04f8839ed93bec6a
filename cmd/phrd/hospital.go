package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
)

func hospitalCommand() *cobra.Command {
	return group("hospital", "the hospitals of the network, and what they vote on",
		hospitalListCommand(), hospitalShowCommand(), hospitalProposalsCommand(), hospitalProposeCommand(), hospitalVoteCommand(), hospitalWithdrawCommand(),
		hospitalUpdateCommand(), hospitalRotateCommand(), hospitalVaultCommand(), emergencyVaultCommand(), hospitalLeaveCommand(), hospitalCandidatesCommand(), hospitalWebhookCommand(), hospitalPagesCommand(), hospitalSiteCommand(), hospitalAddNodeCommand(), hospitalNodesCommand(), hospitalRetireNodeCommand())
}

func hospitalListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "list the hospitals", Args: exactArgs(),
		Example: "  phrd hospital list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				members, err := u.client.Members(ctx)
				if err != nil {
					return err
				}
				rows := make([][]string, len(members))
				for i, m := range members {
					rows[i] = []string{strconv.FormatUint(m.Number, 10), m.Name, memberStatus(m.Status), m.GatewayUrl, timeText(m.Since)}
				}
				return o.print(protosJSON(members), []string{"NO.", "NAME", "STATUS", "GATEWAY", "SINCE (UTC)"}, rows)
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func memberStatus(s consortiumv1.MemberStatus) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "MEMBER_STATUS_"))
}

// hospitalView is what `hospital show` says.
type hospitalView struct {
	Member json.RawMessage   `json:"member"`
	Sites  []json.RawMessage `json:"sites"`
	Nodes  []json.RawMessage `json:"storage_nodes"`
}

func hospitalShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NUMBER", Short: "show a hospital, its sites and storage nodes", Args: exactArgs("the hospital's number"),
		Example: "  phrd hospital show 2",
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := parseNumber("a hospital", args[0])
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				m, err := u.client.Member(ctx, number)
				if err != nil {
					return err
				}
				sites, err := u.client.Sites(ctx, number)
				if err != nil {
					return err
				}
				nodes, err := u.client.StorageNodes(ctx, number)
				if err != nil {
					return err
				}
				rows := [][]string{
					{"number", strconv.FormatUint(m.Number, 10)}, {"name", m.Name}, {"status", memberStatus(m.Status)}, {"since", timeText(m.Since)},
					{"gateway", m.GatewayUrl}, {"fingerprint", hex.EncodeToString(m.GatewayFingerprint)}, {"node account", m.NodeAccount}, {"CometBFT", m.CometId + "@" + m.CometAddress},
				}
				for _, s := range sites {
					rows = append(rows, []string{fmt.Sprintf("site %d", s.Number), s.Name + " (" + s.TimeZone + "), " + siteStatus(s)})
				}
				for _, n := range nodes {
					state := ""
					if n.Retired {
						state = ", retired"
					}
					rows = append(rows, []string{fmt.Sprintf("storage node %d", n.Number), fmt.Sprintf("%s/p2p/%s, site %d, %s%s", n.Address, n.PeerId, n.Site, byteText(n.Capacity), state)})
				}
				return o.print(hospitalView{protoJSON(m), protosJSON(sites), protosJSON(nodes)}, nil, rows)
			})
		},
	}
	userFlags(cmd)
	return cmd
}
