package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/keys"
)

// madeBackup is what `phrd backup` made.
type madeBackup struct {
	File string `json:"file"`
	Size int64  `json:"size"`
	home.Backup
}

func (m madeBackup) rows() [][]string {
	return [][]string{
		{"file", fmt.Sprintf("%s, %d bytes", m.File, m.Size)}, {"hospital", m.Hospital}, {"chain", m.ChainID}, {"made", m.Made.Format(time.RFC3339)},
	}
}

func backupCommand() *cobra.Command {
	var to string
	var force bool
	var recipients []string
	cmd := &cobra.Command{
		Use: "backup", Short: "write one encrypted file from which the hospital's server can be restored",
		Long: "Write one file with all keys of the hospital's home, its configuration, and the network's first state. The server may run\n" +
			"meanwhile. Blobs and the chain are not in it: they come back from the other hospitals.\n\n" +
			"The file is encrypted under the passphrase of the home, or to public age keys (https://age-encryption.org) whose secret\n" +
			"halves lie elsewhere. Make one after each change of keys, accounts or configuration, and keep it away from the server.",
		Example: "  phrd backup --out hospital.phrd-backup\n  phrd backup --out /mnt/safe/hospital.phrd-backup --recipient age1…",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := homeOptionsOf(cmd)
			if err != nil {
				return err
			}
			if to == "" {
				return usage("--out is missing: into which file?")
			}
			made, err := backUp(o, to, force, recipients)
			if err != nil {
				return err
			}
			out := newOutput(cmd)
			if err := out.print(made, nil, made.rows()); err != nil {
				return err
			}
			out.note("Next: take it off this machine. Whoever has it and opens it can act for the hospital.")
			return nil
		},
	}
	cmd.Flags().StringVarP(&to, "out", "o", "", "file to write")
	cmd.Flags().BoolVar(&force, "force", false, "replace the file where there is one")
	cmd.Flags().StringArrayVar(&recipients, "recipient", nil, "public age key that the backup is encrypted to, instead of the passphrase; may be repeated")
	return cmd
}

// backUp writes a backup of a home into a file, which is there whole or not at all.
func backUp(o userOptions, to string, force bool, recipients []string) (made madeBackup, err error) {
	h, err := home.Open(o.Home)
	if err != nil {
		return made, err
	}
	if h.StorageOnly() {
		return made, usage("a storage node needs no backup: retire it (phrd hospital retire-node) and make another one")
	}
	sealed, err := backupRecipients(o, recipients)
	if err != nil {
		return made, err
	}
	if err := writeWhole(to, force, time.Time{}, func(w io.Writer) (err error) {
		made.Backup, err = h.Backup(w, time.Now(), sealed...)
		return err
	}); err != nil {
		return made, err
	}
	stat, err := os.Stat(to)
	if err != nil {
		return made, err
	}
	made.File, made.Size = to, stat.Size()
	return made, h.NoteBackup(made.Made)
}

// backupRecipients are whom a backup is encrypted to: the passphrase of the home, unless there are others.
func backupRecipients(o userOptions, recipients []string) ([]age.Recipient, error) {
	if len(recipients) > 0 {
		parsed, err := age.ParseRecipients(strings.NewReader(strings.Join(recipients, "\n")))
		if err != nil {
			return nil, usage("--recipient: %v", err)
		}
		return parsed, nil
	}
	passphrase, err := o.passphrase(false)
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	// A passphrase that was mistyped must not be found out when the backup is needed.
	if _, err := keys.Open(filepath.Join(o.Home, "keys"), passphrase); err != nil {
		return nil, fmt.Errorf("home %q: %w", o.Home, err)
	}
	recipient, err := age.NewScryptRecipient(string(passphrase))
	if err != nil {
		return nil, err
	}
	return []age.Recipient{recipient}, nil
}

func restoreCommand() *cobra.Command {
	var identity string
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "make the hospital's home again out of a backup",
		Long: "Make the hospital's home again, on this or another machine, out of a file that `phrd backup` wrote. The folder of the home must\n" +
			"be empty or not there. The first start fetches the chain and the blobs from the other hospitals.\n\n" +
			"Make sure that the old server never starts again. The restored validator signs nothing until the network has made ten blocks\n" +
			"without it, and the server stops when it sees that another one signs with its key.",
		Example: "  phrd restore hospital.phrd-backup --home /var/lib/phrd --passphrase-file /etc/phrd/passphrase",
		Args:    exactArgs("which backup?"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := homeOptionsOf(cmd)
			if err != nil {
				return err
			}
			made, err := restore(o, args[0], identity)
			if err != nil {
				return err
			}
			out := newOutput(cmd)
			if err := out.print(made, nil, append([][]string{{"home", o.Home}}, made.rows()...)); err != nil {
				return err
			}
			out.note("Next: `phrd start`, when the old server can't start again.")
			return nil
		},
	}
	cmd.Flags().StringVar(&identity, "identity", "", "file with the secret age key, where the backup is encrypted to one")
	return cmd
}

func restore(o userOptions, from, identity string) (made madeBackup, err error) {
	identities, err := backupIdentities(o, identity)
	if err != nil {
		return made, err
	}
	f, err := os.Open(from)
	if err != nil {
		return made, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	stat, err := f.Stat()
	if err != nil {
		return made, err
	}
	made.File, made.Size = from, stat.Size()
	_, made.Backup, err = home.Restore(o.Home, f, identities...)
	return made, err
}

func backupIdentities(o userOptions, file string) ([]age.Identity, error) {
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		identities, err := age.ParseIdentities(f)
		return identities, errors.Join(err, f.Close())
	}
	passphrase, err := o.passphrase(false)
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	identity, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return nil, err
	}
	return []age.Identity{identity}, nil
}
