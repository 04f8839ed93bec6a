package main_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/phr"
)

// What the vault's commands print under --json, as far as the tests look at it.
type (
	shownVault struct {
		Epoch, Revision, Generation uint64
		Slots                       []string
		Epochs, Generations         map[string]int
		Reseal, Relock, Waiting     int
	}
	rotatedVault struct {
		Epoch, Revision uint64
		Retired         []uint64
		RecoveryCode    string `json:"recovery_code"`
	}
	sealedAnew struct{ Versions int }
)

// joins makes somebody a patient and returns the number and the recovery code.
func (c *cast) joins(t *testing.T, p person) (number, code string) {
	t.Helper()
	var invitation struct{ Invitation string }
	c.clerk.does(t, &invitation, "patient", "invite", "--for", "1h")
	var joined struct {
		Patient      string
		RecoveryCode string `json:"recovery_code"`
	}
	p.does(t, &joined, "patient", "join", invitation.Invitation)
	return joined.Patient, joined.RecoveryCode
}

// says runs a command that reads words from its standard input.
func (p person) says(t *testing.T, words string, value any, args ...string) (code int, told string) {
	t.Helper()
	cmd := p.command(t.Context(), append(args, "--json")...)
	var out, faults bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(words+"\n"), &out, &faults
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), faults.String()
	}
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(out.Bytes(), value), out.String())
	return 0, faults.String()
}

// Vera's vault gets another key, her records follow, and her computer burns: with her wallet's key and the new words another one has all.
// In the end she takes everything along.
func TestVault(t *testing.T) {
	c := newCast(t)
	t.Parallel()
	vera := c.machine(t, "vera")
	number, code := c.joins(t, vera)
	files := map[string][]byte{}
	var refs []string
	for i, name := range []string{"chest.dcm", "../etc/passwd.pdf", "empty.txt"} {
		path, content := file(t, filepath.Base(name), []int{2_500_000, 3000, 0}[i])
		var stored []storedFile
		c.clerk.does(t, &stored, "record", "store", path, "--wait", "none", "--patient", number)
		refs = append(refs, fmt.Sprintf("%s/%d", stored[0].Record, stored[0].Version))
		files[refs[i]] = content
	}
	var v shownVault
	vera.does(t, &v, "vault", "show")
	require.Equal(t, shownVault{
		Epoch: 1, Revision: 1, Generation: v.Generation, Slots: []string{"wallet", "code"}, Epochs: map[string]int{"1": 3}, Generations: v.Generations,
		Relock: v.Relock,
	}, v)
	require.Contains(t, vera.does(t, nil, "vault", "show"), "epoch 1: 3")

	var r rotatedVault
	vera.does(t, &r, "vault", "rotate")
	require.EqualValues(t, 2, r.Epoch)
	require.Empty(t, r.Retired)
	require.NotEqual(t, code, r.RecoveryCode)
	require.Contains(t, vera.does(t, nil, "vault", "show"), "`phrd vault reseal`")
	var sealed sealedAnew
	vera.does(t, &sealed, "vault", "reseal")
	require.Equal(t, 3, sealed.Versions)
	vera.does(t, &sealed, "vault", "reseal")
	require.Zero(t, sealed.Versions)
	vera.does(t, &sealed, "vault", "relock", refs[0])
	require.Equal(t, 1, sealed.Versions)
	v = shownVault{}
	vera.does(t, &v, "vault", "show")
	require.Equal(t, map[string]int{"2": 3}, v.Epochs)
	require.Zero(t, v.Waiting)
	vera.fails(t, 2, "--unlock names", "vault", "relock", "--unlock", "x", "--all")
	c.clerk.fails(t, 1, "no vault", "vault", "show")

	// What was cut short before the network took it is given up; what it took is kept.
	next := filepath.Join(vera.home, "vault.json.next")
	before := readAll(t, filepath.Join(vera.home, "vault.json"))
	require.NoError(t, os.WriteFile(next, bytes.Replace(before, []byte(`"revision": 2`), []byte(`"revision": 3`), 1), 0o600))
	vera.does(t, &v, "vault", "show")
	require.NoFileExists(t, next)
	former := code
	code = r.RecoveryCode
	vera.does(t, &r, "vault", "rotate", "--same-key")
	require.EqualValues(t, 2, r.Epoch)
	require.Equal(t, []uint64{1}, r.Retired)
	after := readAll(t, filepath.Join(vera.home, "vault.json"))
	require.NoError(t, os.WriteFile(next, after, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(vera.home, "vault.json"), before, 0o600))
	vera.does(t, &v, "vault", "show")
	require.NoFileExists(t, next)
	require.Equal(t, after, readAll(t, filepath.Join(vera.home, "vault.json")))

	var kept struct {
		Kept bool
		At   phr.Door
		Ways []phr.PepperWay
	}
	vera.does(t, &kept, "vault", "pepper", "show")
	require.True(t, kept.Kept)
	require.Len(t, kept.Ways, 1)
	require.Equal(t, "code", kept.Ways[0].Way)
	c.logged(t, vera, number, "pepper_deposited")

	// The computer burns; the wallet's key was kept elsewhere.
	exported := filepath.Join(t.TempDir(), "vera.key")
	vera.does(t, nil, "keys", "export", "patient", "--out", exported, "--export-passphrase-file", vera.passphrase)
	require.NoError(t, os.RemoveAll(vera.home))
	laptop := c.machine(t, "laptop")
	laptop.does(t, nil, "keys", "import", "patient", "--in", exported, "--export-passphrase-file", vera.passphrase)
	door := c.hospital(3).door(t)
	args := []string{"patient", "recover", "--gateway", door.Gateway, "--fingerprint", door.Fingerprint}
	for _, words := range []string{former, code, "", "no words"} {
		exit, told := laptop.says(t, words, nil, args...)
		require.NotZero(t, exit, told)
	}
	// The hospital of her first gateway keeps the pepper of her wallet, and another one's gateway helps to find it.
	var back struct {
		Patient    string
		WalletSlot bool `json:"wallet_slot"`
	}
	exit, told := laptop.says(t, strings.ToUpper(r.RecoveryCode), &back, args...)
	require.Zero(t, exit, told)
	require.Equal(t, number, back.Patient)
	require.True(t, back.WalletSlot, told)
	// As if it had been cut before its end.
	require.NoError(t, os.Remove(filepath.Join(laptop.home, "vault.json")))
	exit, told = laptop.says(t, r.RecoveryCode, &back, args...)
	require.Zero(t, exit, told)
	exit, told = laptop.says(t, r.RecoveryCode, nil, args...)
	require.Equal(t, 1, exit)
	require.Contains(t, told, "has a vault already")
	c.pepperInPerson(t, laptop, number, exported, vera.passphrase)
	unlock := c.propose(t, refs[0])
	c.officer.does(t, nil, "unlock", "endorse", unlock)
	laptop.does(t, nil, "unlock", "approve", unlock, "--yes")
	out := filepath.Join(t.TempDir(), "chest.dcm")
	c.doctor.does(t, nil, "record", "open", refs[0], "-o", out)
	require.Equal(t, files[refs[0]], readAll(t, out))

	// Her wallet changes, too.
	var invitation struct{ Invitation string }
	c.clerk.does(t, &invitation, "patient", "invite", "--for", "1h")
	laptop.fails(t, 4, "not_free", "patient", "change-wallet", "nobody")
	var changed struct{ Former, Next, Account string }
	laptop.as("patient").does(t, &changed, "patient", "change-wallet", "new", "--invitation", invitation.Invitation)
	require.NotEqual(t, changed.Former, changed.Next)
	laptop.as("patient").fails(t, 1, "", "vault", "show")
	laptop.as("new").does(t, &sealed, "vault", "relock", "--all")
	require.Equal(t, 3, sealed.Versions)
	exportedRecords(t, laptop.as("new"), files)
}

// logged waits until a patient's log has an entry of a kind.
func (c *cast) logged(t *testing.T, p person, patient, kind string) {
	t.Helper()
	eventually(t, 2*time.Minute, "the log tells: "+kind, func() bool {
		var entries []struct{ Kind, Patient string }
		p.does(t, &entries, "audit", "log", "--kind", kind)
		return len(entries) > 0 && entries[0].Patient == patient
	})
}

// pepperInPerson has a patient without words come back by a word of the staff of the hospital that keeps the pepper, once, and not after the
// pepper was deleted.
func (c *cast) pepperInPerson(t *testing.T, p person, number, exported, passphrase string) {
	t.Helper()
	door := c.hospital(1).door(t)
	returns := func(name, word string) (person, []string) {
		machine := c.machine(t, name)
		machine.does(t, nil, "keys", "import", "patient", "--in", exported, "--export-passphrase-file", passphrase)
		return machine, []string{"patient", "recover", "--gateway", door.Gateway, "--fingerprint", door.Fingerprint, "--in-person", word}
	}
	var admitted struct{ Word string }
	c.doctor.fails(t, 4, "clerks and officers", "vault", "pepper", "admit", number)
	c.clerk.does(t, &admitted, "vault", "pepper", "admit", number)
	tablet, args := returns("tablet", admitted.Word)
	_, wrong := returns("thief", "abcd-efgh-jkmn-pqrs")
	tablet.fails(t, 4, "the pepper is not given", wrong...)
	var back struct {
		Patient    string
		WalletSlot bool `json:"wallet_slot"`
	}
	tablet.does(t, &back, args...)
	require.Equal(t, number, back.Patient)
	require.True(t, back.WalletSlot)
	again, args := returns("again", admitted.Word)
	again.fails(t, 4, "the pepper is not given", args...)

	p.does(t, nil, "vault", "pepper", "delete")
	c.clerk.fails(t, 1, "no pepper of this patient", "vault", "pepper", "admit", number)
	// Whoever has it on a device may leave it elsewhere; where it was deleted that slot gets none again.
	p.does(t, nil, "vault", "pepper", "deposit")
	p.does(t, nil, "vault", "pepper", "delete")
	p.fails(t, 1, "was deleted", "vault", "pepper", "deposit")
	var view shownVault
	p.does(t, &view, "vault", "show")
	require.ElementsMatch(t, []string{"wallet", "code"}, view.Slots)
	c.logged(t, p, number, "pepper_admitted")
	c.logged(t, p, number, "pepper_deleted")
}

// exportedRecords has a patient take everything along, in an archive that the public age tool opens.
func exportedRecords(t *testing.T, p person, files map[string][]byte) {
	t.Helper()
	tool := os.Getenv("PHRD_AGE")
	if tool == "" {
		t.Skip("PHRD_AGE does not name the age tool; make e2e does")
	}
	dir := t.TempDir()
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	key, to := filepath.Join(dir, "identity"), identity.Recipient().String()
	require.NoError(t, os.WriteFile(key, []byte(identity.String()+"\n"), 0o600))
	archive := filepath.Join(dir, "records.tar.age")
	p.fails(t, 2, "--to", "patient", "export", archive)
	p.fails(t, 2, "--to", "patient", "export", archive, "--to", "age1nobody")
	var sum struct{ Versions, Bytes int }
	p.does(t, &sum, "patient", "export", archive, "--to", to)
	require.Equal(t, len(files), sum.Versions)
	p.fails(t, 1, "exists", "patient", "export", archive, "--to", to)

	opened, err := exec.CommandContext(t.Context(), tool, "-d", "-i", key, archive).Output()
	require.NoError(t, err)
	archivedFiles(t, opened, files)
	// It was asked for and approved, and each look is in the log.
	eventually(t, time.Minute, "the log tells of it", func() bool { return strings.Contains(p.does(t, nil, "audit", "log"), "PATRQT") })
}

// archivedFiles demands that an archive of a patient's records has these versions, and an index of them.
func archivedFiles(t *testing.T, archive []byte, files map[string][]byte) {
	t.Helper()
	found := map[string][]byte{}
	var index []struct {
		Record, File, Name, SHA256 string
		Version                    uint64
	}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.True(t, filepath.IsLocal(header.Name), header.Name)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		if header.Name == "index.json" {
			require.NoError(t, json.Unmarshal(content, &index))
			continue
		}
		found[header.Name] = content
	}
	require.Len(t, index, len(files))
	require.Len(t, found, len(files))
	for _, v := range index {
		require.Equal(t, contentSum(files[fmt.Sprintf("%s/%d", v.Record, v.Version)]), contentSum(found[v.File]), v.Name)
		require.Equal(t, contentSum(found[v.File]), v.SHA256, v.Name)
	}
}
