package main_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/phr"
)

const (
	// loadShort is how long the load lasts where PHRD_LOAD says nothing else.
	loadShort = 5 * time.Second
	// loadSenders is how many of each hospital's people act at the same time.
	loadSenders = 2
	// loadFloods is how many ask at the same time without a login.
	loadFloods = 4
	// flooding is what they are called in the table.
	flooding = "flood without login"
	// loadFile is the size of a file that is stored.
	loadFile = 20 << 10
	// loadGrace bounds one operation, however busy the network is.
	loadGrace = 3 * time.Minute
	// loadMemory is the most memory that a server may have, in KiB, whatever is asked of it.
	loadMemory = 1 << 20
)

// loadTime is how long the load lasts.
func loadTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("PHRD_LOAD")
	if text == "" || text == "short" {
		return loadShort
	}
	d, err := time.ParseDuration(text)
	require.NoError(t, err, "PHRD_LOAD is a time")
	return d
}

// load counts what became of operations of several kinds.
type load struct {
	began, end time.Time
	senders    sync.WaitGroup

	mu    sync.Mutex
	kinds map[string]*operations
}

// operations are those of one kind.
type operations struct {
	took  []time.Duration
	ended map[string]int // how many ended so
}

// done is what an operation that was carried out ends with.
const done = "done"

// busy are the answers of a network that is asked for too much.
var busy = []string{"429", "503", "too much at once"}

// ending is the word for how an operation ended.
func ending(err error) string {
	var problem *phr.Problem
	var refused *phr.Refused
	switch {
	case err == nil:
		return done
	case errors.Is(err, phr.ErrBusy):
		return "too much at once"
	case errors.As(err, &problem):
		return fmt.Sprint(problem.Status)
	case errors.As(err, &refused):
		return refused.Reason
	case errors.Is(err, phr.ErrUnreachable) && strings.Contains(err.Error(), "too many requests"):
		return "429"
	}
	return err.Error()
}

// sends has somebody do one thing after another until the time is over. What was begun by then is carried on to its end, so that
// nothing is left of which nobody knows what became of it.
func (l *load) sends(t *testing.T, kind string, operation func(ctx context.Context) error) {
	t.Helper()
	l.sendsWhile(t, kind, func() bool { return time.Now().Before(l.end) }, operation)
}

func (l *load) sendsWhile(t *testing.T, kind string, more func() bool, operation func(ctx context.Context) error) {
	t.Helper()
	l.senders.Go(func() {
		for more() {
			ctx, cancel := context.WithTimeout(t.Context(), loadGrace)
			began := time.Now()
			err := operation(ctx)
			cancel()
			l.count(kind, time.Since(began), ending(err))
		}
	})
}

func (l *load) count(kind string, took time.Duration, ended string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.kinds[kind]
	if o == nil {
		o = &operations{ended: map[string]int{}}
		l.kinds[kind] = o
	}
	o.ended[ended]++
	if ended == done {
		o.took = append(o.took, took)
	}
}

// counter is who stores at a hospital, and what became of it.
type counter struct {
	desk   *phr.Client
	number uint64 // of the hospital
	before int    // records in the hospital's custody when it began

	mu     sync.Mutex
	stored []phr.Ref         // whose store was acknowledged
	last   map[string][]byte // a version of the patient's, and its content
}

// stores stores files of the hospital's own and for a patient, in turn.
func (l *load) stores(t *testing.T, c *counter, patient string) {
	t.Helper()
	own := false
	l.sends(t, "store 20 KiB", func(ctx context.Context) error {
		content := make([]byte, loadFile)
		if _, err := rand.Read(content); err != nil {
			return err
		}
		v := phr.NewVersion{Class: recordsv1.Class_CLASS_RESULT, Name: "result", MediaType: "text/plain", Size: loadFile, Content: bytes.NewReader(content)}
		if own = !own; !own {
			v.Patient = patient
		}
		stored, err := c.desk.Store(ctx, v)
		if err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.stored = append(c.stored, stored.Ref)
		if !own {
			c.last = map[string][]byte{stored.Ref.String(): content}
		}
		return nil
	})
}

// records is how many records are in the hospital's custody.
func (c *counter) records(t *testing.T) (n int) {
	t.Helper()
	for _, err := range c.desk.RecordsOf(t.Context(), c.number) {
		require.NoError(t, err)
		n++
	}
	return n
}

// keeps checks that the chain has each version whose store was acknowledged, with all its copies, and no other one.
func (c *counter) keeps(t *testing.T) {
	t.Helper()
	require.Equal(t, c.before+len(c.stored), c.records(t), "hospital %d", c.number)
	ctx, cancel := context.WithTimeout(t.Context(), loadGrace)
	defer cancel()
	for _, ref := range c.stored {
		copies, err := c.desk.Copies(ctx, ref)
		require.NoError(t, err, ref)
		_, err = c.desk.WaitForCopies(ctx, ref, copies.Target, nil)
		require.NoError(t, err, ref)
	}
}

// proposes asks for a version and withdraws that again.
func (l *load) proposes(t *testing.T, doctor *phr.Client, ref phr.Ref) {
	t.Helper()
	l.sends(t, "propose and withdraw", func(ctx context.Context) error {
		unlock, err := doctor.Propose(ctx, phr.Request{Versions: []phr.Ref{ref}, Purpose: "TREAT", Lifetime: time.Hour})
		if err == nil {
			_, err = doctor.Withdraw(ctx, unlock)
		}
		return err
	})
}

// queries looks at one record after another.
func (l *load) queries(t *testing.T, desk *phr.Client, ref phr.Ref) {
	t.Helper()
	l.sends(t, "query", func(ctx context.Context) error {
		_, err := desk.Version(ctx, ref)
		return err
	})
}

// floods asks a gateway without a login as fast as several can, until the time is over and it was told that this is too much.
func (l *load) floods(t *testing.T, door phr.Door) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: loadFloods, //nolint:gosec // who floods looks at nothing
	}}
	t.Cleanup(client.CloseIdleConnections)
	more := func() bool {
		now := time.Now()
		return now.Before(l.end) || now.Before(l.end.Add(loadGrace)) && l.endings(flooding, "429") == 0
	}
	for range loadFloods {
		l.sendsWhile(t, flooding, more, func(ctx context.Context) error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, door.Gateway+"/healthz", nil)
			if err != nil {
				return err
			}
			response, err := client.Do(request)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, response.Body)
			if err = errors.Join(err, response.Body.Close()); err == nil && response.StatusCode != http.StatusOK {
				err = &phr.Problem{Status: response.StatusCode}
			}
			return err
		})
	}
}

// endings is how many operations of a kind ended so.
func (l *load) endings(kind, how string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o := l.kinds[kind]; o != nil {
		return o.ended[how]
	}
	return 0
}

// table is what was measured, as it stands in docs/performance.md.
func (l *load) table() string {
	var s strings.Builder
	s.WriteString("| What | A second | p50 | p99 | Ended |\n|---|---|---|---|---|\n")
	for _, kind := range slices.Sorted(maps.Keys(l.kinds)) {
		o := l.kinds[kind]
		slices.Sort(o.took)
		at := func(part int) string {
			if len(o.took) == 0 {
				return ""
			}
			return o.took[len(o.took)*part/100].Round(time.Millisecond / 10).String()
		}
		var ended []string
		for _, how := range slices.Sorted(maps.Keys(o.ended)) {
			ended = append(ended, fmt.Sprintf("%d %s", o.ended[how], how))
		}
		fmt.Fprintf(&s, "| %s | %.1f | %s | %s | %s |\n", kind, float64(len(o.took))/time.Since(l.began).Seconds(), at(50), at(99), strings.Join(ended, ", "))
	}
	return s.String()
}

// People of all hospitals store, ask and propose at the same time, while somebody without a login asks for ever. Whoever is refused is
// told that it was too much; what was acknowledged is there; no server takes more memory than it may. `make load` does it for a minute.
func TestLoad(t *testing.T) {
	c := newCast(t)
	path, _ := file(t, "chest.dcm", 5000)
	ref, err := phr.ParseRef(c.store(t, path))
	require.NoError(t, err)
	var counters []*counter
	for number := range hospitals {
		desk := c.hire(t, number+1, fmt.Sprintf("load-desk-%d", number+1), "clerk").dial(t)
		one := &counter{desk: desk, number: uint64(number + 1)}
		one.before = one.records(t)
		counters = append(counters, one)
	}
	doctor := c.hire(t, 4, "load-doctor", "clinician").dial(t)
	c.resetPeaks(t)

	l := &load{kinds: map[string]*operations{}, began: time.Now()}
	l.end = l.began.Add(loadTime(t))
	for _, one := range counters {
		for range loadSenders {
			l.stores(t, one, c.patient)
		}
	}
	l.queries(t, counters[0].desk, ref)
	l.proposes(t, doctor, ref)
	l.floods(t, c.hospital(1).door(t))
	l.senders.Wait()
	peaks := c.serverPeaks(t)
	t.Logf("%s with four hospitals on this machine, servers at most %d MiB:\n%s", loadTime(t), slices.Max(peaks)>>10, l.table())

	for kind, o := range l.kinds {
		require.Positive(t, o.ended[done], kind)
		for how := range o.ended {
			require.True(t, how == done || slices.Contains(busy, how), "%s: %s", kind, how)
		}
	}
	require.Positive(t, l.endings(flooding, "429"), "the flood was let through")
	require.Less(t, slices.Max(peaks), int64(loadMemory), "%v", peaks)
	for _, one := range counters {
		one.keeps(t)
	}
	for text, content := range counters[0].last {
		c.approved(t, text)
		require.Equal(t, content, []byte(c.doctor.does(t, nil, "record", "open", text, "-o", "-")))
	}
}
