package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// proofs has exports of a demo network and its genesis.
const proofs = "../../logproof/testdata/"

// offline runs the program without a network and without a home, and answers what it said and its exit code.
func offline(t *testing.T, args ...string) (string, int) {
	t.Helper()
	if program == "" {
		t.Skip("PHRD_BINARY does not name the program; make e2e does")
	}
	said, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(said), exit.ExitCode()
	}
	require.NoError(t, err)
	return string(said), 0
}

// An export becomes events of FHIR without a hospital; of one that proves nothing, nothing is written.
func TestExportBecomesFHIR(t *testing.T) {
	dir := t.TempDir()
	trust := []string{"--genesis", proofs + "genesis.json"}
	convert := func(export, to string, more ...string) (string, int) {
		return offline(t, append(append([]string{"audit", "convert", export, to}, trust...), more...)...)
	}

	lines, bundle := filepath.Join(dir, "events.ndjson"), filepath.Join(dir, "bundle.json")
	said, exit := convert(proofs+"log.ndjson", lines)
	require.Zero(t, exit, said)
	require.Equal(t, 35, bytes.Count(readAll(t, lines), []byte(`{"resourceType":"AuditEvent"`)))
	said, exit = convert(proofs+"patient.ndjson", bundle, "--format", "fhir-bundle")
	require.Zero(t, exit, said)
	var b struct {
		ResourceType string
		Entry        []json.RawMessage
	}
	require.NoError(t, json.Unmarshal(readAll(t, bundle), &b))
	require.Equal(t, "Bundle", b.ResourceType)
	require.NotEmpty(t, b.Entry)

	_, exit = convert(proofs+"log.ndjson", bundle)
	require.NotZero(t, exit, "a file that is there stays")
	_, exit = convert(proofs+"log.ndjson", filepath.Join(dir, "x"), "--format", "xml")
	require.Equal(t, 2, exit)
	damaged := filepath.Join(dir, "damaged.ndjson")
	text := readAll(t, proofs+"log.ndjson")
	text[len(text)/2] ^= 1
	require.NoError(t, os.WriteFile(damaged, text, 0o600))
	said, exit = convert(damaged, filepath.Join(dir, "none"))
	require.NotZero(t, exit)
	require.Contains(t, said, "proves nothing")
	require.NoFileExists(t, filepath.Join(dir, "none"))
}
