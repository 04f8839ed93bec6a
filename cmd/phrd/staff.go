package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/wallet"
)

// staffRoles are the roles that an admin gives.
var staffRoles = []string{"admin", "clerk", "clinician", "officer", "auditor"}

func staffCommand() *cobra.Command {
	return group("staff", "the accounts of a hospital's people", staffAddCommand(), staffListCommand(), staffWardsCommand(), staffVaultCommand(), staffRevokeCommand())
}

func roleText(r consortiumv1.Role) string {
	return strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_"))
}

func parseRole(text string) (consortiumv1.Role, error) {
	for _, word := range staffRoles {
		if word == text {
			return consortiumv1.Role(consortiumv1.Role_value["ROLE_"+strings.ToUpper(word)]), nil
		}
	}
	return 0, usage("role %q: want one of %s", text, strings.Join(staffRoles, ", "))
}

// staffOptions say whom to register.
type staffOptions struct {
	Name    string // of the key in the home's key store; made if it is not there
	Address string // of a key that is kept elsewhere; then nothing is made
	Role    consortiumv1.Role
	Until   int64 // unix seconds at which an auditor's role ends; 0 for no end
}

// register gives the address its role.
func (s staffOptions) register(ctx context.Context, c *phr.Client) error {
	if s.Until != 0 {
		return c.RegisterAuditor(ctx, s.Address, time.Unix(s.Until, 0))
	}
	return c.RegisterStaff(ctx, s.Address, s.Role)
}

// staffAdded is who was registered.
type staffAdded struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Role    string `json:"role"`
}

// withKey makes the person's key in the home's key store, unless an address is given, and does something about it. A key that was made for
// nothing is gone again.
func withKey(u *user, s *staffOptions, do func() error) error {
	fresh := false
	if s.Address == "" {
		key, err := u.store.NewAccount(s.Name)
		if fresh = err == nil; errors.Is(err, keys.ErrExists) {
			// An earlier try may have made the key and not registered it.
			key, err = u.store.Account(s.Name)
		}
		if err != nil {
			return fmt.Errorf("account %q: %w", s.Name, err)
		}
		s.Address = key.Address()
	}
	err := do()
	var refused *phr.Refused
	if errors.As(err, &refused) && fresh {
		err = errors.Join(err, u.store.Delete(keys.AccountPrefix+s.Name))
	}
	return err
}

// addStaff registers a member of staff, with a key in the home's key store unless an address is given.
func addStaff(ctx context.Context, u *user, s staffOptions) (staffAdded, error) {
	if err := withKey(u, &s, func() error { return s.register(ctx, u.client) }); err != nil {
		return staffAdded{}, err
	}
	return staffAdded{s.Name, s.Address, roleText(s.Role)}, nil
}

func staffAddCommand() *cobra.Command {
	var role, address, until string
	cmd := &cobra.Command{
		Use: "add NAME --role ROLE", Short: "register a member of staff",
		Long: "Register a member of staff under a role: " + strings.Join(staffRoles, ", ") + ".\n\n" +
			"A key of this name is made in the home's key store, unless the address of a key that the\nperson keeps is given. Names stay in this home; the network knows addresses and roles only.\n" +
			"An auditor sees what concerns the hospital; the hospitals vote on those who see the whole log: `phrd hospital propose auditor`.",
		Example: "  phrd staff add dr-weber --role clinician\n  phrd staff add desk --role clerk --address phrd1…",
		Args:    exactArgs("a name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			options := staffOptions{Name: args[0], Address: address}
			var err error
			if options.Role, err = parseRole(role); err != nil {
				return err
			}
			if options.Until, err = parseTime(until); err != nil {
				return err
			}
			if options.Until != 0 && options.Role != consortiumv1.Role_ROLE_AUDITOR {
				return usage("--until is for auditors")
			}
			if address != "" {
				if _, err := wallet.ParseAddress(address); err != nil {
					return usage("%v", err)
				}
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				added, err := addStaff(ctx, u, options)
				if err != nil {
					return err
				}
				return o.print(added, nil, [][]string{{"name", added.Name}, {"address", added.Address}, {"role", added.Role}})
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().StringVar(&role, "role", "", "role: "+strings.Join(staffRoles, ", "))
	cmd.Flags().StringVar(&address, "address", "", "address of a key that is kept elsewhere")
	cmd.Flags().StringVar(&until, "until", "", "when an auditor's role ends: 2027-01-31 or 2027-01-31T08:00:00Z (default: never)")
	return cmd
}

func staffListCommand() *cobra.Command {
	var hospital uint64
	cmd := &cobra.Command{
		Use: "list", Short: "list the staff of a hospital", Args: exactArgs(),
		Example: "  phrd staff list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if hospital == 0 {
					who, err := u.client.Principal(ctx)
					if err != nil {
						return err
					}
					hospital = who.Hospital
				}
				staff, err := u.client.Staff(ctx, hospital)
				if err != nil {
					return err
				}
				names, err := accountNames(u.store)
				if err != nil {
					return err
				}
				rows := make([][]string, len(staff))
				for i, s := range staff {
					state := "active"
					if s.Revoked {
						state = "revoked"
					}
					rows[i] = []string{s.Address, roleText(s.Role), state, orDash(wardsText(s.Wards)), orDash(names[s.Address]), timeText(s.Since)}
				}
				return o.print(protosJSON(staff), []string{"ADDRESS", "ROLE", "STATE", "WARDS", "KEY HERE", "SINCE (UTC)"}, rows)
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().Uint64Var(&hospital, "hospital", 0, "number of the hospital (default: one's own)")
	return cmd
}

func wardsText(wards []uint32) string {
	return strings.Trim(fmt.Sprint(wards), "[]")
}

// accountNames are the names of the accounts in a key store, by address.
func accountNames(store *keys.Store) (map[string]string, error) {
	names, err := store.Accounts()
	if err != nil {
		return nil, err
	}
	byAddress := make(map[string]string, len(names))
	for _, name := range names {
		key, err := store.Account(name)
		if err != nil {
			return nil, fmt.Errorf("account %q: %w", name, err)
		}
		byAddress[key.Address()] = name
	}
	return byAddress, nil
}

// addressOf reads an address, or the name of an account in the key store.
func addressOf(store *keys.Store, text string) (string, error) {
	if _, err := wallet.ParseAddress(text); err == nil {
		return text, nil
	}
	key, err := store.Account(text)
	if err != nil {
		return "", fmt.Errorf("%q is no address and no account of this home: %w", text, err)
	}
	return key.Address(), nil
}

func staffRevokeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "revoke NAME|ADDRESS", Short: "end a person's role from the next block on", Args: exactArgs("a name or an address"),
		Example: "  phrd staff revoke dr-weber",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				address, err := addressOf(u.store, args[0])
				if err != nil {
					return err
				}
				if err := u.client.RevokeStaff(ctx, address); err != nil {
					return err
				}
				return o.print(map[string]string{"revoked": address}, nil, [][]string{{"revoked " + address}})
			})
		},
	}
	userFlags(cmd)
	return cmd
}
