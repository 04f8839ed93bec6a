package keeper

import (
	"context"
	"errors"
	"strconv"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
)

// nameOf is the key of a round's state.
func nameOf(r custody.Round) keyKey { return collections.Join(uint64(r.Kind), r.Generation) }

func (k *Keeper) setRound(ctx context.Context, r custody.Round) error {
	name := nameOf(r)
	if err := k.rounds.Set(ctx, name, r); err != nil {
		return err
	}
	if r.IsRunning() {
		return k.running.Set(ctx, name)
	}
	return k.running.Remove(ctx, name)
}

// round is the newest round of a key; found is false where there was none.
func (k *Keeper) round(ctx context.Context, name keyKey) (r custody.Round, found bool, err error) {
	r, err = k.rounds.Get(ctx, name)
	if errors.Is(err, collections.ErrNotFound) {
		return r, false, nil
	}
	return r, err == nil, err
}

// enter has a round go on to a phase that waits for so many contributions.
func (k *Keeper) enter(ctx context.Context, r custody.Round, phase custody.RoundPhase, awaited uint64) error {
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	r.Phase, r.Awaited, r.Received, r.EndsAt = phase, awaited, 0, blockTime(ctx)+params.Window()
	if phase == custody.ROUND_PHASE_KEYS || phase == custody.ROUND_PHASE_DONE {
		r.EndsAt = 0 // the first round key starts the clock
	}
	if err := k.setRound(ctx, r); err != nil {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&custody.EventRoundChanged{
		Kind: uint64(r.Kind), Generation: r.Generation, Phase: uint64(r.Phase),
	})
}

// contributed counts a contribution to the phase of a round, and starts the clock of a
// phase that nobody had begun.
func (k *Keeper) contributed(ctx context.Context, r custody.Round, n uint64) error {
	if r.Received += n; r.EndsAt == 0 {
		params, err := k.Params(ctx)
		if err != nil {
			return err
		}
		r.EndsAt = blockTime(ctx) + params.Window()
	}
	return k.setRound(ctx, r)
}

// members are all members, by number.
func (k *Keeper) members(ctx context.Context) ([]consortium.Member, error) {
	var list []consortium.Member
	for number := uint64(1); ; number++ { // without a gap
		m, err := k.consortium.Member(ctx, number)
		if errors.Is(err, consortium.ErrUnknownMember) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
}

// countServing is how many members are to get shares: those that take part and stay.
func (k *Keeper) countServing(ctx context.Context) (uint64, error) {
	members, err := k.members(ctx)
	if err != nil {
		return 0, err
	}
	n := uint64(0)
	for _, m := range members {
		if m.Stays() {
			n++
		}
	}
	return n, nil
}

// countActing is how many of these members can send messages.
func (k *Keeper) countActing(ctx context.Context, numbers []uint64) (uint64, error) {
	n := uint64(0)
	for _, number := range numbers {
		m, err := k.consortium.Member(ctx, number)
		if err != nil {
			return 0, err
		}
		if m.IsActive() {
			n++
		}
	}
	return n, nil
}

// begin starts an attempt of a round, which waits for round keys. What the attempt
// before had is forgotten: at most custody.MaxHolders² sub-shares.
func (k *Keeper) begin(ctx context.Context, r custody.Round) error {
	if err := k.forget(ctx, r); err != nil {
		return err
	}
	awaited, err := k.countServing(ctx)
	if err != nil {
		return err
	}
	fresh := custody.Round{
		Kind: r.Kind, Generation: r.Generation, ShareEpoch: r.ShareEpoch, Attempt: r.Attempt, OldThreshold: r.OldThreshold, StartedAt: blockTime(ctx),
	}
	if err := k.note(ctx, r, audit.KindRoundStarted, ""); err != nil {
		return err
	}
	return k.enter(ctx, fresh, custody.ROUND_PHASE_KEYS, awaited)
}

// forget removes what a round was made of, and the holders of an epoch that never came
// into force.
func (k *Keeper) forget(ctx context.Context, r custody.Round) error {
	kind, generation := uint64(r.Kind), r.Generation
	member := collections.NewSuperPrefixedTripleRange[uint64, uint64, uint64](kind, generation)
	parties := collections.NewSuperPrefixedQuadRange[uint64, uint64, uint64, uint64](kind, generation)
	for _, remove := range []func() error{
		func() error { return k.roundKeys.Clear(ctx, member) },
		func() error { return k.deals.Clear(ctx, member) },
		func() error { return k.spoken.Clear(ctx, member) },
		func() error { return k.subShares.Clear(ctx, parties) },
		func() error { return k.complaints.Clear(ctx, parties) },
		func() error {
			return k.holders.Clear(ctx, collections.NewSuperPrefixedQuadRange3[uint64, uint64, uint64, uint64](kind, generation, r.ShareEpoch))
		},
	} {
		if err := remove(); err != nil {
			return err
		}
	}
	return nil
}

// fail ends an attempt and begins the next. The shares in force stay.
func (k *Keeper) fail(ctx context.Context, r custody.Round, reason string) error {
	if err := k.note(ctx, r, audit.KindRoundFailed, reason); err != nil {
		return err
	}
	r.Attempt++
	return k.begin(ctx, r)
}

// note appends an entry of what the chain did with a round: the target names the key,
// and the count is the attempt.
func (k *Keeper) note(ctx context.Context, r custody.Round, kind, reason string) error {
	entry := audit.Entry{Kind: kind, Role: audit.RoleChain, Target: targetOf(r), Count: r.Attempt, Outcome: audit.OUTCOME_OK}
	if reason != "" {
		entry.Outcome, entry.Reason = audit.OUTCOME_REFUSED, reason
	}
	_, err := k.audit.Append(ctx, entry)
	return err
}

// targetOf names a round's key for people and programs: kind, generation and share
// epoch, such as "1/1/2".
func targetOf(r custody.Round) string {
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	return number(uint64(r.Kind)) + "/" + number(r.Generation) + "/" + number(r.ShareEpoch)
}

// want has the shares of every key renewed as soon as no round for it runs.
func (k *Keeper) want(ctx context.Context) error {
	return k.keys.Walk(ctx, nil, func(name keyKey, _ custody.Key) (bool, error) {
		return false, k.wanted.Set(ctx, name)
	})
}

// EndBlock begins the rounds that are wanted or due, and has those that run go on
// where they have all they wait for, or their time is over. It looks at the keys and
// at the rounds that run, and writes only where one changes.
func (k *Keeper) EndBlock(ctx context.Context) error {
	if err := k.beginDue(ctx); err != nil {
		return err
	}
	var running []keyKey
	if err := k.running.Walk(ctx, nil, func(name keyKey) (bool, error) {
		running = append(running, name)
		return false, nil
	}); err != nil {
		return err
	}
	for _, name := range running {
		r, err := k.rounds.Get(ctx, name)
		if err != nil {
			return err
		}
		over := r.EndsAt != 0 && blockTime(ctx) >= r.EndsAt
		if r.Received < r.Awaited && !over && r.Phase != custody.ROUND_PHASE_CONFIRMATIONS {
			continue
		}
		if err := k.advance(ctx, r, over); err != nil {
			return err
		}
	}
	return nil
}

// beginDue begins to renew the shares of each key for which it is wanted, or that are
// old enough, as soon as there are enough members for it.
func (k *Keeper) beginDue(ctx context.Context) error {
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	var due []custody.Key
	if err := k.keys.Walk(ctx, nil, func(name keyKey, key custody.Key) (bool, error) {
		wanted, err := k.wanted.Has(ctx, name)
		if err != nil {
			return true, err
		}
		runs, err := k.running.Has(ctx, name)
		if err != nil {
			return true, err
		}
		if runs || !wanted && key.Age(blockTime(ctx)) < params.Renewal() {
			return false, nil
		}
		renewable, err := k.canRenew(ctx, key)
		if renewable {
			due = append(due, key)
		}
		return err != nil, err
	}); err != nil {
		return err
	}
	for _, key := range due {
		if err := k.reshare(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// reshare begins to renew the shares of a key.
func (k *Keeper) reshare(ctx context.Context, key custody.Key) error {
	r := custody.Round{Kind: key.Kind, Generation: key.Generation, ShareEpoch: key.ShareEpoch + 1, Attempt: 1, OldThreshold: key.Threshold}
	if err := k.wanted.Remove(ctx, nameOf(r)); err != nil {
		return err
	}
	return k.begin(ctx, r)
}

// advance has a round go on that has what its phase waits for, or whose phase is over.
func (k *Keeper) advance(ctx context.Context, r custody.Round, over bool) error {
	switch r.Phase {
	case custody.ROUND_PHASE_KEYS:
		return k.endKeys(ctx, r)
	case custody.ROUND_PHASE_DEALS:
		return k.endDeals(ctx, r)
	case custody.ROUND_PHASE_COMPLAINTS:
		return k.endComplaints(ctx, r)
	case custody.ROUND_PHASE_JUSTIFICATIONS:
		return k.endJustifications(ctx, r)
	default:
		return k.endConfirmations(ctx, r, over)
	}
}
