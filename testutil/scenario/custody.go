package scenario

import (
	"context"
	"fmt"
	"time"

	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
)

// RoundWindow sets how long a phase of a round of keys takes at most; two minutes without it.
func RoundWindow(d time.Duration) Option { return func(s *settings) { s.window = d } }

// networkKeys are the network's keys as the hospital's gateway tells.
func (h *hospital) networkKeys(ctx context.Context) ([]phr.NetworkKey, error) {
	admin, err := h.admin(ctx)
	if err != nil {
		return nil, err
	}
	return admin.client.NetworkKeys(ctx)
}

// awaitKeys waits until the hospital sees every key whole.
func (h *hospital) awaitKeys(ctx context.Context) error {
	_, err := h.awaitKey(ctx, func(key phr.NetworkKey) bool { return key.IsWhole() })
	return err
}

// awaitKey waits until the hospital sees every key as it should be, and returns the records key's first generation.
func (h *hospital) awaitKey(ctx context.Context, is func(phr.NetworkKey) bool) (phr.NetworkKey, error) {
	for {
		list, err := h.networkKeys(ctx)
		if err != nil {
			return phr.NetworkKey{}, err
		}
		all := len(list) > 0
		for _, key := range list {
			all = all && is(key)
		}
		if all {
			return list[0], nil
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			return phr.NetworkKey{}, fmt.Errorf("the keys are %v: %w", list, context.Cause(ctx))
		}
	}
}

// RecordsKey waits until the hospital sees the first generation of the records key as it should be, and every other key too.
func (h *Hospital) RecordsKey(is func(phr.NetworkKey) bool) phr.NetworkKey {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	key, err := h.awaitKey(ctx, is)
	if err != nil {
		h.t.Fatalf("%s: %v", h.name, err)
	}
	return key
}

// Reshared waits until the shares of an epoch of the records key are in force and every hospital that is to hold one has it.
func (h *Hospital) Reshared(epoch uint64, holders int) phr.NetworkKey {
	h.t.Helper()
	return h.RecordsKey(func(key phr.NetworkKey) bool {
		return key.Key.GetShareEpoch() >= epoch && key.IsWhole() && len(key.Holders) == holders
	})
}

// KeptShares are the epochs of the records key's first generation of which the hospital's home has a share, once it has as many as it
// should: it erases old ones after the new are in force.
func (h *Hospital) KeptShares(want int) []keys.Share {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	for {
		shares, err := h.keys.ShareNames()
		if err != nil {
			h.t.Fatalf("shares of %s: %v", h.name, err)
		}
		if len(shares) == want {
			return shares
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			h.t.Fatalf("%s keeps the shares %v, want %d", h.name, shares, want)
		}
	}
}

// Shares are the shares of the network's keys that the hospital's home keeps. They are secret.
func (h *Hospital) Shares() []keys.Share {
	h.t.Helper()
	names, err := h.keys.ShareNames()
	if err != nil {
		h.t.Fatalf("shares of %s: %v", h.name, err)
	}
	for i, n := range names {
		if names[i], err = h.keys.Share(n.Kind, n.Generation, n.Epoch); err != nil {
			h.t.Fatalf("shares of %s: %v", h.name, err)
		}
	}
	return names
}

// RoundSecrets counts the rounds of which the hospital's home has secrets.
func (h *Hospital) RoundSecrets() int {
	h.t.Helper()
	rounds, err := h.keys.Rounds()
	if err != nil {
		h.t.Fatalf("rounds of %s: %v", h.name, err)
	}
	return len(rounds)
}

// activeShare names the hospital's share of the records key that is in force.
func (h *hospital) activeShare(ctx context.Context) (string, error) {
	list, err := h.networkKeys(ctx)
	if err != nil {
		return "", err
	}
	key := list[0].Key
	if key.GetKind() != custodyv1.KeyKind_KEY_KIND_RECORDS {
		return "", fmt.Errorf("the first key is of kind %v", key.GetKind())
	}
	return keys.ShareName(lock.KeyRecords, key.GetGeneration(), key.GetShareEpoch()), nil
}

// CopyShare remembers the hospital's share of the epoch in force; what it returns puts it back, as a restore from a backup does.
func (h *Hospital) CopyShare() (restore func()) {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	name, err := h.activeShare(ctx)
	if err != nil {
		h.t.Fatalf("share of %s: %v", h.name, err)
	}
	share, err := h.keys.Get(name)
	if err != nil {
		h.t.Fatalf("share of %s: %v", h.name, err)
	}
	return func() {
		h.t.Helper()
		if err := h.keys.Put(name, share); err != nil {
			h.t.Fatalf("restore the share of %s: %v", h.name, err)
		}
	}
}

// LoseShareOf takes the hospital's share of an epoch of the records key's first generation out of its home.
func (h *Hospital) LoseShareOf(epoch uint64) {
	h.t.Helper()
	if err := h.keys.Delete(keys.ShareName(lock.KeyRecords, 1, epoch)); err != nil {
		h.t.Fatalf("lose the share of %s: %v", h.name, err)
	}
}
