package fhir_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// verdict is what two implementations of FHIR say is wrong with a resource.
type verdict struct{ Medplum, FHIR []string }

// validate has resources checked, one a line.
func validate(t *testing.T, lines []byte) []verdict {
	t.Helper()
	folder, node := os.Getenv("PHRD_FHIR"), os.Getenv("PHRD_NODE")
	if folder == "" || node == "" {
		t.Skip("PHRD_FHIR names no folder with validators, or PHRD_NODE no Node; `make keepers` does")
	}
	command := exec.CommandContext(t.Context(), node, filepath.Join(folder, "validate.mjs"))
	command.Stdin = bytes.NewReader(lines)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	out, err := command.Output()
	require.NoError(t, err, complaints.String())
	var all []verdict
	for line := range bytes.Lines(out) {
		var v verdict
		require.NoError(t, json.Unmarshal(line, &v))
		all = append(all, v)
	}
	require.Len(t, all, bytes.Count(lines, []byte("\n")))
	return all
}

// Two implementations that share no code take every event of every kind, the events of an export, and a Bundle of them; and each of
// them refuses an event that is broken.
func TestOthersReadTheEvents(t *testing.T) {
	_, _, entries := export(t, "log")
	events := append(asLines(t, variants()), asLines(t, entries)...)
	events = append(events, bytes.ReplaceAll(asBundle(t, entries), []byte("\n"), nil)...)
	events = append(events, '\n')
	events = append(events, asBundle(t, nil)...)
	good := bytes.Count(events, []byte("\n"))

	one := bytes.SplitAfter(asLines(t, entries), []byte("\n"))[0]
	broken := []struct{ name, old, new string }{
		{"no time", `"recorded"`, `"recorde"`},
		{"no agents", `"agent"`, `"agents"`},
		{"a requestor that is no truth value", `"requestor":true`, `"requestor":"yes"`},
		{"no source", `"source":`, `"sources":`},
	}
	for _, b := range broken {
		changed := bytes.Replace(one, []byte(b.old), []byte(b.new), 1)
		require.NotEqual(t, one, changed, b.name)
		events = append(events, changed...)
	}
	verdicts := validate(t, events)
	for i, v := range verdicts[:good] {
		require.Empty(t, v.Medplum, "resource %d", i+1)
		require.Empty(t, v.FHIR, "resource %d", i+1)
	}
	for i, b := range broken {
		require.NotEmpty(t, verdicts[good+i].Medplum, b.name)
		require.NotEmpty(t, verdicts[good+i].FHIR, b.name)
	}
}
