package phr

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"time"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"
	"google.golang.org/grpc"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
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

// RecoveryRules bound recoveries; zero keeps what is in force.
type RecoveryRules struct {
	// Delay is the least time between the last approval and the end, whole seconds, at most 60 days.
	Delay time.Duration
	// Hospitals is of how many hospitals an officer approves a recovery that guardians don't, 2 to 16.
	Hospitals uint32
}

// ProposeRecoveryRules asks the members to change the bounds of recoveries, and returns the proposal's number.
func (c *Client) ProposeRecoveryRules(ctx context.Context, rules RecoveryRules) (uint64, error) {
	answer, err := accessv1.NewQueryClient(c).Params(ctx, &accessv1.QueryParamsRequest{})
	if err != nil {
		return 0, err
	}
	params := answer.GetParams()
	if rules.Delay < 0 {
		return 0, fmt.Errorf("delay of %s: %w", rules.Delay, lock.ErrField)
	}
	if rules.Delay > 0 {
		params.RecoveryDelay = uint64(rules.Delay / time.Second) // #nosec G115 -- above zero
	}
	if rules.Hospitals > 0 {
		params.RecoveryHospitals = rules.Hospitals
	}
	return c.ProposeToMembers(ctx, &accessv1.MsgUpdateParams{Authority: Authority(), Params: params})
}
