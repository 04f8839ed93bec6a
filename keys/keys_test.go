package keys_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
)

var passphrase = []byte("correct horse battery")

func create(t *testing.T) (store *keys.Store, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "keys")
	store, err := keys.Create(dir, passphrase, keys.WithWorkFactor(2))
	if err != nil {
		t.Fatal(err)
	}
	return store, dir
}

func put(t *testing.T, s *keys.Store, name, secret string) {
	t.Helper()
	if err := s.Put(name, []byte(secret)); err != nil {
		t.Fatal(err)
	}
}

func TestKeysSurviveReopening(t *testing.T) {
	store, dir := create(t)
	put(t, store, "libp2p", "seed")
	account, err := store.NewAccount("admin")
	if err != nil {
		t.Fatal(err)
	}

	store, err = keys.Open(dir, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := store.Get("libp2p"); err != nil || string(got) != "seed" {
		t.Fatalf("got %q, %v", got, err)
	}
	again, err := store.Account("admin")
	if err != nil || again.Address() != account.Address() {
		t.Fatalf("got another account: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	_, dir := create(t)
	if _, err := keys.Open(dir, []byte("correct horse batterY")); !errors.Is(err, keys.ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := keys.Open(dir, nil); !errors.Is(err, keys.ErrPassphrase) {
		t.Errorf("empty passphrase: %v", err)
	}
	if _, err := keys.Open(t.TempDir(), passphrase); !errors.Is(err, keys.ErrMissing) {
		t.Errorf("empty folder: %v", err)
	}
	if _, err := keys.Create(dir, passphrase, keys.WithWorkFactor(2)); !errors.Is(err, keys.ErrExists) {
		t.Errorf("created twice: %v", err)
	}
	if _, err := keys.Create(t.TempDir(), []byte("short"), keys.WithWorkFactor(2)); !errors.Is(err, keys.ErrPassphrase) {
		t.Errorf("short passphrase: %v", err)
	}
	if _, err := keys.Open(dir, passphrase); err != nil {
		t.Errorf("the store opens all the same: %v", err)
	}
}

func TestLoosePermissionsAreRefused(t *testing.T) {
	store, dir := create(t)
	put(t, store, "account/admin", "secret")
	for _, c := range []struct {
		path         string
		loose, tight fs.FileMode
	}{
		{dir, 0o750, 0o700},
		{filepath.Join(dir, "account"), 0o711, 0o700},
		{filepath.Join(dir, "account", "admin.age"), 0o640, 0o600},
		{filepath.Join(dir, "identity.age"), 0o604, 0o600},
	} {
		if err := os.Chmod(c.path, c.loose); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Open(dir, passphrase); !errors.Is(err, keys.ErrLoose) {
			t.Errorf("%s with %04o: %v", c.path, c.loose, err)
		}
		if err := os.Chmod(c.path, c.tight); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Open(dir, passphrase); err != nil {
			t.Errorf("%s with %04o: %v", c.path, c.tight, err)
		}
	}
	// An open store notices too.
	if err := os.Chmod(filepath.Join(dir, "account", "admin.age"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Get("account/admin"); !errors.Is(err, keys.ErrLoose) {
		t.Errorf("get: %v", err)
	}
}

func TestPutNeverOverwrites(t *testing.T) {
	store, _ := create(t)
	put(t, store, "vault/patient", "one")
	if err := store.Put("vault/patient", []byte("two")); !errors.Is(err, keys.ErrExists) {
		t.Fatalf("put again: %v", err)
	}
	if got, err := store.Get("vault/patient"); err != nil || string(got) != "one" {
		t.Fatalf("got %q, %v", got, err)
	}
	if err := store.Replace("vault/patient", []byte("two")); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Get("vault/patient"); err != nil || string(got) != "two" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestDelete(t *testing.T) {
	store, dir := create(t)
	put(t, store, "session/00ff", "seed")
	if err := store.Delete("session/00ff"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Get("session/00ff"); !errors.Is(err, keys.ErrNotFound) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("get: %v", err)
	}
	if err := store.Delete("session/00ff"); !errors.Is(err, keys.ErrNotFound) {
		t.Errorf("delete again: %v", err)
	}
	left, err := os.ReadDir(filepath.Join(dir, "session"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestNames(t *testing.T) {
	store, _ := create(t)
	for _, name := range []string{"share/1-1-2", "share/1-1-1", "account/node", "libp2p"} {
		put(t, store, name, "x")
	}
	if got, err := store.Names(keys.SharePrefix); err != nil || !slices.Equal(got, []string{"share/1-1-1", "share/1-1-2"}) {
		t.Errorf("shares: %q, %v", got, err)
	}
	if got, err := store.Names(""); err != nil || len(got) != 4 {
		t.Errorf("all: %q, %v", got, err)
	}
	if got, err := store.Accounts(); err != nil || !slices.Equal(got, []string{"node"}) {
		t.Errorf("accounts: %q, %v", got, err)
	}
}

func TestNamesAreNeverPaths(t *testing.T) {
	store, _ := create(t)
	for _, name := range []string{
		"", "/", "..", "../x", "a/../b", "a//b", "/a", "a/", ".hidden", "identity", "A", "a b", "a\x00b", "é", "a/b/c/d/e", strings.Repeat("a", 81),
	} {
		if err := store.Put(name, []byte("x")); !errors.Is(err, keys.ErrName) {
			t.Errorf("put %q: %v", name, err)
		}
		if _, err := store.Get(name); !errors.Is(err, keys.ErrName) {
			t.Errorf("get %q: %v", name, err)
		}
	}
	put(t, store, "session/"+strings.Repeat("f", 64), "x")
}

func TestDamagedFilesAreRefused(t *testing.T) {
	store, dir := create(t)
	put(t, store, "account/one", "secret one")
	put(t, store, "account/two", "secret two")
	one, two := filepath.Join(dir, "account", "one.age"), filepath.Join(dir, "account", "two.age")
	whole, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 1
		if err := os.WriteFile(one, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := store.Get("account/one"); !errors.Is(err, keys.ErrDamaged) {
			t.Fatalf("byte %d flipped: %q, %v", at, got, err)
		}
	}
	// One key's file in another's place is refused too.
	if err := os.Rename(two, one); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Get("account/one"); !errors.Is(err, keys.ErrDamaged) {
		t.Fatalf("exchanged: %v", err)
	}
	if err := os.WriteFile(one, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Get("account/one"); err != nil || string(got) != "secret one" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestNothingSecretIsOnTheDiskInClear(t *testing.T) {
	store, dir := create(t)
	marker := make([]byte, 32)
	if _, err := rand.Read(marker); err != nil {
		t.Fatal(err)
	}
	put(t, store, "account/admin", string(marker))
	files := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, form := range [][]byte{marker, []byte(hex.EncodeToString(marker)), passphrase} {
			if bytes.Contains(content, form) {
				t.Errorf("%s holds a secret", path)
			}
		}
		return nil
	})
	if err != nil || files != 2 {
		t.Fatalf("%d files, %v", files, err)
	}
}

// A drawn passphrase has a fast hash, and one that a person chooses later has a slow one again.
func TestDrawnPassphrase(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	store, err := keys.Create(dir, passphrase, keys.WithDrawnPassphrase())
	if err != nil {
		t.Fatal(err)
	}
	work := func() string {
		text, err := os.ReadFile(filepath.Join(dir, "identity.age"))
		if err != nil {
			t.Fatal(err)
		}
		stanza := strings.Fields(strings.Split(string(text), "\n")[1]) // -> scrypt SALT WORK
		return stanza[len(stanza)-1]
	}
	if got := work(); got != "10" {
		t.Errorf("work factor %s of a drawn passphrase", got)
	}
	if err := store.Change([]byte("chosen by a person")); err != nil {
		t.Fatal(err)
	}
	if got := work(); got != strconv.Itoa(keys.DefaultWorkFactor) {
		t.Errorf("work factor %s of a chosen passphrase", got)
	}
}

func TestChange(t *testing.T) {
	store, dir := create(t)
	put(t, store, "libp2p", "seed")
	if err := store.Change([]byte("another passphrase"), keys.WithWorkFactor(2)); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Open(dir, passphrase); !errors.Is(err, keys.ErrPassphrase) {
		t.Errorf("old passphrase: %v", err)
	}
	store, err := keys.Open(dir, []byte("another passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := store.Get("libp2p"); err != nil || string(got) != "seed" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestOneOfManyWritersWins(t *testing.T) {
	store, _ := create(t)
	const writers = 8
	won := make(chan string, writers)
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			secret := string(rune('a' + i))
			switch err := store.Put("account/race", []byte(secret)); {
			case err == nil:
				won <- secret
			case !errors.Is(err, keys.ErrExists):
				t.Errorf("writer %d: %v", i, err)
			}
		})
	}
	group.Wait()
	close(won)
	winner, more := <-won, len(won)
	if got, err := store.Get("account/race"); err != nil || string(got) != winner || more != 0 {
		t.Fatalf("got %q, %v; %q and %d more won", got, err, winner, more)
	}
}

func TestShare(t *testing.T) {
	store, _ := create(t)
	scalar, err := lock.RandomScalar(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	share := keys.Share{Network: lock.Network{7}, Kind: lock.KeyRecords, Generation: 1, Epoch: 2, Index: 3, Scalar: scalar}
	if err := store.PutShare(share); err != nil {
		t.Fatal(err)
	}
	got, err := store.Share(lock.KeyRecords, 1, 2)
	if err != nil || got.Network != share.Network || got.Index != 3 || !got.Scalar.Equal(scalar) {
		t.Fatalf("got %d of epoch %d, %v", got.Index, got.Epoch, err)
	}
	if _, err := store.Share(lock.KeyRecords, 1, 1); !errors.Is(err, keys.ErrNotFound) {
		t.Errorf("another epoch: %v", err)
	}
	encoded, err := share.Encode()
	if err != nil {
		t.Fatal(err)
	}
	// A file that was copied under the name of another share.
	for _, other := range []keys.Share{
		{Kind: lock.KeyRecords, Generation: 1, Epoch: 1}, {Kind: lock.KeyRecords, Generation: 2, Epoch: 2}, {Kind: lock.KeyGuardians, Generation: 1, Epoch: 2},
	} {
		put(t, store, keys.ShareName(other.Kind, other.Generation, other.Epoch), string(encoded))
		if _, err := store.Share(other.Kind, other.Generation, other.Epoch); !errors.Is(err, keys.ErrDamaged) || !strings.Contains(err.Error(), "it is another share") {
			t.Errorf("share 1-1-2 as %d-%d-%d: %v", other.Kind, other.Generation, other.Epoch, err)
		}
	}
	for _, bad := range []string{``, `{}`, `[]`, string(encoded) + string(encoded), string(encoded) + "\n", strings.Replace(string(encoded), `"epoch":2`, `"epoch":0`, 1), strings.Replace(string(encoded), `"kind":1`, `"kind":9`, 1)} {
		if _, err := keys.DecodeShare([]byte(bad)); !errors.Is(err, keys.ErrDamaged) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestExportedAccountsAreImported(t *testing.T) {
	from, _ := create(t)
	to, _ := create(t)
	key, err := from.NewAccount("dr-weber")
	if err != nil {
		t.Fatal(err)
	}
	under := []byte("for the way")
	exported, err := from.ExportAccount("dr-weber", under, keys.WithWorkFactor(2))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(exported, key.Bytes()) || bytes.Contains(exported, []byte(hex.EncodeToString(key.Bytes()))) {
		t.Error("the key is exported in clear")
	}
	if _, err := to.ImportAccount("weber", exported, passphrase); !errors.Is(err, keys.ErrPassphrase) {
		t.Errorf("another passphrase: %v", err)
	}
	other := bytes.Replace(exported, []byte("Address: phrd1"), []byte("Address: phrd2"), 1)
	for _, bad := range [][]byte{nil, exported[:len(exported)/2], append(bytes.Clone(exported), "more"...), other} {
		if _, err := to.ImportAccount("weber", bad, under); !errors.Is(err, keys.ErrDamaged) {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
	if got, err := to.ImportAccount("weber", exported, under); err != nil || got.Address() != key.Address() {
		t.Fatalf("import: %v", err)
	}
	if _, err := to.ImportAccount("weber", exported, under); !errors.Is(err, keys.ErrExists) {
		t.Errorf("import again: %v", err)
	}
	if kept, err := to.Account("weber"); err != nil || kept.Address() != key.Address() {
		t.Fatalf("kept: %v", err)
	}
}

func TestPassphraseFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(path, []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := keys.Passphrase(path, false); err != nil || !bytes.Equal(got, passphrase) {
		t.Fatalf("got %q, %v", got, err)
	}
	t.Setenv(keys.PassphraseFileVariable, path)
	if got, err := keys.Passphrase("", true); err != nil || !bytes.Equal(got, passphrase) {
		t.Fatalf("by variable: got %q, %v", got, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Passphrase(path, false); !errors.Is(err, keys.ErrLoose) {
		t.Fatalf("loose: %v", err)
	}
	t.Setenv(keys.PassphraseFileVariable, "")
	t.Setenv("CREDENTIALS_DIRECTORY", t.TempDir())
	if err := os.WriteFile(filepath.Join(os.Getenv("CREDENTIALS_DIRECTORY"), "phrd-passphrase"), passphrase, 0o440); err != nil {
		t.Fatal(err)
	}
	if got, err := keys.Passphrase("", false); err != nil || !bytes.Equal(got, passphrase) {
		t.Fatalf("by credential: got %q, %v", got, err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Passphrase(empty, false); !errors.Is(err, keys.ErrNoPassphrase) {
		t.Fatalf("empty: %v", err)
	}
}
