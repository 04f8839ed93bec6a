package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/gateway"
)

// The test binary runs itself as a second process, which writes a journal until it is killed,
// or so many reports.
const (
	childFolder = "PHRD_GATEWAY_JOURNAL"
	childCount  = "PHRD_GATEWAY_REPORTS"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(childFolder); folder != "" {
		if err := writeReports(folder, os.Getenv(childCount)); err != nil {
			fmt.Fprintln(os.Stdout, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// writeReports prints the number of each report once it is durable.
func writeReports(folder, count string) error {
	j, err := gateway.OpenJournal(folder, slog.Default())
	if err != nil {
		return err
	}
	for n := j.Last() + 1; ; n++ {
		if err := j.Write(report(n)); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(os.Stdout, n); err != nil {
			return err
		}
		if strconv.FormatUint(n, 10) == count {
			return j.Close()
		}
	}
}

func report(n uint64) *recordsv1.AccessReport {
	return &recordsv1.AccessReport{Number: n, Reader: strings.Repeat("r", 40), Record: "record", Version: 1, Length: n}
}

func numbers(list []*recordsv1.AccessReport) []uint64 {
	var all []uint64
	for _, r := range list {
		all = append(all, r.GetNumber())
	}
	return all
}

func openJournal(t *testing.T, folder string) *gateway.Journal {
	t.Helper()
	j, err := gateway.OpenJournal(folder, slog.New(slog.NewTextHandler(testWriter{t}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func closeJournal(t *testing.T, j *gateway.Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestJournal(t *testing.T) {
	folder := t.TempDir()
	j := openJournal(t, folder)
	for n := uint64(1); n <= 5; n++ {
		if err := j.Write(report(n)); err != nil {
			t.Fatal(err)
		}
	}
	grown := report(4)
	grown.Length = 400
	if err := j.Write(grown); err != nil {
		t.Fatal(err)
	}
	if err := j.Taken(2); err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.OpenJournal(folder, slog.Default()); !errors.Is(err, gateway.ErrJournalLocked) {
		t.Errorf("a second process: %v, want ErrJournalLocked", err)
	}
	closeJournal(t, j)
	if err := j.Write(report(6)); err == nil {
		t.Error("a closed journal took a report")
	}
	j = openJournal(t, folder)
	if got := j.Reports(); !slices.Equal(numbers(got), []uint64{3, 4, 5}) || got[1].GetLength() != 400 {
		t.Errorf("reports %v", got)
	}
	if err := j.Taken(5); err != nil {
		t.Fatal(err)
	}
	closeJournal(t, j)
	// Numbers go on also when all was taken.
	j = openJournal(t, folder)
	defer closeJournal(t, j)
	if len(j.Reports()) != 0 || j.Last() != 5 {
		t.Errorf("reports %v, last %d", j.Reports(), j.Last())
	}
}

func TestJournalStaysSmall(t *testing.T) {
	folder := t.TempDir()
	j := openJournal(t, folder)
	defer closeJournal(t, j)
	for n := uint64(1); n <= 15_000; n++ {
		if err := j.Append(report(n)); err != nil {
			t.Fatal(err)
		}
		if n%1000 == 0 {
			if err := j.Taken(n - 10); err != nil {
				t.Fatal(err)
			}
		}
	}
	info, err := os.Stat(filepath.Join(folder, "reads.journal"))
	if err != nil || info.Size() > 5<<18 {
		t.Errorf("the journal has %d bytes, %v", info.Size(), err)
	}
	if got := j.Reports(); len(got) != 10 || got[0].GetNumber() != 14_991 {
		t.Errorf("reports %v", numbers(got))
	}
}

// A torn end is what was not durable; damage further in costs the damaged reports alone.
func TestDamagedJournal(t *testing.T) {
	source := t.TempDir()
	j := openJournal(t, source)
	for n := uint64(1); n <= 4; n++ {
		if err := j.Write(report(n)); err != nil {
			t.Fatal(err)
		}
	}
	closeJournal(t, j)
	whole, err := os.ReadFile(filepath.Join(source, "reads.journal"))
	if err != nil {
		t.Fatal(err)
	}
	frame := bytes.Index(whole, []byte("\xf1rd1"))
	var starts []int
	for at := frame; at >= 0; {
		starts = append(starts, at)
		next := bytes.Index(whole[at+1:], []byte("\xf1rd1"))
		if next < 0 {
			break
		}
		at += 1 + next
	}
	if len(starts) != 5 {
		t.Fatalf("frames at %v", starts)
	}
	read := func(t *testing.T, content []byte) (got []uint64, damaged bool) {
		t.Helper()
		folder := t.TempDir()
		path := filepath.Join(folder, "reads.journal")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		j := openJournal(t, folder)
		got = numbers(j.Reports())
		if err := j.Write(report(9)); err != nil {
			t.Fatal(err)
		}
		closeJournal(t, j)
		j = openJournal(t, folder)
		defer closeJournal(t, j)
		if again := numbers(j.Reports()); !slices.Equal(again, append(slices.Clone(got), 9)) {
			t.Errorf("after another report: %v, before %v", again, got)
		}
		_, err := os.Stat(path + ".damaged")
		return got, err == nil
	}
	for cut := starts[4]; cut < len(whole); cut += 7 {
		if got, damaged := read(t, whole[:cut]); !slices.Equal(got, []uint64{1, 2, 3}) || damaged {
			t.Errorf("cut at %d: %v, damaged %v", cut, got, damaged)
		}
	}
	for at := starts[2]; at < starts[3]; at += 5 {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 0x10
		if got, damaged := read(t, flipped); !slices.Equal(got, []uint64{1, 3, 4}) || !damaged {
			t.Errorf("flipped at %d: %v, damaged %v", at, got, damaged)
		}
	}
}

// What a report promises is on the disk: its fsync comes between its write and the promise.
func TestFsyncPrecedesThePromise(t *testing.T) {
	tool, err := exec.LookPath("strace")
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("strace is not installed")
	} else if err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(t.TempDir(), "trace")
	command := exec.CommandContext(t.Context(), tool, "-f", "-y", "-e", "trace=write,fsync,exit_group", "-o", trace, os.Args[0])
	command.Env = append(os.Environ(), childFolder+"="+t.TempDir(), childCount+"=5")
	if out, err := command.Output(); err != nil || string(out) != "1\n2\n3\n4\n5\n" {
		t.Fatalf("the process said %q, %v", out, err)
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	written, synced, promised := false, false, 0
	for line := range strings.Lines(string(text)) {
		journal := strings.Contains(line, "reads.journal>")
		switch {
		case journal && strings.Contains(line, "write("):
			written, synced = true, false
		case journal && strings.Contains(line, "fsync("):
			// Where another thread ran meanwhile the line says so, and its end follows.
			synced = written
		case strings.Contains(line, "write(1<"):
			promised++
			if !written || !synced {
				t.Errorf("promise %d came before its fsync", promised)
			}
			written, synced = false, false
		}
	}
	if promised != 5 {
		t.Errorf("the trace has %d promises, want 5:\n%s", promised, text)
	}
}

// A process that is killed at any moment loses no report that it had promised.
func TestKilledProcessLosesNoReport(t *testing.T) {
	folder := t.TempDir()
	var promised uint64
	for round := range 3 {
		command := exec.CommandContext(t.Context(), os.Args[0])
		command.Env = append(os.Environ(), childFolder+"="+folder)
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 10 + 7*round {
			if !lines.Scan() {
				t.Fatalf("the process ended: %v", lines.Err())
			}
			if promised, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		if err := command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			if n, err := strconv.ParseUint(lines.Text(), 10, 64); err == nil {
				promised = n
			}
		}
		var exit *exec.ExitError
		if err := command.Wait(); !errors.As(err, &exit) {
			t.Fatalf("the process ended with %v", err)
		}
		j := openJournal(t, folder)
		got := numbers(j.Reports())
		if uint64(len(got)) < promised || got[promised-1] != promised {
			t.Fatalf("round %d: %d reports, the process promised %d", round, len(got), promised)
		}
		closeJournal(t, j)
	}
}

// The read is in the journal when the first byte arrives, and is reported by the process that
// finds the journal, once, whatever became of the first.
func TestCrashBetweenReadAndReport(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) { c.Limits.ReportQuiet = time.Hour; c.Limits.ReportAge = time.Hour })
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+d.contentPath(), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+d.token("alice"))
	response, err := d.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(response.Body, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	// What the disk has at this moment is what a crash leaves.
	journal, err := os.ReadFile(filepath.Join(d.config.Folder, "reads.journal"))
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if got := d.node.taken(); len(got) != 0 {
		t.Fatalf("reported before the crash: %v", got)
	}
	d.node.change(func() { d.node.down = true })
	d.stop()
	d.node.change(func() { d.node.down = false })
	if err := os.WriteFile(filepath.Join(d.config.Folder, "reads.journal"), journal, 0o600); err != nil {
		t.Fatal(err)
	}
	d.start()
	got := d.reports(1)
	if got[0].GetReader() != d.people["alice"].address() || got[0].GetLength() != uint64(len(d.content)) || got[0].GetNumber() != 1 {
		t.Errorf("report %v", got[0])
	}
	// The same journal once more: the chain has it, and the next read has the next number.
	d.stop()
	if err := os.WriteFile(filepath.Join(d.config.Folder, "reads.journal"), journal, 0o600); err != nil {
		t.Fatal(err)
	}
	d.people["alice"].token = ""
	d.config.Limits.ReportQuiet, d.config.Limits.ReportAge = 20*time.Millisecond, 0
	d.start()
	d.want(d.do("alice", http.MethodGet, d.contentPath(), headers{"Range": "bytes=0-9"}, nil), http.StatusPartialContent)
	got = d.reports(2)
	if len(got) != 2 || got[1].GetNumber() != 2 || got[1].GetLength() != 10 {
		t.Errorf("reports %v", got)
	}
}

// The chain took a batch and the answer was lost: nothing is reported twice.
func TestLostReply(t *testing.T) {
	d := newDoor(t)
	d.node.change(func() { d.node.loseReply = 1 })
	d.want(d.do("alice", http.MethodGet, d.contentPath(), headers{"Range": "bytes=0-9"}, nil), http.StatusPartialContent)
	d.reports(1)
	d.want(d.do("er", http.MethodGet, d.contentPath()+"?unlock="+d.unlock, headers{"Range": "bytes=0-9"}, nil), http.StatusPartialContent)
	got := d.reports(2)
	if len(got) != 2 || got[0].GetNumber() != 1 || got[1].GetNumber() != 2 {
		t.Errorf("reports %v", got)
	}
}

// A gateway whose journal was lost goes on behind what the chain has.
func TestNumbersGoOnFromTheChain(t *testing.T) {
	d := newDoor(t)
	d.token("alice") // of whose login the journal of sessions is left
	d.stop()
	if err := os.Remove(filepath.Join(d.config.Folder, "reads.journal")); err != nil {
		t.Fatal(err)
	}
	d.people["alice"].token = ""
	d.node.change(func() { d.node.reported = 41; d.node.notReady = errors.New("catching up") })
	d.start()
	path := d.contentPath()
	d.want(d.do("alice", http.MethodGet, path, headers{"Range": "bytes=0-9"}, nil), http.StatusServiceUnavailable)
	d.node.change(func() { d.node.notReady = nil })
	d.want(d.do("alice", http.MethodGet, path, headers{"Range": "bytes=0-9"}, nil), http.StatusPartialContent)
	if got := d.reports(1); got[0].GetNumber() != 42 {
		t.Errorf("report %v, want number 42", got[0])
	}
}

// Without a journal nothing is served.
func TestJournalThatFails(t *testing.T) {
	d := newDoor(t)
	d.want(d.do("alice", http.MethodGet, d.contentPath(), headers{"Range": "bytes=0-9"}, nil), http.StatusPartialContent)
	gateway.BreakJournal(d.gateway)
	for _, path := range []string{d.contentPath(), d.blockPath(d.dataLeaf)} {
		r := d.want(d.do("alice", http.MethodGet, path, nil, nil), http.StatusServiceUnavailable)
		if bytes.Contains(r.body, d.content[:16]) {
			t.Error("content was served")
		}
	}
	d.clock.move(time.Minute)
	r := d.want(d.do("", http.MethodGet, "/chain", nil, nil), http.StatusOK)
	if len(r.body) == 0 {
		t.Error("no chain")
	}
	var ready struct {
		Ready   bool
		Reasons []string
	}
	d.do("", http.MethodGet, "/readyz", nil, nil).json(t, &ready)
	if ready.Ready || !slices.ContainsFunc(ready.Reasons, func(s string) bool { return strings.Contains(s, "journal") }) {
		t.Errorf("readiness %+v", ready)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := d.gateway.Stop(ctx); err != nil {
		t.Errorf("stop with a broken journal: %v", err)
	}
	d.gateway = nil
}

// Many reads at once end in as many reports, in whole runs of numbers.
func TestManyReports(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) {
		c.Limits.AccountRequests = gateway.Rate{Burst: 10000, Count: 10000, Per: time.Second}
		c.Limits.Transfers, c.Limits.AllTransfers = 1000, 1000
		c.Limits.AccountRefusals = gateway.Rate{Burst: 10000, Count: 10000, Per: time.Second}
	})
	const count = 250
	d.token("bob")
	for range count {
		d.want(d.do("bob", http.MethodGet, "/records/"+newID(t)+"/versions/1/content", nil, nil), http.StatusNotFound)
	}
	got := d.reports(count)
	for i, r := range got {
		if r.GetNumber() != uint64(i+1) || !r.GetRefused() {
			t.Fatalf("report %d: %v", i, r)
		}
	}
}

func TestRefusalsAreLimited(t *testing.T) {
	d := newDoor(t, func(c *gateway.Config) { c.Limits.AccountRefusals = gateway.Rate{Burst: 2, Count: 1, Per: time.Minute} })
	for _, status := range []int{http.StatusNotFound, http.StatusNotFound, http.StatusTooManyRequests} {
		d.want(d.do("bob", http.MethodGet, "/records/"+newID(t)+"/versions/1/content", nil, nil), status)
	}
}
