package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/phr"
)

func guardianCommand() *cobra.Command {
	return group("guardian", "people who together get your vault back when everything else is lost",
		guardianSetCommand(), guardianShowCommand(), guardianListCommand(), guardianCheckCommand(), guardianApproveCommand(), guardianRemoveCommand())
}

// guardiansView is a patient's guardians as the commands print them.
type guardiansView struct {
	Patient   string    `json:"patient"`
	Guardians []string  `json:"guardians"`
	Threshold uint32    `json:"threshold"`
	Delay     string    `json:"delay"`
	Revision  uint64    `json:"revision"`
	Since     time.Time `json:"since"`
}

func viewGuardians(g *accessv1.Guardians) guardiansView {
	return guardiansView{
		Patient: g.GetPatient(), Guardians: g.GetGuardians(), Threshold: g.GetThreshold(), Delay: spanText(g.GetDelay()), Revision: g.GetRevision(),
		Since: time.Unix(g.GetSince(), 0).UTC(),
	}
}

func (v guardiansView) rows() [][]string {
	rows := [][]string{{"patient", v.Patient}}
	for _, number := range v.Guardians {
		rows = append(rows, []string{"guardian", number})
	}
	return append(rows, []string{"needed", fmt.Sprintf("%d of %d", v.Threshold, len(v.Guardians))}, []string{"delay", v.Delay},
		[]string{"vault", "revision " + strconv.FormatUint(v.Revision, 10)}, []string{"since", timeText(v.Since.Unix())})
}

// spanText is a span of seconds for people.
func spanText(seconds uint64) string {
	const day = 24 * 60 * 60
	if seconds%day == 0 && seconds > 0 {
		return strconv.FormatUint(seconds/day, 10) + "d"
	}
	return (time.Duration(seconds) * time.Second).String() // #nosec G115 -- bounded by the chain
}

func guardianSetCommand() *cobra.Command {
	var threshold uint32
	var delay string
	cmd := &cobra.Command{
		Use: "set PATIENT PATIENT...", Short: "name guardians, and write your vault anew for them",
		Example: "  phrd guardian set 3ZQK… 5FM2… 9X0A… --threshold 2 --delay 14d",
		Long: "Name 2 to 8 patients of the network who together get your vault back when wallet, computer and words are lost. They tell you their\n" +
			"patient numbers. None of them can do anything alone, and all of them together nothing before the delay is over: in that time you\n" +
			"see who asks, and whoever still has your wallet cancels it with `phrd recovery cancel`.\n\n" +
			"The vault is written anew for that and gets another recovery code, which is shown once. Each time it is written anew later, the same\n" +
			"people stay its guardians. As long as there are guardians, hospitals alone recover nobody.",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usage("name at least 2 guardians by their patient numbers")
			}
			span, err := parseLifetime(delay)
			if err != nil {
				return err
			}
			return writeGuardians(cmd, &phr.Guardians{Numbers: args, Threshold: threshold, Delay: span})
		},
	}
	userFlags(cmd)
	cmd.Flags().Uint32Var(&threshold, "threshold", 2, "how many of them are needed, at least 2")
	cmd.Flags().StringVar(&delay, "delay", "7d", "time between the last approval and the release, like 7d; up to 60d")
	return cmd
}

func guardianRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "remove", Short: "have no guardians any more, and write your vault anew without them", Args: exactArgs(),
		Example: "  phrd guardian remove",
		Long: "Write the vault anew without guardians: what they have opens nothing any more. The vault gets another recovery code, which is shown\n" +
			"once. Without guardians, officers of two hospitals can let another wallet take the place of yours, and the words open the vault.",
		RunE: func(cmd *cobra.Command, _ []string) error { return writeGuardians(cmd, &phr.Guardians{}) },
	}
	userFlags(cmd)
	return cmd
}

// writeGuardians writes the vault anew with these guardians.
func writeGuardians(cmd *cobra.Command, g *phr.Guardians) error {
	return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
		change := phr.VaultChange{Site: phr.DefaultSite, Guardians: g}
		r, err := rotateVault(ctx, u, change, func(code string) error { return showCode(o, code) })
		if err != nil {
			return err
		}
		return o.print(r, nil, r.rows())
	})
}

func guardianShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show [PATIENT]", Short: "show your guardians, or those of a patient whose guardian you are", Args: atMostOne,
		Example: "  phrd guardian show",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				who, err := u.client.Principal(ctx)
				if err != nil {
					return err
				}
				number := who.Patient
				if len(args) == 1 {
					number = args[0]
				}
				g, err := u.client.PatientGuardians(ctx, number)
				if errors.Is(err, phr.ErrNotFound) {
					return fmt.Errorf("no guardians are named: %w", err)
				}
				if err != nil {
					return err
				}
				v := viewGuardians(g)
				return o.print(v, nil, v.rows())
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func guardianListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "list the patients whose guardian you are", Args: exactArgs(),
		Example: "  phrd guardian list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				views, rows := []guardiansView{}, [][]string{}
				for g, err := range u.client.Guarded(ctx) {
					if err != nil {
						return err
					}
					v := viewGuardians(g)
					views = append(views, v)
					rows = append(rows, []string{v.Patient, fmt.Sprintf("%d of %d", v.Threshold, len(v.Guardians)), v.Delay, timeText(v.Since.Unix())})
				}
				return o.print(views, []string{"PATIENT", "NEEDED", "DELAY", "SINCE (UTC)"}, rows)
			})
		},
	}
	userFlags(cmd)
	return cmd
}

// checkedGuardian says whether a guardian could help a patient.
type checkedGuardian struct {
	Patient string `json:"patient"`
	Opens   bool   `json:"opens"`
	Fault   string `json:"fault,omitempty"`
}

// errShares says that a guardian's shares do not open.
var errShares = errors.New("a share does not open")

func guardianCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "check [PATIENT]", Short: "check that you could help: that your vault opens your share", Args: atMostOne,
		Example: "  phrd guardian check",
		Long: "Check, for one patient or all whose guardian you are, that your share opens with your vault and fits what the patient's program\n" +
			"committed to. Where it does not, the patient should name the guardians anew. The share itself is shown to nobody.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				checked, err := checkShares(ctx, u, args)
				if err != nil {
					return err
				}
				rows := make([][]string, len(checked))
				var failed error
				for i, c := range checked {
					rows[i] = []string{c.Patient, "opens"}
					if !c.Opens {
						rows[i][1], failed = c.Fault, errShares
					}
				}
				return errors.Join(o.print(checked, []string{"PATIENT", "SHARE"}, rows), failed)
			})
		},
	}
	userFlags(cmd)
	return cmd
}

// checkShares checks the user's share for one patient, or for all.
func checkShares(ctx context.Context, u *user, patients []string) ([]checkedGuardian, error) {
	vault, err := u.vault(ctx)
	if err != nil {
		return nil, err
	}
	if len(patients) == 0 {
		for g, err := range u.client.Guarded(ctx) {
			if err != nil {
				return nil, err
			}
			patients = append(patients, g.GetPatient())
		}
	}
	checked := make([]checkedGuardian, len(patients))
	for i, number := range patients {
		err := u.client.CheckGuardian(ctx, vault, number)
		checked[i] = checkedGuardian{Patient: number, Opens: err == nil}
		if err != nil {
			checked[i].Fault = strings.ReplaceAll(err.Error(), "\n", ": ")
		}
	}
	return checked, nil
}
