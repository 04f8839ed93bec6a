package scenario

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/phrd/phrd/lock"
)

// Block is a block of a version, as the custodian's clerk reads it.
func (h *Hospital) Block(v Version, c lock.CID) []byte {
	h.t.Helper()
	clerk := h.Clerk()
	ctx, cancel := clerk.step()
	defer cancel()
	block, err := blocks{clerk, v}.Get(ctx, c)
	if err != nil {
		h.t.Fatalf("block %s: %v", c, err)
	}
	return block
}

// FlipBytes changes one byte of every place on the hospital's disk that holds a block. The hospital must be stopped.
func (h *Hospital) FlipBytes(block []byte) {
	h.t.Helper()
	found := 0
	err := h.places(block, func(path string, at int64) error {
		found++
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		middle := len(block) / 2
		_, err = f.WriteAt([]byte{block[middle] ^ 1}, at+int64(middle))
		return errors.Join(err, f.Close())
	})
	if err != nil || found == 0 {
		h.t.Fatalf("flip a byte of %s: found in %d places: %v", h.name, found, err)
	}
}

// DeletePacks deletes every pack of the hospital's block store by hand, and answers how many there were. A hospital that runs loses
// what it writes afterwards too.
func (h *Hospital) DeletePacks() int {
	h.t.Helper()
	packs, err := filepath.Glob(filepath.Join(h.home.Blobs(), "packs", "*.pack"))
	for _, path := range packs {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil || len(packs) == 0 {
		h.t.Fatalf("delete the packs of %s: found %d: %v", h.name, len(packs), err)
	}
	return len(packs)
}

// Holds tells whether the hospital's disk holds a block. The hospital must be stopped.
func (h *Hospital) Holds(block []byte) bool {
	h.t.Helper()
	found := false
	err := h.places(block, func(string, int64) error {
		found = true
		return nil
	})
	if err != nil {
		h.t.Fatalf("read the disk of %s: %v", h.name, err)
	}
	return found || h.HasCached(block)
}

// HasCached tells whether the hospital's cache holds a block on the disk.
func (h *Hospital) HasCached(block []byte) bool {
	h.t.Helper()
	found := false
	err := placesIn(h.home.Cache(), block, func(string, int64) error {
		found = true
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a home that never ran has none
		h.t.Fatalf("read the cache of %s: %v", h.name, err)
	}
	return found
}

// places finds the files of the block store that hold a block, and where.
func (h *hospital) places(block []byte, found func(path string, at int64) error) error {
	return placesIn(h.home.Blobs(), block, found)
}

func placesIn(folder string, block []byte, found func(path string, at int64) error) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if at := bytes.Index(content, block); at >= 0 {
			return found(path, int64(at))
		}
		return nil
	})
}
