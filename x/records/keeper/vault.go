package keeper

import (
	"context"
	"errors"
	"strconv"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/storage"
)

// RotateVault gives the signer's vault its next revision, and with a key its next epoch. The
// former blob is erased once enough hospitals hold the new one.
func (s msgServer) RotateVault(ctx context.Context, msg *records.MsgRotateVault) (*records.MsgRotateVaultResponse, error) {
	r, err := s.newRotation(ctx, msg)
	if err != nil {
		return nil, err
	}
	if r.reason != "" {
		return &records.MsgRotateVaultResponse{Outcome: audit.OUTCOME_REFUSED, Reason: r.reason}, s.refuse(ctx, r.entry, r.reason)
	}
	return &records.MsgRotateVaultResponse{Outcome: audit.OUTCOME_OK}, s.rotate(ctx, r, msg)
}

// RotateWallet is RotateVault that binds the patient to another account, too. The former one
// can't become a patient again.
func (s msgServer) RotateWallet(ctx context.Context, msg *records.MsgRotateWallet) (*records.MsgRotateWalletResponse, error) {
	r, err := s.newRotation(ctx, msg.Vault())
	if err != nil {
		return nil, err
	}
	r.entry.Kind, r.entry.Target = audit.KindWalletChanged, msg.Next
	if r.reason == "" {
		if r.reason, err = s.whyNotWallet(ctx, msg.Next); err != nil {
			return nil, err
		}
	}
	if r.reason != "" {
		return &records.MsgRotateWalletResponse{Outcome: audit.OUTCOME_REFUSED, Reason: r.reason}, s.refuse(ctx, r.entry, r.reason)
	}
	former, err := sdk.AccAddressFromBech32(r.patient.Address)
	if err != nil {
		return nil, err
	}
	next, err := sdk.AccAddressFromBech32(msg.Next)
	if err != nil {
		return nil, err
	}
	number, err := lock.ParseCanonicalID(r.patient.Id)
	if err != nil {
		return nil, err
	}
	if err := s.patientsByAddress.Remove(ctx, former); err != nil {
		return nil, err
	}
	if err := s.formerWallets.Set(ctx, former); err != nil {
		return nil, err
	}
	if err := s.patientsByAddress.Set(ctx, next, number.Bytes()); err != nil {
		return nil, err
	}
	r.patient.Address = next.String()
	return &records.MsgRotateWalletResponse{Outcome: audit.OUTCOME_OK}, s.rotate(ctx, r, msg.Vault())
}

// whyNotWallet answers the reason why an account can't become a patient's wallet, or nothing.
func (k *Keeper) whyNotWallet(ctx context.Context, address string) (string, error) {
	p, err := k.consortium.Principal(ctx, address)
	if errors.Is(err, consortium.ErrUnknownAccount) {
		return records.ReasonNotFree, nil
	}
	if err != nil {
		return "", err
	}
	account, err := sdk.AccAddressFromBech32(address)
	if err != nil {
		return "", err
	}
	former, err := k.formerWallets.Has(ctx, account)
	if p.Role != consortium.ROLE_PATIENT || !p.Active || p.Patient != "" || former {
		return records.ReasonNotFree, err
	}
	return "", err
}

// rotation is a message that writes a vault anew, as far as it was checked.
type rotation struct {
	patient records.Patient
	next    records.Vault
	entry   audit.Entry
	// reason to refuse the message, or nothing.
	reason string
}

func (k *Keeper) newRotation(ctx context.Context, msg *records.MsgRotateVault) (rotation, error) {
	var r rotation
	who, entry, err := k.consortium.Actor(ctx, msg.Address)
	if err != nil {
		return r, err
	}
	r.patient, err = k.PatientByAddress(ctx, msg.Address)
	if errors.Is(err, records.ErrUnknownPatient) {
		return r, records.ErrUnauthorized.Wrapf("%q: want a patient's account", msg.Address)
	}
	if err != nil {
		return r, err
	}
	if r.next, err = msg.Next(r.patient.Vault); err != nil {
		return r, err
	}
	r.entry = entry
	r.entry.Kind, r.entry.Target, r.entry.Patient = audit.KindVaultWritten, strconv.FormatUint(r.next.Revision, 10), r.patient.Id
	if r.next.Epoch > r.patient.Vault.Epoch {
		r.entry.Kind, r.entry.Target = audit.KindVaultRotated, strconv.FormatUint(r.next.Epoch, 10)
	}
	known, err := k.isKnownText(ctx, msg.VaultBlob)
	if err != nil {
		return r, err
	}
	r.reason, err = k.whyNotBring(ctx, msg.Hospital, msg.VaultSize, msg.VaultSize)
	switch {
	case !who.Active:
		r.reason = records.ReasonInactive
	case r.next.Revision != r.patient.Vault.Revision+1:
		r.reason = records.ReasonStaleRevision
	case known:
		r.reason = records.ReasonRepeatedCID
	}
	return r, err
}

// rotate writes a patient with the next vault, has its blob placed, and writes the entry.
func (k *Keeper) rotate(ctx context.Context, r rotation, msg *records.MsgRotateVault) error {
	former := records.Block{Cid: r.patient.Vault.Blob, Patient: r.patient.Id}
	r.patient.Vault = r.next
	if err := k.setVault(ctx, r.patient); err != nil {
		return err
	}
	if _, err := k.storage.Place(ctx, storage.Placement{
		CID: r.next.Blob, Size: msg.VaultSize, Class: records.VaultClass, Member: msg.Hospital,
	}); err != nil {
		return err
	}
	if err := k.replace(ctx, former, r.next.Blob); err != nil {
		return err
	}
	return k.accept(ctx, r.entry)
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
