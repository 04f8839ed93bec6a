package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/phr"
)

// signed is what a command that signs something about an unlock says.
type signed struct {
	Unlock string `json:"unlock"`
	Height int64  `json:"height,omitempty"`
}

func unlockProposeCommand() *cobra.Command {
	var purpose, lifetime string
	cmd := &cobra.Command{
		Use: "propose RECORD[/VERSION]...", Short: "ask to open versions of records of one owner",
		Long: "Ask to open versions of records, 1 to 64 of one owner in one hospital's keeping; without a version the newest one.\n" +
			"An officer of that hospital endorses it, then the owner approves it. The key that receives the record is made here\n" +
			"and kept in this home, encrypted, until the unlock ends.\n\n" +
			"The purpose is a code of HL7 v3 ActReason: TREAT treatment, ETREAT emergency treatment, CAREMGT care management,\n" +
			"HPAYMT payment, HRESCH research, PATRQT patient's own request.",
		Example: "  phrd unlock propose 7ABC…/1 --purpose TREAT --for 24h --from dr-weber\n" +
			"  phrd unlock propose 7ABC… 9DEF… --purpose TREAT",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("which record?")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			request := phr.Request{Purpose: purpose}
			var err error
			if request.Lifetime, err = parseLifetime(lifetime); err != nil {
				return err
			}
			if request.Versions, err = parseRefs(args); err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				id, err := u.client.Propose(ctx, request)
				if err != nil {
					return err
				}
				o.note("waits for an endorsement, then for the owner's approval")
				return o.print(signed{Unlock: id}, nil, [][]string{{id}})
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().StringVar(&purpose, "purpose", "TREAT", "code of the purpose, HL7 v3 ActReason")
	cmd.Flags().StringVar(&lifetime, "for", "24h", "how long the unlock lives, like 90m, 12h or at most 14d")
	return cmd
}
