package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/wallet"
)

// appointment is the auditor whom a proposal would appoint.
type appointment struct {
	Address   string   `json:"address"`
	Hospitals []uint64 `json:"hospitals"` // none for all
	Until     string   `json:"until"`
}

func (a appointment) rows() [][]string {
	return [][]string{{"auditor", a.Address}, {"sees", hospitalsText(a.Hospitals)}, {"until", a.Until}}
}

// hospitalsText names the hospitals of which an auditor sees what concerns them.
func hospitalsText(hospitals []uint64) string {
	if len(hospitals) == 0 {
		return "the whole log"
	}
	return "what concerns hospitals " + strings.Trim(strings.ReplaceAll(fmt.Sprint(hospitals), " ", ", "), "[]")
}

// appointments are the auditors whom a proposal would appoint.
func appointments(p *consortiumv1.Proposal) ([]appointment, error) {
	var found []appointment
	for _, packed := range p.GetMessages() {
		m := &consortiumv1.MsgAppointAuditor{}
		if !packed.MessageIs(m) {
			continue
		}
		if err := packed.UnmarshalTo(m); err != nil {
			return nil, fmt.Errorf("proposal %d: %w", p.GetNumber(), err)
		}
		found = append(found, appointment{m.GetAuditor(), m.GetHospitals(), rfcTime(time.Unix(m.GetUntil(), 0))})
	}
	return found, nil
}

// proposedAuditor is what the command says.
type proposedAuditor struct {
	proposed
	Appoints appointment `json:"appoints"`
}

// auditorOptions say whom to propose.
type auditorOptions struct {
	staffOptions
	hospitals []uint64
}

// proposeAuditor asks the members to appoint somebody, with a key in the home's key store unless an address is given.
func proposeAuditor(ctx context.Context, u *user, a auditorOptions) (proposedAuditor, error) {
	var done proposedAuditor
	err := withKey(u, &a.staffOptions, func() (err error) {
		done.Proposal, err = u.client.ProposeAuditor(ctx, a.Address, a.hospitals, time.Unix(a.Until, 0))
		return err
	})
	done.Appoints = appointment{a.Address, a.hospitals, rfcTime(time.Unix(a.Until, 0))}
	return done, err
}

func proposeAuditorCommand() *cobra.Command {
	var address, until string
	var hospitals []uint
	cmd := &cobra.Command{
		Use: "auditor NAME --until DATE", Short: "ask the hospitals to have somebody see their log until a day", Args: exactArgs("a name"),
		Long: "Ask the hospitals to appoint an auditor, who sees the whole log until a day, or with --hospitals what concerns those hospitals.\n" +
			"The next appointment of an account replaces the one before; an auditor whom a hospital's admin registered becomes one of all hospitals.\n\n" +
			"A key of this name is made in the home's key store, unless the address of a key that the person keeps is given.",
		Example: "  phrd hospital propose auditor revision --until 2027-12-31 --address phrd1…\n  phrd hospital propose auditor north --hospitals 1,3 --until 2027-06-30",
		RunE: func(cmd *cobra.Command, args []string) error {
			options := auditorOptions{staffOptions: staffOptions{Name: args[0], Address: address}}
			var err error
			if options.Until, err = parseTime(until); err != nil {
				return err
			}
			if options.Until == 0 {
				return usage("--until: when does the role end?")
			}
			if address != "" {
				if _, err := wallet.ParseAddress(address); err != nil {
					return usage("%v", err)
				}
			}
			for _, hospital := range hospitals {
				options.hospitals = append(options.hospitals, uint64(hospital))
			}
			slices.Sort(options.hospitals)
			options.hospitals = slices.Compact(options.hospitals)
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				asked, err := proposeAuditor(ctx, u, options)
				if err != nil {
					return err
				}
				return o.print(asked, nil, append(asked.rows(), asked.Appoints.rows()...))
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().StringVar(&address, "address", "", "address of a key that is kept elsewhere")
	cmd.Flags().StringVar(&until, "until", "", "when the role ends: 2027-12-31 or 2027-12-31T08:00:00Z")
	cmd.Flags().UintSliceVar(&hospitals, "hospitals", nil, "numbers of the hospitals whose log the auditor sees; all without it")
	return cmd
}

func proposeNoAuditorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "no-auditor NAME|ADDRESS", Short: "ask to end the role of an auditor whom the hospitals appointed", Args: exactArgs("a name or an address"),
		Example: "  phrd hospital propose no-auditor phrd1…",
		RunE: func(cmd *cobra.Command, args []string) error {
			return proposes(cmd, func(ctx context.Context, u *user) (uint64, error) {
				address, err := addressOf(u.store, args[0])
				if err != nil {
					return 0, err
				}
				return u.client.ProposeNoAuditor(ctx, address)
			})
		},
	}
	userFlags(cmd)
	return cmd
}
