package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/comet"
	abci "github.com/cometbft/cometbft/abci/types"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// validatorUpdates compares the members whose status changed with what CometBFT was
// told last, and answers what it has to be told.
func (k *Keeper) validatorUpdates(ctx context.Context) ([]abci.ValidatorUpdate, error) {
	var numbers []uint64
	if err := k.changed.Walk(ctx, nil, func(number uint64) (bool, error) {
		numbers = append(numbers, number)
		return false, nil
	}); err != nil {
		return nil, err
	}
	var updates []abci.ValidatorUpdate
	for _, number := range numbers {
		if err := k.changed.Remove(ctx, number); err != nil {
			return nil, err
		}
		m, err := k.Member(ctx, number)
		if err != nil {
			return nil, err
		}
		if updates, err = k.withdrawReplaced(ctx, number, updates); err != nil {
			return nil, err
		}
		told, err := k.validators.Has(ctx, number)
		if err != nil {
			return nil, err
		}
		if told == m.IsActive() {
			continue
		}
		update, err := k.tellComet(ctx, m)
		if err != nil {
			return nil, err
		}
		updates = append(updates, update)
	}
	return updates, nil
}

// withdrawReplaced adds to updates that a consensus key has no power any more which its
// member has replaced. CometBFT puts the updates of one block into force together, so
// that at each height either the old key or the new one counts.
func (k *Keeper) withdrawReplaced(ctx context.Context, number uint64, updates []abci.ValidatorUpdate) ([]abci.ValidatorUpdate, error) {
	old, err := k.replaced.Get(ctx, number)
	if errors.Is(err, collections.ErrNotFound) {
		return updates, nil
	}
	if err != nil {
		return nil, err
	}
	if err := k.replaced.Remove(ctx, number); err != nil {
		return nil, err
	}
	if err := k.validators.Remove(ctx, number); err != nil {
		return nil, err
	}
	return append(updates, abci.ValidatorUpdate{PubKey: cometKey(old)}), nil
}

// cometKey is an ed25519 key as CometBFT takes it.
func cometKey(key []byte) cmtcrypto.PublicKey {
	return cmtcrypto.PublicKey{Sum: &cmtcrypto.PublicKey_Ed25519{Ed25519: key}}
}

// tellComet notes what CometBFT is told of a member and answers the update.
func (k *Keeper) tellComet(ctx context.Context, m consortium.Member) (abci.ValidatorUpdate, error) {
	update := abci.ValidatorUpdate{PubKey: cometKey(m.ConsensusKey)}
	if !m.IsActive() {
		return update, k.validators.Remove(ctx, m.Number)
	}
	update.Power = consortium.ValidatorPower
	return update, k.validators.Set(ctx, m.Number)
}

// BeginBlock suspends the members whose validators signed two blocks of one height,
// or attacked light clients, by the evidence that the block carries. Who is
// suspended already, or is the last active member, stays as it is.
func (k *Keeper) BeginBlock(ctx context.Context) error {
	info := sdk.UnwrapSDKContext(ctx).CometInfo()
	if info == nil {
		return nil
	}
	evidence := info.GetEvidence()
	for i := range evidence.Len() {
		e := evidence.Get(i)
		if e.Type() != comet.DuplicateVote && e.Type() != comet.LightClientAttack {
			continue
		}
		if err := k.punish(ctx, e.Validator().Address()); err != nil {
			return err
		}
	}
	return nil
}

// punish suspends the member with that consensus address. Evidence against nobody
// must not stop the chain.
func (k *Keeper) punish(ctx context.Context, address []byte) error {
	m, err := k.MemberByConsensusAddress(ctx, address)
	if errors.Is(err, consortium.ErrUnknownMember) {
		sdk.UnwrapSDKContext(ctx).Logger().Error("evidence against an unknown validator", "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	if err := k.accept(ctx, about(byChain(), audit.KindDoubleSignSeen, text(m.Number))); err != nil {
		return err
	}
	if !m.IsActive() {
		return nil
	}
	active, err := k.active(ctx)
	if err != nil {
		return err
	}
	if len(active) < 2 {
		return k.refuse(ctx, about(byChain(), audit.KindMemberSuspended, text(m.Number)), consortium.ReasonLastValidator)
	}
	return k.setStatus(ctx, m, consortium.MEMBER_STATUS_SUSPENDED, audit.KindMemberSuspended)
}
