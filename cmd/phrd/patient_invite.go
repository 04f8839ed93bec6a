package main

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/phr"
)

// defaultInvitation is how long an invitation is good for.
const defaultInvitation = "14d"

// invited is what `patient invite` says.
type invited struct {
	Invitation string    `json:"invitation"`
	Key        string    `json:"key"`
	Expires    time.Time `json:"expires"`
}

// invitePatient makes an invitation.
func invitePatient(ctx context.Context, c *phr.Client, lifetime time.Duration) (invited, error) {
	i, err := c.Invite(ctx, lifetime)
	if err != nil {
		return invited{}, err
	}
	return invited{i.String(), hex.EncodeToString(i.Key()), i.Expires.UTC()}, nil
}

func patientInviteCommand() *cobra.Command {
	var lifetime string
	cmd := &cobra.Command{
		Use: "invite", Short: "print an invitation, with which one person becomes a patient",
		Long:    "Print an invitation: one line that is given to one person, on paper, as a QR code or by hand.\nWhoever has the line can use it, once, until it ends. An admin or a clerk invites.",
		Example: "  phrd patient invite --for 3d\n  phrd patient invite --from clerk --json",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			span, err := parseLifetime(lifetime)
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				i, err := invitePatient(ctx, u.client, span)
				if err != nil {
					return err
				}
				o.note("good once, until %s UTC; the person runs: phrd patient join TOKEN", timeText(i.Expires.Unix()))
				return o.print(i, nil, [][]string{{i.Invitation}})
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().StringVar(&lifetime, "for", defaultInvitation, "how long it is good, like 90m, 12h or 14d")
	return cmd
}
