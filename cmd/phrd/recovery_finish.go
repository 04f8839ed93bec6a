package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/phr"
)

// proposedRecovery is what `recovery propose` says.
type proposedRecovery struct {
	Recovery uint64 `json:"recovery"`
	Patient  string `json:"patient"`
	Address  string `json:"address"`
	Home     string `json:"home"`
}

// proposeRecovery opens the account of an invited person in a new home and asks to take the place of a patient's lost wallet.
func proposeRecovery(ctx context.Context, j joinOptions, q phr.RecoveryRequest) (p proposedRecovery, err error) {
	if _, err := os.Stat(vaultPath(j.Home)); err == nil {
		return p, fmt.Errorf("home %q is a patient's already: a recovery begins in a new home", j.Home)
	}
	store, err := patientKeys(j.Home, j.Passphrase)
	if err != nil {
		return p, err
	}
	key, err := store.Account(patientAccount)
	if errors.Is(err, keys.ErrNotFound) {
		key, err = store.NewAccount(patientAccount)
	}
	if err != nil {
		return p, fmt.Errorf("account %q: %w", patientAccount, err)
	}
	config := j.Invitation.Config(key)
	config.Secrets = store
	client, err := phr.Dial(ctx, config)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	file := clientFile{
		Gateway: config.Gateway, Fingerprint: config.Fingerprint, ChainID: config.ChainID, NetworkID: hex.EncodeToString(config.Network[:]), Others: config.Others,
	}
	if err := file.write(j.Home); err != nil {
		return p, err
	}
	if err := openAccount(ctx, client, j.Invitation); err != nil {
		return p, err
	}
	number, err := client.ProposeRecovery(ctx, q)
	return proposedRecovery{number, q.Patient, client.Address(), j.Home}, err
}

func recoveryProposeCommand() *cobra.Command {
	var text, wait, until string
	cmd := &cobra.Command{
		Use: "propose PATIENT", Short: "ask, in a new home, to take the place of a patient's lost wallet", Args: exactArgs("a patient number"),
		Example: "  phrd recovery propose 3ZQK… --invitation phrd1eyJ… --home ~/alice-new",
		Long: "Ask to take the place of a lost wallet, in a home that is new. A hospital that has seen who you are invites you as it does a new patient, and\n" +
			"tells you your patient number. Your guardians approve it, or where you have named none, officers of two hospitals; after the delay\n" +
			"`phrd recovery finish` makes you yourself again. Whoever still has the old wallet sees it at once and can cancel it.\n\n" +
			"Whose wallet was somebody else's takes it over in the same way: a child that has come of age, or an adult who had a representative. Officers\n" +
			"of two hospitals approve it then. Who is to act for a patient says until when, by --until: parents who lost a child's wallet, as long as\n" +
			"the hand-over says, or a representative of an adult who can't decide.",
		RunE: func(cmd *cobra.Command, args []string) error {
			invitation, err := phr.ParseInvitation(text)
			if err != nil {
				return err
			}
			span, err := parseLifetime(wait)
			if err != nil {
				return err
			}
			q := phr.RecoveryRequest{Patient: args[0], Wait: span}
			if until != "" {
				if q.Until, err = parseMonth(until); err != nil {
					return err
				}
			}
			options, err := userOptionsOf(cmd)
			if err != nil {
				return err
			}
			_, missing := os.Stat(filepath.Join(options.Home, "keys"))
			passphrase, err := options.passphrase(missing != nil)
			if err != nil {
				return err
			}
			defer clear(passphrase)
			p, err := proposeRecovery(cmd.Context(), joinOptions{Home: options.Home, Passphrase: passphrase, Invitation: invitation}, q)
			if err != nil {
				return err
			}
			return newOutput(cmd).print(p, nil, [][]string{
				{"recovery", strconv.FormatUint(p.Recovery, 10)}, {"patient", p.Patient}, {"account", p.Address}, {"home", p.Home},
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().StringVar(&text, "invitation", "", "invitation that opens the account")
	cmd.Flags().StringVar(&wait, "wait", "14d", "how long approvals may take beside the delay, at most 30d")
	cmd.Flags().StringVar(&until, "until", "", "month before which you act for the patient, such as 2031-05; without it you are the patient")
	return cmd
}

// finishedRecovery is what `recovery finish` says.
type finishedRecovery struct {
	Recovery     uint64 `json:"recovery"`
	Patient      string `json:"patient"`
	Address      string `json:"address"`
	Vault        string `json:"vault"`
	Epoch        uint64 `json:"epoch"`
	Revision     uint64 `json:"revision"`
	RecoveryCode string `json:"recovery_code,omitempty"` // none where an earlier try has shown it
	leftPepper
}

// finishRecovery makes the account of a home the patient's wallet. It can be repeated after it was cut short. words gives the recovery
// code where hospitals approved, nil for an empty vault; show is given the next one before anything is sent.
func finishRecovery(ctx context.Context, u *user, number uint64, words func() (string, error), show func(code string) error) (finishedRecovery, error) {
	r, err := u.client.Recovery(ctx, number)
	if err != nil {
		return finishedRecovery{}, err
	}
	next, err := readVaultAt(nextVaultPath(u.home))
	if err == nil && r.Status == accessv1.RecoveryStatus_RECOVERY_STATUS_FINISHED {
		return placeRecovered(ctx, u, number, phr.VaultFile{Revision: next.Revision - 1}, next, "")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return finishedRecovery{}, err
	}
	if err := r.Ready(); err != nil {
		return finishedRecovery{}, err
	}
	former, prepared, err := recoveredVault(ctx, u, r, words)
	if err != nil {
		return finishedRecovery{}, err
	}
	if err := writeJSONFile(nextVaultPath(u.home), prepared.File); err != nil {
		return finishedRecovery{}, err
	}
	if err := show(prepared.Code); err != nil {
		return finishedRecovery{}, err
	}
	return placeRecovered(ctx, u, number, former, prepared.File, prepared.Code)
}

// recoveredVault opens the vault of a recovery that is ready and makes the next one, or without words an empty one.
func recoveredVault(ctx context.Context, u *user, r phr.Recovery, words func() (string, error)) (phr.VaultFile, *phr.PreparedVault, error) {
	if words == nil {
		return u.client.PrepareEmptyVault(ctx, r.GetNumber(), phr.DefaultSite)
	}
	change := phr.VaultChange{NewKey: true, Site: phr.DefaultSite}
	code := ""
	if !r.IsByGuardians() {
		// Guardians that there are were somebody else's choice.
		change.Guardians = &phr.Guardians{}
		var err error
		if code, err = words(); err != nil {
			return phr.VaultFile{}, nil, err
		}
	}
	former, err := u.client.ReadyVault(ctx, r.GetNumber(), code)
	if err != nil {
		return former, nil, err
	}
	if change.Wallet, err = u.store.Account(u.name); err != nil {
		return former, nil, fmt.Errorf("account %q: %w", u.name, err)
	}
	prepared, err := u.client.PrepareVault(ctx, former, change)
	return former, prepared, err
}

// placeRecovered brings the next vault to the network and puts it in its place in the home.
func placeRecovered(ctx context.Context, u *user, number uint64, former, next phr.VaultFile, code string) (finishedRecovery, error) {
	if _, err := u.client.FinishRecovery(ctx, number, former, next); err != nil {
		return finishedRecovery{}, err
	}
	if err := os.Rename(nextVaultPath(u.home), vaultPath(u.home)); err != nil {
		return finishedRecovery{}, err
	}
	return finishedRecovery{number, next.Patient, next.Address, next.Vault, next.Epoch, next.Revision, code, leavePepper(ctx, u.client, next)}, nil
}

func recoveryFinishCommand() *cobra.Command {
	var empty bool
	cmd := &cobra.Command{
		Use: "finish RECOVERY", Short: "take the place of the lost wallet, once it is approved and the delay is over", Args: exactArgs("a recovery"),
		Example: "  phrd recovery finish 7 --home ~/alice-new\n  phrd vault relock --all --home ~/alice-new",
		Long: "Take the place of the lost wallet. What the guardians gave and the network's half open the vault, or where hospitals approved the\n" +
			"recovery code, which is asked for or read from the standard input. The vault gets another key and another recovery code, which is shown once.\n\n" +
			"Where nobody has the recovery code any more, --empty makes a vault with another key: the account is yours, what is stored from then on\n" +
			"opens, and what was stored before stays shut.\n\n" +
			"Afterwards lock all records anew, so that nobody who finds the old wallet or computer opens them: `phrd vault relock --all`.",
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := parseNumber("a recovery", args[0])
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				words := func() (string, error) { return readWords(cmd.InOrStdin(), o) }
				if empty {
					words = nil
				}
				f, err := finishRecovery(ctx, u, number, words, func(code string) error { return showCode(o, code) })
				if err != nil {
					return err
				}
				if !empty {
					o.note("now lock your records anew: phrd vault relock --all")
				}
				return o.print(f, nil, [][]string{{"patient", f.Patient}, {"account", f.Address}, {"vault", fmt.Sprintf("%s, epoch %d", f.Vault, f.Epoch)}})
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().BoolVar(&empty, "empty", false, "give up what was stored before: nobody has the recovery code")
	return cmd
}
