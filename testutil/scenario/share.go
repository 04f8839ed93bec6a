package scenario

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
)

// Revise has the hospital's clerk store a changed file as the next version of a record, with the leaves of a version that the
// hospital's clinician opens by an unlock, and waits for its copies.
func (h *Hospital) Revise(v Version, u Unlock, content []byte) Version {
	h.t.Helper()
	clerk, reader := h.Clerk(), h.Clinician()
	ctx, cancel := clerk.step()
	defer cancel()
	opened, err := reader.client.Open(ctx, u.ID, v.Ref)
	if err != nil {
		h.t.Fatalf("open %s: %v", v.Name, err)
	}
	file := imaging(v.Patient, v.Name, content)
	file.Record, file.Previous = v.Record, opened
	stored, err := clerk.client.Store(ctx, file)
	if err != nil {
		h.t.Fatalf("%s stores %s: %v", h.name, v.Name, err)
	}
	return h.waitForCopies(Version{Stored: *stored, Name: v.Name, Content: content, Patient: v.Patient})
}

// StoredBytes is how many bytes lie in the packs of the hospital's block store.
func (h *Hospital) StoredBytes() int64 {
	h.t.Helper()
	packs, err := filepath.Glob(filepath.Join(h.home.Blobs(), "packs", "*"))
	sum := int64(0)
	for _, path := range packs {
		stat, statErr := os.Stat(path)
		if errors.Is(statErr, os.ErrNotExist) {
			continue // rewritten meanwhile
		}
		if err = errors.Join(err, statErr); err == nil {
			sum += stat.Size()
		}
	}
	if err != nil {
		h.t.Fatalf("packs of %s: %v", h.name, err)
	}
	return sum
}

// Only are the blocks of a version that another one does not have.
func (h *Hospital) Only(v, other Version) (only, both [][]byte) {
	h.t.Helper()
	theirs := h.BlocksOf(other)
	for _, block := range h.BlocksOf(v) {
		shared := false
		for _, b := range theirs {
			shared = shared || bytes.Equal(block, b)
		}
		if shared {
			both = append(both, block)
		} else {
			only = append(only, block)
		}
	}
	return only, both
}

// Holders are the numbers of the members that hold a copy of a version or are to fetch it.
func (n *Network) Holders(v Version) map[uint64]bool {
	n.t.Helper()
	return n.holders(v)
}
