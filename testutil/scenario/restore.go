package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"
	"github.com/cometbft/cometbft/privval"
	comet "github.com/cometbft/cometbft/types"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/app/server"
	"github.com/phrd/phrd/keys"
)

// Safe keeps backups of hospitals: an age key whose secret half lies with nobody of them.
type Safe struct{ identity *age.HybridIdentity }

// Safe makes a safe.
func (n *Network) Safe() Safe {
	n.t.Helper()
	identity, err := age.GenerateHybridIdentity()
	if err != nil {
		n.t.Fatalf("make a safe: %v", err)
	}
	return Safe{identity}
}

// Backup is what `phrd backup` writes of the hospital's home for the safe.
func (h *Hospital) Backup(into Safe) []byte {
	h.t.Helper()
	var backup bytes.Buffer
	if _, err := h.home.Backup(&backup, time.Now(), into.identity.Recipient()); err != nil {
		h.t.Fatalf("back up %s: %v", h.name, err)
	}
	return backup.Bytes()
}

// LosesHome takes the hospital's home away with everything in it, until it is found again. The hospital must be stopped.
func (h *Hospital) LosesHome() (found func()) {
	h.t.Helper()
	was, keys, elsewhere := h.home, h.keys, filepath.Join(h.t.TempDir(), "home")
	if err := errors.Join(h.log.Close(), os.Rename(was.Dir(), elsewhere)); err != nil {
		h.t.Fatalf("%s does not lose its home: %v", h.name, err)
	}
	return func() {
		h.t.Helper()
		err := errors.Join(h.log.Close(), os.RemoveAll(was.Dir()), os.Rename(elsewhere, was.Dir()))
		if err == nil {
			h.log, err = openLog(h.log.path)
		}
		if err != nil {
			h.t.Fatalf("%s does not find its home: %v", h.name, err)
		}
		h.home, h.keys = was, keys
	}
}

// RestoreHome makes the hospital's home again out of a backup.
func (h *Hospital) RestoreHome(backup []byte, from Safe) {
	h.t.Helper()
	restored, _, err := home.Restore(h.home.Dir(), bytes.NewReader(backup), from.identity)
	if err == nil {
		h.keys, err = keys.Open(restored.Keys(), []byte(passphrase))
	}
	if err == nil {
		h.log, err = openLog(h.log.path)
	}
	if err != nil {
		h.t.Fatalf("restore %s: %v", h.name, err)
	}
	h.home = restored
}

// BackupWithKeyOf is a backup of the hospital's home in which its validator has the key of another hospital's.
func (h *Hospital) BackupWithKeyOf(other *Hospital, into Safe) []byte {
	h.t.Helper()
	own, err := os.ReadFile(h.home.ConsensusKey())
	if err != nil {
		h.t.Fatalf("key of %s: %v", h.name, err)
	}
	key, err := os.ReadFile(other.home.ConsensusKey())
	if err == nil {
		err = os.WriteFile(h.home.ConsensusKey(), key, 0o600)
	}
	if err != nil {
		h.t.Fatalf("%s takes the key of %s: %v", h.name, other.name, err)
	}
	backup := h.Backup(into)
	if err := os.WriteFile(h.home.ConsensusKey(), own, 0o600); err != nil {
		h.t.Fatalf("%s takes its own key: %v", h.name, err)
	}
	return backup
}

// HoldsAgain waits until a block is in the hospital's block store, while the hospital runs.
func (h *Hospital) HoldsAgain(block []byte) {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	for found := false; ; {
		err := h.places(block, func(string, int64) error {
			found = true
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // files come and go meanwhile
			h.t.Fatalf("read the disk of %s: %v", h.name, err)
		}
		if found {
			return
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			h.t.Fatalf("%s does not hold the block again", h.name)
		}
	}
}

// IsTwin starts the hospital, has the network go on at another one, and waits until its server ends itself since another one signs with
// its key.
func (h *Hospital) IsTwin(at *Hospital) {
	h.t.Helper()
	h.Launch() // it may see the other one before it is ready
	for deadline := time.Now().Add(StepTime); time.Now().Before(deadline); at.goesOn() {
		select {
		case <-h.server.Failed():
			ctx, cancel := step(h.t)
			defer cancel()
			if err := h.stop(ctx); !errors.Is(err, server.ErrTwin) {
				h.t.Fatalf("%s ended: %v", h.name, err)
			}
			return
		default:
		}
	}
	h.t.Fatalf("%s goes on beside its twin", h.name)
}

// goesOn has the network make another block.
func (h *Hospital) goesOn() {
	h.t.Helper()
	admin := h.Admin()
	ctx, cancel := admin.step()
	defer cancel()
	if _, err := admin.client.Invite(ctx, time.Hour); err != nil {
		h.t.Fatalf("invite at %s: %v", h.name, err)
	}
}

// SignsAgain has the network go on at another hospital until that sees the hospital's signature under a block, and answers its height.
func (h *Hospital) SignsAgain(at *Hospital) int64 {
	h.t.Helper()
	key := privval.LoadFilePVEmptyState(h.home.ConsensusKey(), "").Key.Address
	for deadline := time.Now().Add(StepTime); time.Now().Before(deadline); {
		at.goesOn()
		commit, err := at.lastCommit()
		if err != nil {
			h.t.Fatalf("last commit at %s: %v", at.name, err)
		}
		if slices.ContainsFunc(commit.Signatures, func(s comet.CommitSig) bool {
			return s.BlockIDFlag != comet.BlockIDFlagAbsent && bytes.Equal(s.ValidatorAddress, key)
		}) {
			return commit.Height
		}
	}
	h.t.Fatalf("%s does not sign", h.name)
	return 0
}

func (h *Hospital) lastCommit() (*comet.Commit, error) {
	ctx, cancel := step(h.t)
	defer cancel()
	client, err := h.rpc()
	if err != nil {
		return nil, err
	}
	got, err := client.Commit(ctx, nil)
	if err != nil {
		return nil, err
	}
	if got.Commit == nil {
		return nil, fmt.Errorf("height %d has no commit", got.Height)
	}
	return got.Commit, nil
}
