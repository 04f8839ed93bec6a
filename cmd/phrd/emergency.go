package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/phr"
)

func emergencyCommand() *cobra.Command {
	return group("emergency", "open records of patients who can't answer, if they agreed to it",
		emergencyEnableCommand(), emergencyDisableCommand(), emergencyShowCommand(), emergencySealCommand(), emergencyRequestCommand(),
		emergencyApproveCommand(), emergencyOpenCommand(), emergencyEndCommand(), emergencyReviewCommand(), emergencyListCommand())
}

// emergencyView is an emergency as the commands print it.
type emergencyView struct {
	ID        string          `json:"emergency"`
	Status    string          `json:"status"`
	Patient   string          `json:"patient"`
	Requester string          `json:"requester"`
	Hospital  uint64          `json:"hospital"`
	Custodian uint64          `json:"custodian"`
	Reason    string          `json:"reason"`
	Approved  []uint64        `json:"approved_by"` // hospitals
	Needed    uint32          `json:"approvals_needed"`
	ReleaseAt *time.Time      `json:"release_at,omitempty"`
	Ends      time.Time       `json:"ends_at"`
	ReviewDue *time.Time      `json:"review_due,omitempty"`
	Finding   string          `json:"finding,omitempty"`
	Raw       json.RawMessage `json:"raw,omitempty"`
}

func viewEmergency(e phr.Emergency) emergencyView {
	v := emergencyView{
		ID: e.GetId(), Status: strings.ToLower(strings.TrimPrefix(e.Status.String(), "EMERGENCY_STATUS_")), Patient: e.GetPatient(), Requester: e.GetRequester(),
		Hospital: e.GetHospital(), Custodian: e.GetCustodian(), Reason: e.GetReason(), Approved: []uint64{}, Needed: e.GetApprovalsNeeded(),
		Ends: time.Unix(e.GetExpiresAt(), 0).UTC(), Finding: e.GetReview().GetFinding(),
	}
	for _, a := range e.GetApprovals() {
		v.Approved = append(v.Approved, a.GetHospital())
	}
	if !e.ReleaseAt.IsZero() {
		v.ReleaseAt = &e.ReleaseAt
	}
	if !e.ReviewDue.IsZero() {
		v.ReviewDue = &e.ReviewDue
	}
	return v
}

// approvals says for people who approved, such as "1 3, 2 needed".
func (v emergencyView) approvals() string {
	text := strings.Trim(fmt.Sprint(v.Approved), "[]")
	return strings.TrimSpace(fmt.Sprintf("%s, %d needed", text, v.Needed))
}

func whenText(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return timeText(t.Unix())
}

func (v emergencyView) rows() [][]string {
	return [][]string{
		{"emergency", v.ID}, {"status", v.Status}, {"patient", v.Patient}, {"asked by", v.Requester}, {"of hospital", strconv.FormatUint(v.Hospital, 10)},
		{"kept by", strconv.FormatUint(v.Custodian, 10)}, {"reason", v.Reason}, {"approved by", v.approvals()}, {"released from", whenText(v.ReleaseAt)},
		{"ends", timeText(v.Ends.Unix())}, {"review until", whenText(v.ReviewDue)}, {"finding", v.Finding},
	}
}

func emergencyRequestCommand() *cobra.Command {
	request := phr.EmergencyRequest{}
	var lifetime string
	cmd := &cobra.Command{
		Use: "request RECORD[/VERSION]...", Short: "ask to open records of a patient who can't answer",
		Long: "Ask to open versions of records, 1 to 64 of one patient in one hospital's keeping, of a patient who agreed to emergencies and can't answer\n" +
			"now. `phrd record list --patient` lists what there is. The patient is told at once; officers of other hospitals approve, as many as the\n" +
			"patient asks for; the patient's delay passes; then `phrd emergency open`. It ends by itself, and somebody else reviews it: until then\n" +
			"you ask for nothing of this patient in an emergency again, and after seven days of nobody's.",
		Example: "  phrd emergency request 7ABC…/1 9DEF… --reason unconscious --from dr-weber",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("which record?")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if request.Lifetime, err = parseLifetime(lifetime); err != nil {
				return err
			}
			if request.Versions, err = parseRefs(args); err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				id, err := u.client.RequestEmergency(ctx, request)
				if err != nil {
					return err
				}
				o.note("waits for officers of other hospitals, then for the patient's delay")
				return o.print(signed{Unlock: id}, nil, [][]string{{id}})
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().StringVar(&request.Purpose, "purpose", "ETREAT", "ETREAT emergency treatment, or BTG break the glass")
	cmd.Flags().StringVar(&request.Reason, "reason", "unconscious", "unconscious, incapacitated, life_threat or unreachable")
	cmd.Flags().StringVar(&lifetime, "for", "12h", "how long it lives, like 90m or at most 48h")
	return cmd
}

// signsEmergency is a command that signs something about an emergency.
func signsEmergency(use, short, long, example string, sign func(ctx context.Context, u *user, id string) (phr.Receipt, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use: use + " EMERGENCY", Short: short, Long: long, Example: example, Args: exactArgs("an emergency"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				receipt, err := sign(ctx, u, args[0])
				if err != nil {
					return err
				}
				s := signed{Unlock: args[0], Height: receipt.Height}
				return o.print(s, nil, [][]string{{s.Unlock, "block " + strconv.FormatInt(s.Height, 10)}})
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func emergencyApproveCommand() *cobra.Command {
	return signsEmergency("approve", "support an emergency of another hospital",
		"Support an emergency as an officer of another hospital than the one that asks. Make sure, over another channel, that the patient is there and\n"+
			"can't answer. `phrd emergency list --status requested` lists what waits. After the last approval that the patient asks for and the\n"+
			"patient's delay, the clinician can open, and your server hands over what your emergency vault opens.",
		"  phrd emergency approve 5f1c… --from officer",
		func(ctx context.Context, u *user, id string) (phr.Receipt, error) {
			return u.client.ApproveEmergency(ctx, id)
		})
}

func emergencyEndCommand() *cobra.Command {
	return signsEmergency("end", "end an emergency at once",
		"End an emergency at once: the patient, who is told of each, an officer of the hospital that keeps the records, or the clinician who asked\n"+
			"and is done. What was opened before stays seen.",
		"  phrd emergency end 5f1c…",
		func(ctx context.Context, u *user, id string) (phr.Receipt, error) { return u.client.Withdraw(ctx, id) })
}

func emergencyReviewCommand() *cobra.Command {
	var finding string
	cmd := signsEmergency("review", "say whether an emergency was justified",
		"Say whether an emergency that ended was justified, as an officer of the hospital that keeps the records or of one that approved, within seven\n"+
			"days. `phrd emergency list --unreviewed` lists what is due. The patient sees the finding.",
		"  phrd emergency review 5f1c… --finding justified",
		func(ctx context.Context, u *user, id string) (phr.Receipt, error) {
			return u.client.ReviewEmergency(ctx, id, finding)
		})
	cmd.Flags().StringVar(&finding, "finding", "", "justified or not_justified")
	return cmd
}

func emergencyListCommand() *cobra.Command {
	var f phr.EmergencyFilter
	var word string
	cmd := &cobra.Command{
		Use: "list", Short: "list emergencies: a patient's, one's own, or for officers all",
		Example: "  phrd emergency list\n  phrd emergency list --status requested --from officer\n  phrd emergency list --unreviewed --from officer",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := emergencyStatus(word)
			if err != nil {
				return err
			}
			f.Status = status
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				who, err := u.client.Principal(ctx)
				if err != nil {
					return err
				}
				switch who.Role {
				case "patient":
					f.Patient = who.Patient
				case "clinician":
					f.Requester = u.client.Address()
				}
				views, rows := []emergencyView{}, [][]string{}
				for e, err := range u.client.Emergencies(ctx, f) {
					if err != nil {
						return err
					}
					v := viewEmergency(e)
					views = append(views, v)
					rows = append(rows, []string{
						v.ID, v.Status, v.Patient, strconv.FormatUint(v.Hospital, 10), v.Reason, v.approvals(), timeText(v.Ends.Unix()), whenText(v.ReviewDue), v.Finding,
					})
				}
				return o.print(views, []string{"EMERGENCY", "STATUS", "PATIENT", "ASKED BY", "REASON", "APPROVED BY", "ENDS (UTC)", "REVIEW UNTIL", "FINDING"}, rows)
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().StringVar(&word, "status", "", "requested, approved, released or ended")
	cmd.Flags().BoolVar(&f.Unreviewed, "unreviewed", false, "those alone that are to be reviewed")
	return cmd
}

func emergencyOpenCommand() *cobra.Command {
	options := openOptions{}
	cmd := &cobra.Command{
		Use: "open EMERGENCY [RECORD/VERSION]", Short: "open a record in an emergency, and write it to a file",
		Long: "Open a version that an emergency names; where it names one only, it need not be named. It waits for the patient's delay and for the\n" +
			"hospitals' shares. `phrd record open --unlock` does the same.",
		Example: "  phrd emergency open 5f1c… 7ABC…/1 -o scan.dcm --wait 15m",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return usage("which emergency, and which version?")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			options.Stdout = cmd.OutOrStdout()
			if len(args) > 1 {
				var err error
				if options.Ref, err = parseRef(args[1]); err != nil {
					return err
				}
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				var err error
				if options.Unlock, err = resolveUnlock(ctx, u.client, args[0]); err != nil {
					return err
				}
				r, err := openRecord(ctx, u.client, options)
				if err != nil || options.Output == "-" {
					return err
				}
				return o.print(r, nil, [][]string{{"file", r.Path}, {"bytes", strconv.FormatUint(r.Bytes, 10)}, {"sha256", r.SHA256}})
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().StringVarP(&options.Output, "output", "o", "", "file to write, - for the standard output")
	cmd.Flags().BoolVar(&options.Force, "force", false, "replace a file")
	cmd.Flags().DurationVar(&options.Timeout, "wait", defaultOpenTime, "wait so long for the delay, the shares and the keys")
	return cmd
}
