package phr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// ReadyVault opens the vault of the patient of a recovery that is ready, and keeps what opens it in Secrets: with the shares that
// guardians gave and the network's half, or where hospitals approved with the recovery code. The caller makes the next one with
// [Client.PrepareVault], which takes another key and this client's wallet, keeps that, and then calls [Client.FinishRecovery].
//
// Errors are ErrNotReady, ErrEnded, ErrSession, ErrVault, ErrProposal and seal.ErrGuardians.
func (c *Client) ReadyVault(ctx context.Context, number uint64, words string) (VaultFile, error) {
	r, err := c.checkRecovery(ctx, c, number)
	if err != nil {
		return VaultFile{}, err
	}
	if err := r.Ready(); err != nil {
		return VaultFile{}, err
	}
	f, err := c.formerVault(ctx, r)
	if err != nil {
		return VaultFile{}, err
	}
	var kv seal.KV
	if r.IsByGuardians() {
		kv, err = c.kvByGuardians(ctx, f, number)
	} else {
		kv, err = f.kvByCode(words)
	}
	if err != nil {
		return VaultFile{}, err
	}
	opened, err := f.open(kv)
	if err != nil {
		return VaultFile{}, err
	}
	if !bytes.Equal(opened.newest.Key.Bytes(), f.Key) {
		return VaultFile{}, fmt.Errorf("the gateway shows another key than the vault has: %w", ErrVault)
	}
	if err := c.drop(vaultSecretOf(f.Revision)); err != nil {
		return VaultFile{}, err
	}
	return f, c.keepVaultSecrets(f, vaultSecrets{KV: kv.Bytes()})
}

// Ready answers ErrNotReady or ErrEnded where the recovery can't be finished now.
func (r Recovery) Ready() error {
	switch r.Status {
	case accessv1.RecoveryStatus_RECOVERY_STATUS_READY:
		return nil
	case accessv1.RecoveryStatus_RECOVERY_STATUS_PROPOSED:
		return fmt.Errorf("recovery %d has %d of %d approvals: %w", r.GetNumber(), len(r.GetApprovals()), r.GetNeeded(), ErrNotReady)
	case accessv1.RecoveryStatus_RECOVERY_STATUS_DELAYED:
		return fmt.Errorf("recovery %d waits until %s: %w", r.GetNumber(), time.Unix(r.GetDue(), 0).UTC().Format(time.RFC3339), ErrNotReady)
	case accessv1.RecoveryStatus_RECOVERY_STATUS_DUE:
		return fmt.Errorf("recovery %d waits for the hospitals' shares: %w", r.GetNumber(), ErrNotReady)
	default:
		return fmt.Errorf("recovery %d: %s: %w", r.GetNumber(), r.Status, ErrEnded)
	}
}

// formerVault reads the vault of a recovery that is ready, as the lost wallet had it.
func (c *Client) formerVault(ctx context.Context, r *checkedRecovery) (VaultFile, error) {
	cid, err := lock.ParseRawCID(r.Vault.GetBlob())
	if err != nil {
		return VaultFile{}, fmt.Errorf("vault: %w: %w", err, ErrVault)
	}
	block, err := c.recoveryBlock(ctx, r.GetNumber(), cid)
	if err != nil {
		return VaultFile{}, fmt.Errorf("vault: %w", err)
	}
	chest, err := seal.DecodeChest(cid, block)
	if err != nil {
		return VaultFile{}, fmt.Errorf("the network has the vault without its slots: %w: %w", err, ErrVault)
	}
	return VaultFile{
		Patient: r.GetPatient(), Address: r.GetFormer(), ChainID: c.chainID, Network: c.network[:], Vault: r.Vault.GetId(), Epoch: r.Vault.GetEpoch(),
		Revision: r.Vault.GetRevision(), Blob: chest.Blob, Key: r.Vault.GetKey(), Slots: slotsOf(chest),
	}, nil
}

// recoveryBlock reads a small block that belongs to a recovery.
func (c *Client) recoveryBlock(ctx context.Context, number uint64, cid lock.CID) ([]byte, error) {
	return c.smallBlock(ctx, cid, url.Values{"recovery": {strconv.FormatUint(number, 10)}})
}

// kvByGuardians joins guardians' shares and the network's half to what opens their slot, and answers the key of the vault's blob.
func (c *Client) kvByGuardians(ctx context.Context, f VaultFile, number uint64) (seal.KV, error) {
	var r *checkedRecovery
	var half lock.Point
	var session *lock.Session
	// A gateway that shows wrong shares, holders or guardians is passed over for another one.
	err := c.tryWhile(ctx, func(err error) bool {
		return elsewhere(err) || errors.Is(err, ErrProposal) || errors.Is(err, lock.ErrShares)
	}, func(ctx context.Context, d *door) error {
		var err error
		if r, err = c.checkRecovery(ctx, d, number); err != nil {
			return err
		}
		if session, err = c.session(r.GetUnlock()); err != nil {
			return err
		}
		if !r.proposal.B.Equal(session.B()) {
			return fmt.Errorf("recovery %d was proposed by another session: %w", number, ErrSession)
		}
		release := lock.Release{Network: c.network, Unlock: r.id, Generation: r.gen, M: []lock.Point{r.proposal.Versions[0].M}}
		combined, err := c.combineRelease(ctx, d, session, release, r.key)
		if err != nil {
			return err
		}
		half = combined.K[0]
		return nil
	})
	if err != nil {
		return seal.KV{}, err
	}
	_, commitments, err := c.slotOf(r.guardians)
	if err != nil {
		return seal.KV{}, err
	}
	shares, err := c.givenShares(ctx, session, r, commitments)
	if err != nil {
		return seal.KV{}, err
	}
	secret, err := seal.JoinGuardians(commitments, shares, half)
	if err != nil {
		return seal.KV{}, err
	}
	_, kv, err := f.openSlot(slotGuardians, func(VaultSlot) (*seal.SlotSecret, error) { return &secret, nil })
	return kv, err
}

// givenShares opens what guardians sealed for a recovery. One that is not there, or is wrong, does not count.
func (c *Client) givenShares(ctx context.Context, session *lock.Session, r *checkedRecovery, commitments lock.Commitments) ([]lock.SecretShare, error) {
	var shares []lock.SecretShare
	var faults error
	for _, a := range r.GetApprovals() {
		share, err := c.givenShare(ctx, session, r, a, commitments)
		if err != nil {
			faults = errors.Join(faults, fmt.Errorf("guardian %s: %w", a.GetGuardian(), err))
			continue
		}
		shares = append(shares, share)
	}
	if len(shares) < len(commitments) {
		return nil, fmt.Errorf("%d of %d guardians' shares are there: %w: %w", len(shares), len(commitments), faults, ErrNotReady)
	}
	return shares, nil
}

func (c *Client) givenShare(ctx context.Context, session *lock.Session, r *checkedRecovery, a *accessv1.RecoveryApproval, commitments lock.Commitments) (lock.SecretShare, error) {
	for i, number := range r.guardians.GetGuardians() {
		if number != a.GetGuardian() {
			continue
		}
		cid, err := lock.ParseRawCID(a.GetCapsule())
		if err != nil {
			return lock.SecretShare{}, err
		}
		capsule, err := c.recoveryBlock(ctx, r.GetNumber(), cid)
		if err != nil {
			return lock.SecretShare{}, err
		}
		return seal.OpenShareCapsule(session.Key(), c.network, r.id, uint64(i)+1, commitments, capsule)
	}
	return lock.SecretShare{}, fmt.Errorf("no guardian: %w", ErrProposal)
}

// PrepareEmptyVault makes a vault for the patient of a recovery that hospitals approved and that is ready, where nobody has the recovery code: with
// a fresh key, to which versions are locked from then on. What was stored before stays shut. It returns the former vault as the network names it and
// the next one, for [Client.FinishRecovery]. Errors are as those of [Client.ReadyVault].
func (c *Client) PrepareEmptyVault(ctx context.Context, number uint64, site string) (VaultFile, *PreparedVault, error) {
	r, err := c.Recovery(ctx, number)
	if err != nil {
		return VaultFile{}, nil, err
	}
	if err := r.Ready(); err != nil {
		return VaultFile{}, nil, err
	}
	if r.IsByGuardians() {
		return VaultFile{}, nil, fmt.Errorf("guardians open the vault of recovery %d: %w", number, ErrVault)
	}
	id, err := lock.ParseCanonicalID(r.Vault.GetId())
	if err != nil {
		return VaultFile{}, nil, fmt.Errorf("vault: %w: %w", err, ErrVault)
	}
	former := VaultFile{
		Patient: r.GetPatient(), Address: r.GetFormer(), ChainID: c.chainID, Network: c.network[:], Vault: r.Vault.GetId(), Epoch: r.Vault.GetEpoch(),
		Revision: r.Vault.GetRevision(), Key: r.Vault.GetKey(),
	}
	vault, err := seal.NewVaultAt(id, former.Epoch+1)
	if err != nil {
		return VaultFile{}, nil, err
	}
	next := former
	next.Revision++
	next.Address = c.key.Address()
	if err := c.drop(vaultSecretOf(next.Revision)); err != nil {
		return VaultFile{}, nil, err
	}
	prepared, err := c.prepareVault(next, vault, c.key, site, nil)
	return former, prepared, err
}

// FinishRecovery uploads the vault that follows the one which [Client.ReadyVault] opened, and has the chain bind the patient to this
// client's account: by it the patient's records open from then on, and the former wallet is of no use any more. Then it makes the guardians known, and deletes what
// opened the former vault and the session. What was stored before is sealed to the vault's former key until [Client.Relock].
func (c *Client) FinishRecovery(ctx context.Context, number uint64, former, next VaultFile) (Receipt, error) {
	r, err := c.Recovery(ctx, number)
	if err != nil {
		return Receipt{}, err
	}
	receipt := Receipt{}
	if r.Status != accessv1.RecoveryStatus_RECOVERY_STATUS_FINISHED {
		if receipt, err = c.takePlace(ctx, number, next); err != nil {
			return receipt, err
		}
	}
	if _, err := c.SetGuardians(ctx, next); err != nil {
		return receipt, fmt.Errorf("guardians: %w", err)
	}
	if r.GetUnlock() != "" {
		if err := c.forget(r.GetUnlock()); err != nil {
			return receipt, err
		}
	}
	return receipt, c.drop(vaultSecretOf(former.Revision))
}

// takePlace uploads the next vault and signs that this account takes the place of the lost wallet.
func (c *Client) takePlace(ctx context.Context, number uint64, next VaultFile) (Receipt, error) {
	cid, block, err := next.block()
	if err != nil {
		return Receipt{}, err
	}
	hospital, err := c.putBlocks(ctx, map[lock.CID][]byte{cid: block})
	if err != nil {
		return Receipt{}, fmt.Errorf("upload vault: %w", err)
	}
	msg := &accessv1.MsgFinishRecovery{
		Account: c.key.Address(), Recovery: number, VaultKey: inParts(next.Key), Revision: next.Revision, VaultBlob: cid.String(),
		VaultSize: uint64(len(block)), Hospital: hospital,
	}
	return c.send(ctx, c.amino, 2*gasBase, msg, &accessv1.MsgFinishRecoveryResponse{})
}
