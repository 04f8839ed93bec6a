package keeper

import (
	"context"
	"crypto/sha256"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
)

var _ records.Grantees = (*Keeper)(nil)

// Grantees implements records.Grantees: the vaults that live consents of a patient name, with what
// each may open.
func (k *Keeper) Grantees(ctx context.Context, patient string) ([]records.Grantee, error) {
	number, err := lock.ParseCanonicalID(patient)
	if err != nil {
		return nil, records.ErrInvalidID.Wrapf("patient: %v", err)
	}
	live, err := k.liveConsentsOf(ctx, number)
	if err != nil {
		return nil, err
	}
	var grantees []records.Grantee
	for _, c := range live {
		vault, err := k.vaultOf(ctx, c)
		if err != nil {
			return nil, err
		}
		if vault.Epoch == 0 {
			continue
		}
		grantees = append(grantees, records.Grantee{KeyHash: sha256.Sum256(vault.Key), Classes: c.Classes, Records: c.Records})
	}
	return grantees, nil
}

// vaultOf is the vault to which versions are sealed under a consent: the clinician's, or that of
// the hospital. Its epoch is 0 where whoever has it may not open anything now.
func (k *Keeper) vaultOf(ctx context.Context, c access.Consent) (access.Grantee, error) {
	member, err := k.consortium.Member(ctx, c.Hospital)
	if err != nil || !member.IsActive() {
		return access.Grantee{}, err
	}
	if c.Staff == "" {
		return access.Grantee{Hospital: member.Number, Epoch: member.VaultEpoch, Key: member.VaultKey}, nil
	}
	staff, err := k.consortium.StaffMember(ctx, c.Staff)
	if err != nil || staff.Revoked || staff.Role != consortium.ROLE_CLINICIAN || staff.Hospital != c.Hospital {
		return access.Grantee{}, err
	}
	return access.Grantee{Hospital: member.Number, Staff: staff.Address, Epoch: staff.VaultEpoch, Key: staff.VaultKey}, nil
}
