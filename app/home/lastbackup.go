package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func (h Home) backupNote() string { return filepath.Join(h.Data(), "last-backup") }

// NoteBackup notes when a backup was made, so that somebody notices when there is none that is new enough. A backup does not hold the
// note: a home that was restored has none.
func (h Home) NoteBackup(made time.Time) error {
	if err := writeFile(h.backupNote(), []byte(made.UTC().Format(time.RFC3339)+"\n")); err != nil {
		return fmt.Errorf("note the backup: %w", err)
	}
	return nil
}

// LastBackup is when the last backup of the home was made; the zero time where none is known. The error is ErrDamaged where the note is
// none.
func (h Home) LastBackup() (time.Time, error) {
	text, err := os.ReadFile(h.backupNote())
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("last backup: %w", err)
	}
	made, err := time.Parse(time.RFC3339, strings.TrimSpace(string(text)))
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w: no time", h.backupNote(), ErrDamaged)
	}
	return made, nil
}

// Changed is the file that changed last of those that a backup holds, and when.
func (h Home) Changed() (path string, at time.Time, err error) {
	newer := func(file string) error {
		stat, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // not every home has every file, and sessions end
		}
		if err == nil && stat.ModTime().After(at) {
			path, at = file, stat.ModTime()
		}
		return err
	}
	for _, f := range h.backedUp() {
		if err := newer(f.path); err != nil {
			return "", time.Time{}, err
		}
	}
	err = filepath.WalkDir(h.Keys(), func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(h.dir, file)
		if err != nil || !isKeyFile(filepath.ToSlash(name)) {
			return err
		}
		return newer(file)
	})
	return path, at, err
}
