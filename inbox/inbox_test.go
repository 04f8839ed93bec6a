package inbox_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/inbox"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
)

// archive is a hospital in memory: what the chain has of each record, and what goes wrong on the way there.
type archive struct {
	records map[lock.ID][]stored
	held    uint32 // copies of everything
	uploads map[*phr.Uploaded]stored
	// upload and commit break the next call; lost carries a commit out and breaks its answer.
	upload, commit, lost error
	// refuse is the name of a file with which the chain refuses every message.
	refuse string
	// during is called while a file is uploaded.
	during func(name string)
}

type stored struct {
	object, patient, name, content, media string
	class                                 recordsv1.Class
}

func newArchive() *archive {
	return &archive{records: map[lock.ID][]stored{}, held: 2, uploads: map[*phr.Uploaded]stored{}}
}

func (a *archive) UploadAll(ctx context.Context, files []phr.NewVersion) ([]*phr.Uploaded, []error) {
	done, errs := make([]*phr.Uploaded, len(files)), make([]error, len(files))
	for i, v := range files {
		done[i], errs[i] = a.uploadOne(ctx, v)
	}
	return done, errs
}

func (a *archive) uploadOne(_ context.Context, v phr.NewVersion) (*phr.Uploaded, error) {
	if err := a.upload; err != nil {
		a.upload = nil
		return nil, err
	}
	if a.during != nil {
		a.during(v.Name)
	}
	content, err := io.ReadAll(v.Content)
	if err != nil {
		return nil, err
	}
	ref := phr.Ref{Record: v.NewRecord, Version: 1}
	if v.Record != (lock.ID{}) {
		ref = phr.Ref{Record: v.Record, Version: uint64(len(a.records[v.Record])) + 1}
	}
	object := lock.DagCID(sha256.Sum256(fmt.Append(nil, len(a.uploads)))) // no two are equal, whatever is in them
	up := &phr.Uploaded{Stored: phr.Stored{Ref: ref, Object: object}}
	a.uploads[up] = stored{object: object.String(), patient: v.Patient, name: v.Name, content: string(content), media: v.MediaType, class: v.Class}
	return up, nil
}

func (a *archive) Commit(_ context.Context, versions ...*phr.Uploaded) (phr.Receipt, error) {
	if err := a.commit; err != nil {
		a.commit = nil
		return phr.Receipt{}, err
	}
	for _, v := range versions {
		if a.refuse != "" && a.uploads[v].name == a.refuse {
			return phr.Receipt{}, &phr.Refused{Reason: "unknown_owner"}
		}
		if uint64(len(a.records[v.Record]))+1 != v.Version {
			return phr.Receipt{}, &phr.Refused{Reason: "known"}
		}
	}
	for _, v := range versions {
		a.records[v.Record] = append(a.records[v.Record], a.uploads[v])
	}
	err := a.lost
	a.lost = nil
	return phr.Receipt{}, err
}

func (a *archive) Record(_ context.Context, id lock.ID) (*recordsv1.Record, error) {
	if len(a.records[id]) == 0 {
		return nil, phr.ErrNotFound
	}
	return &recordsv1.Record{Versions: uint64(len(a.records[id]))}, nil
}

func (a *archive) Version(_ context.Context, ref phr.Ref) (*recordsv1.Version, error) {
	if uint64(len(a.records[ref.Record])) < ref.Version {
		return nil, phr.ErrNotFound
	}
	return &recordsv1.Version{Object: a.records[ref.Record][ref.Version-1].object}, nil
}

func (a *archive) Copies(context.Context, phr.Ref) (phr.Copies, error) {
	return phr.Copies{Held: a.held, Minimum: 2, Target: 3}, nil
}

// contents are "name: content" of every version that the chain has, sorted.
func (a *archive) contents() []string {
	var all []string
	for _, versions := range a.records {
		for i, v := range versions {
			all = append(all, fmt.Sprintf("%s/%d: %s", v.name, i+1, v.content))
		}
	}
	slices.Sort(all)
	return all
}

// desk is a folder with an inbox.
type desk struct {
	t       *testing.T
	dir     string
	archive *archive
	config  inbox.Config
	inbox   *inbox.Inbox
}

var alice, bob = lock.ID{1}.String(), lock.ID{2}.String()

func newDesk(t *testing.T, change func(*inbox.Config)) *desk {
	t.Helper()
	top := t.TempDir()
	d := &desk{t: t, dir: filepath.Join(top, "out"), archive: newArchive()}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d.config = inbox.Config{
		Dir: d.dir, Journal: filepath.Join(top, "journal.jsonl"), Archive: d.archive, Patient: alice, Settle: time.Nanosecond,
		Describe: func(_ string, f *os.File) (string, error) {
			head := make([]byte, 512)
			n, err := f.Read(head)
			if err != nil {
				return "", err
			}
			_, err = f.Seek(0, io.SeekStart)
			return http.DetectContentType(head[:n]), err
		},
	}
	if change != nil {
		change(&d.config)
	}
	d.open()
	return d
}

func (d *desk) open() {
	d.t.Helper()
	b, err := inbox.Open(d.config)
	if err != nil {
		d.t.Fatal(err)
	}
	d.inbox = b
	d.t.Cleanup(func() { _ = b.Close() })
}

// restart is a machine that comes up again.
func (d *desk) restart() {
	d.t.Helper()
	if err := d.inbox.Close(); err != nil {
		d.t.Fatal(err)
	}
	d.open()
}

func (d *desk) write(name, content string) {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// rounds looks at the folder: once to see what is there, again to find it unchanged.
func (d *desk) rounds() {
	d.t.Helper()
	for range 2 {
		if err := d.inbox.Round(d.t.Context()); err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *desk) holds(want ...string) {
	d.t.Helper()
	if got := d.archive.contents(); !slices.Equal(got, want) {
		d.t.Errorf("stored %q, want %q", got, want)
	}
}

// stages are "path stage" of all items.
func (d *desk) stages(want ...string) {
	d.t.Helper()
	var got []string
	for _, i := range d.inbox.Items() {
		got = append(got, i.Path+" "+string(i.Stage))
	}
	if !slices.Equal(got, want) {
		d.t.Errorf("got %q, want %q", got, want)
	}
}

func TestFilesAreStoredOnce(t *testing.T) {
	d := newDesk(t, nil)
	d.write("a.txt", "one")
	d.write("below/b.txt", "two")
	d.write("again.txt", "one")
	d.rounds()
	d.rounds()
	d.holds("a.txt/1: one", "b.txt/1: two")
	d.stages("a.txt safe", "again.txt safe", "below/b.txt safe")
	d.restart()
	d.rounds()
	d.holds("a.txt/1: one", "b.txt/1: two")
	if n := d.inbox.Count(inbox.StageSafe); n != 3 {
		t.Errorf("%d files are safe", n)
	}
}

// A file that the chain refuses keeps none of those back that were to be registered with it.
func TestOneRefusedFileKeepsNoneBack(t *testing.T) {
	d := newDesk(t, nil)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		d.write(name+".txt", name)
	}
	d.archive.refuse = "b.txt"
	d.rounds()
	d.stages("a.txt safe", "b.txt failed", "c.txt safe", "d.txt safe", "e.txt safe")
	d.holds("a.txt/1: a", "c.txt/1: c", "d.txt/1: d", "e.txt/1: e")
}

func TestWhatIsNotCompleteWaits(t *testing.T) {
	d := newDesk(t, func(c *inbox.Config) { c.Settle = time.Hour })
	for _, name := range []string{"a.txt", ".hidden", "b.part", "~lock", "c.TMP", ".folder/d.txt"} {
		d.write(name, "text")
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(d.dir, "link")); err != nil {
		t.Fatal(err)
	}
	d.rounds()
	d.holds()
	d.stages("a.txt settling")

	d = newDesk(t, nil)
	d.write("empty.txt", "")
	d.rounds()
	d.holds()
	d.stages("empty.txt failed")
	d.write("empty.txt", "no longer")
	d.rounds()
	d.holds("empty.txt/1: no longer")
}

func TestChangedFileBecomesTheNextVersion(t *testing.T) {
	d := newDesk(t, nil)
	d.write("a.txt", "one")
	d.rounds()
	d.write("a.txt", "two and longer")
	d.rounds()
	d.restart()
	d.write("a.txt", "three, which is the longest")
	d.rounds()
	d.holds("a.txt/1: one", "a.txt/2: two and longer", "a.txt/3: three, which is the longest")
}

func TestFileThatChangesWhileItIsStored(t *testing.T) {
	d := newDesk(t, nil)
	d.write("a.txt", "one")
	d.archive.during = func(string) { d.write("a.txt", "two") }
	d.rounds()
	d.archive.during = nil
	d.rounds()
	d.holds("a.txt/1: two")
}

func TestPowerCutAroundTheTransaction(t *testing.T) {
	cut := errors.New("cut")
	for _, test := range []struct {
		name   string
		before func(*archive)
	}{
		{"before the upload", func(a *archive) { a.upload = cut }},
		{"the chain never heard", func(a *archive) { a.commit = cut }},
		{"the chain has it", func(a *archive) { a.lost = cut }},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDesk(t, nil)
			d.write("a.txt", "one")
			d.write("b.txt", "two")
			test.before(d.archive)
			d.rounds()
			d.restart()
			d.rounds()
			d.rounds()
			d.holds("a.txt/1: one", "b.txt/1: two")
		})
	}
}

// A transaction that was given up may come into a block later; what is stored again then is the same version of the same record.
func TestLateTransactionAndItsRepetition(t *testing.T) {
	d := newDesk(t, nil)
	d.write("a.txt", "one")
	d.archive.commit = phr.ErrNotCommitted
	d.rounds()
	d.restart()
	d.archive.during = func(string) { // while it is uploaded again, the first one arrives
		d.archive.during = nil
		for up, s := range d.archive.uploads {
			d.archive.records[up.Record] = []stored{s}
		}
	}
	d.rounds()
	d.holds("a.txt/1: one")
	d.stages("a.txt safe")
}

// What was told of a file does not stand for another content that the file has by then.
func TestLateTransactionOfAnEarlierContent(t *testing.T) {
	d := newDesk(t, nil)
	d.write("a.txt", "one")
	d.archive.commit = phr.ErrNotCommitted
	d.rounds()
	d.restart()
	d.write("a.txt", "two")
	d.archive.during = func(string) {
		d.archive.during = nil
		for up, s := range d.archive.uploads {
			d.archive.records[up.Record] = []stored{s}
		}
	}
	d.rounds()
	d.restart()
	d.rounds()
	d.holds("a.txt/1: one", "a.txt/1: two")
	d.stages("a.txt safe")
}

func TestFailuresAreToldAndTriedAgain(t *testing.T) {
	var told []inbox.Item
	d := newDesk(t, func(c *inbox.Config) { c.Tell = func(i inbox.Item) { told = append(told, i) } })
	d.write("a.txt", "one")
	d.archive.upload = phr.ErrUnreachable
	d.rounds()
	d.stages("a.txt failed")
	last := told[len(told)-1]
	if last.Reason != phr.ErrUnreachable.Error() || last.Tries != 1 || d.inbox.Count(inbox.StageFailed) != 1 {
		t.Errorf("got %+v", last)
	}
	q, err := inbox.ReadQueue(d.config.Journal)
	if err != nil || !q.Running || len(q.Items) != 1 || q.Items[0].Reason != last.Reason {
		t.Errorf("queue %+v, %v", q, err)
	}
	d.restart() // the pause before another try is not waited for
	d.rounds()
	d.holds("a.txt/1: one")
}

func TestNothingIsTakenAwayBeforeItIsSafe(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*inbox.Config)
		want   string
	}{
		{"moved", func(c *inbox.Config) { c.Done = filepath.Join(c.Dir, "done") }, "one"},
		{"deleted", func(c *inbox.Config) { c.Delete = true }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDesk(t, test.change)
			d.archive.held = 1
			d.write("below/a.txt", "one")
			d.rounds()
			d.stages("below/a.txt stored")
			d.restart()
			d.rounds()
			if _, err := os.Stat(filepath.Join(d.dir, "below/a.txt")); err != nil {
				t.Fatal(err)
			}
			d.archive.held = 2
			d.rounds()
			if _, err := os.Stat(filepath.Join(d.dir, "below/a.txt")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("it is still there: %v", err)
			}
			content, err := os.ReadFile(filepath.Join(d.dir, "done/below/a.txt"))
			if string(content) != test.want || (err == nil) != (test.want != "") {
				t.Errorf("moved: %q, %v", content, err)
			}
			d.rounds()
			if items := d.inbox.Items(); len(items) != 1 || items[0].Finished != test.name {
				t.Errorf("got %+v", items)
			}
			// The same again: known, and taken away too, beside what is there already.
			d.write("below/a.txt", "one")
			d.rounds()
			d.holds("a.txt/1: one")
			if _, err := os.Stat(filepath.Join(d.dir, "below/a.txt")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the second is still there: %v", err)
			}
			if _, err := os.Stat(filepath.Join(d.dir, "done/below/a.2.txt")); (err == nil) != (test.want != "") {
				t.Errorf("the second: %v", err)
			}
		})
	}
}

func TestPatientsAreFoundOnThisSide(t *testing.T) {
	table := filepath.Join(t.TempDir(), "patients.csv")
	write := func(text string) {
		if err := os.WriteFile(table, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# local id, number\nL-1, " + alice + "\n")
	d := newDesk(t, func(c *inbox.Config) {
		var err error
		if c.Patients, err = inbox.OpenPatients(table); err != nil {
			t.Fatal(err)
		}
		c.Patient = ""
	})
	d.write("scan.dcm", string(dicom(explicit, "L-1")))
	d.write("L-1/letter.txt", "to alice")
	d.write("L-2/letter.txt", "to bob")
	d.write("stray.txt", "to whom")
	d.rounds()
	d.stages("L-1/letter.txt safe", "L-2/letter.txt failed", "scan.dcm safe", "stray.txt failed")
	for _, i := range d.inbox.Items() {
		if i.Stage == inbox.StageFailed && !strings.Contains(i.Reason, inbox.ErrPatientUnknown.Error()) {
			t.Errorf("%s: %s", i.Path, i.Reason)
		}
	}
	write("L-1," + alice + "\n\"L-2\"," + bob + "\n")
	d.restart()
	d.rounds()
	owners := map[string]string{}
	for _, versions := range d.archive.records {
		owners[versions[0].content] = versions[0].patient
		if strings.Contains(versions[0].name, "L-1") {
			t.Errorf("the local id went along as %q", versions[0].name)
		}
	}
	if owners["to alice"] != alice || owners["to bob"] != bob || owners[string(dicom(explicit, "L-1"))] != alice || len(owners) != 3 {
		t.Errorf("got %q", owners)
	}
}

// A table that somebody is writing, and a folder on a share that is away, end nothing.
func TestRunGoesOn(t *testing.T) {
	table := filepath.Join(t.TempDir(), "patients.csv")
	if err := os.WriteFile(table, []byte("L-1,"+alice+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	warned, told := make(chan error), make(chan inbox.Item, 100)
	d := newDesk(t, func(c *inbox.Config) {
		var err error
		if c.Patients, err = inbox.OpenPatients(table); err != nil {
			t.Fatal(err)
		}
		c.Every, c.Warn, c.Tell = time.Millisecond, func(err error) { warned <- err }, func(i inbox.Item) { told <- i }
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- d.inbox.Run(ctx) }()

	if err := os.WriteFile(table, []byte("L-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-warned; !errors.Is(err, inbox.ErrPatients) {
		t.Errorf("a broken table: %v", err)
	}
	if err := os.WriteFile(table, []byte("L-1,"+alice+"\nL-2,"+bob+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	away := d.dir + ".away"
	if err := os.Rename(d.dir, away); err != nil {
		t.Fatal(err)
	}
	if err := <-warned; !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is away: %v", err)
	}
	if err := os.Rename(away, d.dir); err != nil {
		t.Fatal(err)
	}
	d.write("L-2/letter.txt", "to bob")
	for i := range told {
		if i.Stage == inbox.StageSafe {
			break
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	d.holds("letter.txt/1: to bob")
}

func TestTablesThatAreRefused(t *testing.T) {
	table := filepath.Join(t.TempDir(), "patients.csv")
	for _, text := range []string{"L-1\n", "L-1,nobody\n", "," + alice + "\n", "L-1," + alice + "\nL-1," + bob + "\n", "\"L-1," + alice + "\n"} {
		if err := os.WriteFile(table, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := inbox.OpenPatients(table); !errors.Is(err, inbox.ErrPatients) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestJournal(t *testing.T) {
	d := newDesk(t, nil)
	if _, err := inbox.Open(d.config); !errors.Is(err, inbox.ErrInUse) {
		t.Errorf("a second inbox: %v", err)
	}
	d.write("a.txt", "one")
	d.rounds()
	whole, err := os.ReadFile(d.config.Journal)
	if err != nil {
		t.Fatal(err)
	}
	// Cut anywhere, it tells less and never stores twice: what the chain has is asked for.
	for _, n := range []int{len(whole) - 1, len(whole) / 2, len(whole)/3 + 2} {
		if err := d.inbox.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.config.Journal, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		d.open()
		d.rounds()
		d.holds("a.txt/1: one")
	}
	if err := d.inbox.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.config.Journal, append([]byte("{}x\n"), whole...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := inbox.Open(d.config); err == nil || !strings.Contains(err.Error(), "journal "+d.config.Journal) {
		t.Errorf("a spoilt journal: %v", err)
	}
}
