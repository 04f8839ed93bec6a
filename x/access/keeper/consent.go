package keeper

import (
	"context"
	"errors"
	"strconv"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
)

// Consent answers the consent of that number; access.ErrUnknownConsent where there is none.
func (k *Keeper) Consent(ctx context.Context, number uint64) (access.Consent, error) {
	c, err := k.consents.Get(ctx, number)
	if errors.Is(err, collections.ErrNotFound) {
		return c, access.ErrUnknownConsent.Wrapf("%d", number)
	}
	return c, err
}

// consentKeys are the names under which a consent is found.
type consentKeys struct{ patient, grantee consentKey }

func keysOfConsent(c access.Consent) (consentKeys, error) {
	patient, err := lock.ParseCanonicalID(c.Patient)
	if err != nil {
		return consentKeys{}, err
	}
	grantee, err := c.GranteeKey()
	if err != nil {
		return consentKeys{}, err
	}
	return consentKeys{collections.Join(patient.Bytes(), c.Number), collections.Join(grantee, c.Number)}, nil
}

// addConsent writes a consent and the ways to find it, and watches its end where it has none yet.
func (k *Keeper) addConsent(ctx context.Context, c access.Consent) error {
	keys, err := keysOfConsent(c)
	if err != nil {
		return err
	}
	if err := k.consents.Set(ctx, c.Number, c); err != nil {
		return err
	}
	if err := k.consentsByPatient.Set(ctx, keys.patient); err != nil {
		return err
	}
	if err := k.consentsByGrantee.Set(ctx, keys.grantee); err != nil {
		return err
	}
	if c.WithdrawnAt != 0 || c.Ended {
		return nil
	}
	if err := k.liveConsents.Set(ctx, keys.patient); err != nil {
		return err
	}
	return k.consentQueue.Set(ctx, collections.Join(c.Until, c.Number))
}

// closeConsent writes a consent that stands in for nothing any more.
func (k *Keeper) closeConsent(ctx context.Context, c access.Consent) error {
	keys, err := keysOfConsent(c)
	if err != nil {
		return err
	}
	if err := k.liveConsents.Remove(ctx, keys.patient); err != nil {
		return err
	}
	if err := k.consentQueue.Remove(ctx, collections.Join(c.Until, c.Number)); err != nil {
		return err
	}
	return k.consents.Set(ctx, c.Number, c)
}

// liveConsentsOf are the consents of a patient that stand in for approvals now, by number, at most
// access.MaxConsents.
func (k *Keeper) liveConsentsOf(ctx context.Context, patient lock.ID) ([]access.Consent, error) {
	now := blockTime(ctx)
	var live []access.Consent
	err := k.liveConsents.Walk(ctx, collections.NewPrefixedPairRange[[]byte, uint64](patient.Bytes()), func(key consentKey) (bool, error) {
		c, err := k.consents.Get(ctx, key.K2())
		if err == nil && c.Status(now) == access.CONSENT_STATUS_LIVE {
			live = append(live, c)
		}
		return false, err
	})
	return live, err
}

// endConsents notes the ends of consents whose time ran out.
func (k *Keeper) endConsents(ctx context.Context, now int64) error {
	var due []uint64
	err := k.consentQueue.Walk(ctx, collections.NewPrefixUntilPairRange[int64, uint64](now), func(key collections.Pair[int64, uint64]) (bool, error) {
		due = append(due, key.K2())
		return len(due) >= access.MaxConsentsEndedPerBlock, nil
	})
	if err != nil {
		return err
	}
	for _, number := range due {
		c, err := k.consents.Get(ctx, number)
		if err != nil {
			return err
		}
		c.Ended = true
		if err := k.closeConsent(ctx, c); err != nil {
			return err
		}
		if err := k.acceptConsent(ctx, aboutConsent(byChain(), audit.KindConsentEnded, c), c); err != nil {
			return err
		}
	}
	return nil
}

// endWithdrawn withdraws the next open unlocks whose consent was withdrawn, at most so many.
func (k *Keeper) endWithdrawn(ctx context.Context, limit int) error {
	for limit > 0 {
		var first uint64
		if err := k.withdrawn.Walk(ctx, nil, func(number uint64) (bool, error) {
			first = number
			return true, nil
		}); err != nil || first == 0 {
			return err
		}
		var ids [][]byte
		if err := k.openByConsent.Walk(ctx, collections.NewPrefixedPairRange[uint64, []byte](first),
			func(key collections.Pair[uint64, []byte]) (bool, error) {
				ids = append(ids, key.K2())
				return len(ids) >= limit, nil
			}); err != nil {
			return err
		}
		for _, id := range ids {
			u, err := k.unlocks.Get(ctx, id)
			if err != nil {
				return err
			}
			if err := k.withdrawConsented(ctx, u); err != nil {
				return err
			}
		}
		if len(ids) < limit {
			if err := k.withdrawn.Remove(ctx, first); err != nil {
				return err
			}
		}
		limit -= max(1, len(ids))
	}
	return nil
}

// withdrawConsented ends an unlock because the consent that approved it was withdrawn.
func (k *Keeper) withdrawConsented(ctx context.Context, u access.Unlock) error {
	u.WithdrawnBy = k.consortium.Authority()
	if err := k.end(ctx, u); err != nil {
		return err
	}
	entry := about(byChain(), audit.KindWithdrawn, u)
	entry.Target = numberText(u.Approval.Consent)
	return k.accept(ctx, entry, u)
}

// isConsentWithdrawn says whether a consent approved the unlock that was withdrawn since.
func (k *Keeper) isConsentWithdrawn(ctx context.Context, u access.Unlock) (bool, error) {
	if u.Approval == nil || u.Approval.Consent == 0 {
		return false, nil
	}
	c, err := k.Consent(ctx, u.Approval.Consent)
	return c.WithdrawnAt != 0, err
}

// initConsents writes the consents of the first state.
func (k *Keeper) initConsents(ctx context.Context, consents []access.Consent) error {
	for _, c := range consents {
		if err := k.addConsent(ctx, c); err != nil {
			return err
		}
	}
	if len(consents) == 0 {
		return nil
	}
	return k.consentSequence.Set(ctx, uint64(len(consents)))
}

// resumeConsented watches an open unlock of the first state that a consent approved, and has it
// ended where that was withdrawn.
func (k *Keeper) resumeConsented(ctx context.Context, u access.Unlock) error {
	if u.Approval == nil || u.Approval.Consent == 0 {
		return nil
	}
	id, err := access.ParseUnlockID(u.Id)
	if err != nil {
		return err
	}
	if err := k.openByConsent.Set(ctx, collections.Join(u.Approval.Consent, id[:])); err != nil {
		return err
	}
	withdrawn, err := k.isConsentWithdrawn(ctx, u)
	if err != nil || !withdrawn {
		return err
	}
	return k.withdrawn.Set(ctx, u.Approval.Consent)
}

// aboutConsent fills in what an entry tells of a consent.
func aboutConsent(entry audit.Entry, kind string, c access.Consent) audit.Entry {
	entry.Kind, entry.Patient, entry.Purpose, entry.Target = kind, c.Patient, c.Purpose, numberText(c.Number)
	return entry
}

// acceptConsent writes the entry of what was done to a consent and tells those who watch.
func (k *Keeper) acceptConsent(ctx context.Context, entry audit.Entry, c access.Consent) error {
	entry.Outcome = audit.OUTCOME_OK
	if _, err := k.audit.Append(ctx, entry); err != nil {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&access.EventConsentChanged{
		Consent: c.Number, Patient: c.Patient, Kind: entry.Kind,
	})
}

func numberText(n uint64) string { return strconv.FormatUint(n, 10) }
