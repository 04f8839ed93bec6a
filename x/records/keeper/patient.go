package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/storage"
)

// Patient answers the patient of that number; records.ErrInvalidID for a text
// that is no number, records.ErrUnknownPatient where nobody has it.
func (k *Keeper) Patient(ctx context.Context, id string) (records.Patient, error) {
	number, err := lock.ParseCanonicalID(id)
	if err != nil {
		return records.Patient{}, records.ErrInvalidID.Wrapf("patient: %v", err)
	}
	p, err := k.patients.Get(ctx, number.Bytes())
	if errors.Is(err, collections.ErrNotFound) {
		return records.Patient{}, records.ErrUnknownPatient.Wrapf("%q", id)
	}
	return p, err
}

// PatientByAddress answers the patient of a wallet account;
// records.ErrUnknownPatient where the account registered none.
func (k *Keeper) PatientByAddress(ctx context.Context, address string) (records.Patient, error) {
	account, err := sdk.AccAddressFromBech32(address)
	if err != nil {
		return records.Patient{}, records.ErrUnknownPatient.Wrapf("account %q: %v", address, err)
	}
	number, err := k.patientsByAddress.Get(ctx, account)
	if errors.Is(err, collections.ErrNotFound) {
		return records.Patient{}, records.ErrUnknownPatient.Wrapf("account %q", address)
	}
	if err != nil {
		return records.Patient{}, err
	}
	return k.patients.Get(ctx, number)
}

// PatientOf answers the patient number of a wallet account, nothing where it has
// registered none, and whether the wallet has ended. It is what consortium asks to
// say who an account is.
func (k *Keeper) PatientOf(ctx context.Context, address string) (string, bool, error) {
	p, err := k.PatientByAddress(ctx, address)
	if errors.Is(err, records.ErrUnknownPatient) {
		return "", false, nil
	}
	return p.Id, p.Closed, err
}

// CloseWallet ends a patient's wallet: it signs nothing any more, and another one takes its
// place by Recover.
func (k *Keeper) CloseWallet(ctx context.Context, patient string) error {
	p, err := k.Patient(ctx, patient)
	if err != nil {
		return err
	}
	number, err := lock.ParseCanonicalID(p.Id)
	if err != nil {
		return err
	}
	p.Closed = true
	return k.patients.Set(ctx, number.Bytes(), p)
}

// addPatient writes a patient and the ways to find it. The caller has checked
// that number, account, vault and blob are new.
func (k *Keeper) addPatient(ctx context.Context, p records.Patient) error {
	number, err := lock.ParseCanonicalID(p.Id)
	if err != nil {
		return fmt.Errorf("patient: %w", err)
	}
	vault, err := lock.ParseCanonicalID(p.Vault.Id)
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	blob, err := lock.ParseRawCID(p.Vault.Blob)
	if err != nil {
		return fmt.Errorf("vault blob: %w", err)
	}
	account, err := sdk.AccAddressFromBech32(p.Address)
	if err != nil {
		return fmt.Errorf("account: %w", err)
	}
	if err := k.patients.Set(ctx, number.Bytes(), p); err != nil {
		return err
	}
	if err := k.patientsByAddress.Set(ctx, account, number.Bytes()); err != nil {
		return err
	}
	if err := k.patientsByVault.Set(ctx, vault.Bytes(), number.Bytes()); err != nil {
		return err
	}
	if err := k.patientsByVaultBlob.Set(ctx, blob.Bytes(), number.Bytes()); err != nil || p.Vault.Shares == "" {
		return err
	}
	return k.nameVaultBlob(ctx, p.Vault.Shares, p)
}

// RegisterPatient binds the signer's account, opened by a patient's invitation, to
// a patient number and a vault, and has the vault blob placed.
func (s msgServer) RegisterPatient(ctx context.Context, msg *records.MsgRegisterPatient) (*records.MsgRegisterPatientResponse, error) {
	signer, entry, err := s.consortium.Actor(ctx, msg.Address)
	if err != nil {
		return nil, err
	}
	if signer.Role != consortium.ROLE_PATIENT || !signer.Active {
		return nil, records.ErrUnauthorized.Wrapf("%q: want an active account that was invited as a patient", msg.Address)
	}
	number, err := lock.ParseCanonicalID(msg.Patient)
	if err != nil {
		return nil, records.ErrInvalidID.Wrapf("patient: %v", err)
	}
	vault, err := msg.FirstVault()
	if err != nil {
		return nil, err
	}
	if err := s.checkNewPatient(ctx, signer.Address, number, vault); err != nil {
		return nil, err
	}
	// The hospital that invited the patient took the blob in, so its own node has the bytes.
	inviter, err := s.consortium.Inviter(ctx, signer.Address)
	if err != nil {
		return nil, err
	}
	p := records.Patient{Id: msg.Patient, Address: signer.Address, Vault: vault, Since: blockTime(ctx)}
	if err := s.addPatient(ctx, p); err != nil {
		return nil, err
	}
	if _, err := s.storage.Place(ctx, storage.Placement{
		CID: vault.Blob, Size: msg.VaultSize, Class: records.VaultClass, Member: inviter,
	}); err != nil {
		return nil, err
	}
	entry.Kind, entry.Patient, entry.Outcome = audit.KindPatientRegistered, p.Id, audit.OUTCOME_OK
	if _, err := s.audit.Append(ctx, entry); err != nil {
		return nil, err
	}
	return &records.MsgRegisterPatientResponse{}, nil
}

// checkNewPatient answers records.ErrKnownPatient unless the account has no
// patient and number, vault and blob are new.
func (k *Keeper) checkNewPatient(ctx context.Context, address string, number lock.ID, vault records.Vault) error {
	account, err := sdk.AccAddressFromBech32(address)
	if err != nil {
		return records.ErrUnauthorized.Wrapf("account %q: %v", address, err)
	}
	id, err := lock.ParseCanonicalID(vault.Id)
	if err != nil {
		return records.ErrInvalidVault.Wrapf("id: %v", err)
	}
	blob, err := lock.ParseRawCID(vault.Blob)
	if err != nil {
		return records.ErrInvalidVault.Wrapf("blob: %v", err)
	}
	for _, c := range []struct {
		what string
		key  []byte
		has  func(context.Context, []byte) (bool, error)
	}{
		{"account", account, k.patientsByAddress.Has},
		{"former account", account, k.formerWallets.Has},
		{"patient number", number.Bytes(), k.patients.Has},
		{"vault", id.Bytes(), k.patientsByVault.Has},
		{"vault blob", blob.Bytes(), k.isKnownCID},
	} {
		known, err := c.has(ctx, c.key)
		if err != nil {
			return err
		}
		if known {
			return records.ErrKnownPatient.Wrapf("%s is taken", c.what)
		}
	}
	return nil
}
