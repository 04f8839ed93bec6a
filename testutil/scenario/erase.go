package scenario

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"time"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/phr"
)

// Erase erases versions for good, and answers the number under which an officer is to approve it, 0 where none has to.
func (p Person) Erase(versions ...Version) uint64 {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	erased, err := p.client.Erase(ctx, refs(versions))
	if err != nil {
		p.t.Fatalf("erase: %v", err)
	}
	return erased.Request
}

// CannotErase tries to erase versions, which the chain refuses for a reason.
func (p Person) CannotErase(reason string, versions ...Version) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	_, err := p.client.Erase(ctx, refs(versions))
	p.mustRefuse("erase", reason, err)
}

func refs(versions []Version) []phr.Ref {
	list := make([]phr.Ref, len(versions))
	for i, v := range versions {
		list[i] = v.Ref
	}
	return list
}

// ApproveErasure has the hospital's officer approve an erasure.
func (h *Hospital) ApproveErasure(request uint64) {
	h.t.Helper()
	officer := h.Officer()
	ctx, cancel := officer.step()
	defer cancel()
	if _, err := officer.client.ApproveErasure(ctx, request); err != nil {
		h.t.Fatalf("approve erasure %d: %v", request, err)
	}
}

// Certificate waits until no more than so many nodes have still to attest the erasure of a version.
func (p Person) Certificate(v Version, missing uint32) *recordsv1.ErasureCertificate {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	for {
		c, err := p.client.Certificate(ctx, v.Ref)
		if err != nil {
			p.t.Fatalf("certificate of %s: %v", v.Name, err)
		}
		if c.GetMissing() <= missing {
			return c
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			p.t.Fatalf("certificate of %s: %v", v.Name, c)
		}
	}
}

// BlocksOf are all blocks of a version: those of its object and its envelope, as the custodian's clerk reads them.
func (h *Hospital) BlocksOf(v Version) [][]byte {
	h.t.Helper()
	all := [][]byte{h.Block(v, v.Object), h.Block(v, v.Envelope)}
	for _, leaf := range h.Leaves(v) {
		all = append(all, h.Block(v, leaf))
	}
	return all
}

// HoldsAny tells whether the hospital's disk holds one of the blocks. The hospital must be stopped.
func (h *Hospital) HoldsAny(blocks [][]byte) bool {
	h.t.Helper()
	for _, block := range blocks {
		if h.Holds(block) {
			return true
		}
	}
	return false
}

// BackUp copies the hospital's folder of blobs. The hospital must be stopped.
func (h *Hospital) BackUp() (folder string) {
	h.t.Helper()
	folder = filepath.Join(h.t.TempDir(), "blobs")
	if err := os.CopyFS(folder, os.DirFS(h.home.Blobs())); err != nil {
		h.t.Fatalf("back up the blobs of %s: %v", h.name, err)
	}
	return folder
}

// Restore brings the hospital's folder of blobs back as it was. The hospital must be stopped.
func (h *Hospital) Restore(folder string) {
	h.t.Helper()
	if err := errors.Join(os.RemoveAll(h.home.Blobs()), os.Rename(folder, h.home.Blobs())); err != nil {
		h.t.Fatalf("restore the blobs of %s: %v", h.name, err)
	}
}

// HasErased waits until the hospital has carried out what was erased, up to where another one has.
func (h *Hospital) HasErased(as *Hospital) {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	for {
		mine, err := os.ReadFile(filepath.Join(h.home.Blobs(), "erasures"))
		theirs, also := os.ReadFile(filepath.Join(as.home.Blobs(), "erasures"))
		if err == nil && also == nil && bytes.Equal(mine, theirs) {
			return
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			h.t.Fatalf("%s has erased %q, %s %q: %v", h.name, mine, as.name, theirs, errors.Join(err, also))
		}
	}
}

// Sleep stops every hospital, lets something happen, and starts them again.
func (n *Network) Sleep(happens func()) {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	if err := n.each(func(h *hospital) error { return h.stop(ctx) }); err != nil {
		n.t.Fatalf("stop: %v", err)
	}
	happens()
	n.Wake()
}

// Wake starts every hospital, all of which must be stopped, and waits until all are ready.
func (n *Network) Wake() {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	if err := n.each(func(h *hospital) error {
		if err := h.start(ctx); err != nil {
			return err
		}
		return h.ready(ctx)
	}); err != nil {
		n.t.Fatalf("start: %v", err)
	}
}
