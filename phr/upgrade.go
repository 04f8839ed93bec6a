package phr

import (
	"context"

	upgradev1 "cosmossdk.io/api/cosmos/upgrade/v1beta1"
)

// ProposeUpgrade asks the members to run another program from a height on: name is the upgrade's, which that program knows; info names the
// program by system, processor and SHA-256, such as linux/amd64=5f1c…, with commas between several, and may be empty. Every hospital's
// server ends before that block, unless it knows the upgrade.
func (c *Client) ProposeUpgrade(ctx context.Context, name string, height int64, info string) (uint64, error) {
	return c.ProposeToMembers(ctx, &upgradev1.MsgSoftwareUpgrade{Authority: Authority(), Plan: &upgradev1.Plan{Name: name, Height: height, Info: info}})
}

// ProposeNoUpgrade asks the members to give up the upgrade that they planned.
func (c *Client) ProposeNoUpgrade(ctx context.Context) (uint64, error) {
	return c.ProposeToMembers(ctx, &upgradev1.MsgCancelUpgrade{Authority: Authority()})
}

// Upgrade is the upgrade that the members planned; nil where there is none.
func (c *Client) Upgrade(ctx context.Context) (*upgradev1.Plan, error) {
	answer, err := upgradev1.NewQueryClient(c).CurrentPlan(ctx, &upgradev1.QueryCurrentPlanRequest{})
	return answer.GetPlan(), err
}
