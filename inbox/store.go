package inbox

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
)

var (
	// errChanged says that a file is no longer what it was when it was read.
	errChanged = errors.New("the file changed while it was stored")
	// errName says that neither the journal nor a manifest can hold a name.
	errName = errors.New("the name is not UTF-8")
	// errEmpty says that there is nothing to keep: many devices make a file before they write it.
	errEmpty = errors.New("the file is empty")
)

// job is a file that is uploaded and registered.
type job struct {
	file     *file
	line     line
	in       *os.File
	sum      hash.Hash // of what was read of it
	version  phr.NewVersion
	uploaded *phr.Uploaded
}

// store uploads files and registers them together. The error is one of the journal.
func (b *Inbox) store(ctx context.Context, batch []*file) error {
	var jobs []*job
	defer func() {
		for _, j := range jobs {
			_ = j.in.Close() // only read
		}
	}()
	begun := map[string]bool{} // contents of this batch
	for _, f := range batch {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l, err := b.begin(ctx, f)
		if err != nil {
			b.fail(f, err)
			continue
		}
		if l.isStored() {
			if err := b.journal.add(l); err != nil {
				return err
			}
			b.set(f, StageStored)
			continue
		}
		content := l.Patient + l.SHA256
		if begun[content] {
			continue // it stays waiting, and the next batch knows what became of this one
		}
		begun[content] = true
		j, err := b.newJob(f, l)
		if err != nil {
			b.fail(f, err)
			continue
		}
		jobs = append(jobs, j)
	}
	good, err := b.upload(ctx, jobs)
	if err != nil {
		return err
	}
	return b.commit(ctx, good)
}

// begin finds out for whom a file is, and what is known of its content. The line is stored already where the chain has it.
func (b *Inbox) begin(ctx context.Context, f *file) (line, error) {
	if !utf8.ValidString(f.path) {
		return line{}, errName
	}
	if f.size == 0 {
		return line{}, errEmpty
	}
	patient, err := b.patientOf(f)
	if err != nil {
		return line{}, err
	}
	sum, err := b.hash(f)
	if err != nil {
		return line{}, err
	}
	l := line{Path: f.path, Size: f.size, Modified: f.modified.UnixNano(), SHA256: sum, Patient: patient}
	if same, ok := b.journal.contents[[2]string{patient, sum}]; ok {
		l.State, l.Same, l.Record, l.Version = stateStored, true, same.Record, same.Version
		return l, nil
	}
	before, known := b.journal.lines[f.path]
	if known && before.State == stateUploaded && before.Patient == patient {
		// The chain may have been told, and what was told may still come into a block: as the same version of the same record, of
		// which there can be only one.
		l.Record, l.Version, l.Objects = before.Record, before.Version, before.Objects
		v, err := b.config.Archive.Version(ctx, phr.Ref{Record: l.Record, Version: l.Version})
		switch {
		case errors.Is(err, phr.ErrNotFound) && before.SHA256 == sum:
			return l, nil
		case errors.Is(err, phr.ErrNotFound): // another content, which what was told must not stand for
		case err != nil:
			return line{}, err
		case slices.Contains(before.Objects, v.GetObject()) && before.SHA256 == sum:
			l.State = stateStored
			return l, nil
		case slices.Contains(before.Objects, v.GetObject()):
			before.State = stateStored // an earlier content of the path: this one becomes the next version
			if err := b.journal.add(before); err != nil {
				return line{}, err
			}
		}
	}
	return l, b.nextVersion(ctx, &l, before)
}

// nextVersion makes a line the next version of what the path became before, or a new record.
func (b *Inbox) nextVersion(ctx context.Context, l *line, before line) error {
	l.Objects = nil
	if (before.isStored() || before.Version > 1) && before.Patient == l.Patient {
		record, err := b.config.Archive.Record(ctx, before.Record)
		if err != nil {
			return err
		}
		l.Record, l.Version = before.Record, record.GetVersions()+1
		return nil
	}
	l.Version = 1
	_, err := rand.Read(l.Record[:])
	return err
}

// patientOf looks up the patient of a file: by the id in a DICOM header, else by the folder below the inbox, else the one patient of
// the whole folder.
func (b *Inbox) patientOf(f *file) (string, error) {
	if b.config.Patients == nil {
		return b.config.Patient, nil
	}
	local, err := b.localID(f)
	if err != nil {
		return "", err
	}
	if number, ok := b.config.Patients.Number(local); ok {
		return number, nil
	}
	if b.config.Patient != "" {
		return b.config.Patient, nil
	}
	if local == "" {
		return "", fmt.Errorf("it is in no folder of a patient: %w", ErrPatientUnknown)
	}
	return "", fmt.Errorf("local id %q: %w", local, ErrPatientUnknown)
}

func (b *Inbox) localID(f *file) (string, error) {
	in, err := os.Open(filepath.Join(b.config.Dir, f.path))
	if err != nil {
		return "", err
	}
	defer in.Close()
	id, err := PatientID(in)
	switch {
	case err == nil:
		return id, nil
	case errors.Is(err, ErrNotDICOM), errors.Is(err, ErrNoPatientID):
		folder, _, below := strings.Cut(f.path, string(filepath.Separator))
		if !below {
			return "", nil
		}
		return folder, nil
	}
	return "", err
}

// hash reads a file that has to be the one that was seen.
func (b *Inbox) hash(f *file) (string, error) {
	in, err := b.open(f)
	if err != nil {
		return "", err
	}
	defer in.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// open opens a file; errChanged where it is another one than was seen.
func (b *Inbox) open(f *file) (*os.File, error) {
	in, err := os.Open(filepath.Join(b.config.Dir, f.path))
	if err != nil {
		return nil, err
	}
	stat, err := in.Stat()
	if err == nil && (!stat.Mode().IsRegular() || stat.Size() != f.size || !stat.ModTime().Equal(f.modified)) {
		err = errChanged
	}
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return in, nil
}

// newJob opens a file and says what is to become of it.
func (b *Inbox) newJob(f *file, l line) (*job, error) {
	in, err := b.open(f)
	if err != nil {
		return nil, err
	}
	media, err := b.config.Describe(f.path, in)
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	j := &job{file: f, line: l, in: in, sum: sha256.New()}
	j.version = phr.NewVersion{
		NewRecord: l.Record, Patient: l.Patient, Class: b.config.Class, Name: filepath.Base(f.path), MediaType: media,
		Modified: f.modified, Size: uint64(f.size), Content: io.TeeReader(in, j.sum), Progress: b.config.Progress,
	}
	if l.Version > 1 {
		j.version.NewRecord, j.version.Record = lock.ID{}, l.Record
	}
	if j.version.Class == recordsv1.Class_CLASS_UNSPECIFIED {
		j.version.Class = classOf(media)
	}
	return j, nil
}

// upload seals files into the hospital, checks that what was sealed is what was hashed, and answers those with which nothing went
// wrong. The error is that of ctx.
func (b *Inbox) upload(ctx context.Context, jobs []*job) ([]*job, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	files := make([]phr.NewVersion, len(jobs))
	for i, j := range jobs {
		files[i] = j.version
	}
	done, errs := b.config.Archive.UploadAll(ctx, files)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var good []*job
	for i, j := range jobs {
		err := errs[i]
		if err == nil && (hex.EncodeToString(j.sum.Sum(nil)) != j.line.SHA256 || done[i].Version != j.line.Version) {
			err = errChanged
		}
		if err != nil {
			b.fail(j.file, err)
			continue
		}
		j.uploaded = done[i]
		j.line.State = stateUploaded
		j.line.Objects = append(j.line.Objects, done[i].Object.String())
		good = append(good, j)
	}
	return good, nil
}

// classOf is the class of content that looks like this.
func classOf(media string) recordsv1.Class {
	kind, _, _ := strings.Cut(media, "/")
	switch {
	case media == "application/dicom", kind == "image":
		return recordsv1.Class_CLASS_IMAGING
	case kind == "audio", kind == "video":
		return recordsv1.Class_CLASS_RECORDING
	}
	return recordsv1.Class_CLASS_DOCUMENT
}

// commit registers what was uploaded, after the journal knows of it. The error is one of the journal.
func (b *Inbox) commit(ctx context.Context, jobs []*job) error {
	if len(jobs) == 0 {
		return nil
	}
	lines := make([]line, len(jobs))
	for i, j := range jobs {
		lines[i] = j.line
	}
	if err := b.journal.add(lines...); err != nil {
		return err
	}
	return b.register(ctx, jobs)
}

// register tells the chain of files that the journal knows. Where it refuses them, one of them may be at fault: then each half is
// tried. The error is one of the journal.
func (b *Inbox) register(ctx context.Context, jobs []*job) error {
	versions := make([]*phr.Uploaded, len(jobs))
	for i, j := range jobs {
		versions[i] = j.uploaded
	}
	_, err := b.config.Archive.Commit(ctx, versions...)
	var refused *phr.Refused
	if errors.As(err, &refused) && len(jobs) > 1 && !errors.Is(err, phr.ErrBusy) {
		half := len(jobs) / 2
		if err := b.register(ctx, jobs[:half]); err != nil {
			return err
		}
		return b.register(ctx, jobs[half:])
	}
	if refused != nil && len(jobs) == 1 && b.isThere(ctx, jobs[0].line) {
		err = nil
	}
	if err != nil {
		// Whether it was carried out all the same is asked before each is tried again, alone.
		for _, j := range jobs {
			b.fail(j.file, err)
		}
		return nil
	}
	lines := make([]line, len(jobs))
	for i, j := range jobs {
		lines[i] = j.line
		lines[i].State = stateStored
	}
	if err := b.journal.add(lines...); err != nil {
		return err
	}
	for _, j := range jobs {
		b.set(j.file, StageStored)
	}
	return nil
}

// isThere tells whether the chain has a line's content: it was told before, and that came into a block only now. Where it can't be asked
// the next try does so.
func (b *Inbox) isThere(ctx context.Context, l line) bool {
	v, err := b.config.Archive.Version(ctx, phr.Ref{Record: l.Record, Version: l.Version})
	return err == nil && slices.Contains(l.Objects, v.GetObject())
}

// secure looks which stored files are safe by now, and takes those away that shall be. The error is one of the journal.
func (b *Inbox) secure(ctx context.Context) error {
	for _, f := range b.files {
		if f.stage != StageStored {
			continue
		}
		l, ok := b.lineOf(f)
		if !ok {
			continue
		}
		if l.State != stateSafe {
			copies, err := b.config.Archive.Copies(ctx, phr.Ref{Record: l.Record, Version: l.Version})
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil || copies.Minimum == 0 || copies.Held < copies.Minimum {
				f.reason = "waits for copies"
				if err != nil {
					f.reason = err.Error()
				}
				continue
			}
		}
		l.State = stateSafe
		if err := b.finish(f, &l); err != nil {
			if known := f.reason == err.Error(); !known {
				f.reason = err.Error()
				b.config.Tell(b.item(f))
			}
			continue
		}
		if err := b.journal.add(l); err != nil {
			return err
		}
		b.set(f, StageSafe)
	}
	return nil
}

// finish takes a safe file away where that was asked for.
func (b *Inbox) finish(f *file, l *line) error {
	if b.isFinished(*l) {
		return nil
	}
	in, err := b.open(f) // is it still the file that was stored?
	if err != nil {
		return err
	}
	if err := in.Close(); err != nil {
		return err
	}
	from := filepath.Join(b.config.Dir, f.path)
	if b.config.Delete {
		l.Finished = "deleted"
		return os.Remove(from)
	}
	to, err := vacant(filepath.Join(b.config.Done, f.path))
	if err != nil {
		return err
	}
	l.Finished = "moved"
	return os.Rename(from, to)
}

// vacant makes room for a file: its folder, and a name that nothing has.
func vacant(path string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return "", err
	}
	extension := filepath.Ext(path)
	stem := strings.TrimSuffix(path, extension)
	for n := 2; ; n++ {
		_, err := os.Lstat(path)
		if isGone(err) {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		path = fmt.Sprintf("%s.%d%s", stem, n, extension)
	}
}
