package phr

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/wallet"
)

// MaxLifetime is the longest life of an unlock.
const MaxLifetime = 14 * 24 * time.Hour

// sessionName is where Secrets keep the seed of an unlock's session.
func sessionName(unlock string) string { return "session/" + unlock }

// Request asks for versions of one owner in one custody.
type Request struct {
	// Versions to open, 1 to 64. Version 0 stands for a record's newest one.
	Versions []Ref
	// Purpose is an HL7 v3 ActReason code, like TREAT.
	Purpose string
	// Lifetime until the unlock ends by itself, at most [MaxLifetime].
	Lifetime time.Duration
}

// Propose asks for versions and returns the unlock's id. It draws the session that receives both halves of their keys and
// keeps its seed in Secrets until the unlock ends. The account is a clinician, or a patient who asks for own records. The
// error is *Refused where the chain does not take the proposal.
func (c *Client) Propose(ctx context.Context, r Request) (string, error) {
	who, err := c.Principal(ctx)
	if err != nil {
		return "", err
	}
	versions, err := c.locksOf(ctx, r.Versions)
	if err != nil {
		return "", err
	}
	requester, err := wallet.ParseAddress(c.key.Address())
	if err != nil {
		return "", err
	}
	now, err := c.blockTime(ctx)
	if err != nil {
		return "", err
	}
	session, err := newSession()
	if err != nil {
		return "", err
	}
	expires := now.Add(r.Lifetime).Unix()
	if r.Lifetime <= 0 || expires <= 0 {
		return "", fmt.Errorf("lifetime %s: %w", r.Lifetime, lock.ErrField)
	}
	p := lock.Proposal{
		Network: c.network, Requester: [wallet.AddressSize]byte(requester), Hospital: who.Hospital, Purpose: r.Purpose,
		Expiry: uint64(expires), RequestKeyCID: session.Key().Public().CID(), B: session.B(),
	}
	for _, v := range versions {
		p.Versions = append(p.Versions, lock.ProposedVersion{
			Record: v.ref.Record, Number: v.ref.Version, Context: v.context, U: v.header.U, M: session.Blind(v.header.U), C: v.header.C[:],
		})
	}
	msg, err := proposalMessage(session, p, c.key.Address())
	if err != nil {
		return "", err
	}
	id := p.ID()
	return c.propose(ctx, session, hex.EncodeToString(id[:]), msg)
}

// proposalMessage is a proposal of a session as the chain takes it.
func proposalMessage(session *lock.Session, p lock.Proposal, requester string) (*accessv1.MsgProposeUnlock, error) {
	msg := &accessv1.MsgProposeUnlock{
		Requester: requester, Purpose: p.Purpose, ExpiresAt: int64(p.Expiry), // #nosec G115 -- was one
		RequestKey: p.RequestKeyCID.String(), B: p.B.Bytes(),
	}
	for _, v := range p.Versions {
		msg.Records, msg.Versions, msg.M = append(msg.Records, v.Record.String()), append(msg.Versions, v.Number), append(msg.M, v.M.Bytes())
	}
	var err error
	msg.Proof, err = session.Prove(p, rand.Reader)
	return msg, err
}

// propose hands in the session's public key and the proposal. The seed is kept first: an unlock whose session is lost
// cannot be opened.
func (c *Client) propose(ctx context.Context, session *lock.Session, id string, msg *accessv1.MsgProposeUnlock) (string, error) {
	if err := c.keepSession(ctx, session, id); err != nil {
		return "", err
	}
	answer := &accessv1.MsgProposeUnlockResponse{}
	_, err := c.send(ctx, c.direct, gasFor(len(msg.Records)), msg, answer)
	var refused *Refused
	if errors.As(err, &refused) {
		return "", errors.Join(err, c.forget(id))
	}
	if err != nil {
		return "", err
	}
	if answer.Unlock != id {
		return "", fmt.Errorf("the chain calls the unlock %s, not %s: %w", answer.Unlock, id, ErrProposal)
	}
	return id, nil
}

// keepSession uploads the session's public key and keeps its seed.
func (c *Client) keepSession(ctx context.Context, session *lock.Session, id string) error {
	key := session.Key().Public()
	if err := c.putBlockTwice(ctx, key.CID(), key.Bytes()); err != nil {
		return fmt.Errorf("upload request key: %w", err)
	}
	seed := session.Seed()
	defer clear(seed)
	if err := c.secrets.Put(sessionName(id), seed); err != nil {
		return fmt.Errorf("keep session: %w", err)
	}
	return nil
}

func newSession() (*lock.Session, error) {
	for {
		session, err := lock.GenerateSession(rand.Reader)
		if errors.Is(err, lock.ErrScalar) {
			continue // one seed in 2^252 blinds nothing
		}
		return session, err
	}
}

// locksOf reads the locks of versions and brings them into a proposal's order.
func (c *Client) locksOf(ctx context.Context, refs []Ref) ([]*lockedVersion, error) {
	var versions []*lockedVersion
	for _, ref := range refs {
		stored, err := c.Version(ctx, ref)
		if err != nil {
			return nil, fmt.Errorf("version %s: %w", ref, err)
		}
		key, _, err := c.generation(ctx, custodyv1.NewQueryClient(c), stored.GetHeader().GetGeneration())
		if err != nil {
			return nil, err
		}
		v, err := lockOf(c.network, key, stored)
		if err != nil {
			return nil, fmt.Errorf("version %s: %w", ref, err)
		}
		if v.ref.Record != ref.Record || ref.Version != 0 && v.ref.Version != ref.Version {
			return nil, fmt.Errorf("version %s: the gateway shows %s: %w", ref, v.ref, ErrProposal)
		}
		versions = append(versions, v)
	}
	slices.SortFunc(versions, func(a, b *lockedVersion) int { return a.ref.Compare(b.ref) })
	return slices.CompactFunc(versions, func(a, b *lockedVersion) bool { return a.ref == b.ref }), nil
}

// putBlockTwice uploads a small block to the first gateway that answers and, so that it is there when that hospital is
// not, to a second one if that takes it.
func (c *Client) putBlockTwice(ctx context.Context, cid lock.CID, block []byte) error {
	if err := c.learn(ctx); err != nil {
		return err
	}
	if err := c.putBlock(ctx, cid, block); err != nil {
		return err
	}
	// One copy is enough; the second one is for the day on which the first gateway is away.
	for _, d := range c.order()[1:] {
		if c.offer(ctx, d, cid, block) {
			break
		}
	}
	return nil
}

// giveTo hands a small block to gateways, of which one must take it.
func (c *Client) giveTo(ctx context.Context, doors []*door, cid lock.CID, block []byte) error {
	var faults error
	given := 0
	for _, d := range doors {
		if err := c.attempt(ctx, d, false, func(ctx context.Context, d *door) error { return d.putBlock(ctx, cid, block) }); err != nil {
			faults = errors.Join(faults, err)
			continue
		}
		given++
	}
	if given == 0 {
		return faults
	}
	return nil
}

// offer tells whether a gateway took a small block, or whether there is no time to ask another one.
func (c *Client) offer(ctx context.Context, d *door, cid lock.CID, block []byte) bool {
	err := c.attempt(ctx, d, true, func(ctx context.Context, d *door) error { return d.putBlock(ctx, cid, block) })
	return err == nil || ctx.Err() != nil
}

// session is the session of an unlock, from the seed that Secrets keep.
func (c *Client) session(unlock string) (*lock.Session, error) {
	seed, err := c.secrets.Get(sessionName(unlock))
	if err != nil {
		return nil, fmt.Errorf("unlock %s: %w: %w", unlock, err, ErrSession)
	}
	defer clear(seed)
	return lock.NewSession(seed)
}

// forget deletes the session of an unlock; one that is not there is no error.
func (c *Client) forget(unlock string) error {
	if err := c.drop(sessionName(unlock)); err != nil {
		return fmt.Errorf("delete session of unlock %s: %w", unlock, err)
	}
	return nil
}

// Tidy deletes the sessions of unlocks that have ended: denied, withdrawn or expired. It returns how many it deleted.
func (c *Client) Tidy(ctx context.Context, unlocks []string) (int, error) {
	deleted := 0
	for _, id := range unlocks {
		u, err := c.Unlock(ctx, id)
		if err != nil {
			return deleted, err
		}
		if u.IsOpen() {
			continue
		}
		if err := c.forget(id); err != nil {
			return deleted, err
		}
		deleted++
	}
	return deleted, nil
}
