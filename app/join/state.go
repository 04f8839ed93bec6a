package join

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	cometdb "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/light/provider"
	lighthttp "github.com/cometbft/cometbft/light/provider/http"
	lightstore "github.com/cometbft/cometbft/light/store/db"
	cometstate "github.com/cometbft/cometbft/proto/tendermint/state"
	"github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/statesync"
	comet "github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/x/consortium"
)

const (
	// TrustPeriod is how long the keys of validators are trusted after the block that names them: a year, within which a hospital that leaves, or
	// replaces its server, is thought not to lose the old key to somebody who forges blocks with it.
	TrustPeriod = 365 * 24 * time.Hour
	// firstHeight is the height of the first block.
	firstHeight = 1
	// lightRetries is how often the light client asks a gateway again before it turns to another one.
	lightRetries = 5
	// agreeing is how many gateways must answer, and agree where an answer can't be verified.
	agreeing = 2
)

var (
	// ErrFewGateways says that fewer gateways answer than the light client needs to compare them.
	ErrFewGateways = errors.New("too few gateways of the network answer")
	// ErrTrust says that a height and a hash do not name a block.
	ErrTrust = errors.New("want the height of a block and its hash, 64 hex digits")
	// ErrTrustExpired says that the genesis is too old to trust its validators.
	ErrTrustExpired = errors.New("the first block is too old to trust the keys of its validators")
	// ErrNotOfGenesis says that the first block that a gateway shows is not that of the genesis.
	ErrNotOfGenesis = errors.New("first block is not signed by the validators of the genesis")
)

// Trust is a block that is known to be of the network; the zero value leaves that to the genesis.
type Trust struct {
	Height int64
	// Hash of the block, 32 bytes.
	Hash []byte
}

// ParseTrust reads a height and a hash of 64 hex digits, or 0 and no hash.
func ParseTrust(height int64, hash string) (Trust, error) {
	decoded, err := hex.DecodeString(hash)
	if err != nil || height < 0 || len(decoded) != sha256.Size && (height > 0 || len(decoded) > 0) || height == 0 && len(decoded) > 0 {
		return Trust{}, fmt.Errorf("%w: height %d with hash %q", ErrTrust, height, hash)
	}
	return Trust{Height: height, Hash: decoded}, nil
}

// StateProvider verifies, for CometBFT's state sync, blocks that the gateways of the view show. Errors are ErrFewGateways, ErrTrustExpired,
// ErrNotOfGenesis, and those of the light client.
func (v *View) StateProvider(ctx context.Context, trust Trust, logger log.Logger) (statesync.StateProvider, error) {
	if len(v.gateways) < agreeing {
		return nil, fmt.Errorf("%w: %d, want %d", ErrFewGateways, len(v.gateways), agreeing)
	}
	if trust.Height == 0 && time.Since(v.genesis.Time) >= TrustPeriod {
		return nil, fmt.Errorf("%w: it is of %s", ErrTrustExpired, v.genesis.Time.Format(time.DateOnly))
	}
	providers := make([]provider.Provider, len(v.gateways))
	for i, g := range v.gateways {
		providers[i] = lighthttp.NewWithClient(v.genesis.ChainID, g.rpc)
	}
	first, trust, err := v.root(ctx, providers, trust)
	if err != nil {
		return nil, err
	}
	providers[0], providers[first] = providers[first], providers[0]
	client, err := light.NewClient(ctx, v.genesis.ChainID, light.TrustOptions{Period: TrustPeriod, Height: trust.Height, Hash: trust.Hash},
		providers[0], providers[1:], lightstore.New(cometdb.NewMemDB(), ""), light.Logger(logger), light.MaxRetryAttempts(lightRetries))
	if err != nil {
		return nil, fmt.Errorf("light client: %w", err)
	}
	return &verified{client: client, gateways: v.gateways}, nil
}

// root finds a gateway that has the block from which is verified, and its hash. A server that itself began with a snapshot has no earlier blocks.
func (v *View) root(ctx context.Context, providers []provider.Provider, trust Trust) (int, Trust, error) {
	height := trust.Height
	if height == 0 {
		height = firstHeight
	}
	var errs []error
	for i, p := range providers {
		block, err := p.LightBlock(ctx, height)
		if err == nil && trust.Height == 0 {
			err = checkFirst(v.genesis, block)
		}
		if err == nil {
			if trust.Height == 0 {
				trust = Trust{Height: firstHeight, Hash: block.Hash()}
			}
			return i, trust, nil
		}
		errs = append(errs, fmt.Errorf("gateway %s: block %d: %w", v.gateways[i].URL, height, err))
	}
	return 0, trust, errors.Join(errs...)
}

// checkFirst returns ErrNotOfGenesis unless the block is the first one of the genesis: under the same parameters, and signed by more than two thirds
// of its validators.
func checkFirst(genesis *home.Genesis, block *comet.LightBlock) error {
	validators, err := firstValidators(genesis)
	if err != nil {
		return err
	}
	params := comet.ConsensusParamsFromProto(genesis.Params)
	switch {
	case block.ChainID != genesis.ChainID || block.Height != firstHeight:
		return fmt.Errorf("%w: it is block %d of %q", ErrNotOfGenesis, block.Height, block.ChainID)
	case !bytes.Equal(block.ValidatorsHash, validators.Hash()):
		return fmt.Errorf("%w: it names others", ErrNotOfGenesis)
	case !bytes.Equal(block.ConsensusHash, params.Hash()):
		return fmt.Errorf("%w: it has other parameters", ErrNotOfGenesis)
	}
	if err := validators.VerifyCommitLight(genesis.ChainID, block.Commit.BlockID, block.Height, block.Commit); err != nil {
		return fmt.Errorf("%w: %w", ErrNotOfGenesis, err)
	}
	if !bytes.Equal(block.Commit.BlockID.Hash, block.Hash()) {
		return fmt.Errorf("%w: they signed another one", ErrNotOfGenesis)
	}
	return nil
}

// firstValidators are those that the chain names at its first block.
func firstValidators(genesis *home.Genesis) (*comet.ValidatorSet, error) {
	var validators []*comet.Validator
	for _, m := range genesis.Consortium.Members {
		if m.IsActive() {
			validators = append(validators, comet.NewValidator(ed25519.PubKey(m.ConsensusKey), consortium.ValidatorPower))
		}
	}
	set, err := comet.ValidatorSetFromExistingValidators(validators)
	if err != nil {
		return nil, fmt.Errorf("validators of the genesis: %w", err)
	}
	return set, nil
}

// verified is a statesync.StateProvider over a light client.
type verified struct {
	mu       sync.Mutex // the client is for one caller at a time
	client   *light.Client
	gateways []*Gateway
}

var _ statesync.StateProvider = (*verified)(nil)

// AppHash implements statesync.StateProvider: the hash of the state after a block stands in the next one. The state can be built only when the
// block after that is there as well.
func (p *verified) AppHash(ctx context.Context, height uint64) ([]byte, error) {
	_, next, _, err := p.blocks(ctx, height)
	if err != nil {
		return nil, err
	}
	return next.AppHash, nil
}

// Commit implements statesync.StateProvider.
func (p *verified) Commit(ctx context.Context, height uint64) (*comet.Commit, error) {
	last, _, _, err := p.blocks(ctx, height)
	if err != nil {
		return nil, err
	}
	return last.Commit, nil
}

// State implements statesync.StateProvider: what CometBFT knows after the block. Validators that the block changed act two blocks later.
func (p *verified) State(ctx context.Context, height uint64) (state.State, error) {
	last, next, after, err := p.blocks(ctx, height)
	if err != nil {
		return state.State{}, err
	}
	params, err := p.params(ctx, next)
	if err != nil {
		return state.State{}, err
	}
	return state.State{
		Version:         cometstate.Version{Consensus: next.Version, Software: version.TMCoreSemVer},
		ChainID:         p.client.ChainID(),
		InitialHeight:   firstHeight,
		LastBlockHeight: last.Height, LastBlockID: last.Commit.BlockID, LastBlockTime: last.Time,
		LastValidators: last.ValidatorSet, Validators: next.ValidatorSet, NextValidators: after.ValidatorSet, LastHeightValidatorsChanged: after.Height,
		ConsensusParams: params, LastHeightConsensusParamsChanged: next.Height,
		LastResultsHash: next.LastResultsHash, AppHash: next.AppHash,
	}, nil
}

// blocks verifies a block and the two that follow it.
func (p *verified) blocks(ctx context.Context, height uint64) (last, next, after *comet.LightBlock, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, block := range []**comet.LightBlock{&last, &next, &after} {
		if *block, err = p.client.VerifyLightBlockAtHeight(ctx, int64(height)+int64(i), time.Now()); err != nil {
			return nil, nil, nil, err
		}
	}
	return last, next, after, nil
}

// params asks for the consensus parameters at a block. Its header holds the hash of some of them; of the rest two gateways must say the same.
func (p *verified) params(ctx context.Context, at *comet.LightBlock) (comet.ConsensusParams, error) {
	said := map[string]bool{}
	var errs []error
	for _, g := range p.gateways {
		answer, err := g.rpc.ConsensusParams(ctx, &at.Height)
		if err == nil {
			err = answer.ConsensusParams.ValidateBasic()
		}
		if err == nil && !bytes.Equal(answer.ConsensusParams.Hash(), at.ConsensusHash) {
			err = errors.New("they are not those of the block")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("gateway %s: consensus parameters: %w", g.URL, err))
			continue
		}
		encoded := answer.ConsensusParams.ToProto()
		text := encoded.String()
		if said[text] {
			return answer.ConsensusParams, nil
		}
		said[text] = true
	}
	return comet.ConsensusParams{}, errors.Join(append(errs, fmt.Errorf("%w: no %d agree on the consensus parameters", ErrFewGateways, agreeing))...)
}
