package keeper

import (
	"context"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/storage"
)

// WhyNotRecover answers the reason why the account that signs the message can't take the place of
// the patient's wallet with that vault, or nothing. What is malformed is an error that is
// records.ErrInvalidVault, a vault without another key among it: who lost the wallet does not know
// who has found it.
func (k *Keeper) WhyNotRecover(ctx context.Context, patient string, msg *records.MsgRotateVault) (string, error) {
	if len(msg.VaultKey) == 0 {
		return "", records.ErrInvalidVault.Wrap("a recovered vault needs another key")
	}
	p, err := k.Patient(ctx, patient)
	if err != nil {
		return "", err
	}
	if _, reason, err := k.nextVault(ctx, p, msg); reason != "" || err != nil {
		return reason, err
	}
	return k.WhyNotWallet(ctx, msg.Address)
}

// Recover lets the account that signs the message take the place of the patient's wallet, with
// that vault, and writes the entry. The caller has asked WhyNotRecover.
func (k *Keeper) Recover(ctx context.Context, patient string, msg *records.MsgRotateVault, entry audit.Entry) error {
	r := rotation{entry: entry}
	var err error
	if r.patient, err = k.Patient(ctx, patient); err != nil {
		return err
	}
	if r.next, err = msg.Next(r.patient.Vault); err != nil {
		return err
	}
	if err := k.bind(ctx, &r.patient, msg.Address); err != nil {
		return err
	}
	return k.rotate(ctx, r, msg)
}

// WhyNotKeepShares answers the reason why the block with the shares of guardians can't be brought
// in, or nothing; records.ErrInvalidCID or records.ErrInvalidSize where it is none.
func (k *Keeper) WhyNotKeepShares(ctx context.Context, cid string, size, hospital uint64) (string, error) {
	if size < 1 || size > records.MaxVaultSize {
		return "", records.ErrInvalidSize.Wrapf("guardians' shares: got %d bytes, want 1 to %d", size, records.MaxVaultSize)
	}
	return k.whyNotKeep(ctx, cid, size, hospital)
}

// KeepShares has the block with the shares of a patient's guardians placed as the vault's blob is,
// until the vault is written anew. The caller has asked WhyNotKeepShares, and the vault has none.
func (k *Keeper) KeepShares(ctx context.Context, patient, cid string, size, hospital uint64) error {
	p, err := k.Patient(ctx, patient)
	if err != nil {
		return err
	}
	if p.Vault.Shares != "" {
		return records.ErrInvalidVault.Wrapf("vault of patient %q has guardians' shares", patient)
	}
	p.Vault.Shares = cid
	if err := k.nameVaultBlob(ctx, cid, p); err != nil {
		return err
	}
	if err := k.setVault(ctx, p); err != nil {
		return err
	}
	_, err = k.storage.Place(ctx, storage.Placement{CID: cid, Size: size, Class: records.VaultClass, Member: hospital})
	return err
}

// eraseShares erases the shares of guardians who can open nothing with them any more.
func (k *Keeper) eraseShares(ctx context.Context, cid, patient string) error {
	if cid == "" {
		return nil
	}
	if err := k.setBlock(ctx, records.Block{Cid: cid, Patient: patient}); err != nil {
		return err
	}
	_, err := k.storage.Erase(ctx, []string{cid})
	return err
}

// HasPoint says whether a point was the U of a lock or of a guardian slot.
func (k *Keeper) HasPoint(ctx context.Context, u []byte) (bool, error) { return k.points.Has(ctx, u) }

// NamePoint notes the U of a guardian slot, which nothing may have again.
func (k *Keeper) NamePoint(ctx context.Context, u []byte) error { return k.points.Set(ctx, u) }
