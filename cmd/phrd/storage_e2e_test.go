package main_test

import (
	"fmt"
	"io"
	"net/http"
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
	ref := c.store(t, path)

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

	text := c.scrape(t)
	require.Contains(t, text, "phrd_chain_readable 1")
	require.Contains(t, text, `phrd_objects{standing="endangered"} 0`)
	require.Contains(t, text, `phrd_storage_node_up{hospital="1",node="1",status="alive"} 1`)
	require.Contains(t, text, "phrd_disk_free_bytes ")
	require.Contains(t, text, `phrd_scrub_blocks_total{found="rotten"} 0`)
	require.Contains(t, text, "phrd_collect_blocks_total 0")
}
