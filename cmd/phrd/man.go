package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommand writes the manual pages that a package of the program brings along. Their date is that of $SOURCE_DATE_EPOCH, where it is
// set, so that they can be made again byte for byte (https://reproducible-builds.org/specs/source-date-epoch).
func manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "write the manual pages into a folder", Hidden: true, Args: exactArgs("the folder"),
		Example: "  phrd man /usr/local/share/man/man1",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil { //nolint:gosec // manual pages are for everybody
				return err
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			root.PersistentFlags().Lookup("home").DefValue = "~/.phrd" // not that of whoever makes the pages
			header := &doc.GenManHeader{Section: "1", Source: "phrd", Manual: "phrd"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			return nil
		},
	}
}
