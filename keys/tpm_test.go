package keys_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phrd/phrd/keys"
)

// tpm is a TPM in software, reached over a unix socket as systemd reaches one.
type tpm string

// newTPM starts swtpm, and skips the test where Debian's packages for it are not installed.
func newTPM(t *testing.T) tpm {
	t.Helper()
	for _, program := range []string{"swtpm", "systemd-creds"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed; scripts/setup does that on Debian", program)
		}
	}
	for _, library := range []string{"libtss2-tcti-swtpm.so.0", "libtss2-esys.so.0", "libtss2-rc.so.0"} {
		if found, err := filepath.Glob("/usr/lib/*/" + library); err != nil || len(found) == 0 {
			t.Skipf("%s is not installed; scripts/setup does that on Debian", library)
		}
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "sock")
	command := exec.CommandContext(t.Context(), "swtpm", "socket", "--tpm2", "--flags", "not-need-init,startup-clear", "--tpmstate", "dir="+dir,
		"--server", "type=unixio,path="+socket, "--ctrl", "type=unixio,path="+socket+".ctrl")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return tpm("swtpm:path=" + socket)
		}
		if time.Since(begun) > time.Minute {
			t.Fatal("swtpm does not listen")
		}
	}
}

// creds runs systemd-creds with this TPM.
func (d tpm) creds(t *testing.T, input []byte, args ...string) ([]byte, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "systemd-creds", args...)
	command.Env = append(os.Environ(), "SYSTEMD_TPM2_DEVICE="+string(d))
	command.Stdin = bytes.NewReader(input)
	var complaints strings.Builder
	command.Stderr = &complaints
	out, err := command.Output()
	if err != nil {
		t.Logf("systemd-creds %s: %v\n%s", args[0], err, complaints.String())
	}
	return out, err
}

// TestAPassphraseUnderATPM seals a passphrase as docs/operate.md says, and has the service's credential open the keys. Nobody else's
// TPM opens what was sealed, and the sealed file alone holds no passphrase.
func TestAPassphraseUnderATPM(t *testing.T) {
	ours, theirs := newTPM(t), newTPM(t)
	sealed, err := ours.creds(t, passphrase, "encrypt", "--with-key=tpm2", "--tpm2-device="+string(ours), "--name=phrd-passphrase", "-", "-")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, passphrase) {
		t.Fatal("the sealed file shows the passphrase")
	}
	if _, err := theirs.creds(t, sealed, "decrypt", "--name=phrd-passphrase", "-", "-"); err == nil {
		t.Fatal("another TPM opens it")
	}
	if _, err := ours.creds(t, sealed, "decrypt", "--name=another", "-", "-"); err == nil {
		t.Fatal("it opens under another name")
	}
	opened, err := ours.creds(t, sealed, "decrypt", "--name=phrd-passphrase", "-", "-")
	if err != nil {
		t.Fatal(err)
	}

	// What systemd does with it when the service starts.
	credentials := t.TempDir()
	if err := os.WriteFile(filepath.Join(credentials, "phrd-passphrase"), opened, 0o400); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", credentials)
	_, dir := create(t)
	got, err := keys.Passphrase("", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Open(dir, got); err != nil {
		t.Fatal(err)
	}
}
