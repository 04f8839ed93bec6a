package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/phr"
)

// defaultOpenTime bounds the wait for the release and the keys.
const defaultOpenTime = time.Minute

// openOptions say what to open and where to put it.
type openOptions struct {
	Unlock   string
	Ref      phr.Ref // zero where the unlock names one version
	Output   string  // file to write; "" for one named after the record in this folder, "-" for the standard output
	Force    bool    // replace a file
	Range    string  // FROM-TO; empty for all
	Timeout  time.Duration
	Progress phr.Progress
	Stdout   io.Writer
}

// openResult is what was opened.
type openResult struct {
	Record    string `json:"record"`
	Version   uint64 `json:"version"`
	Unlock    string `json:"unlock"`
	Name      string `json:"name"`
	MediaType string `json:"media_type"`
	Size      uint64 `json:"size"`   // of the whole file
	Offset    uint64 `json:"offset"` // of what was written
	Bytes     uint64 `json:"bytes"`  // that were written
	SHA256    string `json:"sha256"` // of what was written
	Path      string `json:"path"`
}

// openRecord opens a version of a released unlock and writes it, or a range of it. A file gets its name only when
// everything in it was checked and is on the disk; until then, and when it fails, there is none.
func openRecord(ctx context.Context, c *phr.Client, o openOptions) (*openResult, error) {
	opening, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	f, err := c.Open(opening, o.Unlock, o.Ref)
	if err != nil {
		return nil, err
	}
	offset, length, err := parseRange(o.Range, f.Size)
	if err != nil {
		return nil, err
	}
	r := &openResult{
		Record: f.Ref.Record.String(), Version: f.Ref.Version, Unlock: o.Unlock, Name: f.Name, MediaType: f.MediaType, Size: f.Size,
		Offset: offset, Bytes: length, Path: o.Output,
	}
	sum := sha256.New()
	write := func(w io.Writer) error {
		_, err := f.WriteRange(ctx, io.MultiWriter(w, hashed{sum}), offset, length, o.Progress)
		return err
	}
	if o.Output == "-" {
		err = writeStream(o.Stdout, write)
	} else {
		if r.Path == "" {
			r.Path = fmt.Sprintf("%s-%d%s", f.Ref.Record, f.Ref.Version, extension(f.MediaType))
		}
		err = writeWhole(r.Path, o.Force, f.Modified, write)
	}
	if err != nil {
		return nil, err
	}
	r.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return r, nil
}

// hashed is a hash that says nothing else than that it took everything.
type hashed struct{ hash.Hash }

// writeStream writes to a stream, where every block was checked, and not the whole.
func writeStream(w io.Writer, write func(io.Writer) error) error {
	buffered := bufio.NewWriterSize(w, 1<<16)
	if err := write(buffered); err != nil {
		return err
	}
	return buffered.Flush()
}

// extension is that of a media type that this program knows. A name that came with the file is never used as a path.
func extension(mediaType string) string {
	known := map[string]string{
		"application/dicom": ".dcm", "application/pdf": ".pdf", "image/jpeg": ".jpg", "image/png": ".png", "text/plain": ".txt",
	}
	base, _, _ := strings.Cut(mediaType, ";")
	return known[strings.TrimSpace(base)]
}

// writeWhole writes a file beside its place and renames it when it is whole and durable. However it ends, nothing is left
// beside it.
func writeWhole(path string, force bool, modified time.Time, write func(io.Writer) error) (err error) {
	if err := checkTarget(path, force); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".phrd-partial-*") // made 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := write(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if !modified.IsZero() {
		if err := os.Chtimes(f.Name(), modified, modified); err != nil {
			return err
		}
	}
	// Another file may have come meanwhile.
	if err := checkTarget(path, force); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func checkTarget(path string, force bool) error {
	stat, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case stat.IsDir():
		return usage("%q is a folder: name a file", path)
	case !force:
		return fmt.Errorf("%q: %w; --force replaces it", path, fs.ErrExist)
	}
	return nil
}

// parseRange reads FROM-TO, both counted from 0 and included as in HTTP; FROM- reaches to the end, -N are the last N.
func parseRange(text string, size uint64) (offset, length uint64, err error) {
	if text == "" {
		return 0, size, nil
	}
	from, to, ok := strings.Cut(text, "-")
	wrong := usage("--range %s: want FROM-TO, FROM- or -LAST in bytes, within a file of %d", text, size)
	if !ok || from == "" && to == "" {
		return 0, 0, wrong
	}
	if from == "" {
		last, err := strconv.ParseUint(to, 10, 63)
		if err != nil || last == 0 {
			return 0, 0, wrong
		}
		last = min(last, size)
		return size - last, last, nil
	}
	if offset, err = strconv.ParseUint(from, 10, 63); err != nil || offset >= size {
		return 0, 0, wrong
	}
	end := size - 1
	if to != "" {
		if end, err = strconv.ParseUint(to, 10, 63); err != nil || end < offset || end >= size {
			return 0, 0, wrong
		}
	}
	return offset, end - offset + 1, nil
}

// findUnlock looks among the sessions of this home for an unlock that names a version and can be opened, or is nearest
// to it.
func findUnlock(ctx context.Context, u *user, ref phr.Ref) (string, phr.Ref, error) {
	names, err := u.store.Names(keys.SessionPrefix)
	if err != nil {
		return "", ref, err
	}
	var best phr.Unlock
	var found phr.Ref
	for _, name := range names {
		unlock, err := u.client.Unlock(ctx, strings.TrimPrefix(name, keys.SessionPrefix))
		if errors.Is(err, phr.ErrNotFound) || errors.Is(err, phr.ErrForbidden) {
			continue // another account of this home proposed it
		}
		if err != nil {
			return "", ref, err
		}
		refs, err := unlock.Refs()
		if err != nil {
			return "", ref, err
		}
		for _, named := range refs {
			if named.Record != ref.Record || ref.Version != 0 && named.Version != ref.Version || !unlock.IsOpen() {
				continue
			}
			if best.Unlock == nil || unlock.Status > best.Status || unlock.Status == best.Status && named.Version > found.Version {
				best, found = unlock, named
			}
		}
	}
	if best.Unlock == nil {
		return "", ref, fmt.Errorf("no unlock of this home names %s: %w", ref.Record, phr.ErrSession)
	}
	return best.GetId(), found, nil
}

func recordOpenCommand() *cobra.Command {
	var unlock string
	var options openOptions
	cmd := &cobra.Command{
		Use: "open RECORD[/VERSION]", Short: "open a version that was unlocked for you, whole or a range of bytes",
		Long: "Open a version that was unlocked for you: join the hospitals' shares and the patient's half to its key,\n" +
			"fetch what is needed from whichever hospital has it, check all of it, decrypt it here.\n\n" +
			"The file gets its name when it is whole and checked; until then there is none. Exit code 3 says that\n" +
			"signatures or shares are missing.",
		Example: "  phrd record open 7ABC…/1 --from dr-weber -o chest.dcm\n" +
			"  phrd record open 7ABC… --unlock 5f3a… --range 0-1023 -o head.bin\n" +
			"  phrd record open 7ABC… -o - | dcmdump -",
		Args: exactArgs("a record"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := parseRef(args[0])
			if err != nil {
				return err
			}
			if options.Timeout <= 0 {
				return usage("--timeout must be more than 0")
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				options.Unlock, options.Ref, options.Stdout = unlock, ref, cmd.OutOrStdout()
				if o.json && options.Output == "-" {
					return usage("--json and -o - exclude each other")
				}
				if unlock == "" || ref.Version == 0 {
					if options.Unlock, options.Ref, err = completeOpen(ctx, u, unlock, ref); err != nil {
						return err
					}
				}
				tell, done := o.progress()
				options.Progress = tell
				result, err := openRecord(ctx, u.client, options)
				done()
				if err != nil {
					return err
				}
				if options.Output == "-" {
					return nil
				}
				return o.print(result, nil, [][]string{
					{"file", result.Path}, {"bytes", fmt.Sprintf("%d of %d", result.Bytes, result.Size)}, {"sha256", result.SHA256},
					{"name inside", result.Name}, {"media type", orDash(result.MediaType)},
				})
			})
		},
	}
	userFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&unlock, "unlock", "", "unlock that allows it (default: the one of this home that names the record)")
	flags.StringVarP(&options.Output, "output", "o", "", "file to write, - for the standard output (default: named after the record)")
	flags.BoolVar(&options.Force, "force", false, "replace a file that exists")
	flags.StringVar(&options.Range, "range", "", "bytes FROM-TO of the file, counted from 0, both included")
	flags.DurationVar(&options.Timeout, "timeout", defaultOpenTime, "how long to wait for the hospitals' shares")
	return cmd
}

// completeOpen finds the unlock, or the version in it, that the command line left out.
func completeOpen(ctx context.Context, u *user, unlock string, ref phr.Ref) (string, phr.Ref, error) {
	if unlock == "" {
		return findUnlock(ctx, u, ref)
	}
	found, err := u.client.Unlock(ctx, unlock)
	if err != nil {
		return "", ref, err
	}
	refs, err := found.Refs()
	if err != nil {
		return "", ref, err
	}
	for _, named := range refs {
		if named.Record == ref.Record && named.Version > ref.Version {
			ref.Version = named.Version
		}
	}
	if ref.Version == 0 {
		return "", ref, fmt.Errorf("unlock %s does not name record %s: %w", unlock, ref.Record, phr.ErrRef)
	}
	return unlock, ref, nil
}
