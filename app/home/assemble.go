package home

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	cometproto "github.com/cometbft/cometbft/proto/tendermint/types"
	comettypes "github.com/cometbft/cometbft/types"
	genutil "github.com/cosmos/cosmos-sdk/x/genutil/types"

	"github.com/phrd/phrd/app"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
)

// Limits of one block at the first block; a vote may change them within bounds.
const (
	BlockMaxBytes = 2 << 20
	BlockMaxGas   = 200_000_000
)

// Network is a network that was assembled and has not begun.
type Network struct {
	ChainID string
	ID      lock.Network
	// Genesis is the text of genesis.json and Hash its SHA-256, on which all hospitals must agree.
	Genesis []byte
	Hash    [sha256.Size]byte
	// Consortium is the members at the first block, in the order of their numbers.
	Consortium *consortium.GenesisState
	// Round is the one in which the members make the records key after the first block.
	Round custody.Round
}

// Assemble makes the first state of a network of the hospitals that signed these declarations: the same for the same inputs in any
// order. It holds no secret: the members make the records key together when their servers run. The errors are those of
// consortium.Found.
func Assemble(chainID string, at time.Time, members []consortium.SignedDeclaration) (*Network, error) {
	if err := checkChainID(chainID); err != nil {
		return nil, err
	}
	at = at.UTC().Truncate(time.Second)
	founded, err := consortium.Found(chainID, at.Unix(), members)
	if err != nil {
		return nil, fmt.Errorf("assemble network: %w", err)
	}
	id, err := lock.NetworkFromBytes(founded.NetworkId)
	if err != nil {
		return nil, fmt.Errorf("assemble network: %w", err)
	}
	n := &Network{ChainID: chainID, ID: id, Consortium: founded}
	keys, err := n.firstRound(members, at)
	if err != nil {
		return nil, fmt.Errorf("assemble network: %w", err)
	}
	if n.Genesis, err = encodeGenesis(chainID, at, founded, keys); err != nil {
		return nil, fmt.Errorf("assemble network: %w", err)
	}
	n.Hash = sha256.Sum256(n.Genesis)
	return n, nil
}

// checkChainID takes what wallets take for a chain id.
func checkChainID(id string) error {
	if len(id) == 0 || len(id) > 32 {
		return fmt.Errorf("chain id %q: 1 to 32 characters", id)
	}
	for _, c := range id {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return fmt.Errorf("chain id %q: lower-case letters, digits and dashes, such as phrd-1", id)
		}
	}
	return nil
}

// firstRound is the state of a network whose members are about to make the records key, with the round keys that they declared.
func (n *Network) firstRound(members []consortium.SignedDeclaration, at time.Time) (*custody.GenesisState, error) {
	declared := map[string][]byte{} // round keys by consensus key
	for _, m := range members {
		d, err := consortium.ParseDeclaration(m.Declaration)
		if err != nil {
			return nil, err
		}
		declared[string(d.ConsensusKey)] = d.RoundKey
	}
	numbers, keys := make([]uint64, len(n.Consortium.Members)), make([][]byte, len(n.Consortium.Members))
	for i, m := range n.Consortium.Members {
		numbers[i], keys[i] = m.Number, declared[string(m.ConsensusKey)]
	}
	state := custody.DefaultGenesis()
	round, published, err := custody.Begin(n.ID, custody.KEY_KIND_RECORDS, numbers, keys, at.Unix())
	if err != nil {
		return nil, err
	}
	n.Round, state.Rounds, state.RoundKeys = round, []custody.Round{round}, published
	return state, state.Validate()
}

// encodeGenesis is the text of genesis.json.
func encodeGenesis(chainID string, at time.Time, members *consortium.GenesisState, keys *custody.GenesisState) ([]byte, error) {
	codec, state, err := app.DefaultGenesis()
	if err != nil {
		return nil, err
	}
	if state[consortium.ModuleName], err = codec.MarshalJSON(members); err != nil {
		return nil, err
	}
	if state[custody.ModuleName], err = codec.MarshalJSON(keys); err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(state) // sorts the modules
	if err != nil {
		return nil, err
	}
	params := comettypes.DefaultConsensusParams()
	params.Block.MaxBytes = BlockMaxBytes
	params.Block.MaxGas = BlockMaxGas
	genesis := &genutil.AppGenesis{
		AppName: app.Name, GenesisTime: at, ChainID: chainID, InitialHeight: 1, AppState: encoded,
		Consensus: genutil.NewConsensusGenesis(params.ToProto(), nil),
	}
	if err := genesis.ValidateAndComplete(); err != nil {
		return nil, err
	}
	compact, err := json.Marshal(genesis)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// Genesis is a genesis.json that was read and is valid.
type Genesis struct {
	ChainID    string
	Time       time.Time
	ID         lock.Network
	Hash       [sha256.Size]byte
	Text       []byte
	Consortium consortium.GenesisState
	Custody    custody.GenesisState
	Params     cometproto.ConsensusParams
}

// maxGenesis is how many bytes a genesis.json has at most.
const maxGenesis = 64 << 20

// ReadGenesis reads a genesis.json and checks the state of every module in it. The error is ErrWrongGenesis where it is not valid.
func ReadGenesis(path string) (*Genesis, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if stat.Size() > maxGenesis {
		return nil, fmt.Errorf("%s: %w: %d bytes, at most %d", path, ErrWrongGenesis, stat.Size(), maxGenesis)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	g, err := parseGenesis(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrWrongGenesis, err)
	}
	return g, nil
}

func parseGenesis(text []byte) (*Genesis, error) {
	file, err := genutil.AppGenesisFromReader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if err := file.ValidateAndComplete(); err != nil {
		return nil, err
	}
	if err := checkChainID(file.ChainID); err != nil {
		return nil, err
	}
	var state map[string]json.RawMessage
	if err := json.Unmarshal(file.AppState, &state); err != nil {
		return nil, err
	}
	codec, err := app.ValidateGenesis(state)
	if err != nil {
		return nil, err
	}
	g := &Genesis{ChainID: file.ChainID, Time: file.GenesisTime, Hash: sha256.Sum256(text), Text: text, Params: file.Consensus.Params.ToProto()}
	if err := codec.UnmarshalJSON(state[consortium.ModuleName], &g.Consortium); err != nil {
		return nil, err
	}
	if err := codec.UnmarshalJSON(state[custody.ModuleName], &g.Custody); err != nil {
		return nil, err
	}
	if len(g.Consortium.Members) == 0 {
		return nil, errors.New("it has no members")
	}
	if g.ID, err = lock.NetworkFromBytes(g.Consortium.NetworkId); err != nil {
		return nil, err
	}
	return g, nil
}

// Write writes genesis.json into folder dir, which is created where it is not there, and returns its path. The error is ErrExists where
// there is one already.
func (n *Network) Write(dir string) (string, error) {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return "", fmt.Errorf("write network: %w", err)
	}
	genesis := filepath.Join(dir, "genesis.json")
	if _, err := os.Lstat(genesis); err == nil {
		return "", fmt.Errorf("write network: %s: %w", genesis, ErrExists)
	}
	if err := writeFile(genesis, n.Genesis); err != nil {
		return "", fmt.Errorf("write network: %w", err)
	}
	return genesis, nil
}

// HashText is the hash of a genesis as people compare it, 64 hex digits.
func HashText(hash [sha256.Size]byte) string { return hex.EncodeToString(hash[:]) }
