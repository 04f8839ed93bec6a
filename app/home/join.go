package home

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrFounder says that a home is one of the first members of a network, and does not join it.
var ErrFounder = errors.New("this hospital is one of the first members of the network")

// Joining is how a server finds the network that it joins, beside what the genesis says: the file config/join.json.
type Joining struct {
	// Gateway is that of a member, and Fingerprint the SHA-256 of its public key in hex.
	Gateway     string `json:"gateway"`
	Fingerprint string `json:"fingerprint"`
	// TrustHeight is the height of a block that is known to be of the network and TrustHash its hash in hex; 0 and empty to begin with the genesis.
	TrustHeight int64  `json:"trust_height,omitempty"`
	TrustHash   string `json:"trust_hash,omitempty"`
}

// joining is the path of join.json.
func (h Home) joining() string { return h.config("join.json") }

// Join puts a hospital's home into the network of a genesis that was founded without it. The text of the genesis must have the agreed hash (64 hex
// digits); check, which may be nil, has a look at it before anything is written. It may be repeated. Errors are those of check, ErrWrongHash, ErrWrongGenesis, ErrFounder, and ErrExists where the home belongs to another network.
func (h Home) Join(text []byte, hash string, j Joining, check func(*Genesis) error) (*Genesis, error) {
	fail := func(err error) (*Genesis, error) { return nil, fmt.Errorf("join network: %w", err) }
	if got := HashText(sha256.Sum256(text)); !strings.EqualFold(got, hash) {
		return fail(fmt.Errorf("%w: %s, agreed on %s", ErrWrongHash, got, hash))
	}
	g, err := parseGenesis(text)
	if err != nil {
		return fail(fmt.Errorf("%w: %w", ErrWrongGenesis, err))
	}
	founder, err := h.IsFounder(g)
	if err != nil {
		return fail(err)
	}
	if founder {
		return fail(ErrFounder)
	}
	if check != nil {
		if err := check(g); err != nil {
			return fail(err)
		}
	}
	switch accepted, err := os.ReadFile(h.Genesis()); {
	case err == nil && !bytes.Equal(accepted, g.Text):
		return fail(fmt.Errorf("%s: another genesis %w", h.Genesis(), ErrExists))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fail(err)
	}
	_, declared, err := ReadMember(h.Member())
	if err != nil {
		return fail(err)
	}
	if err := WriteDoor(h.dir, NewDoor(declared.GatewayUrl, declared.GatewayFingerprint, g.ChainID, g.ID[:])); err != nil {
		return fail(err)
	}
	if err := h.writeJoining(j); err != nil {
		return fail(err)
	}
	// The genesis comes last: with it the home is ready to start.
	if err := writeFile(h.Genesis(), g.Text); err != nil {
		return fail(err)
	}
	return g, nil
}

func (h Home) writeJoining(j Joining) error {
	encoded, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(h.joining(), append(encoded, '\n'))
}

// ReadJoining returns how the home finds the network that it joined; the zero value where it did not join one. The error is ErrDamaged where the file is
// not one that Join wrote.
func (h Home) ReadJoining() (Joining, error) {
	var j Joining
	text, err := os.ReadFile(h.joining())
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return j, fmt.Errorf("join.json: %w", err)
	}
	if err := json.Unmarshal(text, &j); err != nil {
		return j, fmt.Errorf("%s: %w: %w", h.joining(), ErrDamaged, err)
	}
	return j, nil
}

// IsFounder tells whether the home is that of one of the first members of a network. A further storage node's home is always of one.
func (h Home) IsFounder(g *Genesis) (bool, error) {
	if h.storage {
		return true, nil
	}
	_, declared, err := ReadMember(h.Member())
	if err != nil {
		return false, err
	}
	for _, m := range g.Consortium.Members {
		if bytes.Equal(m.ConsensusKey, declared.ConsensusKey) {
			return true, nil
		}
	}
	return false, nil
}

// kept are the files in data/ that are not the chain's.
var kept = []string{"priv_validator_state.json", "LOCK", "restored", "fetching", "last-backup"}

// fetching is a file that is there while the state of the chain is fetched as a snapshot.
func (h Home) fetching() string { return filepath.Join(h.Data(), "fetching") }

// HasChain tells whether the home has a state of the chain, or the beginning of one. What a fetch left that broke off is removed first.
func (h Home) HasChain() (bool, error) {
	if _, err := os.Stat(h.fetching()); err == nil {
		return false, h.DropChain()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("look for the chain: %w", err)
	}
	_, err := os.Stat(filepath.Join(h.Data(), "blockstore.db"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// BeginFetch notes that the state of the chain is fetched as a snapshot: half of one is of no use. The home must have no chain.
func (h Home) BeginFetch() error { return writeFile(h.fetching(), nil) }

// EndFetch notes that the state of the chain is whole.
func (h Home) EndFetch() error {
	if err := os.Remove(h.fetching()); err != nil {
		return fmt.Errorf("end fetching the chain: %w", err)
	}
	return SyncFolder(h.Data())
}

// DropChain removes the chain that a fetch left which broke off. It must not run. What the validator signed last stays.
func (h Home) DropChain() error {
	entries, err := os.ReadDir(h.Data())
	if err != nil {
		return fmt.Errorf("remove the chain: %w", err)
	}
	for _, e := range entries {
		if slices.Contains(kept, e.Name()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(h.Data(), e.Name())); err != nil {
			return fmt.Errorf("remove the chain: %w", err)
		}
	}
	// Only now, so that what is left of a removal that broke off is removed by the next one.
	return h.EndFetch()
}
