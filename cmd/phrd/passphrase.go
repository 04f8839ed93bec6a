package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/keys"
)

const (
	passphraseFDFlag = "passphrase-fd"
	noFD             = -1
)

// passphrase reads the passphrase of the home's keys from where the flags say, once.
func (o userOptions) passphrase(confirm bool) ([]byte, error) {
	if o.Passphrase != nil {
		return keys.PassphraseFrom(o.Passphrase)
	}
	return keys.Passphrase(o.PassphraseFile, confirm)
}

// passphraseFDOf is the file that --passphrase-fd names, or nil.
func passphraseFDOf(cmd *cobra.Command) (*os.File, error) {
	fd, err := cmd.Flags().GetInt(passphraseFDFlag)
	switch {
	case err != nil:
		return nil, fmt.Errorf("flag --%s: %w", passphraseFDFlag, err)
	case fd == noFD:
		return nil, nil
	case cmd.Flags().Changed("passphrase-file"):
		return nil, usage("--passphrase-file and --%s are both there", passphraseFDFlag)
	case fd < 0 || fd == 1 || fd == 2:
		return nil, usage("--%s is 0 or from 3", passphraseFDFlag)
	}
	return os.NewFile(uintptr(fd), fmt.Sprintf("descriptor %d", fd)), nil
}
