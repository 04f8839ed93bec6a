package logproof

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Trust is what a verifier holds true before it reads a file: the network's genesis, or one block by its hash.
type Trust struct {
	// ChainID and Network are those of the genesis, Genesis the SHA-256 of its file; empty where a block is trusted.
	ChainID          string
	Network, Genesis Hex
	// Validators of the genesis, in their order.
	Validators []Validator
	// Height and Hash of the block that is trusted; Height is 0 where the genesis is.
	Height int64
	Hash   Hex
	// Witnesses are keys of witnesses whose signatures are verified where a file has them.
	Witnesses []note.Verifier
}

// genesisVotes is the votes of each hospital.
const genesisVotes = 1

// ReadGenesis reads what a genesis file makes trusted: the hospitals that founded the network. Whether it is the right file is for
// the caller to know, by its hash. The error is ErrTrust.
func ReadGenesis(file []byte) (Trust, error) {
	var g struct {
		ChainID  string `json:"chain_id"`
		AppState struct {
			Consortium struct {
				NetworkID []byte `json:"network_id"`
				Members   []struct {
					Status string `json:"status"`
					Key    []byte `json:"consensus_key"`
				} `json:"members"`
			} `json:"consortium"`
		} `json:"app_state"`
	}
	if err := json.Unmarshal(file, &g); err != nil {
		return Trust{}, fmt.Errorf("genesis: %w: %w", err, ErrTrust)
	}
	sum := sha256.Sum256(file)
	t := Trust{ChainID: g.ChainID, Network: g.AppState.Consortium.NetworkID, Genesis: sum[:]}
	for _, m := range g.AppState.Consortium.Members {
		if m.Status == "MEMBER_STATUS_ACTIVE" {
			t.Validators = append(t.Validators, Validator{Key: m.Key, Votes: genesisVotes})
		}
	}
	if t.ChainID == "" || len(t.Validators) == 0 {
		return Trust{}, fmt.Errorf("genesis: it founds no network: %w", ErrTrust)
	}
	SortValidators(t.Validators)
	return t, nil
}

// ParseTrust reads "HEIGHT:HASH", a block that is trusted, such as several hospitals name it. The error is ErrTrust.
func ParseTrust(text string) (Trust, error) {
	height, hash, found := strings.Cut(text, ":")
	n, err := strconv.ParseInt(height, 10, 64)
	if err == nil && (n <= 0 || !found) {
		err = errors.New("want HEIGHT:HASH")
	}
	if err != nil {
		return Trust{}, fmt.Errorf("%q: %w: %w", text, err, ErrTrust)
	}
	b, err := hex.DecodeString(hash)
	if err == nil && len(b) != 32 {
		err = fmt.Errorf("a hash of %d bytes, want 32", len(b))
	}
	if err != nil {
		return Trust{}, fmt.Errorf("%q: %w: %w", text, err, ErrTrust)
	}
	return Trust{Height: n, Hash: b}, nil
}

// path follows the blocks of a file from what is trusted to the last one.
type path struct {
	trust   Trust
	chainID string
	next    []byte // hash of the validators that sign the next block; nil until a block is trusted
	last    *Block
}

func newPath(t Trust) (*path, error) {
	if t.Height == 0 && len(t.Validators) == 0 {
		return nil, fmt.Errorf("neither a genesis nor a block is trusted: %w", ErrTrust)
	}
	p := &path{trust: t, chainID: t.ChainID}
	if t.Height == 0 {
		p.next = HashValidators(t.Validators)
	}
	return p, nil
}

// follow takes the next block. Until the one that is trusted by its hash comes, blocks prove nothing but that they are well formed.
func (p *path) follow(b *Block) error {
	if p.last != nil && b.Height <= p.last.Height {
		return fmt.Errorf("block %d after block %d: %w", b.Height, p.last.Height, ErrBlock)
	}
	before := p.last
	p.last = b
	if p.next == nil {
		if b.Height == p.trust.Height {
			if hash := b.Hash(); string(hash) != string(p.trust.Hash) {
				return fmt.Errorf("block %d has the hash %x, not %x: %w", b.Height, hash, []byte(p.trust.Hash), ErrOtherBlock)
			}
		}
		if before == nil {
			p.chainID = b.ChainID
		}
		follows := b.ValidatorsHash
		if before != nil {
			follows = before.NextValidatorsHash
		}
		if err := b.Verify(p.chainID, follows); err != nil {
			return err
		}
		if b.Height == p.trust.Height {
			p.next = b.NextValidatorsHash
		}
		return nil
	}
	if err := b.Verify(p.chainID, p.next); err != nil {
		return err
	}
	p.next = b.NextValidatorsHash
	return nil
}

// end is the last block, once it is trusted.
func (p *path) end() (*Block, error) {
	switch {
	case p.last == nil:
		return nil, fmt.Errorf("there is no block: %w", ErrFormat)
	case p.next == nil:
		return nil, fmt.Errorf("block %d, which is trusted, is not in the file: %w", p.trust.Height, ErrTrust)
	}
	return p.last, nil
}
