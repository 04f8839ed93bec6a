package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/x/access"
)

// InitGenesis writes the state of the first block. The genesis was validated; an
// approved unlock that neither waits for its release nor has one is refused here,
// for the chain could not end it.
func (k *Keeper) InitGenesis(ctx context.Context, g *access.GenesisState) error {
	if err := k.setParams(ctx, g.Params); err != nil {
		return err
	}
	if err := k.initConsents(ctx, g.Consents); err != nil {
		return err
	}
	if err := k.initRecoveries(ctx, g); err != nil {
		return err
	}
	for _, h := range g.HandOvers {
		if err := k.setHandOver(ctx, h); err != nil {
			return err
		}
	}
	for _, u := range g.Unlocks {
		if err := k.add(ctx, u); err != nil {
			return err
		}
		if !u.HasEnded() {
			if err := k.start(ctx, u); err != nil {
				return err
			}
			if err := k.resume(ctx, u); err != nil {
				return err
			}
			if err := k.resumeConsented(ctx, u); err != nil {
				return err
			}
		}
	}
	for _, id := range g.Approved {
		u, err := k.Unlock(ctx, id)
		if err != nil {
			return err
		}
		key, err := access.ParseUnlockID(id)
		if err != nil {
			return err
		}
		if err := k.releaseQueue.Set(ctx, collections.Join(u.Approval.Height, key[:])); err != nil {
			return err
		}
	}
	if err := k.initEmergencies(ctx, g); err != nil {
		return err
	}
	for _, u := range g.Unlocks {
		if err := k.checkOnItsWay(ctx, u); err != nil {
			return fmt.Errorf("approved unlock %s: %w", u.Id, err)
		}
	}
	return nil
}

// checkOnItsWay answers custody.ErrUnknownRelease for an approved unlock that neither
// waits for its release nor has one.
func (k *Keeper) checkOnItsWay(ctx context.Context, u access.Unlock) error {
	if u.Approval == nil || u.HasEnded() {
		return nil
	}
	id, err := access.ParseUnlockID(u.Id)
	if err != nil {
		return err
	}
	waiting, err := k.releaseQueue.Has(ctx, collections.Join(u.Approval.Height, id[:]))
	if err != nil || waiting {
		return err
	}
	_, err = k.custody.Release(ctx, u.Id)
	return err
}

// ExportGenesis reads the whole state, unlocks in the order in which they were
// proposed and consents in that of their numbers.
func (k *Keeper) ExportGenesis(ctx context.Context) (*access.GenesisState, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return nil, err
	}
	g := &access.GenesisState{Params: params}
	err = k.unlocksBySequence.Walk(ctx, nil, func(_ uint64, id []byte) (bool, error) {
		u, err := k.unlocks.Get(ctx, id)
		g.Unlocks = append(g.Unlocks, u)
		return false, err
	})
	if err != nil {
		return nil, err
	}
	err = k.releaseQueue.Walk(ctx, nil, func(key queueKey) (bool, error) {
		u, err := k.unlocks.Get(ctx, key.K2())
		g.Approved = append(g.Approved, u.Id)
		return false, err
	})
	if err != nil {
		return nil, err
	}
	err = k.consents.Walk(ctx, nil, func(_ uint64, c access.Consent) (bool, error) {
		g.Consents = append(g.Consents, c)
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	if err := k.exportEmergencies(ctx, g); err != nil {
		return nil, err
	}
	if err := k.exportRecoveries(ctx, g); err != nil {
		return nil, err
	}
	return g, k.handOvers.Walk(ctx, nil, func(_ []byte, h access.HandOver) (bool, error) {
		g.HandOvers = append(g.HandOvers, h)
		return false, nil
	})
}

// initRecoveries writes the guardians and recoveries of the first state. One that was approved and
// asked the holders already must have a release, or the chain could not end it.
func (k *Keeper) initRecoveries(ctx context.Context, g *access.GenesisState) error {
	for _, named := range g.Guardians {
		if err := k.addGuardians(ctx, named); err != nil {
			return err
		}
	}
	for _, r := range g.Recoveries {
		if err := k.addRecovery(ctx, r); err != nil {
			return err
		}
		if !r.Requested || r.HasEnded() {
			continue
		}
		if _, err := k.custody.Release(ctx, r.Unlock); err != nil {
			return fmt.Errorf("recovery %d: %w", r.Number, err)
		}
	}
	if len(g.Recoveries) == 0 {
		return nil
	}
	return k.recoverySequence.Set(ctx, uint64(len(g.Recoveries)))
}

// exportRecoveries reads guardians by their patients' numbers, and recoveries by theirs.
func (k *Keeper) exportRecoveries(ctx context.Context, g *access.GenesisState) error {
	if err := k.guardians.Walk(ctx, nil, func(_ []byte, named access.Guardians) (bool, error) {
		g.Guardians = append(g.Guardians, named)
		return false, nil
	}); err != nil {
		return err
	}
	return k.recoveries.Walk(ctx, nil, func(_ uint64, r access.Recovery) (bool, error) {
		g.Recoveries = append(g.Recoveries, r)
		return false, nil
	})
}
