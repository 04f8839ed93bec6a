package phr

import (
	"context"
	"errors"
	"fmt"
	"slices"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// UseConsent approves an endorsed unlock of one's own by a consent, from the next block on. [Client.Open] does so by itself where one
// covers the unlock. The error is *Refused with the reason why it does not.
func (c *Client) UseConsent(ctx context.Context, unlock string, consent uint64) (Receipt, error) {
	u, err := c.arrived(ctx, unlock)
	if err != nil {
		return Receipt{}, err
	}
	msg := &accessv1.MsgUseConsent{Requester: c.key.Address(), Unlock: unlock, Consent: consent}
	return c.send(ctx, c.amino, gasFor(len(u.GetVersions())), msg, &accessv1.MsgUseConsentResponse{})
}

// consented approves an unlock that waits for its owner alone by a consent that covers it, where there is one and all versions
// are sealed for it. It leaves any other unlock as it is.
func (c *Client) consented(ctx context.Context, unlock string) error {
	u, err := c.Unlock(ctx, unlock)
	if err != nil || u.Status != accessv1.UnlockStatus_UNLOCK_STATUS_ENDORSED || u.GetRequester() != c.Address() || u.GetHospital() == 0 || u.GetPatient() == "" {
		return err
	}
	consent, err := c.consentFor(ctx, unlock)
	if err != nil || consent == nil {
		return err
	}
	if _, err := c.UseConsent(ctx, unlock, consent.GetNumber()); err != nil {
		var refused *Refused
		if errors.As(err, &refused) {
			return fmt.Errorf("consent %d does not stand in for the owner: %w: %w", consent.GetNumber(), err, ErrNotApproved)
		}
		return err
	}
	return nil
}

// consentFor finds a live consent that covers an unlock and for which its versions are sealed; nil where there is none.
func (c *Client) consentFor(ctx context.Context, unlock string) (*Consent, error) {
	u, err := c.checkUnlock(ctx, c, unlock)
	if err != nil {
		return nil, err
	}
	live, err := c.OwnConsents(ctx, accessv1.ConsentStatus_CONSENT_STATUS_LIVE)
	if err != nil {
		return nil, err
	}
	live = slices.DeleteFunc(live, func(consent Consent) bool {
		return consent.GetPatient() != u.GetPatient() || consent.GetPurpose() != u.GetPurpose() || consent.GetUntil() < u.GetExpiresAt()
	})
	if len(live) == 0 {
		return nil, nil
	}
	for _, v := range u.versions {
		record, err := c.Record(ctx, v.ref.Record)
		if err != nil {
			return nil, err
		}
		live = slices.DeleteFunc(live, func(consent Consent) bool { return !consent.Covers(record) })
	}
	for i := range live {
		sealed, err := c.isSealedFor(ctx, u, live[i])
		if err != nil || sealed {
			return &live[i], err
		}
	}
	return nil, nil
}

// isSealedFor tells whether all versions of an unlock are sealed to the vault that opens them under a consent.
func (c *Client) isSealedFor(ctx context.Context, u *checkedUnlock, consent Consent) (bool, error) {
	recipient, err := c.recipientOf(consent)
	if err != nil {
		return false, err
	}
	for _, v := range u.versions {
		block, err := c.unlockBlock(ctx, u.GetId(), v.header.Envelope)
		if err != nil {
			return false, fmt.Errorf("envelope of %s: %w", v.ref, err)
		}
		e, err := v.header.OpenEnvelope(block)
		if err != nil {
			return false, fmt.Errorf("envelope of %s: %w", v.ref, err)
		}
		sealed := false
		for _, o := range e.Own {
			if o.Recipient != recipient || sealed {
				continue
			}
			if sealed, err = c.mayOpen(consent, o.Epoch); err != nil {
				return false, err
			}
		}
		if !sealed {
			return false, nil
		}
	}
	return true, nil
}

// mayOpen tells whether this program has the key of an epoch of the vault that opens versions under a consent; a hospital's server has all
// of the hospital's.
func (c *Client) mayOpen(consent Consent, epoch uint64) (bool, error) {
	if consent.GetStaff() == "" {
		return true, nil
	}
	key, err := c.staffKey(epoch)
	return key != nil, err
}

// recipientOf is the vault that opens versions under a consent: one's own, or the hospital's.
func (c *Client) recipientOf(consent Consent) (seal.Recipient, error) {
	if consent.GetStaff() == "" {
		return seal.HospitalRecipient(consent.GetHospital())
	}
	vault, err := c.staffVault()
	if err != nil {
		return seal.Recipient{}, err
	}
	return vault.recipient, nil
}

// grantedHalves are the owner's halves of an unlock that a consent approved: the clinician's vault opens them in the versions'
// envelopes, or the hospital's, whose server hands them over as a capsule.
func (c *Client) grantedHalves(ctx context.Context, session *lock.Session, u *checkedUnlock) ([]*seal.Half, error) {
	consent, err := c.Consent(ctx, u.GetApproval().GetConsent())
	if err != nil {
		return nil, fmt.Errorf("consent %d: %w", u.GetApproval().GetConsent(), err)
	}
	if consent.GetStaff() == "" {
		return c.hospitalHalves(ctx, session, u)
	}
	vault, err := c.staffVault()
	if err != nil {
		return nil, err
	}
	halves := make([]*seal.Half, len(u.versions))
	for i, v := range u.versions {
		source := &versionSource{client: c, ref: v.ref, unlock: u.GetId()}
		envelope, err := source.envelope(ctx, v)
		if err != nil {
			return nil, fmt.Errorf("envelope of %s: %w", v.ref, err)
		}
		if halves[i], err = vault.openOwn(v.header, envelope); err != nil {
			return nil, fmt.Errorf("version %s: %w", v.ref, err)
		}
	}
	return halves, nil
}

// hospitalHalves has the own hospital's server open the halves with the hospital's vault and seal them to the session. The server
// has no other half: the network's goes to who holds the session.
func (c *Client) hospitalHalves(ctx context.Context, session *lock.Session, u *checkedUnlock) ([]*seal.Half, error) {
	home, err := c.doorOf(ctx, u.GetHospital())
	if err != nil {
		return nil, err
	}
	var capsule []byte
	if err := c.attempt(ctx, home, false, func(ctx context.Context, d *door) error {
		var err error
		capsule, err = d.capsule(ctx, u.GetId())
		return err
	}); err != nil {
		return nil, fmt.Errorf("capsule of the own hospital: %w", err)
	}
	return seal.OpenCapsule(session.Key(), c.network, u.id, askedAll(u), capsule)
}

func askedAll(u *checkedUnlock) []seal.Asked {
	asked := make([]seal.Asked, len(u.versions))
	for i, v := range u.versions {
		asked[i] = askedOf(v)
	}
	return asked
}
