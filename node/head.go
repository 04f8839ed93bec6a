package node

import (
	"context"
	"fmt"
	"time"

	cmtservice "cosmossdk.io/api/cosmos/base/tendermint/v1beta1"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	cmttypes "github.com/cometbft/cometbft/types"
)

// Commits shows the signatures under blocks: the local RPC client of CometBFT.
type Commits interface {
	// Commit returns the header and the signatures of a block.
	Commit(ctx context.Context, height *int64) (*coretypes.ResultCommit, error)
	// Validators returns one page of the validators who may sign a block.
	Validators(ctx context.Context, height *int64, page, perPage *int) (*coretypes.ResultValidators, error)
}

// Head returns the newest block, whatever its age.
func (c *Client) Head(ctx context.Context) (Head, error) {
	head, _, err := c.head(ctx)
	return head, err
}

// head returns the newest block and the hash of its header.
func (c *Client) head(ctx context.Context) (Head, []byte, error) {
	syncing, err := c.blocks.GetSyncing(ctx, &cmtservice.GetSyncingRequest{})
	if err != nil {
		return Head{}, nil, fmt.Errorf("ask whether the node is catching up: %w", err)
	}
	latest, err := c.blocks.GetLatestBlock(ctx, &cmtservice.GetLatestBlockRequest{})
	if err != nil {
		return Head{}, nil, fmt.Errorf("ask for the newest block: %w", err)
	}
	header := latest.GetSdkBlock().GetHeader()
	head := Head{
		ChainID:    header.GetChainId(),
		Height:     header.GetHeight(),
		Time:       header.GetTime().AsTime(),
		CatchingUp: syncing.GetSyncing(),
	}
	if head.ChainID == "" || head.Height < 1 {
		return Head{}, nil, fmt.Errorf("the newest block has chain id %q and height %d", head.ChainID, head.Height)
	}
	return head, latest.GetBlockId().GetHash(), nil
}

// Ready implements [Chain].
func (c *Client) Ready(ctx context.Context) (Head, error) {
	head, hash, err := c.head(ctx)
	if err != nil {
		return Head{}, err
	}
	// Before the first block after a start the chain checks transactions against year 1.
	if first := c.firstSeen(head.Height); head.Height <= first {
		return head, fmt.Errorf("no block since the start at height %d: %w", first, ErrNotReady)
	}
	if head.CatchingUp {
		return head, fmt.Errorf("catching up at height %d: %w", head.Height, ErrNotReady)
	}
	if age := c.config.Now().Sub(head.Time); age > MaxHeadAge {
		return head, fmt.Errorf("the last block is %s old, at most %s: %w", age.Round(time.Second), MaxHeadAge, ErrNotReady)
	}
	if c.config.Commits == nil {
		return head, nil
	}
	if err := c.verifyCommit(ctx, head, hash); err != nil {
		return head, fmt.Errorf("block %d: %w: %w", head.Height, err, ErrNotReady)
	}
	head.Signed = true
	return head, nil
}

// firstSeen returns the chain's height when the node started, or else the height at which this
// program first saw the chain.
func (c *Client) firstSeen(height int64) int64 {
	if c.config.StartHeight != nil {
		return *c.config.StartHeight
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first == 0 {
		c.first = height
	}
	return c.first
}

// verifyCommit checks that over two thirds of the power signed the block.
func (c *Client) verifyCommit(ctx context.Context, head Head, hash []byte) error {
	c.mu.Lock()
	known := c.signed == head.Height
	c.mu.Unlock()
	if known {
		return nil
	}
	commit, err := c.config.Commits.Commit(ctx, &head.Height)
	if err != nil {
		return fmt.Errorf("ask for its signatures: %w", err)
	}
	set, err := c.validators(ctx, head.Height)
	if err != nil {
		return err
	}
	if got := commit.Hash(); string(got) != string(hash) {
		return fmt.Errorf("signatures are for block %X, not %X", []byte(got), hash)
	}
	if got := commit.Commit.BlockID.Hash; string(got) != string(hash) {
		return fmt.Errorf("commit is for block %X, not %X", []byte(got), hash)
	}
	if err := set.VerifyCommitLight(head.ChainID, commit.Commit.BlockID, head.Height, commit.Commit); err != nil {
		return fmt.Errorf("too few valid signatures: %w", err)
	}
	c.mu.Lock()
	c.signed = head.Height
	c.mu.Unlock()
	return nil
}

func (c *Client) validators(ctx context.Context, height int64) (*cmttypes.ValidatorSet, error) {
	var all []*cmttypes.Validator
	for page, size := 1, 100; ; page++ {
		got, err := c.config.Commits.Validators(ctx, &height, &page, &size)
		if err != nil {
			return nil, fmt.Errorf("ask for its validators: %w", err)
		}
		all = append(all, got.Validators...)
		if len(got.Validators) == 0 || len(all) >= got.Total {
			return cmttypes.ValidatorSetFromExistingValidators(all)
		}
	}
}
