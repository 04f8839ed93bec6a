// Package keeper keeps objects and their copies in state, places new objects, places
// again what nodes lost, and handles the messages and queries of the storage module.
package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/store"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/storage"
)

// nodeKey is a storage node's number and an object's root.
type nodeKey = collections.Pair[uint64, []byte]

// beatKey is a time of the clock and a storage node's number.
type beatKey = collections.Pair[int64, uint64]

// Keeper reads and writes the state of the module. CIDs are keys in their binary
// form, 36 bytes.
type Keeper struct {
	audit      Audit
	consortium Consortium
	hooks      storage.ObjectHooks
	cdc        codec.BinaryCodec
	service    store.KVStoreService

	schema collections.Schema
	// params: the rules of placement
	params collections.Item[storage.Params]
	// objects: root -> object and its copies by node
	objects collections.Map[[]byte, storage.PlacedObject]
	// attached: attached block -> root of its object
	attached collections.Map[[]byte, []byte]
	// assignments: (node, root), of copies that are to be fetched
	assignments collections.KeySet[nodeKey]
	// holdings: (node, root), of copies that are held
	holdings collections.KeySet[nodeKey]
	// usage: node -> bytes and objects that are placed on it, held or not
	usage collections.Map[uint64, storage.NodeUsage]
	// brought: member -> bytes and objects that it brought in
	brought collections.Map[uint64, storage.MemberUsage]
	// pulses: node -> what is known of its life
	pulses collections.Map[uint64, storage.Pulse]
	// beats: (what the clock showed at the last heartbeat, node), of nodes that may be lost
	beats collections.KeySet[beatKey]
	// clock: the seconds in which the network ran
	clock collections.Item[storage.Clock]
	// shortfalls: root -> standing of an object that is not whole
	shortfalls collections.Map[[]byte, uint32]
	// everywhere: root of an object that every domain is to hold
	everywhere collections.KeySet[[]byte]
	// sweeps: (list, node) -> root of the last object of the list that was looked at
	sweeps collections.Map[sweepKey, []byte]
	// crowded: set when an object has fewer copies than it should since its nodes had no room
	crowded collections.Item[bool]
	// epoch: the newest epoch of proofs
	epoch collections.Item[storage.Epoch]
	// lastEpoch: the epoch before
	lastEpoch collections.Item[storage.Epoch]
	// proofs: (epoch, node) -> what the node is asked and what it answered
	proofs collections.Map[proofKey, storage.Proof]
	// commitments: node -> what binds it to its next reveal
	commitments collections.Map[uint64, storage.Commitment]
	// strikes: node -> how many challenges it failed
	strikes collections.Map[uint64, uint64]
	// erasures: number -> erasure
	erasures collections.Map[uint64, storage.Erasure]
	// erasureSequence counts erasures
	erasureSequence collections.Sequence
	// erased: root of an erased object -> number of its erasure
	erased collections.Map[[]byte, uint64]
	// attestations: (number of the erasure, node) -> attestation
	attestations collections.Map[attestationKey, storage.Attestation]
	// owed: node -> how many erasures it is to attest and has not
	owed collections.Map[uint64, uint64]
}

// New opens the module's state in the store.
func New(cdc codec.BinaryCodec, service store.KVStoreService, audit Audit, consortium Consortium) (*Keeper, error) {
	if audit == nil || consortium == nil {
		return nil, errors.New("storage keeper: a neighbour is missing")
	}
	sb := collections.NewSchemaBuilder(service)
	byNode := collections.PairKeyCodec(collections.Uint64Key, collections.BytesKey)
	k := &Keeper{
		audit: audit, consortium: consortium, cdc: cdc, service: service,
		params:      collections.NewItem(sb, storage.ParamsPrefix, "params", codec.CollValue[storage.Params](cdc)),
		objects:     collections.NewMap(sb, storage.ObjectsPrefix, "objects", collections.BytesKey, codec.CollValue[storage.PlacedObject](cdc)),
		attached:    collections.NewMap(sb, storage.AttachedPrefix, "attached", collections.BytesKey, collections.BytesValue),
		assignments: collections.NewKeySet(sb, storage.AssignmentsPrefix, "assignments", byNode),
		holdings:    collections.NewKeySet(sb, storage.HoldingsPrefix, "holdings", byNode),
		usage:       collections.NewMap(sb, storage.UsagePrefix, "usage", collections.Uint64Key, codec.CollValue[storage.NodeUsage](cdc)),
		brought:     collections.NewMap(sb, storage.BroughtPrefix, "brought", collections.Uint64Key, codec.CollValue[storage.MemberUsage](cdc)),
		pulses:      collections.NewMap(sb, storage.PulsesPrefix, "pulses", collections.Uint64Key, codec.CollValue[storage.Pulse](cdc)),
		beats: collections.NewKeySet(sb, storage.BeatsPrefix, "beats",
			collections.PairKeyCodec(collections.Int64Key, collections.Uint64Key)),
		clock:      collections.NewItem(sb, storage.ClockPrefix, "clock", codec.CollValue[storage.Clock](cdc)),
		shortfalls: collections.NewMap(sb, storage.ShortfallsPrefix, "shortfalls", collections.BytesKey, collections.Uint32Value),
		everywhere: collections.NewKeySet(sb, storage.EverywherePrefix, "everywhere", collections.BytesKey),
		sweeps: collections.NewMap(sb, storage.SweepsPrefix, "sweeps",
			collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key), collections.BytesValue),
		crowded:   collections.NewItem(sb, storage.CrowdedPrefix, "crowded", collections.BoolValue),
		epoch:     collections.NewItem(sb, storage.EpochPrefix, "epoch", codec.CollValue[storage.Epoch](cdc)),
		lastEpoch: collections.NewItem(sb, storage.LastEpochPrefix, "last_epoch", codec.CollValue[storage.Epoch](cdc)),
		proofs: collections.NewMap(sb, storage.ProofsPrefix, "proofs",
			collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key), codec.CollValue[storage.Proof](cdc)),
		commitments:     collections.NewMap(sb, storage.CommitmentsPrefix, "commitments", collections.Uint64Key, codec.CollValue[storage.Commitment](cdc)),
		strikes:         collections.NewMap(sb, storage.StrikesPrefix, "strikes", collections.Uint64Key, collections.Uint64Value),
		erasures:        collections.NewMap(sb, storage.ErasuresPrefix, "erasures", collections.Uint64Key, codec.CollValue[storage.Erasure](cdc)),
		erasureSequence: collections.NewSequence(sb, storage.ErasureSequencePrefix, "erasure_sequence"),
		erased:          collections.NewMap(sb, storage.ErasedPrefix, "erased", collections.BytesKey, collections.Uint64Value),
		attestations: collections.NewMap(sb, storage.AttestationsPrefix, "attestations",
			collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key), codec.CollValue[storage.Attestation](cdc)),
		owed: collections.NewMap(sb, storage.OwedPrefix, "owed", collections.Uint64Key, collections.Uint64Value),
	}
	schema, err := sb.Build()
	if err != nil {
		return nil, fmt.Errorf("storage keeper: %w", err)
	}
	k.schema = schema
	return k, nil
}

// SetObjectHooks names who is told of copies and knows what objects are about. The
// application calls it once, before the first block. Without it entries name no
// patient and no versions.
func (k *Keeper) SetObjectHooks(h storage.ObjectHooks) { k.hooks = h }

// Params answers the rules of placement.
func (k *Keeper) Params(ctx context.Context) (storage.Params, error) { return k.params.Get(ctx) }

// setParams validates and writes the rules.
func (k *Keeper) setParams(ctx context.Context, p storage.Params) error {
	if err := p.Validate(); err != nil {
		return err
	}
	return k.params.Set(ctx, p)
}

// blockTime is the block's time in unix seconds.
func blockTime(ctx context.Context) int64 { return sdk.UnwrapSDKContext(ctx).BlockTime().Unix() }
