package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/cache"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/lock"
)

// far is a door at a hospital that holds nothing, with a cache of a size.
func far(t *testing.T, size int64) (*door, *cache.Cache) {
	t.Helper()
	c, err := cache.New(filepath.Join(t.TempDir(), "cache"), cache.Options{Size: size})
	if err != nil {
		t.Fatal(err)
	}
	d := prepareDoor(t, func(config *gateway.Config) { config.Store, config.Cache = memory.New(), c })
	for id, block := range d.object.Blocks {
		d.fetcher.blocks[id] = block
	}
	d.start()
	return d, c
}

// away takes all blocks from the other hospitals and returns how many they were asked for.
func (f *fakeFetcher) away() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.blocks)
	return f.asked
}

// put has another hospital store an object in the place of the scan.
func (d *door) put(o *blobtest.Object, size uint64) {
	d.t.Helper()
	d.fetcher.mu.Lock()
	for id, block := range o.Blocks {
		d.fetcher.blocks[id] = block
	}
	d.fetcher.mu.Unlock()
	d.node.change(func() {
		d.node.versions[d.record] = []*recordsv1.Version{{Record: d.record, Version: 1, Object: o.Root.String(), Size: size, Envelope: d.envelope.String()}}
	})
}

// What was read once is read again when nobody else is there, unless it was erased.
func TestSecondReadingIsLocal(t *testing.T) {
	d, c := far(t, 64<<20)
	path := d.contentPath() + "?unlock=" + d.unlock
	read := func() {
		t.Helper()
		if r := d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusOK); !bytes.Equal(r.body, d.content) {
			t.Error("other bytes")
		}
		d.want(d.do("er", http.MethodGet, d.blockPath(d.envelope)+"?unlock="+d.unlock, nil, nil), http.StatusOK)
	}
	read()
	asked := d.fetcher.away()
	if want := len(d.object.CIDs) + 1; asked != want {
		t.Errorf("others were asked for %d blocks, want %d", asked, want)
	}
	read()
	if s := c.Stats(); s.Blocks != int64(asked) || s.Hits < uint64(asked)-1 {
		t.Errorf("%+v", s)
	}
	if err := c.Erase([]lock.CID{d.object.Root}); err != nil {
		t.Fatal(err)
	}
	d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusServiceUnavailable)
	if s := c.Stats(); s.Blocks != 0 {
		t.Errorf("%d blocks of an erased object", s.Blocks)
	}
}

// Without a cache each reading asks others again, and works.
func TestNothingIsKeptWithoutACache(t *testing.T) {
	d, _ := far(t, 0)
	path := d.contentPath() + "?unlock=" + d.unlock
	for range 2 {
		if r := d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusOK); !bytes.Equal(r.body, d.content) {
			t.Error("other bytes")
		}
	}
	d.fetcher.away()
	d.want(d.do("er", http.MethodGet, path, nil, nil), http.StatusServiceUnavailable)
}

// gatedFetcher lets blocks come when it is told to.
type gatedFetcher struct {
	*fakeFetcher
	begun chan []lock.CID
	gate  chan struct{}
}

func (f gatedFetcher) Blocks(ctx context.Context, cids []lock.CID, take func(lock.CID, []byte) error) error {
	f.begun <- slices.Clone(cids)
	select {
	case <-f.gate:
		return f.fakeFetcher.Blocks(ctx, cids, take)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A block that two want is fetched once; when the first one leaves, the other one fetches it.
func TestReadersOfOneBlock(t *testing.T) {
	gated := gatedFetcher{begun: make(chan []lock.CID, 10), gate: make(chan struct{})}
	d := prepareDoor(t, func(c *gateway.Config) {
		gated.fakeFetcher = c.Fetcher.(*fakeFetcher) //nolint:errcheck,forcetypeassert // it is one
		c.Fetcher = gated
	})
	path := d.blockPath(d.envelope) + "?unlock=" + d.unlock
	d.start()
	d.token("er")
	ask := func(ctx context.Context) chan error {
		answer := make(chan error, 1)
		go func() {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+path, nil)
			if err != nil {
				answer <- err
				return
			}
			request.Header.Set("Authorization", "Bearer "+d.people["er"].token)
			response, err := d.client.Do(request)
			if err == nil && response.StatusCode != http.StatusOK {
				err = errors.New(response.Status)
			}
			if err == nil {
				err = response.Body.Close()
			}
			answer <- err
		}()
		return answer
	}
	leaving, leave := context.WithCancel(t.Context())
	first := ask(leaving)
	<-gated.begun
	second, third := ask(t.Context()), ask(t.Context())
	leave()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("who left: %v", err)
	}
	<-gated.begun
	close(gated.gate)
	for _, answer := range []chan error{second, third} {
		if err := <-answer; err != nil {
			t.Error(err)
		}
	}
	d.fetcher.mu.Lock()
	defer d.fetcher.mu.Unlock()
	if d.fetcher.asked > 2 {
		t.Errorf("the block was fetched %d times", d.fetcher.asked)
	}
}

// Hospitals that are asked and send nothing keep nobody waiting for ever.
func TestFetchingIsBounded(t *testing.T) {
	gated := gatedFetcher{begun: make(chan []lock.CID, 10), gate: make(chan struct{})}
	d := newDoor(t, func(c *gateway.Config) {
		gated.fakeFetcher = c.Fetcher.(*fakeFetcher) //nolint:errcheck,forcetypeassert // it is one
		c.Store, c.Fetcher, c.Limits.FetchTime = memory.New(), gated, time.Second
	})
	d.want(d.do("er", http.MethodGet, d.contentPath()+"?unlock="+d.unlock, nil, nil), http.StatusServiceUnavailable)
	if len(gated.begun) == 0 {
		t.Error("nobody was asked")
	}
}

// boundedFetcher counts how many blocks are on their way at once.
type boundedFetcher struct {
	*fakeFetcher
	mu            *sync.Mutex
	now, most     *int
	calls, blocks *int
}

func (f boundedFetcher) Blocks(ctx context.Context, cids []lock.CID, take func(lock.CID, []byte) error) error {
	f.mu.Lock()
	*f.now += len(cids)
	*f.most = max(*f.most, *f.now)
	*f.calls++
	*f.blocks += len(cids)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		*f.now -= len(cids)
		f.mu.Unlock()
	}()
	return f.fakeFetcher.Blocks(ctx, cids, take)
}

// A long download asks for several leaves together, and has no more than so many in memory.
func TestLeavesComeInGroups(t *testing.T) {
	var now, most, calls, blocks int
	d := prepareDoor(t, func(c *gateway.Config) {
		c.Store = memory.New()
		c.Fetcher = boundedFetcher{c.Fetcher.(*fakeFetcher), &sync.Mutex{}, &now, &most, &calls, &blocks} //nolint:errcheck,forcetypeassert // it is one
	})
	d.start()
	large := blobtest.NewObject(60, blobtest.Sizes(40<<20)...)
	d.put(large, 40<<20)
	r := d.want(d.do("alice", http.MethodGet, d.contentPath(), nil, nil), http.StatusOK)
	if len(r.body) != 40<<20 {
		t.Errorf("%d bytes", len(r.body))
	}
	if most > 12 || calls > 12 || blocks != 41 {
		t.Errorf("%d blocks at once, in %d calls of %d blocks", most, calls, blocks)
	}
	// A range asks for what it needs.
	blocks = 0
	d.want(d.do("alice", http.MethodGet, d.contentPath(), headers{"Range": "bytes=5000000-8000000"}, nil), http.StatusPartialContent)
	if blocks != 4 {
		t.Errorf("3 MB took %d blocks, want 4", blocks)
	}
}

// Who reads block by block finds the next ones here.
func TestReadingOnBlockByBlock(t *testing.T) {
	d, c := far(t, 64<<20)
	large := blobtest.NewObject(60, blobtest.Sizes(20<<20)...)
	d.put(large, 20<<20)
	get := func(place int) {
		t.Helper()
		id := large.CIDs[place]
		if r := d.want(d.do("alice", http.MethodGet, d.blockPath(id), nil, nil), http.StatusOK); !bytes.Equal(r.body, large.Blocks[id]) {
			t.Errorf("block %d is another", place)
		}
	}
	get(19) // alone, so nothing follows
	get(0)
	deadline := time.Now().Add(10 * time.Second)
	for c.Stats().Blocks < 3 && time.Now().Before(deadline) { // a block is kept after it was sent
		time.Sleep(time.Millisecond)
	}
	if s := c.Stats(); s.Blocks != 3 {
		t.Errorf("%d blocks were kept, want the node and two leaves", s.Blocks)
	}
	get(1)
	deadline = time.Now().Add(10 * time.Second)
	for !c.Has(large.CIDs[9]) {
		if time.Now().After(deadline) {
			t.Fatal("what follows was not fetched")
		}
		time.Sleep(time.Millisecond)
	}
	if c.Has(large.CIDs[10]) {
		t.Error("more was fetched than a reader needs soon")
	}
	for place := 2; place < 19; place++ {
		get(place)
	}
	d.fetcher.mu.Lock()
	defer d.fetcher.mu.Unlock()
	if d.fetcher.asked != 21 {
		t.Errorf("others were asked for %d blocks, want 21", d.fetcher.asked)
	}
	if got := d.reports(1); got[0].GetLength() != 20<<20 {
		t.Errorf("%d bytes are reported, want those that were read", got[0].GetLength())
	}
}

var _ blob.Getter = (*cache.Cache)(nil)
