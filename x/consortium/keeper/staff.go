package keeper

import (
	"bytes"
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// setStaff writes a person and the ways to find it.
func (k *Keeper) setStaff(ctx context.Context, account sdk.AccAddress, p consortium.Staff) error {
	before, err := k.staff.Get(ctx, account)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return err
	}
	if err := k.queueEnd(ctx, account, before, p); err != nil {
		return err
	}
	if err := k.staff.Set(ctx, account, p); err != nil {
		return err
	}
	if before.Address != "" && before.Hospital != p.Hospital {
		if err := k.staffByMember.Remove(ctx, collections.Join(before.Hospital, []byte(account))); err != nil {
			return err
		}
	}
	key := collections.Join(p.Hospital, []byte(account))
	if err := k.staffByMember.Set(ctx, key); err != nil {
		return err
	}
	if p.Role != consortium.ROLE_ADMIN {
		return nil
	}
	if p.Revoked {
		return k.admins.Remove(ctx, key)
	}
	return k.admins.Set(ctx, key)
}

// RegisterStaff gives an address a role in the signer's member and creates its
// account.
func (s msgServer) RegisterStaff(ctx context.Context, msg *consortium.MsgRegisterStaff) (*consortium.MsgRegisterStaffResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Admin, consortium.ROLE_ADMIN)
	if err != nil {
		return nil, err
	}
	if !msg.Role.IsStaff() {
		return nil, consortium.ErrInvalidRole.Wrapf("%d: want admin, clerk, clinician, officer or auditor", msg.Role)
	}
	if err := consortium.CheckWards(msg.Wards); err != nil {
		return nil, err
	}
	if msg.Until != 0 && (msg.Role != consortium.ROLE_AUDITOR || msg.Until <= blockTime(ctx)) {
		return nil, consortium.ErrInvalidRole.Wrapf("%s until %d: only an auditor's role has an end, and one to come", msg.Role.Text(), msg.Until)
	}
	account, err := s.newAccount(ctx, msg.Address)
	if err != nil {
		return nil, err
	}
	if msg.Role == consortium.ROLE_ADMIN {
		count, err := countPrefix(ctx, s.admins, signer.Hospital)
		if err != nil {
			return nil, err
		}
		if count >= consortium.MaxAdmins {
			return nil, consortium.ErrTooMany.Wrapf("a member has at most %d admins", consortium.MaxAdmins)
		}
	}
	p := consortium.Staff{Address: account.String(), Hospital: signer.Hospital, Role: msg.Role, Wards: msg.Wards, Since: blockTime(ctx), Until: msg.Until}
	if err := s.setStaff(ctx, account, p); err != nil {
		return nil, err
	}
	s.openAuth(ctx, account)
	return &consortium.MsgRegisterStaffResponse{}, s.accept(ctx, about(entry, audit.KindStaffRegistered, p.Address))
}

// RevokeStaff ends the role of an account of the signer's member. A member's last
// admin stays: the others of the network replace it by a vote.
func (s msgServer) RevokeStaff(ctx context.Context, msg *consortium.MsgRevokeStaff) (*consortium.MsgRevokeStaffResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Admin, consortium.ROLE_ADMIN)
	if err != nil {
		return nil, err
	}
	account, p, err := s.staffOf(ctx, signer, msg.Address)
	if err != nil {
		return nil, err
	}
	if p.Role == consortium.ROLE_ADMIN {
		count, err := countPrefix(ctx, s.admins, p.Hospital)
		if err != nil {
			return nil, err
		}
		if count < 2 {
			return nil, consortium.ErrLastAdmin.Wrapf("%q", msg.Address)
		}
	}
	p.Revoked = true
	if err := s.setStaff(ctx, account, p); err != nil {
		return nil, err
	}
	return &consortium.MsgRevokeStaffResponse{}, s.accept(ctx, about(entry, audit.KindStaffRevoked, p.Address))
}

// staffOf is a person of the signer's member who was not revoked.
func (k *Keeper) staffOf(ctx context.Context, signer consortium.Principal, address string) (sdk.AccAddress, consortium.Staff, error) {
	account, err := consortium.ParseAccount(address)
	if err != nil {
		return nil, consortium.Staff{}, err
	}
	p, err := k.StaffMember(ctx, address)
	switch {
	case err != nil:
		return nil, p, err
	case p.Hospital != signer.Hospital:
		return nil, p, consortium.ErrUnauthorized.Wrapf("%q is of member %d", address, p.Hospital)
	case p.Revoked:
		return nil, p, consortium.ErrWrongStatus.Wrapf("%q was revoked", address)
	}
	return account, p, nil
}

// StaffMember is the person of that account, revoked or not; consortium.ErrUnknownAccount where
// it is no member's staff.
func (k *Keeper) StaffMember(ctx context.Context, address string) (consortium.Staff, error) {
	account, err := sdk.AccAddressFromBech32(address)
	if err != nil {
		return consortium.Staff{}, consortium.ErrUnknownAccount.Wrapf("%q: %v", address, err)
	}
	p, err := k.staff.Get(ctx, account)
	if errors.Is(err, collections.ErrNotFound) {
		return p, consortium.ErrUnknownAccount.Wrapf("%q is no staff", address)
	}
	return p, err
}

// UpdateStaff changes the wards of a person of the signer's member.
func (s msgServer) UpdateStaff(ctx context.Context, msg *consortium.MsgUpdateStaff) (*consortium.MsgUpdateStaffResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Admin, consortium.ROLE_ADMIN)
	if err != nil {
		return nil, err
	}
	if err := consortium.CheckWards(msg.Wards); err != nil {
		return nil, err
	}
	account, p, err := s.staffOf(ctx, signer, msg.Address)
	if err != nil {
		return nil, err
	}
	p.Wards = msg.Wards
	if err := s.setStaff(ctx, account, p); err != nil {
		return nil, err
	}
	return &consortium.MsgUpdateStaffResponse{}, s.accept(ctx, about(entry, audit.KindStaffUpdated, p.Address))
}

// PublishStaffVault makes the key of the signer's own vault known. Earlier epochs stay with
// the signer's program, which opens with them what was sealed before.
func (s msgServer) PublishStaffVault(ctx context.Context, msg *consortium.MsgPublishStaffVault) (*consortium.MsgPublishStaffVaultResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Staff, consortium.ROLE_CLINICIAN)
	if err != nil {
		return nil, err
	}
	key, err := msg.Key()
	if err != nil {
		return nil, err
	}
	account, p, err := s.staffOf(ctx, signer, signer.Address)
	if err != nil {
		return nil, err
	}
	if msg.Epoch != p.VaultEpoch+1 {
		return nil, consortium.ErrInvalidEpoch.Wrapf("got %d, want %d", msg.Epoch, p.VaultEpoch+1)
	}
	if bytes.Equal(key, p.VaultKey) {
		return nil, consortium.ErrKnownKey.Wrapf("it is that of epoch %d", p.VaultEpoch)
	}
	p.VaultKey, p.VaultEpoch = key, msg.Epoch
	if err := s.setStaff(ctx, account, p); err != nil {
		return nil, err
	}
	return &consortium.MsgPublishStaffVaultResponse{}, s.accept(ctx, about(entry, audit.KindStaffVaultPublished, p.Address))
}

// ReplaceAdmin revokes all admins of a member and registers a new one; only a vote
// does.
func (s msgServer) ReplaceAdmin(ctx context.Context, msg *consortium.MsgReplaceAdmin) (*consortium.MsgReplaceAdminResponse, error) {
	if err := s.vote(msg.Authority); err != nil {
		return nil, err
	}
	m, err := s.Member(ctx, msg.Member)
	if err != nil {
		return nil, err
	}
	if m.Status == consortium.MEMBER_STATUS_LEFT {
		return nil, consortium.ErrWrongStatus.Wrapf("member %d left", m.Number)
	}
	account, err := s.newAccount(ctx, msg.Admin)
	if err != nil {
		return nil, err
	}
	var old [][]byte
	if err := s.admins.Walk(ctx, collections.NewPrefixedPairRange[uint64, []byte](m.Number), func(key memberAccount) (bool, error) {
		old = append(old, key.K2())
		return false, nil
	}); err != nil {
		return nil, err
	}
	for _, admin := range old {
		p, err := s.staff.Get(ctx, admin)
		if err != nil {
			return nil, err
		}
		p.Revoked = true
		if err := s.setStaff(ctx, admin, p); err != nil {
			return nil, err
		}
		if err := s.accept(ctx, about(byChain(), audit.KindStaffRevoked, p.Address)); err != nil {
			return nil, err
		}
	}
	p := consortium.Staff{Address: account.String(), Hospital: m.Number, Role: consortium.ROLE_ADMIN, Since: blockTime(ctx)}
	if err := s.setStaff(ctx, account, p); err != nil {
		return nil, err
	}
	s.openAuth(ctx, account)
	if err := s.accept(ctx, about(byChain(), audit.KindStaffRegistered, p.Address)); err != nil {
		return nil, err
	}
	return &consortium.MsgReplaceAdminResponse{}, s.accept(ctx, about(byChain(), audit.KindAdminReplaced, text(m.Number)))
}
