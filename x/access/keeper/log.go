package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
)

// about fills in what an entry tells of an unlock.
func about(entry audit.Entry, kind string, u access.Unlock) audit.Entry {
	entry.Kind = kind
	entry.Patient = u.Patient
	entry.Subjects = u.Subjects()
	entry.Unlock = u.Id
	entry.Purpose = u.Purpose
	return entry
}

// accept writes the entry of something that was done and tells those who watch.
func (k *Keeper) accept(ctx context.Context, entry audit.Entry, u access.Unlock) error {
	entry.Outcome = audit.OUTCOME_OK
	if _, err := k.audit.Append(ctx, entry); err != nil {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&access.EventUnlockChanged{
		Unlock: u.Id, Patient: u.Patient, Requester: u.Requester, Kind: entry.Kind,
	})
}

// refuse writes the entry of something that was refused.
func (k *Keeper) refuse(ctx context.Context, entry audit.Entry, reason string) error {
	entry.Outcome, entry.Reason = audit.OUTCOME_REFUSED, reason
	_, err := k.audit.Append(ctx, entry)
	return err
}

// byChain is the entry of what the chain itself did.
func byChain() audit.Entry { return audit.Entry{Role: audit.RoleChain} }

// blockTime is the block's time in unix seconds.
func blockTime(ctx context.Context) int64 { return sdk.UnwrapSDKContext(ctx).BlockTime().Unix() }
