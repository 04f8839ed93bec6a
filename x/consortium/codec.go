package consortium

import (
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
)

// RegisterInterfaces registers the module's messages and their services.
func RegisterInterfaces(registry codectypes.InterfaceRegistry) {
	registry.RegisterImplementations((*sdk.Msg)(nil),
		&MsgSubmitProposal{}, &MsgVote{}, &MsgWithdrawProposal{},
		&MsgAdmitMember{}, &MsgSuspendMember{}, &MsgReinstateMember{}, &MsgRemoveMember{}, &MsgReplaceAdmin{}, &MsgAppointAuditor{}, &MsgDismissAuditor{}, &MsgUpdateParams{},
		&MsgUpdateMember{}, &MsgRotateMemberKeys{}, &MsgRotateMemberVault{}, &MsgRotateEmergencyVault{}, &MsgRequestLeave{}, &MsgAddSite{}, &MsgUpdateSite{}, &MsgRemoveSite{},
		&MsgRegisterStorageNode{}, &MsgUpdateStorageNode{}, &MsgRetireStorageNode{},
		&MsgUpdateStaff{}, &MsgPublishStaffVault{},
		&MsgRegisterStaff{}, &MsgRevokeStaff{}, &MsgCreateInvitation{}, &MsgRevokeInvitation{}, &MsgOpenAccount{}, &MsgReportSessions{})
	msgservice.RegisterMsgServiceDesc(registry, &_Msg_serviceDesc)
}
