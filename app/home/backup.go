package home

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"filippo.io/age"
	cometjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/privval"

	"github.com/phrd/phrd/keys"
)

const (
	backupFormat = "phrd backup v1"
	// backupHead is the first file of a backup and says what it is.
	backupHead = "backup.json"
	// maxBackupFile and maxBackupFiles bound what a backup may hold: a genesis is the longest file, and there is a pepper for each patient who left one.
	maxBackupFile  = maxGenesis
	maxBackupFiles = 1 << 22
)

// ErrBackup says that a file is not a whole backup of a home.
var ErrBackup = errors.New("not a backup of a home")

// Backup is what a backup says of itself.
type Backup struct {
	Format   string `json:"format"`
	Hospital string `json:"hospital"`
	// ChainID is empty where the home belonged to no network yet.
	ChainID string    `json:"chain_id"`
	Made    time.Time `json:"made"`
}

// backedUp are the files of a backup beside the keys. What is not required may be missing in a home.
func (h Home) backedUp() []struct {
	path     string
	required bool
} {
	return []struct {
		path     string
		required bool
	}{
		{h.CometConfig(), true}, {h.AppConfig(), true}, {h.NodeKey(), true}, {h.ConsensusKey(), true},
		{h.GatewayCertificate(), true}, {h.GatewayKey(), true}, {h.Member(), true}, {h.Genesis(), false}, {h.Client(), false},
		{h.joining(), false}, {h.nextConsensus(), false}, {h.nextComet(), false}, {h.nextKeys(), false},
	}
}

// keyFile is the path of a key in a backup.
var keyFile = regexp.MustCompile(`^keys/([a-z0-9][a-z0-9._-]{0,79}/){0,3}[a-z0-9][a-z0-9._-]{0,79}\.age$`)

// transientKeys are the folders of keys that are never in a backup: a round key receives one share, and must not be there to receive it
// again, and the key of an unlock's session ends with the unlock.
var transientKeys = []string{"keys/" + keys.RoundPrefix, "keys/" + keys.SessionPrefix}

func isKeyFile(name string) bool {
	for _, prefix := range transientKeys {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	return keyFile.MatchString(name)
}

// Backup writes a backup of the home, encrypted to the recipients: all keys, the configuration, and the network's first state. It holds
// neither what the validator signed last, since an old one would let it sign twice, nor the chain, the blobs and the index, which come
// back from other hospitals. The server may run meanwhile.
//
// The file is an age file (https://age-encryption.org/v1) of a tar archive.
func (h Home) Backup(w io.Writer, made time.Time, recipients ...age.Recipient) (Backup, error) {
	fail := func(err error) (Backup, error) { return Backup{}, fmt.Errorf("back up home: %w", err) }
	head, err := h.backupHead(made)
	if err != nil {
		return fail(err)
	}
	encrypted, err := age.Encrypt(w, recipients...)
	if err != nil {
		return fail(err)
	}
	archive := tar.NewWriter(encrypted)
	if err := h.writeBackup(archive, head); err != nil {
		return fail(err)
	}
	if err := archive.Close(); err != nil {
		return fail(err)
	}
	if err := encrypted.Close(); err != nil {
		return fail(err)
	}
	return head, nil
}

func (h Home) backupHead(made time.Time) (Backup, error) {
	_, declared, err := ReadMember(h.Member())
	if err != nil {
		return Backup{}, err
	}
	head := Backup{Format: backupFormat, Hospital: declared.Name, Made: made.UTC().Truncate(time.Second)}
	genesis, err := ReadGenesis(h.Genesis())
	if err == nil {
		head.ChainID = genesis.ChainID
	} else if !errors.Is(err, fs.ErrNotExist) {
		return Backup{}, err
	}
	return head, nil
}

func (h Home) writeBackup(archive *tar.Writer, head Backup) error {
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	if err := addFile(archive, backupHead, text, head.Made); err != nil {
		return err
	}
	for _, f := range h.backedUp() {
		content, err := os.ReadFile(f.path)
		if errors.Is(err, fs.ErrNotExist) && !f.required {
			continue
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(h.dir, f.path)
		if err != nil {
			return err
		}
		if err := addFile(archive, filepath.ToSlash(name), content, head.Made); err != nil {
			return err
		}
	}
	return filepath.WalkDir(h.Keys(), func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(h.dir, file)
		if err != nil {
			return err
		}
		if name = filepath.ToSlash(name); !isKeyFile(name) {
			return nil
		}
		content, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a session that ended meanwhile
		}
		if err != nil {
			return err
		}
		return addFile(archive, name, content, head.Made)
	})
}

func addFile(archive *tar.Writer, name string, content []byte, at time.Time) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: fileMode, ModTime: at, Format: tar.FormatPAX}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := archive.Write(content)
	return err
}

// Restore makes a home in folder dir, which must be empty or not there, out of a backup. The home appears whole or not at all. The
// validator has signed nothing as far as the home knows, and stays silent for a while when it starts, see [Home.IsRestored]. Errors are
// ErrExists, keys.ErrPassphrase where no identity opens the backup, and ErrBackup.
func Restore(dir string, backup io.Reader, identities ...age.Identity) (Home, Backup, error) {
	var head Backup
	h, err := appear(dir, func(h Home) (err error) {
		head, err = restoreInto(h, backup, identities)
		return err
	})
	if err != nil {
		return Home{}, Backup{}, fmt.Errorf("restore home: %w", err)
	}
	return h, head, nil
}

func restoreInto(h Home, backup io.Reader, identities []age.Identity) (Backup, error) {
	plain, err := age.Decrypt(backup, identities...)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return Backup{}, fmt.Errorf("%w: %w", keys.ErrPassphrase, err)
	}
	if err != nil {
		return Backup{}, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	for _, dir := range []string{h.config(""), h.Keys(), h.Data(), h.Blobs(), h.Index(), h.Gateway()} {
		if err := os.Mkdir(dir, folderMode); err != nil {
			return Backup{}, err
		}
	}
	head, err := h.readBackup(tar.NewReader(plain))
	if err != nil {
		return Backup{}, err
	}
	// Only the end of the file shows that it is whole.
	if _, err := io.Copy(io.Discard, plain); err != nil {
		return Backup{}, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	for _, f := range h.backedUp() {
		if _, err := os.Stat(f.path); err != nil && f.required {
			return Backup{}, fmt.Errorf("%w: %w", ErrBackup, err)
		}
	}
	if _, err := h.Config(); err != nil {
		return Backup{}, err
	}
	state, err := cometjson.MarshalIndent(privval.FilePVLastSignState{}, "", "  ")
	if err != nil {
		return Backup{}, err
	}
	if err := writeFile(h.ConsensusState(), state); err != nil {
		return Backup{}, err
	}
	return head, writeFile(h.restored(), nil)
}

// readBackup writes the files of an archive into the home's folder.
func (h Home) readBackup(archive *tar.Reader) (Backup, error) {
	allowed := map[string]bool{}
	for _, f := range h.backedUp() {
		name, err := filepath.Rel(h.dir, f.path)
		if err != nil {
			return Backup{}, err
		}
		allowed[filepath.ToSlash(name)] = true
	}
	var head Backup
	seen := map[string]bool{}
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return head, fmt.Errorf("%w: %w", ErrBackup, err)
		}
		name := header.Name
		known := allowed[name] || isKeyFile(name) || name == backupHead && len(seen) == 0
		if !known || seen[name] || header.Typeflag != tar.TypeReg || header.Size > maxBackupFile || len(seen) == maxBackupFiles {
			return head, fmt.Errorf("%w: it holds %q", ErrBackup, name)
		}
		seen[name] = true
		content, err := io.ReadAll(archive)
		if err != nil {
			return head, fmt.Errorf("%w: %w", ErrBackup, err)
		}
		if name == backupHead {
			if err := json.Unmarshal(content, &head); err != nil || head.Format != backupFormat {
				return head, fmt.Errorf("%w: it is of format %q, not %q", ErrBackup, head.Format, backupFormat)
			}
			continue
		}
		if head.Format == "" {
			return head, fmt.Errorf("%w: it does not begin with %s", ErrBackup, backupHead)
		}
		to := filepath.Join(h.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Join(h.dir, filepath.FromSlash(path.Dir(name))), folderMode); err != nil {
			return head, err
		}
		if err := writeFile(to, content); err != nil {
			return head, err
		}
	}
	if head.Format == "" {
		return head, fmt.Errorf("%w: it is empty", ErrBackup)
	}
	return head, nil
}

func (h Home) restored() string { return filepath.Join(h.Data(), "restored") }

// IsRestored says whether the home comes from a backup and its validator has not signed since. Nobody knows then what it signed last, and
// whether the server that was backed up still runs.
func (h Home) IsRestored() (bool, error) {
	_, err := os.Stat(h.restored())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// SetInService notes that the home's validator may sign.
func (h Home) SetInService() error {
	if err := os.Remove(h.restored()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("put home in service: %w", err)
	}
	return SyncFolder(h.Data())
}
