package scenario

import (
	"context"
	"sync"
	"time"

	"github.com/phrd/phrd/phr"
)

// soonBlocks is within how many blocks a notice comes.
const soonBlocks = 2

// Follower is a person whose program is told what happens.
type Follower struct {
	Person
	mu    sync.Mutex
	heard []heard
	err   error
}

// heard is a notice, and the height of the gateway when it came.
type heard struct {
	phr.Notice
	at int64
}

// Follows has the person's program be told of what happens from now on.
func (p Person) Follows() *Follower {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	size, _, err := p.client.LogHead(ctx)
	if err != nil {
		p.t.Fatalf("follow the log: %v", err)
	}
	f := &Follower{Person: p}
	following, stop := context.WithCancel(p.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.follow(following, size)
	}()
	p.t.Cleanup(func() { stop(); <-done })
	return f
}

func (f *Follower) follow(ctx context.Context, after uint64) {
	for n, err := range f.client.Notices(ctx, after) {
		if err != nil {
			f.mu.Lock()
			f.err = err
			f.mu.Unlock()
			return
		}
		height, err := f.at.height(ctx)
		if err != nil {
			height = n.Height // a gateway that restarts says nothing
		}
		f.mu.Lock()
		f.heard = append(f.heard, heard{n, height})
		f.mu.Unlock()
	}
}

// Hears waits until the person is told of a kind of entry that was not heard before, and that was within two blocks.
func (f *Follower) Hears(kind string) phr.Notice {
	f.t.Helper()
	ctx, cancel := step(f.t)
	defer cancel()
	for {
		f.mu.Lock()
		for i, h := range f.heard {
			if h.Kind != kind {
				continue
			}
			f.heard = f.heard[i+1:]
			f.mu.Unlock()
			if h.at > h.Height+soonBlocks {
				f.t.Errorf("%s of block %d was told at block %d", kind, h.Height, h.at)
			}
			return h.Notice
		}
		err := f.err
		f.mu.Unlock()
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			f.t.Fatalf("nobody tells of %s: %v", kind, err)
		}
	}
}
