package main

import (
	"context"
	"math"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/phr"
)

func proposeRecoveriesCommand() *cobra.Command {
	var delay string
	var hospitals uint
	cmd := &cobra.Command{
		Use: "recoveries", Short: "ask for another delay of recoveries, or for more hospitals that approve them", Args: exactArgs(),
		Example: "  phrd hospital propose recoveries --delay 14d --hospitals 3",
		Long: "Ask to change the rules of recoveries: the least time between the last approval and the end, in which whoever has the old wallet can cancel\n" +
			"one, and of how many hospitals an officer approves one where guardians don't: also who takes an account over, or acts for somebody. What\n" +
			"is proposed before the vote has passed keeps the rules of its day.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			rules := phr.RecoveryRules{}
			if hospitals > math.MaxUint32 {
				return usage("%d hospitals are too many", hospitals)
			}
			rules.Hospitals = uint32(hospitals)
			if delay != "" {
				var err error
				if rules.Delay, err = parseLifetime(delay); err != nil {
					return err
				}
			}
			if rules == (phr.RecoveryRules{}) {
				return usage("give --delay, --hospitals or both")
			}
			return proposes(cmd, func(ctx context.Context, u *user) (uint64, error) { return u.client.ProposeRecoveryRules(ctx, rules) })
		},
	}
	cmd.Flags().StringVar(&delay, "delay", "", "least delay, at most 60d")
	cmd.Flags().UintVar(&hospitals, "hospitals", 0, "how many hospitals approve, 2 to 16")
	userFlags(cmd)
	return cmd
}
