package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"cosmossdk.io/log/v2"
	cometproto "github.com/cometbft/cometbft/proto/tendermint/types"
	comettypes "github.com/cometbft/cometbft/types"

	"github.com/phrd/phrd/app/home"
)

// quietBlocks is how many blocks a restored validator watches before it signs.
const quietBlocks = 10

var (
	// ErrTwin says that another server signs with this hospital's consensus key.
	ErrTwin = errors.New("another server signs with this hospital's consensus key")

	errQuiet = errors.New("the validator was restored from a backup and does not sign yet")
)

// quietValidator is a validator whose home was restored: what it signed last is not known, so that it could sign a height twice, and the
// server that was backed up may still run. It signs nothing before the network has gone on for some blocks without its signature.
type quietValidator struct {
	comettypes.PrivValidator
	started time.Time
	maySign atomic.Bool
}

// SignVote implements [comettypes.PrivValidator].
func (v *quietValidator) SignVote(chainID string, vote *cometproto.Vote) error {
	if !v.maySign.Load() {
		return errQuiet
	}
	return v.PrivValidator.SignVote(chainID, vote)
}

// SignProposal implements [comettypes.PrivValidator].
func (v *quietValidator) SignProposal(chainID string, proposal *cometproto.Proposal) error {
	if !v.maySign.Load() {
		return errQuiet
	}
	return v.PrivValidator.SignProposal(chainID, proposal)
}

// watch lets the validator sign once the network has made quietBlocks blocks, since this server was started, without a signature of it. The
// error is ErrTwin where there is one: by the times of the blocks, so that a clock that is behind raises a false alarm at worst.
func (v *quietValidator) watch(ctx context.Context, ch *chain, h home.Home, logger log.Logger) error {
	key, err := v.GetPubKey()
	if err != nil {
		return fmt.Errorf("consensus key: %w", err)
	}
	logger = logger.With(log.ModuleKey, "phrd")
	logger.Info("the home was restored: its validator signs when it has seen blocks without it", "blocks", quietBlocks)
	blocks := ch.node.BlockStore()
	isNew := func(height int64) bool {
		meta := blocks.LoadBlockMeta(height)
		return meta != nil && meta.Header.Time.After(v.started)
	}
	quiet := 0
	for seen := blocks.Height(); ; {
		rung := ch.bell.Rung()
		for height := blocks.Height(); seen < height; {
			seen++
			if !isNew(seen) {
				continue
			}
			// What this node saw of the signatures under a block may be fewer than what the next block says.
			if signed(blocks.LoadSeenCommit(seen), key.Address()) || isNew(seen-1) && signed(blocks.LoadBlockCommit(seen-1), key.Address()) {
				return fmt.Errorf("%w: block %d", ErrTwin, seen)
			}
			quiet++
		}
		if quiet >= quietBlocks {
			break
		}
		select {
		case <-rung:
		case <-ctx.Done():
			return nil
		}
	}
	if err := h.SetInService(); err != nil {
		return err
	}
	v.maySign.Store(true)
	logger.Info("the validator signs from now on", "height", blocks.Height())
	return nil
}

// signed says whether a validator's signature is in a commit.
func signed(commit *comettypes.Commit, validator []byte) bool {
	if commit == nil {
		return false
	}
	for _, s := range commit.Signatures {
		if s.BlockIDFlag != comettypes.BlockIDFlagAbsent && bytes.Equal(s.ValidatorAddress, validator) {
			return true
		}
	}
	return false
}
