package gateway

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// routeRPC and routeNone are the routes of gRPC calls, and of requests that no route takes.
	routeRPC, routeNone = "grpc", "none"
	// hungUp is the code of a request whose caller went away before the answer was whole.
	hungUp = 499
	// behindAfter is after which time without success a webhook counts as behind.
	behindAfter = time.Minute
)

// measures are what is counted of requests. Routes are templates, so that no label names what
// was asked for or by whom.
type measures struct {
	requests       *prometheus.CounterVec
	durations      *prometheus.HistogramVec
	received, sent prometheus.Counter
	underWay       prometheus.Gauge
}

func newMeasures() measures {
	return measures{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phrd_gateway_requests_total", Help: "Requests that were answered since the start, by method, template of the route, and code of the answer; 499 where the caller hung up.",
		}, []string{"method", "route", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "phrd_gateway_request_duration_seconds", Help: "How long requests took, with their bodies, by template of the route.",
			Buckets: []float64{0.005, 0.025, 0.1, 0.5, 1, 5, 30, 120, 600},
		}, []string{"route"}),
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phrd_gateway_received_bytes_total", Help: "Bytes of the bodies of requests since the start.",
		}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phrd_gateway_sent_bytes_total", Help: "Bytes of the bodies of answers since the start.",
		}),
		underWay: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "phrd_gateway_requests_in_flight", Help: "Requests that are being answered.",
		}),
	}
}

func (m measures) all() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.durations, m.received, m.sent, m.underWay}
}

var (
	uploadsDesc = prometheus.NewDesc("phrd_gateway_uploads", "Uploads that are not complete, and those that were not used up yet.", nil, nil)
	journalDesc = prometheus.NewDesc("phrd_gateway_journal_reports", "Reads that are written down here and do not stand in the log of the network yet.", nil, nil)
	journalOK   = prometheus.NewDesc("phrd_gateway_journal_writable", "Whether reads can be written down: 1; 0 from the first failure on, when nothing is served.", nil, nil)
	behindDesc  = prometheus.NewDesc("phrd_gateway_webhooks_behind", "Webhooks of the hospital's applications that have not taken a notice for over a minute.", nil, nil)
	followDesc  = prometheus.NewDesc("phrd_gateway_followers", "Streams of notices that are open.", nil, nil)
	sessionDesc = prometheus.NewDesc("phrd_gateway_sessions", "Logins that have not ended.", nil, nil)
	expiryDesc  = prometheus.NewDesc("phrd_gateway_certificate_expiry_timestamp_seconds", "When the certificate ends.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (g *Gateway) Describe(to chan<- *prometheus.Desc) {
	for _, c := range g.measures.all() {
		c.Describe(to)
	}
	for _, d := range []*prometheus.Desc{uploadsDesc, journalDesc, journalOK, behindDesc, followDesc, sessionDesc, expiryDesc} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (g *Gateway) Collect(to chan<- prometheus.Metric) {
	for _, c := range g.measures.all() {
		c.Collect(to)
	}
	gauge := func(d *prometheus.Desc, value float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	gauge(uploadsDesc, float64(len(g.uploads.all())))
	gauge(journalDesc, float64(g.reports.journal.waiting()+g.happenings.journal.waiting()))
	writable := 1.0
	if g.reports.failed() != nil || g.happenings.journal.failed() != nil {
		writable = 0
	}
	gauge(journalOK, writable)
	behind := 0
	for _, c := range g.webhooks.all() {
		if c.behind(behindAfter) {
			behind++
		}
	}
	gauge(behindDesc, float64(behind))
	gauge(followDesc, float64(g.followers.count()))
	gauge(sessionDesc, float64(g.sessions.count()))
	if pair, err := g.certificate.get(nil); err == nil {
		gauge(expiryDesc, float64(pair.Leaf.NotAfter.Unix()))
	}
}

// measure counts a request. The returned writer and request stand for those given, and done is
// called when the request has ended, also by a panic.
func (g *Gateway) measure(w http.ResponseWriter, r *http.Request, route string) (http.ResponseWriter, *http.Request, func()) {
	m, began := g.measures, time.Now()
	counted := &countedWriter{ResponseWriter: w, sent: m.sent}
	r.Body = &countedBody{ReadCloser: r.Body, received: m.received}
	m.underWay.Inc()
	return counted, r, func() {
		m.underWay.Dec()
		code, broken := counted.code(), recover()
		switch {
		case r.Context().Err() != nil:
			code = hungUp
		case broken != nil: // half an answer
			code = http.StatusInternalServerError
		}
		if broken != nil {
			defer panic(broken)
		}
		m.requests.WithLabelValues(methodLabel(r.Method), route, strconv.Itoa(code)).Inc()
		m.durations.WithLabelValues(route).Observe(time.Since(began).Seconds())
		g.logRequest(r, route, code, time.Since(began))
	}
}

// methodLabel keeps methods that somebody makes up from becoming labels.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// routeLabel is the template of a route of the mux.
func routeLabel(pattern string) string {
	if pattern == "" {
		return routeNone
	}
	return pattern[strings.Index(pattern, "/"):]
}

// countedWriter counts what is sent.
type countedWriter struct {
	http.ResponseWriter
	sent   prometheus.Counter
	status atomic.Int64 // gRPC writes and ends in goroutines of its own
}

func (w *countedWriter) code() int {
	if status := w.status.Load(); status != 0 {
		return int(status)
	}
	return http.StatusOK
}

// Unwrap is for http.ResponseController.
func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *countedWriter) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.status.CompareAndSwap(0, int64(status))
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *countedWriter) Write(b []byte) (int, error) {
	w.status.CompareAndSwap(0, http.StatusOK)
	n, err := w.ResponseWriter.Write(b)
	w.sent.Add(float64(n))
	return n, err
}

// Flush implements http.Flusher, which gRPC needs.
func (w *countedWriter) Flush() {
	// A connection that can't be flushed has ended.
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// countedBody counts what is received.
type countedBody struct {
	io.ReadCloser
	received prometheus.Counter
}

// Read implements io.Reader.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.received.Add(float64(n))
	return n, err
}
