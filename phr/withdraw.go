package phr

import (
	"context"
	"errors"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
)

// Withdraw ends an unlock at any time: its requester closes it so, its owner or an officer of the custodian takes it
// back. No share is given from then on; what was opened before stays seen. A session that this program holds for it is
// deleted, also where the unlock had ended already.
func (c *Client) Withdraw(ctx context.Context, unlock string) (Receipt, error) {
	msg := &accessv1.MsgWithdrawUnlock{Signer: c.key.Address(), Unlock: unlock}
	receipt, err := c.send(ctx, c.amino, gasBase, msg, &accessv1.MsgWithdrawUnlockResponse{})
	var refused *Refused
	if errors.As(err, &refused) {
		u, asked := c.Unlock(ctx, unlock)
		if asked != nil || u.IsOpen() {
			return receipt, err
		}
		return receipt, errors.Join(err, c.forget(unlock))
	}
	if err != nil {
		return receipt, err
	}
	return receipt, c.forget(unlock)
}
