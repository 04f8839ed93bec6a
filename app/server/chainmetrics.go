package server

import (
	"bytes"
	"context"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/node"
)

// maxCounted is how many blocks one scrape looks at for the own signature; of more, as after a catch-up, only the newest count.
const maxCounted = 1000

// What is measured of the chain's node and of what runs beside it.
var (
	heightMetric     = metric("chain_height", "Height of the newest block here.")
	blockTimeMetric  = metric("chain_last_block_timestamp_seconds", "Time of the newest block here.")
	catchingUpMetric = metric("chain_catching_up", "Whether the node is catching up with the network: 1.")
	validatorsMetric = metric("chain_validators", "Validators of the newest block.")
	peersMetric      = metric("chain_peers", "Nodes of the chain to which there is a connection.")
	mempoolMetric    = metric("chain_pending_transactions", "Transactions that wait for a block here.")
	validatingMetric = metric("validator_active", "Whether this server is one of the validators: 1.")
	signedMetric     = metric("validator_signed_blocks_total", "Blocks since the start, from the first look on, that this validator signed.")
	missedMetric     = metric("validator_missed_blocks_total", "Blocks since the start, from the first look on, that lack the signature of this validator although it is one.")

	blobPeersMetric = metric("blob_peers", "Storage nodes of other hospitals, by whether there is a connection.", "connected")
	queueMetric     = metric("blob_queue_objects", "Objects that this server has to do something with: to copy, to repair, to try again, to attest the erasure of.", "work")
	sharesWaiting   = metric("release_shares_waiting", "Releases that wait for a share of this hospital.")
	sharesGiven     = metric("release_shares_given_total", "Shares that this hospital gave since the start.")
	sharesFailed    = metric("release_share_failures_total", "Tries to give a share since the start that failed.")
	clockMetric     = metric("clock_offset_seconds", "By how much the clock here is ahead of the median of other hospitals; left out while none answers.")
	backupMetric    = metric("backup_last_timestamp_seconds", "When the last backup of the home was made; 0 where none was made here.")
	buildMetric     = metric("build_info", "The program that runs: 1.", "version")
)

// chained measures the chain's node; it is a [prometheus.Collector].
type chained struct {
	chain   *chain
	version string

	mu             sync.Mutex
	looked         int64 // blocks up to this one were looked at for the own signature
	signed, missed uint64
}

// Describe implements prometheus.Collector.
func (*chained) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		heightMetric, blockTimeMetric, catchingUpMetric, validatorsMetric, peersMetric, mempoolMetric, validatingMetric, signedMetric, missedMetric, buildMetric,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *chained) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(buildMetric, 1, c.version)
	gauge(peersMetric, float64(c.chain.node.Switch().Peers().Size()))
	gauge(mempoolMetric, float64(c.chain.node.Mempool().Size()))
	gauge(catchingUpMetric, truth(c.chain.node.ConsensusReactor().WaitSync()))
	blocks := c.chain.node.BlockStore()
	height := blocks.Height()
	gauge(heightMetric, float64(height))
	if meta := blocks.LoadBlockMeta(height); meta != nil {
		gauge(blockTimeMetric, float64(meta.Header.Time.UnixMilli())/1000)
	}
	count, active := c.validators()
	gauge(validatorsMetric, float64(count))
	gauge(validatingMetric, truth(active))
	signed, missed := c.signatures(height, active)
	to <- prometheus.MustNewConstMetric(signedMetric, prometheus.CounterValue, float64(signed))
	to <- prometheus.MustNewConstMetric(missedMetric, prometheus.CounterValue, float64(missed))
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// validators counts the validators, and tells whether this is one.
func (c *chained) validators() (count int, active bool) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	self := c.address()
	for page, size := 1, 100; ; page++ {
		got, err := c.chain.client.Validators(ctx, nil, &page, &size)
		if err != nil {
			return count, active
		}
		for _, v := range got.Validators {
			active = active || len(self) > 0 && bytes.Equal(v.Address, self)
		}
		if count += len(got.Validators); len(got.Validators) == 0 || count >= got.Total {
			return count, active
		}
	}
}

// address is the validator's; nil on a storage node, which has none of weight.
func (c *chained) address() []byte {
	key, err := c.chain.node.PrivValidator().GetPubKey()
	if err != nil || key == nil {
		return nil
	}
	return key.Address()
}

// signatures counts the blocks before a height that this validator signed or did not. The signatures under a block stand in the next one.
func (c *chained) signatures(height int64, active bool) (signed, missed uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := height - 1
	if c.looked == 0 || !active {
		c.looked = max(last, 0)
	}
	self := c.address()
	for at := max(c.looked+1, last-maxCounted+1); at <= last; at++ {
		commit := c.chain.node.BlockStore().LoadBlockCommit(at)
		if commit == nil {
			continue
		}
		own := false
		for _, s := range commit.Signatures {
			own = own || bytes.Equal(s.ValidatorAddress, self)
		}
		if own {
			c.signed++
		} else {
			c.missed++
		}
	}
	c.looked = max(c.looked, last)
	return c.signed, c.missed
}

// beside measures what runs beside the chain; it is a [prometheus.Collector].
type beside struct {
	home       home.Home
	peers      *node.Peers
	replicator *node.Replicator
	eraser     *node.Eraser
	holder     *node.Holder // nil on a storage node
	clock      *node.Clock
}

// Describe implements prometheus.Collector.
func (*beside) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{blobPeersMetric, queueMetric, sharesWaiting, sharesGiven, sharesFailed, clockMetric, backupMetric} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (b *beside) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	connected, known := b.peers.Connected()
	gauge(blobPeersMetric, float64(connected), "yes")
	gauge(blobPeersMetric, float64(known-connected), "no")
	queue, erased := b.replicator.QueueStats(), b.eraser.Stats()
	gauge(queueMetric, float64(queue.Copies), "copy")
	gauge(queueMetric, float64(queue.Repairs), "repair")
	gauge(queueMetric, float64(queue.Retries), "retry")
	gauge(queueMetric, float64(erased.Deleted-min(erased.Deleted, erased.Attested)), "attest")
	if ahead, known := b.clock.Ahead(); known {
		gauge(clockMetric, ahead.Seconds())
	}
	if b.holder == nil {
		return
	}
	shares := b.holder.Stats()
	gauge(sharesWaiting, float64(shares.Waiting))
	to <- prometheus.MustNewConstMetric(sharesGiven, prometheus.CounterValue, float64(shares.Given))
	to <- prometheus.MustNewConstMetric(sharesFailed, prometheus.CounterValue, float64(shares.Failed))
	if made, err := b.home.LastBackup(); err == nil {
		gauge(backupMetric, float64(max(made.Unix(), 0)))
	}
}
