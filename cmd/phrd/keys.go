package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/wallet"
)

func keysCommand() *cobra.Command {
	return group("keys", "the account keys of this home", keysAddCommand(), keysListCommand(), keysShowCommand(), keysExportCommand(), keysImportCommand())
}

// accountKey is the public side of an account key.
type accountKey struct {
	Name      string `json:"name"`
	Address   string `json:"address"`
	PublicKey string `json:"public_key"`
}

func newAccountKey(name string, key *wallet.Key) accountKey {
	return accountKey{Name: name, Address: key.Address(), PublicKey: hex.EncodeToString(key.PublicKey())}
}

func (k accountKey) print(o *output) error {
	return o.print(k, nil, [][]string{{"name", k.Name}, {"address", k.Address}, {"public key", k.PublicKey}})
}

// openOrCreateKeys opens the key store of a home, or makes a home that holds keys alone.
func openOrCreateKeys(o userOptions) (*keys.Store, error) {
	store, err := openKeys(o)
	if !errors.Is(err, keys.ErrMissing) {
		return store, err
	}
	passphrase, err := o.passphrase(true)
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	return keys.Create(filepath.Join(o.Home, "keys"), passphrase)
}

func keysAddCommand() *cobra.Command {
	return &cobra.Command{
		Use: "add NAME", Short: "make an account key",
		Long: "Make an account key in this home, whose key store is made where there is none. The network does not know the account\n" +
			"before an admin registers it or an invitation opens it.",
		Example: "  phrd keys add dr-weber --home ~/.phrd", Args: exactArgs("a name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := homeOptionsOf(cmd)
			if err != nil {
				return err
			}
			store, err := openOrCreateKeys(o)
			if err != nil {
				return err
			}
			key, err := store.NewAccount(args[0])
			if err != nil {
				return err
			}
			return newAccountKey(args[0], key).print(newOutput(cmd))
		},
	}
}

func keysListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list the account keys", Example: "  phrd keys list --json", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := homeOptionsOf(cmd)
			if err != nil {
				return err
			}
			store, err := openKeys(o)
			if err != nil {
				return err
			}
			names, err := store.Accounts()
			if err != nil {
				return err
			}
			all, rows := []accountKey{}, [][]string{}
			for _, name := range names {
				key, err := store.Account(name)
				if err != nil {
					return err
				}
				all, rows = append(all, newAccountKey(name, key)), append(rows, []string{name, key.Address()})
			}
			return newOutput(cmd).print(all, []string{"NAME", "ADDRESS"}, rows)
		},
	}
}

func keysShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "show the address and public key of an account", Example: "  phrd keys show admin", Args: exactArgs("a name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := homeOptionsOf(cmd)
			if err != nil {
				return err
			}
			store, err := openKeys(o)
			if err != nil {
				return err
			}
			key, err := store.Account(args[0])
			if err != nil {
				return err
			}
			return newAccountKey(args[0], key).print(newOutput(cmd))
		},
	}
}

func keysExportCommand() *cobra.Command {
	var out, passphraseFile string
	cmd := &cobra.Command{
		Use: "export NAME --out FILE", Short: "write an account key to a file for another home",
		Long:    "Write an account key to a file, encrypted under a passphrase of its own, for `phrd keys import` at another home.",
		Example: "  phrd keys export dr-weber --out dr-weber.key", Args: exactArgs("a name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usage("--out is missing")
			}
			o, err := homeOptionsOf(cmd)
			if err != nil {
				return err
			}
			store, err := openKeys(o)
			if err != nil {
				return err
			}
			passphrase, err := keys.Passphrase(passphraseFile, true)
			if err != nil {
				return err
			}
			defer clear(passphrase)
			exported, err := store.ExportAccount(args[0], passphrase)
			if err != nil {
				return err
			}
			f, err := os.OpenFile(out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			_, err = f.Write(exported)
			if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
				return errors.Join(err, os.Remove(out))
			}
			return newOutput(cmd).print(map[string]string{"name": args[0], "file": out}, nil, [][]string{{"exported", args[0]}, {"file", out}})
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "file to write, which must not be there")
	cmd.Flags().StringVar(&passphraseFile, "export-passphrase-file", "", "file with the passphrase of the exported key")
	return cmd
}

func keysImportCommand() *cobra.Command {
	var in, passphraseFile string
	var plain bool
	cmd := &cobra.Command{
		Use: "import NAME --in FILE", Short: "take over an account key from a file",
		Long:    "Take over an account key that `phrd keys export` wrote, or under --hex one that another wallet shows as 64 hex digits.",
		Example: "  phrd keys import dr-weber --in dr-weber.key", Args: exactArgs("a name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if in == "" {
				return usage("--in is missing")
			}
			o, err := homeOptionsOf(cmd)
			if err != nil {
				return err
			}
			content, err := os.ReadFile(in)
			if err != nil {
				return err
			}
			store, err := openOrCreateKeys(o)
			if err != nil {
				return err
			}
			key, err := importKey(store, args[0], content, passphraseFile, plain)
			if err != nil {
				return err
			}
			return newAccountKey(args[0], key).print(newOutput(cmd))
		},
	}
	cmd.Flags().StringVar(&in, "in", "", "file to read")
	cmd.Flags().BoolVar(&plain, "hex", false, "the file holds 64 hex digits, as another wallet shows a key")
	cmd.Flags().StringVar(&passphraseFile, "export-passphrase-file", "", "file with the passphrase of the exported key")
	return cmd
}

func importKey(store *keys.Store, name string, content []byte, passphraseFile string, plain bool) (*wallet.Key, error) {
	if plain {
		secret, err := hex.DecodeString(string(bytes.TrimSpace(content)))
		if err != nil {
			return nil, fmt.Errorf("%w: not 64 hex digits", keys.ErrDamaged)
		}
		key, err := wallet.KeyFromBytes(secret)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", keys.ErrDamaged, err)
		}
		return key, store.Put(keys.AccountPrefix+name, secret)
	}
	passphrase, err := keys.Passphrase(passphraseFile, false)
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	return store.ImportAccount(name, content, passphrase)
}
