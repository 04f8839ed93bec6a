package server

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/node"
)

// scrapeTime bounds what the chain is asked for one scrape.
const scrapeTime = 10 * time.Second

// What is measured. The network's numbers are read from the chain when they are asked for; the rest is this server's own.
var (
	objectsMetric = metric("objects", "Objects that the network keeps, by standing.", "standing")
	copiesMetric  = metric("copies", "Copies of objects that the network wants, by whether they are held.", "held")
	nodeMetric    = metric("storage_node_up", "Whether a storage node is alive: 1; 0 where it is not, with what it is.", "node", "hospital", "status")
	silentMetric  = metric("storage_node_silent_seconds", "For how long the network has not heard of a storage node while it ran.", "node")
	placedMetric  = metric("storage_node_placed_bytes", "Bytes that are placed on a storage node.", "node")
	strikesMetric = metric("storage_node_strikes_total", "Challenges to prove a copy that a storage node failed.", "node")
	sharesMetric  = metric("key_shares", "Shares of a network key, by whether the hospital that is to hold it has proved that it does.", "kind", "generation", "confirmed")
	openMetric    = metric("key_threshold", "How many shares of a network key open.", "kind", "generation")
	roundMetric   = metric("key_round", "Whether a network key is being made, or its shares renewed.", "kind", "generation")
	chainMetric   = metric("chain_readable", "Whether the state of the chain could be read for this scrape.")
	freeMetric    = metric("disk_free_bytes", "Bytes of disk that are left for blobs.")
	sentMetric    = metric("blob_sent_bytes_total", "Bytes of blocks sent to other hospitals since the start.")
	fetchedMetric = metric("blob_fetched_bytes_total", "Bytes of blocks fetched from other hospitals since the start.")
	wrongMetric   = metric("blob_wrong_blocks_total", "How often another hospital sent a block that was not what was asked for.")

	scrubbedMetric  = metric("scrub_blocks_total", "Blocks read back to see whether they are sound since the start, by what was found.", "found")
	scrubLostMetric = metric("scrub_objects_total", "Objects found lost when they were read back since the start, and those of them that are held again.", "state")
	seenMetric      = metric("collect_seen_blocks_total", "Blocks looked at to see whether anybody names them since the start.")
	collectedMetric = metric("collect_blocks_total", "Blocks removed since the start because nobody named them.")
	collectedBytes  = metric("collect_bytes_total", "Bytes of the blocks that were removed.")
	roundsMetric    = metric("collect_rounds_total", "Collections since the start; unsure ones removed nothing, because not all that is named was known.", "end")
)

func metric(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("phrd_"+name, help, labels, nil)
}

// metrics measures a server; it is a [prometheus.Collector].
type metrics struct {
	chain   storagev1.QueryClient
	custody custodyv1.QueryClient
	disk    disk
	ipfs    *ipfs.Node
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		objectsMetric, copiesMetric, nodeMetric, silentMetric, placedMetric, strikesMetric, chainMetric, freeMetric, sentMetric, fetchedMetric, wrongMetric,
		sharesMetric, openMetric, roundMetric,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector. What can't be read is left out, and the metric that says so is 0.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), labels...)
	}
	traffic := m.ipfs.Traffic()
	for d, value := range map[*prometheus.Desc]uint64{sentMetric: traffic.Sent, fetchedMetric: traffic.Fetched, wrongMetric: traffic.Wrong} {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value))
	}
	if free, err := m.disk.Free(); err == nil {
		gauge(freeMetric, free)
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	health, err := m.chain.Health(ctx, &storagev1.QueryHealthRequest{})
	if err == nil {
		err = m.keys(ctx, gauge)
	}
	if err != nil {
		gauge(chainMetric, 0)
		return
	}
	gauge(chainMetric, 1)
	short := health.GetPlacing() + health.GetRepairing() + health.GetEndangered() + health.GetUnrecoverable()
	standings := map[string]uint64{
		"placing": health.GetPlacing(), "repairing": health.GetRepairing(), "endangered": health.GetEndangered(),
		"unrecoverable": health.GetUnrecoverable(),
	}
	if !health.GetMore() { // else not all that fall short were counted
		standings["whole"] = health.GetObjects() - min(short, health.GetObjects())
	}
	for standing, n := range standings {
		gauge(objectsMetric, n, standing)
	}
	gauge(copiesMetric, health.GetHeld(), "yes")
	gauge(copiesMetric, health.GetCopies()-min(health.GetHeld(), health.GetCopies()), "no")
	for _, n := range health.GetNodes() {
		node := strconv.FormatUint(n.GetNode(), 10)
		up := uint64(0)
		if n.GetStatus() == storagev1.NodeStatus_NODE_STATUS_ALIVE {
			up = 1
		}
		status := strings.ToLower(strings.TrimPrefix(n.GetStatus().String(), "NODE_STATUS_"))
		gauge(nodeMetric, up, node, strconv.FormatUint(n.GetMember(), 10), status)
		gauge(silentMetric, uint64(max(0, n.GetSilent())), node)
		gauge(placedMetric, n.GetUsage().GetBytes(), node)
		to <- prometheus.MustNewConstMetric(strikesMetric, prometheus.CounterValue, float64(n.GetStrikes()), node)
	}
}

// keys measures the network's keys.
func (m *metrics) keys(ctx context.Context, gauge func(d *prometheus.Desc, value uint64, labels ...string)) error {
	made, err := m.custody.Keys(ctx, &custodyv1.QueryKeysRequest{})
	if err != nil {
		return err
	}
	label := func(kind custodyv1.KeyKind, generation uint64) []string {
		return []string{strings.ToLower(strings.TrimPrefix(kind.String(), "KEY_KIND_")), strconv.FormatUint(generation, 10)}
	}
	for _, key := range made.GetKeys() {
		holders, err := m.custody.Holders(ctx, &custodyv1.QueryHoldersRequest{Kind: key.GetKind(), Generation: key.GetGeneration(), ShareEpoch: key.GetShareEpoch()})
		if err != nil {
			return err
		}
		counts := map[bool]uint64{}
		for _, h := range holders.GetHolders() {
			counts[h.GetConfirmed()]++
		}
		labels := label(key.GetKind(), key.GetGeneration())
		gauge(sharesMetric, counts[true], append(labels, "yes")...)
		gauge(sharesMetric, counts[false], append(labels, "no")...)
		gauge(openMetric, key.GetThreshold(), labels...)
	}
	rounds, err := m.custody.Rounds(ctx, &custodyv1.QueryRoundsRequest{})
	if err != nil {
		return err
	}
	for _, r := range rounds.GetRounds() {
		runs := uint64(1)
		if r.GetPhase() == custodyv1.RoundPhase_ROUND_PHASE_DONE {
			runs = 0
		}
		gauge(roundMetric, runs, label(r.GetKind(), r.GetGeneration())...)
	}
	return nil
}

// upkeep measures what a server does to its own store; it is a [prometheus.Collector].
type upkeep struct {
	replicator *node.Replicator
	collector  *node.Collector // nil where nothing is collected
}

// Describe implements prometheus.Collector.
func (*upkeep) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{scrubbedMetric, scrubLostMetric, seenMetric, collectedMetric, collectedBytes, roundsMetric} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (u *upkeep) Collect(to chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, value uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	scrubbed := u.replicator.ScrubStats()
	count(scrubbedMetric, scrubbed.Blocks-min(scrubbed.Blocks, scrubbed.Rotten+scrubbed.Missing), "sound")
	count(scrubbedMetric, scrubbed.Rotten, "rotten")
	count(scrubbedMetric, scrubbed.Missing, "missing")
	count(scrubLostMetric, scrubbed.Lost, "lost")
	count(scrubLostMetric, scrubbed.Healed, "healed")
	if u.collector == nil {
		return
	}
	collected := u.collector.Stats()
	count(seenMetric, collected.Seen)
	count(collectedMetric, collected.Blocks)
	count(collectedBytes, collected.Bytes)
	count(roundsMetric, collected.Rounds, "done")
	count(roundsMetric, collected.Unsure, "unsure")
}

// handleMetrics serves a registry in the text format of Prometheus.
func handleMetrics(registry *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// registerProcess measures the process: memory, CPU, open files, goroutines, and the program that it runs.
func registerProcess(registry *prometheus.Registry) error {
	for _, c := range []prometheus.Collector{
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewGoCollector(),
	} {
		if err := registry.Register(c); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	return nil
}
