package phr

import (
	"context"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
)

// Endorse supports an unlock of records in the custody of the officer's hospital. What is shown of it was checked
// against its id first. The error is *Refused where the signature does not count.
func (c *Client) Endorse(ctx context.Context, unlock string) (Receipt, error) {
	if _, err := c.arrived(ctx, unlock); err != nil {
		return Receipt{}, err
	}
	if _, err := c.checkUnlock(ctx, c, unlock); err != nil {
		return Receipt{}, err
	}
	msg := &accessv1.MsgEndorseUnlock{Officer: c.key.Address(), Unlock: unlock}
	return c.send(ctx, c.amino, gasBase, msg, &accessv1.MsgEndorseUnlockResponse{})
}
