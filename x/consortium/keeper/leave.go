package keeper

import (
	"context"
	"errors"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// RequestLeave begins to take the signer's member out of the network. It takes part as
// before, gets no new copies, and leaves at the end of the block in which others hold
// all that it holds; until then a vote may have it stay.
func (s msgServer) RequestLeave(ctx context.Context, msg *consortium.MsgRequestLeave) (*consortium.MsgRequestLeaveResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Admin, consortium.ROLE_ADMIN)
	if err != nil {
		return nil, err
	}
	m, err := s.Member(ctx, signer.Hospital)
	if err != nil {
		return nil, err
	}
	if !m.Stays() {
		return nil, consortium.ErrWrongStatus.Wrapf("member %d is leaving", m.Number)
	}
	if err := s.checkSpared(ctx, m.Number); err != nil {
		return nil, err
	}
	m.Status, m.LeavingSince, m.HandedOver = consortium.MEMBER_STATUS_LEAVING, blockTime(ctx), 0
	if err := s.setMember(ctx, m); err != nil {
		return nil, err
	}
	for _, h := range s.membershipHooks {
		copies, err := h.Leaving(ctx, m.Number)
		if err != nil {
			return nil, err
		}
		m.HandedOver += copies
	}
	if err := s.setMember(ctx, m); err != nil {
		return nil, err
	}
	entry.Count = m.HandedOver
	if err := s.accept(ctx, about(entry, audit.KindMemberLeaving, text(m.Number))); err != nil {
		return nil, err
	}
	return &consortium.MsgRequestLeaveResponse{Copies: m.HandedOver}, tellMember(ctx, m.Number)
}

// RemoveMember has a suspended member leave at once; only a vote does. What it holds is
// lost to the network.
func (s msgServer) RemoveMember(ctx context.Context, msg *consortium.MsgRemoveMember) (*consortium.MsgRemoveMemberResponse, error) {
	if err := s.vote(msg.Authority); err != nil {
		return nil, err
	}
	m, err := s.Member(ctx, msg.Member)
	if err != nil {
		return nil, err
	}
	if m.Status != consortium.MEMBER_STATUS_SUSPENDED {
		return nil, consortium.ErrWrongStatus.Wrapf("member %d is not suspended", m.Number)
	}
	// A suspended member may come back with its share, one that is leaving will not.
	if err := s.checkHolders(ctx, func(other consortium.Member) bool {
		return other.Number != m.Number && (other.Stays() || other.Status == consortium.MEMBER_STATUS_SUSPENDED)
	}); err != nil {
		return nil, err
	}
	m.LeavingSince, m.HandedOver = 0, 0 // whatever it had asked for
	return &consortium.MsgRemoveMemberResponse{}, s.leave(ctx, m, audit.KindMemberRemoved)
}

// letLeave has the members leave whose duties have passed to others, and without whom
// the network can do all it could; it looks at consortium.MaxMembers at most.
func (k *Keeper) letLeave(ctx context.Context) error {
	var numbers []uint64
	if err := k.leaving.Walk(ctx, nil, func(number uint64) (bool, error) {
		numbers = append(numbers, number)
		return false, nil
	}); err != nil {
		return err
	}
	for _, number := range numbers {
		ready, err := k.isReadyToLeave(ctx, number)
		if err != nil {
			return err
		}
		if !ready {
			continue
		}
		m, err := k.Member(ctx, number)
		if err != nil {
			return err
		}
		if err := k.leave(ctx, m, audit.KindMemberLeft); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) isReadyToLeave(ctx context.Context, member uint64) (bool, error) {
	for _, h := range k.membershipHooks {
		if ready, err := h.ReadyToLeave(ctx, member); err != nil || !ready {
			return false, err
		}
	}
	err := k.checkSpared(ctx, member)
	if errors.Is(err, consortium.ErrLastValidator) || errors.Is(err, consortium.ErrTooFewHolders) {
		return false, nil // others were suspended since it asked
	}
	return err == nil, err
}

// leave takes a member out of the network for good.
func (k *Keeper) leave(ctx context.Context, m consortium.Member, kind string) error {
	entry := about(byChain(), kind, text(m.Number))
	entry.Outcome = audit.OUTCOME_OK
	sequence, err := k.audit.Append(ctx, entry)
	if err != nil {
		return err
	}
	m.Status, m.LeftAt, m.LeftEntry = consortium.MEMBER_STATUS_LEFT, blockTime(ctx), sequence
	if err := k.setMember(ctx, m); err != nil {
		return err
	}
	if err := k.statusChanged(ctx, m.Number); err != nil {
		return err
	}
	for _, h := range k.membershipHooks {
		if err := h.Left(ctx, m.Number); err != nil {
			return err
		}
	}
	return nil
}

// checkSpared answers consortium.ErrLastValidator where no other member stays, and
// consortium.ErrTooFewHolders where those that stay could not release anything.
func (k *Keeper) checkSpared(ctx context.Context, member uint64) error {
	others := 0
	if err := k.members.Walk(ctx, nil, func(number uint64, m consortium.Member) (bool, error) {
		if number != member && m.Stays() {
			others++
		}
		return false, nil
	}); err != nil {
		return err
	}
	if others == 0 {
		return consortium.ErrLastValidator.Wrapf("member %d", member)
	}
	return k.checkHolders(ctx, func(other consortium.Member) bool { return other.Number != member && other.Stays() })
}

// checkHolders asks whether members of which stays says yes hold enough of each key.
func (k *Keeper) checkHolders(ctx context.Context, stays func(consortium.Member) bool) error {
	if k.keyholders == nil {
		return nil
	}
	left := map[uint64]bool{}
	if err := k.members.Walk(ctx, nil, func(number uint64, m consortium.Member) (bool, error) {
		left[number] = stays(m)
		return false, nil
	}); err != nil {
		return err
	}
	return k.keyholders.CheckHolders(ctx, func(member uint64) bool { return left[member] })
}
