package inbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/phrd/phrd/lock"
)

var (
	// ErrInUse says that another program watches the folder with the same journal.
	ErrInUse = errors.New("the folder is watched by another process")
	// ErrJournal says that the journal can't be written, without which a file might be stored twice.
	ErrJournal = errors.New("the journal can't be written")
)

// Where a file stands, as the journal has it.
const (
	stateUploaded = "uploaded" // the chain may have been told
	stateStored   = "stored"   // the chain has it
	stateSafe     = "safe"     // the minimum of copies is confirmed
)

// line is one line of the journal: JSON, the newest of a path counts.
type line struct {
	Path     string  `json:"path"` // below the folder
	Size     int64   `json:"size"`
	Modified int64   `json:"modified"` // unix nanoseconds
	SHA256   string  `json:"sha256"`
	State    string  `json:"state"`
	Patient  string  `json:"patient"`
	Record   lock.ID `json:"record"`
	Version  uint64  `json:"version"`
	// Objects are the CIDs of everything that was uploaded of this content: one of them is what the chain has, or will have.
	Objects []string `json:"objects,omitempty"`
	// Same tells that the content had been stored before, as this version.
	Same bool `json:"same,omitempty"`
	// Finished is how the file was taken away: moved or deleted.
	Finished string `json:"finished,omitempty"`
}

// isStored tells that the chain has the content.
func (l line) isStored() bool { return l.State == stateStored || l.State == stateSafe }

// journal is an append-only file of lines. A line that a crash has cut is dropped.
type journal struct {
	file  *os.File
	size  int64
	lines map[string]line // by path
	// contents are the records in which a content of a patient is stored, by patient and hash.
	contents map[[2]string]line
}

// openJournal reads a journal, or begins one, and keeps others from it.
func openJournal(path string) (*journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{file: file, lines: map[string]line{}, contents: map[[2]string]line{}}
	if err := j.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("journal %s: %w", path, err), file.Close())
	}
	return j, nil
}

func (j *journal) read() error {
	if err := unix.Flock(int(j.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return ErrInUse
		}
		return err
	}
	whole := int64(0)
	in := bufio.NewReader(j.file)
	for {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return fmt.Errorf("at byte %d: %w", whole, err)
		}
		whole += int64(len(text))
		j.note(l)
	}
	j.size = whole
	return j.file.Truncate(whole)
}

func (j *journal) note(l line) {
	j.lines[l.Path] = l
	if l.isStored() {
		j.contents[[2]string{l.Patient, l.SHA256}] = l
	}
}

// add writes lines and makes them durable.
func (j *journal) add(lines ...line) error {
	var text []byte
	for _, l := range lines {
		encoded, err := json.Marshal(l)
		if err != nil {
			return err
		}
		text = append(append(text, encoded...), '\n')
	}
	_, err := j.file.Write(text)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%w: %w", ErrJournal, err), j.file.Truncate(j.size)) // half a line would spoil the next one
	}
	j.size += int64(len(text))
	for _, l := range lines {
		j.note(l)
	}
	return nil
}

func (j *journal) close() error { return j.file.Close() }

// isGone tells that a file is not there, which is no error of a scan: it was taken away meanwhile.
func isGone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
