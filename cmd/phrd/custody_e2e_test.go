package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What `phrd custody status` prints under --json, as far as the tests look at it.
type (
	networkKey struct {
		Kind, Origin                 string
		Generation, Epoch, Threshold uint64
		Versions                     uint64
		Holders                      []keyHolder
	}
	keyHolder struct {
		Hospital  uint64
		Confirmed bool
	}
)

// keys are the network's keys, once every share is confirmed.
func (p person) keys(t *testing.T) []networkKey {
	t.Helper()
	var keys []networkKey
	p.does(t, &keys, "custody", "status", "--wait", "2m")
	require.NotEmpty(t, keys)
	return keys
}

// The hospitals renew their shares by a vote; who may not vote does not begin it, and the old shares are gone from their homes.
func TestCustody(t *testing.T) {
	c := newCast(t)
	one := c.hospital(1)
	before := one.keys(t)
	require.Len(t, before, 1)
	require.Equal(t, "dkg", before[0].Origin)
	require.EqualValues(t, 3, before[0].Threshold)
	require.Len(t, before[0].Holders, hospitals)
	require.Contains(t, one.does(t, nil, "custody", "status"), "4 of 4")
	c.clerk.fails(t, 4, "may not", "hospital", "propose", "reshare")

	var p struct{ Proposal uint64 }
	one.does(t, &p, "hospital", "propose", "reshare")
	for number := 1; number <= 3; number++ {
		c.hospital(number).does(t, nil, "hospital", "vote", fmt.Sprint(p.Proposal), "yes")
	}
	eventually(t, time.Minute, "the shares are renewed", func() bool { return one.keys(t)[0].Epoch == before[0].Epoch+1 })
	for number := 1; number <= hospitals; number++ {
		eventually(t, time.Minute, "the old share is erased", func() bool { return len(names(t, c.hospital(number).home+"/keys/share")) == 1 })
	}
	path, content := file(t, "after.dcm", 5000)
	ref := c.store(t, path)
	c.approved(t, ref)
	out := filepath.Join(t.TempDir(), "after.dcm")
	c.doctor.does(t, nil, "record", "open", ref, "-o", out)
	require.Equal(t, content, readAll(t, out))
}

// The demo ends with a scan that was opened twice, by a key that four hospitals made together.
func TestDemo(t *testing.T) {
	if program == "" {
		t.Skip("PHRD_BINARY does not name the program; make e2e does")
	}
	t.Parallel()
	offset, err := freeOffset()
	require.NoError(t, err)
	path, _ := file(t, "scan.dcm", 3<<20)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	told, err := exec.CommandContext(ctx, program, "demo", "--once", "--json", "--file", path, "--home", filepath.Join(t.TempDir(), "demo"), "--port-offset", fmt.Sprint(offset),
		"--audit-export", filepath.Join(t.TempDir(), "log.ndjson")).Output()
	require.NoError(t, err)
	var report struct {
		SHA256       string
		OpenedSHA256 string `json:"opened_sha256"`
		AfterLoss    string `json:"opened_after_loss_sha256"`
		Custody      struct {
			Origin             string
			Holders, Threshold int
		}
		Export struct{ Path, Genesis string } `json:"audit_export"`
	}
	require.NoError(t, json.Unmarshal(told, &report))
	require.Equal(t, sumOf(t, path), report.SHA256)
	require.Equal(t, report.SHA256, report.OpenedSHA256)
	require.Equal(t, report.SHA256, report.AfterLoss)
	require.Equal(t, "dkg", report.Custody.Origin)
	require.Equal(t, 4, report.Custody.Holders)
	require.Equal(t, 3, report.Custody.Threshold)

	// Everything has stopped. Whoever has the file and the genesis sees what the log says, and that it is the log.
	said, err := exec.CommandContext(ctx, program, "audit", "verify", report.Export.Path, "--genesis", report.Export.Genesis, "--list").CombinedOutput()
	require.NoError(t, err, "%s", said)
	require.Contains(t, string(said), "all from the beginning of the log")
	for _, what := range []string{"stored", "endorsed", "approved", "released", "opened"} {
		require.Contains(t, string(said), "\t"+what+"\t")
	}
	export, err := os.ReadFile(report.Export.Path)
	require.NoError(t, err)
	export[len(export)/2] ^= 1
	require.NoError(t, os.WriteFile(report.Export.Path, export, 0o600))
	said, err = exec.CommandContext(ctx, program, "audit", "verify", report.Export.Path, "--genesis", report.Export.Genesis).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(said), "proves nothing")
}
