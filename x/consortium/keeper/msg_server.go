package keeper

import (
	"context"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// msgServer handles the module's messages. Each handler stands in the file of its
// noun.
type msgServer struct{ *Keeper }

var _ consortium.MsgServer = msgServer{}

// NewMsgServer answers the handlers of the module's messages.
func NewMsgServer(k *Keeper) consortium.MsgServer { return msgServer{k} }

// UpdateParams changes the rules; only a vote does.
func (s msgServer) UpdateParams(ctx context.Context, msg *consortium.MsgUpdateParams) (*consortium.MsgUpdateParamsResponse, error) {
	if err := s.vote(msg.Authority); err != nil {
		return nil, err
	}
	if err := s.setParams(ctx, msg.Params); err != nil {
		return nil, err
	}
	err := s.accept(ctx, about(byChain(), audit.KindParamsChanged, consortium.ModuleName))
	return &consortium.MsgUpdateParamsResponse{}, err
}
