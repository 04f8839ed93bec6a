package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/phr"
)

func patientCommand() *cobra.Command {
	return group("patient", "patients: invite one, become one, show one, take everything along",
		patientInviteCommand(), patientJoinCommand(), patientShowCommand(), patientLookedCommand(), patientRecoverCommand(), patientWalletCommand(), patientHandOverCommand(), patientExportCommand())
}

// vaultPath is where a patient's home has the vault.
func vaultPath(home string) string { return filepath.Join(home, "vault.json") }

// readVault reads a patient's vault.json.
func readVault(home string) (phr.VaultFile, error) {
	f, err := readVaultAt(vaultPath(home))
	if errors.Is(err, fs.ErrNotExist) {
		return f, fmt.Errorf("home %q is no patient's: vault.json is missing", home)
	}
	return f, err
}

func readVaultAt(path string) (phr.VaultFile, error) {
	var f phr.VaultFile
	encoded, err := os.ReadFile(path)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(encoded, &f); err != nil {
		return f, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// patientView is what `patient show` says.
type patientView struct {
	Patient    string `json:"patient"`
	Address    string `json:"address"`
	Vault      string `json:"vault"`
	VaultEpoch uint64 `json:"vault_epoch"`
	Since      int64  `json:"since"`
	Records    *int   `json:"records,omitempty"`
}

func patientShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show [PATIENT]", Short: "show a patient by number; without one, yourself", Args: atMostOne,
		Example: "  phrd patient show\n  phrd patient show 3ZQK…",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				who, err := u.client.Principal(ctx)
				if err != nil {
					return err
				}
				number := who.Patient
				if len(args) == 1 {
					number = args[0]
				}
				if number == "" {
					return usage("name the patient by number: this account is a %s", who.Role)
				}
				v, err := viewPatient(ctx, u.client, number, number == who.Patient)
				if err != nil {
					return err
				}
				rows := [][]string{{"patient", v.Patient}, {"account", v.Address}, {"vault", fmt.Sprintf("%s, epoch %d", v.Vault, v.VaultEpoch)}, {"since", timeText(v.Since)}}
				if v.Records != nil {
					rows = append(rows, []string{"records", strconv.Itoa(*v.Records)})
				}
				return o.print(v, nil, rows)
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func viewPatient(ctx context.Context, c *phr.Client, number string, self bool) (patientView, error) {
	p, err := c.Patient(ctx, number)
	if err != nil {
		return patientView{}, err
	}
	v := patientView{Patient: p.Id, Address: p.Address, Vault: p.GetVault().GetId(), VaultEpoch: p.GetVault().GetEpoch(), Since: p.Since}
	if !self {
		return v, nil
	}
	v.Records = new(int)
	for _, err := range c.Records(ctx, p.Id) {
		if err != nil {
			return v, err
		}
		*v.Records++
	}
	return v, nil
}
