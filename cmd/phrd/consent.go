package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/phr"
)

func consentCommand() *cobra.Command {
	return group("consent", "let clinicians open records for a time without asking you again",
		consentGrantCommand(), consentListCommand(), consentShowCommand(), consentSealCommand(), consentWithdrawCommand())
}

// consentView is a consent as the commands print it.
type consentView struct {
	Number    uint64          `json:"number"`
	Status    string          `json:"status"`
	Patient   string          `json:"patient"`
	Hospital  uint64          `json:"hospital"`
	To        string          `json:"to"`
	What      []string        `json:"what"`
	Purpose   string          `json:"purpose"`
	Until     time.Time       `json:"until"`
	UsesADay  uint32          `json:"uses_a_day"`
	Granted   time.Time       `json:"granted_at"`
	Withdrawn *time.Time      `json:"withdrawn_at,omitempty"`
	Raw       json.RawMessage `json:"consent,omitempty"`
}

func viewConsent(c phr.Consent) consentView {
	v := consentView{
		Number: c.GetNumber(), Status: strings.ToLower(strings.TrimPrefix(c.Status.String(), "CONSENT_STATUS_")), Patient: c.GetPatient(),
		Hospital: c.GetHospital(), To: c.To(), What: c.What(), Purpose: c.GetPurpose(), Until: time.Unix(c.GetUntil(), 0).UTC(),
		UsesADay: c.GetUsesADay(), Granted: time.Unix(c.GetGrantedAt(), 0).UTC(),
	}
	if at := c.GetWithdrawnAt(); at != 0 {
		withdrawn := time.Unix(at, 0).UTC()
		v.Withdrawn = &withdrawn
	}
	return v
}

func (v consentView) rows() [][]string {
	rows := [][]string{
		{"consent", strconv.FormatUint(v.Number, 10)}, {"status", v.Status}, {"patient", v.Patient},
		{"hospital", strconv.FormatUint(v.Hospital, 10)}, {"to", v.To}, {"purpose", v.Purpose},
	}
	for _, what := range v.What {
		rows = append(rows, []string{"what", what})
	}
	rows = append(rows, []string{"until", timeText(v.Until.Unix())}, []string{"a day", strconv.FormatUint(uint64(v.UsesADay), 10)}, []string{"granted", timeText(v.Granted.Unix())})
	if v.Withdrawn != nil {
		rows = append(rows, []string{"withdrawn", timeText(v.Withdrawn.Unix())})
	}
	return rows
}

func consentListCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "list", Short: "list consents: a patient's own, or those granted to a clinician",
		Long: "List consents, newest first: for a patient those that were granted, for a clinician those to the account, to the wards\n" +
			"where it works, and to its hospital. Without --all, those that were withdrawn or have ended are left out.",
		Example: "  phrd consent list\n  phrd consent list --all --json",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				status := accessv1.ConsentStatus_CONSENT_STATUS_LIVE
				if all {
					status = accessv1.ConsentStatus_CONSENT_STATUS_UNSPECIFIED
				}
				found, err := u.client.OwnConsents(ctx, status)
				if err != nil {
					return err
				}
				views, rows := make([]consentView, len(found)), make([][]string, len(found))
				for i, c := range found {
					v := viewConsent(c)
					views[i] = v
					rows[i] = []string{
						strconv.FormatUint(v.Number, 10), v.Status, fmt.Sprintf("hospital %d, %s", v.Hospital, v.To), strings.Join(v.What, " "), v.Purpose,
						strconv.FormatUint(uint64(v.UsesADay), 10), timeText(v.Until.Unix()),
					}
				}
				return o.print(views, []string{"CONSENT", "STATUS", "TO", "WHAT", "PURPOSE", "A DAY", "UNTIL (UTC)"}, rows)
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "also those that were withdrawn or have ended")
	return cmd
}

func consentShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show CONSENT", Short: "show a consent", Args: exactArgs("a consent"),
		Example: "  phrd consent show 12",
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := parseNumber("a consent", args[0])
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				c, err := u.client.Consent(ctx, number)
				if err != nil {
					return err
				}
				v := viewConsent(c)
				v.Raw = protoJSON(c.Consent)
				return o.print(v, nil, v.rows())
			})
		},
	}
	userFlags(cmd)
	return cmd
}

// withdrawnConsent is what the end of a consent leaves to be done.
type withdrawnConsent struct {
	Consent uint64    `json:"consent"`
	Height  int64     `json:"height"`
	Relock  []phr.Ref `json:"to_lock_anew"` // versions that are still sealed to who may open them no more
}

func consentWithdrawCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "withdraw CONSENT", Short: "end a consent",
		Long: "End a consent: from this block on it approves nothing, and the unlocks that it approved end. What was opened before stays\n" +
			"seen. Whoever was to open your records still has half of their keys; until they are locked anew, opening them is\n" +
			"refused by the network, not impossible. The versions for which that is due are listed: `phrd vault relock`.",
		Example: "  phrd consent withdraw 12",
		Args:    exactArgs("a consent"),
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := parseNumber("a consent", args[0])
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				vault, err := u.vault(ctx)
				if err != nil {
					return err
				}
				receipt, err := u.client.WithdrawConsent(ctx, number)
				if err != nil {
					return err
				}
				due, err := u.client.RelocksDue(ctx, vault)
				if err != nil {
					return fmt.Errorf("consent %d is withdrawn; `phrd vault relock` finds what is to be locked anew: %w", number, err)
				}
				w := withdrawnConsent{Consent: number, Height: receipt.Height, Relock: append([]phr.Ref{}, due...)}
				rows := [][]string{{"withdrawn", "block " + strconv.FormatInt(w.Height, 10)}}
				for _, ref := range due {
					rows = append(rows, []string{"lock anew", ref.String()})
				}
				if len(due) > 0 {
					o.note("opening these is refused, not impossible, until they are locked anew: phrd vault relock")
				}
				return o.print(w, nil, rows)
			})
		},
	}
	userFlags(cmd)
	return cmd
}
