package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// RotateMemberKeys replaces keys of the server of the signer's member, and the signer's
// own. Each new key has signed that, and nobody may have had it before; the old ones
// are used up from this block on, but for the old consensus key, which signs the next
// block.
func (s msgServer) RotateMemberKeys(ctx context.Context, msg *consortium.MsgRotateMemberKeys) (*consortium.MsgRotateMemberKeysResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Admin, consortium.ROLE_ADMIN)
	if err != nil {
		return nil, err
	}
	m, err := s.Member(ctx, signer.Hospital)
	if err != nil {
		return nil, err
	}
	server, err := s.MemberNode(ctx, m.Number)
	if err != nil {
		return nil, err
	}
	if err := s.checkRotation(ctx, msg, m.Number); err != nil {
		return nil, err
	}
	former := msg.Former(m, server)
	if !former.IsEmpty() {
		if former.Number, err = s.nextRotation(ctx, m.Number); err != nil {
			return nil, err
		}
		former.Until = blockTime(ctx)
		if err := s.replaceKeys(ctx, msg, m, server, former); err != nil {
			return nil, err
		}
	}
	if err := s.accept(ctx, about(entry, audit.KindMemberKeysRotated, text(m.Number))); err != nil {
		return nil, err
	}
	if len(msg.AdminKey) > 0 {
		if err := s.succeedAdmin(ctx, signer, entry, consortium.AccountOf(msg.AdminKey)); err != nil {
			return nil, err
		}
	}
	return &consortium.MsgRotateMemberKeysResponse{}, tellMember(ctx, m.Number)
}

// checkRotation answers what keeps new keys out: what is wrong with them and their
// signatures, and consortium.ErrKnownKey or consortium.ErrKnownAccount where anybody has
// or had one.
func (k *Keeper) checkRotation(ctx context.Context, msg *consortium.MsgRotateMemberKeys, member uint64) error {
	if err := msg.Validate(); err != nil {
		return err
	}
	network, err := k.NetworkID(ctx)
	if err != nil {
		return err
	}
	if err := msg.Verify(network, member); err != nil {
		return err
	}
	for _, key := range [][]byte{msg.ConsensusKey, msg.CometKey, msg.Libp2PKey} {
		if len(key) == 0 {
			continue
		}
		if err := k.checkNewKey(ctx, key); err != nil {
			return err
		}
	}
	for _, key := range [][]byte{msg.NodeKey, msg.AdminKey} {
		if len(key) == 0 {
			continue
		}
		if _, err := k.newAccount(ctx, consortium.AccountOf(key).String()); err != nil {
			return err
		}
	}
	return nil
}

// nextRotation is the number of the member's next replacement of its server's keys;
// consortium.ErrRateLimited where the last one was less than consortium.RotationPause
// ago. Former keys are kept for good, so there must not be many.
func (k *Keeper) nextRotation(ctx context.Context, member uint64) (uint64, error) {
	last, err := k.LastFormerKeys(ctx, member)
	if err != nil {
		return 0, err
	}
	if last.Number > 0 && blockTime(ctx) < last.Until+consortium.RotationPause {
		return 0, consortium.ErrRateLimited.Wrapf("member %d replaced keys %d seconds ago, want %d",
			member, blockTime(ctx)-last.Until, consortium.RotationPause)
	}
	return last.Number + 1, nil
}

// LastFormerKeys are the keys that a member's server replaced last; the zero value where
// it has its first ones.
func (k *Keeper) LastFormerKeys(ctx context.Context, member uint64) (last consortium.FormerKeys, err error) {
	err = k.formerKeys.Walk(ctx, collections.NewPrefixedPairRange[uint64, uint64](member).Descending(),
		func(_ numberPair, f consortium.FormerKeys) (bool, error) {
			last = f
			return true, nil
		})
	return last, err
}

// replaceKeys writes a member and its server with their new keys, and remembers the old
// ones. CometBFT is told at the end of the block.
func (k *Keeper) replaceKeys(ctx context.Context, msg *consortium.MsgRotateMemberKeys, m consortium.Member, server consortium.StorageNode, former consortium.FormerKeys) error {
	if err := k.formerKeys.Set(ctx, collections.Join(former.Member, former.Number), former); err != nil {
		return err
	}
	if len(msg.ConsensusKey) > 0 {
		if err := k.withdrawKey(ctx, m); err != nil {
			return err
		}
	}
	msg.Replace(&m, &server)
	if err := k.addMember(ctx, m); err != nil {
		return err
	}
	return k.addNode(ctx, server)
}

// withdrawKey has the end of the block tell CometBFT that the member's consensus key
// has no power any more, where it was told that it has.
func (k *Keeper) withdrawKey(ctx context.Context, m consortium.Member) error {
	told, err := k.validators.Has(ctx, m.Number)
	if err != nil {
		return err
	}
	if told {
		if err := k.replaced.Set(ctx, m.Number, m.ConsensusKey); err != nil {
			return err
		}
	}
	return k.changed.Set(ctx, m.Number)
}

// succeedAdmin gives an admin's role to a new account.
func (k *Keeper) succeedAdmin(ctx context.Context, signer consortium.Principal, entry audit.Entry, account sdk.AccAddress) error {
	old, err := consortium.ParseAccount(signer.Address)
	if err != nil {
		return err
	}
	p, err := k.staff.Get(ctx, old)
	if err != nil {
		return err
	}
	p.Revoked = true
	if err := k.setStaff(ctx, old, p); err != nil {
		return err
	}
	if err := k.accept(ctx, about(entry, audit.KindStaffRevoked, p.Address)); err != nil {
		return err
	}
	next := consortium.Staff{Address: account.String(), Hospital: p.Hospital, Role: p.Role, Since: blockTime(ctx)}
	if err := k.setStaff(ctx, account, next); err != nil {
		return err
	}
	k.openAuth(ctx, account)
	return k.accept(ctx, about(entry, audit.KindStaffRegistered, next.Address))
}

// addFormerKeys writes keys that a genesis names as replaced, and the ways to find whose
// they were.
func (k *Keeper) addFormerKeys(ctx context.Context, f consortium.FormerKeys) error {
	if err := k.formerKeys.Set(ctx, collections.Join(f.Member, f.Number), f); err != nil {
		return err
	}
	server, err := k.MemberNode(ctx, f.Member)
	if err != nil {
		return err
	}
	var errs []error
	if len(f.ConsensusKey) > 0 {
		errs = append(errs, k.membersByConsensus.Set(ctx, consortium.ConsensusAddress(f.ConsensusKey), f.Member))
	}
	if f.CometId != "" {
		errs = append(errs, k.nodesByComet.Set(ctx, f.CometId, server.Number))
	}
	if f.PeerId != "" {
		peer, err := consortium.ParsePeerID(f.PeerId)
		if err != nil {
			return err
		}
		errs = append(errs, k.nodesByPeer.Set(ctx, peer, server.Number))
	}
	if f.NodeAccount != "" {
		account, err := consortium.ParseAccount(f.NodeAccount)
		if err != nil {
			return err
		}
		errs = append(errs, k.nodesByAccount.Set(ctx, account, server.Number))
	}
	return errors.Join(errs...)
}
