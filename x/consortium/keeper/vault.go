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
	signer, entry, err := s.authorise(ctx, msg.Admin, consortium.ROLE_ADMIN)
	if err != nil {
		return nil, err
	}
	m, err := s.Member(ctx, signer.Hospital)
	if err != nil {
		return nil, err
	}
	if _, err := lock.ParsePublicKey(msg.VaultKey); err != nil {
		return nil, consortium.ErrInvalidKey.Wrapf("vault: %v", err)
	}
	if msg.Epoch != m.VaultEpoch+1 {
		return nil, consortium.ErrInvalidKey.Wrapf("vault: got epoch %d after %d", msg.Epoch, m.VaultEpoch)
	}
	if err := s.members.Walk(ctx, nil, func(number uint64, other consortium.Member) (bool, error) {
		if bytes.Equal(other.VaultKey, msg.VaultKey) {
			return true, consortium.ErrKnownKey.Wrapf("it is that of the vault of member %d", number)
		}
		return false, nil
	}); err != nil {
		return nil, err
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
