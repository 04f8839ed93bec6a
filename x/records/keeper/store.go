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
	for _, n := range msg.Versions {
		if err := s.store(ctx, entry, batch.stored(n), batch.records[n.Record]); err != nil {
			return nil, err
		}
	}
	return &records.MsgStoreVersionsResponse{Outcome: audit.OUTCOME_OK}, nil
}

// store writes one checked version, has its ciphertext placed, and writes its
// entry. The record is as the whole batch leaves it.
func (k *Keeper) store(ctx context.Context, entry audit.Entry, v records.Version, r records.Record) error {
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
	if err := k.addVersion(ctx, v); err != nil {
		return err
	}
	if _, err := k.storage.Place(ctx, storage.Placement{
		CID: v.Object, Size: v.Size_, Attached: []string{v.Envelope}, Class: r.Class.Text(), Member: v.Header.Custodian,
	}); err != nil {
		return err
	}
	entry.Patient = v.Header.Patient
	entry.Subjects = []audit.Subject{{Record: v.Record, Version: v.Version}}
	entry.Outcome = audit.OUTCOME_OK
	if _, err := k.audit.Append(ctx, entry); err != nil {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&records.EventVersionStored{
		Record: v.Record, Version: v.Version, Object: v.Object,
	})
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
