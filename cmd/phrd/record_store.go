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
	"sync"
	"time"

	"github.com/spf13/cobra"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/seal"
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
	Unlock    string // by which an account of this home opens the previous version
	Previous  *phr.File
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
	Reused   uint64      `json:"reused"` // bytes of the ciphertext that were there already
	Copies   *copiesView `json:"copies,omitempty"`
}

// storeFile stores a file as a version of a record and waits for copies. Where the copies do not come in time the result
// stands beside the error.
func storeFile(ctx context.Context, c *phr.Client, s storeOptions) (*storeResult, error) {
	f, v, err := s.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	stored, err := c.Store(ctx, v)
	if err != nil {
		return nil, fmt.Errorf("store %q: %w", s.File, err)
	}
	result := newStoreResult(s.File, stored)
	if s.Wait == waitNone {
		return result, nil
	}
	return result, s.awaitCopies(ctx, c, stored.Ref, result)
}

func newStoreResult(file string, stored *phr.Stored) *storeResult {
	return &storeResult{
		File: file, Record: stored.Record.String(), Version: stored.Version, Bytes: stored.Size, Padded: stored.Padded,
		Object: stored.Object.String(), Envelope: stored.Envelope.String(), Reused: stored.Reused,
	}
}

// open opens the file and says what is to become of it.
func (s storeOptions) open() (*os.File, phr.NewVersion, error) {
	f, size, err := openRegular(s.File)
	if err != nil {
		return nil, phr.NewVersion{}, err
	}
	stat, err := f.Stat()
	if err != nil {
		return nil, phr.NewVersion{}, errors.Join(err, f.Close())
	}
	if s.Name == "" {
		s.Name = filepath.Base(s.File)
	}
	if s.MediaType == "" {
		if s.MediaType, err = mediaType(s.File, f); err != nil {
			return nil, phr.NewVersion{}, errors.Join(fmt.Errorf("read %q: %w", s.File, err), f.Close())
		}
	}
	return f, phr.NewVersion{
		Record: s.Record, Patient: s.Patient, Class: s.Class, Name: s.Name, MediaType: s.MediaType, Modified: stat.ModTime(), Size: size,
		Content: f, Previous: s.Previous, Progress: s.Progress,
	}, nil
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
			"with --record it becomes the next version of that record. Small files travel together; what goes wrong with one\n" +
			"keeps none of the others back. A cut connection is resumed.\n\n" +
			"With --unlock too, an account of this home opens an earlier version by an unlock that it asked for, and what did\n" +
			"not change since is neither sent nor stored again.",
		Example: "  phrd record store chest.dcm --patient 3ZQK… --from desk --wait copies\n" +
			"  phrd record store letter.pdf --patient 3ZQK… --class document\n" +
			"  phrd record store chest-2.dcm --record 7ABC…\n" +
			"  phrd record store film.mp4 --record 7ABC… --unlock 1f0c… --from desk\n" +
			"  phrd record store rota.xlsx --class other     (the hospital's own)",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.parse(args, patient, class, record, wait); err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error { return u.storeFiles(ctx, o, s, args) })
		},
	}
	userFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&patient, "patient", "", "number of the patient who owns the record; without one the hospital owns it")
	flags.StringVar(&class, "class", "imaging", "class of the record, which is public: "+strings.Join(recordClasses, ", "))
	flags.StringVar(&record, "record", "", "record that gets another version")
	flags.StringVar(&s.Unlock, "unlock", "", "unlock of an earlier version of that record, asked for by an account of this home")
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
	case s.Unlock != "" && record == "":
		return usage("--unlock needs --record: the record whose earlier version it opens")
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

// storeFiles stores files, and prints those that were stored whatever becomes of the others. The error is that of each file that was
// not, or not safely.
func (u *user) storeFiles(ctx context.Context, o *output, s storeOptions, files []string) error {
	s.Copies = func(now phr.Copies) { o.note("copies %d of %d", now.Held, now.Target) }
	var results []*storeResult
	var failed error
	if len(files) == 1 {
		results, failed = u.storeOne(ctx, o, s, files[0])
	} else {
		results, failed = storeMany(ctx, u.client, o, s, files)
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

// storeOne stores one file, with the leaves of an earlier version where that was asked for.
func (u *user) storeOne(ctx context.Context, o *output, s storeOptions, file string) ([]*storeResult, error) {
	if s.Unlock != "" {
		opened, end, err := u.openPrevious(ctx, s.Unlock, s.Record)
		if err != nil {
			return nil, err
		}
		defer end()
		s.Previous = opened
	}
	tell, done := o.progress()
	defer done()
	s.File, s.Progress = file, tell
	result, err := storeFile(ctx, u.client, s)
	if result == nil {
		return nil, err
	}
	if s.Previous != nil {
		o.note("%s of %s were there already, in %s", byteText(result.Reused), byteText(result.Padded), s.Previous.Ref)
	}
	return []*storeResult{result}, err
}

// storeMany stores files together, each as a record of its own, and then waits for their copies.
func storeMany(ctx context.Context, c *phr.Client, o *output, s storeOptions, files []string) ([]*storeResult, error) {
	tell, done := o.progress()
	defer done()
	all, errs := make([]*storeResult, len(files)), make([]error, len(files))
	opened, next := make([]int, len(files)), 0 // places of those that could be opened, in order
	sum := newSum(tell, files)
	each := func(yield func(phr.NewVersion) bool) {
		for i, file := range files {
			s := s
			s.File, s.Progress = file, sum.of(i)
			f, v, err := s.open()
			if err != nil {
				errs[i] = err
				continue
			}
			opened[next] = i // StoreAll tells of it later, maybe from another goroutine
			next++
			goOn := yield(v)
			if err := f.Close(); err != nil && errs[i] == nil {
				errs[i] = err
			}
			if !goOn {
				return
			}
		}
	}
	ended := c.StoreAll(ctx, each, func(place int, stored *phr.Stored, err error) {
		i := opened[place]
		if err != nil {
			errs[i] = fmt.Errorf("store %q: %w", files[i], err)
			return
		}
		all[i] = newStoreResult(files[i], stored)
	})
	var results []*storeResult
	for i, r := range all {
		if r == nil {
			continue
		}
		results = append(results, r)
		if s.Wait == waitNone || ctx.Err() != nil {
			continue
		}
		record, err := lock.ParseID(r.Record)
		if err == nil {
			err = s.awaitCopies(ctx, c, phr.Ref{Record: record, Version: r.Version}, r)
		}
		errs[i] = errors.Join(errs[i], err)
	}
	return results, errors.Join(ended, errors.Join(errs...))
}

// progressSum adds up the progress of many files.
type progressSum struct {
	tell  phr.Progress
	total uint64

	mu   sync.Mutex
	done map[phr.Stage]uint64
	last map[phr.Stage][]uint64 // by file
}

// newSum adds up what is told of files; it does nothing where nobody listens.
func newSum(tell phr.Progress, files []string) *progressSum {
	p := &progressSum{tell: tell, done: map[phr.Stage]uint64{}, last: map[phr.Stage][]uint64{}}
	for _, stage := range []phr.Stage{phr.StageUpload, phr.StageReadBack} {
		p.last[stage] = make([]uint64, len(files))
	}
	for _, file := range files {
		stat, err := os.Stat(file)
		if err != nil || !stat.Mode().IsRegular() {
			continue
		}
		if layout, err := seal.LayoutOf(uint64(stat.Size())); err == nil {
			p.total += layout.Padded
		}
	}
	return p
}

// of is the progress of one file.
func (p *progressSum) of(file int) phr.Progress {
	if p.tell == nil {
		return nil
	}
	return func(stage phr.Stage, done, _ uint64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		last := p.last[stage]
		p.done[stage] += done - last[file]
		last[file] = done
		if stage == phr.StageUpload { // what was sent is read back a moment later
			p.tell(stage, min(p.done[stage], p.total), p.total)
		}
	}
}

// openPrevious opens the newest version of a record that an unlock names, with the account of this home that asked for it.
func (u *user) openPrevious(ctx context.Context, unlock string, record lock.ID) (f *phr.File, end func(), err error) {
	names, err := u.store.Accounts()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		reader, err := u.as(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		f, err := reader.openIfAsked(ctx, unlock, record)
		if f != nil && err == nil {
			return f, func() { _ = reader.close() }, nil // nothing was written there
		}
		if err = errors.Join(err, reader.close()); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, usage("unlock %s: no account of this home asked for it; a clerk may not ask, but a clinician's account may lie in the same home", unlock)
}

// openIfAsked opens the newest version of a record that an unlock names; nil where another account asked for the unlock.
func (u *user) openIfAsked(ctx context.Context, unlock string, record lock.ID) (*phr.File, error) {
	asked, err := u.client.Unlock(ctx, unlock)
	if errors.Is(err, phr.ErrNotFound) || errors.Is(err, phr.ErrForbidden) || errors.Is(err, phr.ErrLogin) {
		return nil, nil
	}
	if err != nil || asked.GetRequester() != u.client.Address() {
		return nil, err
	}
	newest := phr.Ref{Record: record}
	for _, v := range asked.GetVersions() {
		if v.GetRecord() == record.String() {
			newest.Version = max(newest.Version, v.GetVersion())
		}
	}
	if newest.Version == 0 {
		return nil, usage("unlock %s names no version of record %s", unlock, record)
	}
	opening, cancel := context.WithTimeout(ctx, defaultOpenTime)
	defer cancel()
	return u.client.Open(opening, unlock, newest)
}
