package gateway

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateCheck is how often, at most, the files are looked at.
const certificateCheck = time.Second

// certificate is the TLS certificate of the gateway, read anew when its files change.
type certificate struct {
	certFile, keyFile string
	now               func() time.Time
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	seen    [2]fileState // when the current one, or one that was refused, was read
	checked time.Time
}

type fileState struct {
	modified time.Time
	size     int64
}

func newCertificate(certFile, keyFile string, now func() time.Time, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, now: now, log: log}
	seen, err := c.look()
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	if err := c.load(seen); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *certificate) look() ([2]fileState, error) {
	var seen [2]fileState
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return seen, err
		}
		seen[i] = fileState{modified: info.ModTime(), size: info.Size()}
	}
	return seen, nil
}

func (c *certificate) load(seen [2]fileState) error {
	c.seen, c.checked = seen, c.now()
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	if c.current != nil {
		c.log.Info("the certificate was read anew", "key", keyText(&pair), "until", pair.Leaf.NotAfter.UTC())
	}
	c.current = &pair
	return nil
}

// reload is load now, whether the files changed or not.
func (c *certificate) reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen, err := c.look()
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	return c.load(seen)
}

// get is for tls.Config. It goes on with the old certificate while the files do not fit.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.checked) < certificateCheck {
		return c.current, nil
	}
	c.checked = c.now()
	seen, err := c.look()
	if err == nil && seen != c.seen {
		err = c.load(seen)
	}
	if err != nil {
		c.log.Error("the changed certificate is not used", "error", err)
	}
	return c.current, nil
}

// fingerprint is the SHA-256 of the public key (SPKI) in hex, which clients pin.
func (c *certificate) fingerprint() (string, error) {
	pair, err := c.get(nil)
	if err != nil {
		return "", err
	}
	return keyText(pair), nil
}

func keyText(pair *tls.Certificate) string {
	sum := sha256.Sum256(pair.Leaf.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}
