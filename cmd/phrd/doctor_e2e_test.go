package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// finding is one check of `phrd doctor --json`.
type finding struct {
	Check, Status, Finding, Remedy string
}

// examined runs `phrd doctor`, which must end with a code, and returns what it found by check.
func (p person) examined(t *testing.T, code int, args ...string) map[string]finding {
	t.Helper()
	r := p.runs(t, append([]string{"doctor", "--json"}, args...)...)
	require.Equal(t, code, r.code, "%s%s", r.out, r.errors)
	var all []finding
	require.NoError(t, json.Unmarshal([]byte(r.out), &all), r.out)
	by := map[string]finding{}
	for _, f := range all {
		by[f.Check] = f
	}
	return by
}

// A server of a network is well, as far as an account of it and the other hospitals can tell; where something is broken, it says what.
func TestDoctor(t *testing.T) {
	n := startNet(t)
	p := n.hospital(2)
	found := p.examined(t, 0)
	for _, check := range []string{
		"permissions", "configuration", "network", "server", "chain", "clock", "peers", "reach", "addresses", "certificate", "versions", "share", "open files",
	} {
		require.Equal(t, "ok", found[check].Status, "%+v", found[check])
	}
	require.Contains(t, found["reach"].Finding, "reached from")
	require.Equal(t, 2, strings.Count(found["reach"].Finding, ", Hospital"), found["reach"].Finding)
	require.Contains(t, found["share"].Finding, "those that the chain expects")
	require.Equal(t, "warn", found["backup"].Status)
	require.Equal(t, "warn", found["admins"].Status)

	p.does(t, nil, "backup", "--out", filepath.Join(t.TempDir(), "backup"))
	require.Equal(t, "ok", p.examined(t, 0)["backup"].Status)

	// Without the passphrase the rest is still looked at.
	nobody := person{home: p.home}
	found = nobody.examined(t, 0)
	require.Equal(t, "unknown", found["share"].Status)
	require.Equal(t, "unknown", found["reach"].Status)
	require.Equal(t, "ok", found["peers"].Status)

	path := filepath.Join(p.home, "config", "gateway.key")
	require.NoError(t, os.Chmod(path, 0o644))
	r := p.fails(t, 1, "checks failed", "doctor")
	require.NoError(t, os.Chmod(path, 0o600))
	require.Contains(t, r.out, "chmod 600")
	require.Contains(t, r.out, path)
	person{home: t.TempDir()}.fails(t, 1, "not the home", "doctor")
}

// A server that does not run is examined too: the files, the machine, and what the other hospitals tell.
func TestDoctorOfAStoppedServer(t *testing.T) {
	n := startNet(t)
	p := n.hospital(4)
	n.turn(t, "stop", 4)
	defer n.turn(t, "start", 4)
	found := p.examined(t, 1)
	require.Equal(t, "fail", found["server"].Status)
	require.NotEmpty(t, found["server"].Remedy)
	for _, check := range []string{"chain", "peers", "reach", "share", "admins", "addresses"} {
		require.Equal(t, "unknown", found[check].Status, "%+v", found[check])
	}
	for _, check := range []string{"permissions", "configuration", "network", "clock", "versions", "certificate"} {
		require.Equal(t, "ok", found[check].Status, "%+v", found[check])
	}
	// Somebody else notices that it is away.
	other := n.hospital(1).examined(t, 0)
	require.Equal(t, "warn", other["peers"].Status, "%+v", other["peers"])
	require.Contains(t, other["peers"].Finding, "not connected")
}
