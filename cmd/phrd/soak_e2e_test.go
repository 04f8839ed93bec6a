package main_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	mib = 1 << 20
	// moreMemory is how much more memory a large file may need than a small one, in hundredths.
	moreMemory = 120
	// copiesOnDisk is how often the bytes of a file lie on the disk at once: three copies, and the file itself or what was opened.
	copiesOnDisk = 4
)

// soakSizes are the small and the large file: 64 and 128 MiB, or 100 MiB and what PHRD_SOAK says in MiB.
func soakSizes(t *testing.T) (small, large int64) {
	t.Helper()
	text := os.Getenv("PHRD_SOAK")
	if text == "" {
		return 64 * mib, 128 * mib
	}
	n, err := strconv.ParseInt(text, 10, 32)
	require.NoError(t, err, "PHRD_SOAK is a number of MiB")
	return 100 * mib, n * mib
}

// randomFile writes a file that nobody has seen before, and tells its hash.
func randomFile(t *testing.T, size int64) (path, sum string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "large")
	f, err := os.Create(path)
	require.NoError(t, err)
	hash := sha256.New()
	source := rand.NewChaCha8([32]byte{byte(rand.Uint32()), byte(size / mib)})
	_, err = io.CopyN(io.MultiWriter(f, hash), source, size)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return path, hex.EncodeToString(hash.Sum(nil))
}

// peak runs a command to its end, decodes its JSON, and tells the most memory that it had, in KiB.
func (p person) peak(t *testing.T, value any, args ...string) int64 {
	t.Helper()
	cmd := p.command(t.Context(), append(args, "--json")...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, "phrd %s\n%s", strings.Join(args, " "), complaints.String())
	require.NoError(t, json.Unmarshal(out, value), string(out))
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	require.True(t, ok)
	return usage.Maxrss
}

// serverPeaks is the most memory that each server has had since resetPeaks, in KiB.
func (n *localNet) serverPeaks(t *testing.T) []int64 {
	t.Helper()
	var peaks []int64
	for number := range hospitals {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.pid(t, number+1)))
		require.NoError(t, err)
		_, rest, found := strings.Cut(string(status), "VmHWM:")
		require.True(t, found)
		kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		require.NoError(t, err)
		peaks = append(peaks, kib)
	}
	return peaks
}

// resetPeaks has the servers' peaks begin anew (proc(5), clear_refs).
func (n *localNet) resetPeaks(t *testing.T) {
	t.Helper()
	for number := range hospitals {
		require.NoError(t, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", n.pid(t, number+1)), []byte("5"), 0))
	}
}

func (n *localNet) pid(t *testing.T, number int) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(n.hospital(number).home, "phrd.pid"))
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.Fields(string(text))[0])
	require.NoError(t, err)
	return pid
}

// A file goes in and out, whatever its size, in the memory that a small one needs: in the commands and in the servers. `make soak` does
// it with ten GiB.
func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	c := newCast(t)
	small, large := soakSizes(t)
	var disk syscall.Statfs_t
	require.NoError(t, syscall.Statfs(c.dir, &disk))
	if free, need := int64(disk.Bavail)*disk.Bsize, copiesOnDisk*large+large/2; free < need {
		t.Fatalf("%d MiB of disk are free, %d MiB are needed", free/mib, need/mib)
	}
	type need struct {
		store, open int64
		servers     []int64
	}
	through := func(size int64) (n need) {
		path, sum := randomFile(t, size)
		c.resetPeaks(t)
		var stored []storedFile
		n.store = c.clerk.peak(t, &stored, "record", "store", path, "--patient", c.patient, "--wait", "copies", "--timeout", "60m")
		require.Len(t, stored, 1)
		require.NoError(t, os.Remove(path))
		ref := stored[0].Record + "/1"
		c.approved(t, ref)
		out := filepath.Join(filepath.Dir(path), "opened")
		var opened map[string]any
		n.open = c.doctor.peak(t, &opened, "record", "open", ref, "-o", out)
		n.servers = c.serverPeaks(t)
		f, err := os.Open(out)
		require.NoError(t, err)
		hash := sha256.New()
		_, err = io.Copy(hash, f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Equal(t, sum, hex.EncodeToString(hash.Sum(nil)))
		require.NoError(t, os.Remove(out))
		return n
	}
	a, b := through(small), through(large)
	t.Logf("%d MiB: store %d MiB, open %d MiB, servers %v KiB", small/mib, a.store>>10, a.open>>10, a.servers)
	t.Logf("%d MiB: store %d MiB, open %d MiB, servers %v KiB", large/mib, b.store>>10, b.open>>10, b.servers)
	require.LessOrEqual(t, 100*b.store, moreMemory*a.store, "storing needs more memory for the large file")
	require.LessOrEqual(t, 100*b.open, moreMemory*a.open, "opening needs more memory for the large file")
	// Which hospitals hold a copy is another matter for each file, so the neediest ones are compared.
	require.LessOrEqual(t, 100*slices.Max(b.servers), moreMemory*slices.Max(a.servers), "the hospitals need more memory for the large file")
}
