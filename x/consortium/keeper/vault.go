package keeper

import (
	"bytes"
	"context"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// RotateMemberVault gives the vault of the signer's member its next key. Records that were
// locked before stay sealed to the former one until an officer seals them anew.
func (s msgServer) RotateMemberVault(ctx context.Context, msg *consortium.MsgRotateMemberVault) (*consortium.MsgRotateMemberVaultResponse, error) {
	m, entry, err := s.vaultOwner(ctx, msg.Admin, msg.VaultKey)
	if err != nil {
		return nil, err
	}
	if msg.Epoch != m.VaultEpoch+1 {
		return nil, consortium.ErrInvalidKey.Wrapf("vault: got epoch %d after %d", msg.Epoch, m.VaultEpoch)
	}
	m.VaultKey, m.VaultEpoch = msg.VaultKey, msg.Epoch
	if err := s.setMember(ctx, m); err != nil {
		return nil, err
	}
	if err := s.accept(ctx, about(entry, audit.KindMemberVaultRotated, text(m.VaultEpoch))); err != nil {
		return nil, err
	}
	return &consortium.MsgRotateMemberVaultResponse{}, tellMember(ctx, m.Number)
}

// RotateEmergencyVault gives the emergency vault of the signer's member its first or next key.
// Boxes that were sealed before stay sealed to the former one.
func (s msgServer) RotateEmergencyVault(ctx context.Context, msg *consortium.MsgRotateEmergencyVault) (*consortium.MsgRotateEmergencyVaultResponse, error) {
	m, entry, err := s.vaultOwner(ctx, msg.Admin, msg.VaultKey)
	if err != nil {
		return nil, err
	}
	if msg.Epoch != m.EmergencyEpoch+1 {
		return nil, consortium.ErrInvalidKey.Wrapf("emergency vault: got epoch %d after %d", msg.Epoch, m.EmergencyEpoch)
	}
	m.EmergencyKey, m.EmergencyEpoch = msg.VaultKey, msg.Epoch
	if err := s.setMember(ctx, m); err != nil {
		return nil, err
	}
	if err := s.accept(ctx, about(entry, audit.KindEmergencyVaultRotated, text(m.EmergencyEpoch))); err != nil {
		return nil, err
	}
	return &consortium.MsgRotateEmergencyVaultResponse{}, tellMember(ctx, m.Number)
}

// vaultOwner answers the member whose admin gives one of its vaults a key, which must be no
// vault's yet.
func (s msgServer) vaultOwner(ctx context.Context, admin string, key []byte) (consortium.Member, audit.Entry, error) {
	signer, entry, err := s.authorise(ctx, admin, consortium.ROLE_ADMIN)
	if err != nil {
		return consortium.Member{}, entry, err
	}
	if _, err := lock.ParsePublicKey(key); err != nil {
		return consortium.Member{}, entry, consortium.ErrInvalidKey.Wrapf("vault: %v", err)
	}
	if err := s.members.Walk(ctx, nil, func(number uint64, other consortium.Member) (bool, error) {
		if bytes.Equal(other.VaultKey, key) || bytes.Equal(other.EmergencyKey, key) {
			return true, consortium.ErrKnownKey.Wrapf("it is that of a vault of member %d", number)
		}
		return false, nil
	}); err != nil {
		return consortium.Member{}, entry, err
	}
	m, err := s.Member(ctx, signer.Hospital)
	return m, entry, err
}
