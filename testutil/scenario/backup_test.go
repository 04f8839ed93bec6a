package scenario_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/keys"
)

// archive is a backup as a tar archive, which a test changes.
type archive struct {
	names    []string
	contents map[string]string
}

func newIdentity(t *testing.T) *age.HybridIdentity {
	t.Helper()
	identity, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

func unpack(t *testing.T, backup []byte, identity age.Identity) archive {
	t.Helper()
	plain, err := age.Decrypt(bytes.NewReader(backup), identity)
	if err != nil {
		t.Fatal(err)
	}
	a := archive{contents: map[string]string{}}
	for files := tar.NewReader(plain); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return a
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		a.names = append(a.names, header.Name)
		a.contents[header.Name] = string(content)
	}
}

func (a archive) pack(t *testing.T, to age.Recipient) []byte {
	t.Helper()
	var backup bytes.Buffer
	sealed, err := age.Encrypt(&backup, to)
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewWriter(sealed)
	for _, name := range a.names {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(a.contents[name])), Mode: 0o600}
		if strings.HasPrefix(name, "link:") {
			header = &tar.Header{Typeflag: tar.TypeSymlink, Name: strings.TrimPrefix(name, "link:"), Linkname: "/etc/passwd"}
		}
		if err := files.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(files, a.contents[name]); header.Size > 0 && err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(files.Close(), sealed.Close()); err != nil {
		t.Fatal(err)
	}
	return backup.Bytes()
}

func TestBackup(t *testing.T) {
	homes, _ := newHomes(t, 1)
	made, identity := homes[0], newIdentity(t)
	for _, name := range []string{keys.SessionPrefix + strings.Repeat("ab", 32), keys.AccountPrefix + "clerk", keys.SharePrefix + "1-1-1", keys.PepperPrefix + "ab/" + strings.Repeat("ab", 16)} {
		if err := made.Keys.Put(name, bytes.Repeat([]byte{7}, 32)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(made.Home.Keys(), ".partial-1.age"), []byte("cut off"), 0o600); err != nil {
		t.Fatal(err)
	}
	var backup bytes.Buffer
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	head, err := made.Home.Backup(&backup, at, identity.Recipient())
	if err != nil || head.Hospital != made.Declaration.Name || head.ChainID != "" || !head.Made.Equal(at) {
		t.Fatalf("%+v, %v", head, err)
	}
	want := []string{
		"backup.json", "config/config.toml", "config/app.toml", "config/node_key.json", "config/priv_validator_key.json",
		"config/gateway.crt", "config/gateway.key", "member.json", "keys/account/admin.age", "keys/account/clerk.age", "keys/account/node.age",
		"keys/identity.age", "keys/libp2p.age", "keys/pepper/ab/abababababababababababababababab.age", "keys/share/1-1-1.age", "keys/vault/hospital/1.age",
	}
	if got := unpack(t, backup.Bytes(), identity).names; !slices.Equal(got, want) {
		t.Errorf("a backup holds %q, want %q", got, want)
	}

	dir := filepath.Join(t.TempDir(), "home")
	restored, again, err := home.Restore(dir, bytes.NewReader(backup.Bytes()), newIdentity(t), identity)
	if err != nil || again != head {
		t.Fatalf("%+v, %v", again, err)
	}
	opened, err := home.Open(dir)
	if err != nil || opened.Dir() != restored.Dir() {
		t.Fatalf("%s, %v", opened.Dir(), err)
	}
	store, err := keys.Open(restored.Keys(), options(1).Passphrase)
	if err != nil {
		t.Fatal(err)
	}
	names, err := store.Names("")
	if err != nil || !slices.Equal(names, []string{"account/admin", "account/clerk", "account/node", "libp2p", "pepper/ab/abababababababababababababababab", "share/1-1-1", "vault/hospital/1"}) {
		t.Errorf("keys %q, %v", names, err)
	}
	for name, path := range map[string]string{"consensus key": restored.ConsensusKey(), "node key": restored.NodeKey(), "state": restored.ConsensusState()} {
		if stat, err := os.Stat(path); err != nil || stat.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, stat, err)
		}
	}
	if fresh, err := restored.IsRestored(); err != nil || !fresh {
		t.Errorf("restored: %v, %v", fresh, err)
	}
	if fresh, err := made.Home.IsRestored(); err != nil || fresh {
		t.Errorf("the original is restored: %v, %v", fresh, err)
	}
	if err := restored.SetInService(); err != nil {
		t.Error(err)
	}
	if fresh, err := restored.IsRestored(); err != nil || fresh {
		t.Errorf("in service: %v, %v", fresh, err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	homes, _ := newHomes(t, 1)
	identity := newIdentity(t)
	var backup bytes.Buffer
	if _, err := homes[0].Home.Backup(&backup, time.Now(), identity.Recipient()); err != nil {
		t.Fatal(err)
	}
	change := func(do func(*archive)) []byte {
		a := unpack(t, backup.Bytes(), identity)
		do(&a)
		return a.pack(t, identity.Recipient())
	}
	add := func(name string) []byte { return change(func(a *archive) { a.names = append(a.names, name) }) }
	without := func(name string) []byte {
		return change(func(a *archive) { a.names = slices.DeleteFunc(a.names, func(n string) bool { return n == name }) })
	}
	dir := filepath.Join(t.TempDir(), "home")
	refuse := func(name string, backup []byte, want error, identities ...age.Identity) {
		t.Helper()
		if _, _, err := home.Restore(dir, bytes.NewReader(backup), identities...); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(left) != 0 {
			t.Fatalf("%s: left behind %v, %v", name, left, err)
		}
	}
	refuse("another one's identity", backup.Bytes(), keys.ErrPassphrase, newIdentity(t))
	refuse("empty", nil, home.ErrBackup, identity)
	refuse("something else", []byte("PK\x03\x04"), home.ErrBackup, identity)
	for n := 1; n < backup.Len(); n += 997 {
		refuse("cut off", backup.Bytes()[:n], home.ErrBackup, identity)
	}
	refuse("the last byte is missing", backup.Bytes()[:backup.Len()-1], home.ErrBackup, identity)
	refuse("nothing in it", change(func(a *archive) { a.names = nil }), home.ErrBackup, identity)
	for _, name := range []string{
		"../outside", "/etc/phrd", "config/../../outside", "data/priv_validator_state.json", "keys/../outside.age", "keys/.hidden.age",
		"keys/round/1.age", "keys/session/aa.age", "backup.json", "member.json", "link:client.json", "blobs/packs/1.pack",
	} {
		refuse("it holds "+name, add(name), home.ErrBackup, identity)
	}
	for _, name := range []string{"backup.json", "member.json", "config/config.toml", "config/priv_validator_key.json"} {
		refuse("without "+name, without(name), home.ErrBackup, identity)
	}
	refuse("another format", change(func(a *archive) { a.contents["backup.json"] = `{"format":"phrd backup v2"}` }), home.ErrBackup, identity)

	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := home.Restore(dir, &backup, identity); !errors.Is(err, home.ErrExists) {
		t.Errorf("over something: %v", err)
	}
}
