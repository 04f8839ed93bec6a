package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
)

// defaultAccount signs where a home has several accounts and none was chosen.
const defaultAccount = "admin"

// userOptions say which home and which account of it a command acts for.
type userOptions struct {
	Home           string // folder with keys/ and client.json
	PassphraseFile string
	Passphrase     *os.File // open, read once, stands before PassphraseFile; nil for none
	From           string   // name of the account in the key store; empty for the only one, or admin
}

// clientFile is client.json: the gateway that the commands of a home go through, and what the network is known by. It
// holds no secret.
type clientFile struct {
	Gateway     string `json:"gateway"`
	Fingerprint string `json:"fingerprint"`
	ChainID     string `json:"chain_id"`
	NetworkID   string `json:"network_id"`
	// Others are the gateways of the other hospitals, as they were when they were first seen: a gateway that is replaced
	// later is noticed.
	Others []phr.Door `json:"others,omitempty"`
}

// user is a person's side of a home: the key store, the account, and a client logged in with it.
type user struct {
	home   string
	name   string // of the account in the key store
	store  *keys.Store
	client *phr.Client
}

// userFlags adds the flag that chooses an account.
func userFlags(cmd *cobra.Command) {
	cmd.Flags().String("from", "", "account of the key store that acts (default: the only one, or admin)")
}

// userOptionsOf reads the flags that say for whom a command acts. Commands that act for no account have no --from.
func userOptionsOf(cmd *cobra.Command) (userOptions, error) {
	var o userOptions
	for name, field := range map[string]*string{"home": &o.Home, "passphrase-file": &o.PassphraseFile, "from": &o.From} {
		if cmd.Flags().Lookup(name) == nil {
			continue
		}
		var err error
		if *field, err = cmd.Flags().GetString(name); err != nil {
			return o, fmt.Errorf("flag --%s: %w", name, err)
		}
	}
	var err error
	o.Passphrase, err = passphraseFDOf(cmd)
	return o, err
}

// withUser runs a command for the person that its flags name.
func withUser(cmd *cobra.Command, run func(ctx context.Context, u *user, o *output) error) (err error) {
	options, err := userOptionsOf(cmd)
	if err != nil {
		return err
	}
	u, err := openUser(cmd.Context(), options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, u.close()) }()
	return run(cmd.Context(), u, newOutput(cmd))
}

// openUser opens a home's keys, chooses the account, and connects to the network. On the first time it notes the other
// hospitals' gateways in client.json.
func openUser(ctx context.Context, o userOptions) (*user, error) {
	file, err := readClientFile(o.Home)
	if err != nil {
		return nil, err
	}
	store, err := openKeys(o)
	if err != nil {
		return nil, err
	}
	return connect(ctx, o, file, store)
}

// openKeys opens the key store of a home.
func openKeys(o userOptions) (*keys.Store, error) {
	if _, err := os.Stat(filepath.Join(o.Home, "keys")); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("home %q: %w", o.Home, keys.ErrMissing)
	}
	passphrase, err := o.passphrase(false)
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	store, err := keys.Open(filepath.Join(o.Home, "keys"), passphrase)
	if err != nil {
		return nil, fmt.Errorf("home %q: %w", o.Home, err)
	}
	return store, nil
}

// connect is openUser with the key store open.
func connect(ctx context.Context, o userOptions, file clientFile, store *keys.Store) (*user, error) {
	name, err := chooseAccount(store, o.From)
	if err != nil {
		return nil, err
	}
	key, err := store.Account(name)
	if err != nil {
		return nil, fmt.Errorf("account %q: %w", name, err)
	}
	config, err := file.config()
	if err != nil {
		return nil, fmt.Errorf("home %q: client.json: %w", o.Home, err)
	}
	config.Key, config.Secrets = key, store
	client, err := phr.Dial(ctx, config)
	if err != nil {
		return nil, err
	}
	u := &user{home: o.Home, name: name, store: store, client: client}
	if len(file.Others) == 0 {
		if err := u.noteDoors(ctx, file); err != nil {
			return nil, errors.Join(err, u.close())
		}
	}
	return u, nil
}

// as is another account of the home.
func (u *user) as(ctx context.Context, name string) (*user, error) {
	file, err := readClientFile(u.home)
	if err != nil {
		return nil, err
	}
	return connect(ctx, userOptions{Home: u.home, From: name}, file, u.store)
}

func (u *user) close() error { return u.client.Close() }

// chooseAccount is the account that was named, the only one, or admin.
func chooseAccount(store *keys.Store, from string) (string, error) {
	names, err := store.Accounts()
	if err != nil {
		return "", err
	}
	switch {
	case from != "" && !slices.Contains(names, from):
		return "", usage("account %q is not in this home; it has %s", from, strings.Join(names, ", "))
	case from != "":
		return from, nil
	case len(names) == 1:
		return names[0], nil
	case slices.Contains(names, defaultAccount):
		return defaultAccount, nil
	case len(names) == 0:
		return "", fmt.Errorf("this home has no account: %w", keys.ErrNotFound)
	}
	return "", usage("which account? --from one of %s", strings.Join(names, ", "))
}

// noteDoors keeps the other hospitals' gateways for the next time. A person without an account may not ask for them yet.
func (u *user) noteDoors(ctx context.Context, file clientFile) error {
	doors, err := u.client.Doors(ctx)
	if err != nil || len(doors) < 2 {
		return nil //nolint:nilerr // what cannot be asked now is asked the next time
	}
	file.Others = doors[1:]
	return file.write(u.home)
}

func (f clientFile) config() (phr.Config, error) {
	id, err := hex.DecodeString(f.NetworkID)
	if err != nil || len(id) != len(lock.Network{}) {
		return phr.Config{}, fmt.Errorf("network_id is not %d hex digits", 2*len(lock.Network{}))
	}
	return phr.Config{Gateway: f.Gateway, Fingerprint: f.Fingerprint, Others: f.Others, ChainID: f.ChainID, Network: lock.Network(id)}, nil
}

// readClientFile reads a home's client.json.
func readClientFile(home string) (clientFile, error) {
	var f clientFile
	path := filepath.Join(home, "client.json")
	encoded, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(home, "node.json")); err == nil {
			return f, fmt.Errorf("home %q is a storage node's, which has no gateway: ask at the hospital, `phrd hospital nodes`", home)
		}
		return f, fmt.Errorf("home %q knows no gateway: client.json is missing", home)
	}
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(encoded, &f); err != nil {
		return f, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func (f clientFile) write(home string) error {
	return writeJSONFile(filepath.Join(home, "client.json"), f)
}

// writeJSONFile replaces a file by JSON, whole or not at all.
func writeJSONFile(path string, value any) (err error) {
	encoded, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".partial-*") // made 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(append(encoded, '\n')); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// group is a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("unknown command %q%s", cmd.CommandPath()+" "+args[0], suggest(cmd, args[0]))
		}
		return usage("%s: which command? `%s --help` lists them", cmd.CommandPath(), cmd.CommandPath())
	}, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(commands...)
	return cmd
}

// exactArgs demands arguments by name; none where no name is given.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == len(names):
			return nil
		case len(names) == 0:
			return usage("%s takes no arguments, got %q", cmd.CommandPath(), args[0])
		}
		return usage("%s needs %s, got %d arguments", cmd.CommandPath(), strings.Join(names, " and "), len(args))
	}
}

// atMostOne lets an argument be left out.
func atMostOne(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage("%s takes one argument, got %d", cmd.CommandPath(), len(args))
	}
	return nil
}

// parseLifetime reads a duration such as 90m, 12h or 14d.
func parseLifetime(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil && n > 0 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d, nil
	}
	return 0, usage("%q is no time span: want one like 90m, 12h or 14d", text)
}

// parseNumber reads the number of a hospital, a proposal or an entry.
func parseNumber(what, text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		return 0, usage("%q is no number of %s", text, what)
	}
	return n, nil
}

// within bounds a context by the command's --timeout.
func within(ctx context.Context, cmd *cobra.Command) (context.Context, context.CancelFunc, error) {
	limit, err := cmd.Flags().GetDuration("timeout")
	if err != nil {
		return nil, nil, fmt.Errorf("flag --timeout: %w", err)
	}
	if limit <= 0 {
		return nil, nil, usage("--timeout must be more than 0")
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	return ctx, cancel, nil
}

// userCommands are the commands of people: staff, patients, auditors.
func userCommands() []*cobra.Command {
	return []*cobra.Command{
		hospitalCommand(), staffCommand(), patientCommand(), vaultCommand(), recordCommand(), watchCommand(), storageCommand(), custodyCommand(), objectCommand(), unlockCommand(), consentCommand(), emergencyCommand(), guardianCommand(), recoveryCommand(), auditCommand(), witnessCommand(),
	}
}
