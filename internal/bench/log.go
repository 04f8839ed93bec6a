package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/phrd/phrd/index"
	"github.com/phrd/phrd/internal/plot"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
)

const (
	// logPage is how many of the newest entries are asked for, logQueries how often in each round.
	logPage    = 50
	logQueries = 300
	logStart   = 1_800_000_000
	// logWait is how long an index may take to read a log.
	logWait = 20 * time.Minute
	// logSpan is a time that is asked for, in seconds.
	logSpan = 3600
)

// logSizes are how many entries the logs have, and those of a short run.
var (
	logSizes  = []uint64{10_000, 100_000, 1_000_000}
	fewInLogs = []uint64{1000, 10_000}
)

// madeLog is a log that is made while it is read, for a million entries would take more memory than the index that is measured: 20
// hospitals with 200 accounts, a patient for each hundred entries.
type madeLog struct{ frontier audit.Frontier }

func (l *madeLog) at(sequence, size uint64) audit.Entry {
	r := rand.New(rand.NewPCG(sequence, 0))
	kinds := []string{audit.KindStored, audit.KindReplicated, audit.KindReplicated, audit.KindReplicated, audit.KindOpened, audit.KindShareGiven}
	e := audit.Entry{
		Sequence: sequence, Height: int64(sequence/10) + 1, Time: logStart + int64(sequence/5), Kind: kinds[r.IntN(len(kinds))], Actor: logActors[r.IntN(len(logActors))],
		Role: "clerk", Hospital: 1 + r.Uint64N(20), Patient: logName(2, r.Uint64N(size/100)), Outcome: audit.OUTCOME_OK,
		Subjects: []audit.Subject{{Record: logName(3, r.Uint64N(1<<24)), Version: 1}},
	}
	if r.IntN(4) == 0 {
		e.Unlock, e.Purpose = fmt.Sprintf("%064x", r.Uint64N(50_000)), "TREAT"
	}
	return e
}

// logActors are the accounts of the made logs.
var logActors = func() (list [200]string) {
	for i := range list {
		list[i] = sdk.AccAddress(binary.BigEndian.AppendUint64(make([]byte, 12), uint64(i))).String()
	}
	return list
}()

func logName(sort byte, n uint64) string {
	return lock.ID{sort, byte(n), byte(n >> 8), byte(n >> 16)}.String()
}

// Frontier implements index.Source.
func (l *madeLog) Frontier(context.Context) (audit.Frontier, error) { return l.frontier, nil }

// Entries implements index.Source.
func (l *madeLog) Entries(_ context.Context, from uint64, limit int) ([]audit.Entry, error) {
	var list []audit.Entry
	for n := from; n <= l.frontier.Size_ && len(list) < limit; n++ {
		list = append(list, l.at(n, l.frontier.Size_))
	}
	return list, nil
}

func makeLog(size uint64) (*madeLog, error) {
	l := &madeLog{}
	for n := uint64(1); n <= size; n++ {
		leaf, err := l.at(n, size).LeafHash()
		if err != nil {
			return nil, err
		}
		l.frontier.Append(leaf)
	}
	return l, nil
}

// indexed is an index that has read a log.
type indexed struct {
	*index.Index
	log  *madeLog
	size uint64
	// times of queries, by what was asked for.
	times map[string][]time.Duration
}

func (b *bench) openIndex(ctx context.Context, size uint64) (*indexed, error) {
	log, err := makeLog(size)
	if err != nil {
		return nil, err
	}
	x, err := index.Open(filepath.Join(b.dir, fmt.Sprintf("log-%d", size)), log)
	if err != nil {
		return nil, err
	}
	i := &indexed{Index: x, log: log, size: size, times: map[string][]time.Duration{}}
	if err := x.Start(ctx); err != nil {
		return i, err
	}
	_, err = newestIndexed(ctx, x)
	return i, err
}

// newestIndexed waits until an index has read its log, and answers the sequence of the newest entry.
func newestIndexed(ctx context.Context, x *index.Index) (uint64, error) {
	for end := time.Now().Add(logWait); ; time.Sleep(time.Millisecond) {
		found, _, err := x.Entries(ctx, &audit.QueryEntriesRequest{Limit: 1})
		if err == nil && len(found) == 1 {
			return found[0].Sequence, nil
		}
		if err != nil && !errors.Is(err, audit.ErrIndexBuilding) || time.Now().After(end) {
			return 0, errors.Join(err, errors.New("the index has not read the log"))
		}
	}
}

// logQueriesOf are the newest entries by patient, actor and time; which of them differs from query to query.
var logQueriesOf = map[string]func(r *rand.Rand, size uint64) audit.QueryEntriesRequest{
	"patient": func(r *rand.Rand, size uint64) audit.QueryEntriesRequest {
		return audit.QueryEntriesRequest{Patient: logName(2, r.Uint64N(size/100))}
	},
	"actor": func(r *rand.Rand, _ uint64) audit.QueryEntriesRequest {
		return audit.QueryEntriesRequest{Actor: logActors[r.IntN(len(logActors))]}
	},
	"time": func(r *rand.Rand, size uint64) audit.QueryEntriesRequest {
		from := logStart + int64(r.Uint64N(size/5))
		return audit.QueryEntriesRequest{From: from, To: from + logSpan}
	},
}

// ask asks an index so often, each question twice: what the second takes is warm. It checks each answer.
func (i *indexed) ask(ctx context.Context, by string, round uint64) error {
	r := rand.New(rand.NewPCG(round, i.size))
	for range logQueries {
		filter := logQueriesOf[by](r, i.size)
		filter.Limit = logPage
		page, err := i.timed(ctx, by+" first", &filter)
		if err == nil {
			page, err = i.timed(ctx, by, &filter)
		}
		if err != nil {
			return err
		}
		for _, e := range page {
			if !filter.Matches(e) {
				return fmt.Errorf("by %s: entry %d was not asked for", by, e.Sequence)
			}
		}
	}
	return nil
}

func (i *indexed) timed(ctx context.Context, name string, filter *audit.QueryEntriesRequest) ([]audit.Entry, error) {
	began := time.Now()
	page, _, err := i.Index.Entries(ctx, filter)
	i.times[name] = append(i.times[name], time.Since(began))
	return page, err
}

// prove has the index prove entries, checks each proof, and answers the size of the longest.
func (i *indexed) prove(ctx context.Context, round uint64) (longest int, err error) {
	r := rand.New(rand.NewPCG(round, i.size))
	root := i.log.frontier.Root()
	for range logQueries {
		sequence := 1 + r.Uint64N(i.size)
		began := time.Now()
		path, _, err := i.InclusionProof(ctx, sequence, i.size)
		i.times["proof"] = append(i.times["proof"], time.Since(began))
		if err != nil {
			return 0, err
		}
		leaf, err := i.log.at(sequence, i.size).LeafHash()
		if err != nil {
			return 0, err
		}
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, sequence-1, i.size, leaf[:], path, root[:]); err != nil {
			return 0, err
		}
		longest = max(longest, len(path)*sha256.Size)
	}
	return longest, nil
}

// quantile is that of durations, in milliseconds.
func quantile(times []time.Duration, share float64) float64 {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))].Seconds() * 1000
}

// log measures rows 14 and 16: indexes of three sizes, and a bare store, are asked in turn in each round.
func (b *bench) log(ctx context.Context) (rows []row, err error) {
	sizes := logSizes
	if b.size < 1<<30 {
		sizes = fewInLogs
	}
	for _, size := range sizes {
		b.queries.Sizes = append(b.queries.Sizes, int(size))
	}
	var all []*indexed
	defer func() {
		for _, i := range all {
			err = errors.Join(err, i.Stop(context.WithoutCancel(ctx)), os.RemoveAll(filepath.Join(b.dir, fmt.Sprintf("log-%d", i.size))))
		}
	}()
	for _, size := range sizes {
		i, err := b.openIndex(ctx, size)
		if i != nil {
			all = append(all, i)
		}
		if err != nil {
			return nil, err
		}
	}
	largest := sizes[len(sizes)-1]
	bare, err := openState(filepath.Join(b.dir, "bare"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.remove()) }()
	if err := b.appendBare(bare, largest, false); err != nil {
		return nil, err
	}
	var proven []time.Duration
	names := []string{"patient", "actor", "time"}
	longest := 0
	for round := range uint64(b.rounds) + 1 {
		for _, i := range all {
			if round == 1 {
				i.times = map[string][]time.Duration{} // the first round warms
			}
			for _, name := range names {
				if err := i.ask(ctx, name, round); err != nil {
					return nil, err
				}
			}
			n, err := i.prove(ctx, round)
			if err != nil {
				return nil, err
			}
			longest = max(longest, n)
		}
		times, err := bare.prove(largest, round)
		if err != nil {
			return nil, err
		}
		if round > 0 {
			proven = append(proven, times...)
		}
	}
	first, last := all[0], all[len(all)-1]
	for _, name := range append(names, "proof") {
		s := plot.Line{Name: name}
		for _, i := range all {
			s.Values, s.Dashed = append(s.Values, quantile(i.times[name], 0.5)), append(s.Dashed, quantile(i.times[name], 0.99))
		}
		b.queries.Lines = append(b.queries.Lines, s)
	}
	for n, name := range names {
		s := b.queries.Lines[n]
		rows = append(rows, row{
			number: "14", what: fmt.Sprintf("newest %d entries by %s, asked again, %d entries against %d, p50; p99 of the large one", logPage, name, last.size, first.size), target: "≤ 2; ≤ 10 ms",
			measured: fmt.Sprintf("%.2f; %.2f ms", s.Values[len(s.Values)-1]/s.Values[0], s.Dashed[len(s.Dashed)-1]), raw: fmt.Sprintf("p50 %.3f and %.3f ms, the first time %.3f and %.3f ms", s.Values[len(s.Values)-1], s.Values[0], quantile(last.times[name+" first"], 0.5), quantile(first.times[name+" first"], 0.5)),
		})
	}
	s := b.queries.Lines[len(names)]
	return append(rows, row{
		number: "16", what: fmt.Sprintf("inclusion proof of an entry of %d: bytes of hashes", last.size), target: "≤ 1536",
		measured: fmt.Sprint(longest), raw: fmt.Sprintf("p99 %.3f ms, of %d entries %.3f ms", s.Dashed[len(s.Dashed)-1], first.size, s.Dashed[0]),
	}, row{
		number: "16", what: fmt.Sprintf("the same against the proof of an entry by a bare IAVL store with %d, p99", last.size), target: "≤ 2",
		measured: fmt.Sprintf("%.2f", s.Dashed[len(s.Dashed)-1]/quantile(proven, 0.99)), raw: fmt.Sprintf("the bare store's p99 %.3f ms, p50 %.3f against %.3f ms", quantile(proven, 0.99), quantile(proven, 0.5), s.Values[len(s.Values)-1]),
	}), nil
}
