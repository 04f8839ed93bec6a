package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/phr"
)

// recovered is what `patient recover` says.
type recovered struct {
	Patient  string `json:"patient"`
	Address  string `json:"address"`
	Vault    string `json:"vault"`
	Epoch    uint64 `json:"epoch"`
	Revision uint64 `json:"revision"`
	Home     string `json:"home"`
	// WalletSlot says whether the account's key can open the vault on this computer too: a hospital gave its pepper.
	WalletSlot bool `json:"wallet_slot"`
	// PepperFault says why no hospital gave it.
	PepperFault string `json:"pepper_fault,omitempty"`
}

// recoverOptions say who recovers, where, and by which gateway.
type recoverOptions struct {
	Home    string
	Store   *keys.Store
	Account string // name in the key store
	Gateway phr.Door
	Words   string // the recovery code; empty where somebody of the staff admitted the patient
	Word    string // of the admission
}

// recoverPatient makes a home a patient's that holds the wallet's key alone.
func recoverPatient(ctx context.Context, r recoverOptions) (result recovered, err error) {
	if _, err := os.Stat(vaultPath(r.Home)); err == nil {
		return recovered{}, fmt.Errorf("home %q has a vault already", r.Home)
	}
	key, err := r.Store.Account(r.Account)
	if err != nil {
		return recovered{}, fmt.Errorf("account %q: %w", r.Account, err)
	}
	client, err := phr.Dial(ctx, phr.Config{Gateway: r.Gateway.Gateway, Fingerprint: r.Gateway.Fingerprint, Key: key, Secrets: r.Store})
	if err != nil {
		return recovered{}, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	f, err := openFromNetwork(ctx, client, r)
	if err != nil {
		return recovered{}, err
	}
	network := client.Network()
	file := clientFile{Gateway: r.Gateway.Gateway, Fingerprint: r.Gateway.Fingerprint, ChainID: client.ChainID(), NetworkID: hex.EncodeToString(network[:])}
	if doors, err := client.Doors(ctx); err == nil && len(doors) > 1 {
		file.Others = doors[1:]
	}
	if err := file.write(r.Home); err != nil {
		return recovered{}, err
	}
	result = recovered{Patient: f.Patient, Address: f.Address, Vault: f.Vault, Epoch: f.Epoch, Revision: f.Revision, Home: r.Home, WalletSlot: r.Word != ""}
	if err := writeJSONFile(vaultPath(r.Home), f); err != nil || result.WalletSlot {
		return result, err
	}
	// The vault is open and kept: without the pepper the key that is here opens it, and the wallet alone does not.
	if _, err := client.CollectPepper(ctx, f, r.Words); err != nil {
		result.PepperFault = err.Error()
	} else {
		result.WalletSlot = true
	}
	return result, nil
}

// openFromNetwork opens the vault that the network has, with the words or in person.
func openFromNetwork(ctx context.Context, c *phr.Client, r recoverOptions) (phr.VaultFile, error) {
	if r.Word != "" {
		return c.RecoverVaultInPerson(ctx, r.Word)
	}
	return c.RecoverVault(ctx, r.Words)
}

func patientRecoverCommand() *cobra.Command {
	var gateway phr.Door
	var word string
	cmd := &cobra.Command{
		Use: "recover", Short: "get your vault back on a new computer, with your account's key and the 24 words", Args: exactArgs(),
		Example: "  phrd keys import patient --in alice.key --home ~/alice\n  phrd patient recover --gateway https://gateway.clinic.example --fingerprint 4f1c… --home ~/alice",
		Long: "Get a patient's vault back in a home that has the account's key and nothing else: `phrd keys import` brings that key, from\n" +
			"`phrd keys export` or from a wallet. The gateway of any hospital of the network will do; its fingerprint stands on every invitation and is\n" +
			"told by every hospital. The recovery code is asked for, or read from the standard input. The hospital that keeps the pepper of your\n" +
			"wallet gives it then, so that the wallet opens the vault here too.\n\n" +
			"Without the words, go to the hospital that keeps the pepper (`phrd audit log` names it: pepper_deposited) and show who you are. It gives\n" +
			"you a word for --in-person, which is good for a quarter of an hour.\n\n" +
			"Afterwards give the vault another code with `phrd vault rotate --same-key`, or where the old computer may be in other hands, another key:\n" +
			"`phrd vault rotate`, then `phrd vault relock --all`.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if gateway.Gateway == "" || gateway.Fingerprint == "" {
				return usage("--gateway and --fingerprint say where the network is and how it is known")
			}
			options, err := userOptionsOf(cmd)
			if err != nil {
				return err
			}
			store, err := openKeys(options)
			if err != nil {
				return err
			}
			name, err := chooseAccount(store, options.From)
			if err != nil {
				return err
			}
			o := newOutput(cmd)
			asked := recoverOptions{Home: options.Home, Store: store, Account: name, Gateway: gateway, Word: word}
			if word == "" {
				if asked.Words, err = readWords(cmd.InOrStdin(), o); err != nil {
					return err
				}
			}
			r, err := recoverPatient(cmd.Context(), asked)
			if err != nil {
				return err
			}
			if r.PepperFault != "" {
				o.note("no hospital gave the pepper, so the wallet alone opens nothing here: %s", r.PepperFault)
			}
			o.note("now give it another recovery code: phrd vault rotate --same-key")
			return o.print(r, nil, [][]string{{"patient", r.Patient}, {"account", r.Address}, {"vault", r.Vault}, {"home", r.Home}})
		},
	}
	userFlags(cmd)
	cmd.Flags().StringVar(&gateway.Gateway, "gateway", "", "URL of a hospital's gateway")
	cmd.Flags().StringVar(&gateway.Fingerprint, "fingerprint", "", "SHA-256 of the gateway's public key")
	cmd.Flags().StringVar(&word, "in-person", "", "word that a hospital's staff gave you, in place of the 24 words")
	return cmd
}

// readWords reads a recovery code: from a terminal without showing it, else the first line of what comes in.
func readWords(in io.Reader, o *output) (string, error) {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(o.err, "Recovery code, 24 words (not shown): ")
		line, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(o.err)
		return string(line), err
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if strings.TrimSpace(line) == "" {
		return "", usage("the recovery code is missing: 24 words on the standard input")
	}
	return line, nil
}
