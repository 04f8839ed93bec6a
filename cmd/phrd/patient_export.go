package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/phr"
)

// indexName is the last file of an archive: what is in it.
const indexName = "index.json"

// exportedVersion is a version in an archive's index.
type exportedVersion struct {
	Record    string `json:"record"`
	Version   uint64 `json:"version"`
	File      string `json:"file"` // in the archive
	Name      string `json:"name"` // as it was stored
	MediaType string `json:"media_type"`
	Size      uint64 `json:"size"`
	SHA256    string `json:"sha256"`
	Created   string `json:"created,omitempty"`  // RFC 3339
	Modified  string `json:"modified,omitempty"` // RFC 3339
}

// exportedArchive is what `patient export` says.
type exportedArchive struct {
	Path     string `json:"path"`
	Versions int    `json:"versions"`
	Bytes    uint64 `json:"bytes"` // of all files
}

// exportOwn writes all versions that the patient owns and that are not erased as a tar archive, and an index at its end.
func exportOwn(ctx context.Context, u *user, w io.Writer, tell func(done, all int)) (exportedArchive, error) {
	var sum exportedArchive
	vault, err := u.vault(ctx)
	if err != nil {
		return sum, err
	}
	refs, err := u.sealings(ctx, vault, func(phr.Sealing) bool { return true })
	if err != nil {
		return sum, err
	}
	archive := tar.NewWriter(w)
	index := []exportedVersion{}
	if len(refs) > 0 {
		err = u.client.OpenOwn(ctx, vault, refs, func(f *phr.File) error {
			v, err := exportFile(ctx, archive, f)
			if err != nil {
				return fmt.Errorf("version %s: %w", f.Ref, err)
			}
			index = append(index, v)
			sum.Bytes += v.Size
			tell(len(index), len(refs))
			return nil
		})
		if err != nil {
			return sum, err
		}
	}
	encoded, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return sum, err
	}
	if err := archive.WriteHeader(&tar.Header{Name: indexName, Mode: 0o600, Size: int64(len(encoded)), ModTime: time.Now()}); err != nil {
		return sum, err
	}
	if _, err := io.Copy(archive, bytes.NewReader(encoded)); err != nil {
		return sum, err
	}
	sum.Versions = len(index)
	return sum, archive.Close()
}

// exportFile writes one version, as "<record>/<version>/<name>".
func exportFile(ctx context.Context, archive *tar.Writer, f *phr.File) (exportedVersion, error) {
	v := exportedVersion{
		Record: f.Ref.Record.String(), Version: f.Ref.Version, Name: f.Name, MediaType: f.MediaType, Size: f.Size, Created: rfcTime(f.Created), Modified: rfcTime(f.Modified),
	}
	v.File = fmt.Sprintf("%s/%d/%s", strings.TrimRight(v.Record, "*~$="), v.Version, fileName(f.Name, f.MediaType))
	if err := archive.WriteHeader(&tar.Header{Name: v.File, Mode: 0o600, Size: int64(f.Size), ModTime: f.Modified, Format: tar.FormatPAX}); err != nil {
		return v, err
	}
	hash := sha256.New()
	if _, err := f.WriteTo(ctx, io.MultiWriter(archive, hash), nil); err != nil {
		return v, err
	}
	v.SHA256 = hex.EncodeToString(hash.Sum(nil))
	return v, nil
}

func rfcTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// fileName is a name that is safe in a folder. What somebody else chose is never a path.
func fileName(name, mediaType string) string {
	safe := strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == ':' || !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r) {
			return '_'
		}
		return r
	}, name)
	if safe = strings.Trim(safe, ". "); safe == "" {
		safe = "file" + extension(mediaType)
	}
	return safe
}

func patientExportCommand() *cobra.Command {
	var to []string
	var passphraseFile string
	var force bool
	cmd := &cobra.Command{
		Use: "export FILE", Short: "write all your records to one encrypted archive", Args: exactArgs("a file"),
		Example: "  phrd patient export records.tar.age\n  age -d records.tar.age | tar x\n  phrd patient export records.tar.age --to age1…",
		Long: "Write all your records, every version that is not erased, to one archive: a tar file with an index, encrypted with age (age-encryption.org)\n" +
			"under a passphrase, or with --to for the keys of others. What a vault that was begun anew can't open is left out. The age tool opens it anywhere,\n" +
			"without this program:\n\n" +
			"    age -d records.tar.age | tar x\n\n" +
			"You ask for your records and approve it, which the command does; it is in the log, each look included.",
		RunE: func(cmd *cobra.Command, args []string) error {
			recipients, err := exportRecipients(to, passphraseFile)
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				var sum exportedArchive
				err := writeWhole(args[0], force, time.Time{}, func(w io.Writer) error {
					sealed, err := age.Encrypt(w, recipients...)
					if err != nil {
						return err
					}
					if sum, err = exportOwn(ctx, u, sealed, func(done, all int) { o.note("%d of %d", done, all) }); err != nil {
						return err
					}
					return sealed.Close()
				})
				if err != nil {
					return err
				}
				sum.Path = args[0]
				return o.print(sum, nil, [][]string{{"exported", fmt.Sprintf("%d versions, %d bytes", sum.Versions, sum.Bytes)}, {"file", sum.Path}})
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().StringArrayVar(&to, "to", nil, "age1… key of somebody who may open it; can be repeated (default: a passphrase is asked for)")
	cmd.Flags().StringVar(&passphraseFile, "export-passphrase-file", "", "file with the passphrase of the archive")
	cmd.Flags().BoolVar(&force, "force", false, "replace a file")
	return cmd
}

// exportRecipients are the keys, or the passphrase, that open an archive.
func exportRecipients(to []string, passphraseFile string) ([]age.Recipient, error) {
	if len(to) > 0 {
		list, err := age.ParseRecipients(strings.NewReader(strings.Join(to, "\n")))
		if err != nil {
			return nil, usage("--to: %v", err)
		}
		return list, nil
	}
	if passphraseFile == "" && os.Getenv(keys.PassphraseFileVariable) != "" {
		return nil, usage("the passphrase of the archive is not that of the home: --export-passphrase-file, or --to")
	}
	passphrase, err := keys.Passphrase(passphraseFile, true)
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	r, err := age.NewScryptRecipient(string(passphrase))
	if err != nil {
		return nil, err
	}
	return []age.Recipient{r}, nil
}
