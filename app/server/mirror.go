package server

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/node"
)

// newMirror is what keeps every object of the classes that the settings name; nil where they name none.
func (s *services) newMirror(files home.Config, client *node.Client, store blob.Store, peers *node.Peers, logger *slog.Logger) (*node.Mirror, error) {
	classes, err := files.Services.MirrorClasses()
	if err != nil || len(classes) == 0 {
		return nil, err
	}
	size, err := files.Services.MirrorBytes()
	if err != nil {
		return nil, err
	}
	return node.NewMirror(node.MirrorConfig{
		Chain: client, Store: store, Copier: s.ipfs, Peers: peers, Disk: disk{s.blobs, s.cache, nil}, Classes: classes, Size: size,
		BytesRate: files.Services.RepairRate, Log: logger.With("module", "mirror"),
	})
}

// What is measured of the mirror.
var (
	mirrorObjectsMetric = metric("mirror_objects", "Objects of the mirrored classes that the network has this server not hold, by whether they are here.", "here")
	mirrorHeldMetric    = metric("mirror_held_bytes", "Bytes that the mirror takes, about.")
	mirrorSizeMetric    = metric("mirror_size_bytes", "Bytes that the mirror may take.")
	mirrorFullMetric    = metric("mirror_full", "Whether something that is to be mirrored does not fit: 1.")
	mirrorLooksMetric   = metric("mirror_looks_total", "Times that all that is to be mirrored was looked through since the start.")
	mirrorFetchesMetric = metric("mirror_fetches_total", "Objects that the mirror fetched since the start, and tries that failed.", "end")
	mirrorChecksMetric  = metric("mirror_checks_total", "Objects of the mirror that were read back since the start, by what was found.", "found")
)

// mirrored measures a mirror; it is a [prometheus.Collector].
type mirrored struct {
	mirror *node.Mirror // nil where nothing is mirrored
}

// Describe implements prometheus.Collector.
func (mirrored) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		mirrorObjectsMetric, mirrorHeldMetric, mirrorSizeMetric, mirrorFullMetric, mirrorLooksMetric, mirrorFetchesMetric, mirrorChecksMetric,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m mirrored) Collect(to chan<- prometheus.Metric) {
	var s node.MirrorStats
	if m.mirror != nil {
		s = m.mirror.Stats()
	}
	send := func(d *prometheus.Desc, kind prometheus.ValueType, value uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, kind, float64(value), labels...)
	}
	full := uint64(0)
	if s.Full {
		full = 1
	}
	send(mirrorObjectsMetric, prometheus.GaugeValue, s.Objects, "yes")
	send(mirrorObjectsMetric, prometheus.GaugeValue, s.Missing, "no")
	send(mirrorHeldMetric, prometheus.GaugeValue, s.Bytes)
	send(mirrorSizeMetric, prometheus.GaugeValue, s.Size)
	send(mirrorFullMetric, prometheus.GaugeValue, full)
	send(mirrorLooksMetric, prometheus.CounterValue, s.Looks)
	send(mirrorFetchesMetric, prometheus.CounterValue, s.Fetched, "done")
	send(mirrorFetchesMetric, prometheus.CounterValue, s.Failed, "failed")
	send(mirrorChecksMetric, prometheus.CounterValue, s.Checked-s.Damaged, "sound")
	send(mirrorChecksMetric, prometheus.CounterValue, s.Damaged, "damaged")
}
