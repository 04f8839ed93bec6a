package phr

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// told counts the bytes that a source gives.
type told struct {
	seal.Source
	tell func(uint64)

	mu   sync.Mutex
	done uint64
}

// Get implements seal.Source.
func (t *told) Get(ctx context.Context, c lock.CID) ([]byte, error) {
	block, err := t.Source.Get(ctx, c)
	if err == nil && t.tell != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.done += uint64(len(block))
		t.tell(t.done)
	}
	return block, err
}

func newID() (lock.ID, error) {
	id, err := lock.NewID(rand.Reader)
	if err != nil {
		return id, fmt.Errorf("draw id: %w", err)
	}
	return id, nil
}
