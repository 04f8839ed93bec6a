package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
		require.Contains(t, text, "\n"+want+"\n")
	}
	// The chain goes on, and the validator signs.
	signed := regexp.MustCompile(`(?m)^phrd_validator_signed_blocks_total ([1-9].*)$`)
	eventually(t, time.Minute, "the validator signs", func() bool { return signed.MatchString(n.scrape(t)) })
}
