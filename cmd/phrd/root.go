package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// homeVariable names the folder of a home where --home does not.
const homeVariable = "PHRD_HOME"

// run carries out a command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := keepMemory()
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	if err != nil && ctx.Err() != nil {
		err = &interrupted{err}
	}
	if err != nil {
		fmt.Fprintf(stderr, "phrd: error: %s\n", printable(err.Error()))
		if h := hint(err); h != "" {
			fmt.Fprintf(stderr, "phrd: hint: %s\n", printable(h))
		}
	}
	return exitCode(err)
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "phrd",
		Short: "health records that open only with two keys",
		Long: "phrd keeps health records encrypted at the hospitals of a network. A record opens only with two keys: the patient's,\n" +
			"and the network's, whose shares the hospitals hold. Every step stands in a log that nobody can change.",
		Example:       "  phrd demo                 a network of four hospitals on this machine\n  phrd init --help          a hospital's own server\n  phrd patient join --help  a patient's account",
		SilenceErrors: true, SilenceUsage: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q%s", args[0], suggest(cmd, args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := root.PersistentFlags()
	flags.String("home", defaultHome(), "folder of the keys and everything else ($"+homeVariable+")")
	flags.String("passphrase-file", "", "file whose first line is the passphrase of the keys ($PHRD_PASSPHRASE_FILE)")
	flags.Int(passphraseFDFlag, noFD, "open file descriptor, from 3, or 0 for standard input, whose first line is the passphrase of the keys")
	flags.Bool("json", false, "write JSON")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%v; `%s --help` lists the flags", err, cmd.CommandPath())
	})
	root.AddCommand(demoCommand(), initCommand(), joinCommand(), startCommand(), backupCommand(), restoreCommand(), statusCommand(), doctorCommand(),
		networkCommand(), keysCommand(), upgradeCommand(), versionCommand(), licencesCommand(), manCommand())
	root.AddCommand(userCommands()...)
	return root
}

// suggest names the commands that are spelled alike.
func suggest(cmd *cobra.Command, word string) string {
	if alike := cmd.SuggestionsFor(word); len(alike) > 0 {
		return "; did you mean " + strings.Join(alike, " or ") + "?"
	}
	return "; `phrd --help` lists them"
}

// defaultHome is the folder of a home that is not named.
func defaultHome() string {
	if home := os.Getenv(homeVariable); home != "" {
		return home
	}
	if user, err := os.UserHomeDir(); err == nil {
		return filepath.Join(user, ".phrd")
	}
	return ".phrd"
}

// homeFlag is the folder that --home names.
func homeFlag(cmd *cobra.Command) (string, error) {
	home, err := cmd.Flags().GetString("home")
	if err == nil && home == "" {
		err = usage("--home is empty")
	}
	return home, err
}

// homeOptionsOf reads the flags that say which home a command acts on.
func homeOptionsOf(cmd *cobra.Command) (userOptions, error) {
	home, err := homeFlag(cmd)
	if err != nil {
		return userOptions{}, err
	}
	passphrase, err := cmd.Flags().GetString("passphrase-file")
	if err != nil {
		return userOptions{}, fmt.Errorf("flag --passphrase-file: %w", err)
	}
	open, err := passphraseFDOf(cmd)
	return userOptions{Home: home, PassphraseFile: passphrase, Passphrase: open}, err
}
