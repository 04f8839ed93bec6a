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

// Proposal is the proposal of that number; consortium.ErrUnknownProposal where there
// is none.
func (k *Keeper) Proposal(ctx context.Context, number uint64) (consortium.Proposal, error) {
	p, err := k.proposals.Get(ctx, number)
	if errors.Is(err, collections.ErrNotFound) {
		return p, consortium.ErrUnknownProposal.Wrapf("%d", number)
	}
	return p, err
}

// setProposal writes a proposal and moves it between the queues by its status.
func (k *Keeper) setProposal(ctx context.Context, p consortium.Proposal) error {
	if err := k.proposals.Set(ctx, p.Number, p); err != nil {
		return err
	}
	mine, closing := collections.Join(p.Hospital, p.Number), collections.Join(p.ClosesAt, p.Number)
	if p.Status == consortium.PROPOSAL_STATUS_OPEN {
		if err := k.openProposals.Set(ctx, mine); err != nil {
			return err
		}
		return k.closing.Set(ctx, closing)
	}
	if err := k.openProposals.Remove(ctx, mine); err != nil {
		return err
	}
	if err := k.closing.Remove(ctx, closing); err != nil {
		return err
	}
	if p.Status == consortium.PROPOSAL_STATUS_ACCEPTED {
		return k.accepted.Set(ctx, p.Number)
	}
	return k.accepted.Remove(ctx, p.Number)
}

// tally counts the votes of the members that are active now.
func (k *Keeper) tally(ctx context.Context, proposal uint64) (consortium.Tally, error) {
	active, err := k.active(ctx)
	if err != nil {
		return consortium.Tally{}, err
	}
	t := consortium.Tally{Active: uint64(len(active))}
	for _, member := range active {
		v, err := k.votes.Get(ctx, collections.Join(proposal, member))
		switch {
		case errors.Is(err, collections.ErrNotFound):
		case err != nil:
			return t, err
		case v.Accept:
			t.Accept++
		default:
			t.Reject++
		}
	}
	return t, nil
}

// decide closes an open proposal once the votes have decided it or, at the end of
// its time, in any case.
func (k *Keeper) decide(ctx context.Context, p consortium.Proposal, ended bool) error {
	t, err := k.tally(ctx, p.Number)
	if err != nil {
		return err
	}
	switch {
	case t.Accepted():
		p.Status = consortium.PROPOSAL_STATUS_ACCEPTED
	case t.Rejected() || ended:
		p.Status = consortium.PROPOSAL_STATUS_REJECTED
		if err := k.accept(ctx, about(byChain(), audit.KindProposalRejected, text(p.Number))); err != nil {
			return err
		}
	default:
		return nil
	}
	return k.setProposal(ctx, p)
}

// checkSigner answers consortium.ErrNotProposable unless the consortium's account is
// the message's one signer and something carries the message out.
func (k *Keeper) checkSigner(msg sdk.Msg) error {
	signers, _, err := k.cdc.GetMsgV1Signers(msg)
	if err != nil {
		return consortium.ErrNotProposable.Wrapf("%s: %v", sdk.MsgTypeURL(msg), err)
	}
	if len(signers) != 1 || !bytes.Equal(signers[0], consortium.Account()) {
		return consortium.ErrNotProposable.Wrapf("%s: want %s as its one signer", sdk.MsgTypeURL(msg), k.Authority())
	}
	if k.router.Handler(msg) == nil {
		return consortium.ErrNotProposable.Wrapf("%s: nothing carries it out", sdk.MsgTypeURL(msg))
	}
	return nil
}

// isWorthAVote answers why a message about somebody new could not be carried out now. What becomes of it until it is voted on is
// seen when it is carried out.
func (k *Keeper) isWorthAVote(ctx context.Context, msg sdk.Msg) (err error) {
	switch m := msg.(type) {
	case *consortium.MsgAdmitMember:
		_, err = k.founding(ctx, &m.Hospital)
	case *consortium.MsgAppointAuditor:
		_, err = k.appointable(ctx, m)
	case *consortium.MsgDismissAuditor:
		_, _, err = k.dismissible(ctx, m.Auditor)
	}
	return err
}

// SubmitProposal asks the members to decide. The proposer's hospital votes like the
// others, by a vote.
func (s msgServer) SubmitProposal(ctx context.Context, msg *consortium.MsgSubmitProposal) (*consortium.MsgSubmitProposalResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Proposer, consortium.ROLE_ADMIN)
	if err != nil {
		return nil, err
	}
	msgs, err := msg.Msgs()
	if err != nil {
		return nil, err
	}
	for _, m := range msgs {
		if err := s.checkSigner(m); err != nil {
			return nil, err
		}
		if err := s.isWorthAVote(ctx, m); err != nil {
			return nil, err
		}
	}
	open, err := countPrefix(ctx, s.openProposals, signer.Hospital)
	if err != nil {
		return nil, err
	}
	if open >= consortium.MaxOpenProposals {
		return nil, consortium.ErrTooMany.Wrapf("a member has at most %d open proposals", consortium.MaxOpenProposals)
	}
	params, err := s.Params(ctx)
	if err != nil {
		return nil, err
	}
	last, err := lastNumber(ctx, s.proposals)
	if err != nil {
		return nil, err
	}
	p := consortium.Proposal{
		Number: last + 1, Proposer: signer.Address, Hospital: signer.Hospital, Messages: msg.Messages,
		ClosesAt: blockTime(ctx) + int64(params.VotingPeriod), Status: consortium.PROPOSAL_STATUS_OPEN,
	}
	if err := s.setProposal(ctx, p); err != nil {
		return nil, err
	}
	if err := s.accept(ctx, about(entry, audit.KindProposalSubmitted, text(p.Number))); err != nil {
		return nil, err
	}
	return &consortium.MsgSubmitProposalResponse{Number: p.Number}, tellProposal(ctx, p.Number)
}

// Vote casts the hospital's one vote. A refusal is written to the log.
func (s msgServer) Vote(ctx context.Context, msg *consortium.MsgVote) (*consortium.MsgVoteResponse, error) {
	signer, entry, err := s.Actor(ctx, msg.Voter)
	if err != nil {
		return nil, err
	}
	p, err := s.Proposal(ctx, msg.Proposal)
	if err != nil {
		return nil, err
	}
	key := collections.Join(p.Number, signer.Hospital)
	voted, err := s.votes.Has(ctx, key)
	if err != nil {
		return nil, err
	}
	entry = about(entry, audit.KindProposalVoted, text(p.Number))
	var reason string
	switch {
	case signer.Role != consortium.ROLE_ADMIN:
		reason = consortium.ReasonWrongRole
	case !signer.Active:
		reason = consortium.ReasonInactive
	case p.Status != consortium.PROPOSAL_STATUS_OPEN || p.ClosesAt <= blockTime(ctx):
		reason = consortium.ReasonClosed
	case voted:
		reason = consortium.ReasonAlreadyVoted
	}
	if reason != "" {
		return &consortium.MsgVoteResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	vote := consortium.Vote{Proposal: p.Number, Hospital: signer.Hospital, Voter: signer.Address, Accept: msg.Accept}
	if err := s.votes.Set(ctx, key, vote); err != nil {
		return nil, err
	}
	if err := s.accept(ctx, entry); err != nil {
		return nil, err
	}
	if err := s.decide(ctx, p, false); err != nil {
		return nil, err
	}
	return &consortium.MsgVoteResponse{Outcome: audit.OUTCOME_OK}, tellProposal(ctx, p.Number)
}

// WithdrawProposal takes an open proposal back; only who made it may.
func (s msgServer) WithdrawProposal(ctx context.Context, msg *consortium.MsgWithdrawProposal) (*consortium.MsgWithdrawProposalResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Proposer, consortium.ROLE_ADMIN)
	if err != nil {
		return nil, err
	}
	p, err := s.Proposal(ctx, msg.Proposal)
	if err != nil {
		return nil, err
	}
	if p.Proposer != signer.Address {
		return nil, consortium.ErrUnauthorized.Wrapf("proposal %d: got %s, want %s", p.Number, signer.Address, p.Proposer)
	}
	if p.Status != consortium.PROPOSAL_STATUS_OPEN {
		return nil, consortium.ErrWrongStatus.Wrapf("proposal %d is not open", p.Number)
	}
	p.Status = consortium.PROPOSAL_STATUS_WITHDRAWN
	if err := s.setProposal(ctx, p); err != nil {
		return nil, err
	}
	if err := s.accept(ctx, about(entry, audit.KindProposalWithdrawn, text(p.Number))); err != nil {
		return nil, err
	}
	return &consortium.MsgWithdrawProposalResponse{}, tellProposal(ctx, p.Number)
}
