package ante

import (
	"context"
	"errors"
	"fmt"
	"slices"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"

	"github.com/phrd/phrd/x/consortium"
)

// Consortium is what the role check asks of x/consortium.
type Consortium interface {
	// Principal says who an account is; consortium.ErrUnknownAccount where it is nobody.
	Principal(ctx context.Context, address string) (consortium.Principal, error)
	// Spend takes n tokens out of the account's bucket; consortium.ErrRateLimited where there are not enough.
	Spend(ctx context.Context, address, role string, n uint64) error
}

var (
	admin     = consortium.ROLE_ADMIN
	clerk     = consortium.ROLE_CLERK
	clinician = consortium.ROLE_CLINICIAN
	officer   = consortium.ROLE_OFFICER
	auditor   = consortium.ROLE_AUDITOR
	patient   = consortium.ROLE_PATIENT
	node      = consortium.ROLE_NODE
	storage   = consortium.ROLE_STORAGE
	nobody    = []consortium.Role{}
	people    = []consortium.Role{admin, clerk, clinician, officer, auditor, patient}
)

// roleTable says which roles may send which message. Votes, unlock and recovery messages are open to all people: a wrong party is refused by
// the handler, which writes the refusal to the log. Messages of nobody are carried out by a vote only.
var roleTable = map[string][]consortium.Role{
	"/phrd.consortium.v1.MsgSubmitProposal":       {admin},
	"/phrd.consortium.v1.MsgVote":                 people,
	"/phrd.consortium.v1.MsgWithdrawProposal":     {admin},
	"/phrd.consortium.v1.MsgAdmitMember":          nobody,
	"/phrd.consortium.v1.MsgSuspendMember":        nobody,
	"/phrd.consortium.v1.MsgReinstateMember":      nobody,
	"/phrd.consortium.v1.MsgRemoveMember":         nobody,
	"/phrd.consortium.v1.MsgReplaceAdmin":         nobody,
	"/phrd.consortium.v1.MsgAppointAuditor":       nobody,
	"/phrd.consortium.v1.MsgDismissAuditor":       nobody,
	"/phrd.consortium.v1.MsgUpdateParams":         nobody,
	"/phrd.consortium.v1.MsgUpdateMember":         {admin},
	"/phrd.consortium.v1.MsgRotateMemberKeys":     {admin},
	"/phrd.consortium.v1.MsgRotateMemberVault":    {admin},
	"/phrd.consortium.v1.MsgRotateEmergencyVault": {admin},
	"/phrd.consortium.v1.MsgRequestLeave":         {admin},
	"/phrd.consortium.v1.MsgAddSite":              {admin},
	"/phrd.consortium.v1.MsgUpdateSite":           {admin},
	"/phrd.consortium.v1.MsgRemoveSite":           {admin},
	"/phrd.consortium.v1.MsgRegisterStorageNode":  {admin},
	"/phrd.consortium.v1.MsgUpdateStorageNode":    {admin},
	"/phrd.consortium.v1.MsgRetireStorageNode":    {admin},
	"/phrd.consortium.v1.MsgRegisterStaff":        {admin},
	"/phrd.consortium.v1.MsgRevokeStaff":          {admin},
	"/phrd.consortium.v1.MsgUpdateStaff":          {admin},
	"/phrd.consortium.v1.MsgPublishStaffVault":    {clinician},
	"/phrd.consortium.v1.MsgCreateInvitation":     {admin, clerk},
	"/phrd.consortium.v1.MsgRevokeInvitation":     {admin, clerk},
	"/phrd.consortium.v1.MsgOpenAccount":          {node},
	"/phrd.consortium.v1.MsgReportSessions":       {node},
	"/phrd.custody.v1.MsgSubmitShares":            {node},
	"/phrd.custody.v1.MsgPublishRoundKey":         {node},
	"/phrd.custody.v1.MsgSubmitDeal":              {node},
	"/phrd.custody.v1.MsgSubmitComplaint":         {node},
	"/phrd.custody.v1.MsgSubmitJustification":     {node},
	"/phrd.custody.v1.MsgConfirmShare":            {node},
	"/phrd.custody.v1.MsgStartReshare":            nobody,
	"/phrd.custody.v1.MsgStartGeneration":         nobody,
	"/phrd.custody.v1.MsgUpdateParams":            nobody,
	"/phrd.storage.v1.MsgConfirmCopies":           {node, storage},
	"/phrd.storage.v1.MsgReportLostCopies":        {node, storage},
	"/phrd.storage.v1.MsgHeartbeat":               {node, storage},
	"/phrd.storage.v1.MsgSubmitProofs":            {node, storage},
	"/phrd.storage.v1.MsgDisputeProofs":           {node, storage},
	"/phrd.storage.v1.MsgAttestErasures":          {node, storage},
	"/phrd.storage.v1.MsgUpdateParams":            nobody,
	"/phrd.records.v1.MsgRegisterPatient":         {patient},
	"/phrd.records.v1.MsgRotateVault":             {patient},
	"/phrd.records.v1.MsgRotateWallet":            {patient},
	"/phrd.records.v1.MsgStoreVersions":           {clerk},
	"/phrd.records.v1.MsgReplaceEnvelopes":        people,
	"/phrd.records.v1.MsgRelockVersions":          people,
	"/phrd.records.v1.MsgConfirmRelock":           people,
	"/phrd.records.v1.MsgReportAccess":            {node},
	"/phrd.records.v1.MsgEraseVersions":           people,
	"/phrd.records.v1.MsgApproveErasure":          people,
	"/phrd.records.v1.MsgUpdateParams":            nobody,
	"/phrd.access.v1.MsgProposeUnlock":            people,
	"/phrd.access.v1.MsgEndorseUnlock":            people,
	"/phrd.access.v1.MsgApproveUnlock":            people,
	"/phrd.access.v1.MsgDenyUnlock":               people,
	"/phrd.access.v1.MsgWithdrawUnlock":           people,
	"/phrd.access.v1.MsgGrantConsent":             people,
	"/phrd.access.v1.MsgWithdrawConsent":          people,
	"/phrd.access.v1.MsgUseConsent":               people,
	"/phrd.access.v1.MsgEnableEmergency":          people,
	"/phrd.access.v1.MsgDisableEmergency":         people,
	"/phrd.access.v1.MsgRequestEmergency":         people,
	"/phrd.access.v1.MsgApproveEmergency":         people,
	"/phrd.access.v1.MsgReviewEmergency":          people,
	"/phrd.access.v1.MsgSetGuardians":             people,
	"/phrd.access.v1.MsgProposeRecovery":          people,
	"/phrd.access.v1.MsgApproveRecovery":          people,
	"/phrd.access.v1.MsgCancelRecovery":           people,
	"/phrd.access.v1.MsgFinishRecovery":           people,
	"/phrd.access.v1.MsgSetHandOver":              people,
	"/phrd.access.v1.MsgUpdateParams":             nobody,
}

// CheckTable returns an error unless every message in urls has a rule and every rule has a message.
// The app does not start without it.
func CheckTable(urls []string) error {
	var faults []error
	for _, url := range urls {
		if _, ok := roleTable[url]; !ok {
			faults = append(faults, fmt.Errorf("message %s has no rule in the role table", url))
		}
	}
	for url := range roleTable {
		if !slices.Contains(urls, url) {
			faults = append(faults, fmt.Errorf("rule for %s, which is no message", url))
		}
	}
	return errors.Join(faults...)
}

// roles lets a message pass only when the one signer is a principal whose role may send it and whose bucket has a token for it.
type roles struct{ consortium Consortium }

// AnteHandle implements sdk.AnteDecorator.
func (r roles) AnteHandle(ctx sdk.Context, tx sdk.Tx, simulate bool, next sdk.AnteHandler) (sdk.Context, error) {
	signed, ok := tx.(authsigning.SigVerifiableTx)
	if !ok {
		return ctx, sdkerrors.ErrTxDecode.Wrap("transaction has no signers")
	}
	signers, err := signed.GetSigners()
	if err != nil {
		return ctx, sdkerrors.ErrTxDecode.Wrap(err.Error())
	}
	if len(signers) != 1 {
		return ctx, ErrSigner.Wrapf("got %d", len(signers))
	}
	if fee, ok := tx.(sdk.FeeTx); ok && !slices.Equal(fee.FeePayer(), signers[0]) {
		return ctx, ErrSigner.Wrap("fee payer is not the signer")
	}
	address := sdk.AccAddress(signers[0]).String()
	who, err := r.consortium.Principal(ctx, address)
	if errors.Is(err, consortium.ErrUnknownAccount) {
		return ctx, ErrAccount.Wrapf("%s is not known to the network", address)
	}
	if err != nil {
		return ctx, err
	}
	if !who.Active {
		return ctx, ErrAccount.Wrapf("%s was revoked or its hospital is suspended", address)
	}
	for _, m := range tx.GetMsgs() {
		url := sdk.MsgTypeURL(m)
		allowed, ok := roleTable[url]
		if !ok {
			return ctx, ErrMessage.Wrap(url)
		}
		if !slices.Contains(allowed, who.Role) {
			return ctx, ErrRole.Wrapf("%s %s: %s", who.Role.Text(), address, url)
		}
	}
	if !simulate {
		if err := r.consortium.Spend(ctx, address, who.Role.Text(), uint64(len(tx.GetMsgs()))); err != nil {
			return ctx, err
		}
	}
	return next(ctx, tx, simulate)
}
