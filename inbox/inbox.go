package inbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
)

const (
	// DefaultSettle is how long a file has to stay the same before it counts as complete.
	DefaultSettle = 10 * time.Second
	// DefaultEvery is the time between two looks at the folder.
	DefaultEvery = 2 * time.Second

	// firstRetry and lastRetry bound the pauses before a file is tried again.
	firstRetry = 2 * time.Second
	lastRetry  = 10 * time.Minute
	// batchFiles and batchBytes bound what is registered with one transaction.
	batchFiles = phr.MaxBatch
	batchBytes = 64 << 20
)

// ErrPatientUnknown says that the table names no patient for a file.
var ErrPatientUnknown = errors.New("no patient is known for the file")

// Archive is where files go; it is a *phr.Client of a clerk.
type Archive interface {
	UploadAll(ctx context.Context, files []phr.NewVersion) ([]*phr.Uploaded, []error)
	Commit(ctx context.Context, versions ...*phr.Uploaded) (phr.Receipt, error)
	Record(ctx context.Context, record lock.ID) (*recordsv1.Record, error)
	Version(ctx context.Context, ref phr.Ref) (*recordsv1.Version, error)
	Copies(ctx context.Context, ref phr.Ref) (phr.Copies, error)
}

// Config says what an [Inbox] does.
type Config struct {
	// Dir is the folder that is watched, with the folders below it.
	Dir string
	// Journal is the file in which is written what was done.
	Journal string
	// Archive takes the files.
	Archive Archive
	// Patients resolves local ids; nil where Patient is the patient of every file.
	Patients *Patients
	// Patient owns the files for which the table names nobody; empty to let them wait.
	Patient string
	// Class of new records; 0 chooses it by what the file looks like.
	Class recordsv1.Class
	// Describe tells the media type of a file by its path and content.
	Describe func(path string, f *os.File) (mediaType string, err error)
	// Done is the folder to which files are moved when they are safe; empty to leave them.
	Done string
	// Delete takes files away when they are safe.
	Delete bool
	// Settle is how long a file has to stay the same; DefaultSettle if 0.
	Settle time.Duration
	// Every is the time between two looks; DefaultEvery if 0.
	Every time.Duration
	// Tell is told each change of an item; may be nil.
	Tell func(Item)
	// Warn is told what keeps a whole round from being done, once as long as it lasts; may be nil.
	Warn func(error)
	// Progress of the file at work; may be nil.
	Progress phr.Progress
}

// Stage is where a file stands.
type Stage string

// The stages of a file.
const (
	StageSettling Stage = "settling" // it may still grow
	StageWaiting  Stage = "waiting"  // it is complete and its turn will come
	StageStored   Stage = "stored"   // the chain has it, copies are made
	StageSafe     Stage = "safe"     // the minimum of copies is confirmed, and it was taken away where that was asked for
	StageFailed   Stage = "failed"   // it is tried again, see Reason
)

// Item is one file of an inbox.
type Item struct {
	// Path below the folder.
	Path string `json:"path"`
	// Size in bytes.
	Size int64 `json:"size"`
	// Stage it has reached.
	Stage Stage `json:"stage"`
	// Ref is the version that it became, once it is stored.
	Ref *phr.Ref `json:"ref,omitempty"`
	// Same tells that its content had been stored before, as Ref.
	Same bool `json:"same,omitempty"`
	// Finished is how it was taken away: moved or deleted.
	Finished string `json:"finished,omitempty"`
	// Reason why it failed, and Tries how often.
	Reason string `json:"reason,omitempty"`
	Tries  int    `json:"tries,omitempty"`
}

// Inbox watches a folder. Its methods are called by one goroutine.
type Inbox struct {
	config  Config
	journal *journal
	files   map[string]*file
	changed bool // since the queue was written
}

// file is a file that is there, or was when it was last seen.
type file struct {
	path     string
	size     int64
	modified time.Time
	since    time.Time // when it was first seen as it is
	stage    Stage
	reason   string
	tries    int
	next     time.Time // when it is tried again
}

// Open opens the journal of a folder. Errors are ErrInUse and those of the file system.
func Open(config Config) (*Inbox, error) {
	if config.Archive == nil || config.Describe == nil {
		return nil, errors.New("inbox needs an archive and a way to describe files")
	}
	dir, err := filepath.EvalSymlinks(config.Dir)
	if err != nil {
		return nil, err
	}
	if stat, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !stat.IsDir() {
		return nil, fmt.Errorf("%q is not a folder", config.Dir)
	}
	config.Dir = dir
	if config.Settle == 0 {
		config.Settle = DefaultSettle
	}
	if config.Every == 0 {
		config.Every = DefaultEvery
	}
	if config.Tell == nil {
		config.Tell = func(Item) {}
	}
	if config.Warn == nil {
		config.Warn = func(error) {}
	}
	j, err := openJournal(config.Journal)
	if err != nil {
		return nil, err
	}
	return &Inbox{config: config, journal: j, files: map[string]*file{}}, nil
}

// Close closes the journal.
func (b *Inbox) Close() error { return b.journal.close() }

// tell says that an item has changed.
func (b *Inbox) tell(f *file) {
	b.changed = true
	b.config.Tell(b.item(f))
}

// Items are the files that are in the folder, and those that were taken away, by path.
func (b *Inbox) Items() []Item {
	items := make([]Item, 0, len(b.files))
	for _, f := range b.files {
		items = append(items, b.item(f))
	}
	for path, l := range b.journal.lines {
		if _, here := b.files[path]; !here && l.Finished != "" {
			items = append(items, b.item(&file{path: path, size: l.Size, stage: StageSafe, modified: time.Unix(0, l.Modified)}))
		}
	}
	slices.SortFunc(items, func(a, b Item) int { return strings.Compare(a.Path, b.Path) })
	return items
}

func (b *Inbox) item(f *file) Item {
	i := Item{Path: f.path, Size: f.size, Stage: f.stage, Reason: f.reason, Tries: f.tries}
	if l, ok := b.lineOf(f); ok && l.isStored() {
		i.Ref, i.Same, i.Finished = &phr.Ref{Record: l.Record, Version: l.Version}, l.Same, l.Finished
	}
	return i
}

// lineOf is what the journal has of the very file that is there.
func (b *Inbox) lineOf(f *file) (line, bool) {
	l, ok := b.journal.lines[f.path]
	return l, ok && l.Size == f.size && l.Modified == f.modified.UnixNano()
}

// Run watches the folder until ctx ends, which is no error. Whatever goes wrong with a file, with the folder or with the network is
// tried again; the error is ErrJournal.
func (b *Inbox) Run(ctx context.Context) error {
	warned := ""
	for {
		err := b.Round(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // what broke when it was told to end is tried again at the next start
		}
		if errors.Is(err, ErrJournal) {
			return err
		}
		if err == nil {
			warned = ""
		} else if text := err.Error(); text != warned {
			warned = text
			b.config.Warn(err)
		}
		timer := time.NewTimer(b.config.Every)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// Round looks at the folder once and does what can be done now. Errors are ErrJournal, ErrPatients, and those of the folder and of
// the table; the table stays as it was then.
func (b *Inbox) Round(ctx context.Context) error {
	if err := b.scan(); err != nil {
		return err
	}
	if b.config.Patients != nil {
		if err := b.config.Patients.Refresh(); err != nil {
			return fmt.Errorf("table of patients: %w", err)
		}
	}
	for ctx.Err() == nil {
		batch := b.ready()
		if len(batch) == 0 {
			break
		}
		if err := b.store(ctx, batch); err != nil {
			return err
		}
	}
	if err := b.secure(ctx); err != nil {
		return err
	}
	return b.writeQueue()
}

// Count is how many files of the folder are at a stage.
func (b *Inbox) Count(stages ...Stage) int {
	count := 0
	for _, f := range b.files {
		if slices.Contains(stages, f.stage) {
			count++
		}
	}
	return count
}

// scan brings the list of files up to what is in the folder.
func (b *Inbox) scan() error {
	here := map[string]bool{}
	done, err := filepath.Abs(b.config.Done)
	if err != nil {
		return err
	}
	err = filepath.WalkDir(b.config.Dir, func(path string, entry os.DirEntry, err error) error {
		if isGone(err) && path != b.config.Dir {
			return nil
		}
		if err != nil {
			return err
		}
		below, err := filepath.Rel(b.config.Dir, path)
		if err != nil {
			return err
		}
		absolute, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		switch {
		case below == ".":
		case entry.IsDir() && (isHidden(entry.Name()) || b.config.Done != "" && absolute == done):
			return filepath.SkipDir
		case entry.Type().IsRegular() && !isHidden(entry.Name()):
			stat, err := entry.Info()
			if isGone(err) {
				return nil
			}
			if err != nil {
				return err
			}
			here[below] = true
			b.see(below, stat)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for path := range b.files {
		if !here[path] {
			delete(b.files, path)
		}
	}
	return nil
}

// isHidden tells that a name is one of those under which programs write what is not complete.
func isHidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~") ||
		slices.Contains([]string{".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart"}, strings.ToLower(filepath.Ext(name)))
}

// see notes a file as it is now.
func (b *Inbox) see(path string, stat os.FileInfo) {
	f := b.files[path]
	if f == nil || f.size != stat.Size() || !f.modified.Equal(stat.ModTime()) {
		f = &file{path: path, size: stat.Size(), modified: stat.ModTime(), since: time.Now(), stage: StageSettling}
		b.files[path] = f
		// A file that was taken away and is there again settles like a new one; its content is known then.
		if l, ok := b.lineOf(f); ok && l.isStored() && l.Finished == "" {
			f.stage = StageStored
			if l.State == stateSafe && b.isFinished(l) {
				f.stage = StageSafe
			}
		}
		b.tell(f)
	}
	if f.stage == StageSettling && time.Since(f.since) >= b.config.Settle {
		b.set(f, StageWaiting)
	}
}

// isFinished tells that nothing is left to do with a safe file.
func (b *Inbox) isFinished(l line) bool {
	return l.Finished != "" || b.config.Done == "" && !b.config.Delete
}

// set brings a file to a stage.
func (b *Inbox) set(f *file, stage Stage) {
	f.stage, f.reason, f.tries = stage, "", 0
	b.tell(f)
}

// fail notes why a file could not be brought on. It is tried again later.
func (b *Inbox) fail(f *file, err error) {
	pause := lastRetry
	if f.tries < 9 {
		pause = min(firstRetry<<f.tries, lastRetry)
	}
	known := f.stage == StageFailed && f.reason == err.Error()
	f.stage, f.reason, f.tries, f.next = StageFailed, err.Error(), f.tries+1, time.Now().Add(pause)
	if !known {
		b.tell(f)
	}
}

// ready are the files whose turn it is, by path: one that failed alone, others together.
func (b *Inbox) ready() []*file {
	var waiting []*file
	for _, f := range b.files {
		switch {
		case f.stage == StageWaiting:
			waiting = append(waiting, f)
		case f.stage == StageFailed && !time.Now().Before(f.next):
			return []*file{f}
		}
	}
	slices.SortFunc(waiting, func(a, b *file) int { return strings.Compare(a.path, b.path) })
	bytes := int64(0)
	for i, f := range waiting {
		if bytes += f.size; i == batchFiles || i > 0 && bytes > batchBytes {
			return waiting[:i]
		}
	}
	return waiting
}
