package access

import (
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
)

// RegisterInterfaces registers the module's messages and their services.
func RegisterInterfaces(registry codectypes.InterfaceRegistry) {
	registry.RegisterImplementations((*sdk.Msg)(nil),
		&MsgProposeUnlock{}, &MsgEndorseUnlock{}, &MsgApproveUnlock{}, &MsgDenyUnlock{},
		&MsgWithdrawUnlock{}, &MsgGrantConsent{}, &MsgWithdrawConsent{}, &MsgUseConsent{},
		&MsgEnableEmergency{}, &MsgDisableEmergency{}, &MsgRequestEmergency{}, &MsgApproveEmergency{}, &MsgReviewEmergency{},
		&MsgSetGuardians{}, &MsgProposeRecovery{}, &MsgApproveRecovery{}, &MsgCancelRecovery{}, &MsgFinishRecovery{},
		&MsgSetHandOver{}, &MsgUpdateParams{})
	msgservice.RegisterMsgServiceDesc(registry, &_Msg_serviceDesc)
}
