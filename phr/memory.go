package phr

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
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
	if _, ok := m.secrets[name]; ok {
		return fmt.Errorf("secret %q: %w", name, fs.ErrExist)
	}
	m.secrets[name] = bytes.Clone(secret)
	return nil
}

func (m *memory) Get(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	secret, ok := m.secrets[name]
	if !ok {
		return nil, fmt.Errorf("secret %q: %w", name, fs.ErrNotExist)
	}
	return bytes.Clone(secret), nil
}

func (m *memory) Delete(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.secrets[name]; !ok {
		return fmt.Errorf("secret %q: %w", name, fs.ErrNotExist)
	}
	clear(m.secrets[name])
	delete(m.secrets, name)
	return nil
}

// drop deletes a secret that may be there.
func (c *Client) drop(name string) error {
	if err := c.secrets.Delete(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
