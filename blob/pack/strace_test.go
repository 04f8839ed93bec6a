package pack_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/pack"
)

// strace returns the path of strace, which the set-up of continuous integration installs.
func strace(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("strace")
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("strace is not installed")
	} else if err != nil {
		t.Fatal(err)
	}
	return path
}

// A call is a system call of a trace in the order in which calls took effect: a write when
// it began, all others when they had returned without an error.
type call struct{ name, args string }

var (
	whole   = regexp.MustCompile(`^\d+ +(\w+)\((.*)\) += (-?\d+)`)
	begun   = regexp.MustCompile(`^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$`)
	resumed = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>.*\) += (-?\d+)`)
)

// readTrace reads what strace -f -y wrote.
func readTrace(t *testing.T, path string) []call {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var calls []call
	open := map[string]call{} // by thread
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if m := begun.FindStringSubmatch(line); m != nil {
			open[m[1]] = call{m[2], m[3]}
			if m[2] == "write" {
				calls = append(calls, open[m[1]])
			}
		} else if m := resumed.FindStringSubmatch(line); m != nil && m[2] != "write" && !strings.HasPrefix(m[3], "-") {
			calls = append(calls, open[m[1]])
		} else if m := whole.FindStringSubmatch(line); m != nil && !strings.HasPrefix(m[3], "-") {
			calls = append(calls, call{m[1], m[2]})
		}
	}
	return calls
}

func TestFsyncPrecedesTheAcknowledgement(t *testing.T) {
	tool, dir := strace(t), t.TempDir()
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := command(t, "one", dir, tool, "-f", "-y", "-s", "64", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o", trace)
	if out, err := cmd.Output(); err != nil || string(out) != "opened\nacked 0\n" {
		t.Fatalf("child said %q, %v", out, err)
	}
	path := packs(t, dir)[0]
	folder := filepath.Dir(path)
	calls := readTrace(t, trace)
	last := func(what string, match func(call) bool) int {
		t.Helper()
		for i, c := range slices.Backward(calls) {
			if match(c) {
				return i
			}
		}
		t.Fatalf("no %s in %d calls", what, len(calls))
		return 0
	}
	written := last("write of the pack", func(c call) bool { return c.name == "pwrite64" && strings.Contains(c.args, path) })
	synced := last("fsync of the pack", func(c call) bool { return c.name == "fsync" && strings.Contains(c.args, path) })
	named := last("fsync of its folder", func(c call) bool { return c.name == "fsync" && strings.Contains(c.args, "<"+folder+">") })
	acked := last("acknowledgement", func(c call) bool { return c.name == "write" && strings.Contains(c.args, `"acked 0`) })
	if written > synced || synced > acked || named > acked || written > acked {
		t.Errorf("order of calls: write %d, fsync %d, fsync of the folder %d, acknowledgement %d", written, synced, named, acked)
	}
}

// runWith starts a child on a store, lets strace inject an error once the store is open,
// and returns what the child said afterwards.
func runWith(t *testing.T, job, dir, inject string) []string {
	t.Helper()
	tool := strace(t)
	cmd := command(t, job, dir)
	cmd.Env = append(cmd.Env, childGate+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewScanner(pipe)
	if !out.Scan() || out.Text() != "opened" {
		t.Fatalf("child said %q, %v", out.Text(), out.Err())
	}
	tracer := exec.CommandContext(t.Context(), tool, "-f", "-p", fmtPid(cmd.Process.Pid), "-e", "inject="+inject, "-e", "trace="+strings.Split(inject, ":")[0])
	said, err := tracer.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(said)
	if line, err := lines.ReadString('\n'); !strings.Contains(line, "attached") {
		t.Fatalf("strace said %q, %v", line, err)
	}
	drained := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, lines)
		drained <- err
	}()
	if _, err := io.WriteString(in, "go\n"); err != nil {
		t.Fatal(err)
	}
	var heard []string
	for out.Scan() {
		heard = append(heard, out.Text())
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 3 {
		t.Fatalf("child ended with %v after %q", err, heard)
	}
	if err := errors.Join(<-drained, tracer.Wait()); err != nil {
		t.Fatalf("strace: %v", err)
	}
	return heard
}

// checkFull checks what a child said that wrote until the disk was full, and the store that
// it left.
func checkFull(t *testing.T, dir string, heard []string) {
	t.Helper()
	acked := len(heard) - 1
	if acked < 1 || !strings.HasPrefix(heard[acked], "failed: full=true failed=false stays=false") {
		t.Fatalf("child said %q", heard)
	}
	for n, line := range heard[:acked] {
		if line != fmtAcked(n) {
			t.Fatalf("child said %q as line %d", line, n)
		}
	}
	s := open(t, dir)
	for n := range acked {
		mustHold(t, s, written(n))
	}
	mustLack(t, s, written(acked))
	closeStore(t, s)
}

func TestFullDiskAcknowledgesNothing(t *testing.T) {
	t.Run("injected", func(t *testing.T) {
		dir := t.TempDir()
		checkFull(t, dir, runWith(t, "full", dir, "pwrite64:error=ENOSPC:when=6+"))
	})
	t.Run("small file system", func(t *testing.T) {
		dir := t.TempDir()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=12m"); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
			t.Skip("only root may mount")
		} else if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		cmd := command(t, "full", dir)
		out, err := cmd.Output()
		if err == nil || cmd.ProcessState.ExitCode() != 3 {
			t.Fatalf("child said %q, %v", out, err)
		}
		heard := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		checkFull(t, dir, heard[1:])
	})
}

func TestFailedFsyncEndsAllWriting(t *testing.T) {
	for _, test := range []struct{ name, inject string }{
		{"fsync", "fsync:error=EIO"},
		{"write", "pwrite64:error=EIO"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			held := blocks(9, 3, 2000)
			s := open(t, dir)
			mustStore(t, s, blob.Hint{}, held...)
			closeStore(t, s)
			heard := runWith(t, "one", dir, test.inject)
			if len(heard) != 1 || !strings.HasPrefix(heard[0], "failed: full=false failed=true stays=true") {
				t.Fatalf("child said %q", heard)
			}
			// Whether the block reached the disk is not known; what was held is.
			s = openWith(t, dir, pack.Options{Report: func(pack.Damage) {}})
			mustHold(t, s, held...)
			mustStore(t, s, blob.Hint{}, written(0))
			mustHold(t, s, written(0))
		})
	}
}
