package node

import "sync"

// Bell tells whoever listens that a block was committed. The chain's listener rings it and
// never waits; a worker that was busy hears the ring when it listens again. The zero Bell is
// ready to use.
type Bell struct {
	mu   sync.Mutex
	next chan struct{}
}

// Ring wakes all who listen now.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// Rung returns a channel that the next Ring closes.
func (b *Bell) Rung() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}
