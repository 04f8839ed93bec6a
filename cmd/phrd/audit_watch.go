package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/phr"
)

func auditWatchCommand() *cobra.Command {
	var after uint64
	var kinds []string
	cmd := &cobra.Command{
		Use: "watch", Short: "tell what happens, as it happens",
		Long: "Tell what happens that concerns the account, as it happens: a patient's own records and requests, and emergencies and\n" +
			"recoveries of whom the patient guards; for staff what their hospital does and what they are to decide; for an auditor what the auditor sees of the log.\n" +
			"Where a gateway goes away it goes on at another one, and misses nothing. ^C ends it.",
		Example: "  phrd audit watch\n  phrd audit watch --kind proposed --kind emergency_requested --json\n  phrd audit watch --after 4711",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("after") {
				after = phr.FromNow
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				for n, err := range u.client.Notices(ctx, after) {
					if errors.Is(err, context.Canceled) && ctx.Err() != nil {
						return nil
					}
					if err != nil {
						return err
					}
					if len(kinds) > 0 && !slices.Contains(kinds, n.Kind) {
						continue
					}
					if err := o.tellNotice(n); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().Uint64Var(&after, "after", 0, "begin after this entry of the log (default: with what happens from now on)")
	cmd.Flags().StringArrayVar(&kinds, "kind", nil, "tell only of entries of this kind; may be given more than once")
	return cmd
}

// tellNotice writes a line for people, or one JSON object a line.
func (o *output) tellNotice(n phr.Notice) error {
	if o.json {
		encoded, err := json.Marshal(n)
		if err == nil {
			_, err = fmt.Fprintf(o.out, "%s\n", encoded)
		}
		return err
	}
	what := n.Kind
	if n.Outcome != "ok" {
		what += " (" + n.Outcome + ")"
	}
	about := strings.Join(n.Records, " ")
	if n.Unlock != "" {
		about = strings.TrimSpace("unlock " + n.Unlock[:min(12, len(n.Unlock))] + "… " + about)
	}
	_, err := fmt.Fprintf(o.out, "%d  %s  %-24s %s\n", n.Sequence, timeText(n.Time.Unix()), printable(what), printable(about))
	return err
}
