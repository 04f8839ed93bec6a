package phr

import (
	"context"
	"errors"
	"fmt"

	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
	"github.com/phrd/phrd/wallet"
)

// Relock locks versions that the patient owns anew: under fresh halves of their keys, the newest key of the network, and sealed to the
// vault's newest key and those of whom live consents let open all that are locked together, and to no other. It is for when somebody
// else may have the vault's former key or a grant was withdrawn, and when the network has another generation of its key. The patient
// approves an unlock of the versions for that; the ciphertext stays where it is. Who has opened a version before has seen it, and may
// have kept its data key.
//
// It works in groups, and tells after each how many versions are done; tell may be nil. A group takes effect when enough hospitals
// hold its new envelopes; until then the former locks hold. After an error, or a crash, those that are done stay so, and the others
// can be locked anew again. Errors are those of [Client.Open] and *Refused, and ErrNotCopied where the context ends while copies are awaited.
func (c *Client) Relock(ctx context.Context, vault *Vault, versions []Ref, tell func(done int)) error {
	locked, err := c.locksOf(ctx, versions)
	if err != nil {
		return err
	}
	done := 0
	for _, group := range groups(locked) {
		unlock, err := c.ownUnlock(ctx, vault, group)
		if err != nil {
			return err
		}
		if err := c.RelockUnlocked(ctx, vault, unlock); err != nil {
			return err
		}
		if done += len(group); tell != nil {
			tell(done)
		}
	}
	return nil
}

// RelockUnlocked is [Client.Relock] of the versions of an unlock that this account asked for and that was approved: an officer's, of
// records that the hospital owns.
func (c *Client) RelockUnlocked(ctx context.Context, vault *Vault, unlock string) error {
	o, err := c.unlocked(ctx, unlock)
	if err != nil {
		return err
	}
	fresh, err := c.relockGroup(ctx, vault, o)
	if err != nil {
		return err
	}
	if err := c.confirmGroup(ctx, vault, fresh); err != nil {
		return err
	}
	return c.finish(ctx, unlock)
}

// finish closes an unlock of this account that is of no more use, unless it has ended already, and deletes its session.
func (c *Client) finish(ctx context.Context, unlock string) error {
	_, err := c.Withdraw(ctx, unlock)
	var refused *Refused
	if errors.As(err, &refused) {
		return c.forget(unlock)
	}
	return err
}

// relocked is a version with its new lock, which waits.
type relocked struct {
	ref    Ref
	locked *seal.Locked
	dek    seal.DEK
}

// relockGroup locks the versions of an unlock anew and has their new locks wait.
func (c *Client) relockGroup(ctx context.Context, vault *Vault, o *unlocked) ([]relocked, error) {
	key, _, err := c.generation(ctx, custodyv1.NewQueryClient(c), 0)
	if err != nil {
		return nil, err
	}
	signer, err := wallet.ParseAddress(c.key.Address())
	if err != nil {
		return nil, err
	}
	to, err := c.newGrants(vault).recipients(ctx, o.u.versions...)
	if err != nil {
		return nil, err
	}
	boxes, err := c.boxTerms(ctx, o.u.GetPatient())
	if err != nil {
		return nil, err
	}
	msg := &recordsv1.MsgRelockVersions{Owner: c.key.Address(), Generation: key.Number, OwnKeys: keyHashes(to)}
	blocks := map[lock.CID][]byte{}
	fresh := make([]relocked, len(o.u.versions))
	for i, v := range o.u.versions {
		opened, err := c.dataKey(ctx, o, i)
		if err != nil {
			return nil, err
		}
		l, err := seal.LockVersion(seal.Terms{
			Lock: lock.LockBoth, Record: v.ref.Record, Version: v.ref.Version, Owner: v.header.Context.Owner, Custodian: v.header.Context.Custodian,
			Key: key, Recipients: to, Emergency: boxes, Signer: [wallet.AddressSize]byte(signer),
		}, opened.ref, opened.dek)
		if err != nil {
			return nil, fmt.Errorf("version %s: %w", v.ref, err)
		}
		fresh[i] = relocked{v.ref, l, opened.dek}
		if e := l.Emergency; e != nil {
			msg.BoxGeneration, msg.BoxU, msg.BoxUBar = boxes.Key.Number, append(msg.BoxU, e.Statement.U.Bytes()), append(msg.BoxUBar, e.Statement.UBar.Bytes())
			msg.BoxHashes, msg.BoxProofs = append(msg.BoxHashes, e.Statement.Box[:]), append(msg.BoxProofs, e.Proof)
		}
		blocks[l.Header.Envelope] = l.Block
		msg.Versions, msg.U, msg.UBar = append(msg.Versions, v.ref.String()), append(msg.U, l.Header.U.Bytes()), append(msg.UBar, l.Statement.UBar.Bytes())
		msg.C, msg.Pc, msg.Proofs = append(msg.C, l.Header.C[:]), append(msg.Pc, l.Header.Pc), append(msg.Proofs, l.Proof)
		msg.Envelopes, msg.EnvelopeSizes = append(msg.Envelopes, l.Header.Envelope.String()), append(msg.EnvelopeSizes, uint32(len(l.Block)))
	}
	if msg.Hospital, err = c.putBlocks(ctx, blocks); err != nil {
		return nil, fmt.Errorf("upload envelopes: %w", err)
	}
	_, err = c.send(ctx, c.amino, gasFor(len(fresh))+gasBox*uint64(len(msg.BoxU)), msg, &recordsv1.MsgRelockVersionsResponse{})
	return fresh, err
}

// confirmGroup waits until enough hospitals hold the new envelopes, opens each with the vault and the network's half, and has the chain
// put the new locks in the place of the former ones.
func (c *Client) confirmGroup(ctx context.Context, vault *Vault, fresh []relocked) error {
	msg := &recordsv1.MsgConfirmRelock{Owner: c.key.Address()}
	for _, r := range fresh {
		if err := c.waitForEnvelope(ctx, r.locked.Header.Envelope); err != nil {
			return fmt.Errorf("version %s: %w", r.ref, err)
		}
		block, err := c.ownEnvelope(ctx, r.ref, r.locked.Header.Envelope)
		if err != nil {
			return fmt.Errorf("new envelope of %s: %w", r.ref, err)
		}
		e, err := r.locked.Header.OpenEnvelope(block)
		if err != nil {
			return fmt.Errorf("new envelope of %s: %w", r.ref, err)
		}
		half, err := vault.openOwn(r.locked.Header, e)
		if err != nil {
			return fmt.Errorf("version %s: %w", r.ref, err)
		}
		dek, err := e.Unlock(r.locked.Header, half, r.locked.K)
		if err != nil || !dek.Equal(r.dek) {
			return fmt.Errorf("version %s does not open by its new lock: %w", r.ref, errors.Join(err, ErrCommitment))
		}
		msg.Versions, msg.U = append(msg.Versions, r.ref.String()), append(msg.U, r.locked.Header.U.Bytes())
	}
	_, err := c.send(ctx, c.amino, gasFor(len(fresh)), msg, &recordsv1.MsgConfirmRelockResponse{})
	return err
}

// waitForEnvelope waits until as many places hold an envelope as its minimum asks for.
func (c *Client) waitForEnvelope(ctx context.Context, cid lock.CID) error {
	var last Copies
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		var err error
		last, err = arrived(ctx, func() (Copies, error) { return c.copiesOf(ctx, cid.String()) })
		return err == nil && last.Held >= last.Minimum, err
	})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("envelope %s: %d of %d: %w: %w", cid, last.Held, last.Minimum, err, ErrNotCopied)
	}
	return err
}
