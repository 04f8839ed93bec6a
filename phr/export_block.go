package phr

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/phrd/phrd/logproof"
)

// cometPage is how many validators CometBFT lists at once.
const cometPage = 100

// errNoBlock says that a hospital's server does not have a block, any more or yet.
var errNoBlock = errors.New("no such block")

// hexBytes are bytes that CometBFT shows as hex digits.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

type cometBlockID struct {
	Hash  hexBytes `json:"hash"`
	Parts struct {
		Total uint32   `json:"total"`
		Hash  hexBytes `json:"hash"`
	} `json:"parts"`
}

func (id cometBlockID) block() logproof.BlockID {
	return logproof.BlockID{Hash: logproof.Hex(id.Hash), PartsTotal: id.Parts.Total, PartsHash: logproof.Hex(id.Parts.Hash)}
}

// cometHeader is a header as CometBFT's RPC shows it.
type cometHeader struct {
	Version struct {
		Block uint64 `json:"block,string"`
		App   uint64 `json:"app,string"`
	} `json:"version"`
	ChainID            string       `json:"chain_id"`
	Height             int64        `json:"height,string"`
	Time               time.Time    `json:"time"`
	LastBlockID        cometBlockID `json:"last_block_id"`
	LastCommitHash     hexBytes     `json:"last_commit_hash"`
	DataHash           hexBytes     `json:"data_hash"`
	ValidatorsHash     hexBytes     `json:"validators_hash"`
	NextValidatorsHash hexBytes     `json:"next_validators_hash"`
	ConsensusHash      hexBytes     `json:"consensus_hash"`
	AppHash            hexBytes     `json:"app_hash"`
	LastResultsHash    hexBytes     `json:"last_results_hash"`
	EvidenceHash       hexBytes     `json:"evidence_hash"`
	ProposerAddress    hexBytes     `json:"proposer_address"`
}

// cometCommit is a header with its commit.
type cometCommit struct {
	SignedHeader struct {
		Header cometHeader `json:"header"`
		Commit struct {
			Round      int32        `json:"round"`
			BlockID    cometBlockID `json:"block_id"`
			Signatures []struct {
				Flag      int       `json:"block_id_flag"`
				Time      time.Time `json:"timestamp"`
				Signature []byte    `json:"signature"`
			} `json:"signatures"`
		} `json:"commit"`
	} `json:"signed_header"`
}

type cometValidators struct {
	Total      int `json:"total,string"`
	Validators []struct {
		Key struct {
			Value []byte `json:"value"`
		} `json:"pub_key"`
		Votes int64 `json:"voting_power,string"`
	} `json:"validators"`
}

// comet asks a gateway's node, the next gateway's where one does not answer or lacks the block; height 0 stands for the newest.
func (c *Client) comet(ctx context.Context, method string, height int64, more url.Values, result any) error {
	query := url.Values{}
	for name, values := range more {
		query[name] = values
	}
	if height != 0 {
		query.Set("height", strconv.FormatInt(height, 10))
	}
	onward := func(err error) bool {
		return errors.Is(err, ErrUnreachable) || errors.Is(err, ErrCertificate) || errors.Is(err, errNoBlock)
	}
	return c.tryWhile(ctx, onward, func(ctx context.Context, d *door) error {
		var answer struct {
			Result json.RawMessage `json:"result"`
			Error  *struct {
				Data    string `json:"data"`
				Message string `json:"message"`
			} `json:"error"`
		}
		if err := d.call(ctx, http.MethodGet, "/rpc/"+method+"?"+query.Encode(), nil, &answer); err != nil {
			return err
		}
		if answer.Error != nil {
			return fmt.Errorf("gateway %s: %s of block %d: %s %s: %w", d.base, method, height, answer.Error.Message, answer.Error.Data, errNoBlock)
		}
		if err := json.Unmarshal(answer.Result, result); err != nil {
			return fmt.Errorf("gateway %s: %s of block %d: %w: %w", d.base, method, height, err, ErrUnreachable)
		}
		return nil
	})
}

// Genesis is the network's genesis file as the gateway shows it. Whether it is the right one its hash tells, which people compare.
func (c *Client) Genesis(ctx context.Context) ([]byte, error) {
	var file json.RawMessage
	err := c.try(ctx, func(ctx context.Context, d *door) error { return d.call(ctx, http.MethodGet, "/genesis", nil, &file) })
	return file, err
}

// header reads the header of a block; height 0 stands for the newest.
func (c *Client) header(ctx context.Context, height int64) (*cometHeader, error) {
	// Of the newest block CometBFT shows the header only with its commit.
	if height == 0 {
		var answer cometCommit
		err := c.comet(ctx, "commit", 0, nil, &answer)
		return &answer.SignedHeader.Header, err
	}
	var answer struct {
		Header cometHeader `json:"header"`
	}
	err := c.comet(ctx, "header", height, nil, &answer)
	return &answer.Header, err
}

// nextHeader waits for the block that names the state of now, which is the one after the newest.
func (c *Client) nextHeader(ctx context.Context) (*cometHeader, error) {
	now, err := c.Chain(ctx)
	if err != nil {
		return nil, err
	}
	seen := max(now.Height, c.height())
	waiting, stop := context.WithTimeout(ctx, commitTime)
	defer stop()
	var newest *cometHeader
	err = poll(waiting, func(ctx context.Context) (bool, error) {
		newest, err = c.header(ctx, 0)
		return err == nil && newest.Height > seen, err
	})
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("no block follows block %d: %w: %w", seen, err, ErrUnreachable)
	}
	return newest, err
}

// signedBlock reads a block's header, its validators and their signatures.
func (c *Client) signedBlock(ctx context.Context, height int64) (*logproof.Block, error) {
	var answer cometCommit
	if err := c.comet(ctx, "commit", height, nil, &answer); err != nil {
		return nil, err
	}
	h, commit := answer.SignedHeader.Header, answer.SignedHeader.Commit
	b := &logproof.Block{
		ChainID: h.ChainID, Height: h.Height, Time: h.Time.UTC(), LastBlock: h.LastBlockID.block(), LastCommitHash: logproof.Hex(h.LastCommitHash),
		DataHash: logproof.Hex(h.DataHash), ValidatorsHash: logproof.Hex(h.ValidatorsHash), NextValidatorsHash: logproof.Hex(h.NextValidatorsHash),
		ConsensusHash: logproof.Hex(h.ConsensusHash), AppHash: logproof.Hex(h.AppHash), LastResultsHash: logproof.Hex(h.LastResultsHash),
		EvidenceHash: logproof.Hex(h.EvidenceHash), Proposer: logproof.Hex(h.ProposerAddress),
		Round: commit.Round, PartsTotal: commit.BlockID.Parts.Total, PartsHash: logproof.Hex(commit.BlockID.Parts.Hash),
	}
	b.Version.Block, b.Version.App = h.Version.Block, h.Version.App
	for page := 1; ; page++ {
		var list cometValidators
		more := url.Values{"page": {strconv.Itoa(page)}, "per_page": {strconv.Itoa(cometPage)}}
		if err := c.comet(ctx, "validators", height, more, &list); err != nil {
			return nil, err
		}
		for _, v := range list.Validators {
			b.Validators = append(b.Validators, logproof.Validator{Key: v.Key.Value, Votes: v.Votes})
		}
		if len(b.Validators) >= list.Total || len(list.Validators) == 0 {
			break
		}
	}
	const signedThis = 2 // BlockIDFlagCommit
	for i, s := range commit.Signatures {
		if s.Flag == signedThis {
			b.Signatures = append(b.Signatures, logproof.Signature{Validator: i, Time: s.Time.UTC(), Signature: s.Signature})
		}
	}
	return b, nil
}

// trail reads the blocks that lead from the genesis to a block: each that hands over to other validators, the block itself, and
// another one where it is wanted.
func (c *Client) trail(ctx context.Context, height, another int64) ([]*logproof.Block, error) {
	if another < 0 || another > height {
		return nil, fmt.Errorf("block %d, of %d: %w", another, height, ErrNotFound)
	}
	heights := []int64{height}
	if another != 0 {
		heights = append(heights, another)
	}
	end, err := c.header(ctx, height)
	if err != nil {
		return nil, err
	}
	low, err := c.header(ctx, 1)
	if err != nil {
		return nil, fmt.Errorf("the first block: %w", err)
	}
	for !bytes.Equal(low.ValidatorsHash, end.ValidatorsHash) {
		handover, next, err := c.handover(ctx, low, end)
		if err != nil {
			return nil, err
		}
		heights, low = append(heights, handover), next
	}
	slices.Sort(heights)
	var blocks []*logproof.Block
	for _, h := range slices.Compact(heights) {
		b, err := c.signedBlock(ctx, h)
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

// handover finds two blocks in a row of which the first has the validators of low and the second has others.
func (c *Client) handover(ctx context.Context, low, high *cometHeader) (int64, *cometHeader, error) {
	first := low.ValidatorsHash
	for high.Height-low.Height > 1 {
		middle, err := c.header(ctx, low.Height+(high.Height-low.Height)/2)
		if err != nil {
			return 0, nil, err
		}
		if bytes.Equal(middle.ValidatorsHash, first) {
			low = middle
		} else {
			high = middle
		}
	}
	return low.Height, high, nil
}
