package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/phr"
)

// errNotAgreed says that the patient did not say yes.
var errNotAgreed = errors.New("not agreed: you did not say yes")

// emergencyStatus reads the word of a status; none matches all.
func emergencyStatus(word string) (accessv1.EmergencyStatus, error) {
	if word == "" {
		return accessv1.EmergencyStatus_EMERGENCY_STATUS_UNSPECIFIED, nil
	}
	status, known := accessv1.EmergencyStatus_value["EMERGENCY_STATUS_"+strings.ToUpper(word)]
	if !known || status == 0 {
		return 0, usage("--status %q: want requested, approved, released or ended", word)
	}
	return accessv1.EmergencyStatus(status), nil
}

// agreementView is what a patient agreed to, as the commands print it.
type agreementView struct {
	Patient   string   `json:"patient"`
	InForce   bool     `json:"in_force"`
	Approvals uint32   `json:"approvals"`
	Delay     string   `json:"delay"`
	Hospitals []uint64 `json:"hospitals"` // none stands for all
	// Who together could open without any entry in the log; 0 where nothing is sealed.
	EmergencyShares uint64   `json:"emergency_shares"`
	RecordsShares   uint64   `json:"records_shares"`
	Vaults          []uint64 `json:"vaults"`
	Sealed          int      `json:"sealed_anew"`
}

// rows show an agreement; unseen says in one sentence who could open without anybody's knowing.
func (v agreementView) rows() [][]string {
	of := "all"
	if len(v.Hospitals) > 0 {
		of = strings.Trim(fmt.Sprint(v.Hospitals), "[]")
	}
	rows := [][]string{
		{"in force", strconv.FormatBool(v.InForce)}, {"approvals", strconv.FormatUint(uint64(v.Approvals), 10)}, {"delay", v.Delay}, {"hospitals", of},
	}
	if v.EmergencyShares > 0 {
		rows = append(rows, []string{"unseen by", fmt.Sprintf("%d hospitals that break the rules together, one of them with an emergency vault (%s)",
			max(v.EmergencyShares, v.RecordsShares), strings.Trim(fmt.Sprint(v.Vaults), "[]"))})
	}
	return rows
}

// agreement reads what a patient agreed to, and who could open unseen.
func agreement(ctx context.Context, c *phr.Client, patient string) (agreementView, error) {
	agreed, err := c.EmergencyTerms(ctx, patient)
	if err != nil {
		return agreementView{}, err
	}
	t := agreed.GetTerms()
	v := agreementView{
		Patient: patient, InForce: t.GetEnabledAt() != 0 && t.GetDisabledAt() == 0, Approvals: t.GetApprovals(),
		Delay: (time.Duration(min(t.GetDelay(), 1<<20)) * time.Second).String(), Hospitals: append([]uint64{}, t.GetHospitals()...),
	}
	unseen, err := c.Unseen(ctx, patient)
	v.EmergencyShares, v.RecordsShares, v.Vaults = unseen.Emergency, unseen.Records, append([]uint64{}, unseen.Vaults...)
	return v, err
}

func emergencyEnableCommand() *cobra.Command {
	a := phr.EmergencyAgreement{}
	var hospitals []uint
	var yes bool
	cmd := &cobra.Command{
		Use: "enable", Short: "agree that your records are opened when you can't answer",
		Long: "Agree, once, that a clinician may open your records when you can't answer: after so many other hospitals approved it, and after a delay in\n" +
			"which you can stop it. You are told of every step, it ends by itself, and another hospital's officer reviews it. Without it nobody can\n" +
			"open your records in an emergency, not even all hospitals together.\n\n" +
			"With it, so many hospitals as the command shows could open them without a trace if they broke the rules together. What is stored from now\n" +
			"on is sealed for it; what is there already is sealed anew at the end of this command, and `phrd emergency seal` goes on if it is cut.",
		Example: "  phrd emergency enable --approvals 2 --delay 10m\n  phrd emergency enable --approvals 2 --delay 30m --hospital 1,2,3,5 --yes",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, n := range hospitals {
				a.Hospitals = append(a.Hospitals, uint64(n))
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				return enableEmergency(ctx, cmd.InOrStdin(), u, o, a, yes)
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().Uint32Var(&a.Approvals, "approvals", 2, "how many other hospitals must approve, 2 to 8")
	cmd.Flags().DurationVar(&a.Delay, "delay", 10*time.Minute, "time between the last approval and the opening, 10s to 24h")
	cmd.Flags().UintSliceVar(&hospitals, "hospital", nil, "numbers of the hospitals that may approve; all without it")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask; for programs that showed it themselves")
	return cmd
}

// enableEmergency asks, signs the agreement, and seals what is there already.
func enableEmergency(ctx context.Context, in io.Reader, u *user, o *output, a phr.EmergencyAgreement, yes bool) error {
	who, err := u.client.Principal(ctx)
	if err != nil {
		return err
	}
	vault, err := u.vault(ctx)
	if err != nil {
		return err
	}
	if !yes {
		f, ok := in.(*os.File)
		if !ok || !term.IsTerminal(int(f.Fd())) || o.json {
			return usage("nobody to ask here: agree with --yes")
		}
		if err := askYes(ctx, in, o, "Let them open your records when you can't answer? Type yes: ", errNotAgreed); err != nil {
			return err
		}
	}
	if _, err := u.client.EnableEmergency(ctx, a); err != nil {
		return err
	}
	done, err := sealEmergency(ctx, u.client, vault, o, false)
	if err != nil {
		return fmt.Errorf("you agreed; `phrd emergency seal` goes on with sealing what is there: %w", err)
	}
	v, err := agreement(ctx, u.client, who.Patient)
	if err != nil {
		return err
	}
	v.Sealed = done
	return o.print(v, nil, append(v.rows(), []string{"sealed anew", strconv.Itoa(done)}))
}

// sealEmergency brings the boxes of what is there in line with what the patient agreed to.
func sealEmergency(ctx context.Context, c *phr.Client, vault *phr.Vault, o *output, again bool) (int, error) {
	return c.SealEmergency(ctx, vault, again, func(done int) { o.note("%d versions sealed anew", done) })
}

func emergencyDisableCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "disable", Short: "take back that your records are opened when you can't answer",
		Long: "Take your agreement back: from this block on the network refuses, and emergencies that wait or are open end. What was sealed for emergencies\n" +
			"is sealed anew without at the end of this command. Until that is done for a record, opening it is refused, not impossible.",
		Example: "  phrd emergency disable",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				vault, err := u.vault(ctx)
				if err != nil {
					return err
				}
				if _, err := u.client.DisableEmergency(ctx); err != nil {
					return err
				}
				done, err := sealEmergency(ctx, u.client, vault, o, false)
				if err != nil {
					return fmt.Errorf("it is taken back; `phrd emergency seal` goes on with sealing what is there: %w", err)
				}
				return o.print(granted{Sealed: done}, nil, [][]string{{"sealed anew", strconv.Itoa(done)}})
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func emergencySealCommand() *cobra.Command {
	var again bool
	cmd := &cobra.Command{
		Use: "seal", Short: "seal what is there already as you agreed to, or no more",
		Long: "Seal versions that were stored before you agreed to emergencies for them, and those without that you took it back for. It goes on where it was\n" +
			"cut, and leaves alone what is sealed as it should be. After hospitals came, left or changed their emergency vaults, --again seals all.",
		Example: "  phrd emergency seal\n  phrd emergency seal --again",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				vault, err := u.vault(ctx)
				if err != nil {
					return err
				}
				done, err := sealEmergency(ctx, u.client, vault, o, again)
				if err != nil {
					return err
				}
				return o.print(granted{Sealed: done}, nil, [][]string{{"sealed anew", strconv.Itoa(done)}})
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().BoolVar(&again, "again", false, "also those that have a box")
	return cmd
}

func emergencyShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show [EMERGENCY|PATIENT]", Short: "show an emergency, or what a patient agreed to and who could open unseen",
		Example: "  phrd emergency show\n  phrd emergency show 5f1c…\n  phrd emergency show 9XYZ…",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("which emergency or patient?")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if len(args) == 1 && len(args[0]) == emergencyDigits {
					e, err := u.client.Emergency(ctx, args[0])
					if err != nil {
						return err
					}
					v := viewEmergency(e)
					v.Raw = protoJSON(e.Emergency)
					return o.print(v, nil, v.rows())
				}
				who, err := u.client.Principal(ctx)
				if err != nil {
					return err
				}
				patient := who.Patient
				if len(args) == 1 {
					patient = args[0]
				}
				if patient == "" {
					return usage("which emergency or patient?")
				}
				v, err := agreement(ctx, u.client, patient)
				if err != nil {
					return err
				}
				return o.print(v, nil, v.rows())
			})
		},
	}
	userFlags(cmd)
	return cmd
}

// emergencyDigits is the length of an emergency's id in hex.
const emergencyDigits = 64
