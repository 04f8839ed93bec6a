package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/records"
)

// Subject says whom and what an object is about, for entries of the storage
// module: the owner's patient number, empty for a hospital's own, and the version
// whose ciphertext or envelope it is, none for a vault blob. It answers
// records.ErrUnknownVersion for an object that no version and no vault names.
func (k *Keeper) Subject(ctx context.Context, cid string) (string, []audit.Subject, error) {
	root, err := lock.ParseCID(cid)
	if err != nil {
		return "", nil, records.ErrInvalidCID.Wrap(err.Error())
	}
	key, err := k.versionsByObject.Get(ctx, root.Bytes())
	if err == nil {
		v, err := k.versions.Get(ctx, key)
		if err != nil {
			return "", nil, err
		}
		return v.Header.Patient, []audit.Subject{{Record: v.Record, Version: v.Version}}, nil
	}
	if !errors.Is(err, collections.ErrNotFound) {
		return "", nil, err
	}
	b, err := k.blocks.Get(ctx, root.Bytes())
	if err == nil && b.Record != "" {
		v, err := k.Version(ctx, b.Record, b.Version)
		return v.Header.Patient, []audit.Subject{{Record: v.Record, Version: v.Version}}, err
	}
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return "", nil, err
	}
	number, err := k.patientsByVaultBlob.Get(ctx, root.Bytes())
	if errors.Is(err, collections.ErrNotFound) {
		return "", nil, records.ErrUnknownVersion.Wrapf("object %q", cid)
	}
	if err != nil {
		return "", nil, err
	}
	patient, err := lock.IDFromBytes(number)
	if err != nil {
		return "", nil, fmt.Errorf("patient of object %q: %w", cid, err)
	}
	return patient.String(), nil, nil
}

// CopyChanged tells those who wait for a version's copies how many are held now. Copies of an
// envelope or a vault blob are told to nobody, but what one of them replaces is erased once
// enough hospitals hold it.
func (k *Keeper) CopyChanged(ctx context.Context, cid string, held, target uint32) error {
	root, err := lock.ParseCID(cid)
	if err != nil {
		return records.ErrInvalidCID.Wrap(err.Error())
	}
	key, err := k.versionsByObject.Get(ctx, root.Bytes())
	if errors.Is(err, collections.ErrNotFound) {
		return k.noteCopied(ctx, root)
	}
	if err != nil {
		return err
	}
	record, err := lock.IDFromBytes(key.K1())
	if err != nil {
		return fmt.Errorf("record of object %q: %w", cid, err)
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&records.EventCopiesChanged{
		Record: record.String(), Version: key.K2(), Held: held, Target: target,
	})
}
