package server

import (
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/blob/cache"
	"github.com/phrd/phrd/blob/pack"
	"github.com/phrd/phrd/node"
)

// cacheLeaves is how many bytes the cache leaves of those that blobs could still take.
const cacheLeaves = 1 << 30

// openBlobs opens the block store and, beside it, the cache, which gives way to it.
func (s *services) openBlobs(c Config, files home.Config, logger *slog.Logger) error {
	size, err := files.Services.CacheBytes()
	if err != nil {
		return err
	}
	if s.cache, err = cache.New(c.Home.Cache(), cache.Options{
		Size: int64(size), Leave: cacheLeaves, Free: func() (uint64, error) { return s.blobs.Free() },
	}); err != nil {
		return err
	}
	if s.blobs, err = pack.Open(c.Home.Blobs(), pack.Options{
		Room: s.cache.Give, Report: func(d pack.Damage) { logger.Warn("block store is damaged", "damage", d.String()) },
	}); err != nil {
		return fmt.Errorf("open block store: %w", err)
	}
	return nil
}

// disk is the room that there is for blobs: what is free, and what the cache gives up for them, without what the mirror may still
// take.
type disk struct {
	blobs  *pack.Store
	cache  *cache.Cache
	mirror *node.Mirror // nil for the mirror itself, and where there is none
}

// Free implements node.Disk.
func (d disk) Free() (uint64, error) {
	free, err := d.blobs.Free()
	if err != nil {
		return 0, err
	}
	free += uint64(d.cache.Stats().Bytes)
	if d.mirror != nil {
		free -= min(free, d.mirror.Reserved())
	}
	return free, nil
}

// What is measured of the cache.
var (
	cacheReadsMetric   = metric("cache_reads_total", "Blocks that were looked for in the cache since the start, by what was found; a damaged one is missed too.", "found")
	cacheHeldMetric    = metric("cache_held_bytes", "Bytes that the cache takes on the disk.")
	cacheBlocksMetric  = metric("cache_held_blocks", "Blocks that the cache holds.")
	cacheEvictedMetric = metric("cache_evicted_blocks_total", "Blocks that left the cache for want of room since the start.")
	cacheEvictedBytes  = metric("cache_evicted_bytes_total", "Bytes of the blocks that left the cache for want of room.")
	cacheRefusedMetric = metric("cache_refused_blocks_total", "Blocks that the cache could not keep since the start.")
)

// cached measures a cache; it is a [prometheus.Collector].
type cached struct{ cache *cache.Cache }

// Describe implements prometheus.Collector.
func (cached) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{cacheReadsMetric, cacheHeldMetric, cacheBlocksMetric, cacheEvictedMetric, cacheEvictedBytes, cacheRefusedMetric} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c cached) Collect(to chan<- prometheus.Metric) {
	s := c.cache.Stats()
	count := func(d *prometheus.Desc, value uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	count(cacheReadsMetric, s.Hits, "hit")
	count(cacheReadsMetric, s.Misses, "miss")
	count(cacheReadsMetric, s.Damaged, "damaged")
	count(cacheEvictedMetric, s.Evicted)
	count(cacheEvictedBytes, s.EvictedBytes)
	count(cacheRefusedMetric, s.Refused)
	for d, value := range map[*prometheus.Desc]int64{cacheHeldMetric: s.Bytes, cacheBlocksMetric: s.Blocks} {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value))
	}
}
