package scenario

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
)

// CopyHome copies the disk of the hospital, whose server is stopped; what it returns sets the disk back to it: the blocks, the state,
// the keys and the shares of that time.
func (h *Hospital) CopyHome() (rollBack func()) {
	h.t.Helper()
	kept := filepath.Join(h.t.TempDir(), "home")
	if err := copyFolder(kept, h.home.Dir()); err != nil {
		h.t.Fatalf("copy the disk of %s: %v", h.name, err)
	}
	return func() {
		h.t.Helper()
		err := errors.Join(h.log.Close(), os.RemoveAll(h.home.Dir()), copyFolder(h.home.Dir(), kept))
		if err == nil {
			h.log, err = openLog(h.log.path)
		}
		if err != nil {
			h.t.Fatalf("set back the disk of %s: %v", h.name, err)
		}
	}
}

// copyFolder copies folders and regular files with their permissions.
func copyFolder(to, from string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		stat, err := entry.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, inside)
		if entry.IsDir() {
			return os.Mkdir(target, stat.Mode().Perm())
		}
		return copyFile(target, path, stat.Mode().Perm())
	})
}

func copyFile(to, from string, permissions fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, permissions)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// Knows waits until the hospital itself has a state in which an unlock has a status.
func (h *Hospital) Knows(u Unlock, want accessv1.UnlockStatus) {
	h.t.Helper()
	auditor := h.Auditor()
	ctx, cancel := auditor.step()
	defer cancel()
	for {
		got, err := auditor.client.Unlock(ctx, u.ID)
		if err == nil && got.Status == want {
			return
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			h.t.Fatalf("at %s the unlock is %v, %v, want %s", h.name, got, err, want)
		}
	}
}

// Listens notes where the hospital's log ends. What it returns waits until the log says something behind that.
func (h *Hospital) Listens() (says func(words string)) {
	h.t.Helper()
	before, err := os.ReadFile(h.log.path)
	if err != nil {
		h.t.Fatalf("log of %s: %v", h.name, err)
	}
	return func(words string) {
		h.t.Helper()
		ctx, cancel := step(h.t)
		defer cancel()
		for {
			text, err := os.ReadFile(h.log.path)
			if err == nil && strings.Contains(string(text[len(before):]), words) {
				return
			}
			select {
			case <-time.After(pollTime):
			case <-ctx.Done():
				h.t.Fatalf("the log of %s does not say %q: %v", h.name, words, err)
			}
		}
	}
}

// SendsNoShare checks that no share is among the transactions that the hospital's node has sent, or would send to whom it reaches, and
// that are in no block.
func (h *Hospital) SendsNoShare() {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	client, err := h.rpc()
	if err != nil {
		h.t.Fatalf("transactions at %s: %v", h.name, err)
	}
	most := 100
	waiting, err := client.UnconfirmedTxs(ctx, &most)
	if err != nil {
		h.t.Fatalf("transactions at %s: %v", h.name, err)
	}
	if waiting.Total > most {
		h.t.Fatalf("%d transactions wait at %s", waiting.Total, h.name)
	}
	for _, tx := range waiting.Txs {
		if bytes.Contains(tx, []byte("phrd.custody.v1.MsgSubmitShares")) {
			h.t.Fatalf("%s sends a share", h.name)
		}
	}
}

// GaveNoShare checks that the hospital gave no share for an unlock, and so many others did.
func (h *Hospital) GaveNoShare(n *Network, u Unlock, others int) {
	h.t.Helper()
	given := n.In(h.t).shares(u)
	for _, share := range given {
		if share.GetIndex() == h.number {
			h.t.Errorf("%s gave a share", h.name)
		}
	}
	if len(given) != others {
		h.t.Errorf("%d hospitals gave shares, want %d", len(given), others)
	}
}

// GaveShare checks that the hospital gave a share for an unlock.
func (h *Hospital) GaveShare(n *Network, u Unlock) {
	h.t.Helper()
	for _, share := range n.In(h.t).shares(u) {
		if share.GetIndex() == h.number {
			return
		}
	}
	h.t.Errorf("%s gave no share", h.name)
}
