package phr

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"time"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"
	"google.golang.org/grpc"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
	"github.com/phrd/phrd/wallet"
)

// Recovery is a proposal to let another account take the place of a wallet that is lost, or that is somebody else's, and where it stands.
type Recovery struct {
	*accessv1.Recovery
	// Status at the newest block.
	Status accessv1.RecoveryStatus
	// Vault is the patient's, once the recovery is ready; for the account that proposed it alone.
	Vault *recordsv1.Vault
}

// IsByGuardians tells whether the patient's guardians approve it; else officers of several hospitals do.
func (r Recovery) IsByGuardians() bool {
	return r.GetWay() == accessv1.RecoveryWay_RECOVERY_WAY_GUARDIANS
}

// IsOpen tells whether the recovery can still be finished.
func (r Recovery) IsOpen() bool {
	return r.Status >= accessv1.RecoveryStatus_RECOVERY_STATUS_PROPOSED && r.Status <= accessv1.RecoveryStatus_RECOVERY_STATUS_READY
}

// Recovery is a recovery by its number. The patient, who proposed it, its guardians and officers may ask.
func (c *Client) Recovery(ctx context.Context, number uint64) (Recovery, error) {
	return recoveryAt(ctx, c, number)
}

func recoveryAt(ctx context.Context, conn grpc.ClientConnInterface, number uint64) (Recovery, error) {
	answer, err := accessv1.NewQueryClient(conn).Recovery(ctx, &accessv1.QueryRecoveryRequest{Number: number})
	return Recovery{answer.GetRecovery(), answer.GetStatus(), answer.GetVault()}, err
}

// RecoveryFilter says which recoveries are wanted: exactly one of them.
type RecoveryFilter struct {
	// Patient and Guardian are patient numbers, Account is the address of who proposed it.
	Patient, Account, Guardian string
	// Open asks for all that have not ended; officers may.
	Open bool
}

// Recoveries lists recoveries, newest first.
func (c *Client) Recoveries(ctx context.Context, f RecoveryFilter) iter.Seq2[Recovery, error] {
	return pages(ctx, func(ctx context.Context, page *queryv1.PageRequest) ([]Recovery, *queryv1.PageResponse, error) {
		answer, err := accessv1.NewQueryClient(c).Recoveries(ctx, &accessv1.QueryRecoveriesRequest{
			Patient: f.Patient, Account: f.Account, Guardian: f.Guardian, Open: f.Open, Pagination: page,
		})
		found := make([]Recovery, len(answer.GetRecoveries()))
		for i, r := range answer.GetRecoveries() {
			found[i] = Recovery{r.GetRecovery(), r.GetStatus(), nil}
		}
		return found, answer.GetPagination(), err
	})
}

// RecoveryRequest says whose wallet is to be taken over.
type RecoveryRequest struct {
	// Patient is the patient's number.
	Patient string
	// Wait is how long approvals may take beside the delay, above zero.
	Wait time.Duration
	// Until is until when the client acts for the patient, whole seconds: a child whose parents lost the wallet, or an adult who can't decide. The
	// zero time where the client is the patient.
	Until time.Time
}

// ProposeRecovery asks to let the client's account take the place of a patient's wallet, and returns the recovery's number. An
// invitation as for a new patient has opened the account, and it is nobody's yet. Where the patient has guardians they approve, and the
// session that receives their shares and the network's half is kept in Secrets; else officers of several hospitals do, and so they do where
// somebody else has the wallet and the patient takes it over, or a representative comes after another. It ends by itself
// the wait after its delay. The error is *Refused where the chain does not take it.
func (c *Client) ProposeRecovery(ctx context.Context, q RecoveryRequest) (uint64, error) {
	if q.Wait <= 0 {
		return 0, fmt.Errorf("wait of %s: %w", q.Wait, lock.ErrField)
	}
	now, err := c.blockTime(ctx)
	if err != nil {
		return 0, err
	}
	msg := &accessv1.MsgProposeRecovery{Account: c.key.Address(), Patient: q.Patient, Until: untilText(q.Until)}
	named, err := c.recoveryGuardians(ctx, q)
	if err != nil {
		return 0, err
	}
	if named == nil {
		params, err := accessv1.NewQueryClient(c).Params(ctx, &accessv1.QueryParamsRequest{})
		if err != nil {
			return 0, err
		}
		delay := time.Duration(params.GetParams().GetRecoveryDelay()) * time.Second // #nosec G115 -- bounded by the chain
		if delay == 0 {
			delay = defaultRecoveryDelay
		}
		msg.ExpiresAt = now.Add(delay + q.Wait).Unix()
		return c.proposeRecovery(ctx, msg)
	}
	msg.ExpiresAt = now.Add(time.Duration(named.GetDelay())*time.Second + q.Wait).Unix() // #nosec G115 -- bounded by the chain
	id, err := c.askSlot(ctx, msg, named)
	if err != nil {
		return 0, err
	}
	number, err := c.proposeRecovery(ctx, msg)
	var refused *Refused
	if errors.As(err, &refused) {
		return 0, errors.Join(err, c.forget(id))
	}
	return number, err
}

// recoveryGuardians are the guardians who are to approve a recovery, nil where hospitals are.
func (c *Client) recoveryGuardians(ctx context.Context, q RecoveryRequest) (*accessv1.Guardians, error) {
	h, err := c.HandOver(ctx, q.Patient)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if err == nil && (h.GetClosed() || h.GetRepresentative() || q.Until.IsZero()) {
		return nil, nil
	}
	named, err := c.PatientGuardians(ctx, q.Patient)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return named, err
}

// defaultRecoveryDelay holds where the network's rules name no other.
const defaultRecoveryDelay = 7 * 24 * time.Hour

func (c *Client) proposeRecovery(ctx context.Context, msg *accessv1.MsgProposeRecovery) (uint64, error) {
	answer := &accessv1.MsgProposeRecoveryResponse{}
	_, err := c.send(ctx, c.amino, 2*gasBase, msg, answer)
	return answer.GetRecovery(), err
}

// askSlot fills in the request for the network's half of a guardian slot, hands in the session's public key, and answers the hash
// under which Secrets keep the session.
func (c *Client) askSlot(ctx context.Context, msg *accessv1.MsgProposeRecovery, named *accessv1.Guardians) (string, error) {
	slot, _, err := c.guardianSlot(ctx, c, named)
	if err != nil {
		return "", err
	}
	session, err := newSession()
	if err != nil {
		return "", err
	}
	msg.RequestKey, msg.B, msg.M = session.Key().Public().CID().String(), session.B().Bytes(), session.Blind(slot.U).Bytes()
	p, err := recoveryProposal(c.network, slot, named, msg.Account, msg.ExpiresAt, msg.RequestKey, msg.B, msg.M)
	if err != nil {
		return "", err
	}
	if msg.Proof, err = session.Prove(p, rand.Reader); err != nil {
		return "", err
	}
	sum := p.ID()
	id := hex.EncodeToString(sum[:])
	return id, c.keepSession(ctx, session, id)
}

// guardianSlot is what the proof of a guardian slot speaks for, and the network's key that it is under. It has checked the proof.
func (c *Client) guardianSlot(ctx context.Context, conn grpc.ClientConnInterface, g *accessv1.Guardians) (s lock.GuardianSlot, key *custodyv1.Key, err error) {
	at, commitments, err := c.slotOf(g)
	if err != nil {
		return s, nil, fmt.Errorf("%w: %w", err, ErrProposal)
	}
	generation, key, err := generationOf(ctx, c.network, custodyv1.NewQueryClient(conn), custodyv1.KeyKind_KEY_KIND_GUARDIANS, g.GetGeneration())
	if err != nil {
		return s, nil, err
	}
	if s.Generation, err = generation.Hash(); err != nil {
		return s, nil, err
	}
	if s.Context, err = lock.GuardianContext(c.network, at.Vault, at.Slot, at.Revision, s.Generation); err != nil {
		return s, nil, fmt.Errorf("%w: %w", err, ErrProposal)
	}
	s.A0, s.Signer = commitments[0], at.Account
	if s.U, err = lock.ParseEncapsulation(g.GetU()); err == nil {
		s.UBar, err = lock.ParsePoint(g.GetUBar())
	}
	if err == nil {
		err = s.Verify(g.GetProof())
	}
	if err != nil {
		return s, nil, fmt.Errorf("guardians' slot: %w: %w", err, ErrProposal)
	}
	return s, key, nil
}

// recoveryProposal is a request for the network's half of a guardian slot in the form that its hash covers.
func recoveryProposal(
	network lock.Network, slot lock.GuardianSlot, g *accessv1.Guardians, account string, expires int64, requestKey string, b, m []byte,
) (p lock.Proposal, err error) {
	address, err := wallet.ParseAddress(account)
	if err != nil {
		return p, err
	}
	if expires <= 0 {
		return p, fmt.Errorf("expiry %d: %w", expires, lock.ErrField)
	}
	p = lock.Proposal{Network: network, Requester: [wallet.AddressSize]byte(address), Purpose: purposeGuardian, Expiry: uint64(expires)}
	v := lock.ProposedVersion{Number: g.GetRevision(), Context: slot.Context, U: slot.U}
	if v.Record, err = lock.ParseCanonicalID(g.GetVault()); err != nil {
		return p, err
	}
	if v.M, err = lock.ParsePoint(m); err != nil {
		return p, err
	}
	if p.B, err = lock.ParseEncapsulation(b); err != nil {
		return p, err
	}
	if p.RequestKeyCID, err = lock.ParseRawCID(requestKey); err != nil {
		return p, err
	}
	p.Versions = []lock.ProposedVersion{v}
	return p, p.Validate()
}

// checkedRecovery is a recovery by guardians whose unlock was recomputed from the fields that it shows.
type checkedRecovery struct {
	Recovery
	guardians *accessv1.Guardians
	proposal  lock.Proposal
	id        [32]byte
	gen       [64]byte
	key       *custodyv1.Key
}

// checkRecovery reads a recovery and, where guardians approve it and it is open, them, over one connection, and recomputes its unlock from them. The
// error is ErrProposal where they do not give it, or a proof does not hold.
func (c *Client) checkRecovery(ctx context.Context, conn grpc.ClientConnInterface, number uint64) (*checkedRecovery, error) {
	read, err := recoveryAt(ctx, conn, number)
	if err != nil {
		return nil, err
	}
	r := &checkedRecovery{Recovery: read}
	// Of one that has ended the guardians may be others, or none.
	if !r.IsByGuardians() || !r.IsOpen() {
		return r, nil
	}
	if r.id, err = parseUnlockID(r.GetUnlock()); err != nil {
		return nil, err
	}
	answer, err := accessv1.NewQueryClient(conn).Guardians(ctx, &accessv1.QueryGuardiansRequest{Patient: r.GetPatient()})
	if err != nil {
		return nil, fmt.Errorf("guardians: %w", err)
	}
	r.guardians = answer.GetGuardians()
	slot, key, err := c.guardianSlot(ctx, conn, r.guardians)
	if err != nil {
		return nil, err
	}
	r.key, r.gen = key, slot.Generation
	if r.proposal, err = recoveryProposal(c.network, slot, r.guardians, r.GetAccount(), r.GetExpiresAt(), r.GetRequestKey(), r.GetB(), r.GetM()); err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrProposal)
	}
	if got := r.proposal.ID(); got != r.id {
		return nil, fmt.Errorf("what is shown hashes to %x, not %s: %w", got, r.GetUnlock(), ErrProposal)
	}
	if err := r.proposal.Verify(r.GetProof()); err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrProposal)
	}
	return r, nil
}

// CancelRecovery ends a recovery at any time before it is finished: with the patient's wallet, with the account that proposed it, or as an officer of
// the hospital that invited that account. The error is *Refused otherwise.
func (c *Client) CancelRecovery(ctx context.Context, number uint64) (Receipt, error) {
	msg := &accessv1.MsgCancelRecovery{Signer: c.key.Address(), Recovery: number}
	return c.send(ctx, c.amino, gasBase, msg, &accessv1.MsgCancelRecoveryResponse{})
}

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
	return f.openSlot(slotGuardians, func(VaultSlot) (*seal.SlotSecret, error) { return &secret, nil })
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
