package keeper

import (
	"context"
	"crypto/sha256"
	"slices"

	"github.com/phrd/phrd/x/records"
)

// checkRecipients demands that the envelope is sealed to nobody but the owner and those to whom
// the owner consented: to a key of one's own, who stores would keep half of what opens the record.
func (b *batch) checkRecipients(ctx context.Context, n records.NewVersion) (string, error) {
	owner := b.owners[n.Header.Patient].hash
	if len(n.OwnKeys) == 1 {
		return "", nil // the owner's, see checkOwner
	}
	grantees, asked := b.grantees[n.Header.Patient]
	if !asked {
		var err error
		if grantees, err = b.granteesOf(ctx, n.Header.Patient); err != nil {
			return "", err
		}
		b.grantees[n.Header.Patient] = grantees
	}
	if !mayOpen(n.OwnKeys, owner, grantees, n.Record, n.Class) {
		return records.ReasonForeignRecipient, nil
	}
	return "", nil
}

// whyNotSealedTo answers the reason why envelopes of an owner's versions may not be sealed to these
// keys, or nothing. The owner's program was told a grantee's key by a hospital, which might have
// named its own instead.
func (k *Keeper) whyNotSealedTo(ctx context.Context, versions []records.Version, keys records.OwnKeys, owner [sha256.Size]byte) (string, error) {
	if len(keys) == 1 {
		return "", nil
	}
	grantees, err := k.granteesOf(ctx, versions[0].Header.Patient)
	if err != nil {
		return "", err
	}
	for _, v := range versions {
		r, err := k.Record(ctx, v.Record)
		if err != nil {
			return "", err
		}
		if !mayOpen(keys, owner, grantees, r.Id, r.Class) {
			return records.ReasonForeignRecipient, nil
		}
	}
	return "", nil
}

// granteesOf are those to whom a patient consented; a hospital consents to nobody.
func (k *Keeper) granteesOf(ctx context.Context, patient string) ([]records.Grantee, error) {
	if patient == "" || k.grantees == nil {
		return nil, nil
	}
	return k.grantees.Grantees(ctx, patient)
}

// mayOpen says whether each key is the owner's, or that of a grantee who may open the record.
func mayOpen(keys records.OwnKeys, owner [sha256.Size]byte, grantees []records.Grantee, record string, class records.Class) bool {
	for _, key := range keys {
		hash := [sha256.Size]byte(key)
		if hash == owner {
			continue
		}
		if !slices.ContainsFunc(grantees, func(g records.Grantee) bool { return g.KeyHash == hash && g.Covers(record, class) }) {
			return false
		}
	}
	return true
}
