package main_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// largestTx is how long a transaction may be that a node takes.
const largestTx = 64 << 10

// call asks the first hospital's CometBFT by JSON-RPC and returns the error that it answers, empty for none.
func (n *localNet) call(t *testing.T, method string, params map[string]any) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d", 26657+n.offset), bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	var answer struct {
		Error struct{ Message, Data string }
	}
	require.NoError(t, json.Unmarshal(text, &answer), string(text))
	return answer.Error.Message + answer.Error.Data
}

// What a server that runs does about defaults that its files can't show.
func TestSafeDefaults(t *testing.T) {
	n := startNet(t)
	t.Run("a crash leaves no memory on the disk", func(t *testing.T) {
		for number := range hospitals {
			limits := readAll(t, fmt.Sprintf("/proc/%d/limits", n.pid(t, number+1)))
			require.Regexp(t, regexp.MustCompile(`(?m)^Max core file size +0 +0 `), string(limits))
		}
	})
	t.Run("no long transaction is looked at", func(t *testing.T) {
		send := func(size int) string {
			return n.call(t, "broadcast_tx_sync", map[string]any{"tx": base64.StdEncoding.EncodeToString(make([]byte, size))})
		}
		require.Empty(t, send(largestTx), "it is taken and found to be none")
		require.Contains(t, send(largestTx+1), "too large")
	})
	t.Run("nobody turns the node's knobs", func(t *testing.T) {
		require.Empty(t, n.call(t, "health", map[string]any{}))
		for _, method := range []string{"unsafe_flush_mempool", "dial_peers", "dial_seeds"} {
			require.Contains(t, n.call(t, method, map[string]any{}), "Method not found")
		}
	})
}
