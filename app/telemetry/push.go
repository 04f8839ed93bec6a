// Package telemetry sends the metrics of a server to an OpenTelemetry collector (OTLP 1 over HTTP), where an operator names one.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
)

// stopTime bounds the last push of a server that ends.
const stopTime = 5 * time.Second

// Config says what is sent, and where to.
type Config struct {
	// Endpoint is the collector's URL, as [CheckEndpoint] wants it. Without a path it is "/v1/metrics".
	Endpoint string
	// Gatherer are the metrics, as Prometheus scrapes them.
	Gatherer prometheus.Gatherer
	// Version of the program, and Instance, a name of this server that no other one has: service.version and service.instance.id.
	Version, Instance string
	// Log is told when the collector can't be reached, and when it can again.
	Log *slog.Logger
}

// CheckEndpoint tells what is wrong with the URL of a collector: it is https, or http on this machine.
func CheckEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return err
	}
	if u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not the URL of a collector, such as https://collector.hospital.example:4318", endpoint)
	}
	switch ip := net.ParseIP(u.Hostname()); {
	case u.Scheme == "https", u.Scheme == "http" && (ip.IsLoopback() || u.Hostname() == "localhost"):
		return nil
	default:
		return fmt.Errorf("%q is neither https nor on this machine", endpoint)
	}
}

// Run sends all metrics each minute, or as often as OTEL_METRIC_EXPORT_INTERVAL says (milliseconds), until ctx ends, and then once more. The
// exporter's other settings come from the environment as well, such as OTEL_EXPORTER_OTLP_HEADERS and OTEL_EXPORTER_OTLP_CERTIFICATE
// (OpenTelemetry protocol exporter, 1.x). What does not arrive is not kept: the next push has all counts.
func Run(ctx context.Context, c Config) error {
	if err := CheckEndpoint(c.Endpoint); err != nil {
		return err
	}
	sender, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(c.Endpoint), otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{}),
		otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression))
	if err != nil {
		return fmt.Errorf("telemetry: %w", err)
	}
	who := resource.NewSchemaless(attribute.String("service.name", "phrd"), attribute.String("service.version", c.Version), attribute.String("service.instance.id", c.Instance))
	push := &exporter{Exporter: sender, fault: fault{log: c.Log, what: "send metrics to the collector"}}
	reader := metric.NewPeriodicReader(push,
		metric.WithProducer(&producer{Producer: bridge.NewMetricProducer(bridge.WithGatherer(c.Gatherer)), fault: fault{log: c.Log, what: "read metrics"}}))
	provider := metric.NewMeterProvider(metric.WithReader(reader), metric.WithResource(who))
	<-ctx.Done()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := provider.Shutdown(last); err != nil {
		push.fault.told(err)
	}
	return nil
}

// fault tells a log when something begins to fail, and when it works again.
type fault struct {
	log  *slog.Logger
	what string
	now  atomic.Bool
}

func (f *fault) told(err error) {
	switch was := f.now.Swap(err != nil); {
	case err != nil && !was:
		f.log.Warn(f.what, "err", err)
	case err == nil && was:
		f.log.Info(f.what + ": works again")
	}
}

// exporter is a [metric.Exporter] whose failures are told. A push that the server's end cuts off is none: it is made once more after that.
type exporter struct {
	metric.Exporter
	fault fault
}

// Export implements metric.Exporter.
func (e *exporter) Export(ctx context.Context, m *metricdata.ResourceMetrics) error {
	if err := e.Exporter.Export(ctx, m); !errors.Is(ctx.Err(), context.Canceled) {
		e.fault.told(err)
	}
	return nil
}

// producer is a [metric.Producer] whose failures are told. What could be read is sent.
type producer struct {
	metric.Producer
	fault fault
}

// Produce implements metric.Producer.
func (p *producer) Produce(ctx context.Context) ([]metricdata.ScopeMetrics, error) {
	all, err := p.Producer.Produce(ctx)
	if !errors.Is(ctx.Err(), context.Canceled) {
		p.fault.told(err)
	}
	return all, nil
}
