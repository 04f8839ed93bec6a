package keeper

import (
	"context"
	"errors"
	"strconv"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/storage"
)

// RotateVault gives the signer's vault its next revision, and with a key its next epoch. The
// former blob is erased once enough hospitals hold the new one.
func (s msgServer) RotateVault(ctx context.Context, msg *records.MsgRotateVault) (*records.MsgRotateVaultResponse, error) {
	who, entry, err := s.consortium.Actor(ctx, msg.Address)
	if err != nil {
		return nil, err
	}
	p, err := s.PatientByAddress(ctx, msg.Address)
	if errors.Is(err, records.ErrUnknownPatient) {
		return nil, records.ErrUnauthorized.Wrapf("%q: want a patient's account", msg.Address)
	}
	if err != nil {
		return nil, err
	}
	next, err := msg.Next(p.Vault)
	if err != nil {
		return nil, err
	}
	entry.Kind, entry.Target, entry.Patient = audit.KindVaultWritten, strconv.FormatUint(next.Revision, 10), p.Id
	if next.Epoch > p.Vault.Epoch {
		entry.Kind, entry.Target = audit.KindVaultRotated, strconv.FormatUint(next.Epoch, 10)
	}
	known, err := s.isKnownText(ctx, msg.VaultBlob)
	if err != nil {
		return nil, err
	}
	reason, err := s.whyNotBring(ctx, msg.Hospital, msg.VaultSize, msg.VaultSize)
	switch {
	case err != nil:
		return nil, err
	case !who.Active:
		reason = records.ReasonInactive
	case next.Revision != p.Vault.Revision+1:
		reason = records.ReasonStaleRevision
	case known:
		reason = records.ReasonRepeatedCID
	}
	if reason != "" {
		return &records.MsgRotateVaultResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	former := records.Block{Cid: p.Vault.Blob, Patient: p.Id}
	p.Vault = next
	if err := s.setVault(ctx, p); err != nil {
		return nil, err
	}
	if _, err := s.storage.Place(ctx, storage.Placement{
		CID: next.Blob, Size: msg.VaultSize, Class: records.VaultClass, Member: msg.Hospital,
	}); err != nil {
		return nil, err
	}
	if err := s.replace(ctx, former, next.Blob); err != nil {
		return nil, err
	}
	return &records.MsgRotateVaultResponse{Outcome: audit.OUTCOME_OK}, s.accept(ctx, entry)
}

// setVault writes a patient whose vault has another blob.
func (k *Keeper) setVault(ctx context.Context, p records.Patient) error {
	if err := k.nameVaultBlob(ctx, p.Vault.Blob, p); err != nil {
		return err
	}
	number, err := lock.ParseCanonicalID(p.Id)
	if err != nil {
		return err
	}
	return k.patients.Set(ctx, number.Bytes(), p)
}

// nameVaultBlob notes a vault blob of a patient that must never be named again.
func (k *Keeper) nameVaultBlob(ctx context.Context, text string, p records.Patient) error {
	number, err := lock.ParseCanonicalID(p.Id)
	if err != nil {
		return err
	}
	blob, err := lock.ParseRawCID(text)
	if err != nil {
		return err
	}
	return k.patientsByVaultBlob.Set(ctx, blob.Bytes(), number.Bytes())
}
