package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
)

// Append writes the entry at the end of the log and answers its sequence. Sequence,
// height and time are the log's to fill in; whoever sets them, or appends what
// [audit.Entry.Validate] refuses, has a bug and gets audit.ErrInvalidEntry.
func (k *Keeper) Append(ctx context.Context, e audit.Entry) (uint64, error) {
	return k.AppendAll(ctx, []audit.Entry{e})
}

// AppendAll is Append of several entries in their order, and answers the sequence of the last one.
// The edge of the tree, which is longer than an entry, is written once for all of them.
func (k *Keeper) AppendAll(ctx context.Context, entries []audit.Entry) (uint64, error) {
	for _, e := range entries {
		if e.Sequence != 0 || e.Height != 0 || e.Time != 0 {
			return 0, audit.ErrInvalidEntry.Wrapf("%s: sequence, height and time are set by the log", e.Kind)
		}
		if err := e.Validate(); err != nil {
			return 0, err
		}
	}
	f, err := k.Frontier(ctx)
	if err != nil {
		return 0, err
	}
	block := sdk.UnwrapSDKContext(ctx)
	for _, e := range entries {
		e.Sequence, e.Height, e.Time = f.Size_+1, block.BlockHeight(), block.BlockTime().Unix()
		if err := k.write(ctx, e, &f); err != nil {
			return 0, err
		}
		appended := audit.EventEntryAppended{Sequence: e.Sequence, Kind: e.Kind, Patient: e.Patient}
		block.EventManager().EmitEvent(appended.Event())
	}
	return f.Size_, k.frontier.Set(ctx, f)
}

// write keeps a complete entry and adds it to the tree, which the caller saves, and
// to its patient's chain.
func (k *Keeper) write(ctx context.Context, e audit.Entry, f *audit.Frontier) error {
	leaf, err := e.LeafHash()
	if err != nil {
		return err
	}
	if e.Patient != "" {
		if err := k.link(ctx, e, leaf); err != nil {
			return err
		}
	}
	f.Append(leaf)
	return k.entries.Set(ctx, e.Sequence, e)
}

// link adds the entry to its patient's chain.
func (k *Keeper) link(ctx context.Context, e audit.Entry, leaf [32]byte) error {
	patient, err := lock.ParseCanonicalID(e.Patient)
	if err != nil {
		return audit.ErrInvalidEntry.Wrap(err.Error())
	}
	head, err := k.subjects.Get(ctx, patient.Bytes())
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return err
	}
	head.Append(e.Sequence, leaf)
	return k.subjects.Set(ctx, patient.Bytes(), head)
}

// HasSubject says whether an entry names the patient.
func (k *Keeper) HasSubject(ctx context.Context, patient string) (bool, error) {
	_, err := k.SubjectHead(ctx, patient)
	if errors.Is(err, audit.ErrUnknownSubject) {
		return false, nil
	}
	return err == nil, err
}

// SubjectHead answers the end of a patient's chain; audit.ErrInvalidFilter for what
// is no patient number and audit.ErrUnknownSubject where no entry names the patient.
func (k *Keeper) SubjectHead(ctx context.Context, patient string) (audit.SubjectHead, error) {
	id, err := lock.ParseCanonicalID(patient)
	if err != nil {
		return audit.SubjectHead{}, audit.ErrInvalidFilter.Wrapf("patient: %v", err)
	}
	head, err := k.subjects.Get(ctx, id.Bytes())
	if errors.Is(err, collections.ErrNotFound) {
		return audit.SubjectHead{}, audit.ErrUnknownSubject.Wrapf("%q", patient)
	}
	return head, err
}
