package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/wallet"
)

// publishedVault is the vault of a clinician.
type publishedVault struct {
	Address string `json:"address"`
	Epoch   uint64 `json:"epoch"`
}

func staffVaultCommand() *cobra.Command {
	var rotate bool
	cmd := &cobra.Command{
		Use: "vault", Short: "publish the vault of a clinician, so that patients can consent to have records sealed to it",
		Long: "Make a clinician's vault and publish its public key, once: it does nothing where the network has the key that this home\n" +
			"holds. Patients who consent to this clinician have their records sealed to it. On another device, or with --rotate, another\n" +
			"key takes its place; former ones stay in the home that made them and open what was sealed to them.",
		Example: "  phrd staff vault --from dr-weber",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				publish := u.client.PublishVault
				if rotate {
					publish = u.client.RotateVault
				}
				epoch, err := publish(ctx)
				if err != nil {
					return err
				}
				v := publishedVault{u.client.Address(), epoch}
				return o.print(v, nil, [][]string{{"clinician", v.Address}, {"epoch", strconv.FormatUint(v.Epoch, 10)}})
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().BoolVar(&rotate, "rotate", false, "publish another key in place of the one that the network has")
	return cmd
}

// wardsOf is where somebody works.
type wardsOf struct {
	Address string   `json:"address"`
	Wards   []uint32 `json:"wards"`
}

func staffWardsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "wards ADDRESS [WARD]...", Short: "say at which wards somebody works",
		Long: "Say at which wards a member of staff works, in place of those before; none ends it. Wards are numbers from 1 to 65535 that\n" +
			"mean nothing to others: which number is which ward is written down in the hospital and nowhere in the network.",
		Example: "  phrd staff wards phrd1… 4711 4712",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("whose wards? an address")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := wallet.ParseAddress(args[0]); err != nil {
				return usage("%v", err)
			}
			w := wardsOf{Address: args[0], Wards: []uint32{}}
			for _, text := range args[1:] {
				ward, err := strconv.ParseUint(text, 10, 16)
				if err != nil || ward == 0 {
					return usage("%q is no number of a ward: want 1 to 65535", text)
				}
				w.Wards = append(w.Wards, uint32(ward))
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if err := u.client.UpdateStaff(ctx, w.Address, w.Wards); err != nil {
					return err
				}
				return o.print(w, nil, [][]string{{"address", w.Address}, {"wards", orDash(strings.Join(args[1:], " "))}})
			})
		},
	}
	userFlags(cmd)
	return cmd
}
