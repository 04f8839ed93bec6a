package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/phrd/phrd/app/doctor"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/node"
)

const (
	// littleDisk is the room below which the page warns, endsSoon and oldBackup are times for which it does.
	littleDisk          = 10 << 30
	endsSoon, oldBackup = 30 * 24 * time.Hour, 45 * 24 * time.Hour
	// clockWarns is by how much a clock may be off without a warning.
	clockWarns = 5 * time.Second
)

// statusPage is how a server stands, for people: what its gateway tells everybody, and on its own machine what it measures.
type statusPage struct {
	serverStatus
	metrics doctor.Metrics // nil where this is not the server's machine, or the server does not run
	now     time.Time
}

// newStatusPage adds what the server of a home measures, where it runs on this machine.
func newStatusPage(ctx context.Context, dir string, s serverStatus) statusPage {
	p := statusPage{serverStatus: s, now: time.Now()}
	h, err := home.Open(dir)
	if err != nil {
		return p
	}
	files, err := h.Config()
	if err != nil {
		return p
	}
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	if metrics, err := doctor.AskMetrics(ctx, files); err == nil {
		p.metrics = metrics
	}
	return p
}

// rows are the lines of the page.
func (p statusPage) rows() [][]string {
	rows := p.serverStatus.rows()
	if p.metrics == nil {
		return rows
	}
	m := p.metrics
	return append(rows,
		[]string{"validator", p.validator()},
		[]string{"peers", fmt.Sprintf("chain %s, blobs %s of %s", p.count("phrd_chain_peers"), p.count(`phrd_blob_peers{connected="yes"}`),
			whole(m[`phrd_blob_peers{connected="yes"}`]+m[`phrd_blob_peers{connected="no"}`]))},
		[]string{"objects", p.objects()},
		[]string{"copies", fmt.Sprintf("%s held, %s missing", p.count(`phrd_copies{held="yes"}`), p.count(`phrd_copies{held="no"}`))},
		[]string{"work here", fmt.Sprintf("copy %s, repair %s, try again %s, attest %s", p.count(`phrd_blob_queue_objects{work="copy"}`),
			p.count(`phrd_blob_queue_objects{work="repair"}`), p.count(`phrd_blob_queue_objects{work="retry"}`), p.count(`phrd_blob_queue_objects{work="attest"}`))},
		[]string{"releases", fmt.Sprintf("%s wait for our share, %s given", p.count("phrd_release_shares_waiting"), p.count("phrd_release_shares_given_total"))},
		[]string{"requests", fmt.Sprintf("%s logins, %s requests under way, %s uploads, %s reads not in the log yet", p.count("phrd_gateway_sessions"),
			p.count("phrd_gateway_requests_in_flight"), p.count("phrd_gateway_uploads"), p.count("phrd_gateway_journal_reports"))},
		[]string{"disk", byteText(uint64(m["phrd_disk_free_bytes"])) + " free for blobs"},
		[]string{"clock", p.clock()},
		[]string{"warnings", orDash(strings.Join(p.warnings(), "; "))},
	)
}

func (p statusPage) validator() string {
	signed, missed := p.metrics["phrd_validator_signed_blocks_total"], p.metrics["phrd_validator_missed_blocks_total"]
	if p.metrics["phrd_validator_active"] == 0 {
		return "no"
	}
	return fmt.Sprintf("one of %s, signed %s blocks and missed %s", whole(p.metrics["phrd_chain_validators"]), whole(signed), whole(missed))
}

func (p statusPage) objects() string {
	var words []string
	for _, standing := range []string{"whole", "placing", "repairing", "endangered", "unrecoverable"} {
		if n, known := p.metrics[fmt.Sprintf("phrd_objects{standing=%q}", standing)]; known {
			words = append(words, whole(n)+" "+standing)
		}
	}
	return orDash(strings.Join(words, ", "))
}

func (p statusPage) clock() string {
	offset, known := p.metrics["phrd_clock_offset_seconds"]
	if !known {
		return "not compared yet"
	}
	return fmt.Sprintf("%+.2f s against the other hospitals", offset)
}

// warnings are what somebody should look at; docs/operate.md tells what to do, and `phrd doctor` looks closer.
func (p statusPage) warnings() []string {
	m := p.metrics
	var all []string
	warn := func(is bool, format string, args ...any) {
		if is {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	age := p.since("phrd_chain_last_block_timestamp_seconds")
	warn(age > node.MaxHeadAge, "the newest block is %s old", age.Round(time.Second))
	warn(m["phrd_chain_validators"] > 1 && m["phrd_chain_peers"] == 0, "no other hospital is connected")
	warn(m[`phrd_objects{standing="unrecoverable"}`] > 0, "objects are unrecoverable now")
	warn(m[`phrd_objects{standing="endangered"}`] > 0, "objects are endangered")
	warn(m["phrd_disk_free_bytes"] < littleDisk, "the disk is nearly full")
	warn(math.Abs(m["phrd_clock_offset_seconds"]) > clockWarns.Seconds(), "the clock is off")
	warn(m[`phrd_blob_queue_objects{work="retry"}`] > 0, "objects can't be copied here now")
	warn(m["phrd_mirror_full"] > 0, "the mirror is full")
	warn(p.has("phrd_gateway_journal_writable") && m["phrd_gateway_journal_writable"] == 0, "reads can't be written down")
	warn(p.has("phrd_gateway_certificate_expiry_timestamp_seconds") && -p.since("phrd_gateway_certificate_expiry_timestamp_seconds") < endsSoon, "the certificate ends soon")
	warn(p.has("phrd_backup_last_timestamp_seconds") && m["phrd_backup_last_timestamp_seconds"] == 0, "there is no backup")
	warn(m["phrd_backup_last_timestamp_seconds"] > 0 && p.since("phrd_backup_last_timestamp_seconds") > oldBackup, "the backup is old")
	return all
}

func (p statusPage) has(name string) bool {
	_, has := p.metrics[name]
	return has
}

// since is how long ago the time was that a metric names.
func (p statusPage) since(name string) time.Duration {
	return p.now.Sub(time.Unix(int64(p.metrics[name]), 0))
}

// count is the value of a metric; a dash where the server does not have it.
func (p statusPage) count(name string) string {
	if !p.has(name) {
		return "-"
	}
	return whole(p.metrics[name])
}

// whole is a number without a fraction.
func whole(n float64) string { return strconv.FormatFloat(n, 'f', 0, 64) }
