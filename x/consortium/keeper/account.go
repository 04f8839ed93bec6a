package keeper

import (
	"context"
	"errors"
	"slices"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// Principal says who the account is and whether it may write now;
// consortium.ErrUnknownAccount for a stranger and for a text that is no address.
func (k *Keeper) Principal(ctx context.Context, address string) (consortium.Principal, error) {
	account, err := sdk.AccAddressFromBech32(address)
	if err != nil {
		return consortium.Principal{}, consortium.ErrUnknownAccount.Wrapf("%q: %v", address, err)
	}
	p := consortium.Principal{Address: account.String()}
	for _, find := range []func(context.Context, sdk.AccAddress, *consortium.Principal) error{k.asStaff, k.asNode, k.asPatient} {
		if err := find(ctx, account, &p); !errors.Is(err, collections.ErrNotFound) {
			return p, err
		}
	}
	return consortium.Principal{}, consortium.ErrUnknownAccount.Wrapf("%q", address)
}

// Actor is Principal with an entry in which actor, role and hospital are filled in.
func (k *Keeper) Actor(ctx context.Context, address string) (consortium.Principal, audit.Entry, error) {
	p, err := k.Principal(ctx, address)
	if err != nil {
		return p, audit.Entry{}, err
	}
	return p, audit.Entry{Actor: p.Address, Role: p.Role.Text(), Hospital: p.Hospital}, nil
}

// Inviter is the member that invited the account; 0 where nobody did.
func (k *Keeper) Inviter(ctx context.Context, address string) (uint64, error) {
	account, err := sdk.AccAddressFromBech32(address)
	if err != nil {
		return 0, consortium.ErrUnknownAccount.Wrapf("%q: %v", address, err)
	}
	i, err := k.invitationOf(ctx, account)
	if errors.Is(err, collections.ErrNotFound) {
		return 0, nil
	}
	return i.Hospital, err
}

// asStaff fills in what the account is as staff, or answers collections.ErrNotFound.
func (k *Keeper) asStaff(ctx context.Context, account sdk.AccAddress, p *consortium.Principal) error {
	s, err := k.staff.Get(ctx, account)
	if err != nil {
		return err
	}
	p.Role, p.Hospital, p.Active = s.Role, s.Hospital, s.IsActive(blockTime(ctx))
	p.Wards, p.VaultEpoch, p.Audits = s.Wards, s.VaultEpoch, s.Audits()
	if s.IsAppointed() {
		return nil
	}
	m, err := k.Member(ctx, s.Hospital)
	p.Active = p.Active && m.IsActive()
	return err
}

// asNode fills in what the account is as a server, or answers collections.ErrNotFound.
func (k *Keeper) asNode(ctx context.Context, account sdk.AccAddress, p *consortium.Principal) error {
	number, err := k.nodesByAccount.Get(ctx, account)
	if err != nil {
		return err
	}
	n, err := k.StorageNode(ctx, number)
	if err != nil {
		return err
	}
	m, err := k.Member(ctx, n.Member)
	if err != nil {
		return err
	}
	isItsOwn := n.Account == p.Address // and not one of former days, which only a member's own server has
	p.Role, p.Hospital, p.Active = consortium.ROLE_STORAGE, n.Member, isItsOwn && m.IsActive()
	if n.Account == m.NodeAccount {
		p.Role = consortium.ROLE_NODE
	}
	return nil
}

// asPatient fills in what the account is as an invited patient, or answers
// collections.ErrNotFound.
func (k *Keeper) asPatient(ctx context.Context, account sdk.AccAddress, p *consortium.Principal) error {
	i, err := k.invitationOf(ctx, account)
	if err != nil {
		return err
	}
	p.Role, p.Active = i.Role, true
	if k.principals == nil {
		return nil
	}
	patient, closed, err := k.principals.PatientOf(ctx, p.Address)
	p.Patient, p.Active = patient, !closed
	return err
}

// invitationOf is the invitation that the account was opened with.
func (k *Keeper) invitationOf(ctx context.Context, account sdk.AccAddress) (consortium.Invitation, error) {
	key, err := k.invitationsByAddress.Get(ctx, account)
	if err != nil {
		return consortium.Invitation{}, err
	}
	return k.invitations.Get(ctx, key)
}

// authorise answers the signer with an entry, and consortium.ErrUnauthorized unless
// it is active and has one of the roles.
func (k *Keeper) authorise(ctx context.Context, address string, roles ...consortium.Role) (consortium.Principal, audit.Entry, error) {
	signer, entry, err := k.Actor(ctx, address)
	if err != nil {
		return signer, entry, err
	}
	if !slices.Contains(roles, signer.Role) {
		return signer, entry, consortium.ErrUnauthorized.Wrapf("%s %s", signer.Role.Text(), signer.Address)
	}
	if !signer.Active {
		return signer, entry, consortium.ErrUnauthorized.Wrapf("%s was revoked or its hospital is suspended", signer.Address)
	}
	return signer, entry, nil
}

// vote answers consortium.ErrUnauthorized unless the address is the consortium's
// account, by which only an accepted proposal signs.
func (k *Keeper) vote(address string) error {
	if authority := k.Authority(); address != authority {
		return consortium.ErrUnauthorized.Wrapf("got %q, want %q", address, authority)
	}
	return nil
}

// isKnown says whether the account has a role.
func (k *Keeper) isKnown(ctx context.Context, account sdk.AccAddress) (bool, error) {
	for _, has := range []func(context.Context, []byte) (bool, error){k.staff.Has, k.nodesByAccount.Has, k.invitationsByAddress.Has} {
		if known, err := has(ctx, account); err != nil || known {
			return known, err
		}
	}
	return false, nil
}

// newAccount reads the address of an account that has no role yet;
// consortium.ErrInvalidAddress or consortium.ErrKnownAccount otherwise.
func (k *Keeper) newAccount(ctx context.Context, address string) (sdk.AccAddress, error) {
	account, err := consortium.ParseAccount(address)
	if err != nil {
		return nil, err
	}
	known, err := k.isKnown(ctx, account)
	if err != nil {
		return nil, err
	}
	if known {
		return nil, consortium.ErrKnownAccount.Wrapf("%q", address)
	}
	return account, nil
}

// openAuth gives the account its place among the SDK's accounts, so that it can sign.
func (k *Keeper) openAuth(ctx context.Context, account sdk.AccAddress) {
	if !k.accounts.HasAccount(ctx, account) {
		k.accounts.SetAccount(ctx, k.accounts.NewAccountWithAddress(ctx, account))
	}
}
