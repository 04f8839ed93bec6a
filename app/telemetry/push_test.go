package telemetry_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/phrd/phrd/app/telemetry"
)

// wait bounds how long something is waited for, and tick lies between two looks.
const wait, tick = time.Minute, 10 * time.Millisecond

func TestEndpoints(t *testing.T) {
	for endpoint, good := range map[string]bool{
		"https://collector.hospital.example:4318": true, "https://collector.hospital.example/phrd/v1/metrics": true, "http://127.0.0.1:4318": true,
		"http://[::1]:4318": true, "http://localhost:4318": true,
		"http://collector.hospital.example:4318": false, "http://192.0.2.1:4318": false, "collector:4318": false, "https://": false, "": false,
		"https://user:secret@collector.hospital.example": false, "https://collector.hospital.example/?a=b": false, "grpc://127.0.0.1:4317": false, "https://[": false,
	} {
		if good {
			require.NoError(t, telemetry.CheckEndpoint(endpoint), endpoint)
		} else {
			require.Error(t, telemetry.CheckEndpoint(endpoint), endpoint)
		}
	}
	require.Error(t, telemetry.Run(t.Context(), telemetry.Config{Endpoint: "ftp://127.0.0.1"}))
}

// What Prometheus would scrape reaches a collector, under the name of this server; one that does not answer is told of once, and nothing ends.
func TestPush(t *testing.T) {
	var mu sync.Mutex
	refuses := true
	var got []*collector.ExportMetricsServiceRequest
	faults := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if refuses {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		m, err := read(r)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return // the end cut it off
		}
		if err != nil {
			select {
			case faults <- err.Error():
			default:
			}
			return
		}
		got = append(got, m)
	}))
	defer server.Close()
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "10")

	registry := prometheus.NewRegistry()
	stored := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "phrd_stored_total", Help: "Files."}, []string{"class"})
	registry.MustRegister(stored)
	stored.WithLabelValues("imaging").Add(3)
	var said lines
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- telemetry.Run(ctx, telemetry.Config{
			Endpoint: server.URL, Gatherer: registry, Version: "v1", Instance: "node-7", Log: slog.New(slog.NewTextHandler(&said, nil)),
		})
	}()
	require.Eventually(t, func() bool { return said.has("send metrics to the collector") }, wait, tick)
	mu.Lock()
	refuses = false
	mu.Unlock()
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(got) > 1 && said.has("works again")
	}, wait, tick)
	cancel()
	require.NoError(t, <-done)
	server.Close() // no request is served any more
	require.Empty(t, faults)
	require.Equal(t, 1, strings.Count(said.String(), "WARN"))

	last := got[len(got)-1].GetResourceMetrics()[0]
	names := map[string]string{}
	for _, a := range last.GetResource().GetAttributes() {
		names[a.GetKey()] = a.GetValue().GetStringValue()
	}
	require.Equal(t, map[string]string{"service.name": "phrd", "service.version": "v1", "service.instance.id": "node-7"}, names)
	m := last.GetScopeMetrics()[0].GetMetrics()[0]
	require.Equal(t, "phrd_stored_total", m.GetName())
	point := m.GetSum().GetDataPoints()[0]
	require.InEpsilon(t, 3, point.GetAsDouble(), 1e-9)
	require.Equal(t, "imaging", point.GetAttributes()[0].GetValue().GetStringValue())
}

// read is what a collector was sent.
func read(r *http.Request) (*collector.ExportMetricsServiceRequest, error) {
	unpacked, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(unpacked)
	if err != nil {
		return nil, err
	}
	m := &collector.ExportMetricsServiceRequest{}
	return m, proto.Unmarshal(body, m)
}

// lines is a log that is read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) has(text string) bool { return strings.Contains(l.String(), text) }
