package keeper

import (
	"context"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/storage"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// StoreVersions stores new records and new versions, all or none. The signer's
// hospital becomes their custodian. A malformed message is an error; one that is
// not allowed is refused for the first version that is at fault, and the refusal
// stands in the log.
func (s msgServer) StoreVersions(ctx context.Context, msg *records.MsgStoreVersions) (*records.MsgStoreVersionsResponse, error) {
	if n := len(msg.Versions); n < 1 || n > records.MaxBatch {
		return nil, records.ErrInvalidBatch.Wrapf("got %d versions, want 1 to %d", n, records.MaxBatch)
	}
	for _, n := range msg.Versions {
		if err := n.Validate(); err != nil {
			return nil, err
		}
	}
	clerk, entry, err := s.consortium.Actor(ctx, msg.Clerk)
	if err != nil {
		return nil, err
	}
	entry.Kind = audit.KindStored
	batch, err := s.newBatch(ctx, clerk)
	if err != nil {
		return nil, err
	}
	for _, n := range msg.Versions {
		reason, err := batch.check(ctx, n)
		if err != nil {
			return nil, err
		}
		if reason != "" {
			return &records.MsgStoreVersionsResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuseVersion(ctx, entry, n, reason)
		}
	}
	return &records.MsgStoreVersionsResponse{Outcome: audit.OUTCOME_OK}, batch.store(ctx, entry, msg.Versions)
}

// store writes the checked versions, has their ciphertext placed, and writes their entries.
func (b *batch) store(ctx context.Context, entry audit.Entry, versions []records.NewVersion) error {
	placements, entries := make([]storage.Placement, len(versions)), make([]audit.Entry, len(versions))
	for i, n := range versions {
		v, r := b.stored(n), b.records[n.Record]
		if err := b.write(ctx, v, r); err != nil {
			return err
		}
		key, err := b.placementKey(ctx, v)
		if err != nil {
			return err
		}
		placements[i] = storage.Placement{
			CID: v.Object, Size: v.Size_, Attached: []string{v.Envelope}, Class: r.Class.Text(), Member: v.Header.Custodian, Key: key,
		}
		entries[i] = entry
		entries[i].Patient = v.Header.Patient
		entries[i].Subjects = []audit.Subject{{Record: v.Record, Version: v.Version}}
		entries[i].Outcome = audit.OUTCOME_OK
	}
	if err := b.storage.PlaceAll(ctx, placements); err != nil {
		return err
	}
	if _, err := b.audit.AppendAll(ctx, entries); err != nil {
		return err
	}
	for _, n := range versions {
		event := &records.EventVersionStored{Record: n.Record, Version: n.Version, Object: n.Object}
		if err := sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(event); err != nil {
			return err
		}
	}
	return nil
}

// write writes a version and its record, which is as the whole batch leaves it.
func (k *Keeper) write(ctx context.Context, v records.Version, r records.Record) error {
	id, err := lock.ParseCanonicalID(v.Record)
	if err != nil {
		return err
	}
	if v.Version == 1 {
		err = k.addRecord(ctx, id, r)
	} else {
		err = k.records.Set(ctx, id.Bytes(), r)
	}
	if err != nil {
		return err
	}
	return k.addVersion(ctx, v)
}

// placementKey is the object of the record's first version, so that versions that share leaves
// lie on the same nodes and only what is new moves between them; empty for that version itself.
func (k *Keeper) placementKey(ctx context.Context, v records.Version) (string, error) {
	if v.Version == 1 {
		return "", nil
	}
	first, err := k.Version(ctx, v.Record, 1)
	return first.Object, err
}

// refuseVersion writes that a version was refused. The entry is about the owner of
// the record where it exists, else about the patient that was named, if there is
// one.
func (k *Keeper) refuseVersion(ctx context.Context, entry audit.Entry, n records.NewVersion, reason string) error {
	id, err := lock.ParseCanonicalID(n.Record)
	if err != nil {
		return err
	}
	known, err := k.records.Has(ctx, id.Bytes())
	if err != nil {
		return err
	}
	if known {
		r, err := k.records.Get(ctx, id.Bytes())
		if err != nil {
			return err
		}
		entry.Patient = r.Patient
	} else if n.Header.Patient != "" {
		patient, err := lock.ParseCanonicalID(n.Header.Patient)
		if err != nil {
			return err
		}
		known, err := k.patients.Has(ctx, patient.Bytes())
		if err != nil {
			return err
		}
		if known {
			entry.Patient = n.Header.Patient
		}
	}
	entry.Subjects = []audit.Subject{{Record: n.Record, Version: n.Version}}
	entry.Outcome, entry.Reason = audit.OUTCOME_REFUSED, reason
	_, err = k.audit.Append(ctx, entry)
	return err
}
