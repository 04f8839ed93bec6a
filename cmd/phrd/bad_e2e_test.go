package main_test

import (
	"bytes"
	cryptorand "crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
)

// What a person can get wrong at the terminal.
func TestBadInput(t *testing.T) {
	c := newCast(t)
	dir := t.TempDir()
	odd, content := filepath.Join(dir, "..\u202egnp.\n.exe"), []byte("not a picture")
	require.NoError(t, os.WriteFile(odd, content, 0o600))
	pipe, missing, locked := filepath.Join(dir, "pipe"), filepath.Join(dir, "missing"), filepath.Join(dir, "locked")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.NoError(t, os.WriteFile(locked, content, 0o600))
	require.NoError(t, os.Chmod(locked, 0))
	stranger := person{home: t.TempDir(), passphrase: c.clerk.passphrase}
	id, err := lock.NewID(cryptorand.Reader)
	require.NoError(t, err)
	unknown := id.String()
	for _, b := range []struct {
		who  person
		code int
		word string
		args []string
	}{
		{c.clerk, 2, "which command", []string{"record"}},
		{c.clerk, 2, "unknown command", []string{"record", "stroe"}},
		{c.clerk, 2, "unknown flag", []string{"record", "list", "--nothing"}},
		{c.clerk, 2, "no arguments", []string{"record", "list", "more"}},
		{c.clerk, 2, "which file", []string{"record", "store"}},
		{c.alice, 2, "which version", []string{"record", "erase"}},
		{c.officer, 2, "takes one argument", []string{"record", "approve-erasure", "1", "2"}},
		{c.clerk, 2, "takes one argument", []string{"storage", "status", "a", "b"}},
		{c.clerk, 1, "folder", []string{"record", "store", dir}},
		{c.clerk, 1, "no such file", []string{"record", "store", missing}},
		{c.clerk, 1, "size is not known", []string{"record", "store", pipe}},
		{c.clerk, 2, "class", []string{"record", "store", locked, "--class", "secret"}},
		{c.clerk, 2, "patient", []string{"record", "store", locked, "--patient", "alice"}},
		{c.clerk, 1, "not found", []string{"record", "store", odd, "--patient", unknown}},
		{c.clerk, 2, "record", []string{"record", "store", odd, "--record", "x"}},
		{c.clerk, 2, "no record", []string{"record", "store", odd, "--record", lock.ID{}.String()}},
		{c.clerk, 1, "not found", []string{"record", "store", odd, "--record", unknown}},
		{c.clerk, 1, "255 bytes", []string{"record", "store", odd, "--patient", c.patient, "--name", strings.Repeat("x", 256)}},
		{c.clerk, 2, "--wait", []string{"record", "store", odd, "--wait", "long"}},
		{c.clerk, 2, "not in this home", []string{"record", "list", "--from", "nobody"}},
		{c.alice, 4, "only clerks", []string{"record", "store", odd, "--patient", c.patient}},
		{c.clerk, 1, "not found", []string{"record", "show", unknown}},
		{c.clerk, 2, "RECORD", []string{"record", "show", "x"}},
		{c.clerk, 2, "unlock", []string{"unlock", "show", "x"}},
		{c.clerk, 1, "not found", []string{"unlock", "show", strings.Repeat("0", 64)}},
		{c.doctor, 2, "time span", []string{"unlock", "propose", unknown, "--for", "soon"}},
		{c.doctor, 1, "not found", []string{"unlock", "propose", unknown}},
		{c.doctor, 2, "--timeout", []string{"record", "open", unknown, "--timeout", "0s"}},
		{c.doctor, 1, "no unlock", []string{"record", "open", unknown, "-o", filepath.Join(dir, "x")}},
		{c.officer, 2, "yes or no", []string{"hospital", "vote", "1", "perhaps"}},
		{c.hospital(1).as("admin"), 2, "role", []string{"staff", "add", "x", "--role", "surgeon"}},
		{c.hospital(1).as("admin"), 2, "address", []string{"staff", "add", "x", "--role", "clerk", "--address", "phrd1x"}},
		{c.officer, 4, "may not send", []string{"staff", "add", "x", "--role", "clerk"}},
		{c.alice, 1, "invitation", []string{"patient", "join", "phrd1nonsense"}},
		{stranger, 1, "client.json", []string{"record", "list"}},
	} {
		t.Run(strings.Join(b.args[:min(3, len(b.args))], " "), func(t *testing.T) { b.who.fails(t, b.code, b.word, b.args...) })
	}

	// A name is data: it is kept as it is, shown harmlessly, and never a path.
	if os.Geteuid() != 0 {
		c.clerk.fails(t, 1, "permission", "record", "store", locked)
	}
	ref := c.store(t, odd)
	c.approved(t, ref)
	target := filepath.Join(t.TempDir(), "x")
	text := c.doctor.does(t, nil, "record", "open", ref, "-o", target)
	require.Contains(t, text, `..\u202egnp.\u000a.exe`)
	require.Equal(t, []string{"x"}, names(t, filepath.Dir(target)))

	require.NoError(t, os.Chmod(filepath.Join(c.alice.home, "keys"), 0o755))
	c.alice.fails(t, 1, "permissions are too loose", "record", "list")
	require.NoError(t, os.Chmod(filepath.Join(c.alice.home, "keys"), 0o700))
	wrong := filepath.Join(t.TempDir(), "passphrase")
	require.NoError(t, os.WriteFile(wrong, []byte("wrong passphrase\n"), 0o600))
	(person{home: c.alice.home, passphrase: wrong}).fails(t, 1, "wrong passphrase", "record", "list")
}

// ^C while storing leaves no record, while opening no file.
func TestInterrupted(t *testing.T) {
	c := newCast(t)
	path, content := file(t, "big", 48<<20)
	before := c.clerk.does(t, nil, "record", "list")
	uploads := filepath.Join(c.hospital(1).home, "gateway", "uploads")
	kept := names(t, uploads)
	interrupt(t, c.clerk.command(t.Context(), "record", "store", path, "--patient", c.patient, "--wait", "none"), func() bool {
		var bytes int64
		for _, name := range names(t, uploads) {
			if stat, err := os.Stat(filepath.Join(uploads, name)); err == nil && !slices.Contains(kept, name) {
				bytes += stat.Size()
			}
		}
		return bytes > 400 // a few blocks are named in it
	})
	require.ElementsMatch(t, kept, names(t, uploads), "the gateway was told to forget it")
	require.Equal(t, before, c.clerk.does(t, nil, "record", "list"))

	ref := c.store(t, path)
	c.approved(t, ref)
	out := filepath.Join(t.TempDir(), "big")
	c.doctor.does(t, nil, "record", "open", ref, "-o", "-", "--range", "0-0")
	interrupt(t, c.doctor.command(t.Context(), "record", "open", ref, "-o", out), func() bool { return len(names(t, filepath.Dir(out))) > 0 })
	require.Empty(t, names(t, filepath.Dir(out)))
	c.doctor.does(t, nil, "record", "open", ref, "-o", out)
	got, err := os.ReadFile(out)
	require.NoError(t, err)
	require.True(t, bytes.Equal(content, got))
}

// interrupt sends ^C to a command as soon as something holds.
func interrupt(t *testing.T, cmd *exec.Cmd, holds func() bool) {
	t.Helper()
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // its exit code is looked at below
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ended:
			require.Fail(t, "it ended before it could be interrupted")
		}
	}
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	<-ended
	require.Equal(t, 1, cmd.ProcessState.ExitCode())
}

// Every command explains itself, with an example.
func TestHelp(t *testing.T) {
	t.Parallel()
	if program == "" {
		t.Skip("PHRD_BINARY does not name the program; make e2e does")
	}
	for _, line := range []string{
		"object export", "object import",
		"hospital list", "hospital show", "hospital proposals", "hospital propose suspend", "hospital propose reinstate", "hospital propose admin", "hospital vote",
		"hospital withdraw", "hospital rotate-keys", "hospital site add", "hospital site update", "hospital site remove", "hospital site list", "hospital add-node", "hospital nodes", "hospital retire-node", "staff add", "staff list", "staff revoke", "patient invite", "patient join", "patient show", "record store", "record list",
		"record show", "record history", "record open", "unlock propose", "unlock list", "unlock show", "unlock endorse", "unlock approve", "unlock deny",
		"unlock withdraw", "audit log", "audit show", "audit head",
	} {
		out, err := exec.CommandContext(t.Context(), program, append(strings.Fields(line), "--help")...).Output()
		require.NoError(t, err, line)
		require.Contains(t, string(out), "Examples:", line)
		require.Contains(t, string(out), "--json", line)
	}
}
