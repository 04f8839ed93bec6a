package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/phr"
)

// patientAccount is the name of a patient's account in the home's key store.
const patientAccount = "patient"

// joined is what became of a person who joined.
type joined struct {
	Patient string `json:"patient"`
	Address string `json:"address"`
	Home    string `json:"home"`
	// RecoveryCode is 24 words that open the vault when everything else is lost.
	RecoveryCode string `json:"recovery_code"`
	// WalletSlot says whether the account's key can open the vault too.
	WalletSlot bool `json:"wallet_slot"`
	leftPepper
}

// joinOptions say with what and where a person joins.
type joinOptions struct {
	Home       string
	Passphrase []byte // of the home's key store, which is made where there is none
	Invitation phr.Invitation
	// Show is given the recovery code before anything is registered, so that a registered patient has seen it; may be nil.
	Show func(code string) error
}

// joinNetwork opens the account of an invited person and registers the patient: key, number, vault, recovery code. It can
// be repeated after it was cut short, with the same invitation.
func joinNetwork(ctx context.Context, j joinOptions) (joined, error) {
	store, err := patientKeys(j.Home, j.Passphrase)
	if err != nil {
		return joined{}, err
	}
	key, err := store.Account(patientAccount)
	if errors.Is(err, keys.ErrNotFound) {
		key, err = store.NewAccount(patientAccount)
	}
	if err != nil {
		return joined{}, fmt.Errorf("account %q: %w", patientAccount, err)
	}
	config := j.Invitation.Config(key)
	config.Secrets = store
	client, err := phr.Dial(ctx, config)
	if err != nil {
		return joined{}, err
	}
	defer client.Close()
	file := clientFile{
		Gateway: config.Gateway, Fingerprint: config.Fingerprint, ChainID: config.ChainID, NetworkID: hex.EncodeToString(config.Network[:]), Others: config.Others,
	}
	if err := file.write(j.Home); err != nil {
		return joined{}, err
	}
	if err := openAccount(ctx, client, j.Invitation); err != nil {
		return joined{}, err
	}
	p, err := preparePatient(store, client, j.Home)
	if err != nil {
		return joined{}, err
	}
	if j.Show != nil {
		if err := j.Show(p.Code); err != nil {
			return joined{}, err
		}
	}
	if _, err := client.RegisterPatient(ctx, p.File); err != nil {
		return joined{}, err
	}
	if doors, err := client.Doors(ctx); err == nil && len(doors) > 1 {
		file.Others = pinned(file.Others, doors[1:])
		if err := file.write(j.Home); err != nil {
			return joined{}, err
		}
	}
	return joined{Patient: p.File.Patient, Address: client.Address(), Home: j.Home, RecoveryCode: p.Code, WalletSlot: p.WalletSlot, leftPepper: leavePepper(ctx, client, p.File)}, nil
}

// pinned adds gateways to those that are known, which keep the fingerprint that the invitation gave them.
func pinned(known, learnt []phr.Door) []phr.Door {
	for _, d := range learnt {
		i := slices.IndexFunc(known, func(k phr.Door) bool { return k.Gateway == d.Gateway })
		if i < 0 {
			known = append(known, d)
			continue
		}
		known[i].Hospital, known[i].Name = d.Hospital, d.Name
	}
	return known
}

// patientKeys opens the key store of a home, or makes it.
func patientKeys(home string, passphrase []byte) (*keys.Store, error) {
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	dir := filepath.Join(home, "keys")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return keys.Create(dir, passphrase)
	}
	return keys.Open(dir, passphrase)
}

// openAccount uses the invitation unless an earlier try did.
func openAccount(ctx context.Context, client *phr.Client, i phr.Invitation) error {
	has, err := client.HasAccount(ctx)
	if err != nil {
		return err
	}
	if !has {
		return client.OpenAccount(ctx, i)
	}
	who, err := client.Principal(ctx)
	if err != nil {
		return err
	}
	if who.Patient != "" {
		return fmt.Errorf("this home is patient %s already", who.Patient)
	}
	return nil
}

// preparePatient makes number and vault. What an earlier try prepared and did not register is of no use to anybody: its
// recovery code may never have been seen.
func preparePatient(store *keys.Store, client *phr.Client, home string) (*phr.PreparedVault, error) {
	if err := store.Delete(keys.PatientVault); err != nil && !errors.Is(err, keys.ErrNotFound) {
		return nil, err
	}
	p, err := client.PreparePatient(phr.DefaultSite)
	if err != nil {
		return nil, err
	}
	return p, writeJSONFile(vaultPath(home), p.File)
}

func patientJoinCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "join INVITATION", Short: "become a patient with an invitation",
		Long: "Become a patient: open the account, draw a patient number, make the vault that opens your records,\n" +
			"and print a recovery code of 24 words. Write the words down and keep them apart from this machine:\n" +
			"they are shown once. The home gets keys/, vault.json and client.json.",
		Example: "  phrd patient join phrd1eyJ… --home ~/alice",
		Args:    exactArgs("an invitation"),
		RunE: func(cmd *cobra.Command, args []string) error {
			invitation, err := phr.ParseInvitation(args[0])
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
			o := newOutput(cmd)
			result, err := joinNetwork(cmd.Context(), joinOptions{
				Home: options.Home, Passphrase: passphrase, Invitation: invitation,
				Show: func(code string) error { return showCode(o, code) },
			})
			if err != nil {
				return err
			}
			return o.print(result, nil, append([][]string{{"patient", result.Patient}, {"account", result.Address}, {"home", result.Home}}, result.rows()...))
		},
	}
	userFlags(cmd)
	return cmd
}

// showCode prints the recovery code, six words a line.
func showCode(o *output, code string) error {
	if err := o.line("Recovery code. Write it down; it is not shown again:"); err != nil {
		return err
	}
	for row := range slices.Chunk(strings.Fields(code), 6) {
		if err := o.line("  %s", strings.Join(row, " ")); err != nil {
			return err
		}
	}
	return o.line("")
}
