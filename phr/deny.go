package phr

import (
	"context"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
)

// Deny ends an unlock that was not approved, as its owner or as an officer of the custodian. What was denied stays
// denied. The error is *Refused where the signer is neither or the unlock stands elsewhere.
func (c *Client) Deny(ctx context.Context, unlock string) (Receipt, error) {
	msg := &accessv1.MsgDenyUnlock{Signer: c.key.Address(), Unlock: unlock}
	return c.send(ctx, c.amino, gasBase, msg, &accessv1.MsgDenyUnlockResponse{})
}
