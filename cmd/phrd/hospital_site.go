package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
)

func hospitalSiteCommand() *cobra.Command {
	return group("site", "the places of a hospital, where copies don't fail together with others",
		siteAddCommand(), siteUpdateCommand(), siteRemoveCommand(), siteListCommand())
}

func siteAddCommand() *cobra.Command {
	var zone string
	cmd := &cobra.Command{
		Use: "add NAME", Short: "add a place of your hospital", Args: exactArgs("the site's name"),
		Example: "  phrd hospital site add \"Annex\" --time-zone Europe/Vienna",
		RunE: func(cmd *cobra.Command, args []string) error {
			if zone == "" {
				return usage("--time-zone is missing")
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				number, err := u.client.AddSite(ctx, args[0], zone)
				if err != nil {
					return err
				}
				return o.print(numbered{number}, nil, [][]string{{"site", strconv.FormatUint(number, 10)}})
			})
		},
	}
	cmd.Flags().StringVar(&zone, "time-zone", "", "IANA time zone of the site, such as Europe/Vienna")
	userFlags(cmd)
	return cmd
}

func siteUpdateCommand() *cobra.Command {
	var name, zone string
	cmd := &cobra.Command{
		Use: "update NUMBER", Short: "change the name or time zone of a site", Args: exactArgs("the site's number"),
		Long:    "Change the name or time zone of a site of your hospital; what is not given stays, and so do the copies that are placed there.",
		Example: "  phrd hospital site update 2 --name \"North wing\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := parseNumber("a site", args[0])
			if err != nil {
				return err
			}
			if name+zone == "" {
				return usage("nothing changes: give --name, --time-zone or both")
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if err := u.client.UpdateSite(ctx, number, name, zone); err != nil {
					return err
				}
				return o.print(numbered{number}, nil, [][]string{{"site", args[0]}})
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "name of the site")
	cmd.Flags().StringVar(&zone, "time-zone", "", "IANA time zone of the site, such as Europe/Vienna")
	userFlags(cmd)
	return cmd
}

func siteRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "remove NUMBER", Short: "give up a site at which no storage node stands any more", Args: exactArgs("the site's number"),
		Long:    "Give up a site of your hospital whose storage nodes are all retired. Its name is free again, its number is not.",
		Example: "  phrd hospital retire-node 5\n  phrd hospital site remove 2",
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := parseNumber("a site", args[0])
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if err := u.client.RemoveSite(ctx, number); err != nil {
					return err
				}
				return o.print(numbered{number}, nil, [][]string{{"removed", args[0]}})
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func siteListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list [HOSPITAL]", Short: "list the sites of all hospitals, or of one", Args: atMostOne,
		Example: "  phrd hospital site list 2",
		RunE: func(cmd *cobra.Command, args []string) error {
			hospital := uint64(0)
			if len(args) == 1 {
				var err error
				if hospital, err = parseNumber("a hospital", args[0]); err != nil {
					return err
				}
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				sites, err := u.client.Sites(ctx, hospital)
				if err != nil {
					return err
				}
				rows := make([][]string, len(sites))
				for i, s := range sites {
					rows[i] = []string{strconv.FormatUint(s.Member, 10), strconv.FormatUint(s.Number, 10), s.Name, s.TimeZone, siteStatus(s)}
				}
				return o.print(protosJSON(sites), []string{"HOSPITAL", "NO.", "NAME", "TIME ZONE", "STATUS"}, rows)
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func siteStatus(s *consortiumv1.Site) string {
	if s.GetRemoved() {
		return "removed"
	}
	return "in use"
}
