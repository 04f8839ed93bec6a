package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/phr"
)

// changedWallet is what `patient change-wallet` says.
type changedWallet struct {
	vaultRotated
	Former string `json:"former"`
	Next   string `json:"next"`
	// Account is the name of the next wallet in the key store.
	Account string `json:"account"`
}

// changeWallet gives a patient another wallet, whose key is in the home's key store under a name, and whose account the invitation opens where
// it is not open yet.
func changeWallet(ctx context.Context, u *user, name string, invitation *phr.Invitation, change phr.VaultChange, show func(string) error) (changedWallet, error) {
	next, err := u.store.Account(name)
	if errors.Is(err, keys.ErrNotFound) {
		next, err = u.store.NewAccount(name)
	}
	if err != nil {
		return changedWallet{}, fmt.Errorf("account %q: %w", name, err)
	}
	if invitation != nil {
		if err := openWallet(ctx, u, name, *invitation); err != nil {
			return changedWallet{}, err
		}
	}
	change.Wallet = next
	r, err := rotateVault(ctx, u, change, show)
	if err != nil {
		return changedWallet{}, err
	}
	r.leftPepper, err = settleWallet(ctx, u, name)
	return changedWallet{r, u.client.Address(), next.Address(), name}, err
}

// settleWallet makes the guardians of the vault known as the next wallet, whose they are now, and leaves the vault's pepper with a hospital.
func settleWallet(ctx context.Context, u *user, name string) (left leftPepper, err error) {
	file, err := readVault(u.home)
	if err != nil {
		return left, err
	}
	next, err := u.as(ctx, name)
	if err != nil {
		return left, err
	}
	defer func() { err = errors.Join(err, next.close()) }()
	if _, err := next.client.SetGuardians(ctx, file); err != nil {
		return left, err
	}
	return leavePepper(ctx, next.client, file), nil
}

// openWallet opens the next wallet's account, unless an earlier try did.
func openWallet(ctx context.Context, u *user, name string, invitation phr.Invitation) (err error) {
	next, err := u.as(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, next.close()) }()
	return openAccount(ctx, next.client, invitation)
}

func patientWalletCommand() *cobra.Command {
	var sameKey bool
	var text string
	cmd := &cobra.Command{
		Use: "change-wallet NAME", Short: "let another wallet take the place of yours", Args: exactArgs("a name for its key in this home"),
		Example: "  phrd patient change-wallet new --invitation phrd1eyJ…\n  phrd vault relock --all --from new",
		Long: "Let another account take the place of yours: you stay the same patient, with the same number and all records, and the former account is of no\n" +
			"use from then on. NAME is the new wallet's key in this home: one that `phrd keys import` brought, or else one that is made. Its account is\n" +
			"opened by an invitation, which any hospital gives you, as for a new patient.\n\n" +
			"The vault gets another key and another recovery code, which is shown once. Records that were stored before follow with `phrd vault reseal`,\n" +
			"or where somebody else may have had the former wallet, with `phrd vault relock --all`. With --same-key the vault keeps its key.",
		RunE: func(cmd *cobra.Command, args []string) error {
			var invitation *phr.Invitation
			if text != "" {
				i, err := phr.ParseInvitation(text)
				if err != nil {
					return err
				}
				invitation = &i
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				change := phr.VaultChange{NewKey: !sameKey, Site: phr.DefaultSite}
				c, err := changeWallet(ctx, u, args[0], invitation, change, func(code string) error { return showCode(o, code) })
				if err != nil {
					return err
				}
				return o.print(c, nil, append([][]string{{"former account", c.Former}, {"account", c.Next}, {"use", "--from " + c.Account}}, c.rows()...))
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().StringVar(&text, "invitation", "", "invitation that opens the new account; none where it is open")
	cmd.Flags().BoolVar(&sameKey, "same-key", false, "keep the vault's key; change the wallet and the recovery code alone")
	return cmd
}
