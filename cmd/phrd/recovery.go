package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/phrd/phrd/phr"
)

func recoveryCommand() *cobra.Command {
	return group("recovery", "let another wallet take the place of one that is lost, or that somebody else has",
		recoveryProposeCommand(), recoveryStatusCommand(), recoveryApproveCommand(), recoveryCancelCommand(), recoveryFinishCommand())
}

// recoveryView is a recovery as the commands print it.
type recoveryView struct {
	Recovery  uint64     `json:"recovery"`
	Status    string     `json:"status"`
	Patient   string     `json:"patient"`
	Account   string     `json:"account"`
	Inviter   uint64     `json:"inviter"` // hospital that invited the account
	By        string     `json:"by"`      // "guardians" or "hospitals"
	Approvals int        `json:"approvals"`
	Needed    uint32     `json:"needed"`
	Delay     string     `json:"delay"`
	Due       *time.Time `json:"due,omitempty"` // when the delay is over
	Expires   time.Time  `json:"expires_at"`
	Until     *time.Time `json:"until,omitempty"` // until when the account acts for the patient
	// MayBeOpened says of one that ended unfinished that hospitals had given their shares: the vault may have been opened.
	MayBeOpened bool `json:"may_be_opened"`
}

func viewRecovery(r phr.Recovery) recoveryView {
	v := recoveryView{
		Recovery: r.GetNumber(), Status: strings.ToLower(strings.TrimPrefix(r.Status.String(), "RECOVERY_STATUS_")), Patient: r.GetPatient(),
		Account: r.GetAccount(), Inviter: r.GetInviter(), By: "hospitals", Approvals: len(r.GetApprovals()), Needed: r.GetNeeded(),
		Delay: spanText(r.GetDelay()), Expires: time.Unix(r.GetExpiresAt(), 0).UTC(), MayBeOpened: r.GetMayBeOpened(),
	}
	if r.IsByGuardians() {
		v.By = "guardians"
	}
	if until := r.Until(); !until.IsZero() {
		v.Until = &until
	}
	if r.GetDue() != 0 {
		due := time.Unix(r.GetDue(), 0).UTC()
		v.Due = &due
	}
	return v
}

func (v recoveryView) rows() [][]string {
	rows := [][]string{
		{"recovery", strconv.FormatUint(v.Recovery, 10)}, {"status", v.Status}, {"patient", v.Patient}, {"account", v.Account},
		{"invited by", "hospital " + strconv.FormatUint(v.Inviter, 10)}, {"approved", fmt.Sprintf("by %d of %d %s", v.Approvals, v.Needed, v.By)}, {"delay", v.Delay},
	}
	if v.Until != nil {
		rows = append(rows, []string{"acts for the patient", "until " + timeText(v.Until.Unix())})
	}
	if v.Due != nil {
		rows = append(rows, []string{"delay over", timeText(v.Due.Unix())})
	}
	if v.MayBeOpened {
		rows = append(rows, []string{"vault", "may have been opened"})
	}
	return append(rows, []string{"ends", timeText(v.Expires.Unix())})
}

func recoveryStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status [RECOVERY]", Short: "show a recovery, or list those that are your business", Args: atMostOne,
		Example: "  phrd recovery status\n  phrd recovery status 7",
		Long: "Show a recovery. Without a number, list them, newest first: a patient sees those of the own wallet and those as a guardian, who asked for\n" +
			"one sees that, and an officer all that are open.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if len(args) == 1 {
					number, err := parseNumber("a recovery", args[0])
					if err != nil {
						return err
					}
					r, err := u.client.Recovery(ctx, number)
					if err != nil {
						return err
					}
					v := viewRecovery(r)
					return o.print(v, nil, v.rows())
				}
				found, err := ownRecoveries(ctx, u.client)
				if err != nil {
					return err
				}
				views, rows := make([]recoveryView, len(found)), make([][]string, len(found))
				for i, r := range found {
					v := viewRecovery(r)
					views[i] = v
					rows[i] = []string{strconv.FormatUint(v.Recovery, 10), v.Status, v.Patient, fmt.Sprintf("%d of %d %s", v.Approvals, v.Needed, v.By), timeText(v.Expires.Unix())}
				}
				return o.print(views, []string{"RECOVERY", "STATUS", "PATIENT", "APPROVED", "ENDS (UTC)"}, rows)
			})
		},
	}
	userFlags(cmd)
	return cmd
}

// ownRecoveries are the recoveries that are the account's business.
func ownRecoveries(ctx context.Context, c *phr.Client) ([]phr.Recovery, error) {
	who, err := c.Principal(ctx)
	if err != nil {
		return nil, err
	}
	filters := []phr.RecoveryFilter{{Patient: who.Patient}, {Guardian: who.Patient}}
	switch {
	case who.Hospital != 0:
		filters = []phr.RecoveryFilter{{Open: true}}
	case who.Patient == "":
		filters = []phr.RecoveryFilter{{Account: who.Address}}
	}
	var found []phr.Recovery
	for _, f := range filters {
		for r, err := range c.Recoveries(ctx, f) {
			if err != nil {
				return nil, err
			}
			found = append(found, r)
		}
	}
	return found, nil
}

// approvedRecovery is what was approved.
type approvedRecovery struct {
	recoveryView
	InvitedBy string   `json:"invited_by"`
	CheckedAt []string `json:"checked_at"`
	Height    int64    `json:"height"`
}

func (a approvedRecovery) rows() [][]string {
	return append(a.recoveryView.rows(), []string{"invited by", a.InvitedBy}, []string{"checked at", strings.Join(a.CheckedAt, " and ")})
}

func guardianApproveCommand() *cobra.Command {
	return approveRecoveryCommand("say that who lost the wallet of a patient is that patient, and give your share",
		"Approve a recovery as a guardian. Speak with the patient first, not only with a message: whoever you approve gets the patient's records when\n"+
			"enough guardians do and the delay is over. The recovery is read from two hospitals and checked; your share is sealed to the account that\n"+
			"asks, and handed in when both hospitals show your approval.")
}

func recoveryApproveCommand() *cobra.Command {
	return approveRecoveryCommand("say that who asks for a wallet is the patient, or is to act for the patient: as an officer, or as a guardian",
		"Approve a recovery: as an officer of a hospital that has seen who the person is, where the patient has no guardians, or somebody else has\n"+
			"the wallet, one officer of each hospital; or as a guardian. Who is to act for the patient shows the court's paper. It is read from two\n"+
			"hospitals and checked, then you are asked.")
}

func approveRecoveryCommand(short, long string) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "approve RECOVERY", Short: short, Long: long, Args: exactArgs("a recovery"),
		Example: "  phrd recovery approve 7\n  phrd guardian approve 7",
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := parseNumber("a recovery", args[0])
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				a, err := approveRecovery(ctx, u, number, func(a approvedRecovery) error {
					if yes {
						return nil
					}
					return askGuardian(ctx, cmd.InOrStdin(), o, a)
				})
				if err != nil {
					return err
				}
				return o.print(a, nil, append([][]string{{"signed", "block " + strconv.FormatInt(a.Height, 10)}}, a.rows()...))
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask; for programs that showed it themselves")
	return cmd
}

// approveRecovery reviews a recovery at two hospitals, asks, and approves it.
func approveRecovery(ctx context.Context, u *user, number uint64, ask func(approvedRecovery) error) (approvedRecovery, error) {
	r, err := u.client.ReviewRecovery(ctx, number)
	if err != nil {
		return approvedRecovery{}, err
	}
	a := approvedRecovery{recoveryView: viewRecovery(r.Recovery), InvitedBy: r.InvitedBy}
	for _, d := range r.Witnesses {
		a.CheckedAt = append(a.CheckedAt, d.Name)
	}
	if err := ask(a); err != nil {
		return a, err
	}
	var vault *phr.Vault
	if r.IsByGuardians() {
		if vault, err = u.vault(ctx); err != nil {
			return a, err
		}
	}
	receipt, err := r.Approve(ctx, vault)
	if err != nil {
		return a, err
	}
	now, err := u.client.Recovery(ctx, number)
	if err != nil {
		return a, err
	}
	a.recoveryView, a.Height = viewRecovery(now), receipt.Height
	return a, nil
}

// askGuardian shows what will be signed and waits for a yes on the terminal.
func askGuardian(ctx context.Context, in io.Reader, o *output, a approvedRecovery) error {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || o.json {
		return usage("nobody to ask here: look at it with `phrd recovery status`, then approve with --yes")
	}
	if err := o.print(nil, nil, a.rows()); err != nil {
		return err
	}
	question := "Have you spoken with this person, and is it the patient? Type yes: "
	if a.Until != nil {
		question = "Have you seen that this person is to act for the patient until then? Type yes: "
	}
	return askYes(ctx, in, o, question, errNotConfirmed)
}

func recoveryCancelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "cancel RECOVERY", Short: "end a recovery before it is finished", Args: exactArgs("a recovery"),
		Example: "  phrd recovery cancel 7",
		Long: "End a recovery: as the patient whose wallet is not lost at all, as who asked for it, or as an officer of the hospital that invited that\n" +
			"account. Where hospitals had given their shares already, the vault may have been opened: then rotate it, `phrd vault rotate`, and lock all\n" +
			"records anew, `phrd vault relock --all`.",
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := parseNumber("a recovery", args[0])
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if _, err := u.client.CancelRecovery(ctx, number); err != nil {
					return err
				}
				r, err := u.client.Recovery(ctx, number)
				if err != nil {
					return err
				}
				v := viewRecovery(r)
				return o.print(v, nil, v.rows())
			})
		},
	}
	userFlags(cmd)
	return cmd
}
