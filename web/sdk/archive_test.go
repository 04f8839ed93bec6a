package sdk_test

import (
	"archive/tar"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// archivedHeader is what Go's archive/tar writes before a file, as `phrd patient export` has it.
type archivedHeader struct {
	Name     string `json:"name"`
	Size     int64  `json:"size"`
	Modified int64  `json:"modified"` // unix seconds
	Header   string `json:"header"`   // hex, with the extended one where there is one
}

// What stands in an archive before a file is the same in Go and in TypeScript, to the byte, so that what one writes the tools of the other read.
func TestHeadersOfArchives(t *testing.T) {
	folder := strings.Repeat("R", 26) + "/1/"
	files := []archivedHeader{
		{Name: folder + "scan.dcm", Size: 3 << 20, Modified: 1_700_000_000},
		{Name: "index.json", Size: 2},
		{Name: folder + "Röntgen à jeun 日本.pdf", Size: 511, Modified: 1},
		{Name: folder + strings.Repeat("n", 100-len(folder)), Size: 512},
		{Name: folder + strings.Repeat("n", 101-len(folder)), Size: 513},
		{Name: folder + strings.Repeat("long name ", 40) + ".txt", Size: 1<<33 - 1, Modified: 1_700_000_000},
		{Name: folder + "whole.svs", Size: 1 << 33, Modified: 1<<33 - 1},
		{Name: folder + strings.Repeat("ü", 90), Size: 1 << 40},
	}
	for i, f := range files {
		var out bytes.Buffer
		modified := time.Time{}
		if f.Modified != 0 {
			modified = time.Unix(f.Modified, 0)
		}
		require.NoError(t, tar.NewWriter(&out).WriteHeader(&tar.Header{Name: f.Name, Mode: 0o600, Size: f.Size, ModTime: modified, Format: tar.FormatPAX}))
		files[i].Header = hex.EncodeToString(out.Bytes())
	}
	encoded, err := json.MarshalIndent(files, "", "  ")
	require.NoError(t, err)
	encoded = append(encoded, '\n')
	path := filepath.Join("..", "..", "testdata", "archive", "headers.json")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, encoded, 0o600))
	}
	golden, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(golden), string(encoded))
}
