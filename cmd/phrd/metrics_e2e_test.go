package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// metricName is a name of ours, or of those that every Go program has, as it stands in rules and boards.
var metricName = regexp.MustCompile(`\b(phrd|process)_[a-z0-9_]+`)

// promtool is the tool of Prometheus that make setup installs.
func promtool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		path, err = filepath.Abs("../../bin/tools/promtool")
		require.NoError(t, err)
	}
	return path
}

// Every metric that an alert or the board names is there on a running server, and the whole answer is as Prometheus wants it.
func TestMetrics(t *testing.T) {
	n := startNet(t)
	var text string
	eventually(t, time.Minute, "the clock was compared with the other hospitals", func() bool {
		text = n.scrape(t)
		return strings.Contains(text, "\nphrd_clock_offset_seconds ")
	})
	check := exec.CommandContext(t.Context(), promtool(t), "check", "metrics")
	check.Stdin = strings.NewReader(text)
	out, err := check.CombinedOutput()
	require.NoError(t, err, "%s", out)

	served := map[string]bool{}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			served[metricName.FindString(line)] = true
		}
	}
	for _, file := range []string{"phrd.rules.yml", "grafana.json"} {
		content, err := os.ReadFile(filepath.Join("../../packaging/prometheus", file))
		require.NoError(t, err)
		names := metricName.FindAllString(string(content), -1)
		require.Greater(t, len(names), 20, file)
		for _, name := range names {
			require.True(t, served[name], "%s names %s, which no server has", file, name)
		}
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	content, err := os.ReadFile("../../packaging/prometheus/grafana.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(content, &board))
	for _, p := range board.Panels {
		require.NotEmpty(t, p.Targets, p.Title)
	}

	for _, want := range []string{
		"phrd_chain_validators 4", "phrd_chain_peers 3", "phrd_validator_active 1", `phrd_blob_peers{connected="yes"} 3`, "phrd_chain_catching_up 0",
	} {
		// A hospital that another test has just started again is connected soon.
		eventually(t, time.Minute, want, func() bool { return strings.Contains(n.scrape(t), "\n"+want+"\n") })
	}
	// The chain goes on, and the validator signs.
	signed := regexp.MustCompile(`(?m)^phrd_validator_signed_blocks_total ([1-9].*)$`)
	eventually(t, time.Minute, "the validator signs", func() bool { return signed.MatchString(n.scrape(t)) })
}

// `phrd status` shows a page on the server's machine, what the gateway tells elsewhere, and always the same JSON.
func TestStatusPage(t *testing.T) {
	n := startNet(t)
	p := n.hospital(1)
	page := p.does(t, nil, "status")
	for _, line := range []string{"ready", "height", "validator", "one of 4", "peers", "objects", "copies", "work here", "releases", "disk", "clock", "warnings", "version"} {
		require.Contains(t, page, line)
	}
	var keys map[string]any
	p.does(t, &keys, "status")
	require.ElementsMatch(t, []string{
		"gateway", "ready", "reasons", "hospital", "name", "chain_id", "network_id", "height", "block_time", "catching_up", "block_hash", "version",
	}, slices.Collect(maps.Keys(keys)))

	elsewhere := n.hire(t, 1, "status-clerk", "clerk")
	page = elsewhere.does(t, nil, "status")
	require.Contains(t, page, "ready")
	require.NotContains(t, page, "validator")
}

// The page is shown again until the program is interrupted, without codes for a terminal where there is none.
func TestWatchedStatus(t *testing.T) {
	n := startNet(t)
	cmd := n.hospital(1).command(t.Context(), "status", "--watch")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	pages := 0
	var text strings.Builder
	for lines := bufio.NewScanner(out); pages < 2 && lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), "warnings") {
			pages++
		}
	}
	require.Equal(t, 2, pages, text.String())
	require.NotContains(t, text.String(), "\x1b")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	_, err = io.Copy(io.Discard, out)
	require.NoError(t, err)
	require.NoError(t, cmd.Wait())
}

// On a terminal the page is drawn in place.
func TestWatchedStatusOnATerminal(t *testing.T) {
	n := startNet(t)
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	require.NoError(t, err)
	defer master.Close()
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	cmd := n.hospital(1).command(t.Context(), "status", "--watch")
	cmd.Stdout = terminal
	require.NoError(t, cmd.Start())
	require.NoError(t, terminal.Close())
	const anew = "\x1b[H\x1b[2J"
	var text []byte
	for part := make([]byte, 4096); strings.Count(string(text), anew) < 2; {
		n, err := master.Read(part)
		require.NoError(t, err)
		text = append(text, part[:n]...)
	}
	require.True(t, strings.HasPrefix(string(text), anew))
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.NoError(t, cmd.Wait())
}

// A certificate that is no good does not take the place of the one that is shown, and SIGHUP does not end the server.
func TestReloadedCertificate(t *testing.T) {
	n := startNet(t)
	p := n.hospital(3)
	var all []struct {
		Home, Log string
		PID       int
	}
	person{home: n.dir}.does(t, &all, "network", "status")
	said := func() string {
		text, err := os.ReadFile(all[2].Log)
		require.NoError(t, err)
		return string(text)
	}
	path := filepath.Join(p.home, "config", "gateway.key")
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte("no key"), 0o600))
	require.NoError(t, syscall.Kill(all[2].PID, syscall.SIGHUP))
	eventually(t, time.Minute, "the server says that it keeps the old one", func() bool { return strings.Contains(said(), "all stays as it was") })
	p.does(t, nil, "status")
	require.NoError(t, os.WriteFile(path, good, 0o600))
	require.NoError(t, syscall.Kill(all[2].PID, syscall.SIGHUP))
	eventually(t, time.Minute, "the server reads it", func() bool { return strings.Contains(said(), "what may change was read anew") })
	p.does(t, nil, "status")
}
