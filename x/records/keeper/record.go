package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/records"
)

// Record answers a record; records.ErrInvalidID for a text that is no id,
// records.ErrUnknownRecord where there is none.
func (k *Keeper) Record(ctx context.Context, id string) (records.Record, error) {
	key, err := lock.ParseCanonicalID(id)
	if err != nil {
		return records.Record{}, records.ErrInvalidID.Wrapf("record: %v", err)
	}
	r, err := k.records.Get(ctx, key.Bytes())
	if errors.Is(err, collections.ErrNotFound) {
		return records.Record{}, records.ErrUnknownRecord.Wrapf("%q", id)
	}
	return r, err
}

// Version answers one version of a record, 0 for the newest; records.ErrInvalidID,
// records.ErrUnknownRecord or records.ErrUnknownVersion where there is none.
func (k *Keeper) Version(ctx context.Context, record string, version uint64) (records.Version, error) {
	if version == 0 {
		r, err := k.Record(ctx, record)
		if err != nil {
			return records.Version{}, err
		}
		version = r.Versions
	}
	key, err := lock.ParseCanonicalID(record)
	if err != nil {
		return records.Version{}, records.ErrInvalidID.Wrapf("record: %v", err)
	}
	v, err := k.versions.Get(ctx, collections.Join(key.Bytes(), version))
	if errors.Is(err, collections.ErrNotFound) {
		return records.Version{}, records.ErrUnknownVersion.Wrapf("%q version %d", record, version)
	}
	return v, err
}

// addVersion writes a version and everything in it that must never be seen again.
// The caller has checked that all of it is new and in order, and writes the record.
func (k *Keeper) addVersion(ctx context.Context, v records.Version) error {
	id, err := lock.ParseCanonicalID(v.Record)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	object, err := lock.ParseDagCID(v.Object)
	if err != nil {
		return fmt.Errorf("object: %w", err)
	}
	key := collections.Join(id.Bytes(), v.Version)
	if err := k.versions.Set(ctx, key, v); err != nil {
		return err
	}
	if err := k.versionsByObject.Set(ctx, object.Bytes(), key); err != nil {
		return err
	}
	if err := k.nameEnvelope(ctx, v.Envelope); err != nil {
		return err
	}
	if v.Tombstone == nil {
		if err := k.countLock(ctx, v.Header, 1); err != nil {
			return err
		}
	}
	if v.Box != nil {
		if err := k.points.Set(ctx, v.Box.U); err != nil {
			return err
		}
	}
	return k.points.Set(ctx, v.Header.U)
}

// nameEnvelope notes an envelope that must never be named again.
func (k *Keeper) nameEnvelope(ctx context.Context, text string) error {
	envelope, err := lock.ParseRawCID(text)
	if err != nil {
		return fmt.Errorf("envelope: %w", err)
	}
	return k.envelopes.Set(ctx, envelope.Bytes())
}

// keyOf is a version's key.
func keyOf(v records.Version) (versionKey, error) {
	id, err := lock.ParseCanonicalID(v.Record)
	if err != nil {
		return versionKey{}, fmt.Errorf("record: %w", err)
	}
	return collections.Join(id.Bytes(), v.Version), nil
}

// addRecord writes a new record and the ways to find it.
func (k *Keeper) addRecord(ctx context.Context, id lock.ID, r records.Record) error {
	if err := k.records.Set(ctx, id.Bytes(), r); err != nil {
		return err
	}
	if r.Patient != "" {
		patient, err := lock.ParseCanonicalID(r.Patient)
		if err != nil {
			return fmt.Errorf("patient: %w", err)
		}
		if err := k.recordsByPatient.Set(ctx, collections.Join(patient.Bytes(), id.Bytes())); err != nil {
			return err
		}
	}
	return k.recordsByCustodian.Set(ctx, collections.Join(r.Custodian, id.Bytes()))
}

// isKnownText is isKnownCID of a CID's text.
func (k *Keeper) isKnownText(ctx context.Context, text string) (bool, error) {
	cid, err := lock.ParseCID(text)
	if err != nil {
		return false, records.ErrInvalidCID.Wrap(err.Error())
	}
	return k.isKnownCID(ctx, cid.Bytes())
}

// isKnownCID says whether the block was named before, as an object, an envelope
// or a vault blob.
func (k *Keeper) isKnownCID(ctx context.Context, cid []byte) (bool, error) {
	for _, has := range []func(context.Context, []byte) (bool, error){
		k.versionsByObject.Has, k.envelopes.Has, k.patientsByVaultBlob.Has,
	} {
		if known, err := has(ctx, cid); known || err != nil {
			return known, err
		}
	}
	return false, nil
}
