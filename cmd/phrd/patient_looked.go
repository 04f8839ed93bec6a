package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/phr"
)

// purposes are codes of HL7 v3 ActReason in plain words.
var purposes = map[string]string{
	"TREAT": "treatment", "ETREAT": "emergency treatment", "ERTREAT": "emergency room treatment", "BTG": "emergency", "HPAYMT": "payment",
	"HOPERAT": "running the hospital", "HRESCH": "research", "PUBHLTH": "public health", "PATRQT": "asked for by the patient", "COVERAGE": "insurance",
}

func purposeText(code string) string {
	if words := purposes[code]; words != "" {
		return words + " (" + code + ")"
	}
	return code
}

func patientLookedCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "who-looked [PATIENT]", Short: "list who looked at your records, when, why and for which hospital, newest first", Args: atMostOne,
		Long: "List who looked at your records, when, at how much, for which hospital, for what, and what allowed it, newest first. An attempt that was\n" +
			"refused is listed too. An auditor names the patient by number. `phrd audit export` writes a file that proves it to anybody.",
		Example: "  phrd patient who-looked\n  phrd patient who-looked --limit 5 --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return usage("--limit must be more than 0")
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				who, err := u.client.Principal(ctx)
				if err != nil {
					return err
				}
				number := who.Patient
				if len(args) == 1 {
					number = args[0]
				}
				if number == "" {
					return usage("name the patient by number: this account is a %s", who.Role)
				}
				looks, err := whoLooked(ctx, u.client, number, limit)
				if err != nil {
					return err
				}
				if len(looks) == 0 && !o.json {
					return o.line("nobody has looked")
				}
				return o.print(looks, []string{"WHEN (UTC)", "WHO", "HOSPITAL", "WHAT", "HOW MUCH", "WHY", "ALLOWED BY"}, lookRows(looks, who.Address))
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().IntVar(&limit, "limit", 50, "how many looks")
	return cmd
}

func whoLooked(ctx context.Context, c *phr.Client, patient string, limit int) ([]phr.Look, error) {
	looks := []phr.Look{}
	for look, err := range c.WhoLooked(ctx, patient) {
		if err != nil {
			return nil, err
		}
		if looks = append(looks, look); len(looks) == limit {
			break
		}
	}
	return looks, nil
}

func lookRows(looks []phr.Look, self string) [][]string {
	rows := make([][]string, len(looks))
	for i, l := range looks {
		hospital := "-"
		if l.Hospital != 0 {
			hospital = fmt.Sprintf("%s (%d)", l.HospitalName, l.Hospital)
		}
		what := l.Record
		if l.Version != 0 {
			what = fmt.Sprintf("%s/%d", l.Record, l.Version)
		}
		rows[i] = []string{timeText(l.Until), lookerText(l, self), hospital, what, byteText(l.Bytes), orDash(purposeText(l.Purpose)), allowedText(l)}
	}
	return rows
}

func lookerText(l phr.Look, self string) string {
	switch {
	case l.Actor == self:
		return "you"
	case l.Role == "":
		return "unknown " + l.Actor
	}
	return l.Role + " " + l.Actor
}

// allowedText says what allowed a look, in plain words.
func allowedText(l phr.Look) string {
	if l.Refused != "" {
		return "refused: " + l.Refused
	}
	var by []string
	if l.Emergency != "" {
		by = append(by, "emergency "+l.Emergency)
	}
	if l.Consent != 0 {
		by = append(by, fmt.Sprintf("your consent %d", l.Consent))
	}
	if l.Approved {
		by = append(by, "your approval")
	}
	if len(by) == 0 && l.Unlock != "" {
		by = append(by, "unlock "+l.Unlock[:min(16, len(l.Unlock))])
	}
	if len(by) == 0 {
		return "no unlock: encrypted bytes alone"
	}
	return strings.Join(by, ", ")
}
