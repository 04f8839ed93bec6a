package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/phr"
)

// leavingSays is what an admin is told who takes the hospital out of the network.
const leavingSays = "Leaving is for good: when others hold all copies that are on your hospital's servers, it stops to validate, no port of another\n" +
	"hospital lets its servers in, and its staff may do nothing more. Until then everything goes on, and the other hospitals may vote to\n" +
	"have it stay. Its name and keys are used up.\n" +
	"Records of patients stay readable: officers of the other hospitals endorse from then on. Records that your hospital owns are locked\n" +
	"for its own officers: nobody opens them after it has left. Export or erase them first."

// leavingView is what `hospital leave` says.
type leavingView struct {
	Copies uint64 `json:"copies"`
}

func hospitalLeaveCommand() *cobra.Command {
	var yes, certificate bool
	cmd := &cobra.Command{
		Use: "leave [NUMBER]", Short: "take your hospital out of the network, or show how a hospital left", Args: atMostOne,
		Long: "Begin to take your hospital out of the network.\n\n" + leavingSays + "\n\n" +
			"With --certificate nothing begins: it shows when a hospital, yours where no number is given, asked to leave, how many copies others\n" +
			"took over, the entry of the log that says that it left, and how an auditor has it proven. The exit code is 3 while it has not left.",
		Example: "  phrd hospital leave\n  phrd hospital leave --certificate 3",
		RunE: func(cmd *cobra.Command, args []string) error {
			var number uint64
			if len(args) == 1 {
				var err error
				if number, err = parseNumber("a hospital", args[0]); err != nil {
					return err
				}
				if !certificate {
					return usage("only your own hospital leaves by you; --certificate shows how another one left")
				}
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if certificate {
					return showLeaving(ctx, u.client, o, number)
				}
				if !yes {
					if err := askToLeave(ctx, cmd.InOrStdin(), o); err != nil {
						return err
					}
				}
				copies, err := u.client.RequestLeave(ctx)
				if err != nil {
					return err
				}
				return o.print(leavingView{copies}, nil, [][]string{
					{fmt.Sprintf("others take over %d copies; keep the servers running until `phrd hospital leave --certificate` says that it has left", copies)},
				})
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&certificate, "certificate", false, "show how a hospital left")
	return cmd
}

// askToLeave says what leaving does and waits for a yes on the terminal.
func askToLeave(ctx context.Context, in io.Reader, o *output) error {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || o.json {
		return usage("nobody to ask here: leave with --yes")
	}
	for _, line := range strings.Split(leavingSays, "\n") {
		o.note("%s", line)
	}
	return askYes(ctx, in, o, "Leave for good? Type yes: ", errStays)
}

// leftView is what `hospital leave --certificate` says.
type leftView struct {
	Member json.RawMessage `json:"member"`
}

func showLeaving(ctx context.Context, c *phr.Client, o *output, number uint64) error {
	if number == 0 {
		who, err := c.Principal(ctx)
		if err != nil {
			return err
		}
		number = who.Hospital
	}
	m, err := c.Member(ctx, number)
	if err != nil {
		return err
	}
	if err := o.print(leftView{protoJSON(m)}, nil, leavingRows(m)); err != nil {
		return err
	}
	if m.GetStatus() != consortiumv1.MemberStatus_MEMBER_STATUS_LEFT {
		return fmt.Errorf("%s is %s: %w", m.GetName(), memberStatus(m.GetStatus()), errNotLeft)
	}
	return nil
}

func leavingRows(m *consortiumv1.Member) [][]string {
	rows := [][]string{{"hospital", fmt.Sprintf("%d, %s", m.GetNumber(), m.GetName())}, {"member since", timeText(m.GetSince())}, {"status", memberStatus(m.GetStatus())}}
	left := m.GetStatus() == consortiumv1.MemberStatus_MEMBER_STATUS_LEFT
	if m.GetLeavingSince() != 0 {
		copies := fmt.Sprintf("%d copies were on its servers; others are taking them over", m.GetHandedOver())
		if left {
			copies = fmt.Sprintf("%d copies were on its servers; others held them all when it left", m.GetHandedOver())
		}
		rows = append(rows, []string{"asked to leave", timeText(m.GetLeavingSince())}, []string{"handed over", copies})
	} else if left {
		rows = append(rows, []string{"removed", "by a vote; what it held was lost, and placed elsewhere where others had it"})
	}
	if left {
		kind := "member_left"
		if m.GetLeavingSince() == 0 {
			kind = "member_removed"
		}
		at := time.Unix(m.GetLeftAt(), 0)
		rows = append(rows, []string{"left", timeText(m.GetLeftAt())}, []string{"entry of the log", strconv.FormatUint(m.GetLeftEntry(), 10)},
			[]string{"its proof", fmt.Sprintf("an auditor's `phrd audit export FILE --kind %s --from-time %s --to-time %s`", kind, rfcTime(at), rfcTime(at.Add(time.Second)))})
	}
	return rows
}
