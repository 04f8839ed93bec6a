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
		return receipt, errors.Join(err, c.forgetBoth(ctx, unlock))
	}
	if err != nil {
		return receipt, err
	}
	return receipt, c.forgetBoth(ctx, unlock)
}

// forgetBoth deletes the session of an unlock, and of an emergency that of its other part too.
func (c *Client) forgetBoth(ctx context.Context, unlock string) error {
	if err := c.forget(unlock); err != nil {
		return err
	}
	u, err := c.Unlock(ctx, unlock)
	if err != nil || u.GetEmergency() == "" {
		return err
	}
	e, err := c.Emergency(ctx, u.GetEmergency())
	if err != nil {
		return err
	}
	return errors.Join(c.forget(e.GetId()), c.forget(e.GetBoxUnlock()))
}
