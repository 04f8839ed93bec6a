// Package keeper keeps the log in state: its entries, the right edge of the tree
// over them and the end of each patient's chain. It has no messages: entries come
// from the handlers of the other modules.
package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/store"
	"github.com/cosmos/cosmos-sdk/codec"

	"github.com/phrd/phrd/x/audit"
)

// Keeper reads and appends to the log. A patient's id is a key as its 16 bytes.
type Keeper struct {
	index audit.Index

	schema collections.Schema
	// entries: sequence -> entry
	entries collections.Map[uint64, audit.Entry]
	// frontier: right edge of the tree over all entries; absent while there are none
	frontier collections.Item[audit.Frontier]
	// subjects: patient id -> end of the chain of the entries that name the patient
	subjects collections.Map[[]byte, audit.SubjectHead]
}

// New opens the module's state in the store.
func New(cdc codec.BinaryCodec, service store.KVStoreService) (*Keeper, error) {
	sb := collections.NewSchemaBuilder(service)
	k := &Keeper{
		entries:  collections.NewMap(sb, audit.EntriesPrefix, "entries", collections.Uint64Key, codec.CollValue[audit.Entry](cdc)),
		frontier: collections.NewItem(sb, audit.FrontierPrefix, "frontier", codec.CollValue[audit.Frontier](cdc)),
		subjects: collections.NewMap(sb, audit.SubjectsPrefix, "subjects", collections.BytesKey, codec.CollValue[audit.SubjectHead](cdc)),
	}
	schema, err := sb.Build()
	if err != nil {
		return nil, fmt.Errorf("audit keeper: %w", err)
	}
	k.schema = schema
	return k, nil
}

// SetIndex names the node's index, which answers searches. It is called once, before
// queries are served; a node without an index answers none.
func (k *Keeper) SetIndex(index audit.Index) error {
	if index == nil || k.index != nil {
		return errors.New("audit keeper: the index is missing or set already")
	}
	k.index = index
	return nil
}

// Entry answers the entry of that sequence, or audit.ErrUnknownEntry.
func (k *Keeper) Entry(ctx context.Context, sequence uint64) (audit.Entry, error) {
	e, err := k.entries.Get(ctx, sequence)
	if errors.Is(err, collections.ErrNotFound) {
		return audit.Entry{}, audit.ErrUnknownEntry.Wrapf("sequence %d", sequence)
	}
	return e, err
}

// Entries answers the entries from a sequence on in their order, at most limit of
// them; none where the log ends before.
func (k *Keeper) Entries(ctx context.Context, from uint64, limit int) ([]audit.Entry, error) {
	if limit <= 0 {
		return nil, nil
	}
	var list []audit.Entry
	err := k.entries.Walk(ctx, new(collections.Range[uint64]).StartInclusive(from), func(_ uint64, e audit.Entry) (bool, error) {
		list = append(list, e)
		return len(list) == limit, nil
	})
	return list, err
}

// Frontier answers the right edge of the tree over all entries.
func (k *Keeper) Frontier(ctx context.Context) (audit.Frontier, error) {
	f, err := k.frontier.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return audit.Frontier{}, nil
	}
	return f, err
}
