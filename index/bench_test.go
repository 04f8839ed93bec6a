package index_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/index"
	"github.com/phrd/phrd/x/audit"
)

// generated is a log that is made while it is read: a million entries would take
// more memory than the index that is measured.
type generated struct {
	frontier audit.Frontier
}

// at is an entry of a large network: 20 hospitals, 10,000 patients with 100 entries each.
func (*generated) at(sequence uint64) audit.Entry {
	r := rand.New(rand.NewPCG(sequence, 0))
	kinds := []string{audit.KindStored, audit.KindReplicated, audit.KindReplicated, audit.KindReplicated, audit.KindOpened, audit.KindShareGiven}
	e := audit.Entry{
		Sequence: sequence, Height: int64(sequence / 10), Time: start + int64(sequence/5), Kind: kinds[r.IntN(len(kinds))],
		Actor: account(r.Uint64N(200)), Role: "clerk", Hospital: 1 + r.Uint64N(20), Patient: id(r.Uint64N(10_000)), Outcome: audit.OUTCOME_OK,
		Subjects: []audit.Subject{{Record: id(1 + r.Uint64N(1<<24-1)), Version: 1}},
	}
	if r.IntN(4) == 0 {
		e.Unlock = unlock(r.Uint64N(50_000))
	}
	if sequence%100_000 == 7 {
		e.Kind = audit.KindDoubleSignSeen
	}
	return e
}

func (g *generated) Frontier(context.Context) (audit.Frontier, error) { return g.frontier, nil }

func (g *generated) Entries(_ context.Context, from uint64, limit int) ([]audit.Entry, error) {
	var list []audit.Entry
	for n := from; n <= g.frontier.Size_ && len(list) < limit; n++ {
		list = append(list, g.at(n))
	}
	return list, nil
}

// BenchmarkEntries asks for pages of a log of a million entries, the building of
// which is reported with the first.
func BenchmarkEntries(b *testing.B) {
	const size = 1_000_000
	log := &generated{}
	for n := uint64(1); n <= size; n++ {
		leaf, err := log.at(n).LeafHash()
		require.NoError(b, err)
		log.frontier.Append(leaf)
	}
	x, err := index.Open(b.TempDir(), log)
	require.NoError(b, err)
	began := time.Now()
	require.NoError(b, x.Start(b.Context()))
	b.Cleanup(func() { require.NoError(b, x.Stop(context.WithoutCancel(b.Context()))) })
	require.Eventually(b, func() bool {
		_, _, err := x.Entries(b.Context(), &audit.QueryEntriesRequest{Limit: 1})
		return err == nil
	}, 10*time.Minute, 10*time.Millisecond)
	b.Logf("%d entries read in %s", size, time.Since(began).Round(time.Second))

	some := log.at(size / 2)
	for _, c := range []struct {
		name   string
		filter audit.QueryEntriesRequest
	}{
		{"newest", audit.QueryEntriesRequest{}},
		{"middle", audit.QueryEntriesRequest{Before: size / 2}},
		{"patient", audit.QueryEntriesRequest{Patient: some.Patient}},
		{"patient and kind", audit.QueryEntriesRequest{Patient: some.Patient, Kind: audit.KindStored}},
		{"hospital and kind", audit.QueryEntriesRequest{Hospital: 3, Kind: audit.KindOpened}},
		{"hospital and rare kind", audit.QueryEntriesRequest{Hospital: 3, Kind: audit.KindDoubleSignSeen}},
		{"actor and hospital", audit.QueryEntriesRequest{Actor: some.Actor, Hospital: 3}},
		{"hour", audit.QueryEntriesRequest{From: start + 50_000, To: start + 53_600}},
		{"hospital in an hour", audit.QueryEntriesRequest{Hospital: 3, From: start + 50_000, To: start + 53_600}},
	} {
		c.filter.Limit = 50
		b.Run(fmt.Sprintf("by=%s", c.name), func(b *testing.B) {
			for b.Loop() {
				_, _, err := x.Entries(b.Context(), &c.filter)
				require.NoError(b, err)
			}
		})
	}
}
