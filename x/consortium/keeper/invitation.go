package keeper

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// Invitation is the invitation of that key; consortium.ErrUnknownInvitation where
// there is none.
func (k *Keeper) Invitation(ctx context.Context, key []byte) (consortium.Invitation, error) {
	i, err := k.invitations.Get(ctx, key)
	if errors.Is(err, collections.ErrNotFound) {
		return i, consortium.ErrUnknownInvitation.Wrapf("%x", key)
	}
	return i, err
}

// setInvitation writes an invitation and, once it was used, the way from the account
// to it.
func (k *Keeper) setInvitation(ctx context.Context, i consortium.Invitation) error {
	if err := k.invitations.Set(ctx, i.Key, i); err != nil {
		return err
	}
	if i.Address == "" {
		return nil
	}
	account, err := consortium.ParseAccount(i.Address)
	if err != nil {
		return err
	}
	k.openAuth(ctx, account)
	return k.invitationsByAddress.Set(ctx, account, i.Key)
}

// CreateInvitation lets one patient open an account.
func (s msgServer) CreateInvitation(ctx context.Context, msg *consortium.MsgCreateInvitation) (*consortium.MsgCreateInvitationResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Inviter, consortium.ROLE_ADMIN, consortium.ROLE_CLERK)
	if err != nil {
		return nil, err
	}
	if err := consortium.CheckInvitationKey(msg.Key); err != nil {
		return nil, err
	}
	if msg.Role != consortium.ROLE_PATIENT {
		return nil, consortium.ErrInvalidRole.Wrapf("%d: want patient", msg.Role)
	}
	params, err := s.Params(ctx)
	if err != nil {
		return nil, err
	}
	now := blockTime(ctx)
	if latest := now + int64(params.InvitationLifetime); msg.ExpiresAt <= now || msg.ExpiresAt > latest {
		return nil, consortium.ErrInvalidInvitation.Wrapf("expires_at: got %d, want after %d and at most %d", msg.ExpiresAt, now, latest)
	}
	known, err := s.invitations.Has(ctx, msg.Key)
	if err != nil {
		return nil, err
	}
	if known {
		return nil, consortium.ErrKnownKey.Wrapf("invitation %x", msg.Key)
	}
	i := consortium.Invitation{Key: msg.Key, Hospital: signer.Hospital, Role: msg.Role, ExpiresAt: msg.ExpiresAt}
	if err := s.setInvitation(ctx, i); err != nil {
		return nil, err
	}
	return &consortium.MsgCreateInvitationResponse{}, s.accept(ctx, about(entry, audit.KindInvitationCreated, hex.EncodeToString(i.Key)))
}

// RevokeInvitation ends an unused invitation of the signer's member.
func (s msgServer) RevokeInvitation(ctx context.Context, msg *consortium.MsgRevokeInvitation) (*consortium.MsgRevokeInvitationResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Inviter, consortium.ROLE_ADMIN, consortium.ROLE_CLERK)
	if err != nil {
		return nil, err
	}
	i, err := s.Invitation(ctx, msg.Key)
	if err != nil {
		return nil, err
	}
	if i.Hospital != signer.Hospital {
		return nil, consortium.ErrUnauthorized.Wrapf("invitation %x is member %d's", i.Key, i.Hospital)
	}
	if i.Address != "" || i.Revoked {
		return nil, consortium.ErrWrongStatus.Wrapf("invitation %x was used or revoked", i.Key)
	}
	i.Revoked = true
	if err := s.setInvitation(ctx, i); err != nil {
		return nil, err
	}
	return &consortium.MsgRevokeInvitationResponse{}, s.accept(ctx, about(entry, audit.KindInvitationRevoked, hex.EncodeToString(i.Key)))
}

// OpenAccount creates the account of an invited person, whose own node hands it in:
// the invitation's key has signed the address. A refusal is written to the log.
func (s msgServer) OpenAccount(ctx context.Context, msg *consortium.MsgOpenAccount) (*consortium.MsgOpenAccountResponse, error) {
	signer, entry, err := s.Actor(ctx, msg.Node)
	if err != nil {
		return nil, err
	}
	account, err := consortium.ParseAccount(msg.Address)
	if err != nil {
		return nil, err
	}
	if err := consortium.CheckInvitationKey(msg.Invitation); err != nil {
		return nil, err
	}
	if len(msg.Signature) != ed25519.SignatureSize {
		return nil, consortium.ErrInvalidInvitation.Wrapf("signature: got %d bytes, want %d", len(msg.Signature), ed25519.SignatureSize)
	}
	entry = about(entry, audit.KindAccountOpened, account.String())
	i, reason, err := s.checkOpening(ctx, signer, account, msg)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return &consortium.MsgOpenAccountResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	i.Address = account.String()
	if err := s.setInvitation(ctx, i); err != nil {
		return nil, err
	}
	return &consortium.MsgOpenAccountResponse{Outcome: audit.OUTCOME_OK}, s.accept(ctx, entry)
}

// checkOpening answers the invitation, or the reason for which it opens nothing.
func (k *Keeper) checkOpening(ctx context.Context, signer consortium.Principal, account sdk.AccAddress, msg *consortium.MsgOpenAccount) (consortium.Invitation, string, error) {
	none := consortium.Invitation{}
	switch {
	case signer.Role != consortium.ROLE_NODE:
		return none, consortium.ReasonWrongRole, nil
	case !signer.Active:
		return none, consortium.ReasonInactive, nil
	}
	i, err := k.Invitation(ctx, msg.Invitation)
	if errors.Is(err, consortium.ErrUnknownInvitation) {
		return none, consortium.ReasonUnknownInvitation, nil
	}
	if err != nil {
		return none, "", err
	}
	network, err := k.NetworkID(ctx)
	if err != nil {
		return none, "", err
	}
	// Before the invitation's state: who has not the seed learns nothing of it.
	if !i.Opens(network, account, msg.Signature) {
		return none, consortium.ReasonBadSignature, nil
	}
	if reason := i.Status(blockTime(ctx)); reason != "" {
		return none, reason, nil
	}
	inviter, err := k.Member(ctx, i.Hospital)
	if err != nil {
		return none, "", err
	}
	if !inviter.IsActive() {
		return none, consortium.ReasonInviterInactive, nil
	}
	known, err := k.isKnown(ctx, account)
	if err != nil {
		return none, "", err
	}
	if known {
		return none, consortium.ReasonKnownAccount, nil
	}
	return i, "", nil
}
