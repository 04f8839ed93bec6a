package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	secretFile, secretFolder = 0o600, 0o700
	// oldBackup is the age from which on a backup is too old.
	oldBackup = 30 * 24 * time.Hour
	// unsaved is how long a change may stand without a backup.
	unsaved = 24 * time.Hour
)

// permissions: nobody but the owner reads the keys.
func (f *facts) permissions() Result {
	const remedy = "chmod 600 the file, 700 a folder"
	if f.Loose != nil {
		return fail(remedy, "%v", f.Loose)
	}
	secrets := 0
	err := filepath.WalkDir(f.Home.Keys(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		stat, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a session that ended meanwhile
		}
		if err != nil {
			return err
		}
		allowed := fs.FileMode(secretFile)
		if entry.IsDir() {
			allowed = secretFolder
		} else {
			secrets++
		}
		if got := stat.Mode().Perm(); got&^allowed != 0 {
			return fmt.Errorf("%s: others may use it: %04o, at most %04o", path, got, allowed)
		}
		return nil
	})
	if err != nil {
		return fail(remedy, "%v", err)
	}
	return ok("nobody else reads the keys, %d files", secrets)
}

// configuration: the files can be read and fit.
func (f *facts) configuration() Result {
	if f.FilesErr != nil {
		return fail("correct the file; docs/operate.md names the settings", "%v", f.FilesErr)
	}
	return ok("%s and %s can be read", f.Home.CometConfig(), f.Home.AppConfig())
}

// network: the home belongs to one.
func (f *facts) network() Result {
	if f.Genesis == nil {
		if _, err := os.Stat(f.Home.Genesis()); err == nil {
			return fail("restore the file from the backup, or get it from the /genesis of another hospital", "%s is damaged", f.Home.Genesis())
		}
		return fail("`phrd init --genesis` accepts the first state of a network", "the home belongs to no network yet")
	}
	return ok("%s, id %s", f.Genesis.ChainID, fingerprintText(f.Genesis.ID[:]))
}

// backup: there is one, and it holds what the home has now.
func (f *facts) backup() Result {
	const remedy = "`phrd backup --out FILE`, and take the file off this machine"
	made, err := f.Home.LastBackup()
	if err != nil {
		return warn(remedy, "%v", err)
	}
	if made.IsZero() {
		return warn(remedy, "no backup of this home was made here")
	}
	changed, at, err := f.Home.Changed()
	if err != nil {
		return warn(remedy, "%v", err)
	}
	age := f.At.Sub(made)
	switch {
	case at.After(made) && f.At.Sub(at) > unsaved:
		return warn(remedy, "%s changed after the last backup, of %s", changed, made.Format(time.DateTime))
	case age > oldBackup:
		return warn(remedy, "the last backup is of %s", made.Format(time.DateTime))
	}
	return ok("the last backup is of %s; whether it is somewhere safe this can't tell", made.Format(time.DateTime))
}
