package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/phr"
)

// signCommand is a command that signs one message about an unlock.
func signCommand(cmd *cobra.Command, word string, sign func(context.Context, *phr.Client, string) (phr.Receipt, error)) *cobra.Command {
	cmd.Args = exactArgs("an unlock")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
			id, err := resolveUnlock(ctx, u.client, args[0])
			if err != nil {
				return err
			}
			receipt, err := sign(ctx, u.client, id)
			if err != nil {
				return err
			}
			return o.print(signed{id, receipt.Height}, nil, [][]string{{word + " " + id}})
		})
	}
	userFlags(cmd)
	return cmd
}

func unlockEndorseCommand() *cobra.Command {
	return signCommand(&cobra.Command{
		Use: "endorse UNLOCK", Short: "support an unlock of records that your hospital keeps",
		Long:    "Support an unlock as an officer of the hospital that keeps the records. What the network shows of it is checked\nagainst its id before you sign; look at it with `phrd unlock show`.",
		Example: "  phrd unlock endorse 5f3a9c… --from officer",
	}, "endorsed", func(ctx context.Context, c *phr.Client, id string) (phr.Receipt, error) { return c.Endorse(ctx, id) })
}

func unlockDenyCommand() *cobra.Command {
	return signCommand(&cobra.Command{
		Use: "deny UNLOCK", Short: "refuse an unlock for good", Example: "  phrd unlock deny 5f3a9c…",
		Long: "Refuse an unlock that was not approved, as the owner of the records or as an officer of the hospital that keeps them.",
	}, "denied", func(ctx context.Context, c *phr.Client, id string) (phr.Receipt, error) { return c.Deny(ctx, id) })
}

func unlockWithdrawCommand() *cobra.Command {
	return signCommand(&cobra.Command{
		Use: "withdraw UNLOCK", Aliases: []string{"close"}, Short: "end an unlock: take it back, or close it after use", Example: "  phrd unlock withdraw 5f3a9c…\n  phrd unlock close 5f3a9c… --from dr-weber",
		Long: "End an unlock, as its requester, as the owner of the records, or as an officer of the hospital that keeps them.\n" +
			"No share is given from then on, and the requester's key is deleted. Who opened it before has seen it.",
	}, "withdrawn", func(ctx context.Context, c *phr.Client, id string) (phr.Receipt, error) { return c.Withdraw(ctx, id) })
}
