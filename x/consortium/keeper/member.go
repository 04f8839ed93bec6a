package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// Member is the member of that number; consortium.ErrUnknownMember where there is none.
func (k *Keeper) Member(ctx context.Context, number uint64) (consortium.Member, error) {
	m, err := k.members.Get(ctx, number)
	if errors.Is(err, collections.ErrNotFound) {
		return m, consortium.ErrUnknownMember.Wrapf("%d", number)
	}
	return m, err
}

// MemberByConsensusAddress is the member whose validator has that address, now or in
// former days; consortium.ErrUnknownMember where there is none.
func (k *Keeper) MemberByConsensusAddress(ctx context.Context, address []byte) (consortium.Member, error) {
	number, err := k.membersByConsensus.Get(ctx, address)
	if errors.Is(err, collections.ErrNotFound) {
		return consortium.Member{}, consortium.ErrUnknownMember.Wrapf("consensus address %X", address)
	}
	if err != nil {
		return consortium.Member{}, err
	}
	return k.Member(ctx, number)
}

// active are the members that validate and vote, by number.
func (k *Keeper) active(ctx context.Context) ([]uint64, error) {
	var numbers []uint64
	err := k.members.Walk(ctx, nil, func(number uint64, m consortium.Member) (bool, error) {
		if m.IsActive() {
			numbers = append(numbers, number)
		}
		return false, nil
	})
	return numbers, err
}

// addMember writes a member and the ways to find it.
func (k *Keeper) addMember(ctx context.Context, m consortium.Member) error {
	if err := k.setMember(ctx, m); err != nil {
		return err
	}
	return k.membersByConsensus.Set(ctx, consortium.ConsensusAddress(m.ConsensusKey), m.Number)
}

// setMember writes a member and notes whether it is leaving.
func (k *Keeper) setMember(ctx context.Context, m consortium.Member) error {
	if err := k.members.Set(ctx, m.Number, m); err != nil {
		return err
	}
	if m.Status == consortium.MEMBER_STATUS_LEAVING {
		return k.leaving.Set(ctx, m.Number)
	}
	return k.leaving.Remove(ctx, m.Number)
}

// setStatus writes a member's status, has the end of the block tell CometBFT, and
// appends the entry of what the chain did.
func (k *Keeper) setStatus(ctx context.Context, m consortium.Member, status consortium.MemberStatus, kind string) error {
	if m.Status = status; status == consortium.MEMBER_STATUS_ACTIVE {
		m.LeavingSince, m.HandedOver = 0, 0
	}
	if err := k.setMember(ctx, m); err != nil {
		return err
	}
	if err := k.accept(ctx, about(byChain(), kind, text(m.Number))); err != nil {
		return err
	}
	return k.statusChanged(ctx, m.Number)
}

// statusChanged has all who follow a member's status know of it.
func (k *Keeper) statusChanged(ctx context.Context, member uint64) error {
	if err := k.changed.Set(ctx, member); err != nil {
		return err
	}
	if err := k.nodesChanged(ctx, member); err != nil {
		return err
	}
	return tellMember(ctx, member)
}

// checkSuspendable answers consortium.ErrWrongStatus unless the member is active,
// and consortium.ErrLastValidator where no other is: a chain without validators
// never makes another block.
func (k *Keeper) checkSuspendable(ctx context.Context, m consortium.Member) error {
	if !m.IsActive() {
		return consortium.ErrWrongStatus.Wrapf("member %d is not active", m.Number)
	}
	active, err := k.active(ctx)
	if err != nil {
		return err
	}
	if len(active) < 2 {
		return consortium.ErrLastValidator.Wrapf("member %d", m.Number)
	}
	return nil
}

// SuspendMember takes a member out of the validator set and stops its writing; only
// a vote does.
func (s msgServer) SuspendMember(ctx context.Context, msg *consortium.MsgSuspendMember) (*consortium.MsgSuspendMemberResponse, error) {
	if err := s.vote(msg.Authority); err != nil {
		return nil, err
	}
	m, err := s.Member(ctx, msg.Member)
	if err != nil {
		return nil, err
	}
	if err := s.checkSuspendable(ctx, m); err != nil {
		return nil, err
	}
	err = s.setStatus(ctx, m, consortium.MEMBER_STATUS_SUSPENDED, audit.KindMemberSuspended)
	return &consortium.MsgSuspendMemberResponse{}, err
}

// ReinstateMember ends a suspension, or has a member stay that asked to leave; only a
// vote does.
func (s msgServer) ReinstateMember(ctx context.Context, msg *consortium.MsgReinstateMember) (*consortium.MsgReinstateMemberResponse, error) {
	if err := s.vote(msg.Authority); err != nil {
		return nil, err
	}
	m, err := s.Member(ctx, msg.Member)
	if err != nil {
		return nil, err
	}
	if m.Status != consortium.MEMBER_STATUS_SUSPENDED && m.Status != consortium.MEMBER_STATUS_LEAVING {
		return nil, consortium.ErrWrongStatus.Wrapf("member %d is neither suspended nor leaving", m.Number)
	}
	err = s.setStatus(ctx, m, consortium.MEMBER_STATUS_ACTIVE, audit.KindMemberReinstated)
	return &consortium.MsgReinstateMemberResponse{}, err
}

// UpdateMember changes the addresses of the signer's member; an empty field stays.
func (s msgServer) UpdateMember(ctx context.Context, msg *consortium.MsgUpdateMember) (*consortium.MsgUpdateMemberResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Admin, consortium.ROLE_ADMIN)
	if err != nil {
		return nil, err
	}
	m, err := s.Member(ctx, signer.Hospital)
	if err != nil {
		return nil, err
	}
	if msg.CometAddress == "" && msg.GatewayUrl == "" && len(msg.GatewayFingerprint) == 0 {
		return nil, consortium.ErrInvalidEndpoint.Wrap("nothing changes")
	}
	if msg.CometAddress != "" {
		m.CometAddress = msg.CometAddress
	}
	if msg.GatewayUrl != "" {
		m.GatewayUrl = msg.GatewayUrl
	}
	if len(msg.GatewayFingerprint) != 0 {
		m.GatewayFingerprint = msg.GatewayFingerprint
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if err := s.setMember(ctx, m); err != nil {
		return nil, err
	}
	if err := s.accept(ctx, about(entry, audit.KindMemberUpdated, text(m.Number))); err != nil {
		return nil, err
	}
	return &consortium.MsgUpdateMemberResponse{}, tellMember(ctx, m.Number)
}
