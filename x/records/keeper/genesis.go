package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"

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
	return g, k.exportErasures(ctx, g)
}
