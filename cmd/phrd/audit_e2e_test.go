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

// An officer's report of an export is one page or table, the same each time, and signed by whom its readers name.
func TestReportOfAnExport(t *testing.T) {
	dir := t.TempDir()
	page, again, table := filepath.Join(dir, "report.html"), filepath.Join(dir, "again.html"), filepath.Join(dir, "report.csv")
	report := func(export, to string, more ...string) (string, int) {
		return offline(t, append([]string{"audit", "report", "make", export, to, "--genesis", proofs + "genesis.json"}, more...)...)
	}
	home, passphrase := filepath.Join(dir, "home"), filepath.Join(dir, "passphrase")
	require.NoError(t, os.WriteFile(passphrase, []byte("correct horse battery staple\n"), 0o600))
	t.Setenv("PHRD_PASSPHRASE_FILE", passphrase)
	said, exit := offline(t, "keys", "add", "auditor", "--home", home, "--json")
	require.Zero(t, exit, said)
	var account struct{ Address string }
	require.NoError(t, json.Unmarshal([]byte(said), &account))

	said, exit = report(proofs+"log.ndjson", page, "--sign", "--home", home, "--from", "auditor")
	require.Zero(t, exit, said)
	said, exit = report(proofs+"log.ndjson", again)
	require.Zero(t, exit, said)
	require.Equal(t, readAll(t, page), readAll(t, again))
	require.NoFileExists(t, again+".sig")
	said, exit = report(proofs+"log.ndjson", table, "--format", "csv", "--day-from", "3", "--zone", "4=Asia/Tokyo")
	require.Zero(t, exit, said)
	require.Contains(t, string(readAll(t, table)), "entries,,,,,,dealt,")

	_, exit = report(proofs+"patient.ndjson", filepath.Join(dir, "x"))
	require.NotZero(t, exit, "a patient's log has no days of others to compare with")
	_, exit = report(proofs+"log.ndjson", filepath.Join(dir, "x"), "--zone", "4=Europe/Nowhere")
	require.Equal(t, 2, exit)

	verify := func(path string, more ...string) (string, int) {
		return offline(t, append([]string{"audit", "report", "verify", path}, more...)...)
	}
	said, exit = verify(page, "--by", account.Address, "--export", proofs+"log.ndjson")
	require.Zero(t, exit, said)
	_, exit = verify(page, "--by", "phrd1mkh4rvj8ph2advfwd0pygntkxzjyznlayp2mq0")
	require.NotZero(t, exit, "signed by another")
	_, exit = verify(page, "--by", account.Address, "--export", proofs+"period.ndjson")
	require.NotZero(t, exit, "made of another export")
	require.NoError(t, os.WriteFile(page, append(readAll(t, page), ' '), 0o600))
	_, exit = verify(page, "--by", account.Address)
	require.NotZero(t, exit, "the page was changed")
}
