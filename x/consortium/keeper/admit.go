package keeper

import (
	"context"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// AdmitMember makes a hospital a member, as every key of its declaration has signed;
// only a vote does. It validates from the next block but one, so it should be running.
func (s msgServer) AdmitMember(ctx context.Context, msg *consortium.MsgAdmitMember) (*consortium.MsgAdmitMemberResponse, error) {
	if err := s.vote(msg.Authority); err != nil {
		return nil, err
	}
	f, err := s.founding(ctx, &msg.Hospital)
	if err != nil {
		return nil, err
	}
	if err := s.addFounding(ctx, f); err != nil {
		return nil, err
	}
	if err := s.changed.Set(ctx, f.Member.Number); err != nil {
		return nil, err
	}
	if err := s.accept(ctx, about(byChain(), audit.KindMemberAdmitted, text(f.Member.Number))); err != nil {
		return nil, err
	}
	for _, h := range s.membershipHooks {
		if err := h.Admitted(ctx, f.Member.Number); err != nil {
			return nil, err
		}
	}
	return &consortium.MsgAdmitMemberResponse{Number: f.Member.Number}, tellMember(ctx, f.Member.Number)
}

// founding opens a declaration and answers what it adds to the network now. The errors
// are those of SignedDeclaration.Open and of what keeps the hospital from being admitted.
func (k *Keeper) founding(ctx context.Context, signed *consortium.SignedDeclaration) (consortium.Founding, error) {
	d, err := signed.Open()
	if err != nil {
		return consortium.Founding{}, err
	}
	number, err := k.checkNewMember(ctx, &d)
	if err != nil {
		return consortium.Founding{}, err
	}
	node, err := lastNumber(ctx, k.nodes)
	return d.Found(number, node+1, blockTime(ctx)), err
}

// checkNewMember answers the number that a declared hospital would have, or what keeps
// it out: consortium.ErrTooMany, and consortium.ErrKnownName, consortium.ErrKnownKey
// and consortium.ErrKnownAccount where anybody has or had what it names.
func (k *Keeper) checkNewMember(ctx context.Context, d *consortium.Declaration) (uint64, error) {
	last := uint64(0)
	if err := k.members.Walk(ctx, nil, func(number uint64, m consortium.Member) (bool, error) {
		last = number
		return false, d.CheckDistinct(m)
	}); err != nil {
		return 0, err
	}
	if last >= consortium.MaxMembers {
		return 0, consortium.ErrTooMany.Wrapf("a network has at most %d members", consortium.MaxMembers)
	}
	for _, key := range [][]byte{d.ConsensusKey, d.CometKey, d.Libp2PKey} {
		if err := k.checkNewKey(ctx, key); err != nil {
			return 0, err
		}
	}
	for _, key := range [][]byte{d.NodeKey, d.AdminKey} {
		if _, err := k.newAccount(ctx, consortium.AccountOf(key).String()); err != nil {
			return 0, err
		}
	}
	return last + 1, nil
}

// checkNewKey answers consortium.ErrKnownKey where an ed25519 key is or was anybody's
// consensus key, CometBFT key or libp2p key.
func (k *Keeper) checkNewKey(ctx context.Context, key []byte) error {
	for _, has := range []func() (bool, error){
		func() (bool, error) { return k.membersByConsensus.Has(ctx, consortium.ConsensusAddress(key)) },
		func() (bool, error) { return k.nodesByComet.Has(ctx, consortium.CometID(key)) },
		func() (bool, error) { return k.nodesByPeer.Has(ctx, key) },
	} {
		known, err := has()
		if err != nil {
			return err
		}
		if known {
			return consortium.ErrKnownKey.Wrapf("%X", key)
		}
	}
	return nil
}

// addFounding writes a member and all that comes with it.
func (k *Keeper) addFounding(ctx context.Context, f consortium.Founding) error {
	if err := k.addMember(ctx, f.Member); err != nil {
		return err
	}
	if err := k.sites.Set(ctx, collections.Join(f.Site.Member, f.Site.Number), f.Site); err != nil {
		return err
	}
	if err := k.addNode(ctx, f.Node); err != nil {
		return err
	}
	admin, err := sdk.AccAddressFromBech32(f.Admin.Address)
	if err != nil {
		return err
	}
	if err := k.setStaff(ctx, admin, f.Admin); err != nil {
		return err
	}
	k.openAuth(ctx, admin)
	return nil
}
