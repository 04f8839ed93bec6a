package keeper

import (
	"context"
	"fmt"
	"slices"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/records"
)

// InitGenesis writes the state of the first block. The genesis was validated.
func (k *Keeper) InitGenesis(ctx context.Context, g *records.GenesisState) error {
	if err := k.setParams(ctx, g.Params); err != nil {
		return err
	}
	for _, p := range g.Patients {
		if err := k.addPatient(ctx, p); err != nil {
			return fmt.Errorf("patient %q: %w", p.Id, err)
		}
	}
	for _, r := range g.Records {
		id, err := lock.ParseCanonicalID(r.Id)
		if err != nil {
			return fmt.Errorf("record %q: %w", r.Id, err)
		}
		if err := k.addRecord(ctx, id, r); err != nil {
			return fmt.Errorf("record %q: %w", r.Id, err)
		}
	}
	for _, v := range g.Versions {
		if err := k.addVersion(ctx, v); err != nil {
			return fmt.Errorf("record %q version %d: %w", v.Record, v.Version, err)
		}
	}
	if err := k.initErasures(ctx, g); err != nil {
		return fmt.Errorf("erasures: %w", err)
	}
	if err := k.initFormer(ctx, g); err != nil {
		return err
	}
	for _, r := range g.Reported {
		if err := k.reported.Set(ctx, r.Member, r.Number); err != nil {
			return err
		}
	}
	return nil
}

// ExportGenesis reads the whole state: patients and records by id, each record's
// versions in their order, reports by member.
func (k *Keeper) ExportGenesis(ctx context.Context) (*records.GenesisState, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return nil, err
	}
	g := &records.GenesisState{Params: params}
	if err := k.patients.Walk(ctx, nil, func(_ []byte, p records.Patient) (bool, error) {
		g.Patients = append(g.Patients, p)
		return false, nil
	}); err != nil {
		return nil, err
	}
	if err := k.records.Walk(ctx, nil, func(_ []byte, r records.Record) (bool, error) {
		g.Records = append(g.Records, r)
		return false, nil
	}); err != nil {
		return nil, err
	}
	if err := k.versions.Walk(ctx, nil, func(_ collections.Pair[[]byte, uint64], v records.Version) (bool, error) {
		g.Versions = append(g.Versions, v)
		return false, nil
	}); err != nil {
		return nil, err
	}
	if err := k.reported.Walk(ctx, nil, func(member, number uint64) (bool, error) {
		g.Reported = append(g.Reported, records.Reported{Member: member, Number: number})
		return false, nil
	}); err != nil {
		return nil, err
	}
	if err := k.exportFormer(ctx, g); err != nil {
		return nil, err
	}
	return g, k.exportErasures(ctx, g)
}

// initFormer writes locks that wait and what was replaced. What waits for a successor's copies is
// looked at in the first block, since they may be there already.
func (k *Keeper) initFormer(ctx context.Context, g *records.GenesisState) error {
	for _, v := range g.Versions {
		if v.Relock == nil {
			continue
		}
		if err := k.points.Set(ctx, v.Relock.Header.U); err != nil {
			return err
		}
		if err := k.nameEnvelope(ctx, v.Relock.Envelope); err != nil {
			return err
		}
		if err := k.setRelock(ctx, v); err != nil {
			return err
		}
	}
	for _, u := range g.FormerPoints {
		if err := k.points.Set(ctx, u); err != nil {
			return err
		}
	}
	for _, text := range g.FormerWallets {
		account, err := sdk.AccAddressFromBech32(text)
		if err != nil {
			return fmt.Errorf("former wallet: %w", err)
		}
		if err := k.formerWallets.Set(ctx, account); err != nil {
			return err
		}
	}
	for _, b := range g.Blocks {
		if err := k.initBlock(ctx, b); err != nil {
			return fmt.Errorf("block %q: %w", b.Cid, err)
		}
	}
	return nil
}

func (k *Keeper) initBlock(ctx context.Context, b records.Block) error {
	if err := k.setBlock(ctx, b); err != nil {
		return err
	}
	if b.Patient == "" {
		if err := k.nameEnvelope(ctx, b.Cid); err != nil {
			return err
		}
	} else {
		p, err := k.Patient(ctx, b.Patient)
		if err != nil {
			return err
		}
		if err := k.nameVaultBlob(ctx, b.Cid, p); err != nil {
			return err
		}
	}
	if b.Successor == "" {
		return nil
	}
	successor, err := lock.ParseRawCID(b.Successor)
	if err != nil {
		return err
	}
	return k.copied.Set(ctx, successor.Bytes())
}

// exportFormer reads the points of locks that were replaced, and all blocks.
func (k *Keeper) exportFormer(ctx context.Context, g *records.GenesisState) error {
	live := map[string]bool{}
	for _, v := range g.Versions {
		live[string(v.Header.U)] = true
		if v.Relock != nil {
			live[string(v.Relock.Header.U)] = true
		}
	}
	if err := k.points.Walk(ctx, nil, func(u []byte) (bool, error) {
		if !live[string(u)] {
			g.FormerPoints = append(g.FormerPoints, u)
		}
		return false, nil
	}); err != nil {
		return err
	}
	if err := k.formerWallets.Walk(ctx, nil, func(account []byte) (bool, error) {
		g.FormerWallets = append(g.FormerWallets, sdk.AccAddress(account).String())
		return false, nil
	}); err != nil {
		return err
	}
	slices.Sort(g.FormerWallets)
	return k.blocks.Walk(ctx, nil, func(_ []byte, b records.Block) (bool, error) {
		g.Blocks = append(g.Blocks, b)
		return false, nil
	})
}
