package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/inbox"
	"github.com/phrd/phrd/lock"
)

// errNotSafe says that some files of a folder are not safe yet.
var errNotSafe = errors.New("files are not safe yet")

// watchOptions say which folder is watched, and how.
type watchOptions struct {
	inbox.Config
	Table string // file with the local ids of patients
	Once  bool
	List  bool
}

func watchCommand() *cobra.Command {
	var w watchOptions
	var patient, class string
	cmd := &cobra.Command{
		Use: "watch DIR", Short: "store whatever a scanner or another device writes into a folder",
		Long: "Watch a folder and the folders below it, and store each file when it has stopped changing. A file that changes later becomes the\n" +
			"next version of its record. Whatever fails is tried again, for ever; nothing is stored twice, also when this program or the\n" +
			"machine stops; nothing is moved or deleted before enough hospitals have confirmed their copies.\n\n" +
			"With --patients, whose file it is follows from the local patient id in its DICOM header, or else from the name of the folder\n" +
			"directly below DIR: the table has a line \"local id,patient number\" for each patient, and is read again when it changes. It\n" +
			"never leaves this machine. Hidden files and those named *.tmp, *.part and the like are left alone.",
		Example: "  phrd watch /srv/ct --patients /etc/phrd/patients.csv --done /srv/ct-stored\n" +
			"  phrd watch ./letters --patient 3ZQK… --class document --once\n" +
			"  phrd watch /srv/ct --list",
		Args: exactArgs("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w.Dir = args[0]
			if err := w.parse(patient, class); err != nil {
				return err
			}
			options, err := userOptionsOf(cmd)
			if err != nil {
				return err
			}
			if w.Journal, err = watchJournal(options.Home, w.Dir); err != nil {
				return err
			}
			if w.List {
				return listQueue(newOutput(cmd), w.Journal)
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error { return watch(ctx, u, o, w) })
		},
	}
	userFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&w.Table, "patients", "", "CSV file with the patients' local ids and their numbers")
	flags.StringVar(&patient, "patient", "", "number of the patient of files for which the table names nobody, or of all")
	flags.StringVar(&class, "class", "", "class of the records: "+strings.Join(recordClasses, ", ")+" (default: what each file looks like)")
	flags.StringVar(&w.Done, "done", "", "folder to which files are moved when they are safe; on the same file system")
	flags.BoolVar(&w.Delete, "delete", false, "delete files when they are safe")
	flags.DurationVar(&w.Settle, "settle", inbox.DefaultSettle, "how long a file has to stay the same before it counts as complete")
	flags.DurationVar(&w.Every, "every", inbox.DefaultEvery, "time between two looks at the folder")
	flags.BoolVar(&w.Once, "once", false, "end when everything that is in the folder is safe, or failed once")
	flags.BoolVar(&w.List, "list", false, "show the queue and end")
	return cmd
}

// parse checks the command line.
func (w *watchOptions) parse(patient, class string) error {
	switch {
	case w.Table == "" && patient == "" && !w.List:
		return usage("whose are the files? name --patients or --patient")
	case w.Delete && w.Done != "":
		return usage("--done and --delete exclude each other")
	case w.Settle <= 0 || w.Every <= 0:
		return usage("--settle and --every must be more than 0")
	}
	var err error
	if class != "" {
		if w.Class, err = parseClass(class); err != nil {
			return err
		}
	}
	if patient != "" {
		number, err := lock.ParseID(patient)
		if err != nil {
			return usage("patient: %v", err)
		}
		w.Patient = number.String()
	}
	if w.Table != "" {
		w.Patients, err = inbox.OpenPatients(w.Table)
	}
	return err
}

// watchJournal is where a home keeps what it did with a folder.
func watchJournal(home, dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	name := sha256.Sum256([]byte(dir))
	return filepath.Join(home, "inbox", hex.EncodeToString(name[:8])+".jsonl"), nil
}

// listQueue shows what a watcher has to do and has done.
func listQueue(o *output, journal string) error {
	q, err := inbox.ReadQueue(journal)
	if err != nil {
		return err
	}
	if o.json {
		return o.value(q)
	}
	switch {
	case q.At.IsZero():
		o.note("nobody has watched the folder for this home")
	case !q.Running:
		o.note("nobody watches the folder for this home now; as it was at %s:", q.At.Format(time.DateTime))
	}
	return o.printItems(q.Items)
}

// watch stores what is in a folder and what arrives there.
func watch(ctx context.Context, u *user, o *output, w watchOptions) error {
	w.Archive, w.Describe, w.Tell = u.client, func(path string, f *os.File) (string, error) { return mediaType(path, f) }, o.tellItem
	w.Warn = func(err error) { o.note("%v; it is tried again", err) }
	tell, done := o.progress()
	defer done()
	w.Progress = tell
	b, err := inbox.Open(w.Config)
	if err != nil {
		return err
	}
	switch {
	case w.Once:
		err = watchOnce(ctx, b, w)
		if !o.json {
			err = errors.Join(err, o.printItems(b.Items()))
		}
	default:
		o.note("watching %s; ^C ends it", w.Dir)
		err = b.Run(ctx)
	}
	return errors.Join(err, b.Close())
}

// watchOnce goes on until nothing is left to do but what failed.
func watchOnce(ctx context.Context, b *inbox.Inbox, w watchOptions) error {
	for {
		if err := b.Round(ctx); err != nil {
			return err
		}
		if b.Count(inbox.StageSettling, inbox.StageWaiting, inbox.StageStored) == 0 {
			break
		}
		timer := time.NewTimer(w.Every)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
	if failed := b.Count(inbox.StageFailed); failed > 0 {
		return fmt.Errorf("%d: %w", failed, errNotSafe)
	}
	return nil
}

// tellItem writes what became of a file: a line for people, or one JSON object a line.
func (o *output) tellItem(i inbox.Item) {
	if o.json {
		encoded, err := json.Marshal(i)
		if err == nil {
			_, err = fmt.Fprintf(o.out, "%s\n", encoded)
		}
		if err != nil {
			fmt.Fprintln(o.err, printable(err.Error()))
		}
		return
	}
	o.note("%-9s %s  %s", i.Stage, i.Path, itemNote(i))
}

// itemNote is what else is to be said of a file.
func itemNote(i inbox.Item) string {
	var words []string
	if i.Ref != nil {
		words = append(words, i.Ref.String())
	}
	if i.Same {
		words = append(words, "its content was stored before")
	}
	if i.Finished != "" {
		words = append(words, i.Finished)
	}
	if i.Reason != "" {
		words = append(words, i.Reason)
	}
	return strings.Join(words, ", ")
}

func (o *output) printItems(items []inbox.Item) error {
	rows := make([][]string, len(items))
	for i, item := range items {
		rows[i] = []string{string(item.Stage), byteText(uint64(item.Size)), item.Path, orDash(itemNote(item))}
	}
	return o.print(nil, []string{"STAGE", "SIZE", "FILE", "NOTE"}, rows)
}
