package scenario

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/app/join"
)

// Snapshots sets after how many blocks each hospital makes a snapshot of the state; 1000 without it.
func Snapshots(every int) Option { return func(s *settings) { s.snapshots = every } }

// snapshotsKept is how many snapshots a hospital keeps in a story, so that none goes while it is fetched.
const snapshotsKept = 20

// setSnapshots changes after how many blocks the server of a home makes a snapshot.
func (h *hospital) setSnapshots(every int) error {
	text, err := os.ReadFile(h.home.AppConfig())
	if err != nil {
		return err
	}
	changed := string(text)
	for name, value := range map[string]int{"snapshot-interval": every, "snapshot-keep-recent": snapshotsKept} {
		before, after, ok := strings.Cut(changed, "\n"+name+" = ")
		if !ok {
			return fmt.Errorf("%s has no %s", h.home.AppConfig(), name)
		}
		_, rest, _ := strings.Cut(after, "\n")
		changed = fmt.Sprintf("%s\n%s = %d\n%s", before, name, value, rest)
	}
	return os.WriteFile(h.home.AppConfig(), []byte(changed), 0o600)
}

// Snapshots sets after how many blocks this hospital makes a snapshot.
func (h *Hospital) Snapshots(every int) {
	h.t.Helper()
	if err := h.setSnapshots(every); err != nil {
		h.t.Fatalf("snapshots of %s: %v", h.name, err)
	}
}

// parts are the files of the parts of the snapshots that the hospital keeps.
func (h *hospital) parts() (files []string, err error) {
	err = filepath.WalkDir(filepath.Join(h.home.Data(), "snapshots"), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // removed meanwhile
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "metadata.db":
			return filepath.SkipDir
		case !entry.IsDir():
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

// HasSnapshot waits until every hospital keeps a snapshot.
func (n *Network) HasSnapshot() {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	for _, h := range n.hospitals {
		for {
			parts, err := h.parts()
			if err == nil && len(parts) > 0 {
				break
			}
			select {
			case <-time.After(pollTime):
			case <-ctx.Done():
				n.t.Fatalf("%s makes no snapshot: %v", h.name, err)
			}
		}
	}
}

// RotSnapshots flips a byte in every part of every snapshot that the hospital keeps, and of those that it makes until the test ends.
func (h *Hospital) RotSnapshots() {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan struct{})
	h.t.Cleanup(func() {
		cancel()
		<-done
	})
	rotten := map[string]bool{}
	go func() {
		defer close(done)
		for {
			parts, err := h.parts()
			for _, path := range parts {
				if content, read := os.ReadFile(path); !rotten[path] && read == nil && len(content) > 0 {
					content[len(content)/2] ^= 1
					rotten[path] = os.WriteFile(path, content, 0o600) == nil
				}
			}
			if err != nil {
				h.t.Errorf("snapshots of %s: %v", h.name, err)
			}
			select {
			case <-time.After(pollTime):
			case <-ctx.Done():
				return
			}
		}
	}()
}

// Joins is what `phrd join` does at the gateway of a member.
func (h *Hospital) Joins(through *Hospital) {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	gateway, err := join.Open(join.Door{URL: through.url, Fingerprint: through.pin})
	if err != nil {
		h.t.Fatalf("%s joins: %v", h.name, err)
	}
	defer func() {
		if err := gateway.Close(); err != nil {
			h.t.Errorf("%s joins: %v", h.name, err)
		}
	}()
	genesis, err := home.ReadGenesis(h.network.genesis)
	if err != nil {
		h.t.Fatalf("%s joins: %v", h.name, err)
	}
	text, err := gateway.Genesis(ctx)
	if err == nil {
		_, err = h.home.Join(text, home.HashText(genesis.Hash), home.Joining{Gateway: through.url, Fingerprint: through.pin}, nil)
	}
	member, read := os.ReadFile(h.home.Member())
	if err := errors.Join(err, read); err != nil {
		h.t.Fatalf("%s joins: %v", h.name, err)
	}
	if err := gateway.HandIn(ctx, member); err != nil {
		h.t.Fatalf("%s hands its member.json in: %v", h.name, err)
	}
}

// AsksToJoin fails unless the hospital's administrator sees another one among those that ask to be admitted, with its keys.
func (h *Hospital) AsksToJoin(other *Hospital) {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	list, err := h.Admin().client.Candidates(ctx)
	if err != nil {
		h.t.Fatalf("who asks %s to be admitted: %v", h.name, err)
	}
	_, declared, err := home.ReadMember(other.home.Member())
	if err != nil {
		h.t.Fatalf("member.json of %s: %v", other.name, err)
	}
	for _, c := range list {
		if _, got, err := home.ParseMember(c.Member); err == nil && c.ID == hex.EncodeToString(declared.ConsensusKey) && got.Name == other.name {
			return
		}
	}
	h.t.Fatalf("%s does not see %s: %v", h.name, other.name, list)
}

// FirstBlock is the lowest block that the hospital's node has.
func (h *Hospital) FirstBlock() int64 {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	client, err := h.rpc()
	if err != nil {
		h.t.Fatalf("blocks of %s: %v", h.name, err)
	}
	status, err := client.Status(ctx)
	if err != nil {
		h.t.Fatalf("blocks of %s: %v", h.name, err)
	}
	return status.SyncInfo.EarliestBlockHeight
}

// Says waits until the hospital's log says something.
func (h *Hospital) Says(words string) {
	h.t.Helper()
	(&StorageNode{t: h.t, machine: h.hospital}).Says(words)
}

// FirstBlock is the lowest block that the node has.
func (n *StorageNode) FirstBlock() int64 {
	n.t.Helper()
	return (&Hospital{n.t, n.machine}).FirstBlock()
}

// Snapshots sets after how many blocks the node makes a snapshot, and so from when on it asks for one.
func (n *StorageNode) Snapshots(every int) {
	n.t.Helper()
	(&Hospital{n.t, n.machine}).Snapshots(every)
}

// GenesisFile is the path of the network's first state.
func (n *Network) GenesisFile() string { return n.genesis }

// BlockHash is the hash of a block, as a hospital's node tells it.
func (n *Network) BlockHash(height int64) ([]byte, error) {
	client, err := n.hospitals[0].rpc()
	if err != nil {
		return nil, err
	}
	block, err := client.Block(n.t.Context(), &height)
	if err != nil {
		return nil, err
	}
	return block.BlockID.Hash, nil
}
