package main

import (
	_ "embed"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/web"
)

// linkedLicences are those of the modules that are linked into the program, as `make licences` writes them.
//
//go:embed licences.txt
var linkedLicences string

// pagesLicences is the file of the pages with the licences of what they are made of.
const pagesLicences = "licences.txt"

func licencesCommand() *cobra.Command {
	return &cobra.Command{
		Use: "licences", Short: "the code of others in this program and in its pages, and its licences", Example: "  phrd licences | less", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			pages, err := web.Pages()
			if err != nil {
				return err
			}
			ofPages, err := fs.ReadFile(pages, pagesLicences)
			if err != nil {
				return fmt.Errorf("pages: %w", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n%s", linkedLicences, ofPages)
			return err
		},
	}
}
