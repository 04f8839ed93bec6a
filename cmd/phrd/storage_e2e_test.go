package main_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// scrape reads the metrics of the first hospital.
func (n *localNet) scrape(t *testing.T) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/metrics", 1317+n.offset), nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}

func TestStorageStatus(t *testing.T) {
	c := newCast(t)
	path, _ := file(t, "scan", 5000)
	ref := c.store(t, path, "--wait", "copies")

	var health struct {
		Objects, Held, Endangered, Unrecoverable string
		Nodes                                    []struct{ Status string }
	}
	c.clerk.does(t, &health, "storage", "status")
	require.NotEqual(t, "0", health.Objects)
	require.Equal(t, "0", health.Endangered)
	require.Equal(t, "0", health.Unrecoverable)
	require.Len(t, health.Nodes, hospitals)
	require.Contains(t, c.clerk.does(t, nil, "storage", "status"), "alive")
	c.alice.fails(t, 4, "may not", "storage", "status")

	var copies struct {
		Ref, Standing string
		Held, Target  int
		Copies        []struct{ Copy, Status string }
	}
	c.clerk.does(t, &copies, "storage", "status", ref)
	require.Equal(t, ref, copies.Ref)
	require.Equal(t, "whole", copies.Standing)
	require.Len(t, copies.Copies, copies.Target)
	for _, one := range copies.Copies {
		require.Equal(t, "held alive", one.Copy+" "+one.Status)
	}
	record, _, _ := strings.Cut(ref, "/")
	require.Contains(t, c.alice.does(t, nil, "storage", "status", record), "whole")

	c.movesObject(t, ref)
	text := c.scrape(t)
	require.Contains(t, text, "phrd_chain_readable 1")
	require.Contains(t, text, `phrd_objects{standing="endangered"} 0`)
	require.Contains(t, text, `phrd_storage_node_up{hospital="1",node="1",status="alive"} 1`)
	require.Contains(t, text, "phrd_disk_free_bytes ")
	require.Contains(t, text, `phrd_scrub_blocks_total{found="rotten"} 0`)
	require.Contains(t, text, "phrd_collect_blocks_total 0")
	require.Contains(t, text, `phrd_cache_reads_total{found="hit"} `)
	require.Contains(t, text, "phrd_cache_held_bytes ")
}

// movesObject takes a version's object out of a hospital as a file, and brings it into another one.
func (c *cast) movesObject(t *testing.T, ref string) {
	t.Helper()
	first, last := c.hospital(1).as("admin"), c.hospital(hospitals).as("admin")
	dir := t.TempDir()
	path, again := filepath.Join(dir, "scan.car"), filepath.Join(dir, "again.car")
	var out, in struct {
		Object, Path string
		Blocks       int
		Bytes        uint64
	}
	first.does(t, &out, "object", "export", ref, "-o", path)
	require.Equal(t, path, out.Path)
	require.Greater(t, out.Blocks, 2)
	require.Equal(t, []string{"scan.car"}, names(t, dir))
	first.fails(t, 1, "exist", "object", "export", ref, "-o", path)
	c.clerk.fails(t, 4, "administrators", "object", "export", ref, "-o", again)
	first.fails(t, 2, "neither a CID", "object", "export", "../x", "-o", again)
	require.NoFileExists(t, again)

	last.does(t, &in, "object", "import", path)
	require.Equal(t, out.Object, in.Object)
	require.Equal(t, out.Blocks, in.Blocks)
	last.does(t, nil, "object", "export", out.Object, "-o", again)
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	got, err := os.ReadFile(again)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))

	want[len(want)/2] ^= 1
	require.NoError(t, os.WriteFile(again, want, 0o600))
	last.fails(t, 1, "not a CAR of an object", "object", "import", again)
	c.clerk.fails(t, 4, "administrators", "object", "import", path)
}
