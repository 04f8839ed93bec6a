// Package witness follows a network's log for somebody outside the hospitals, and signs how far it has grown.
//
// A [Witness] remembers the last block that it has seen and the log at that block. Each time it looks, it demands that the blocks since
// then follow from that one, signed by more than two thirds of the hospitals, and that the log has grown from what it was: nothing of it
// altered, and not shorter. Then it signs the log as it is now, a checkpoint (C2SP tlog-checkpoint with a tlog-cosignature). Where the
// hospitals have signed two different pasts it keeps the proof of that and signs nothing.
//
// It trusts the genesis, and after that its own folder, which nobody else should be able to write to.
package witness

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/phrd/phrd/logproof"
	"github.com/phrd/phrd/phr"
)

// Files of a witness's folder.
const (
	// KeyFile holds the private key, a text of a line.
	KeyFile = "key"
	// PublicKeyFile holds the key by which others verify, a text of a line.
	PublicKeyFile = "key.pub"
	// GenesisFile is the genesis of the network that is followed.
	GenesisFile = "genesis.json"
	// CheckpointFile is the newest checkpoint that was signed: what a witness publishes.
	CheckpointFile = "checkpoint"

	stateFile      = "state.json"
	evidencePrefix = "evidence-"
)

// Errors of a witness.
var (
	// ErrFork says that the hospitals have signed two different pasts: another block of a height, or a log that lost or changed entries.
	// The proof lies in the witness's folder.
	ErrFork = errors.New("the hospitals have signed two different pasts")
	// ErrExists says that the folder has a witness already.
	ErrExists = errors.New("there is a witness already")
)

// Witness follows one log. It is used by one goroutine and one process.
type Witness struct {
	dir    string
	trust  logproof.Trust
	signer note.Signer
	seen   state
}

// state is what the witness has seen last.
type state struct {
	Height int64        `json:"height"`
	Hash   logproof.Hex `json:"block_hash"`
	Size   uint64       `json:"size"`
	Root   logproof.Hex `json:"root"`
}

// Create makes a witness with a new key in a folder, and returns the key by which others verify. The name is printable, without spaces
// and plus signs, best a domain name. Errors are ErrExists, logproof.ErrTrust where the genesis is none, and those of the disk.
func Create(dir, name string, genesis []byte) (key string, err error) {
	if _, err := logproof.ReadGenesis(genesis); err != nil {
		return "", err
	}
	if _, err := os.Lstat(filepath.Join(dir, KeyFile)); !errors.Is(err, fs.ErrNotExist) {
		return "", errors.Join(err, fmt.Errorf("%s: %w", dir, ErrExists))
	}
	secret, public, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return "", fmt.Errorf("key of witness %q: %w", name, err)
	}
	if key, err = cosignature.VKeyToCosignatureV1(public); err != nil {
		return "", fmt.Errorf("key of witness %q: %w", name, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	// The key comes last: with it there is a witness.
	for _, file := range []struct{ name, text string }{{GenesisFile, string(genesis)}, {PublicKeyFile, key + "\n"}, {KeyFile, secret + "\n"}} {
		if err := write(filepath.Join(dir, file.name), []byte(file.text)); err != nil {
			return "", err
		}
	}
	return key, nil
}

// Open opens the witness of a folder.
func Open(dir string) (*Witness, error) {
	genesis, err := os.ReadFile(filepath.Join(dir, GenesisFile))
	if err != nil {
		return nil, err
	}
	w := &Witness{dir: dir}
	if w.trust, err = logproof.ReadGenesis(genesis); err != nil {
		return nil, err
	}
	secret, err := os.ReadFile(filepath.Join(dir, KeyFile))
	if err != nil {
		return nil, err
	}
	if w.signer, err = cosignature.NewSignerForCosignatureV1(string(bytes.TrimSpace(secret))); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, KeyFile), err)
	}
	text, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return w, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &w.seen)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, stateFile), err)
	}
	return w, nil
}

// Trust is what the genesis of the network makes trusted.
func (w *Witness) Trust() logproof.Trust { return w.trust }

// Next is what the witness asks a gateway for: how the log has grown since it looked last.
func (w *Witness) Next() phr.Export {
	return phr.Export{Head: logproof.Head{Kind: logproof.Growth, Size: w.seen.Size, Root: w.seen.Root}, Block: w.seen.Height}
}

// Look asks a gateway, checks what it shows, and signs. It answers the checkpoint that it has signed. Errors are ErrFork, those of
// logproof where the gateway shows what the hospitals have not signed, and those of ExportLog and of the disk.
func (w *Witness) Look(ctx context.Context, c *phr.Client) (logproof.Checkpoint, error) {
	var file bytes.Buffer
	if err := c.ExportLog(ctx, &file, w.Next()); err != nil {
		return logproof.Checkpoint{}, err
	}
	return w.Observe(file.Bytes())
}

// Observe checks an export of what Next asks for, and signs; see Look.
func (w *Witness) Observe(file []byte) (logproof.Checkpoint, error) {
	trust := w.trust
	if w.seen.Height != 0 {
		trust = logproof.Trust{Height: w.seen.Height, Hash: w.seen.Hash}
	}
	report, err := logproof.Verify(bytes.NewReader(file), trust, nil)
	if err == nil && (report.Head.Kind != logproof.Growth || report.Head.Size != w.seen.Size || !bytes.Equal(report.Head.Root, w.seen.Root)) {
		err = fmt.Errorf("it is not of the log of %d entries that was seen: %w", w.seen.Size, logproof.ErrEntry)
	}
	if err != nil {
		return logproof.Checkpoint{}, w.accuse(file, err)
	}
	c := logproof.Checkpoint{Origin: logproof.Origin(report.ChainID), Size: report.Size, Root: report.Root, Height: report.Height, Hash: report.Hash}
	signed, err := note.Sign(&note.Note{Text: c.Text()}, w.signer)
	if err != nil {
		return logproof.Checkpoint{}, fmt.Errorf("sign checkpoint: %w", err)
	}
	// What was signed must be remembered, so it is before anybody sees it.
	seen := state{Height: report.Height, Hash: report.Hash, Size: report.Size, Root: report.Root}
	text, err := json.Marshal(seen)
	if err != nil {
		return logproof.Checkpoint{}, err
	}
	if err := write(filepath.Join(w.dir, stateFile), append(text, '\n')); err != nil {
		return logproof.Checkpoint{}, err
	}
	w.seen = seen
	return c, write(filepath.Join(w.dir, CheckpointFile), signed)
}

// accuse keeps an export that contradicts what was seen, where the hospitals have signed it: another block of that height which
// follows from the genesis, or a later state in which the log is shorter. What they have not signed, and that no proof came of what
// they have, accuses the gateway alone.
func (w *Witness) accuse(file []byte, contradiction error) error {
	switch {
	case errors.Is(contradiction, logproof.ErrShrunk):
	case errors.Is(contradiction, logproof.ErrOtherBlock):
		if _, err := logproof.Verify(bytes.NewReader(file), w.trust, nil); err != nil && !errors.Is(err, logproof.ErrEntry) {
			return contradiction
		}
	default:
		return contradiction
	}
	path := filepath.Join(w.dir, fmt.Sprintf("%s%d.ndjson", evidencePrefix, time.Now().UnixNano()))
	if err := write(path, file); err != nil {
		return errors.Join(contradiction, err)
	}
	return fmt.Errorf("%w, see %s: %w", ErrFork, path, contradiction)
}

// write replaces a file, all or nothing, and lets the disk have it.
func write(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
