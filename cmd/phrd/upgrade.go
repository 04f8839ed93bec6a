package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"
	"github.com/spf13/cobra"

	"github.com/phrd/phrd/app"
	"github.com/phrd/phrd/app/home"
)

var (
	// errNoPlan says that no upgrade is due in a home.
	errNoPlan = errors.New("no upgrade is due")
	// errNoHash says that neither a vote nor the command says which file a program is.
	errNoHash = errors.New("nobody said which file it shall be")
	// errOtherProgram says that a file is not the program that it should be.
	errOtherProgram = errors.New("not the program that was agreed on")
)

// askTime is how long a program may take to say what it is.
const askTime = time.Minute

func upgradeCommand() *cobra.Command {
	return group("upgrade", "put another program in place of this one", upgradeStatusCommand(), upgradeInstallCommand())
}

// upgradeStatus is what is planned, and what this program knows of it.
type upgradeStatus struct {
	Name   string `json:"name,omitempty"`
	Height int64  `json:"height,omitempty"`
	Binary string `json:"binary,omitempty"`
	// Knows says that this program can make the planned upgrade.
	Knows bool `json:"knows"`
	programVersion
}

func (s upgradeStatus) rows() [][]string {
	rows := [][]string{{"program", s.Version}}
	if s.Name == "" {
		return append(rows, []string{"planned", "nothing"})
	}
	return append(rows, []string{"planned", s.Name}, []string{"height", strconv.FormatInt(s.Height, 10)}, []string{"binary", orDash(s.Binary)},
		[]string{"this program makes it", strconv.FormatBool(s.Knows)})
}

func upgradeStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status", Short: "the upgrade that the hospitals planned", Args: exactArgs(), Example: "  phrd upgrade status",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				plan, err := u.client.Upgrade(ctx)
				if err != nil {
					return err
				}
				s := upgradeStatus{Name: plan.GetName(), Height: plan.GetHeight(), Binary: plan.GetInfo(), programVersion: thisVersion()}
				s.Knows = slices.Contains(s.Upgrades, s.Name)
				return o.print(s, nil, s.rows())
			})
		},
	}
	userFlags(cmd)
	return cmd
}

// installed is what `phrd upgrade install` did.
type installed struct {
	Program  string `json:"program"`
	Version  string `json:"version"`
	Upgrade  string `json:"upgrade,omitempty"`
	Previous string `json:"previous"`
}

func upgradeInstallCommand() *cobra.Command {
	var target, sum string
	cmd := &cobra.Command{
		Use: "install FILE", Short: "check a program and put it in place of this one", Args: exactArgs("the file"),
		Long: "Check a program and put it in place of this one, after the server has ended for an upgrade (exit code 5). The file must be the one that\n" +
			"the hospitals voted for, where the vote named it, and know the upgrade. Without an upgrade by vote, say with --sha256 which file it\n" +
			"shall be; such a program must not change how blocks are made, and hospitals install it one after another.\n\n" +
			"The program of before stays beside it, as phrd.previous. Start the server again afterwards.",
		Example: "  phrd upgrade install phrd-1.2.0 --home /var/lib/phrd\n  phrd upgrade install phrd-1.1.3 --sha256 5f1c…",
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := homeOptionsOf(cmd)
			if err != nil {
				return err
			}
			if target == "" {
				if target, err = os.Executable(); err != nil {
					return fmt.Errorf("find this program: %w; name it with --target", err)
				}
			}
			done, err := install(cmd.Context(), o.Home, args[0], target, sum)
			if err != nil {
				return err
			}
			return newOutput(cmd).print(done, nil, [][]string{
				{"program", done.Program}, {"version", done.Version}, {"upgrade", orDash(done.Upgrade)}, {"previous", done.Previous},
			})
		},
	}
	cmd.Flags().StringVar(&target, "target", "", "the program to replace; this one unless it is given")
	cmd.Flags().StringVar(&sum, "sha256", "", "hash that the file must have, in hex")
	return cmd
}

// install puts a program in place of another, if it is the one agreed on.
func install(ctx context.Context, dir, file, target, sum string) (_ installed, err error) {
	h, err := home.Open(dir)
	if err != nil {
		return installed{}, err
	}
	plan, err := app.ReadPlan(h.Dir())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
		if sum == "" {
			err = errNoPlan
		}
	}
	if err != nil {
		return installed{}, err
	}
	// The copy is checked, not the file, which may change under our hands.
	copied, err := copyBeside(file, target)
	if err != nil {
		return installed{}, err
	}
	defer func() {
		if err == nil {
			return
		}
		if removed := os.Remove(copied); !errors.Is(removed, fs.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}()
	program, err := checkProgram(ctx, copied, plan, sum)
	if err != nil {
		return installed{}, fmt.Errorf("%q: %w", file, err)
	}
	previous := target + ".previous"
	if err := os.Remove(previous); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return installed{}, err
	}
	if err := os.Link(target, previous); err != nil {
		return installed{}, fmt.Errorf("keep the program of before: %w", err)
	}
	if err := os.Rename(copied, target); err != nil {
		return installed{}, err
	}
	done := installed{Program: target, Version: program.Version, Upgrade: plan.Name, Previous: previous}
	if synced := home.SyncFolder(filepath.Dir(target)); synced != nil {
		return done, fmt.Errorf("the program is in place, but may not survive a power cut: %w", synced)
	}
	return done, nil
}

// checkProgram returns what a program says that it is; errNoHash where no hash was
// named, errOtherProgram unless it has the one that was and makes the plan's upgrade. It runs only then.
func checkProgram(ctx context.Context, file string, plan upgradetypes.Plan, sum string) (programVersion, error) {
	var v programVersion
	got, err := fileHash(file)
	if err != nil {
		return v, err
	}
	want := agreedHashes(plan, sum)
	if len(want) == 0 {
		return v, fmt.Errorf("%w: upgrade %q names no program for %s", errNoHash, plan.Name, platform())
	}
	for _, w := range want {
		if w != got {
			return v, fmt.Errorf("its SHA-256 is %s, not %s: %w", got, w, errOtherProgram)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	answer, err := exec.CommandContext(ctx, file, "version", "--json").Output()
	if err == nil {
		err = json.Unmarshal(answer, &v)
	}
	if err != nil {
		return v, fmt.Errorf("it does not say which version it is: %w: %w", err, errOtherProgram)
	}
	if plan.Name != "" && !slices.Contains(v.Upgrades, plan.Name) {
		return v, fmt.Errorf("version %s does not know upgrade %q: %w", v.Version, plan.Name, errOtherProgram)
	}
	return v, nil
}

// agreedHashes are those that a program must have: the one that was voted for, and the one that the command names.
func agreedHashes(plan upgradetypes.Plan, sum string) (hashes []string) {
	if sum != "" {
		hashes = append(hashes, strings.ToLower(sum))
	}
	for _, binary := range strings.Split(plan.Info, ",") {
		if name, hash, ok := strings.Cut(binary, "="); ok && name == platform() {
			hashes = append(hashes, hash)
		}
	}
	return hashes
}

// copyBeside copies a program durably into the folder of another, with the same permissions, and returns its name there.
func copyBeside(file, target string) (name string, err error) {
	info, err := os.Stat(target)
	if err != nil {
		return "", err
	}
	in, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.CreateTemp(filepath.Dir(target), ".phrd-install-")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Chmod(info.Mode().Perm())
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return "", errors.Join(err, os.Remove(out.Name()))
	}
	return out.Name(), nil
}
