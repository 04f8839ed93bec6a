package keeper

import (
	"context"

	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
)

// msgServer handles the module's messages. Each handler stands in the file of its
// verb.
type msgServer struct{ *Keeper }

var _ access.MsgServer = msgServer{}

// NewMsgServer answers the handlers of the module's messages.
func NewMsgServer(k *Keeper) access.MsgServer { return msgServer{k} }

// UpdateParams changes the bounds; only the consortium's account may.
func (s msgServer) UpdateParams(ctx context.Context, msg *access.MsgUpdateParams) (*access.MsgUpdateParamsResponse, error) {
	if authority := s.consortium.Authority(); msg.Authority != authority {
		return nil, access.ErrUnauthorized.Wrapf("got %q, want %q", msg.Authority, authority)
	}
	if err := s.setParams(ctx, msg.Params); err != nil {
		return nil, err
	}
	entry := audit.Entry{Kind: audit.KindParamsChanged, Role: audit.RoleChain, Target: access.ModuleName, Outcome: audit.OUTCOME_OK}
	if _, err := s.audit.Append(ctx, entry); err != nil {
		return nil, err
	}
	return &access.MsgUpdateParamsResponse{}, nil
}
