package main

import (
	"context"
	"encoding/hex"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/web"
)

// ownPages is the hash of the pages that this program serves.
func ownPages() (string, error) {
	files, err := web.Pages()
	if err != nil {
		return "", err
	}
	return gateway.PagesHash(files)
}

// servedPages is what `hospital pages` says of one hospital.
type servedPages struct {
	Hospital uint64 `json:"hospital"`
	Name     string `json:"name"`
	Pages    string `json:"pages,omitempty"`
	Accepted bool   `json:"accepted"`
	Error    string `json:"error,omitempty"`
}

func hospitalPagesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "pages", Short: "compare the pages that the hospitals serve to browsers", Args: exactArgs(), Example: "  phrd hospital pages",
		Long: "Show the hash of the pages that each hospital's gateway says to serve, and whether the members have voted for them with\n" +
			"`phrd hospital propose pages`. `phrd version` says the hash of the pages in this program.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				all, err := u.client.Pages(ctx)
				if err != nil {
					return err
				}
				said, rows := make([]servedPages, len(all)), make([][]string, len(all))
				for i, p := range all {
					said[i] = servedPages{Hospital: p.From.Hospital, Name: p.From.Name, Pages: p.Hash, Accepted: p.Accepted}
					standing := map[bool]string{true: "accepted", false: "nobody voted for them"}[p.Accepted]
					switch {
					case p.Err != nil:
						said[i].Error, standing = p.Err.Error(), p.Err.Error()
					case p.Hash == "":
						standing = "serves none"
					}
					rows[i] = []string{strconv.FormatUint(p.From.Hospital, 10), p.From.Name, orDash(p.Hash), standing}
				}
				return o.print(said, []string{"NO.", "NAME", "PAGES", "STANDING"}, rows)
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func proposePagesCommand() *cobra.Command {
	var alone bool
	cmd := &cobra.Command{
		Use: "pages [HASH]", Short: "ask to accept the pages that gateways serve to browsers", Args: atMostOne,
		Example: "  phrd hospital propose pages\n  phrd hospital propose pages 5b0c… --alone",
		Long: "Ask the hospitals to accept pages, by their hash: those in this program, or the ones of HASH. Build them yourself before you vote\n" +
			"(`make pages`, then `phrd version`). People see on every page whether the hospitals voted for it. Those accepted before stay,\n" +
			"the newest seven, while hospitals bring the new program in; with --alone they don't.",
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := ownPages()
			if len(args) == 1 {
				text, err = args[0], nil
			}
			if err != nil {
				return err
			}
			hash, err := hex.DecodeString(text)
			if err != nil || len(hash) != 32 {
				return usage("%q is no SHA-256 in hex", text)
			}
			return proposes(cmd, func(ctx context.Context, u *user) (uint64, error) {
				return u.client.ProposePages(ctx, [32]byte(hash), alone)
			})
		},
	}
	cmd.Flags().BoolVar(&alone, "alone", false, "accept no others any more")
	userFlags(cmd)
	return cmd
}
