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
		if r.reason, err = s.WhyNotWallet(ctx, msg.Next); err != nil {
			return nil, err
		}
	}
	if r.reason != "" {
		return &records.MsgRotateWalletResponse{Outcome: audit.OUTCOME_REFUSED, Reason: r.reason}, s.refuse(ctx, r.entry, r.reason)
	}
	if err := s.bind(ctx, &r.patient, msg.Next); err != nil {
		return nil, err
	}
	return &records.MsgRotateWalletResponse{Outcome: audit.OUTCOME_OK}, s.rotate(ctx, r, msg.Vault())
}

// bind lets another account take the place of a patient's wallet; the caller writes the patient.
func (k *Keeper) bind(ctx context.Context, p *records.Patient, next string) error {
	former, err := sdk.AccAddressFromBech32(p.Address)
	if err != nil {
		return err
	}
	account, err := sdk.AccAddressFromBech32(next)
	if err != nil {
		return err
	}
	number, err := lock.ParseCanonicalID(p.Id)
	if err != nil {
		return err
	}
	if err := k.patientsByAddress.Remove(ctx, former); err != nil {
		return err
	}
	if err := k.formerWallets.Set(ctx, former); err != nil {
		return err
	}
	p.Address, p.Closed = account.String(), false
	return k.patientsByAddress.Set(ctx, account, number.Bytes())
}

// WhyNotWallet answers the reason why an account can't become a patient's wallet, or nothing: a
// patient's invitation opened it, and it is and was nobody's.
func (k *Keeper) WhyNotWallet(ctx context.Context, address string) (string, error) {
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
	if r.next, r.reason, err = k.nextVault(ctx, r.patient, msg); err != nil {
		return r, err
	}
	if !who.Active {
		r.reason = records.ReasonInactive
	}
	r.entry = entry
	r.entry.Kind, r.entry.Target, r.entry.Patient = audit.KindVaultWritten, strconv.FormatUint(r.next.Revision, 10), r.patient.Id
	if r.next.Epoch > r.patient.Vault.Epoch {
		r.entry.Kind, r.entry.Target = audit.KindVaultRotated, strconv.FormatUint(r.next.Epoch, 10)
	}
	return r, nil
}

// nextVault is a patient's vault after the message, and the reason why it can't be written, or nothing.
func (k *Keeper) nextVault(ctx context.Context, p records.Patient, msg *records.MsgRotateVault) (records.Vault, string, error) {
	next, err := msg.Next(p.Vault)
	if err != nil {
		return next, "", err
	}
	if next.Revision != p.Vault.Revision+1 {
		return next, records.ReasonStaleRevision, nil
	}
	reason, err := k.whyNotKeep(ctx, msg.VaultBlob, msg.VaultSize, msg.Hospital)
	return next, reason, err
}

// whyNotKeep answers the reason why a block that goes with a vault can't be brought in, or nothing.
func (k *Keeper) whyNotKeep(ctx context.Context, cid string, size, hospital uint64) (string, error) {
	known, err := k.isKnownText(ctx, cid)
	if err != nil {
		return "", err
	}
	if known {
		return records.ReasonRepeatedCID, nil
	}
	return k.whyNotBring(ctx, hospital, size, size)
}

// rotate writes a patient with the next vault, has its blob placed, and writes the entry. What
// guardians could open is gone, and so are their shares.
func (k *Keeper) rotate(ctx context.Context, r rotation, msg *records.MsgRotateVault) error {
	former, shares := records.Block{Cid: r.patient.Vault.Blob, Patient: r.patient.Id}, r.patient.Vault.Shares
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
	if err := k.eraseShares(ctx, shares, r.patient.Id); err != nil {
		return err
	}
	if err := k.accept(ctx, r.entry); err != nil || k.hooks == nil {
		return err
	}
	return k.hooks.VaultWritten(ctx, r.patient.Id)
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
