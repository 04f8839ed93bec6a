// Package keys keeps the secret keys of one home, each in a file of its own, encrypted at rest.
//
// # Files
//
// A store is a folder that nobody but its owner may enter (0700), of files that nobody but their owner may read (0600); with any
// other permissions nothing is opened. identity.age holds the store's own key, encrypted under the passphrase (age, scrypt).
// Every other file holds one secret, encrypted to that key (age, ML-KEM-768 + X25519) together with its name, so that two files
// cannot be exchanged. Opening a store therefore costs one passphrase hash, however many keys it holds, and adding a key costs none.
//
// # Names
//
//	account/<name>                           secret key of an account, 32 bytes
//	libp2p                                   seed of the blob node's Ed25519 key, 32 bytes
//	vault/hospital/<epoch>                   seed of the hospital vault's X-Wing key, 32 bytes
//	vault/staff/<address>/<epoch>            seed of the X-Wing key of a clinician's vault, 32 bytes
//	vault/patient                            the patient's vault
//	pepper/<aa>/<patient number in hex>      pepper of a patient's wallet slot, with who may have it
//	round/<kind>-<gen>-<epoch>-<attempt>/key    seed of a round key, 32 bytes; beside it "deal", the seed of a polynomial
//	share/<kind>-<generation>-<epoch>        one share of the network's key, see [Share]
//	session/<unlock>                         seed of an unlock's session, 32 bytes
package keys

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"filippo.io/age"
)

// DefaultWorkFactor is the base-2 logarithm of the work that the passphrase hash takes: 128 MiB and about half a second.
const DefaultWorkFactor = 17

// drawnWorkFactor is that for a passphrase that nobody can guess: 1 MiB and a few milliseconds.
const drawnWorkFactor = 10

// MinPassphrase is how many bytes a passphrase has at least.
const MinPassphrase = 8

const (
	maxWorkFactor = 20
	maxSecret     = 1 << 20
	folderMode    = 0o700
	fileMode      = 0o600
	suffix        = ".age"
	identityFile  = "identity" + suffix
	partial       = ".partial-"
	header        = "phrd key v1\n"
)

var (
	// ErrMissing says that there is no store in the folder.
	ErrMissing = errors.New("no keys here")
	// ErrPassphrase says that a passphrase is not the store's, or too short for a new one.
	ErrPassphrase = errors.New("wrong passphrase")
	// ErrLoose says that others may read what only its owner may.
	ErrLoose = errors.New("permissions are too loose")
	// ErrExists says that there is a store or a key of this name already.
	ErrExists = errors.New("exists already")
	// ErrNotFound says that there is no key of this name. It is fs.ErrNotExist.
	ErrNotFound error = notFound{}
	// ErrName says that a name is none a key may have.
	ErrName = errors.New("not a name for a key")
	// ErrDamaged says that a key file does not hold what was written.
	ErrDamaged = errors.New("key file is damaged")
)

type notFound struct{}

func (notFound) Error() string { return "no such key" }

func (notFound) Is(target error) bool { return target == fs.ErrNotExist }

var nameRule = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,79}(/[a-z0-9][a-z0-9._-]{0,79}){0,3}$`)

// Store is an open store. All its methods may be called at the same time, also by several processes.
type Store struct {
	dir  string
	self *age.HybridIdentity
}

// Option changes how a store is created.
type Option func(*settings)

type settings struct{ workFactor int }

// WithWorkFactor sets the base-2 logarithm of the work that the passphrase hash takes, 1 to 20. Tests set a low one.
func WithWorkFactor(log2 int) Option { return func(s *settings) { s.workFactor = log2 } }

// WithDrawnPassphrase says that the passphrase was drawn at random, of 128 bits or more. A slow hash is against guesses, and finds no more of
// such a one, so it is a fast one.
func WithDrawnPassphrase() Option { return WithWorkFactor(drawnWorkFactor) }

// Create makes a store in folder dir, which is created where it is not there. The error is ErrExists where dir holds a store, and
// ErrPassphrase for a passphrase that is too short.
func Create(dir string, passphrase []byte, options ...Option) (*Store, error) {
	if len(passphrase) < MinPassphrase {
		return nil, tooShort(passphrase)
	}
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, fmt.Errorf("create keys: %w", err)
	}
	if err := tight(dir); err != nil {
		return nil, err
	}
	self, err := age.GenerateHybridIdentity()
	if err != nil {
		return nil, fmt.Errorf("create keys: %w", err)
	}
	sealed, err := sealUnder([]byte(self.String()), passphrase, options)
	if err != nil {
		return nil, fmt.Errorf("create keys: %w", err)
	}
	if err := write(filepath.Join(dir, identityFile), sealed, false); err != nil {
		return nil, fmt.Errorf("create keys in %s: %w", dir, err)
	}
	return &Store{dir: dir, self: self}, nil
}

// Open opens the store in folder dir. Errors are ErrMissing, ErrLoose where the folder or any file in it may be read by others,
// ErrPassphrase and ErrDamaged.
func Open(dir string, passphrase []byte) (*Store, error) {
	path := filepath.Join(dir, identityFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrMissing)
	}
	if err := tightTree(dir); err != nil {
		return nil, err
	}
	sealed, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	secret, err := unsealUnder(sealed, passphrase)
	if err != nil {
		return nil, fmt.Errorf("open keys in %s: %w", dir, err)
	}
	self, err := age.ParseHybridIdentity(string(secret))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, ErrDamaged)
	}
	return &Store{dir: dir, self: self}, nil
}

// At is the store after its folder was moved to dir.
func (s *Store) At(dir string) *Store { return &Store{dir: dir, self: s.self} }

// Put keeps a secret under a new name. It is durable when Put returns. Errors are ErrExists and ErrName.
func (s *Store) Put(name string, secret []byte) error { return s.put(name, secret, false) }

// Replace keeps a secret under a name, new or not: after a crash the file holds the old secret or the new one.
// The error is ErrName.
func (s *Store) Replace(name string, secret []byte) error { return s.put(name, secret, true) }

func (s *Store) put(name string, secret []byte, replace bool) error {
	path, err := s.path(name)
	if err != nil {
		return err
	}
	if len(secret) == 0 || len(secret) > maxSecret {
		return fmt.Errorf("key %q: %d bytes, 1 to %d", name, len(secret), maxSecret)
	}
	sealed, err := seal(slices.Concat([]byte(header), []byte(name), []byte{'\n'}, secret), s.self.Recipient())
	if err != nil {
		return fmt.Errorf("key %q: %w", name, err)
	}
	if err := s.makeFolders(filepath.Dir(path)); err != nil {
		return fmt.Errorf("key %q: %w", name, err)
	}
	if err := write(path, sealed, replace); err != nil {
		return fmt.Errorf("key %q: %w", name, err)
	}
	return nil
}

// Get returns the secret of a name. Errors are ErrNotFound, ErrLoose, ErrDamaged and ErrName.
func (s *Store) Get(name string) ([]byte, error) {
	path, err := s.path(name)
	if err != nil {
		return nil, err
	}
	if err := tight(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("key %q: %w", name, ErrNotFound)
	} else if err != nil {
		return nil, err
	}
	sealed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("key %q: %w", name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", name, err)
	}
	plain, err := unseal(sealed, s.self)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w: %w", name, ErrDamaged, err)
	}
	secret, ok := bytes.CutPrefix(plain, []byte(header+name+"\n"))
	if !ok {
		return nil, fmt.Errorf("key %q: %w: it is another key's file", name, ErrDamaged)
	}
	return secret, nil
}

// Delete removes a secret; the file is gone for good when Delete returns. Errors are ErrNotFound and ErrName.
func (s *Store) Delete(name string) error {
	path, err := s.path(name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("key %q: %w", name, ErrNotFound)
	} else if err != nil {
		return fmt.Errorf("key %q: %w", name, err)
	}
	return syncFolder(filepath.Dir(path))
}

// Names lists the names that begin with prefix, sorted.
func (s *Store) Names(prefix string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted while we walked
		}
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(s.dir, path)
		if err != nil {
			return err
		}
		name, ok := strings.CutSuffix(filepath.ToSlash(relative), suffix)
		if ok && relative != identityFile && strings.HasPrefix(name, prefix) && nameRule.MatchString(name) {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

// Change puts the store under another passphrase; the keys in it stay as they are. A copy of the old identity.age still opens
// with the old passphrase. The error is ErrPassphrase for one that is too short.
func (s *Store) Change(passphrase []byte, options ...Option) error {
	sealed, err := sealUnder([]byte(s.self.String()), passphrase, options)
	if err != nil {
		return fmt.Errorf("change passphrase: %w", err)
	}
	if err := write(filepath.Join(s.dir, identityFile), sealed, true); err != nil {
		return fmt.Errorf("change passphrase: %w", err)
	}
	return nil
}

func (s *Store) path(name string) (string, error) {
	if !nameRule.MatchString(name) || name+suffix == identityFile {
		return "", fmt.Errorf("%w: %q", ErrName, name)
	}
	return filepath.Join(s.dir, filepath.FromSlash(name)+suffix), nil
}

// makeFolders creates the folders between the store's own and dir, and makes their names durable.
func (s *Store) makeFolders(dir string) error {
	if dir == s.dir {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := s.makeFolders(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, folderMode); errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	return syncFolder(parent)
}

func tooShort(passphrase []byte) error {
	return fmt.Errorf("%w: %d bytes, at least %d", ErrPassphrase, len(passphrase), MinPassphrase)
}

// sealUnder encrypts to a passphrase.
func sealUnder(plain, passphrase []byte, options []Option) ([]byte, error) {
	set := settings{workFactor: DefaultWorkFactor}
	for _, o := range options {
		o(&set)
	}
	if set.workFactor < 1 || set.workFactor > maxWorkFactor {
		return nil, fmt.Errorf("work factor %d, 1 to %d", set.workFactor, maxWorkFactor)
	}
	if len(passphrase) < MinPassphrase {
		return nil, tooShort(passphrase)
	}
	recipient, err := age.NewScryptRecipient(string(passphrase))
	if err != nil {
		return nil, err
	}
	recipient.SetWorkFactor(set.workFactor)
	return seal(plain, recipient)
}

// unsealUnder decrypts what sealUnder made. Errors are ErrPassphrase and ErrDamaged.
func unsealUnder(sealed, passphrase []byte) ([]byte, error) {
	identity, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return nil, fmt.Errorf("%w: it is empty", ErrPassphrase)
	}
	identity.SetMaxWorkFactor(maxWorkFactor)
	plain, err := unseal(sealed, identity)
	if noMatch := new(age.NoIdentityMatchError); errors.As(err, &noMatch) {
		return nil, ErrPassphrase
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return plain, nil
}

func seal(plain []byte, to age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func unseal(sealed []byte, identity age.Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), identity)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, 2*maxSecret))
}

// write makes a file durable under its final name, never a part of it.
func write(path string, content []byte, replace bool) error {
	dir := filepath.Dir(path)
	var tail [8]byte
	if _, err := rand.Read(tail[:]); err != nil {
		return err
	}
	temporary := filepath.Join(dir, partial+hex.EncodeToString(tail[:]))
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	if replace {
		if err := os.Rename(temporary, path); err != nil {
			return errors.Join(err, os.Remove(temporary))
		}
		return syncFolder(dir)
	}
	// A link, unlike a rename, fails where the name is taken.
	err = os.Link(temporary, path)
	if errors.Is(err, fs.ErrExist) {
		err = ErrExists
	}
	if err = errors.Join(err, os.Remove(temporary)); err != nil {
		return err
	}
	return syncFolder(dir)
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// tightTree returns an error that is ErrLoose where anything in dir may be read or written by others than its owner.
func tightTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = tight(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted while we walked
		}
		return err
	})
}

// tight returns an error that is ErrLoose where the file or folder may be read or written by others than its owner.
func tight(path string) error {
	stat, err := os.Lstat(path)
	if err != nil {
		return err
	}
	want := fs.FileMode(fileMode)
	if stat.IsDir() {
		want = folderMode
	} else if !stat.Mode().IsRegular() {
		return fmt.Errorf("%s: %w: it is no regular file", path, ErrLoose)
	}
	if got := stat.Mode().Perm(); got&^want != 0 {
		return fmt.Errorf("%s: %w: %04o, at most %04o", path, ErrLoose, got, want)
	}
	return nil
}
