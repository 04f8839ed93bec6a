package keeper

import (
	"context"
	"fmt"
	"regexp"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	abci "github.com/cometbft/cometbft/abci/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// EndBlock closes the proposals whose voting ended, carries one accepted proposal
// out, tells of roles that ended, lets members leave that may, and answers which validators changed. All of it is bounded; the rest waits
// for the next block. A block with nothing due writes nothing.
func (k *Keeper) EndBlock(ctx context.Context) ([]abci.ValidatorUpdate, error) {
	if err := k.closeEnded(ctx); err != nil {
		return nil, err
	}
	var next []uint64
	if err := k.accepted.Walk(ctx, nil, func(number uint64) (bool, error) {
		next = append(next, number)
		return len(next) >= consortium.MaxExecutionsPerBlock, nil
	}); err != nil {
		return nil, err
	}
	for _, number := range next {
		if err := k.execute(sdk.UnwrapSDKContext(ctx), number); err != nil {
			return nil, err
		}
	}
	if err := k.endRoles(ctx); err != nil {
		return nil, err
	}
	if err := k.letLeave(ctx); err != nil {
		return nil, err
	}
	return k.validatorUpdates(ctx)
}

// closeEnded counts the votes of proposals whose time is over, for the last time.
func (k *Keeper) closeEnded(ctx context.Context) error {
	var ended []uint64
	until := collections.NewPrefixUntilPairRange[int64, uint64](blockTime(ctx))
	if err := k.closing.Walk(ctx, until, func(key closingKey) (bool, error) {
		ended = append(ended, key.K2())
		return len(ended) >= consortium.MaxClosingsPerBlock, nil
	}); err != nil {
		return err
	}
	for _, number := range ended {
		p, err := k.Proposal(ctx, number)
		if err != nil {
			return err
		}
		if err := k.decide(ctx, p, true); err != nil {
			return err
		}
		if err := tellProposal(ctx, number); err != nil {
			return err
		}
	}
	return nil
}

// execute carries an accepted proposal out, all of it or nothing.
func (k *Keeper) execute(ctx sdk.Context, number uint64) error {
	p, err := k.Proposal(ctx, number)
	if err != nil {
		return err
	}
	p.Failure = k.carryOut(ctx, p)
	if p.Failure == "" {
		p.Status = consortium.PROPOSAL_STATUS_EXECUTED
		err = k.accept(ctx, about(byChain(), audit.KindProposalExecuted, text(number)))
	} else {
		p.Status = consortium.PROPOSAL_STATUS_FAILED
		err = k.refuse(ctx, about(byChain(), audit.KindProposalFailed, text(number)), p.Failure)
	}
	if err != nil {
		return err
	}
	if err := k.setProposal(ctx, p); err != nil {
		return err
	}
	return tellProposal(ctx, number)
}

// carryOut runs a proposal's messages on a copy of the state, with gas of its own,
// and keeps the copy where all went well. It answers the code of what went wrong.
func (k *Keeper) carryOut(ctx sdk.Context, p consortium.Proposal) (failure string) {
	copied, write := ctx.CacheContext()
	copied = copied.WithGasMeter(storetypes.NewGasMeter(consortium.ProposalGas))
	defer func() {
		switch broken := recover().(type) {
		case nil:
		case storetypes.ErrorOutOfGas, storetypes.ErrorGasOverflow:
			failure = consortium.ReasonOutOfGas
		default:
			ctx.Logger().Error("a proposal broke off", "proposal", p.Number, "panic", broken)
			failure = consortium.ReasonPanic
		}
	}()
	msgs, err := p.Msgs()
	if err != nil {
		return failureOf(err)
	}
	for _, msg := range msgs {
		if err := k.checkSigner(msg); err != nil {
			return failureOf(err)
		}
		res, err := k.router.Handler(msg)(copied, msg)
		if err != nil {
			return failureOf(err)
		}
		copied.EventManager().EmitEvents(res.GetEvents())
	}
	write()
	return ""
}

var plainCodespace = regexp.MustCompile(`^[a-z]{1,32}$`)

// failureOf is an error's codespace and code, which stay the same; the text is for
// people and may change between versions. The log takes plain codes only, and a
// codespace is whatever a module of the SDK calls itself.
func failureOf(err error) string {
	codespace, code, _ := errorsmod.ABCIInfo(err, false)
	if !plainCodespace.MatchString(codespace) {
		codespace = errorsmod.UndefinedCodespace
	}
	return fmt.Sprintf("%s/%d", codespace, code)
}
