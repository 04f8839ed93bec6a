package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
)

// defaultCopyTime bounds the wait for copies.
const defaultCopyTime = 5 * time.Minute

// What `record store` waits for.
const (
	waitNone    = "none"    // the chain has the version
	waitMinimum = "minimum" // as many copies as make a store safe
	waitCopies  = "copies"  // as many copies as are wanted
)

// storeOptions say what to store and as what.
type storeOptions struct {
	File      string
	Record    lock.ID // gets another version; zero for a new record
	Patient   string  // owner of a new record; empty for the hospital's own
	Class     recordsv1.Class
	Name      string // in place of the file's name
	MediaType string // in place of what the file looks like
	Wait      string
	Timeout   time.Duration
	Progress  phr.Progress
	Copies    func(phr.Copies) // told each new count; may be nil
}

// storeResult is what became of a file.
type storeResult struct {
	File     string      `json:"file"`
	Record   string      `json:"record"`
	Version  uint64      `json:"version"`
	Bytes    uint64      `json:"bytes"`
	Padded   uint64      `json:"padded"`
	Object   string      `json:"object"`
	Envelope string      `json:"envelope"`
	Copies   *copiesView `json:"copies,omitempty"`
}

// storeFile stores a file as a version of a record and waits for copies. Where the copies do not come in time the result
// stands beside the error.
func storeFile(ctx context.Context, c *phr.Client, s storeOptions) (*storeResult, error) {
	f, size, err := openRegular(s.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if s.Name == "" {
		s.Name = filepath.Base(s.File)
	}
	if s.MediaType == "" {
		if s.MediaType, err = mediaType(s.File, f); err != nil {
			return nil, fmt.Errorf("read %q: %w", s.File, err)
		}
	}
	stored, err := c.Store(ctx, phr.NewVersion{
		Record: s.Record, Patient: s.Patient, Class: s.Class, Name: s.Name, MediaType: s.MediaType, Modified: stat.ModTime(), Size: size,
		Content: f, Progress: s.Progress,
	})
	if err != nil {
		return nil, fmt.Errorf("store %q: %w", s.File, err)
	}
	result := &storeResult{
		File: s.File, Record: stored.Record.String(), Version: stored.Version, Bytes: stored.Size, Padded: stored.Padded,
		Object: stored.Object.String(), Envelope: stored.Envelope.String(),
	}
	if s.Wait == waitNone {
		return result, nil
	}
	return result, s.awaitCopies(ctx, c, stored.Ref, result)
}

func (s *storeOptions) awaitCopies(ctx context.Context, c *phr.Client, ref phr.Ref, result *storeResult) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	copies, err := c.Copies(ctx, ref)
	if err != nil {
		return err
	}
	var want uint32
	if s.Wait == waitMinimum {
		want = copies.Minimum
	}
	copies, err = c.WaitForCopies(ctx, ref, want, s.Copies)
	result.Copies = viewCopies(copies)
	return err
}

// openRegular opens a file that has a size: no folder, pipe or device.
func openRegular(path string) (*os.File, uint64, error) {
	stat, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("%q: no such file", path)
	}
	if err != nil {
		return nil, 0, err
	}
	if stat.IsDir() {
		return nil, 0, fmt.Errorf("%q is a folder: store its files one by one, or as an archive", path)
	}
	if !stat.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%q is not a file that can be stored: its size is not known beforehand", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	return f, uint64(stat.Size()), nil
}

// mediaType is what a file looks like by its first bytes, or by its name. The reader stands at the beginning afterwards.
func mediaType(path string, f io.ReadSeeker) (string, error) {
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	head = head[:n]
	if n >= 132 && bytes.Equal(head[128:132], []byte("DICM")) {
		return "application/dicom", nil
	}
	if known := mime.TypeByExtension(filepath.Ext(path)); known != "" {
		return known, nil
	}
	return http.DetectContentType(head), nil
}

func recordStoreCommand() *cobra.Command {
	var patient, class, record, wait string
	s := storeOptions{}
	cmd := &cobra.Command{
		Use: "store FILE...", Short: "encrypt files, store them at the hospital, and have them copied",
		Long: "Encrypt files on this machine, store them at the hospital, read back what was stored, and register it.\n" +
			"Each file becomes a record of its own, owned by the patient, or by the hospital where no patient is named;\n" +
			"with --record it becomes the next version of that record. A cut connection is resumed.",
		Example: "  phrd record store chest.dcm --patient 3ZQK… --from desk --wait copies\n" +
			"  phrd record store letter.pdf --patient 3ZQK… --class document\n" +
			"  phrd record store chest-2.dcm --record 7ABC…\n" +
			"  phrd record store rota.xlsx --class other     (the hospital's own)",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.parse(args, patient, class, record, wait); err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error { return storeFiles(ctx, u.client, o, s, args) })
		},
	}
	userFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&patient, "patient", "", "number of the patient who owns the record; without one the hospital owns it")
	flags.StringVar(&class, "class", "imaging", "class of the record, which is public: "+strings.Join(recordClasses, ", "))
	flags.StringVar(&record, "record", "", "record that gets another version")
	flags.StringVar(&s.Name, "name", "", "name to keep inside, in place of the file's")
	flags.StringVar(&s.MediaType, "media-type", "", "media type to keep inside (default: what the file looks like)")
	flags.StringVar(&wait, "wait", waitMinimum, "wait for copies at hospitals: none, minimum, or copies for all that are wanted")
	flags.DurationVar(&s.Timeout, "timeout", defaultCopyTime, "how long to wait for the copies")
	return cmd
}

// parse checks the command line.
func (s *storeOptions) parse(files []string, patient, class, record, wait string) error {
	switch {
	case len(files) == 0:
		return usage("which file?")
	case record != "" && (len(files) > 1 || patient != ""):
		return usage("--record takes one file, and keeps its owner")
	case s.Name != "" && len(files) > 1:
		return usage("--name takes one file")
	case wait != waitNone && wait != waitMinimum && wait != waitCopies:
		return usage("--wait %s: want none, minimum or copies", wait)
	case s.Timeout <= 0:
		return usage("--timeout must be more than 0")
	}
	s.Wait = wait
	var err error
	if s.Class, err = parseClass(class); err != nil {
		return err
	}
	if patient != "" {
		number, err := lock.ParseID(patient)
		if err != nil {
			return usage("patient: %v", err)
		}
		s.Patient = number.String()
	}
	if record != "" {
		ref, err := parseRef(record)
		if err != nil {
			return err
		}
		s.Record = ref.Record
	}
	return nil
}

// storeFiles stores files one after another. The first error ends it; what was stored before stays and is printed.
func storeFiles(ctx context.Context, c *phr.Client, o *output, s storeOptions, files []string) error {
	var results []*storeResult
	var failed error
	for _, file := range files {
		tell, done := o.progress()
		s.File, s.Progress = file, tell
		s.Copies = func(now phr.Copies) { o.note("copies %d of %d", now.Held, now.Target) }
		result, err := storeFile(ctx, c, s)
		done()
		if result != nil {
			results = append(results, result)
		}
		if err != nil {
			failed = err
			break
		}
	}
	if len(results) == 0 {
		return failed
	}
	rows := make([][]string, len(results))
	for i, r := range results {
		copies := "-"
		if r.Copies != nil {
			copies = fmt.Sprintf("%d of %d", r.Copies.Held, r.Copies.Target)
		}
		rows[i] = []string{fmt.Sprintf("%s/%d", r.Record, r.Version), byteText(r.Bytes), copies, r.File}
	}
	return errors.Join(failed, o.print(results, []string{"RECORD/VERSION", "SIZE", "COPIES", "FILE"}, rows))
}
