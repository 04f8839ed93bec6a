// Package keeper keeps the network's public keys, their holders, releases and
// shares in state, and handles the messages and queries of the custody module.
package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/store"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/custody"
)

// keyKey is a kind and a generation.
type keyKey = collections.Pair[uint64, uint64]

// keyID is a kind and a generation in a map of Go.
type keyID struct {
	kind       custody.KeyKind
	generation uint64
}

// holderKey is a kind, a generation, a share epoch and an index.
type holderKey = collections.Quad[uint64, uint64, uint64, uint64]

// shareKey is an unlock, a share epoch and an index.
type shareKey = collections.Triple[[]byte, uint64, uint64]

// memberKey is a kind, a generation and a member's number.
type memberKey = collections.Triple[uint64, uint64, uint64]

// partiesKey is a kind, a generation and the numbers of two parties of its round.
type partiesKey = collections.Quad[uint64, uint64, uint64, uint64]

// Keeper reads and writes the state of the module. An unlock's id is a key as its
// 32 bytes.
type Keeper struct {
	audit      Audit
	consortium Consortium
	hooks      custody.ReleaseHooks
	service    store.KVStoreService

	schema collections.Schema
	// params: the bounds
	params collections.Item[custody.Params]
	// keys: (kind, generation) -> key
	keys collections.Map[keyKey, custody.Key]
	// holders: (kind, generation, share epoch, index) -> holder
	holders collections.Map[holderKey, custody.Holder]
	// releases: unlock -> release
	releases collections.Map[[]byte, custody.Release]
	// shares: (unlock, share epoch, index) -> verified share
	shares collections.Map[shareKey, custody.Share]
	// pending: unlock of each release that waits for shares
	pending collections.KeySet[[]byte]

	// rounds: (kind, generation) -> its newest round
	rounds collections.Map[keyKey, custody.Round]
	// running: (kind, generation) of each round that is not done
	running collections.KeySet[keyKey]
	// roundKeys: (kind, generation, receiver) -> round key, 1216 bytes
	roundKeys collections.Map[memberKey, []byte]
	// deals: (kind, generation, dealer) -> deal
	deals collections.Map[memberKey, custody.Deal]
	// subShares: (kind, generation, receiver, dealer) -> sealed sub-share, 1168 bytes
	subShares collections.Map[partiesKey, []byte]
	// spoken: (kind, generation, receiver) who said what it got
	spoken collections.KeySet[memberKey]
	// complaints: (kind, generation, dealer, receiver) -> sub-share in clear, empty until the dealer answers
	complaints collections.Map[partiesKey, []byte]
	// wanted: (kind, generation) of each key whose shares are to be renewed
	wanted collections.KeySet[keyKey]
}

// New opens the module's state in the store.
func New(cdc codec.BinaryCodec, service store.KVStoreService, audit Audit, consortium Consortium) (*Keeper, error) {
	if audit == nil || consortium == nil {
		return nil, errors.New("custody keeper: a neighbour is missing")
	}
	sb := collections.NewSchemaBuilder(service)
	number := collections.Uint64Key
	member := collections.TripleKeyCodec(number, number, number)
	parties := collections.QuadKeyCodec(number, number, number, number)
	k := &Keeper{
		audit: audit, consortium: consortium, service: service,
		params:   collections.NewItem(sb, custody.ParamsPrefix, "params", codec.CollValue[custody.Params](cdc)),
		keys:     collections.NewMap(sb, custody.KeysPrefix, "keys", collections.PairKeyCodec(number, number), codec.CollValue[custody.Key](cdc)),
		holders:  collections.NewMap(sb, custody.HoldersPrefix, "holders", parties, codec.CollValue[custody.Holder](cdc)),
		releases: collections.NewMap(sb, custody.ReleasesPrefix, "releases", collections.BytesKey, codec.CollValue[custody.Release](cdc)),
		shares:   collections.NewMap(sb, custody.SharesPrefix, "shares", collections.TripleKeyCodec(collections.BytesKey, number, number), codec.CollValue[custody.Share](cdc)),
		pending:  collections.NewKeySet(sb, custody.PendingPrefix, "pending", collections.BytesKey),

		rounds:     collections.NewMap(sb, custody.RoundsPrefix, "rounds", collections.PairKeyCodec(number, number), codec.CollValue[custody.Round](cdc)),
		running:    collections.NewKeySet(sb, custody.RunningPrefix, "running", collections.PairKeyCodec(number, number)),
		roundKeys:  collections.NewMap(sb, custody.RoundKeysPrefix, "round_keys", member, collections.BytesValue),
		deals:      collections.NewMap(sb, custody.DealsPrefix, "deals", member, codec.CollValue[custody.Deal](cdc)),
		subShares:  collections.NewMap(sb, custody.SubSharesPrefix, "sub_shares", parties, collections.BytesValue),
		spoken:     collections.NewKeySet(sb, custody.SpokenPrefix, "spoken", member),
		complaints: collections.NewMap(sb, custody.ComplaintsPrefix, "complaints", parties, collections.BytesValue),
		wanted:     collections.NewKeySet(sb, custody.WantedPrefix, "wanted", collections.PairKeyCodec(number, number)),
	}
	schema, err := sb.Build()
	if err != nil {
		return nil, fmt.Errorf("custody keeper: %w", err)
	}
	k.schema = schema
	return k, nil
}

// SetReleaseHooks names who is told of releases and knows what unlocks are about.
// The application calls it once, before the first block. Without it entries name
// no patient and no versions.
func (k *Keeper) SetReleaseHooks(h custody.ReleaseHooks) { k.hooks = h }

// Params answers the bounds.
func (k *Keeper) Params(ctx context.Context) (custody.Params, error) { return k.params.Get(ctx) }

// setParams validates and writes the bounds.
func (k *Keeper) setParams(ctx context.Context, p custody.Params) error {
	if err := p.Validate(); err != nil {
		return err
	}
	return k.params.Set(ctx, p)
}

// blockTime is the block's time in unix seconds.
func blockTime(ctx context.Context) int64 { return sdk.UnwrapSDKContext(ctx).BlockTime().Unix() }
