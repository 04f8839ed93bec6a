package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// manySize is the size of each of many files.
	manySize = 20 << 10
	// manyShort is how many there are in the short form: more than one transaction takes.
	manyShort = 110
)

// manyFiles is how many files are stored together: 110, or what PHRD_MANY says.
func manyFiles(t *testing.T) int {
	t.Helper()
	text := os.Getenv("PHRD_MANY")
	if text == "" {
		return manyShort
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, "PHRD_MANY is a number of files")
	return n
}

// Many files go together, and what is wrong with some keeps none of the others back. `make soak` does it with ten thousand, and prints
// how long that takes against a copy of the same files.
func TestManySmallFiles(t *testing.T) {
	c := newCast(t)
	count := manyFiles(t)
	dir := filepath.Join(t.TempDir(), "results")
	require.NoError(t, os.Mkdir(dir, 0o700))
	source := rand.NewChaCha8([32]byte{3})
	paths := []string{dir, filepath.Join(dir, "missing")}
	var want []byte
	for i := range count {
		content := make([]byte, manySize)
		_, err := source.Read(content)
		require.NoError(t, err)
		path := filepath.Join(dir, fmt.Sprintf("result-%05d", i))
		require.NoError(t, os.WriteFile(path, content, 0o600))
		paths, want = append(paths, path), content
	}
	began := time.Now()
	r := c.clerk.runs(t, append([]string{"record", "store", "--patient", c.patient, "--class", "result", "--wait", "none", "--json"}, paths...)...)
	took := time.Since(began)
	require.Equal(t, 1, r.code, r.errors)
	require.Contains(t, r.errors, "folder")
	require.Contains(t, r.errors, "no such file")
	var stored []storedFile
	require.NoError(t, json.Unmarshal([]byte(r.out), &stored))
	require.Len(t, stored, count)
	for i, s := range stored {
		require.Equal(t, paths[i+2], s.File)
	}
	ref := stored[count-1].Record + "/1"
	c.approved(t, ref)
	require.Equal(t, string(want), c.doctor.does(t, nil, "record", "open", ref, "-o", "-"))

	began = time.Now()
	copied := dir + "-copy"
	require.NoError(t, exec.CommandContext(t.Context(), "cp", "-r", dir, copied).Run())
	require.NoError(t, exec.CommandContext(t.Context(), "sync", "-f", copied).Run())
	copying := time.Since(began)
	mibs := func(d time.Duration) float64 { return float64(count*manySize) / mib / d.Seconds() }
	t.Logf("%d files of 20 KiB, four hospitals on this machine: stored at %.1f MiB/s in %s, cp and sync %.1f MiB/s, ratio %.2f",
		count, mibs(took), took.Round(time.Millisecond), mibs(copying), copying.Seconds()/took.Seconds())
}
