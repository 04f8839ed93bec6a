package phr

import (
	"context"
	"fmt"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// MaxOwned is how many versions one message of their owner names at most.
const MaxOwned = 64

// Reseal gives versions that the account owns envelopes that are sealed to the vault's newest key, those of whom live consents let open
// them, and to no other: after a routine change of the key, for a new device, or for a new consent. The locks stay, so that nothing has
// to be released and what was approved stays approved; who may have the former key, and once the network's half, still opens what was
// stored before, see [Client.Relock]. The former envelopes are deleted once enough hospitals hold the new ones.
//
// It works in groups of at most [MaxOwned], and tells after each how many versions are done; tell may be nil. After an error, or a crash, those
// that are done stay so. Errors are ErrVault, ErrBlock, those of package seal, and *Refused.
func (c *Client) Reseal(ctx context.Context, vault *Vault, versions []Ref, tell func(done int)) error {
	locked, err := c.locksOf(ctx, versions)
	if err != nil {
		return err
	}
	return c.reseal(ctx, vault, locked, false, tell)
}

// reseal gives versions envelopes for today's grantees; with boxes, also the emergency boxes that their patient agreed to, or none.
func (c *Client) reseal(ctx context.Context, vault *Vault, locked []*lockedVersion, boxes bool, tell func(done int)) error {
	grants := c.newGrants(vault)
	alike, err := grants.alike(ctx, locked)
	if err != nil {
		return err
	}
	done := 0
	for _, same := range alike {
		for _, group := range groups(same) {
			to, err := grants.recipients(ctx, group...)
			if err != nil {
				return err
			}
			if err := c.resealGroup(ctx, vault, group, to, boxes); err != nil {
				return err
			}
			if done += len(group); tell != nil {
				tell(done)
			}
		}
	}
	return nil
}

func (c *Client) resealGroup(ctx context.Context, vault *Vault, group []*lockedVersion, to []seal.VaultKey, boxes bool) error {
	msg := &recordsv1.MsgReplaceEnvelopes{Owner: c.key.Address(), OwnKeys: keyHashes(to)}
	boxing, err := c.newBoxing(ctx, group[0].stored.GetHeader().GetPatient(), boxes)
	if err != nil {
		return err
	}
	blocks := map[lock.CID][]byte{}
	for _, v := range group {
		e, half, err := c.openEnvelope(ctx, vault, v)
		if err != nil {
			return err
		}
		fresh, err := e.Reseal(v.header, *half, to)
		if err != nil {
			return fmt.Errorf("version %s: %w", v.ref, err)
		}
		if fresh, err = boxing.rebox(msg, v, fresh, *half); err != nil {
			return fmt.Errorf("version %s: %w", v.ref, err)
		}
		cid, block, err := c.tryEnvelope(vault, v.header, fresh)
		if err != nil {
			return fmt.Errorf("version %s: %w", v.ref, err)
		}
		blocks[cid] = block
		msg.Versions, msg.U = append(msg.Versions, v.ref.String()), append(msg.U, v.header.U.Bytes())
		msg.Envelopes, msg.EnvelopeSizes = append(msg.Envelopes, cid.String()), append(msg.EnvelopeSizes, uint32(len(block)))
	}
	if msg.Hospital, err = c.putBlocks(ctx, blocks); err != nil {
		return fmt.Errorf("upload envelopes: %w", err)
	}
	_, err = c.send(ctx, c.amino, gasFor(len(group))+gasBox*uint64(len(msg.BoxU)), msg, &recordsv1.MsgReplaceEnvelopesResponse{})
	return err
}

// tryEnvelope encodes a new envelope, and opens the owner's half in it as it will be opened later. The header's envelope is the one before.
func (c *Client) tryEnvelope(vault *Vault, h seal.Header, e *seal.Envelope) (lock.CID, []byte, error) {
	block, err := e.Encode()
	if err != nil {
		return lock.CID{}, nil, err
	}
	if h.Envelope, err = e.CID(); err != nil {
		return lock.CID{}, nil, err
	}
	again, err := h.OpenEnvelope(block)
	if err != nil {
		return lock.CID{}, nil, err
	}
	_, err = vault.openOwn(h, again)
	return h.Envelope, block, err
}

// keyHashes are the SHA-256 hashes of vault keys as messages carry them.
func keyHashes(keys []seal.VaultKey) [][]byte {
	hashes := make([][]byte, len(keys))
	for i, k := range keys {
		hash := k.Key.Hash()
		hashes[i] = hash[:]
	}
	return hashes
}
