package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/wallet"
)

// proposalView is a proposal with its votes.
type proposalView struct {
	Proposal json.RawMessage   `json:"proposal"`
	Votes    []json.RawMessage `json:"votes"`
	// Admits are the fingerprints of the hospitals that it would admit.
	Admits []fingerprint `json:"admits,omitempty"`
	// Appoints are the auditors whom it would appoint.
	Appoints []appointment `json:"appoints,omitempty"`
}

func hospitalProposalsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "proposals [NUMBER]", Short: "list what the hospitals voted or vote on, or show one proposal and its votes", Args: atMostOne,
		Example: "  phrd hospital proposals\n  phrd hospital proposals 7",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if len(args) == 1 {
					return showProposal(ctx, u, o, args[0])
				}
				proposals, err := u.client.Proposals(ctx)
				if err != nil {
					return err
				}
				rows := make([][]string, len(proposals))
				for i, p := range proposals {
					rows[i] = proposalRow(p)
				}
				return o.print(protosJSON(proposals), proposalHeader, rows)
			})
		},
	}
	userFlags(cmd)
	return cmd
}

var proposalHeader = []string{"NO.", "STATUS", "BY HOSPITAL", "MESSAGES", "CLOSES (UTC)", "FAILURE"}

func proposalRow(p *consortiumv1.Proposal) []string {
	messages := make([]string, len(p.Messages))
	for i, m := range p.Messages {
		messages[i] = m.TypeUrl[strings.LastIndex(m.TypeUrl, ".")+1:]
	}
	return []string{
		strconv.FormatUint(p.Number, 10), strings.ToLower(strings.TrimPrefix(p.Status.String(), "PROPOSAL_STATUS_")), strconv.FormatUint(p.Hospital, 10),
		strings.Join(messages, ", "), timeText(p.ClosesAt), orDash(p.Failure),
	}
}

func showProposal(ctx context.Context, u *user, o *output, text string) error {
	number, err := parseNumber("a proposal", text)
	if err != nil {
		return err
	}
	p, votes, err := u.client.Proposal(ctx, number)
	if err != nil {
		return err
	}
	admitted, err := candidates(p)
	if err != nil {
		return err
	}
	appointed, err := appointments(p)
	if err != nil {
		return err
	}
	if o.json {
		return o.value(proposalView{protoJSON(p), protosJSON(votes), admitted, appointed})
	}
	if err := o.print(nil, proposalHeader, [][]string{proposalRow(p)}); err != nil {
		return err
	}
	for _, hospital := range admitted {
		if err := o.print(nil, nil, hospital.rows()); err != nil {
			return err
		}
	}
	for _, auditor := range appointed {
		if err := o.print(nil, nil, auditor.rows()); err != nil {
			return err
		}
	}
	for _, v := range votes {
		word := "no"
		if v.Accept {
			word = "yes"
		}
		if err := o.line("hospital %d: %s", v.Hospital, word); err != nil {
			return err
		}
	}
	return nil
}

// proposed is what a command that proposes says.
type proposed struct {
	Proposal uint64 `json:"proposal"`
}

func (p proposed) rows() [][]string {
	return [][]string{{fmt.Sprintf("proposal %d is open; admins vote with `phrd hospital vote %d yes`", p.Proposal, p.Proposal)}}
}

// proposes runs a command that asks the hospitals to decide.
func proposes(cmd *cobra.Command, ask func(ctx context.Context, u *user) (uint64, error)) error {
	return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
		number, err := ask(ctx, u)
		if err != nil {
			return err
		}
		return o.print(proposed{number}, nil, proposed{number}.rows())
	})
}

func hospitalProposeCommand() *cobra.Command {
	type propose func(ctx context.Context, u *user, hospital uint64, args []string) (uint64, error)
	command := func(use, short, example string, args cobra.PositionalArgs, run propose) *cobra.Command {
		cmd := &cobra.Command{Use: use, Short: short, Example: example, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
			hospital, err := parseNumber("a hospital", args[0])
			if err != nil {
				return err
			}
			return proposes(cmd, func(ctx context.Context, u *user) (uint64, error) { return run(ctx, u, hospital, args[1:]) })
		}}
		userFlags(cmd)
		return cmd
	}
	return group("propose", "ask the hospitals to decide", hospitalAdmitCommand(),
		command("suspend NUMBER", "ask to take a hospital out of the validators and stop its writing", "  phrd hospital propose suspend 3", exactArgs("the hospital's number"),
			func(ctx context.Context, u *user, hospital uint64, _ []string) (uint64, error) {
				return u.client.ProposeSuspension(ctx, hospital)
			}),
		command("remove NUMBER", "ask to remove a suspended hospital for good, whatever it held", "  phrd hospital propose remove 3", exactArgs("the hospital's number"),
			func(ctx context.Context, u *user, hospital uint64, _ []string) (uint64, error) {
				return u.client.ProposeRemoval(ctx, hospital)
			}),
		command("reinstate NUMBER", "ask to end a suspension, or to have a hospital stay that asked to leave", "  phrd hospital propose reinstate 3", exactArgs("the hospital's number"),
			func(ctx context.Context, u *user, hospital uint64, _ []string) (uint64, error) {
				return u.client.ProposeReinstatement(ctx, hospital)
			}),
		command("admin NUMBER ADDRESS", "ask to give a hospital that lost its admins a new one", "  phrd hospital propose admin 3 phrd1…", exactArgs("the hospital's number", "the new admin's address"),
			func(ctx context.Context, u *user, hospital uint64, args []string) (uint64, error) {
				if _, err := wallet.ParseAddress(args[0]); err != nil {
					return 0, usage("%v", err)
				}
				return u.client.ProposeAdmin(ctx, hospital, args[0])
			}),
		proposeAuditorCommand(), proposeNoAuditorCommand(),
		proposeReshareCommand(), proposeKeyCommand(), proposeRecoveriesCommand(), proposePagesCommand(), proposeUpgradeCommand(), proposeNoUpgradeCommand(),
	)
}

func hospitalVoteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "vote PROPOSAL yes|no", Short: "cast the hospital's one vote", Args: exactArgs("the proposal's number", "yes or no"),
		Example: "  phrd hospital vote 7 yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := parseNumber("a proposal", args[0])
			if err != nil {
				return err
			}
			if args[1] != "yes" && args[1] != "no" {
				return usage("%q: vote yes or no", args[1])
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if err := u.client.Vote(ctx, number, args[1] == "yes"); err != nil {
					return err
				}
				return showProposal(ctx, u, o, args[0])
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func hospitalWithdrawCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "withdraw PROPOSAL", Short: "take back an open proposal of your own", Args: exactArgs("the proposal's number"),
		Example: "  phrd hospital withdraw 7",
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := parseNumber("a proposal", args[0])
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if err := u.client.WithdrawProposal(ctx, number); err != nil {
					return err
				}
				return showProposal(ctx, u, o, args[0])
			})
		},
	}
	userFlags(cmd)
	return cmd
}
