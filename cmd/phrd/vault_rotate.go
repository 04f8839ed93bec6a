package main

import (
	"context"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/phr"
)

// vaultRotated is what `vault rotate` says.
type vaultRotated struct {
	Vault    string `json:"vault"`
	Epoch    uint64 `json:"epoch"`
	Revision uint64 `json:"revision"`
	// Retired are the epochs whose keys were deleted, for nothing is sealed to them any more.
	Retired      []uint64 `json:"retired"`
	RecoveryCode string   `json:"recovery_code"`
	WalletSlot   bool     `json:"wallet_slot"`
	Height       int64    `json:"height"`
	leftPepper
}

func (r vaultRotated) rows() [][]string {
	return append([][]string{
		{"vault", r.Vault}, {"key", "epoch " + strconv.FormatUint(r.Epoch, 10)}, {"revision", strconv.FormatUint(r.Revision, 10)},
		{"written", "block " + strconv.FormatInt(r.Height, 10)},
	}, r.leftPepper.rows()...)
}

// rotateVault writes a patient's vault anew. show is given the recovery code before anything is sent.
func rotateVault(ctx context.Context, u *user, change phr.VaultChange, show func(code string) error) (vaultRotated, error) {
	file, err := u.vaultFile(ctx)
	if err != nil {
		return vaultRotated{}, err
	}
	if change.Retire, err = unused(ctx, u, file); err != nil {
		return vaultRotated{}, err
	}
	next, err := u.client.PrepareVault(ctx, file, change)
	if err != nil {
		return vaultRotated{}, err
	}
	if err := writeJSONFile(nextVaultPath(u.home), next.File); err != nil {
		return vaultRotated{}, err
	}
	if err := show(next.Code); err != nil {
		return vaultRotated{}, err
	}
	receipt, err := u.client.WriteVault(ctx, file, next.File)
	if err != nil {
		return vaultRotated{}, err
	}
	if err := os.Rename(nextVaultPath(u.home), vaultPath(u.home)); err != nil {
		return vaultRotated{}, err
	}
	r := vaultRotated{
		Vault: next.File.Vault, Epoch: next.File.Epoch, Revision: next.File.Revision, Retired: change.Retire, RecoveryCode: next.Code,
		WalletSlot: next.WalletSlot, Height: receipt.Height,
	}
	if next.File.Address == u.client.Address() {
		r.leftPepper = leavePepper(ctx, u.client, next.File)
	}
	return r, nil
}

// unused are the former epochs that no version is sealed to, and no share of a vault whose guardian the patient is. No new version can be, for the
// chain takes only the newest.
func unused(ctx context.Context, u *user, file phr.VaultFile) ([]uint64, error) {
	vault, err := u.client.OpenVault(file)
	if err != nil {
		return nil, err
	}
	used := map[uint64]bool{vault.Epoch(): true}
	for s, err := range u.client.Sealings(ctx) {
		if err != nil {
			return nil, err
		}
		used[s.Epoch] = true
	}
	shares, err := u.client.ShareEpochs(ctx, vault)
	if err != nil {
		return nil, err
	}
	for _, epoch := range shares {
		used[epoch] = true
	}
	retired := []uint64{}
	for _, epoch := range vault.Epochs() {
		if !used[epoch] {
			retired = append(retired, epoch)
		}
	}
	return retired, nil
}

func vaultRotateCommand() *cobra.Command {
	var sameKey, noWallet bool
	cmd := &cobra.Command{
		Use: "rotate", Short: "give your vault another key and another recovery code", Args: exactArgs(),
		Example: "  phrd vault rotate\n  phrd vault rotate --same-key",
		Long: "Give the vault another key, to which records are locked from then on, and another recovery code of 24 words, which is shown once. The\n" +
			"former code opens nothing any more. Records that were stored before stay sealed to the former key until `phrd vault reseal`, or\n" +
			"where somebody else may have the former key or the words, until `phrd vault relock --all`. Keys that nothing is sealed to are deleted.\n\n" +
			"With --same-key only what opens the vault changes: for when the words got lost and nobody else can have them.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				change := phr.VaultChange{NewKey: !sameKey, Site: phr.DefaultSite}
				if noWallet {
					change.Site = ""
				}
				r, err := rotateVault(ctx, u, change, func(code string) error { return showCode(o, code) })
				if err != nil {
					return err
				}
				return o.print(r, nil, r.rows())
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().BoolVar(&sameKey, "same-key", false, "keep the key; change the recovery code alone")
	cmd.Flags().BoolVar(&noWallet, "no-wallet", false, "the wallet opens the vault no more; the words alone do")
	return cmd
}
