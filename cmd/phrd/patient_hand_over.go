package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/phrd/phrd/phr"
)

// parseMonth reads a month, which stands for its first second in UTC, or a time.
func parseMonth(text string) (time.Time, error) {
	for _, layout := range []string{"2006-01", time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("%q is neither a month nor a time: want 2031-05, or 2031-05-17T08:00:00Z", text)
}

// handOverView is what `patient hand-over` says.
type handOverView struct {
	Patient        string    `json:"patient"`
	Until          time.Time `json:"until"`
	Representative bool      `json:"representative"`
	Ended          bool      `json:"ended"`
}

func (v handOverView) rows() [][]string {
	who := "a child's parents"
	if v.Representative {
		who = "a representative"
	}
	return [][]string{{"patient", v.Patient}, {"wallet of", who}, {"until", timeText(v.Until.Unix())}}
}

func viewHandOver(ctx context.Context, c *phr.Client, patient string) (handOverView, error) {
	h, err := c.HandOver(ctx, patient)
	return handOverView{h.GetPatient(), time.Unix(h.GetDue(), 0).UTC(), h.GetRepresentative(), h.GetClosed()}, err
}

func patientHandOverCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "hand-over [MONTH]", Short: "say when a child's wallet ends; without a month, show it", Args: atMostOne,
		Example: "  phrd patient hand-over 2031-05 --home ~/child\n  phrd patient hand-over",
		Long: "Say when a wallet ends that you have for somebody else: your child, who is to decide alone from then on. With the first second of that\n" +
			"month the wallet signs nothing any more, and the consents that it granted end. Your child asks a hospital for an invitation, and takes the\n" +
			"account over: `phrd recovery propose`. Two hospitals look who it is. Give your child the 24 words: with them the old records open.\n\n" +
			"It can be set again, earlier, and never later or taken back. Name a month after the birthday: whoever runs a hospital's server can read it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				who, err := u.client.Principal(ctx)
				if err != nil {
					return err
				}
				if who.Patient == "" {
					return usage("this account is no patient's")
				}
				if len(args) == 1 {
					on, err := parseMonth(args[0])
					if err != nil {
						return err
					}
					if err := confirmHandOver(ctx, cmd, o, on, yes); err != nil {
						return err
					}
					if _, err := u.client.SetHandOver(ctx, on); err != nil {
						return err
					}
				}
				v, err := viewHandOver(ctx, u.client, who.Patient)
				if errors.Is(err, phr.ErrNotFound) {
					o.note("this wallet is the patient's own")
					return nil
				}
				if err != nil {
					return err
				}
				return o.print(v, nil, v.rows())
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask; for programs that showed it themselves")
	return cmd
}

// confirmHandOver asks on the terminal, for nobody can take it back.
func confirmHandOver(ctx context.Context, cmd *cobra.Command, o *output, on time.Time, yes bool) error {
	if yes {
		return nil
	}
	f, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || o.json {
		return usage("nobody to ask here: this can't be taken back; if it is meant so, give --yes")
	}
	o.note("This wallet ends on %s. That can't be taken back.", timeText(on.Unix()))
	return askYes(ctx, f, o, "Type yes: ", errNotConfirmed)
}
