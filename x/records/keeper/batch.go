package keeper

import (
	"context"
	"crypto/sha256"
	"errors"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/storage"
)

// gasPerEncapsulation pays for the proof of one version: some eight
// multiplications on the curve.
const gasPerEncapsulation storetypes.Gas = 5_000

// batch checks the versions of one message against the state and against each
// other, and writes nothing.
type batch struct {
	*Keeper
	clerk   consortium.Principal
	signer  sdk.AccAddress
	now     int64
	params  records.Params
	network lock.Network
	key     custody.Key
	room    storage.Room

	// owners are the vaults of today, by patient; that of the hospital itself stands under no
	// number
	owners map[string]ownerVault
	// grantees are those to whom the owners consented, by patient
	grantees map[string][]records.Grantee
	// records as the versions checked so far leave them, by id
	records map[string]records.Record
	// points and cids of the versions checked so far
	points, cids map[string]bool
	// size of the versions checked so far
	size uint64
}

// ownerVault is an owner's vault key: its SHA-256 hash and its epoch.
type ownerVault struct {
	hash  [sha256.Size]byte
	epoch uint64
}

func hashOf(key []byte) [sha256.Size]byte { return sha256.Sum256(key) }

// newBatch reads what all versions of a message are checked against.
func (k *Keeper) newBatch(ctx context.Context, clerk consortium.Principal) (*batch, error) {
	b := &batch{
		Keeper: k, clerk: clerk, now: blockTime(ctx),
		owners: map[string]ownerVault{}, grantees: map[string][]records.Grantee{}, records: map[string]records.Record{}, points: map[string]bool{}, cids: map[string]bool{},
	}
	var err error
	if b.signer, err = sdk.AccAddressFromBech32(clerk.Address); err != nil {
		return nil, err
	}
	if b.params, err = k.Params(ctx); err != nil {
		return nil, err
	}
	if b.network, err = k.consortium.NetworkID(ctx); err != nil {
		return nil, err
	}
	if b.key, err = k.custody.Key(ctx, custody.KEY_KIND_RECORDS, 0); err != nil {
		return nil, err
	}
	b.room, err = k.storage.Room(ctx, clerk.Hospital)
	return b, err
}

// check answers the reason to refuse a version, or nothing; then it counts as
// stored for those behind it.
func (b *batch) check(ctx context.Context, n records.NewVersion) (string, error) {
	for _, check := range []func(context.Context, records.NewVersion) (string, error){
		b.checkSigner, b.checkOwner, b.checkRecipients, b.checkRecord, b.checkShared, b.checkNovelty, b.checkRoom, b.checkProof, b.checkBox,
	} {
		if reason, err := check(ctx, n); reason != "" || err != nil {
			return reason, err
		}
	}
	b.points[string(n.Header.U)] = true
	b.cids[n.Object], b.cids[n.Envelope] = true, true
	b.size += n.Size_
	r := b.records[n.Record]
	r.Versions = n.Version
	b.records[n.Record] = r
	return "", nil
}

func (b *batch) checkSigner(_ context.Context, n records.NewVersion) (string, error) {
	switch {
	case !b.clerk.Active:
		return records.ReasonInactive, nil
	case b.clerk.Role != consortium.ROLE_CLERK:
		return records.ReasonWrongRole, nil
	case n.Header.Custodian != b.clerk.Hospital:
		return records.ReasonWrongCustodian, nil
	case n.Header.Lock != records.LOCK_OWNER_AND_NETWORK:
		return records.ReasonLockNotAllowed, nil
	case n.Header.Generation != b.key.Generation:
		return records.ReasonStaleGeneration, nil
	case n.Size_ > b.params.MaxSize:
		return records.ReasonTooLarge, nil
	default:
		return "", nil
	}
}

// checkOwner demands that the envelope is sealed to the owner's vault key of
// today: to a stolen or rotated one, the owner would lose the record.
func (b *batch) checkOwner(ctx context.Context, n records.NewVersion) (string, error) {
	vault, known := b.owners[n.Header.Patient]
	if !known {
		key, epoch, err := b.ownerKey(ctx, n.Header)
		if errors.Is(err, records.ErrUnknownPatient) {
			return records.ReasonUnknownOwner, nil
		}
		if err != nil {
			return "", err
		}
		vault = ownerVault{hash: hashOf(key), epoch: epoch}
		b.owners[n.Header.Patient] = vault
	}
	if !records.OwnKeys(n.OwnKeys).Has(vault.hash) {
		return records.ReasonStaleVaultKey, nil
	}
	return "", nil
}

func (b *batch) checkRecord(ctx context.Context, n records.NewVersion) (string, error) {
	r, known := b.records[n.Record]
	if !known {
		var err error
		r, err = b.Record(ctx, n.Record)
		if errors.Is(err, records.ErrUnknownRecord) {
			r, err = records.Record{
				Id: n.Record, OwnerKind: n.Header.OwnerKind, Patient: n.Header.Patient, Custodian: n.Header.Custodian,
				Class: n.Class, Since: b.now,
			}, nil
		}
		if err != nil {
			return "", err
		}
		b.records[n.Record] = r
	}
	switch {
	case n.Header.Custodian != r.Custodian:
		return records.ReasonWrongCustodian, nil
	case !n.Header.IsOf(r):
		return records.ReasonOwnerDiffers, nil
	case n.Class != r.Class:
		return records.ReasonClassDiffers, nil
	case n.Version != r.Versions+1:
		return records.ReasonVersionOutOfOrder, nil
	case n.Version > b.params.MaxVersions:
		return records.ReasonTooManyVersions, nil
	default:
		return "", nil
	}
}

// checkShared demands that the version whose leaves this one names too was not erased: its
// leaves are deleted, save those that a version names which the chain knows by then. One that
// is locked otherwise would lend its leaves the weaker of both locks.
func (b *batch) checkShared(ctx context.Context, n records.NewVersion) (string, error) {
	if n.SharesWith == 0 {
		return "", nil
	}
	v, err := b.Version(ctx, n.Record, n.SharesWith)
	switch {
	case errors.Is(err, records.ErrUnknownVersion):
		return records.ReasonUnknownVersion, nil
	case err != nil:
		return "", err
	case v.Tombstone != nil:
		return records.ReasonErased, nil
	case v.Header.Lock != n.Header.Lock:
		return records.ReasonLockDiffers, nil
	default:
		return "", nil
	}
}

// checkNovelty refuses a U, an object or an envelope that was ever named: a second
// record with the U of a first would be opened by the first one's shares.
func (b *batch) checkNovelty(ctx context.Context, n records.NewVersion) (string, error) {
	known, err := b.Keeper.points.Has(ctx, n.Header.U)
	if err != nil {
		return "", err
	}
	if known || b.points[string(n.Header.U)] {
		return records.ReasonRepeatedPoint, nil
	}
	for _, text := range []string{n.Object, n.Envelope} {
		known, err := b.isKnownText(ctx, text)
		if err != nil {
			return "", err
		}
		if known || b.cids[text] {
			return records.ReasonRepeatedCID, nil
		}
	}
	return "", nil
}

// checkRoom refuses what the hospital may not bring in any more, and what no storage
// node has room for.
func (b *batch) checkRoom(_ context.Context, n records.NewVersion) (string, error) {
	return b.room.Admits(b.size+n.Size_, n.Size_), nil
}

func (b *batch) checkProof(ctx context.Context, n records.NewVersion) (string, error) {
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(gasPerEncapsulation, "encapsulation proof")
	v, err := n.Encapsulation(b.network, b.key.PublicKey, b.signer)
	if err != nil {
		return "", err
	}
	err = v.Verify(n.Proof)
	if errors.Is(err, lock.ErrProof) {
		return records.ReasonBadProof, nil
	}
	return "", err
}

// stored is a checked version as it is kept.
func (b *batch) stored(n records.NewVersion) records.Version {
	return records.Version{
		Record: n.Record, Version: n.Version, Header: n.Header, Envelope: n.Envelope, Object: n.Object, Size_: n.Size_,
		StoredBy: b.clerk.Address, StoredAt: b.now, SharesWith: n.SharesWith, SealedEpoch: b.owners[n.Header.Patient].epoch,
		Box: n.Box,
	}
}

// LockContext answers what a version's lock binds, ctx, and the generation of the
// network's key that it was locked with, gen (docs/custody.md, appendix A).
func (k *Keeper) LockContext(ctx context.Context, v records.Version) (lockContext, generation [64]byte, err error) {
	network, err := k.consortium.NetworkID(ctx)
	if err != nil {
		return lockContext, generation, err
	}
	key, err := k.custody.Key(ctx, custody.KEY_KIND_RECORDS, v.Header.Generation)
	if err != nil {
		return lockContext, generation, err
	}
	return v.Header.LockContext(network, key.PublicKey, v.Record, v.Version)
}

// blockTime is the block's time in unix seconds.
func blockTime(ctx context.Context) int64 { return sdk.UnwrapSDKContext(ctx).BlockTime().Unix() }
