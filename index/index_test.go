package index_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"pgregory.net/rapid"

	"github.com/phrd/phrd/index"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
)

// memoryLog is a log in memory.
type memoryLog struct {
	mu       sync.Mutex
	entries  []audit.Entry
	frontier audit.Frontier
	// fail is the error of every read.
	fail error
	// until is the last sequence that is read before reads wait for their context; 0 for all.
	until uint64
	// asked are the sequences from which was read.
	asked []uint64
}

func (l *memoryLog) Frontier(context.Context) (audit.Frontier, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.frontier, l.fail
}

func (l *memoryLog) Entries(ctx context.Context, from uint64, limit int) ([]audit.Entry, error) {
	l.mu.Lock()
	l.asked = append(l.asked, from)
	end := min(from-1+uint64(limit), uint64(len(l.entries)))
	page, fail, wait := slices.Clone(l.entries[from-1:end]), l.fail, l.until != 0 && from > l.until
	l.mu.Unlock()
	if wait {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return page, fail
}

func (l *memoryLog) append(t require.TestingT, entries ...audit.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		e.Sequence = uint64(len(l.entries)) + 1
		leaf, err := e.LeafHash()
		require.NoError(t, err)
		l.frontier.Append(leaf)
		l.entries = append(l.entries, e)
	}
}

func (l *memoryLog) set(change func(l *memoryLog)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

// naive answers what the words of the query say, newest first.
func (l *memoryLog) naive(f *audit.QueryEntriesRequest) []audit.Entry {
	var found []audit.Entry
	concerned := l.concerned()
	for _, e := range slices.Backward(l.entries) {
		records := ""
		for _, s := range e.Subjects {
			records += s.Record + " "
		}
		if (f.Patient == "" || e.Patient == f.Patient) && (f.Record == "" || strings.Contains(records, f.Record+" ")) &&
			(f.Actor == "" || e.Actor == f.Actor) && (f.Hospital == 0 || e.Hospital == f.Hospital) &&
			(f.Kind == "" || e.Kind == f.Kind) && (len(f.Kinds) == 0 || slices.Contains(f.Kinds, e.Kind)) &&
			(len(f.Concerns) == 0 || slices.ContainsFunc(f.Concerns, func(h uint64) bool { return concerned[e.Sequence][h] })) &&
			(f.Purpose == "" || e.Purpose == f.Purpose) && (f.Unlock == "" || e.Unlock == f.Unlock) &&
			(f.From == 0 || e.Time >= f.From) && (f.To == 0 || e.Time < f.To) && (f.Before == 0 || e.Sequence < f.Before) {
			found = append(found, e)
		}
	}
	return found
}

// concerned are the hospitals that each entry concerns.
func (l *memoryLog) concerned() map[uint64]map[uint64]bool {
	all, custodians, askers := map[uint64]map[uint64]bool{}, map[string]uint64{}, map[string]uint64{}
	for _, e := range l.entries {
		says := e.Hospital != 0 && e.Outcome == audit.OUTCOME_OK
		if says && e.Kind == audit.KindProposed {
			askers[e.Unlock] = e.Hospital
		}
		hospitals := map[uint64]bool{e.Hospital: true}
		if e.Unlock != "" {
			hospitals[askers[e.Unlock]] = true
		}
		for _, s := range e.Subjects {
			if says && e.Kind == audit.KindStored {
				custodians[s.Record] = e.Hospital
			}
			hospitals[custodians[s.Record]] = true
		}
		if e.Kind == audit.KindMemberSuspended {
			n, err := strconv.ParseUint(e.Target, 10, 64)
			if err == nil {
				hospitals[n] = true
			}
		}
		all[e.Sequence] = hospitals
	}
	return all
}

const start = 1_800_000_000

func id(n uint64) string      { return lock.ID{byte(n), byte(n >> 8), byte(n >> 16)}.String() }
func account(n uint64) string { return sdk.AccAddress(slices.Repeat([]byte{byte(n)}, 20)).String() }
func unlock(n uint64) string  { return fmt.Sprintf("%064x", n) }

// entry is one of few values, so that searches meet it.
func entry(r *rand.Rand, at int64) audit.Entry {
	e := audit.Entry{
		Time: at, Kind: []string{audit.KindStored, audit.KindReplicated, audit.KindOpened, audit.KindMemberSuspended, audit.KindProposed}[r.IntN(5)],
		Actor: account(r.Uint64N(4)), Role: "clerk", Hospital: r.Uint64N(12), Outcome: audit.OUTCOME_OK,
	}
	if r.IntN(8) == 0 {
		e.Outcome, e.Reason = audit.OUTCOME_REFUSED, "wrong_role"
	}
	if e.Kind == audit.KindMemberSuspended {
		e.Target = strconv.FormatUint(1+r.Uint64N(12), 10)
	}
	if r.IntN(5) == 0 {
		e.Actor, e.Role, e.Hospital = "", audit.RoleChain, 0
	}
	if r.IntN(4) != 0 {
		e.Patient = id(r.Uint64N(5))
	}
	if r.IntN(2) == 0 {
		e.Unlock = unlock(r.Uint64N(6))
		e.Purpose = []string{"TREAT", "TREA", "HRESCH"}[r.IntN(3)]
	}
	for range r.IntN(3) {
		e.Subjects = append(e.Subjects, audit.Subject{Record: id(100 + r.Uint64N(6)), Version: 1 + r.Uint64N(3)})
	}
	return e
}

// newLog is a log of n entries, several of them in one second.
func newLog(t require.TestingT, seed uint64, n int) *memoryLog {
	l := &memoryLog{}
	grow(t, l, seed, n)
	return l
}

func grow(t require.TestingT, l *memoryLog, seed uint64, n int) {
	r := rand.New(rand.NewPCG(seed, 1))
	at := int64(start)
	if len(l.entries) > 0 {
		at = l.entries[len(l.entries)-1].Time
	}
	for range n {
		if r.IntN(3) == 0 {
			at += 1 + r.Int64N(20)
		}
		l.append(t, entry(r, at))
	}
}

// open opens and starts an index that is stopped with the test.
func open(t *testing.T, dir string, source index.Source) *index.Index {
	t.Helper()
	x, err := index.Open(dir, source)
	require.NoError(t, err)
	require.NoError(t, x.Start(t.Context()))
	t.Cleanup(func() { stop(t, x) })
	return x
}

func stop(t *testing.T, x *index.Index) {
	t.Helper()
	require.NoError(t, x.Stop(context.WithoutCancel(t.Context())))
}

// catchUp waits until the index has read the log.
func catchUp(t *testing.T, x *index.Index, l *memoryLog) {
	t.Helper()
	x.Wake()
	require.Eventually(t, func() bool {
		_, _, err := x.Entries(t.Context(), &audit.QueryEntriesRequest{Limit: 1})
		return err == nil && x.Indexed() == uint64(len(l.entries))
	}, 20*time.Second, time.Millisecond)
}

// all reads page after page.
func all(ctx context.Context, t require.TestingT, x *index.Index, filter audit.QueryEntriesRequest) []audit.Entry {
	var found []audit.Entry
	for {
		page, next, err := x.Entries(ctx, &filter)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page), int(filter.Limit))
		found = append(found, page...)
		if next == 0 {
			return found
		}
		require.True(t, filter.Before == 0 || next < filter.Before, "a page goes on below the one before")
		filter.Before = next
	}
}

func TestSearchIsTheNaiveFilter(t *testing.T) {
	l := newLog(t, 1, 2500)
	x := open(t, t.TempDir(), l)
	catchUp(t, x, l)
	last := l.entries[len(l.entries)-1].Time
	// maybe draws a value, or none as often.
	maybe := func(r *rapid.T, name string, n uint64) (uint64, bool) {
		return rapid.Uint64Range(0, n).Draw(r, name), rapid.Bool().Draw(r, "with "+name)
	}
	rapid.Check(t, func(r *rapid.T) {
		filter := audit.QueryEntriesRequest{Limit: rapid.Uint32Range(1, audit.MaxPageSize).Draw(r, "limit")}
		if n, ok := maybe(r, "patient", 5); ok {
			filter.Patient = id(n)
		}
		if n, ok := maybe(r, "record", 6); ok {
			filter.Record = id(100 + n)
		}
		if n, ok := maybe(r, "actor", 4); ok {
			filter.Actor = account(n)
		}
		if n, ok := maybe(r, "hospital", 12); ok {
			filter.Hospital = n
		}
		if n, ok := maybe(r, "kind", 4); ok {
			filter.Kind = []string{audit.KindStored, audit.KindReplicated, audit.KindOpened, audit.KindMemberSuspended, audit.KindProposed}[n]
		}
		if rapid.Bool().Draw(r, "with kinds") {
			filter.Kinds = rapid.SliceOfN(rapid.SampledFrom([]string{audit.KindStored, audit.KindReplicated, audit.KindOpened, audit.KindErased}), 1, 4).Draw(r, "kinds")
		}
		if rapid.Bool().Draw(r, "with concerns") {
			filter.Concerns = rapid.SliceOfN(rapid.Uint64Range(1, 13), 1, 3).Draw(r, "concerns")
		}
		if rapid.Bool().Draw(r, "with purpose") {
			filter.Purpose = rapid.SampledFrom([]string{"TREAT", "TREA", "HRESCH", "ETREAT"}).Draw(r, "purpose")
		}
		if n, ok := maybe(r, "unlock", 6); ok {
			filter.Unlock = unlock(n)
		}
		if n, ok := maybe(r, "from", uint64(last-start)+10); ok {
			filter.From = start - 5 + int64(n)
		}
		if n, ok := maybe(r, "to", uint64(last-start)+10); ok {
			filter.To = start - 5 + int64(n)
		}
		if n, ok := maybe(r, "before", 2600); ok {
			filter.Before = n
		}
		require.Equal(r, l.naive(&filter), all(t.Context(), r, x, filter))
	})
}

func TestPagesWhileTheLogGrows(t *testing.T) {
	l := newLog(t, 2, 400)
	x := open(t, t.TempDir(), l)
	catchUp(t, x, l)
	filter := audit.QueryEntriesRequest{Kind: audit.KindStored, Limit: 10}
	want := l.naive(&filter)
	require.Greater(t, len(want), 50)
	var got []audit.Entry
	for seed := uint64(3); ; seed++ {
		page, next, err := x.Entries(t.Context(), &filter)
		require.NoError(t, err)
		got = append(got, page...)
		if next == 0 {
			break
		}
		filter.Before = next
		grow(t, l, seed, 30)
		catchUp(t, x, l)
	}
	require.Equal(t, want, got)
	filter.Before = 0
	require.Greater(t, len(all(t.Context(), t, x, filter)), len(want))
}

func TestEmptyLog(t *testing.T) {
	l := &memoryLog{}
	x := open(t, t.TempDir(), l)
	catchUp(t, x, l)
	require.Empty(t, all(t.Context(), t, x, audit.QueryEntriesRequest{Limit: 10}))
	require.Empty(t, all(t.Context(), t, x, audit.QueryEntriesRequest{From: start, Limit: 10}))
	grow(t, l, 1, 3)
	catchUp(t, x, l)
	require.Len(t, all(t.Context(), t, x, audit.QueryEntriesRequest{Limit: 10}), 3)
}

func TestUnavailableWhileBuilding(t *testing.T) {
	l := newLog(t, 1, 3500)
	l.until = 2000
	x := open(t, t.TempDir(), l)
	require.Eventually(t, func() bool { return x.Indexed() == 2000 }, 20*time.Second, time.Millisecond)
	_, _, err := x.Entries(t.Context(), &audit.QueryEntriesRequest{Limit: 1})
	require.ErrorIs(t, err, audit.ErrIndexBuilding)
	require.ErrorContains(t, err, "2000 of 3500 entries read")
}

func TestRestartInTheMiddle(t *testing.T) {
	l, dir := newLog(t, 1, 3500), t.TempDir()
	l.until = 2000
	x := open(t, dir, l)
	require.Eventually(t, func() bool { return x.Indexed() == 2000 }, 20*time.Second, time.Millisecond)
	stop(t, x)
	_, _, err := x.Entries(t.Context(), &audit.QueryEntriesRequest{Limit: 1})
	require.ErrorIs(t, err, audit.ErrIndexBuilding, "a stopped index answers nothing")

	l.set(func(l *memoryLog) { l.until, l.asked = 0, nil })
	x = open(t, dir, l)
	catchUp(t, x, l)
	require.Equal(t, []uint64{2001, 3001}, l.asked, "what was read before is not read again")
	for _, filter := range []audit.QueryEntriesRequest{
		{Limit: 200}, {Patient: id(1), Limit: 200}, {From: start + 100, To: start + 2000, Limit: 200}, {Concerns: []uint64{3}, Limit: 200},
	} {
		require.Equal(t, l.naive(&filter), all(t.Context(), t, x, filter))
	}
}

// A copy of the folder while the index is open is what a kill leaves: rows that were not yet made durable are missing, and the files of the
// entries may be ahead of them.
func TestKilled(t *testing.T) {
	for _, c := range []struct {
		name  string
		asked []uint64
		spoil func(t *testing.T, rows string)
	}{
		{"what was read after the last stop is read again", []uint64{2001, 3001}, func(*testing.T, string) {}},
		{"the files end in the middle of what was read after it", []uint64{2001, 3001}, func(t *testing.T, rows string) {
			t.Helper()
			for _, name := range []string{"entries", "ends", "nodes"} {
				require.NoError(t, os.Truncate(filepath.Join(rows, name), shorten(t, filepath.Join(rows, name), 100)))
			}
		}},
		{"the files end before it", []uint64{1, 1001, 2001, 3001}, func(t *testing.T, rows string) {
			t.Helper()
			require.NoError(t, os.Truncate(filepath.Join(rows, "ends"), 1999*8))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, dir, left := newLog(t, 1, 3500), t.TempDir(), t.TempDir()
			l.until = 2000
			x := open(t, dir, l)
			require.Eventually(t, func() bool { return x.Indexed() == 2000 }, 20*time.Second, time.Millisecond)
			stop(t, x)
			l.set(func(l *memoryLog) { l.until = 0 })
			x = open(t, dir, l)
			catchUp(t, x, l)
			require.NoError(t, os.CopyFS(filepath.Join(left, "rows"), os.DirFS(filepath.Join(dir, "rows"))))
			c.spoil(t, filepath.Join(left, "rows"))
			l.set(func(l *memoryLog) { l.asked = nil })

			x = open(t, left, l)
			catchUp(t, x, l)
			require.Equal(t, c.asked, l.asked)
			for _, filter := range []audit.QueryEntriesRequest{{Limit: 200}, {Patient: id(1), Limit: 200}, {Concerns: []uint64{3}, Limit: 200}} {
				require.Equal(t, l.naive(&filter), all(t.Context(), t, x, filter))
			}
			proveAll(t, x, l)
		})
	}
}

// shorten is the length of a file without its last bytes.
func shorten(t *testing.T, path string, by int64) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size() - by
}

func TestIndexOfAnotherLayoutIsBuiltAnew(t *testing.T) {
	for _, c := range []struct {
		name     string
		comparer *pebble.Comparer
		rows     []string // each key is its value too
	}{
		{"before there were files", pebble.DefaultComparer, []string{"c\x04", "e\x00\x00\x00\x00\x00\x00\x00\x01"}},
		{"of a later format", &pebble.Comparer{
			Compare: pebble.DefaultComparer.Compare, Equal: pebble.DefaultComparer.Equal, AbbreviatedKey: pebble.DefaultComparer.AbbreviatedKey,
			Separator: pebble.DefaultComparer.Separator, Successor: pebble.DefaultComparer.Successor,
			ImmediateSuccessor: pebble.DefaultComparer.ImmediateSuccessor, FormatKey: pebble.DefaultComparer.FormatKey,
			Split: func(key []byte) int { return len(key) }, Name: "phrd.index",
		}, []string{"c\xff"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, dir := newLog(t, 1, 1500), t.TempDir()
			db, err := pebble.Open(filepath.Join(dir, "rows"), &pebble.Options{Comparer: c.comparer, FormatMajorVersion: pebble.FormatNewest})
			require.NoError(t, err)
			for _, row := range c.rows {
				require.NoError(t, db.Set([]byte(row), []byte(row), pebble.Sync))
			}
			require.NoError(t, db.Close())
			x := open(t, dir, l)
			catchUp(t, x, l)
			require.Equal(t, []uint64{1, 1001}, l.asked)
			filter := audit.QueryEntriesRequest{Limit: 200}
			require.Equal(t, l.naive(&filter), all(t.Context(), t, x, filter))
			proveAll(t, x, l)
		})
	}
}

// proveAll has each entry proven to be in the log.
func proveAll(t *testing.T, x *index.Index, l *memoryLog) {
	t.Helper()
	size, root := uint64(len(l.entries)), l.frontier.Root()
	for i, e := range l.entries {
		leaf, err := e.LeafHash()
		require.NoError(t, err)
		path, _, err := x.InclusionProof(t.Context(), uint64(i)+1, size)
		require.NoError(t, err)
		require.NoError(t, proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(i), size, leaf[:], path, root[:]), "entry %d", i+1)
	}
}

func TestUnavailableUntilComparedAfterARestart(t *testing.T) {
	l, dir := newLog(t, 1, 10), t.TempDir()
	x := open(t, dir, l)
	catchUp(t, x, l)
	stop(t, x)
	l.set(func(l *memoryLog) { l.fail = errors.New("state is not loaded") })
	x = open(t, dir, l)
	require.EqualValues(t, 10, x.Indexed())
	_, _, err := x.Entries(t.Context(), &audit.QueryEntriesRequest{Limit: 1})
	require.ErrorIs(t, err, audit.ErrIndexBuilding)
	l.set(func(l *memoryLog) { l.fail = nil })
	catchUp(t, x, l)
}

func TestIndexOfAnotherChain(t *testing.T) {
	for _, c := range []struct {
		name string
		size int
	}{{"as long", 1500}, {"longer", 2700}, {"shorter", 40}, {"without entries", 0}} {
		t.Run(c.name, func(t *testing.T) {
			l, dir := newLog(t, 1, 1500), t.TempDir()
			x := open(t, dir, l)
			catchUp(t, x, l)
			stop(t, x)

			other := newLog(t, 2, c.size)
			x = open(t, dir, other)
			catchUp(t, x, other)
			filter := audit.QueryEntriesRequest{Limit: 200}
			require.Equal(t, other.naive(&filter), all(t.Context(), t, x, filter))
			filter.Patient = id(1)
			require.Equal(t, other.naive(&filter), all(t.Context(), t, x, filter))
		})
	}
}

func TestLogThatSkips(t *testing.T) {
	l := newLog(t, 1, 10)
	l.entries[4].Sequence = 6
	x := open(t, t.TempDir(), l)
	require.Eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.asked) == 2
	}, 20*time.Second, time.Millisecond, "it tries once more from the beginning")
	require.Zero(t, x.Indexed())
	_, _, err := x.Entries(t.Context(), &audit.QueryEntriesRequest{Limit: 1})
	require.ErrorIs(t, err, audit.ErrIndexBuilding)
}

// What is longer than an entry can be has no place, and what is as long has one.
func TestLongestEntry(t *testing.T) {
	long := func(n int) audit.Entry {
		return audit.Entry{Time: start, Kind: audit.KindStored, Target: strings.Repeat("x", n), Outcome: audit.OUTCOME_OK}
	}
	l := newLog(t, 1, 10)
	l.append(t, long(65_000))
	x := open(t, t.TempDir(), l)
	catchUp(t, x, l)
	require.Equal(t, l.entries[10], all(t.Context(), t, x, audit.QueryEntriesRequest{Limit: 1})[0])
	l.append(t, long(66_000))
	x.Wake()
	require.Eventually(t, func() bool { return x.Indexed() == 0 }, 20*time.Second, time.Millisecond)
	_, _, err := x.Entries(t.Context(), &audit.QueryEntriesRequest{Limit: 1})
	require.ErrorIs(t, err, audit.ErrIndexBuilding)
}

// files are the files of the index of a kind.
func files(t *testing.T, dir, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "rows", pattern))
	require.NoError(t, err)
	require.NotEmpty(t, list)
	return list
}

func TestDamagedIndexIsBuiltAnew(t *testing.T) {
	spoil := func(t *testing.T, path string, at func(size int) int) {
		t.Helper()
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotEmpty(t, b)
		b[at(len(b))] ^= 0xff
		require.NoError(t, os.WriteFile(path, b, 0o600))
	}
	tables := func(at func(size int) int) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			for _, path := range files(t, dir, "*.sst") {
				spoil(t, path, at)
			}
		}
	}
	cut := func(name string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			path := filepath.Join(dir, "rows", name)
			require.NoError(t, os.Truncate(path, shorten(t, path, 1)))
		}
	}
	// flip flips a byte of the number, end or node in the middle.
	flip := func(name string, at int) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			spoil(t, filepath.Join(dir, "rows", name), func(size int) int { return size/2/72*72 + at })
		}
	}
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
	}{
		{"whole folder is gone", func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.RemoveAll(dir))
		}},
		{"file in place of the folder", func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.RemoveAll(filepath.Join(dir, "rows")))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "rows"), []byte("x"), 0o600))
		}},
		{"manifest is empty", func(t *testing.T, dir string) {
			t.Helper()
			for _, path := range files(t, dir, "MANIFEST-*") {
				require.NoError(t, os.Truncate(path, 0))
			}
		}},
		{"manifest is not the one named", func(t *testing.T, dir string) {
			t.Helper()
			for _, path := range files(t, dir, "marker.manifest.*") {
				require.NoError(t, os.Rename(path, strings.TrimSuffix(path, filepath.Ext(path))+".MANIFEST-999999"))
			}
		}},
		{"table is gone", func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.Remove(files(t, dir, "*.sst")[0]))
		}},
		{"entries are shorter", cut("entries")},
		{"ends are shorter", cut("ends")},
		{"nodes are shorter", cut("nodes")},
		{"an entry has a flipped byte", flip("entries", 0)},
		{"the end of an entry is far away", flip("ends", 0)},
		{"the end of an entry is near", flip("ends", 7)},
		{"a node has a flipped byte", flip("nodes", 0)},
		{"table has a flipped byte at its beginning", tables(func(int) int { return 10 })},
		{"table has a flipped byte in its middle", tables(func(size int) int { return size / 2 })},
		{"table has a flipped byte at its end", tables(func(size int) int { return size - 3 })},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, dir := newLog(t, 1, 3000), filepath.Join(t.TempDir(), "index")
			x := open(t, dir, l)
			catchUp(t, x, l)
			stop(t, x)
			// Opened once more, pebble writes its log to a table.
			x = open(t, dir, l)
			catchUp(t, x, l)
			stop(t, x)
			c.damage(t, dir)
			l.set(func(l *memoryLog) { l.asked = nil })

			x = open(t, dir, l)
			catchUp(t, x, l)
			for _, filter := range []audit.QueryEntriesRequest{
				{Limit: 200}, {Patient: id(1), Limit: 200}, {Kind: audit.KindOpened, Record: id(101), Limit: 200},
				{Actor: account(0), Limit: 200}, {Actor: account(1), Limit: 200}, {Actor: account(2), Limit: 200}, {Actor: account(3), Limit: 200},
				{From: start + 100, To: start + 2000, Limit: 200}, {Concerns: []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, Limit: 200},
				{Kinds: []string{audit.KindStored, audit.KindReplicated, audit.KindOpened, audit.KindMemberSuspended, audit.KindProposed}, Limit: 200},
			} {
				require.Equal(t, l.naive(&filter), patiently(t, x, l, filter))
			}
			for sequence := uint64(1); sequence <= 3000; sequence++ {
				_, _, err := x.InclusionProof(t.Context(), sequence, 3000)
				if errors.Is(err, audit.ErrIndexBuilding) {
					catchUp(t, x, l)
				} else {
					require.NoError(t, err)
				}
			}
			proveAll(t, x, l)
			require.Equal(t, []uint64{1, 1001, 2001}, l.asked, "it was built anew, once")
		})
	}
}

// patiently reads page after page. A block that is read only now may be the damaged
// one; then a page is refused and all of them are right the next time.
func patiently(t *testing.T, x *index.Index, l *memoryLog, filter audit.QueryEntriesRequest) []audit.Entry {
	t.Helper()
	var found []audit.Entry
	for page := filter; ; {
		entries, next, err := x.Entries(t.Context(), &page)
		if err != nil {
			require.ErrorIs(t, err, audit.ErrIndexBuilding)
			catchUp(t, x, l)
			return all(t.Context(), t, x, filter)
		}
		found = append(found, entries...)
		if page.Before = next; next == 0 {
			return found
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	_, err := index.Open(filepath.Join(dir, "file"), &memoryLog{})
	require.ErrorContains(t, err, "not a directory")
}

func TestStartedOnce(t *testing.T) {
	l := newLog(t, 1, 3)
	x := open(t, t.TempDir(), l)
	require.ErrorContains(t, x.Start(t.Context()), "started or stopped before")
	catchUp(t, x, l)
	stop(t, x)
	stop(t, x)
	require.ErrorContains(t, x.Start(t.Context()), "started or stopped before")
}

func TestSearchIsCancelled(t *testing.T) {
	l := newLog(t, 1, 3)
	x := open(t, t.TempDir(), l)
	catchUp(t, x, l)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := x.Entries(ctx, &audit.QueryEntriesRequest{Limit: 1})
	require.ErrorIs(t, err, context.Canceled)
	_, _, err = x.Entries(t.Context(), &audit.QueryEntriesRequest{Limit: 1})
	require.NoError(t, err, "it is no damage")
}

// Two lists that take turns and have nothing in common are as much work as there is:
// a page ends at its bound and the next goes on.
func TestOnePageIsBounded(t *testing.T) {
	l := &memoryLog{}
	for n := range 60_000 {
		e := audit.Entry{Time: start, Kind: audit.KindStored, Patient: id(uint64(n % 2)), Outcome: audit.OUTCOME_OK}
		if n%2 == 0 || n == 7 {
			e.Kind = audit.KindOpened
		}
		l.append(t, e)
	}
	x := open(t, t.TempDir(), l)
	catchUp(t, x, l)
	filter := audit.QueryEntriesRequest{Kind: audit.KindOpened, Patient: id(1), Limit: 10}
	page, next, err := x.Entries(t.Context(), &filter)
	require.NoError(t, err)
	require.Empty(t, page)
	require.NotZero(t, next)
	require.Equal(t, l.naive(&filter), all(t.Context(), t, x, filter))
	require.Len(t, l.naive(&filter), 1)
}
