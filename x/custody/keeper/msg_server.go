package keeper

import (
	"context"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/custody"
)

// msgServer handles the module's messages. Each handler stands in the file of its
// noun.
type msgServer struct{ *Keeper }

var _ custody.MsgServer = msgServer{}

// NewMsgServer answers the handlers of the module's messages.
func NewMsgServer(k *Keeper) custody.MsgServer { return msgServer{k} }

// UpdateParams changes the bounds; only the consortium's
// account may.
func (s msgServer) UpdateParams(ctx context.Context, msg *custody.MsgUpdateParams) (*custody.MsgUpdateParamsResponse, error) {
	if err := s.vote(msg.Authority); err != nil {
		return nil, err
	}
	if err := s.setParams(ctx, msg.Params); err != nil {
		return nil, err
	}
	entry := audit.Entry{Kind: audit.KindParamsChanged, Role: audit.RoleChain, Target: custody.ModuleName, Outcome: audit.OUTCOME_OK}
	if _, err := s.audit.Append(ctx, entry); err != nil {
		return nil, err
	}
	return &custody.MsgUpdateParamsResponse{}, nil
}
