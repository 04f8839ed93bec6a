package phr

import (
	"context"
	"errors"
	"time"
)

const (
	// purposeOwner is HL7 v3 ActReason's "patient request".
	purposeOwner = "PATRQT"
	// ownLifetime is how long an unlock stays open by which patients get at their own records.
	ownLifetime = 12 * time.Hour
)

// ownUnlock is an unlock of the patient's own records, which the patient has asked for and approved.
func (c *Client) ownUnlock(ctx context.Context, vault *Vault, group []*lockedVersion) (string, error) {
	refs := make([]Ref, len(group))
	for i, v := range group {
		refs[i] = v.ref
	}
	unlock, err := c.Propose(ctx, Request{Versions: refs, Purpose: purposeOwner, Lifetime: ownLifetime})
	if err != nil {
		return "", err
	}
	review, err := c.Review(ctx, unlock)
	if err != nil {
		return unlock, err
	}
	_, err = review.Approve(ctx, vault)
	return unlock, err
}

// OpenOwn opens versions that the patient owns, one after another, and gives each file to each, which reads it before it returns; an
// error of each ends it. The patient asks for them and approves it in groups, which is in the log; no hospital has to endorse it.
// Errors are those of [Client.Open] and *Refused.
func (c *Client) OpenOwn(ctx context.Context, vault *Vault, versions []Ref, each func(*File) error) error {
	locked, err := c.locksOf(ctx, versions)
	if err != nil {
		return err
	}
	for _, group := range groups(locked) {
		unlock, err := c.ownUnlock(ctx, vault, group)
		if err != nil {
			return err
		}
		if err := errors.Join(c.openEach(ctx, unlock, each), c.finish(ctx, unlock)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) openEach(ctx context.Context, unlock string, each func(*File) error) error {
	o, err := c.unlocked(ctx, unlock)
	if err != nil {
		return err
	}
	for place := range o.u.versions {
		f, err := c.openVersion(ctx, o, place)
		if err != nil {
			return err
		}
		if err := each(f); err != nil {
			return err
		}
	}
	return nil
}
