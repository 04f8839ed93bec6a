package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/x/consortium"
)

// admission is what `hospital propose admit` says.
type admission struct {
	Proposal    uint64      `json:"proposal,omitempty"` // none with --show
	Fingerprint fingerprint `json:"fingerprints"`
}

func hospitalAdmitCommand() *cobra.Command {
	var show bool
	cmd := &cobra.Command{
		Use: "admit MEMBER.JSON", Short: "ask to admit a hospital to the network", Args: exactArgs("the member.json"),
		Long: "Ask the hospitals to admit another one, by the member.json that `phrd init` made there. Whoever can replace the file on its way to\n" +
			"you can have another machine admitted: look at it with --show first, and compare what it prints with the hospital by another way\n" +
			"than you got the file, such as the telephone. Whoever votes sees the same with `phrd hospital proposals NUMBER`.\n\n" +
			"The hospital validates from the vote on: have its server run before the vote ends, and admit one at a time.",
		Example: "  phrd hospital propose admit member.json --show\n  phrd hospital propose admit member.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			signed, declaration, err := home.ReadMember(args[0])
			if err != nil {
				return err
			}
			asked := admission{Fingerprint: fingerprintOf(declaration)}
			if show {
				return newOutput(cmd).print(asked, nil, asked.Fingerprint.rows())
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if asked.Proposal, err = u.client.ProposeAdmission(ctx, home.Declared(signed)); err != nil {
					return err
				}
				return o.print(asked, nil, append(proposed{asked.Proposal}.rows(), asked.Fingerprint.rows()...))
			})
		},
	}
	cmd.Flags().BoolVar(&show, "show", false, "show what the file says and ask nothing")
	userFlags(cmd)
	return cmd
}

// candidates are the fingerprints of the hospitals that a proposal would admit, which its voters compare.
func candidates(p *consortiumv1.Proposal) ([]fingerprint, error) {
	var found []fingerprint
	for _, packed := range p.GetMessages() {
		m := &consortiumv1.MsgAdmitMember{}
		if !packed.MessageIs(m) {
			continue
		}
		if err := packed.UnmarshalTo(m); err != nil {
			return nil, fmt.Errorf("proposal %d: %w", p.GetNumber(), err)
		}
		d, err := consortium.ParseDeclaration(m.GetHospital().GetDeclaration())
		if err != nil {
			return nil, fmt.Errorf("proposal %d: %w", p.GetNumber(), err)
		}
		found = append(found, fingerprintOf(d))
	}
	return found, nil
}
