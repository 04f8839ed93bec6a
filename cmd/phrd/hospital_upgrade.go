package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"

	"github.com/spf13/cobra"
)

func proposeUpgradeCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "upgrade NAME HEIGHT", Short: "ask that all hospitals run another program from a height on", Args: exactArgs("the upgrade's name", "the height"),
		Long: "Ask that all hospitals run another program from a height on. Each server ends before that block with exit code 5, which systemd does\n" +
			"not restart, until `phrd upgrade install` has put the program in place. NAME is what `phrd version` of that program says; with\n" +
			"--binary the hospitals vote on exactly that file, and install no other.",
		Example: "  phrd hospital propose upgrade v1.2.0 4000000 --binary phrd-1.2.0",
		RunE: func(cmd *cobra.Command, args []string) error {
			height, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil || height < 1 {
				return usage("%q is no height", args[1])
			}
			info := ""
			if file != "" {
				sum, err := fileHash(file)
				if err != nil {
					return err
				}
				info = platform() + "=" + sum
			}
			return proposes(cmd, func(ctx context.Context, u *user) (uint64, error) {
				return u.client.ProposeUpgrade(ctx, args[0], height, info)
			})
		},
	}
	cmd.Flags().StringVar(&file, "binary", "", "the program for this system and processor")
	userFlags(cmd)
	return cmd
}

func proposeNoUpgradeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "no-upgrade", Short: "ask to give up the upgrade that is planned", Args: exactArgs(), Example: "  phrd hospital propose no-upgrade",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return proposes(cmd, func(ctx context.Context, u *user) (uint64, error) { return u.client.ProposeNoUpgrade(ctx) })
		},
	}
	userFlags(cmd)
	return cmd
}

// platform is this system and processor as the plan of an upgrade names them.
func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// fileHash is the SHA-256 of a file in hex.
func fileHash(path string) (_ string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %q: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
