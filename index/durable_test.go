package index_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// traced is one call of a trace by strace -f -y, or the first or the second half of one.
var traced = regexp.MustCompile(`^(\d+) +(?:(\w+)\(\d+<([^>]*)>|<\.\.\. (\w+) resumed>)(.*)`)

// Before a table of the database is made durable, the entries whose rows it has are durable in the files.
func TestFilesAreDurableBeforeTheirRows(t *testing.T) {
	tool, err := exec.LookPath("strace")
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("strace is not installed")
	}
	require.NoError(t, err)
	trace := filepath.Join(t.TempDir(), "trace")
	// In that test nothing is appended while a table is written.
	out, err := exec.CommandContext(t.Context(), tool, "-f", "-y", "-s", "0", "-e", "trace=pwrite64,fsync,fdatasync", "-o", trace,
		os.Args[0], "-test.run", "^TestRestartInTheMiddle$").CombinedOutput()
	require.NoError(t, err, string(out))
	text, err := os.ReadFile(trace)
	require.NoError(t, err)

	tables, written := 0, map[string]bool{}
	syncing := map[string]string{} // file by thread
	for line := range strings.Lines(string(text)) {
		m := traced.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		thread, file := m[1], m[3]
		switch unfinished := strings.Contains(m[5], "<unfinished"); {
		case m[2] == "pwrite64":
			written[file] = true
		case strings.HasSuffix(file, ".sst"):
			tables++
			for _, name := range []string{"entries", "ends", "nodes"} {
				path := filepath.Join(filepath.Dir(file), name)
				dirty, known := written[path]
				require.True(t, known, "%s was written", path)
				require.False(t, dirty, "%s is not synced before %s", path, file)
			}
		case m[4] != "" && m[4] != "pwrite64":
			written[syncing[thread]] = false
		case unfinished:
			syncing[thread] = file
		case m[2] != "":
			written[file] = false
		}
	}
	require.Positive(t, tables)
}
