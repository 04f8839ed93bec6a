package keeper

import (
	"context"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/storage"
)

// msgServer handles the module's messages. Each handler stands in the file of its
// noun.
type msgServer struct{ *Keeper }

var _ storage.MsgServer = msgServer{}

// NewMsgServer answers the handlers of the module's messages.
func NewMsgServer(k *Keeper) storage.MsgServer { return msgServer{k} }

// UpdateParams changes the rules, those of copies for objects placed later; only the
// consortium's account may.
func (s msgServer) UpdateParams(ctx context.Context, msg *storage.MsgUpdateParams) (*storage.MsgUpdateParamsResponse, error) {
	if authority := s.consortium.Authority(); msg.Authority != authority {
		return nil, storage.ErrUnauthorized.Wrapf("got %q, want %q", msg.Authority, authority)
	}
	if err := s.setParams(ctx, msg.Params); err != nil {
		return nil, err
	}
	entry := audit.Entry{Kind: audit.KindParamsChanged, Role: audit.RoleChain, Target: storage.ModuleName, Outcome: audit.OUTCOME_OK}
	if _, err := s.audit.Append(ctx, entry); err != nil {
		return nil, err
	}
	return &storage.MsgUpdateParamsResponse{}, nil
}
