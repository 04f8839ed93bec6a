package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// endingKey is when an auditor's role ends, and the account.
type endingKey = collections.Pair[int64, []byte]

// AppointAuditor has an account see the log of some hospitals, or of all; only a vote does.
// Who was an auditor already is one by this appointment from then on.
func (s msgServer) AppointAuditor(ctx context.Context, msg *consortium.MsgAppointAuditor) (*consortium.MsgAppointAuditorResponse, error) {
	if err := s.vote(msg.Authority); err != nil {
		return nil, err
	}
	account, err := s.appointable(ctx, msg)
	if err != nil {
		return nil, err
	}
	p := consortium.Staff{
		Address: account.String(), Role: consortium.ROLE_AUDITOR, Hospitals: msg.Hospitals, Since: blockTime(ctx), Until: msg.Until,
	}
	if err := s.setStaff(ctx, account, p); err != nil {
		return nil, err
	}
	s.openAuth(ctx, account)
	return &consortium.MsgAppointAuditorResponse{}, s.accept(ctx, about(byChain(), audit.KindAuditorAppointed, p.Address))
}

// appointable is the account that a message would appoint now. The errors are those of the message's Validate,
// consortium.ErrInvalidRole where the time is over, consortium.ErrUnknownMember, and consortium.ErrKnownAccount where the
// account has another role.
func (k *Keeper) appointable(ctx context.Context, msg *consortium.MsgAppointAuditor) (sdk.AccAddress, error) {
	if err := msg.Validate(); err != nil {
		return nil, err
	}
	if msg.Until <= blockTime(ctx) {
		return nil, consortium.ErrInvalidRole.Wrapf("auditor until %d: want a time to come", msg.Until)
	}
	for _, hospital := range msg.Hospitals {
		if _, err := k.Member(ctx, hospital); err != nil {
			return nil, err
		}
	}
	account, err := consortium.ParseAccount(msg.Auditor)
	if err != nil {
		return nil, err
	}
	p, err := k.staff.Get(ctx, account)
	if errors.Is(err, collections.ErrNotFound) {
		return k.newAccount(ctx, msg.Auditor)
	}
	if err == nil && p.Role != consortium.ROLE_AUDITOR {
		err = consortium.ErrKnownAccount.Wrapf("%q is %s of member %d", msg.Auditor, p.Role.Text(), p.Hospital)
	}
	return account, err
}

// DismissAuditor ends the role of an auditor whom the members appointed; only a vote does.
func (s msgServer) DismissAuditor(ctx context.Context, msg *consortium.MsgDismissAuditor) (*consortium.MsgDismissAuditorResponse, error) {
	if err := s.vote(msg.Authority); err != nil {
		return nil, err
	}
	account, p, err := s.dismissible(ctx, msg.Auditor)
	if err != nil {
		return nil, err
	}
	p.Revoked = true
	if err := s.setStaff(ctx, account, p); err != nil {
		return nil, err
	}
	return &consortium.MsgDismissAuditorResponse{}, s.accept(ctx, about(byChain(), audit.KindAuditorDismissed, p.Address))
}

// dismissible is an auditor of the members who was not dismissed.
func (k *Keeper) dismissible(ctx context.Context, address string) (sdk.AccAddress, consortium.Staff, error) {
	account, err := consortium.ParseAccount(address)
	if err != nil {
		return nil, consortium.Staff{}, err
	}
	p, err := k.StaffMember(ctx, address)
	switch {
	case err != nil:
		return nil, p, err
	case !p.IsAppointed():
		return nil, p, consortium.ErrUnauthorized.Wrapf("%q is of member %d, whose admin registered it", address, p.Hospital)
	case p.Revoked:
		return nil, p, consortium.ErrWrongStatus.Wrapf("%q was dismissed", address)
	}
	return account, p, nil
}

// queueEnd keeps the queue of ends as a person's role has one. before is what the person was, nothing where it is new.
func (k *Keeper) queueEnd(ctx context.Context, account sdk.AccAddress, before, p consortium.Staff) error {
	if before.EndIsDue() {
		if err := k.ending.Remove(ctx, collections.Join(before.Until, []byte(account))); err != nil {
			return err
		}
	}
	if p.EndIsDue() {
		return k.ending.Set(ctx, collections.Join(p.Until, []byte(account)))
	}
	return nil
}

// endRoles tells the log of roles whose time is over. They ended at that time, whether or not there was a block.
func (k *Keeper) endRoles(ctx context.Context) error {
	var ended [][]byte
	until := collections.NewPrefixUntilPairRange[int64, []byte](blockTime(ctx))
	if err := k.ending.Walk(ctx, until, func(key endingKey) (bool, error) {
		ended = append(ended, key.K2())
		return len(ended) >= consortium.MaxEndingsPerBlock, nil
	}); err != nil {
		return err
	}
	for _, account := range ended {
		p, err := k.staff.Get(ctx, account)
		if err != nil {
			return err
		}
		p.Ended = true
		if err := k.setStaff(ctx, account, p); err != nil {
			return err
		}
		if err := k.accept(ctx, about(byChain(), audit.KindRoleEnded, text(p.Hospital)+"/"+p.Address)); err != nil {
			return err
		}
	}
	return nil
}

// MigrateEndings leads from the first format of the state to the second: ends of roles stand in a queue. Ends that are over become
// entries of the next blocks.
func (k *Keeper) MigrateEndings(ctx context.Context) error {
	staff, err := all(ctx, k.staff)
	if err != nil {
		return err
	}
	for _, p := range staff {
		account, err := consortium.ParseAccount(p.Address)
		if err != nil {
			return err
		}
		if err := k.queueEnd(ctx, account, consortium.Staff{}, p); err != nil {
			return err
		}
	}
	return nil
}
