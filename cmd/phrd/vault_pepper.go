package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/phr"
)

func vaultPepperCommand() *cobra.Command {
	return group("pepper", "what the wallet needs beside its signature to open your vault, and the hospital that keeps it for another computer",
		pepperShowCommand(), pepperDepositCommand(), pepperDeleteCommand(), pepperAdmitCommand())
}

// leftPepper says with whom the pepper of a vault was left, where it has one.
type leftPepper struct {
	PepperAt    string `json:"pepper_at,omitempty"`    // gateway of the hospital that keeps it
	PepperFault string `json:"pepper_fault,omitempty"` // why it could not be left
}

// leavePepper leaves the pepper of a vault with the hospital of the home's gateway. The vault is what it is also where that fails, so a fault
// is told and ends nothing: `vault pepper deposit` does it later.
func leavePepper(ctx context.Context, c *phr.Client, f phr.VaultFile) leftPepper {
	if !slices.ContainsFunc(f.Slots, func(s phr.VaultSlot) bool { return s.Kind == "wallet" }) {
		return leftPepper{}
	}
	at, err := c.DepositPepper(ctx, f)
	if err != nil {
		return leftPepper{PepperFault: err.Error()}
	}
	return leftPepper{PepperAt: at.Gateway}
}

func (l leftPepper) rows() [][]string {
	switch {
	case l.PepperFault != "":
		return [][]string{{"pepper", "kept on this computer alone: " + l.PepperFault}, {"to do", "phrd vault pepper deposit"}}
	case l.PepperAt != "":
		return [][]string{{"pepper", "kept by " + l.PepperAt}}
	}
	return nil
}

// pepperView is what `vault pepper show` says.
type pepperView struct {
	phr.KeptPepper
	Kept bool `json:"kept"`
}

func (v pepperView) rows() [][]string {
	if !v.Kept {
		return [][]string{{"kept by", "no hospital"}, {"to do", "phrd vault pepper deposit"}}
	}
	var ways []string
	for _, w := range v.Ways {
		ways = append(ways, w.Way)
	}
	rows := [][]string{{"kept by", doorText(v.At)}, {"slot", v.Slot}, {"given to who has", "your wallet and your " + strings.Join(ways, ", or ")}}
	for _, t := range []struct {
		what string
		at   *time.Time
	}{{"locked until", v.LockedUntil}, {"admitted until", v.AdmittedUntil}} {
		if t.at != nil {
			rows = append(rows, []string{t.what, timeText(t.at.Unix())})
		}
	}
	return rows
}

// doorText names a hospital, and its gateway.
func doorText(d phr.Door) string {
	if d.Name == "" {
		return d.Gateway
	}
	return fmt.Sprintf("%s (%s)", d.Name, d.Gateway)
}

func pepperShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show", Short: "show which hospital keeps your pepper, and who may collect it", Args: exactArgs(), Example: "  phrd vault pepper show",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				file, err := u.vaultFile(ctx)
				if err != nil {
					return err
				}
				kept, err := u.client.KeptPepper(ctx, file)
				if err != nil && !errors.Is(err, phr.ErrNotFound) {
					return err
				}
				v := pepperView{kept, err == nil}
				return o.print(v, nil, v.rows())
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func pepperDepositCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "deposit", Short: "leave your pepper with the hospital of your gateway", Args: exactArgs(), Example: "  phrd vault pepper deposit",
		Long: "Leave the pepper of your vault with the hospital whose gateway this home uses, so that your wallet opens the vault on another computer too.\n" +
			"The hospital gives it to who has your wallet and the 24 words, or a passkey of your vault, or to you in person; never for the wallet alone.\n" +
			"The pepper opens nothing without your wallet. This happens by itself when a vault is made or written anew; the command is for vaults of\n" +
			"before, whose words it asks for, and for when it was cut short.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				file, err := u.vaultFile(ctx)
				if err != nil {
					return err
				}
				if !slices.ContainsFunc(file.Slots, func(s phr.VaultSlot) bool { return len(s.Collect) > 0 }) {
					words, err := readWords(cmd.InOrStdin(), o)
					if err != nil {
						return err
					}
					if file, err = file.WithCode(words); err != nil {
						return err
					}
					if err := writeJSONFile(vaultPath(u.home), file); err != nil {
						return err
					}
				}
				at, err := u.client.DepositPepper(ctx, file)
				if err != nil {
					return err
				}
				left := leftPepper{PepperAt: at.Gateway}
				return o.print(left, nil, left.rows())
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func pepperDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete", Short: "have the hospital delete your pepper for good", Args: exactArgs(), Example: "  phrd vault pepper delete",
		Long: "Have the hospital that keeps your pepper delete it for good: your wallet opens the vault on computers that have the pepper, and on no other,\n" +
			"whoever has the words. Backups of the hospital may hold it until they are gone; `phrd vault rotate --same-key` makes it useless at once.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				file, err := u.vaultFile(ctx)
				if err != nil {
					return err
				}
				at, err := u.client.DeletePepper(ctx, file)
				if err != nil {
					return err
				}
				return o.print(at, nil, [][]string{{"deleted at", doorText(at)}})
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func pepperAdmitCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "admit PATIENT", Short: "let a patient whose papers you have seen collect the pepper that your hospital keeps, once", Args: exactArgs("a patient number"),
		Example: "  phrd vault pepper admit 3ZQK… --from clerk",
		Long: "For clerks and officers. Look at the person's papers first, and that the patient number is theirs: what you do stands in the patient's log\n" +
			"with your name. The word is shown once and is good for a quarter of an hour. The patient types it on their own computer, where their\n" +
			"wallet is: `phrd patient recover --in-person WORD`. Nobody collects anything with the word alone.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				a, err := u.client.AdmitPepper(ctx, args[0])
				if err != nil {
					return err
				}
				return o.print(a, nil, [][]string{{"word", a.Word}, {"until", timeText(a.ExpiresAt.Unix())}})
			})
		},
	}
	userFlags(cmd)
	return cmd
}
