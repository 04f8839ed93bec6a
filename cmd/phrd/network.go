package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

const (
	hospitalPrefix   = "hospital-"
	passphraseFolder = "passphrases"
)

// errNoNetwork says that a folder holds no network that `phrd network create` made.
var errNoNetwork = errors.New("no network here")

func networkCommand() *cobra.Command {
	return group("network", "a new network, and networks on this machine",
		networkAssembleCommand(), networkCreateCommand(), networkStartCommand(), networkStopCommand(), networkStatusCommand())
}

// localHospital is a hospital of a network on this machine.
type localHospital struct {
	Name           string // of its folder, such as hospital-1
	Home           string
	PassphraseFile string
}

func (h localHospital) pidFile() string { return filepath.Join(h.Home, "phrd.pid") }
func (h localHospital) logFile() string { return filepath.Join(h.Home, "phrd.log") }

// localNetwork lists the hospitals in the folder of a network on this machine, by number.
func localNetwork(dir string) ([]localHospital, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(absolute)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	numbers := map[string]int{}
	var hospitals []localHospital
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), hospitalPrefix)
		number, err := strconv.Atoi(digits)
		if !ok || err != nil || !e.IsDir() {
			continue
		}
		numbers[e.Name()] = number
		hospitals = append(hospitals, localHospital{
			Name: e.Name(), Home: filepath.Join(absolute, e.Name()), PassphraseFile: filepath.Join(absolute, passphraseFolder, e.Name()),
		})
	}
	if len(hospitals) == 0 {
		return nil, fmt.Errorf("%s: %w", absolute, errNoNetwork)
	}
	slices.SortFunc(hospitals, func(a, b localHospital) int { return cmp.Compare(numbers[a.Name], numbers[b.Name]) })
	return hospitals, nil
}

// networkHome is the folder of a network on this machine: that of --home, or a place of its own beside the default home.
func networkHome(cmd *cobra.Command) (string, error) {
	home, err := homeFlag(cmd)
	if err != nil || cmd.Flags().Changed("home") || os.Getenv(homeVariable) != "" {
		return home, err
	}
	return home + "-network", nil
}
