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
	"time"

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
func proposeRecovery(ctx context.Context, j joinOptions, patient string, wait time.Duration) (p proposedRecovery, err error) {
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
	number, err := client.ProposeRecovery(ctx, patient, wait)
	return proposedRecovery{number, patient, client.Address(), j.Home}, err
}

func recoveryProposeCommand() *cobra.Command {
	var text, wait string
	cmd := &cobra.Command{
		Use: "propose PATIENT", Short: "ask, in a new home, to take the place of a patient's lost wallet", Args: exactArgs("a patient number"),
		Example: "  phrd recovery propose 3ZQK… --invitation phrd1eyJ… --home ~/alice-new",
		Long: "Ask to take the place of a lost wallet, in a home that is new. A hospital that has seen who you are invites you as it does a new patient, and\n" +
			"tells you your patient number. Your guardians approve it, or where you have named none, officers of two hospitals; after the delay\n" +
			"`phrd recovery finish` makes you yourself again. Whoever still has the old wallet sees it at once and can cancel it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			invitation, err := phr.ParseInvitation(text)
			if err != nil {
				return err
			}
			span, err := parseLifetime(wait)
			if err != nil {
				return err
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
			p, err := proposeRecovery(cmd.Context(), joinOptions{Home: options.Home, Passphrase: passphrase, Invitation: invitation}, args[0], span)
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
}

// finishRecovery makes the account of a home the patient's wallet. It can be repeated after it was cut short. words gives the recovery
// code where hospitals approved; show is given the next one before anything is sent.
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
	code := ""
	if !r.IsByGuardians() {
		if code, err = words(); err != nil {
			return finishedRecovery{}, err
		}
	}
	former, err := u.client.ReadyVault(ctx, number, code)
	if err != nil {
		return finishedRecovery{}, err
	}
	key, err := u.store.Account(u.name)
	if err != nil {
		return finishedRecovery{}, fmt.Errorf("account %q: %w", u.name, err)
	}
	prepared, err := u.client.PrepareVault(ctx, former, phr.VaultChange{NewKey: true, Site: phr.DefaultSite, Wallet: key})
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

// placeRecovered brings the next vault to the network and puts it in its place in the home.
func placeRecovered(ctx context.Context, u *user, number uint64, former, next phr.VaultFile, code string) (finishedRecovery, error) {
	if _, err := u.client.FinishRecovery(ctx, number, former, next); err != nil {
		return finishedRecovery{}, err
	}
	f := finishedRecovery{number, next.Patient, next.Address, next.Vault, next.Epoch, next.Revision, code}
	return f, os.Rename(nextVaultPath(u.home), vaultPath(u.home))
}

func recoveryFinishCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "finish RECOVERY", Short: "take the place of the lost wallet, once it is approved and the delay is over", Args: exactArgs("a recovery"),
		Example: "  phrd recovery finish 7 --home ~/alice-new\n  phrd vault relock --all --home ~/alice-new",
		Long: "Take the place of the lost wallet. What the guardians gave and the network's half open the vault, or where hospitals approved the\n" +
			"recovery code, which is asked for or read from the standard input. The vault gets another key and another recovery code, which is shown once.\n\n" +
			"Afterwards lock all records anew, so that nobody who finds the old wallet or computer opens them: `phrd vault relock --all`.",
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := parseNumber("a recovery", args[0])
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				words := func() (string, error) { return readWords(cmd.InOrStdin(), o) }
				f, err := finishRecovery(ctx, u, number, words, func(code string) error { return showCode(o, code) })
				if err != nil {
					return err
				}
				o.note("now lock your records anew: phrd vault relock --all")
				return o.print(f, nil, [][]string{{"patient", f.Patient}, {"account", f.Address}, {"vault", fmt.Sprintf("%s, epoch %d", f.Vault, f.Epoch)}})
			})
		},
	}
	userFlags(cmd)
	return cmd
}
