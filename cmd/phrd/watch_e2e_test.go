package main_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/inbox"
)

// listed counts the records that a person's hospital keeps, or that are a patient's own.
func (p person) listed(t *testing.T) int {
	t.Helper()
	var all []json.RawMessage
	p.does(t, &all, "record", "list")
	return len(all)
}

// journals is what the journals of all folders say that this person watches.
func (p person) journals(t *testing.T) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(p.home, "inbox", "*.jsonl"))
	require.NoError(t, err)
	var all strings.Builder
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		all.Write(text)
	}
	return all.String()
}

// A scanner writes forty files; the watcher is killed when they are uploaded and the chain is being told of them, and started again. Each
// file is stored once.
func TestWatchedFolder(t *testing.T) {
	const files = 40
	c := newCast(t)
	before := c.alice.listed(t)
	top := t.TempDir()
	dir, done, table := filepath.Join(top, "out"), filepath.Join(top, "done"), filepath.Join(top, "patients.csv")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "L-1"), 0o700))
	require.NoError(t, os.WriteFile(table, []byte("L-1,"+c.patient+"\n"), 0o600))
	for n := range files {
		content := make([]byte, 20<<10)
		_, err := rand.Read(content)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "L-1", fmt.Sprintf("image-%02d", n)), content, 0o600))
	}
	args := []string{"watch", dir, "--patients", table, "--done", done, "--settle", "100ms", "--every", "100ms"}

	killed := c.clerk.command(t.Context(), append(args, "--json")...)
	var out bytes.Buffer
	killed.Stdout = &out
	require.NoError(t, killed.Start())
	eventually(t, time.Minute, "the files are uploaded", func() bool {
		time.Sleep(5 * time.Millisecond) // between two looks
		return strings.Contains(c.clerk.journals(t), `"uploaded"`)
	})
	require.NoError(t, killed.Process.Kill())
	require.Error(t, killed.Wait())
	require.NotContains(t, c.clerk.journals(t), `"stored"`, "it was killed too late to show anything")

	c.clerk.does(t, nil, append(args, "--once")...)
	require.Equal(t, files, c.alice.listed(t)-before)
	require.Empty(t, names(t, filepath.Join(dir, "L-1")))
	require.Len(t, names(t, filepath.Join(done, "L-1")), files)

	var queue inbox.Queue
	c.clerk.does(t, &queue, "watch", dir, "--list")
	require.False(t, queue.Running)
	require.Len(t, queue.Items, files)
	for _, i := range queue.Items {
		require.Equal(t, inbox.StageSafe, i.Stage, i.Path)
		require.Equal(t, "moved", i.Finished, i.Path)
	}

	// What is nobody's stays where it is.
	require.NoError(t, os.Mkdir(filepath.Join(dir, "L-2"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "L-2", "image"), []byte("whose?"), 0o600))
	r := c.clerk.fails(t, 3, "not safe yet", append(args, "--once")...)
	require.Contains(t, r.out, inbox.ErrPatientUnknown.Error())
	require.FileExists(t, filepath.Join(dir, "L-2", "image"))
	require.Equal(t, files, c.alice.listed(t)-before)
}

func TestWatchRefuses(t *testing.T) {
	t.Parallel()
	p := newOperator(t)
	dir := t.TempDir()
	for _, test := range []struct {
		word string
		args []string
	}{
		{"whose are the files", []string{"watch", dir}},
		{"exclude each other", []string{"watch", dir, "--patient", "x", "--done", dir, "--delete"}},
		{"more than 0", []string{"watch", dir, "--patient", "x", "--every", "0s"}},
		{"patient", []string{"watch", dir, "--patient", "x"}},
		{"class", []string{"watch", dir, "--patient", "x", "--class", "secret"}},
		{"DIR", []string{"watch"}},
	} {
		p.fails(t, 2, test.word, test.args...)
	}
	table := filepath.Join(dir, "patients.csv")
	require.NoError(t, os.WriteFile(table, []byte("L-1\n"), 0o600))
	p.fails(t, 1, "table of patients", "watch", dir, "--patients", table)
	p.fails(t, 1, "no such file", "watch", dir, "--patients", filepath.Join(dir, "missing"))
}
