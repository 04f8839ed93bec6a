package phr

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"google.golang.org/protobuf/proto"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// PreparedVault is a vault that is ready to go to the network.
type PreparedVault struct {
	// File goes to the patient's home.
	File VaultFile
	// Code is the recovery code, 24 words, to be written down. It is kept nowhere.
	Code string
	// WalletSlot says whether the wallet can open the vault too: it gave the same signature twice.
	WalletSlot bool
}

// prepareVault seals a vault under a fresh key as the revision of the file, makes a recovery code, unless site is empty a slot for the
// wallet of its account, and where there are guardians one for them, and keeps what opens the vault in Secrets.
func (c *Client) prepareVault(f VaultFile, vault *seal.Vault, wallet Wallet, site string, guardians *guardianVaults) (*PreparedVault, error) {
	number, err := lock.ParseID(f.Patient)
	if err != nil {
		return nil, fmt.Errorf("patient: %w: %w", err, ErrVault)
	}
	kv, err := seal.NewKV()
	if err != nil {
		return nil, err
	}
	if f.Blob, err = vault.Seal(c.network, f.Revision, kv); err != nil {
		return nil, err
	}
	f.Epoch, f.Key, f.Slots, f.Guardians = vault.Newest(), vault.Public(seal.PatientRecipient(number)).Key.Bytes(), nil, nil
	p := &PreparedVault{File: f}
	kept := vaultSecrets{KV: kv.Bytes()}
	if site != "" {
		pepper, err := seal.NewPepper()
		if err != nil {
			return nil, err
		}
		if p.WalletSlot, err = p.File.addWallet(wallet, site, pepper, kv); err != nil {
			return nil, err
		}
		if p.WalletSlot {
			kept.Pepper = pepper.Bytes()
		}
	}
	if p.Code, err = p.File.addCode(kv); err != nil {
		return nil, err
	}
	if guardians != nil {
		if err := p.File.addGuardians(guardians, kv); err != nil {
			return nil, err
		}
	}
	return p, c.keepVaultSecrets(p.File, kept)
}

// VaultChange says how a vault is written anew. Its blob is sealed under a fresh key and has fresh slots in any case, so that none of
// the former ones opens it.
type VaultChange struct {
	// NewKey gives the vault another key, to which versions are locked from then on. Those that were stored before stay sealed to the
	// former one until [Client.Reseal] or, where somebody else may have that key, [Client.Relock].
	NewKey bool
	// Site of the wallet's slot; empty for a vault that the wallet does not open.
	Site string
	// Retire are the epochs whose keys are deleted. What is sealed to one of them alone can't be opened any more.
	Retire []uint64
	// Wallet takes the place of the patient's own, nil where that stays. An invitation has opened its account, which is nobody's yet; it is the
	// patient's from then on, and the former one is of no use any more.
	Wallet Wallet
	// Guardians of the vault as it will be; nil for those whom it has, and empty for none.
	Guardians *Guardians
}

// PrepareVault makes the next revision of a vault that this program can open, with another recovery code, and keeps what opens it in
// Secrets. Nothing of it leaves the program; the network is asked for the guardians and their keys. The caller keeps the file beside the
// former one, shows the code, and then calls [Client.WriteVault]. What an earlier call prepared and did not write is given up. The error is
// ErrVault, or ErrDisagree where two hospitals show other keys of the guardians.
func (c *Client) PrepareVault(ctx context.Context, f VaultFile, change VaultChange) (*PreparedVault, error) {
	v, err := c.OpenVault(f)
	if err != nil {
		return nil, err
	}
	guardians, err := c.guardiansFor(ctx, f.Patient, change.Guardians)
	if err != nil {
		return nil, err
	}
	next := f
	next.Revision++
	if err := c.drop(vaultSecretOf(next.Revision)); err != nil {
		return nil, err
	}
	if change.NewKey {
		if _, err := v.sealed.Rotate(); err != nil {
			return nil, err
		}
	}
	if err := v.sealed.Retire(change.Retire...); err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrVault)
	}
	wallet := c.key
	if change.Wallet != nil {
		wallet, next.Address = change.Wallet, change.Wallet.Address()
	}
	return c.prepareVault(next, v.sealed, wallet, change.Site, guardians)
}

// WriteVault uploads the next revision of a vault and has the chain name it in place of the former one, which the hospitals delete once
// enough of them hold the new one, and makes its guardians known. Then what opens the former one is deleted from Secrets, and the caller puts
// the file in the place of the former one. After a crash in between, [Client.SettleVault] tells which of them it is. The error is *Refused where another program
// wrote the vault meanwhile.
func (c *Client) WriteVault(ctx context.Context, former, next VaultFile) (Receipt, error) {
	cid, block, err := next.block()
	if err != nil {
		return Receipt{}, err
	}
	hospital, err := c.putBlocks(ctx, map[lock.CID][]byte{cid: block})
	if err != nil {
		return Receipt{}, fmt.Errorf("upload vault: %w", err)
	}
	var key [][]byte
	if next.Epoch != former.Epoch {
		key = inParts(next.Key)
	}
	var msg, answer proto.Message = &recordsv1.MsgRotateVault{
		Address: c.key.Address(), VaultKey: key, Revision: next.Revision, VaultBlob: cid.String(), VaultSize: uint64(len(block)), Hospital: hospital,
	}, &recordsv1.MsgRotateVaultResponse{}
	if next.Address != former.Address {
		msg, answer = &recordsv1.MsgRotateWallet{
			Address: c.key.Address(), Next: next.Address, VaultKey: key, Revision: next.Revision, VaultBlob: cid.String(), VaultSize: uint64(len(block)), Hospital: hospital,
		}, &recordsv1.MsgRotateWalletResponse{}
	}
	receipt, err := c.send(ctx, c.amino, 2*gasBase, msg, answer)
	if err != nil {
		return receipt, err
	}
	if next.Address == c.key.Address() {
		if _, err := c.SetGuardians(ctx, next); err != nil {
			return receipt, fmt.Errorf("guardians: %w", err)
		}
	}
	return receipt, c.secrets.Delete(vaultSecretOf(former.Revision))
}

// SettleVault tells which of two files of a vault the chain names, after [Client.WriteVault] was cut short, and deletes what opens the
// other one. The error is ErrVault where it names neither: another program wrote the vault, see [Client.RecoverVault].
func (c *Client) SettleVault(ctx context.Context, former, next VaultFile) (VaultFile, error) {
	p, err := c.Patient(ctx, former.Patient)
	if err != nil {
		return VaultFile{}, err
	}
	kept, gone := former, next
	if p.GetVault().GetRevision() == next.Revision {
		kept, gone = next, former
	}
	cid, _, err := kept.block()
	if err != nil {
		return VaultFile{}, err
	}
	// The first programs brought the blob without its slots.
	alone := lock.RawCID(sha256.Sum256(kept.Blob))
	if blob := p.GetVault().GetBlob(); blob != cid.String() && blob != alone.String() {
		return VaultFile{}, fmt.Errorf("another program wrote the vault, it has revision %d: %w", p.GetVault().GetRevision(), ErrVault)
	}
	if kept.Address == c.key.Address() {
		if _, err := c.SetGuardians(ctx, kept); err != nil {
			return VaultFile{}, fmt.Errorf("guardians: %w", err)
		}
	}
	return kept, c.drop(vaultSecretOf(gone.Revision))
}

// RecoverVault opens the vault of the account's patient as the network has it, with the recovery code, on a device that has the wallet
// and nothing else, and keeps what opens it in Secrets, in place of what they had for it. The caller keeps the file. The wallet's slot needs a
// pepper that is not there: [Client.CollectPepper] gets it from the hospital that keeps it. The error is ErrVault where the code does not open it.
func (c *Client) RecoverVault(ctx context.Context, words string) (VaultFile, error) {
	f, err := c.networkVault(ctx)
	if err != nil {
		return VaultFile{}, err
	}
	kv, err := f.kvByCode(words)
	if err != nil {
		return VaultFile{}, err
	}
	if f, err = f.WithCode(words); err != nil {
		return VaultFile{}, err
	}
	return f, c.takeVault(f, vaultSecrets{KV: kv.Bytes()})
}

// networkVault is the vault of the account's patient as the network has it, shut.
func (c *Client) networkVault(ctx context.Context) (VaultFile, error) {
	p, err := c.self(ctx)
	if err != nil {
		return VaultFile{}, fmt.Errorf("account %s: %w", c.key.Address(), err)
	}
	v := p.GetVault()
	cid, err := lock.ParseRawCID(v.GetBlob())
	if err != nil {
		return VaultFile{}, fmt.Errorf("vault: %w: %w", err, ErrVault)
	}
	block, err := c.smallBlock(ctx, cid, nil)
	if err != nil {
		return VaultFile{}, fmt.Errorf("vault: %w", err)
	}
	chest, err := seal.DecodeChest(cid, block)
	if err != nil {
		return VaultFile{}, fmt.Errorf("the network has the vault without its slots: %w: %w", err, ErrVault)
	}
	return VaultFile{
		Patient: p.GetId(), Address: c.key.Address(), ChainID: c.chainID, Network: c.network[:], Vault: v.GetId(), Epoch: v.GetEpoch(),
		Revision: v.GetRevision(), Blob: chest.Blob, Key: v.GetKey(), Slots: slotsOf(chest),
	}, nil
}

// takeVault keeps what opens a vault that the network has, once it has opened it and found the key that the network shows.
func (c *Client) takeVault(f VaultFile, kept vaultSecrets) error {
	kv, err := seal.KVFromBytes(kept.KV)
	if err != nil {
		return fmt.Errorf("%w: %w", err, ErrVault)
	}
	opened, err := f.open(kv)
	if err != nil {
		return err
	}
	if !bytes.Equal(opened.newest.Key.Bytes(), f.Key) {
		return fmt.Errorf("the gateway shows another key than the vault has: %w", ErrVault)
	}
	// A try that was cut may have kept it before the caller kept the file.
	if err := c.drop(vaultSecretOf(f.Revision)); err != nil {
		return err
	}
	return c.keepVaultSecrets(f, kept)
}
