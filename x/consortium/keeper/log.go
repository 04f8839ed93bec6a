package keeper

import (
	"context"
	"strconv"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// about fills in what happened, and to what.
func about(entry audit.Entry, kind, target string) audit.Entry {
	entry.Kind, entry.Target = kind, target
	return entry
}

// accept writes the entry of something that was done.
func (k *Keeper) accept(ctx context.Context, entry audit.Entry) error {
	entry.Outcome = audit.OUTCOME_OK
	_, err := k.audit.Append(ctx, entry)
	return err
}

// refuse writes the entry of something that was refused.
func (k *Keeper) refuse(ctx context.Context, entry audit.Entry, reason string) error {
	entry.Outcome, entry.Reason = audit.OUTCOME_REFUSED, reason
	_, err := k.audit.Append(ctx, entry)
	return err
}

// byChain is the entry of what the chain itself did.
func byChain() audit.Entry { return audit.Entry{Role: audit.RoleChain} }

// text is a number as a target.
func text(number uint64) string { return strconv.FormatUint(number, 10) }

// tellMember wakes the nodes that follow members, nodes and peers.
func tellMember(ctx context.Context, member uint64) error {
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&consortium.EventMembersChanged{Member: member})
}

// tellProposal wakes those who follow proposals.
func tellProposal(ctx context.Context, number uint64) error {
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&consortium.EventProposalChanged{Number: number})
}

// blockTime is the block's time in unix seconds.
func blockTime(ctx context.Context) int64 { return sdk.UnwrapSDKContext(ctx).BlockTime().Unix() }
