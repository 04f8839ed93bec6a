package main

import (
	"runtime"
	"strings"

	"github.com/cosmos/cosmos-sdk/version"
	"github.com/spf13/cobra"

	"github.com/phrd/phrd/app"
)

// programVersion is which program this is.
type programVersion struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	// Upgrades are the names of those that the program can make.
	Upgrades []string `json:"upgrades"`
	// Pages is the hash of the pages that the program serves to browsers.
	Pages string `json:"pages,omitempty"`
}

func thisVersion() programVersion {
	v := programVersion{Version: version.Version, Commit: version.Commit, Go: runtime.Version(), Upgrades: app.Upgrades()}
	if v.Version == "" {
		v.Version = "unknown"
	}
	return v
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "which program this is", Example: "  phrd version --json", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := thisVersion()
			var err error
			if v.Pages, err = ownPages(); err != nil {
				return err
			}
			return newOutput(cmd).print(v, nil, [][]string{
				{"phrd", v.Version}, {"commit", orDash(v.Commit)}, {"go", v.Go}, {"upgrades", orDash(strings.Join(v.Upgrades, ", "))}, {"pages", v.Pages},
			})
		},
	}
}
