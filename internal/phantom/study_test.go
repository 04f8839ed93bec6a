package phantom_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phrd/phrd/internal/phantom"
)

func TestStudyIsTheSameEachTime(t *testing.T) {
	var sums [2][]byte
	for i := range sums {
		h := sha256.New()
		counted := &counter{w: h}
		if err := phantom.Write(counted); err != nil {
			t.Fatal(err)
		}
		if counted.n != phantom.Length() {
			t.Fatalf("wrote %d bytes, want %d", counted.n, phantom.Length())
		}
		sums[i] = h.Sum(nil)
	}
	if !bytes.Equal(sums[0], sums[1]) {
		t.Errorf("two studies differ: %x and %x", sums[0], sums[1])
	}
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// readers run programs that must read the study without a word on standard error.
var readers = []struct {
	name, program string
	arguments     []string
	want          string
}{
	{name: "dcmdump", program: "dcmdump", arguments: []string{"+W", "."}, want: "EnhancedCTImageStorage"},
	{name: "dciodvfy", program: "dciodvfy", want: "EnhancedCTImage"},
	{name: "pydicom", program: "/usr/bin/python3", arguments: []string{"-W", "error", "-c", pydicom}, want: "128 512 512 -1000 1000 20 0"},
}

// pydicom prints shape, extremes, a voxel of the brain and one of a ventricle, in Hounsfield units.
const pydicom = `
import sys, pydicom
from pydicom import config
config.enforce_valid_values = True
d = pydicom.dcmread(sys.argv[1])
v = d.pixel_array
z = v.shape[0] // 2
print(*v.shape, v.min(), v.max(), v[z, 256, 256], v[z, 256, 256 + int(.22 * 256)])
assert len(d.PerFrameFunctionalGroupsSequence) == d.NumberOfFrames
`

func TestStudyIsReadWithoutAWarning(t *testing.T) {
	path := filepath.Join(t.TempDir(), phantom.Name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := phantom.Write(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, r := range readers {
		t.Run(r.name, func(t *testing.T) {
			if _, err := exec.LookPath(r.program); err != nil {
				t.Fatalf("%v: make setup installs it", err)
			}
			var stdout, stderr bytes.Buffer
			c := exec.CommandContext(t.Context(), r.program, append(r.arguments, path)...)
			c.Dir = t.TempDir()
			c.Stdout, c.Stderr = &stdout, &stderr
			if err := c.Run(); err != nil {
				t.Fatalf("%v\n%s%s", err, stdout.String(), stderr.String())
			}
			said := stdout.String()
			if r.name == "dciodvfy" { // it says everything on standard error
				said = stderr.String()
				stderr.Reset()
			}
			if stderr.Len() != 0 || strings.Contains(said, "Error") || strings.Contains(said, "Warning") {
				t.Errorf("it said:\n%s%s", said, stderr.String())
			}
			if !strings.Contains(said, r.want) {
				t.Errorf("read\n%s, want %q", said, r.want)
			}
		})
	}
}
