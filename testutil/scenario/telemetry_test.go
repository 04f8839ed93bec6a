package scenario_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"
)

// A server whose settings name a collector sends it what it measures, and says whose it is.
func TestMetricsReachACollector(t *testing.T) {
	received := make(chan []byte, 16)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		select {
		case received <- body:
		default:
		}
	}))
	defer server.Close()
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "100")
	of, _, _ := oneOfTwo(t)
	path := filepath.Join(of.Home.Dir(), "config", "app.toml")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	named := bytes.Replace(text, []byte(`otlp_endpoint = ""`), []byte(`otlp_endpoint = "`+server.URL+`"`), 1)
	require.NotEqual(t, text, named)
	require.NoError(t, os.WriteFile(path, named, 0o600))
	serve(t, of)
	names := map[string]bool{}
	// The first are sent while the server still starts.
	for !names["phrd_build_info"] || !names["phrd_disk_free_bytes"] || !names["phrd_gateway_sessions"] {
		var sent []byte
		select {
		case sent = <-received:
		case <-time.After(time.Minute):
			t.Fatalf("the collector has got no more than %v", names)
		}
		packed, err := gzip.NewReader(bytes.NewReader(sent))
		require.NoError(t, err)
		body, err := io.ReadAll(packed)
		require.NoError(t, err)
		m := &collector.ExportMetricsServiceRequest{}
		require.NoError(t, proto.Unmarshal(body, m))
		for _, resource := range m.GetResourceMetrics() {
			for _, a := range resource.GetResource().GetAttributes() {
				names[a.GetKey()+"="+a.GetValue().GetStringValue()] = true
			}
			for _, scope := range resource.GetScopeMetrics() {
				for _, metric := range scope.GetMetrics() {
					names[metric.GetName()] = true
				}
			}
		}
	}
	require.True(t, names["service.name=phrd"])
	require.True(t, names["service.version=test"])
}
