package access

import errorsmod "cosmossdk.io/errors"

// Errors of malformed messages and of what is not there. A message that is well
// formed but not allowed is refused with a reason instead, see reasons.go.
var (
	ErrInvalidUnlock   = errorsmod.Register(ModuleName, 2, "invalid unlock id")
	ErrInvalidVersions = errorsmod.Register(ModuleName, 3, "invalid list of versions")
	ErrInvalidPurpose  = errorsmod.Register(ModuleName, 4, "invalid purpose")
	ErrInvalidExpiry   = errorsmod.Register(ModuleName, 5, "invalid expiry")
	ErrInvalidPoint    = errorsmod.Register(ModuleName, 6, "invalid point")
	ErrInvalidProof    = errorsmod.Register(ModuleName, 7, "invalid request proof")
	ErrInvalidCID      = errorsmod.Register(ModuleName, 8, "invalid cid")
	ErrInvalidApproval = errorsmod.Register(ModuleName, 9, "invalid approval")
	ErrMixedVersions   = errorsmod.Register(ModuleName, 10, "versions of several owners, custodians or key generations need several unlocks")
	ErrUnknownUnlock   = errorsmod.Register(ModuleName, 11, "no such unlock")
	ErrInvalidParams   = errorsmod.Register(ModuleName, 12, "invalid parameters")
	ErrInvalidGenesis  = errorsmod.Register(ModuleName, 13, "invalid genesis")
	ErrUnauthorized    = errorsmod.Register(ModuleName, 14, "signer may not do this")
	ErrInvalidConsent  = errorsmod.Register(ModuleName, 15, "invalid consent")
	ErrUnknownConsent  = errorsmod.Register(ModuleName, 16, "no such consent")

	ErrInvalidEmergency = errorsmod.Register(ModuleName, 30, "invalid emergency")
	ErrUnknownEmergency = errorsmod.Register(ModuleName, 31, "no such emergency")
	ErrInvalidGuardians = errorsmod.Register(ModuleName, 50, "invalid guardians")
	ErrUnknownGuardians = errorsmod.Register(ModuleName, 51, "no guardians")
	ErrInvalidRecovery  = errorsmod.Register(ModuleName, 52, "invalid recovery")
	ErrUnknownRecovery  = errorsmod.Register(ModuleName, 53, "no such recovery")
	ErrUnknownHandOver  = errorsmod.Register(ModuleName, 54, "no hand-over")
)
