package phr

import (
	"bytes"
	"fmt"
	"sync"
)

// memory keeps secrets as long as the program runs.
type memory struct {
	mu      sync.Mutex
	secrets map[string][]byte
}

func newMemory() *memory { return &memory{secrets: map[string][]byte{}} }

func (m *memory) Put(name string, secret []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.secrets[name] = bytes.Clone(secret)
	return nil
}

func (m *memory) Get(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	secret, ok := m.secrets[name]
	if !ok {
		return nil, fmt.Errorf("secret %q: %w", name, ErrNotFound)
	}
	return bytes.Clone(secret), nil
}

func (m *memory) Delete(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.secrets[name])
	delete(m.secrets, name)
	return nil
}
