package main_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pipe hands text over as an open file, descriptor 3 of the program.
func pipe(t *testing.T, content string) *os.File {
	t.Helper()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = read.Close() })
	_, err = write.WriteString(content)
	require.NoError(t, errors.Join(err, write.Close()))
	return read
}

// The passphrase comes over an open file, so that it stands on no disk.
func TestPassphraseFromADescriptor(t *testing.T) {
	t.Parallel()
	if program == "" {
		t.Skip("PHRD_BINARY does not name the program; make e2e does")
	}
	home := filepath.Join(t.TempDir(), "home")
	file := filepath.Join(t.TempDir(), "passphrase")
	require.NoError(t, os.WriteFile(file, []byte("correct horse battery\n"), 0o600))
	for _, tc := range []struct {
		name string
		args []string
		open string // of the descriptor; "-" for none
		exit int
		says string
	}{
		{"a home is made", []string{"add", "one", "--passphrase-fd", "3"}, "correct horse battery\nand a line that is not read\n", 0, "one"},
		{"it is the same passphrase", []string{"add", "two", "--passphrase-file", file}, "-", 0, "two"},
		{"and again", []string{"add", "three", "--passphrase-fd", "3"}, "correct horse battery", 0, "three"},
		{"another passphrase", []string{"add", "four", "--passphrase-fd", "3"}, "wrong horse battery", 1, "passphrase"},
		{"an empty one", []string{"add", "four", "--passphrase-fd", "3"}, "\n", 1, "first line is empty"},
		{"no such descriptor", []string{"add", "four", "--passphrase-fd", "99"}, "-", 1, "descriptor 99"},
		{"standard error", []string{"add", "four", "--passphrase-fd", "2"}, "-", 2, "--passphrase-fd is 0 or from 3"},
		{"two places", []string{"add", "four", "--passphrase-fd", "3", "--passphrase-file", file}, "correct horse battery", 2, "both there"},
	} {
		cmd := exec.CommandContext(t.Context(), program, append([]string{"keys", "--home", home}, tc.args...)...)
		if tc.open != "-" {
			cmd.ExtraFiles = []*os.File{pipe(t, tc.open)}
		}
		out, err := cmd.CombinedOutput()
		require.Equal(t, tc.exit, cmd.ProcessState.ExitCode(), "%s: %v\n%s", tc.name, err, out)
		require.Contains(t, string(out), tc.says, tc.name)
		require.NotContains(t, string(out), "horse", tc.name)
	}
}

var noCore = regexp.MustCompile(`(?m)^Max core file size +0 +0 `)

// Whoever has the keys in memory leaves no core behind: any command, not the server alone, whatever the shell allows.
func TestACrashLeavesNoMemory(t *testing.T) {
	t.Parallel()
	if program == "" {
		t.Skip("PHRD_BINARY does not name the program; make e2e does")
	}
	crash := func(line string, ready func(limits string) bool) bool {
		open, write, err := os.Pipe()
		require.NoError(t, err)
		defer write.Close()
		cmd := exec.CommandContext(t.Context(), "sh", "-c", "ulimit -c unlimited; exec "+line)
		cmd.Dir, cmd.ExtraFiles, cmd.Env = t.TempDir(), []*os.File{open}, append(os.Environ(), "GOTRACEBACK=crash")
		require.NoError(t, cmd.Start())
		require.NoError(t, open.Close())
		require.Eventually(t, func() bool {
			name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", cmd.Process.Pid))
			limits, lerr := os.ReadFile(fmt.Sprintf("/proc/%d/limits", cmd.Process.Pid))
			return errors.Join(err, lerr) == nil && !strings.HasPrefix(string(name), "sh") && ready(string(limits))
		}, time.Minute, 10*time.Millisecond)
		require.NoError(t, cmd.Process.Signal(syscall.SIGQUIT))
		_ = cmd.Wait()
		status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
		require.True(t, ok && status.Signaled(), "%s", cmd.ProcessState)
		return status.CoreDump()
	}
	if !crash("sleep 300", func(limits string) bool { return !noCore.MatchString(limits) }) {
		t.Skip("this machine makes no cores")
	}
	waiting := program + " keys add one --home " + filepath.Join(t.TempDir(), "home") + " --passphrase-fd 3"
	require.False(t, crash(waiting, noCore.MatchString))
}
